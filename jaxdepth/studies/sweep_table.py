"""The table of a sweep: mean scores of each row, and how far its delta1 is from the first row's."""

import numpy as np

from jaxdepth.errors import InputError
from jaxdepth.evaluation import comparison, summary
from jaxdepth.studies import sweep as sweeps
from jaxdepth.studies.markdown_table import markdown_table

METRICS = ("delta1", "abs_rel", "rmse", "log10")
_SAME_PROTOCOL = ("name", "source", "split_hash", "truth", "scored_at")


def table(sweep, names=()):
    """The results of a sweep as a Markdown table.

    Scores are means over seeds. The last column has the difference in delta1 to the first row with its 95 % interval,
    see `difference`; for the first row, the interval of its own delta1. Rows are compared on the seeds that both have,
    or on all seeds if they share none. The column is empty if the first row has no result.

    Args:
      sweep: a `sweep.Sweep`.
      names: of the rows; empty for all.

    Raises:
      InputError: for a row without a result, and for results of different frames or protocols.
    """
    found = sweeps.read(sweep)
    if not found:
        raise InputError(f"{sweep.results}: no result")
    if missing := set(names) - found.keys():
        raise InputError(f"{sweep.results}: no result of {min(missing)}")
    any_result = next(iter(found.values()))[0]
    first = found.get(next(iter(sweep.rows)))
    rows = [["", "seeds", *METRICS, "delta1 by seed", "difference (95 %)"]]
    for name in names or found:
        results = found[name]
        means = [f"{np.mean([r['metrics'][metric] for r in results]):.3f}" for metric in METRICS]
        by_seed = " ".join(f"{r['metrics']['delta1']:.3f}" for r in results)
        compared = "" if first is None else _compared(results, first)
        rows.append([name, str(len(results)), *means, by_seed, compared])
    baseline = [f"{any_result['mean_depth_baseline'][metric]:.3f}" for metric in METRICS]
    return markdown_table([*rows, ["mean depth image", "", *baseline, "", ""]])


def difference(results, others):
    """The difference in delta1 between two rows, each frame compared with itself.

    Args:
      results: of one row, evaluate's JSON of each seed.
      others: of the other row.

    Returns:
      The mean difference over frames, and the ends of its 95 % interval as `interval`.

    Raises:
      InputError: if frames or protocols differ.
    """
    ids = results[0]["per_frame"]["id"]
    protocol = [results[0]["protocol"].get(name) for name in _SAME_PROTOCOL]
    for result in (*results, *others):
        if result["per_frame"]["id"] != ids or [result["protocol"].get(name) for name in _SAME_PROTOCOL] != protocol:
            raise InputError("sweep: results of different frames or protocols: expected the same for all rows")
    return _bootstrap(results[0], _delta1(results) - _delta1(others))


def interval(results):
    """The mean delta1 of a row, with its 95 % interval.

    Neighbouring frames show the same room, so the bootstrap resamples runs of frames with consecutive numbers. Frames
    without a valid depth are left out.

    Args:
      results: of the row, evaluate's JSON of each seed.

    Returns:
      The mean over frames, and the ends of the interval: None, None with fewer than five runs of frames.
    """
    return _bootstrap(results[0], _delta1(results))


def _compared(results, first):
    """The last column of a row."""
    if results is first:
        _, low, high = interval(results)
        return "" if low is None else f"({low:.3f} to {high:.3f})"
    mean, low, high = difference(*_of_shared_seeds(results, first))
    return f"{mean:+.3f} " + ("" if low is None else f"({low:+.3f} to {high:+.3f})")


def _of_shared_seeds(results, others):
    """The results of two rows with the seeds that both have; all if they share none."""
    seeds = {r["row"]["seed"] for r in results} & {r["row"]["seed"] for r in others}
    return [[r for r in group if r["row"]["seed"] in seeds or not seeds] for group in (results, others)]


def _bootstrap(result, values):
    """`summary.bootstrap` of values [n] of a result's frames, by the groups of its frames."""
    return summary.bootstrap(values, comparison.of_frames(result))


def _delta1(results):
    """The mean delta1 over results, float64 [n] by frame, NaN for a frame without a valid depth."""
    return np.mean([np.float64(result["per_frame"]["delta1"]) for result in results], 0)
