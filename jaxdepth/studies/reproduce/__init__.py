"""The paper's tables and figures redone by one command: `python launch/reproduce.py --workdir=DIR`."""

import pathlib

from absl import logging

from jaxdepth.studies.reproduce import job, report


def reproduce(folder, *, configs, given, steps):
    """Train every network of the paper and the best one under one protocol, and write report.md and report.html.

    What is done is kept in `folder`; the same command goes on where it was killed.

    Args:
      folder: of the job: job.json, runs/SPLIT/NAME (a workdir each), results/SPLIT-NAME.json, figures/, the reports.
      configs: the folder of the networks' settings.
      given: {name: value} of settings such as "data.path", for all networks of the paper; of `data` the best one takes
        only where the frames are.
      steps: of each training.

    Returns:
      Whether all is done; False where SIGTERM stopped a training.

    Raises:
      ValueError: `folder` holds another job; settings, data or steps that are out of range.
    """
    folder = pathlib.Path(folder)
    plan = job.plan(configs, given=given, steps=steps)
    job.open_job(folder, given=given, steps=steps)
    for i, training in enumerate(plan):
        if job.result(folder, training) is None:
            done, left = job.progress(folder, plan)
            all_of_it = f"{done:.0%} done" + ("" if left is None else f", about {left / 3600:.1f} h left")
            logging.info(
                "reproduce: training %d of %d, %s on split %s; of all %s",
                *(i + 1, len(plan), training.title, training.split, all_of_it),
            )
            title = f"{i + 1}/{len(plan)} {training.name} ({training.split}), all: {all_of_it}"
            if not job.run(folder, training, title=title):
                return False
    report.write(folder, plan)
    logging.info("reproduce: %s, %s", folder / "report.md", folder / "report.html")
    return True
