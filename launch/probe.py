"""Shows what is inside a trained network: `python launch/probe.py --workdir=runs/autoencoder PICTURE`.

Writes the depth of each output, and with `--names=coarse/map,...` the channels of intermediates.
"""

from absl import app, flags

from jaxdepth import cli

_WORKDIR = flags.DEFINE_string("workdir", None, "Workdir of the run, packed network, or `package` for jaxdepth's.")
_STEP = flags.DEFINE_string("step", "last", "Which checkpoint: a step, last, or best (by validation delta1).")
_NAMES = flags.DEFINE_list("names", [], "Intermediates to show as grids of their channels, or `all`.")
_CHANNELS = flags.DEFINE_integer("channels", 64, "How many channels of each to show at most.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "Folder for the pictures; default: probe/PICTURE in the workdir, or here for `package`."
)
flags.mark_flag_as_required("workdir")


def main(argv):
    from jaxdepth.studies import probe

    if len(argv) != 2:
        raise app.UsageError("expected one picture")
    shapes, paths = probe.probe(
        _WORKDIR.value,
        argv[1],
        names=tuple(_NAMES.value),
        step=cli.step(_STEP.value),
        channels=_CHANNELS.value,
        output=_OUTPUT.value,
    )
    print("intermediates: " + ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items()))
    print("pictures: " + ", ".join(map(str, paths)))


if __name__ == "__main__":
    cli.run(main)
