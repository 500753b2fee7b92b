"""Packs a run's network into a small folder to pass on: `python launch/pack.py --workdir=runs/best --output=DIR`.

The folder takes the place of a workdir in predict, evaluate, probe, and --config.init_from of train.
"""

from absl import flags

from jaxdepth import cli

_WORKDIR = flags.DEFINE_string("workdir", None, "Workdir of the run.")
_OUTPUT = flags.DEFINE_string("output", None, "The folder to write.")
_STEP = flags.DEFINE_string("step", "last", "Which checkpoint: a step, last, or best (by validation delta1).")
flags.mark_flags_as_required(["workdir", "output"])


def main(_):
    from jaxdepth.runs import trained

    size = trained.pack(_WORKDIR.value, _OUTPUT.value, step=cli.step(_STEP.value))
    print(f"{_OUTPUT.value}: {size / 1e6:.1f} MB of weights")


if __name__ == "__main__":
    cli.run(main)
