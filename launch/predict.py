"""Depth of your own pictures: `python launch/predict.py PICTURE_OR_FOLDER ... [--workdir=runs/kscale] [--output=DIR]`.

Of each picture NAME.npy (float32 metres), NAME.png (16 bit, millimetres), NAME.color.png, NAME.ply if asked, NAME.json.
Pictures of one name keep their suffix in NAME (a.jpg.npy), then their folder's name, then a number.
"""

from absl import app, flags

from jaxdepth import cli

_WORKDIR = flags.DEFINE_string("workdir", None, "The run that trained the network; by default the package's own.")
_STEP = flags.DEFINE_integer("step", None, "Which checkpoint; by default the last.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "Folder for all files; by default `depth` beside each picture. Not one that pictures are read from."
)
_FORMATS = flags.DEFINE_list(
    "formats", ["npy", "png", "color"], "Some of npy, png, color, ply; NAME.json is written too."
)
_BATCH = flags.DEFINE_integer("batch", 8, "Pictures that go through the network together.")
_CAMERA = {
    name: flags.DEFINE_float(
        name, None, f"{what} in pixels of the pictures; by default from EXIF, else those of the training."
    )
    for name, what in dict(
        fx="Focal length", fy="Vertical focal length", cx="Principal column", cy="Principal row"
    ).items()
}


def main(argv):
    from jaxdepth.output import encode as export

    if len(argv) < 2:
        raise app.UsageError("expected pictures, folders or globs")
    lines, skipped = export.predict_files(
        _WORKDIR.value,
        argv[1:],
        output=_OUTPUT.value,
        formats=tuple(_FORMATS.value),
        step=_STEP.value,
        batch=_BATCH.value,
        given={name: flag.value for name, flag in _CAMERA.items()},
    )
    print("\n".join(lines))
    return 1 if skipped else 0


if __name__ == "__main__":
    cli.run(main)
