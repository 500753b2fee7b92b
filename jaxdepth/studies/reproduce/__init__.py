"""Reproduces the paper's tables and figures with one command: `python launch/reproduce.py --workdir=DIR`."""

import pathlib

from absl import logging

from jaxdepth.studies.reproduce import job, report


def reproduce(folder, *, configs, given, steps):
    """Trains every network of the paper and the pyramid with the same number of steps, and writes the report.

    A job that was stopped is continued by the same call.

    Args:
      folder: of the job, for job.json, runs/SPLIT/NAME (workdirs), results/SPLIT-NAME.json, figures/, report.md and
        report.html.
      configs: folder of the config files.
      given: {setting: value} for all networks of the paper, such as "data.path". The pyramid takes all but the
        settings of `data`; of those, only which frames to use.
      steps: of each training.

    Returns:
      Whether the job is done; False if SIGTERM or Ctrl-C stopped a training.

    Raises:
      InputError: if `folder` holds another job, or for settings, data or steps out of range.
    """
    folder = pathlib.Path(folder)
    plan = job.plan(configs, given=given, steps=steps)
    job.open_job(folder, given=given, steps=steps)
    for i, training in enumerate(plan, 1):
        if job.result(folder, training) is None:
            done, seconds_left = job.progress(folder, plan)
            told = f"{done:.0%} of the job done"
            if seconds_left is not None:
                told += f", about {seconds_left / 3600:.1f} h left"
            logging.info(
                "reproduce: training %d of %d, %s, split %s; %s", i, len(plan), training.title, training.split, told
            )
            if not job.run(folder, training, title=f"{i}/{len(plan)} {training.name} ({training.split}), {told}"):
                return False
    report.write(folder, plan)
    logging.info("reproduce: wrote %s and %s", folder / "report.md", folder / "report.html")
    return True
