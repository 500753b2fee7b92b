"""metrics.jsonl: how fast a run was."""

import pytest

from jaxdepth.runs import metrics_log


def test_the_rate_is_that_of_training_alone():
    """Twenty steps a second, with a validation, a compilation and a pause between."""
    times = {20: 1.0, 40: 2.0, 60: 90.0, 80: 91.0, 100: 92.0, 120: 90000.0, 140: 90001.0}
    lines = [{"step": step, "wall_time": time, "nyu/train/loss": 1.0} for step, time in times.items()]
    lines.insert(4, {"step": 80, "wall_time": 91.5, "nyu/val/loss": 1.0})
    rate, seconds = metrics_log.pace(lines)
    assert rate == pytest.approx(20) and seconds == pytest.approx(4 + 2 * (60 + 5))
    assert metrics_log.pace(lines[:1]) == (None, 0)
    later = [line | {"step": line["step"] + 160, "wall_time": line["wall_time"] - 50000.0} for line in lines]
    assert metrics_log.pace([*lines, *later])[0] == pytest.approx(20)  # the clock was set back between them
