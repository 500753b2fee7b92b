"""Results as text: the kept ones of this repository, of this version and of earlier ones."""

import json

import small

from jaxdepth.evaluation import report


def shown(name):
    return report.text(json.loads((small.ROOT / "configs" / "results" / f"{name}.json").read_text())).splitlines()


def test_aligned_scores_follow_their_row_then_edges_and_measures():
    lines = shown("best-dev-eigen_crop")
    rows = [line.split("  ")[0] for line in lines]
    ways = ("median aligned", "scale aligned", "scale and shift aligned", "the same in disparity aligned")
    assert rows[3:8] == ["prediction", *(f"prediction, {way}" for way in ways)]
    assert rows[14:19] == ["mean depth", *(f"mean depth, {way}" for way in ways)]
    assert lines[4].split()[3:5] == ["0.8528", "0.9590"]
    assert lines[19].startswith("delta1 from 0.72") and lines[19].endswith("(95 %, over 18 scenes)")
    assert lines[20].startswith("edges, precision / recall / F1")
    assert lines[21].split()[::2] == ["0.05", "0.125", "0.25"]
    assert lines[22].startswith("prediction  0.7772 / 0.2690 / 0.3839  ") and rows[23] == "mean depth"
    assert lines[24].startswith("edges_hu (mean depth): precision_0.25 0.4202 (none), ")


def test_earlier_results_have_neither():
    lines = shown("pyramid-dev-eigen_crop")
    assert lines[-1].startswith("mean depth ") and not any("aligned" in line or "edges" in line for line in lines)
