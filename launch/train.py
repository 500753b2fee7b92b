"""Trains a network: `python launch/train.py --config=configs/kscale.py`. The same command continues the run.

Every setting of the config is a flag, too: `--config.epochs=10`.
"""

import contextlib

from absl import flags
from ml_collections import config_flags

from jaxdepth import cli, paths

_CONFIG = config_flags.DEFINE_config_file(
    "config", help_string=f"Settings of the run: NAME[:ARGUMENT], a file or one of {', '.join(paths.config_names())}."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; default: runs/NAME of the config.")
_DISTRIBUTED = flags.DEFINE_bool(
    "distributed", False, "Whether this is one of several processes. On Slurm, Cloud TPUs and GKE that is all."
)
_COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "HOST:PORT of the first of several processes; then give --processes and --process too."
)
_PROCESSES = flags.DEFINE_integer("processes", None, "Number of processes.")
_PROCESS = flags.DEFINE_integer("process", None, "Index of this process, from 0.")
flags.mark_flag_as_required("config")


def main(_):
    from jaxdepth.train import train_and_evaluate
    from jaxdepth.training import processes

    default = cli.default_workdir(config_flags.get_config_filename(flags.FLAGS["config"]))
    given = dict(coordinator=_COORDINATOR.value, count=_PROCESSES.value, index=_PROCESS.value)
    several = _DISTRIBUTED.value or any(value is not None for value in given.values())
    with processes.joined(**given) if several else contextlib.nullcontext():
        train_and_evaluate(_CONFIG.value, _WORKDIR.value or default)


if __name__ == "__main__":
    cli.run(main)
