"""Look into a trained network: `python launch/probe.py --workdir=runs/autoencoder PICTURE [--names=coarse/map,...]`."""

from absl import app, flags

from jaxdepth import cli

_WORKDIR = flags.DEFINE_string("workdir", None, "The run's folder.")
_STEP = flags.DEFINE_integer("step", None, "Which checkpoint; by default the last.")
_NAMES = flags.DEFINE_list("names", [], "Intermediates to show as grids of their channels, or `all`.")
_CHANNELS = flags.DEFINE_integer("channels", 64, "The most channels of each to show.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder for the pictures; by default probe/PICTURE in the workdir.")
flags.mark_flag_as_required("workdir")


def main(argv):
    from jaxdepth.studies import probe

    if len(argv) != 2:
        raise app.UsageError("expected one picture")
    inside, paths = probe.probe(
        _WORKDIR.value,
        argv[1],
        names=tuple(_NAMES.value),
        step=_STEP.value,
        channels=_CHANNELS.value,
        output=_OUTPUT.value,
    )
    print("intermediates: " + ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in inside.items()))
    print("pictures: " + ", ".join(map(str, paths)))


if __name__ == "__main__":
    cli.run(main)
