"""A sweep: a list of trainings that differ in a few settings.

A sweep is a Python file with three names:

  CONFIG: path of the config file that all rows start from, relative to the sweep's file.
  COMMON: {setting: value}, changes that all rows share.
  ROWS: {name of the row: {setting: value}}, the changes of each row. The setting "config" is another config file, and
    the value None takes a shared change back. The other rows are compared with the first.
"""

import dataclasses
import json
import pathlib
import re
import runpy

from absl import logging

from jaxdepth import models
from jaxdepth.errors import InputError
from jaxdepth.runs import upgrade, workdir
from jaxdepth.studies import experiment

PROTOCOL = "eigen_crop"
# Settings that may differ between a result and its row, because they do not affect the scores. The others that a run
# may change when it is continued do: its length, and the weights that it starts from.
_WITHOUT_EFFECT = frozenset(workdir.FREE_SETTINGS) - {"epochs", "steps", "init_from"}


@dataclasses.dataclass(frozen=True)
class Sweep:
    """The content of a sweep's file.

    Attributes:
      name: the file's name without its suffix.
      rows: {name of the row: {setting: value}}, with the shared changes and with "config", the path of a config file.
      results: folder of the results: ../results/sweep-NAME, seen from the file's folder.
    """

    name: str
    rows: dict
    results: pathlib.Path


def load(path) -> Sweep:
    """Loads a sweep's file.

    Raises:
      InputError: if it lacks one of its three names, or has no row.
    """
    path = pathlib.Path(path)
    found = runpy.run_path(str(path))
    if missing := {"CONFIG", "COMMON", "ROWS"} - found.keys():
        raise InputError(f"{path}: no {', '.join(sorted(missing))}: expected CONFIG, COMMON and ROWS")
    if not found["ROWS"]:
        raise InputError(f"{path}: ROWS is empty: expected one or more rows")
    common = {"config": found["CONFIG"]} | found["COMMON"]
    rows = {name: common | changes for name, changes in found["ROWS"].items()}
    for name, row in rows.items():
        rows[name] = {key: value for key, value in row.items() if value is not None}
        rows[name]["config"] = str(path.parent / row["config"])
    return Sweep(path.stem, rows, path.absolute().parents[1] / "results" / f"sweep-{path.stem}")


def run(sweep, *, folder, seeds, path=None, names=()):
    """Trains and scores the rows that have no result yet, all rows with one seed before the next seed.

    A result is evaluate's JSON under `eigen_crop`, in the file ROW-seedN.json of `sweep.results`, with

      "row": {"name", "seed", "config" (all settings of the training, see `resolved`), "parameters", "seconds"}.

    Args:
      sweep: a Sweep.
      folder: where the runs are kept, in subfolders ROW-seedN. A run that was stopped is continued.
      seeds: of the trainings.
      path: where the data is.
      names: of the rows; empty for all.

    Returns:
      Whether all rows have a result now; False if SIGTERM or Ctrl-C stopped a training.

    Raises:
      InputError: before the first training, for an unknown row, for a setting that is unknown or out of range, and for
        a result of other settings than the row's.
    """
    if unknown := set(names) - sweep.rows.keys():
        raise InputError(f"sweep {sweep.name}: no row {min(unknown)!r}: expected one of {', '.join(sweep.rows)}")
    wanted = []
    for seed in seeds:
        for name in names or sweep.rows:
            run_name = re.sub(r"[^\w.]+", "-", f"{name}-seed{seed}")
            result_file = sweep.results / f"{run_name}.json"
            config = _config(name, sweep.rows[name], seed, path)
            if result_file.is_file():
                _check_same_settings(result_file, sweep.rows[name], config)
            else:
                wanted.append((name, seed, pathlib.Path(folder, run_name), result_file, config))
    for name, seed, run_folder, result_file, config in wanted:
        logging.info("sweep %s: %s", sweep.name, run_folder)
        cost = experiment.train(config, run_folder)
        if cost is None:
            return False
        result = experiment.score(run_folder, PROTOCOL)
        _, variables = experiment.network_of(config.model.to_dict(), tuple(config.data.crop_size))
        result["row"] = {
            "name": name,
            "seed": seed,
            "config": resolved(config),
            "parameters": models.count_parameters(variables["params"]),
            "seconds": round(cost.seconds),
        }
        experiment.keep(result_file, result)
    return True


def read(sweep):
    """Reads the results of a sweep.

    Args:
      sweep: a Sweep.

    Returns:
      {name of the row: [the result of each seed]} in the sweep's order, without rows that have no result. Results of
      rows that the sweep no longer has follow, by name.
    """
    found = {name: [] for name in sweep.rows}
    for file in sorted(sweep.results.glob("*-seed*.json")):
        result = json.loads(file.read_text())
        found.setdefault(result["row"]["name"], []).append(result)
    return {name: results for name, results in found.items() if results}


def resolved(config):
    """All settings of a training as a result keeps them.

    Args:
      config: a ConfigDict.

    Returns:
      A nested dict of JSON's types, without the paths that depend on the machine: no data.path, and of init_from only
      the last part.
    """
    kept = json.loads(json.dumps(config.to_dict()))
    del kept["data"]["path"]
    kept["init_from"] = pathlib.Path(kept["init_from"]).name if kept["init_from"] else None
    return kept


def _config(name, row, seed, path):
    """The ConfigDict of a row."""
    changes = dict(row)
    file = changes.pop("config")
    if "seed" in changes:
        raise InputError(f"row {name!r}: config.seed: the sweep sets it itself (--seeds)")
    config = experiment.make_config(file, changes | {"seed": seed}, name=f"row {name!r}")
    if path and "data.path" not in row and config.data.source != "rooms":
        config.data.path = path
    return config


def _check_same_settings(result_file, row, config):
    """Raises InputError if a result is one of other settings than its row has now.

    Results of earlier versions hold no config. Of these, only the settings that the row changes are compared.
    """
    kept = json.loads(result_file.read_text())["row"]
    if "config" in kept:
        before, now = _with_effect(kept["config"]), _with_effect(resolved(config))
    else:
        logging.info("%s: no config in it: compared by the row's own settings only", result_file)
        before, now = _own_settings(kept["settings"]), _own_settings(row)
    if names := sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name)):
        differences = "; ".join(f"{name}: {_shown(before, name)} there, {_shown(now, name)} now" for name in names)
        raise InputError(f"{result_file}: a result of other settings ({differences}): move it away, or rename the row")


def _with_effect(config):
    """The settings of a result's config that affect the scores, {name: value}."""
    settings = upgrade.flatten(upgrade.settings(config))
    without_effect = _WITHOUT_EFFECT | ({"epochs"} if settings.get("steps") else set())
    return {name: value for name, value in settings.items() if name not in without_effect}


def _own_settings(row):
    """The settings that a row changes, by today's names and in JSON's types; of its config file, only the name."""
    settings = {upgrade.RENAMED.get(name, name): value for name, value in json.loads(json.dumps(row)).items()}
    return settings | {"config": pathlib.Path(settings["config"]).name}


def _shown(settings, name):
    return repr(settings[name]) if name in settings else "not set"
