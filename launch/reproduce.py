"""Reproduces the paper: `python launch/reproduce.py --workdir=DIR --config.data.path=NYU_FILE`.

Trains every network of the paper and the best one with the same number of steps, and writes DIR/report.html and
DIR/report.md with the paper's tables and figures. The same command continues a job that was stopped.
"""

from absl import flags
from ml_collections import config_flags

from jaxdepth import cli, paths
from jaxdepth.config import base

with cli.setting_errors():
    config_flags.DEFINE_config_dict("config", base(), "Settings of jaxdepth/config.py that all networks share.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the job.")
_STEPS = flags.DEFINE_integer("steps", 2500, "Steps of each training.")
_CONFIGS = flags.DEFINE_string("configs", None, "Folder of the networks' config files; default: the package's.")
flags.mark_flag_as_required("workdir")


def main(_):
    from jaxdepth.studies import reproduce

    given = dict(config_flags.get_override_values(flags.FLAGS["config"]))
    configs = _CONFIGS.value or paths.packaged("configs")
    reproduce.reproduce(_WORKDIR.value, configs=configs, given=given, steps=_STEPS.value)


if __name__ == "__main__":
    cli.run(main)
