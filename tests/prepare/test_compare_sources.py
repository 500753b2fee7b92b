"""The comparison of sources."""

import numpy as np
import pytest
from PIL import Image
from prepare_command import prepare

from jaxdepth.errors import InputError
from jaxdepth.prepare import compare_sources


@pytest.fixture
def own(tmp_path):
    """Twenty frames: 2 m above, 4 m below."""
    for part in ("images", "depths"):
        (tmp_path / "own" / part).mkdir(parents=True)
    for i in range(20):
        depth = np.full((48, 64), 2000, np.uint16)
        depth[24:] = 4000
        Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(tmp_path / f"own/images/{i}.png")
        Image.fromarray(depth).save(tmp_path / f"own/depths/{i}.png")
    return tmp_path / "own"


def test_the_command_prints_a_line_for_each_source_and_draws_a_plot(own, tmp_path):
    done = prepare("compare", f"folder:{own}", "--output=plot.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"folder:{own}: 20 frames: median 3.00 m, 80 % within 2.00 to 4.00 m, spread within a frame 0.35, "
        "upper, middle, lower third 2.00, 3.00, 4.00 m",
        "plot: plot.png",
    ]
    with Image.open(tmp_path / "plot.png") as plot:
        assert plot.size[0] > 600
    done = prepare("compare", "kinect", cwd=tmp_path)
    assert done.returncode == 1 and "expected one of auto, nyu, folder, tfds, rooms" in done.stderr


def test_frames_are_evenly_spaced(own, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXDEPTH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(compare_sources, "FRAMES", 7)
    found = compare_sources.compare([f"folder:{own}"], plot=tmp_path / "plot.png")
    assert len(found[f"folder:{own}"].medians) == 10  # every second of 20


def test_a_plot_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    with pytest.raises(FileNotFoundError, match="output '.*nowhere/plot.png': expected a file in a folder that exists"):
        compare_sources.compare(["unknown"], plot=tmp_path / "nowhere/plot.png")
    with pytest.raises(InputError, match="config.data.source='unknown'"):
        compare_sources.compare(["unknown"], plot=tmp_path / "plot.png")
