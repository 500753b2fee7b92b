"""Measure networks and machine: `python launch/benchmark.py [WHAT ...] [--output=FILE.json]`; by default all."""

import pathlib

from absl import flags

from jaxdepth import cli

_OUTPUT = flags.DEFINE_string("output", None, "JSON file for the numbers and the machine that they were measured on.")
_CONFIGS = flags.DEFINE_string(
    "configs", str(pathlib.Path(__file__).parents[1] / "configs"), "Folder with the networks' settings."
)


def main(argv):
    from jaxdepth import benchmark

    benchmark.run(argv[1:], _CONFIGS.value, _OUTPUT.value)


if __name__ == "__main__":
    cli.run(main)
