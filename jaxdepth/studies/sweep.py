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
from jaxdepth import evaluate, predict
from jaxdepth.runs import workdir
from jaxdepth.train import train_and_evaluate

METRICS = ("delta1", "abs_rel", "rmse", "log10")
_DRAWS = 2000  # of the bootstrap
_FEWEST_RUNS = 5  # of frames: fewer cannot say how much a difference varies
_JUDGED = ("name", "source", "split_hash", "truth", "judged_at")  # of a protocol, what two results must share


@dataclasses.dataclass(frozen=True)
class Sweep:
    """What a sweep's file says.

    Attributes:
      name: the file's.
      rows: {name of a row: {name of a setting: value}}, "config" among the latter.
      results: the folder where the results are kept: results/sweep-NAME beside the file's own folder.
    """

    name: str
    rows: dict
    results: pathlib.Path


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
    return Sweep(path.stem, rows, path.absolute().parents[1] / "results" / f"sweep-{path.stem}")


def run(sweep, *, folder, seeds, path=None, names=()):
    """Train and evaluate each row with each seed that has no result yet, a seed for all rows before the next.

    A result is ROW-seedN.json (letters, digits, dots and hyphens) in `sweep.results`: what `evaluate_checkpoint` gives
    under eigen_crop, and the row's settings, parameters and seconds of training.

    Args:
      sweep: a Sweep.
      folder: where the runs are kept, ROW-seedN each; a killed one goes on from its last checkpoint.
      path: where the data lies; names: which rows, by default all.

    Returns:
      Whether all have a result now; False where SIGTERM stopped a training.

    Raises, before the first training, ValueError for a name that is no row's, for settings that a config does not have
    or that are out of range, and for a result of other settings than the row has now.
    """
    if unknown := set(names) - sweep.rows.keys():
        raise ValueError(f"sweep {sweep.name}: no row {min(unknown)!r}: expected one of {', '.join(sweep.rows)}")
    wanted = []
    for seed in seeds:
        for name in names or sweep.rows:
            run_name = re.sub(r"[^\w.]+", "-", f"{name}-seed{seed}")
            result_file = sweep.results / f"{run_name}.json"
            if result_file.is_file():
                _check_settings(result_file, sweep.rows[name])
            else:
                wanted.append((name, seed, run_name, result_file, _config(name, sweep.rows[name], seed, path)))
    for name, seed, run_name, result_file, config in wanted:
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


def _config(name, row, seed, path):
    """The config of a row; an error bears its name."""
    changes = dict(row)
    config = settings.load(changes.pop("config"))
    try:
        if "seed" in changes:
            raise ValueError("config.seed: the sweep sets it itself (--seeds)")
        settings.change(config, changes | {"seed": seed})
        if path and "data.path" not in row and config.data.source != "rooms":
            settings.change(config, {"data.path": path})
        settings.check(config)
    except ValueError as error:
        raise ValueError(f"row {name!r}: {error}") from error
    return config


def _check_settings(result_file, row):
    """Raise ValueError where the result is not of these settings."""
    was, now = (json.loads(json.dumps(of)) for of in (json.loads(result_file.read_text())["row"]["settings"], row))
    for of in (was, now):
        of["config"] = pathlib.Path(of["config"]).name
    if differ := sorted(key for key in was.keys() | now.keys() if was.get(key) != now.get(key)):
        was, now = ({key: of.get(key, "as in its config") for key in differ} for of in (was, now))
        raise ValueError(
            f"{result_file}: of other settings ({was} there, {now} now): move it away, or name the row anew"
        )


def read(sweep):
    """The results of a sweep: {row: [evaluate's JSON of each seed]}, in its order, rows without one left out.

    Results of rows that the sweep no longer has (what was tried and not kept) follow by name.
    """
    found = {name: [] for name in sweep.rows}
    for file in sorted(sweep.results.glob("*-seed*.json")):
        result = json.loads(file.read_text())
        found.setdefault(result["row"]["name"], []).append(result)
    return {name: results for name, results in found.items() if results}


def table(sweep, names=()):
    """The results of some rows, by default all, as a Markdown table: means over seeds, and delta1 less the first row's.

    Without a result of the first row the last column stays empty. Two rows are compared by the seeds that both have, or
    by all where they share none. The interval is the 95 % of a paired bootstrap over runs of neighbouring frames (see
    `difference`); the first row has that of its own delta1. Raises ValueError where two rows were not judged alike, for
    a row without a result, and where there is none at all.
    """
    found = read(sweep)
    if not found:
        raise ValueError(f"{sweep.results}: no result")
    if missing := set(names) - found.keys():
        raise ValueError(f"{sweep.results}: no result of {min(missing)}")
    some = next(iter(found.values()))
    first = found.get(next(iter(sweep.rows)))
    lines = [
        f"| | seeds | {' | '.join(METRICS)} | delta1 by seed | difference (95 %) |",
        "| --- " * (len(METRICS) + 4) + "|",
    ]
    for name in names or found:
        results = found[name]
        means = [f"{np.mean([r['metrics'][metric] for r in results]):.3f}" for metric in METRICS]
        by_seed = " ".join(f"{r['metrics']['delta1']:.3f}" for r in results)
        compared = "" if first is None else _compared(results, first)
        lines.append(f"| {name} | {len(results)} | {' | '.join(means)} | {by_seed} | {compared} |")
    baseline = [f"{some[0]['mean_depth_baseline'][metric]:.3f}" for metric in METRICS]
    lines.append(f"| mean depth image | | {' | '.join(baseline)} | | |")
    return "".join(f"{line}\n" for line in lines)


def _compared(results, first):
    """The last column of a table."""
    own = results is first
    middle, low, high = interval(results) if own else difference(*_of_shared_seeds(results, first))
    compared = "" if own else f"{middle:+.3f} "
    if low is None:
        return compared
    return compared + (f"({low:.3f} to {high:.3f})" if own else f"({low:+.3f} to {high:+.3f})")


def _of_shared_seeds(results, others):
    seeds = {r["row"]["seed"] for r in results} & {r["row"]["seed"] for r in others}
    return [[r for r in group if r["row"]["seed"] in seeds or not seeds] for group in (results, others)]


def difference(results, others):
    """Mean difference in delta1 of two lists of results on the same frames, and its 95 % interval: three numbers.

    As `interval`. Raises ValueError where frames or protocols differ.
    """
    ids = results[0]["per_frame"]["id"]
    judged = [results[0]["protocol"].get(name) for name in _JUDGED]
    for result in (*results, *others):
        if result["per_frame"]["id"] != ids or [result["protocol"].get(name) for name in _JUDGED] != judged:
            raise ValueError("sweep: results of different frames or protocols: expected one for all rows")
    return _bootstrap(results[0]["per_frame"]["place"], _delta1(results) - _delta1(others))


def interval(results):
    """Mean delta1 of a list of results on the same frames, and its 95 % interval: three numbers.

    Neighbouring frames show the same room, so the bootstrap draws runs of frames: stretches of places in a row. Of
    fewer than five runs there is no interval: None, None. Frames without a pixel to judge are left out.
    """
    return _bootstrap(results[0]["per_frame"]["place"], _delta1(results))


def _delta1(results):
    """Of each frame, the mean over results."""
    return np.mean([np.float64(result["per_frame"]["delta1"]) for result in results], 0)


def _bootstrap(places, values):
    order = np.argsort(places)
    places, values = np.asarray(places)[order], values[order]
    known = ~np.isnan(values)
    runs = np.unique(np.cumsum(np.diff(places, prepend=places[0]) > 1)[known], return_inverse=True)[1]
    sums, counts = np.bincount(runs, values[known]), np.bincount(runs)
    mean = float(values[known].mean())
    if len(sums) < _FEWEST_RUNS:
        return mean, None, None
    drawn = np.random.default_rng(0).integers(len(sums), size=(_DRAWS, len(sums)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    return mean, *(float(q) for q in np.quantile(means, (0.025, 0.975)))
