"""Shows networks side by side on the same frames: `python launch/compare.py K-scale=runs/kscale Best=runs/best`.

Each row has a picture, the depth of each network, and the truth. The frames are validation frames of the last run, from
its best to its worst.
"""

from absl import app, flags

from jaxdepth import cli

_OUTPUT = flags.DEFINE_string("output", "compare.png", "The picture to write.")
_SOURCE = flags.DEFINE_string("source", None, "Source of the frames; default: the last run's.")
_PATH = flags.DEFINE_string("path", None, "Where that source is; default: the last run's config.data.path.")
_SPLIT = flags.DEFINE_string("split", None, "Whose validation frames, or `all`; default: the last run's.")
_FRAMES = flags.DEFINE_integer("frames", 8, "Number of frames.")


def main(argv):
    from jaxdepth.studies import compare

    folders = dict(argument.partition("=")[::2] for argument in argv[1:])
    if not folders or not all(folders.values()):
        raise app.UsageError("expected TITLE=WORKDIR ...")
    options = dict(source=_SOURCE.value, data_path=_PATH.value, split=_SPLIT.value, count=_FRAMES.value)
    ids = compare.compare(_OUTPUT.value, folders, **options)
    print(f"{_OUTPUT.value}: frames {', '.join(map(str, ids))}")


if __name__ == "__main__":
    cli.run(main)
