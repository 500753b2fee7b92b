"""Look at one's own data before training: `python launch/prepare_data.py check FOLDER`."""

from absl import app, flags

from jaxdepth import cli

_IMAGE = flags.DEFINE_string("image", None, "check: pictures, such as images/*.jpg; by default the usual places.")
_DEPTH = flags.DEFINE_string("depth", None, "check: depths, such as depths/*.png; by default the usual places.")
_DEPTH_SCALE = flags.DEFINE_float(
    "depth_scale", None, "check: metres of one unit; by default .001 for whole numbers, 1 for floating point."
)
_OUTPUT = flags.DEFINE_string("output", "contact_sheet.png", "check: the picture of some pairs, a PNG.")


def _check(folder):
    from jaxdepth.data import check

    report = check.check(
        folder,
        image=_IMAGE.value,
        depth=_DEPTH.value,
        depth_scale=_DEPTH_SCALE.value,
        sheet=_OUTPUT.value,
    )
    print(report)
    return 1 if report.errors else 0


_COMMANDS = {"check": _check}


def main(argv):
    if len(argv) != 3 or argv[1] not in _COMMANDS:
        raise app.UsageError(f"expected {' or '.join(_COMMANDS)}, and a folder")
    return _COMMANDS[argv[1]](argv[2])


if __name__ == "__main__":
    cli.run(main)
