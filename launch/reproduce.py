"""Redo the paper's tables and figures: `python launch/reproduce.py --workdir=DIR --config.data.path=NYU_FILE`.

Trains every network of the paper and the best one with the same number of steps and writes DIR/report.html and
DIR/report.md. The same command goes on where it was killed.
"""

import pathlib

from absl import flags
from ml_collections import config_flags

from jaxdepth import cli
from jaxdepth.config import base

with cli.setting_errors():
    config_flags.DEFINE_config_dict("config", base(), "Settings of jaxdepth/config.py, which all networks share.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Where the job is kept.")
_STEPS = flags.DEFINE_integer("steps", 2500, "Steps of each training.")
_CONFIGS = flags.DEFINE_string(
    "configs", str(pathlib.Path(__file__).parents[1] / "configs"), "Folder with the networks' settings."
)
flags.mark_flag_as_required("workdir")


def main(_):
    from jaxdepth.studies import reproduce

    given = dict(config_flags.get_override_values(flags.FLAGS["config"]))
    reproduce.reproduce(_WORKDIR.value, configs=_CONFIGS.value, given=given, steps=_STEPS.value)


if __name__ == "__main__":
    cli.run(main)
