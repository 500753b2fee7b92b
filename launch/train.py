"""Trains a network: `python launch/train.py --config=configs/kscale.py`. The same command continues the run."""

from absl import flags
from ml_collections import config_flags

from jaxdepth import cli

_CONFIG = config_flags.DEFINE_config_file("config", help_string="Settings of the run: FILE.py[:ARGUMENT].")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; default: runs/NAME of the config.")
_DISTRIBUTED = flags.DEFINE_bool(
    "distributed", False, "Whether this is one of several processes: calls jax.distributed.initialize."
)
flags.mark_flag_as_required("config")


def main(_):
    import jax

    from jaxdepth.train import train_and_evaluate

    if _DISTRIBUTED.value:
        jax.distributed.initialize()
    default = cli.default_workdir(config_flags.get_config_filename(flags.FLAGS["config"]))
    train_and_evaluate(_CONFIG.value, _WORKDIR.value or default)


if __name__ == "__main__":
    cli.run(main)
