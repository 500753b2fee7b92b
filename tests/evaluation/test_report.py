"""Results as text: the kept ones of this repository, of this version and of earlier ones."""

import json

import small

from jaxdepth.evaluation import report


def shown(name):
    return report.text(json.loads((small.ROOT / "configs" / "results" / f"{name}.json").read_text())).splitlines()


def test_aligned_scores_follow_their_row_and_edges_come_last():
    lines = shown("best-dev-eigen_crop")
    rows = [line.split("  ")[0] for line in lines]
    assert rows[3:5] == ["prediction", "prediction, median aligned"]
    assert rows[11:13] == ["mean depth", "mean depth, median aligned"]
    assert lines[4].split()[3:5] == ["0.8528", "0.9590"]
    assert lines[13].startswith("edges, precision / recall / F1") and lines[14].split()[::2] == [
        "0.05",
        "0.125",
        "0.25",
    ]
    assert lines[15].startswith("prediction  0.7772 / 0.2690 / 0.3839  ") and rows[16:] == ["mean depth"]


def test_earlier_results_have_neither():
    lines = shown("pyramid-dev-eigen_crop")
    assert lines[-1].startswith("mean depth ") and not any("aligned" in line or "edges" in line for line in lines)
