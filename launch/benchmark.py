"""Measure the speed on this machine: `python launch/benchmark.py [WHAT ...] [--output=FILE.json]`; by default all."""

from absl import flags

from jaxdepth import cli

_OUTPUT = flags.DEFINE_string("output", None, "JSON file for the numbers and the machine that they were measured on.")


def main(argv):
    from jaxdepth import benchmark

    benchmark.run(argv[1:], _OUTPUT.value)


if __name__ == "__main__":
    cli.run(main)
