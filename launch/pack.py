"""A trained network as a small folder to pass on: `python launch/pack.py --workdir=runs/best --output=DIR`.

The folder takes the place of a workdir in predict, evaluate, probe, and `--config.initial` of train.
"""

from absl import flags

from jaxdepth import cli

_WORKDIR = flags.DEFINE_string("workdir", None, "The run's folder.")
_OUTPUT = flags.DEFINE_string("output", None, "The folder to write.")
_STEP = flags.DEFINE_integer("step", None, "Which checkpoint; by default the last.")
flags.mark_flags_as_required(["workdir", "output"])


def main(_):
    from jaxdepth import predict

    size = predict.pack(_WORKDIR.value, _OUTPUT.value, step=_STEP.value)
    print(f"{_OUTPUT.value}: {size / 1e6:.1f} MB of weights")


if __name__ == "__main__":
    cli.run(main)
