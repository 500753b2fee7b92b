"""Measures networks and machine: `python launch/benchmark.py [WHAT ...] [--output=FILE.json]`; all by default."""

import os

from absl import flags

from jaxdepth import cli, paths

_OUTPUT = flags.DEFINE_string("output", None, "JSON file for the numbers and the machine that they were measured on.")
_BATCHES = flags.DEFINE_multi_integer("batch", [8], "Batch sizes; may be given several times.")
_DTYPE = flags.DEFINE_string("dtype", "float32", "Compute dtype: float32 or bfloat16.")
_CONFIGS = flags.DEFINE_string("configs", None, "Folder with the networks' config files; default: the package's.")


def main(argv):
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = (
        "false"  # jax reads it on import; kept programs take no time to compile
    )
    from jaxdepth import benchmark

    configs = _CONFIGS.value or paths.packaged("configs")
    benchmark.run(argv[1:], configs, batch_sizes=_BATCHES.value, dtype=_DTYPE.value, output=_OUTPUT.value)


if __name__ == "__main__":
    cli.run(main)
