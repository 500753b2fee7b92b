"""A list of trainings that differ in some settings each, and the table of what they gave.

A sweep is a Python file with CONFIG (the file of settings that all begin with), COMMON (settings that all share) and
ROWS (the settings of each row, by its name): {"model.width": 32, ...}; "config" in a row is a file of its own, and None
takes a shared setting back. The first row is what the others are compared with.
"""

import dataclasses
import json
import pathlib
import re
import runpy

import jax
import numpy as np
from absl import logging

from jaxdepth import config as settings
from jaxdepth import evaluate, predict, workdir
from jaxdepth.train import train_and_evaluate

METRICS = ("delta1", "abs_rel", "rmse", "log10")
_DRAWS = 2000  # of the bootstrap


@dataclasses.dataclass(frozen=True)
class Sweep:
    """What a sweep's file says: its name, and for each row its settings as {name: value}, "config" among them."""

    name: str
    rows: dict


def load(path) -> Sweep:
    """The Sweep of a file. Raises ValueError where it lacks one of its three names, or has no row."""
    path = pathlib.Path(path)
    found = runpy.run_path(str(path))
    if missing := {"CONFIG", "COMMON", "ROWS"} - found.keys():
        raise ValueError(f"{path}: no {', '.join(sorted(missing))}: expected CONFIG, COMMON and ROWS")
    if not found["ROWS"]:
        raise ValueError(f"{path}: ROWS is empty: expected a row to compare with")
    common = {"config": found["CONFIG"]} | found["COMMON"]
    rows = {name: common | changes for name, changes in found["ROWS"].items()}
    for name, row in rows.items():
        rows[name] = {key: value for key, value in row.items() if value is not None}
        rows[name]["config"] = str(path.parent / row["config"])
    return Sweep(path.stem, rows)


def run(sweep, *, folder, results, seeds, path=None, names=()):
    """Train and evaluate each row with each seed that has no result yet, a seed for all rows before the next.

    Args:
      sweep: a Sweep.
      folder: where the runs are kept, ROW-seedN each; a killed one goes on from its last checkpoint.
      results: the folder for ROW-seedN.json (letters, digits, dots and hyphens): what `evaluate_checkpoint` gives under
        eigen_crop, and the row's settings, parameters and seconds of training.
      path: where the data lies; names: which rows, by default all.

    Returns:
      Whether all have a result now; False where SIGTERM stopped a training.

    Raises ValueError for a name that is no row's, and for settings that a config does not have.
    """
    if unknown := set(names) - sweep.rows.keys():
        raise ValueError(f"sweep {sweep.name}: no row {min(unknown)!r}: expected one of {', '.join(sweep.rows)}")
    for seed in seeds:
        for name in names or sweep.rows:
            run_name = re.sub(r"[^\w.]+", "-", f"{name}-seed{seed}")
            result_file = pathlib.Path(results, f"{run_name}.json")
            if result_file.is_file():
                continue
            changes = sweep.rows[name] | {"seed": seed, "data.path": path}
            config = settings.load(changes.pop("config"))
            settings.change(config, changes)
            run_folder = pathlib.Path(folder, run_name)
            logging.info("sweep %s: %s", sweep.name, run_folder)
            if train_and_evaluate(config, run_folder) is None:
                return False
            result = evaluate.evaluate_checkpoint(run_folder, protocol="eigen_crop")
            result["checkpoint"]["workdir"] = run_folder.name
            variables = predict.load(run_folder).variables
            result["row"] = {
                "name": name,
                "settings": sweep.rows[name],
                "seed": seed,
                "parameters": sum(x.size for x in jax.tree.leaves(variables["params"])),
                "seconds": round(workdir.pace(workdir.read_metrics(run_folder))[1]),
            }
            result_file.parent.mkdir(parents=True, exist_ok=True)
            workdir.write_atomically(result_file, (json.dumps(result) + "\n").encode())
            jax.clear_caches()
    return True


def read(sweep, results):
    """The results of a sweep: {row: [evaluate's JSON of each seed]}, in its order, rows without one left out.

    Results of rows that the sweep no longer has (what was tried and not kept) follow by name.
    """
    found = {name: [] for name in sweep.rows}
    for file in sorted(pathlib.Path(results).glob("*-seed*.json")):
        result = json.loads(file.read_text())
        found.setdefault(result["row"]["name"], []).append(result)
    return {name: results for name, results in found.items() if results}


def results_folder(sweep, configs):
    """Where the results of a sweep are kept, in the folder of all settings."""
    return pathlib.Path(configs, "results", f"sweep-{sweep.name}")


def table(found, names):
    """What `read` found of some rows as a Markdown table: means over seeds, and delta1 less the first row's.

    A row is compared with the seeds that it shares with the first one, or with all of them where it shares none. The
    interval is the 95 % of a paired bootstrap over runs of neighbouring frames (see `difference`).
    """
    first = next(iter(found.values()))
    lines = [
        f"| | seeds | {' | '.join(METRICS)} | delta1 by seed | difference (95 %) |",
        "| --- " * (len(METRICS) + 4) + "|",
    ]
    for name in names:
        results = found[name]
        means = [f"{np.mean([r['metrics'][metric] for r in results]):.3f}" for metric in METRICS]
        by_seed = " ".join(f"{r['metrics']['delta1']:.3f}" for r in results)
        seeds = {result["row"]["seed"] for result in results}
        same = [result for result in first if result["row"]["seed"] in seeds]
        middle, low, high = difference(results, same or first)
        compared = "" if results is first else f"{middle:+.3f} ({low:+.3f} to {high:+.3f})"
        lines.append(f"| {name} | {len(results)} | {' | '.join(means)} | {by_seed} | {compared} |")
    baseline = [f"{first[0]['mean_depth_baseline'][metric]:.3f}" for metric in METRICS]
    lines.append(f"| mean depth image | | {' | '.join(baseline)} | | |")
    return "".join(f"{line}\n" for line in lines)


def difference(results, others, *, seed=0):
    """Mean difference in delta1 of two lists of results on the same frames, and its 95 % interval: three numbers.

    Neighbouring frames show the same room, so the bootstrap draws runs of frames: stretches of ids in a row.
    Raises ValueError where the frames differ.
    """
    ids = np.array(results[0]["per_frame"]["id"])
    for result in (*results, *others):
        if result["per_frame"]["id"] != ids.tolist():
            raise ValueError("sweep: results of different frames: expected one split and source for all rows")
    mean = [np.mean([np.float64(r["per_frame"]["delta1"]) for r in group], 0) for group in (results, others)]
    difference = mean[0] - mean[1]
    runs = np.cumsum(np.diff(ids, prepend=ids[0]) > 1)
    sums, counts = np.bincount(runs, difference), np.bincount(runs)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(_DRAWS, len(sums)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    return float(difference.mean()), *(float(q) for q in np.quantile(means, (0.025, 0.975)))
