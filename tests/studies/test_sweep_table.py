"""The comparison of a sweep's rows."""

import pathlib

import numpy as np
import pytest

from jaxdepth.errors import InputError
from jaxdepth.studies import sweep, sweep_table


def result(ids, delta1, protocol="eigen_crop"):
    ids = [int(i) for i in ids]
    return {"per_frame": {"id": ids, "order": ids, "delta1": list(delta1)}, "protocol": {"name": protocol}}


def test_the_interval_is_that_of_paired_runs_of_frames():
    rng = np.random.default_rng(0)
    ids = np.concatenate([np.arange(10 * i, 10 * i + 5) for i in range(40)])
    room = np.repeat(rng.normal(0, 0.2, 40), 5)  # frames of one room differ together
    one, two = 0.5 + room, 0.5 + np.repeat(rng.normal(0.03, 0.05, 40), 5) + room
    mean, low, high = sweep_table.difference([result(ids, two), result(ids, two)], [result(ids, one)])
    assert mean == pytest.approx((two - one).mean())
    error = (two - one)[::5].std() / np.sqrt(40)  # of forty rooms, not of two hundred frames
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.15)

    order = rng.permutation(len(ids))  # a dataset may have them in any order
    shuffled = sweep_table.difference([result(ids[order], two[order])], [result(ids[order], one[order])])
    assert shuffled == pytest.approx((mean, low, high))


def test_rows_are_compared_on_the_seeds_that_both_have(monkeypatch):
    def row(seed, delta1):
        metrics = {name: delta1 for name in sweep_table.METRICS}
        row = {"metrics": metrics, "mean_depth_baseline": metrics, "row": {"seed": seed}}
        return row | result(range(0, 20, 2), [delta1] * 10)

    found = {"as it is": [row(0, 0.5), row(1, 0.7)], "other": [row(1, 0.75)], "more": [row(1, 0.71), row(2, 0.9)]}
    monkeypatch.setattr(sweep, "read", lambda _: found)
    plan = sweep.Sweep("small", dict.fromkeys(found), pathlib.Path("results"))
    first, other, more = sweep_table.table(plan).splitlines()[2:5]
    assert first.endswith("| 0.500 0.700 | (0.600 to 0.600) |")
    assert "+0.050 (+0.050 to +0.050)" in other and "+0.010 (" in more


def test_few_runs_of_frames_have_no_interval_and_frames_without_depth_are_left_out():
    ids = [1, 2, 3, 10, 11, 20, 30]  # four runs
    one, two = [0.5, 0.5, None, 0.5, 0.5, 0.5, 0.5], [0.6, 0.6, None, 0.6, 0.6, 0.6, 0.9]
    assert sweep_table.difference([result(ids, two)], [result(ids, one)]) == (pytest.approx(0.15), None, None)


@pytest.mark.parametrize("other", [result([1, 3], [0.5, 0.5]), result([1, 2], [0.5, 0.5], "full")])
def test_results_of_other_frames_or_protocols_are_not_compared(other):
    with pytest.raises(InputError, match="different frames or protocols"):
        sweep_table.difference([result([1, 2], [0.5, 0.5])], [other])
