"""Look at data before training: `python launch/prepare_data.py check FOLDER`, and `.. rooms` for the built-in ones."""

from absl import app, flags

from jaxdepth import cli

_IMAGE = flags.DEFINE_string("image", None, "check: pictures, such as images/*.jpg; by default the usual places.")
_DEPTH = flags.DEFINE_string("depth", None, "check: depths, such as depths/*.png; by default the usual places.")
_DEPTH_SCALE = flags.DEFINE_float(
    "depth_scale", None, "check: metres of one unit; by default .001 for whole numbers, 1 for floating point."
)
_OUTPUT = flags.DEFINE_string("output", "contact_sheet.png", "The picture of some frames, a PNG.")


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


def _rooms():
    from jaxdepth.data import rooms

    rooms.contact_sheet(_OUTPUT.value)
    print(f"twelve rooms: {_OUTPUT.value}")


_COMMANDS = {"check": (_check, ["FOLDER"]), "rooms": (_rooms, [])}


def main(argv):
    command, names = _COMMANDS.get("".join(argv[1:2]), (None, []))
    if command is None or len(argv) != 2 + len(names):
        usages = (" ".join([name, *names]) for name, (_, names) in _COMMANDS.items())
        raise app.UsageError(f"expected {' or '.join(usages)}")
    return command(*argv[2:])


if __name__ == "__main__":
    cli.run(main)
