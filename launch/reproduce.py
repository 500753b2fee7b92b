"""Reproduces the paper: `python launch/reproduce.py --workdir=DIR --config.data.path=NYU_FILE`.

Trains every network of the paper and the best one with the same number of steps, and writes DIR/report.html and
DIR/report.md with the paper's tables and figures. The same command continues a job that was stopped.
"""

import pathlib

from absl import flags
from ml_collections import config_flags

from jaxdepth import cli
from jaxdepth.config import base

with cli.setting_errors():
    config_flags.DEFINE_config_dict("config", base(), "Settings of jaxdepth/config.py that all networks share.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the job.")
_STEPS = flags.DEFINE_integer("steps", 2500, "Steps of each training.")
_CONFIGS = flags.DEFINE_string(
    "configs", str(pathlib.Path(__file__).parents[1] / "configs"), "Folder of the networks' config files."
)
flags.mark_flag_as_required("workdir")


def main(_):
    from jaxdepth.studies import reproduce

    given = dict(config_flags.get_override_values(flags.FLAGS["config"]))
    reproduce.reproduce(_WORKDIR.value, configs=_CONFIGS.value, given=given, steps=_STEPS.value)


if __name__ == "__main__":
    cli.run(main)
