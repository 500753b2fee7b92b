"""Networks side by side on the same frames: `python launch/compare.py K-scale=runs/kscale Best=runs/best`.

Of the last one's validation frames, from its best to its worst: picture, each network's depth, truth.
"""

from absl import app, flags

from jaxdepth import cli

_OUTPUT = flags.DEFINE_string("output", "compare.png", "The picture to write.")
_SOURCE = flags.DEFINE_string("source", None, "Other frames than those of the last run, as --config.data.source.")
_PATH = flags.DEFINE_string("path", None, "Where the data lies.")
_SPLIT = flags.DEFINE_string("split", None, "The split whose validation frames are shown, or all.")
_FRAMES = flags.DEFINE_integer("frames", 8, "How many frames.")


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
