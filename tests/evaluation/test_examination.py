"""What is found out of each frame in threads: its place, its pictures, and its errors reach the caller."""

import time
import types

import numpy as np
import pytest

from jaxdepth.evaluation import examination
from jaxdepth.evaluation.protocols import PROTOCOLS, Protocol
from jaxdepth.geometry.camera import Intrinsics

SMALL = Protocol("small", full_size=False, rows=(1, 9), columns=(2, 12))
CROP = (10, 14)  # of frames of 12x16: from row 1 and column 1
WINDOW = (slice(2, 10), slice(3, 13))  # of the frame
EMPTY = 4  # the rank without truth
RIGHT = (30, 0, 80, 50, 0, 70, 10)  # right pixels of the window's 80, by rank


NO_EDGES = np.zeros((8, 10), bool)


def made_frames(count=7, *, size=(12, 16), **changes):
    """Frames whose pictures and labels tell rows and columns; ids count down from 100."""
    images = np.random.default_rng(0).integers(0, 256, (count, *size, 3), np.uint8)
    made = dict(
        images=images,
        size=size,
        ids=100 - np.arange(count),
        max_depth=10.0,
        labels=None,
        label_names=None,
        own_sizes=None,
    )
    return types.SimpleNamespace(**made | dict(intrinsics=Intrinsics(20.0, 21.0, 7.5, 5.5)) | changes)


def windows(rank):
    """A frame's predictions and truth: 2 m, of which a number of pixels are predicted right and the rest at 4 m."""
    right = np.arange(80).reshape(8, 10) < RIGHT[rank]
    depths = {"prediction": np.where(right, 2, 4), "mean_depth": np.full((8, 10), 2.0)}
    truth = np.full((8, 10), 0.0 if rank == EMPTY else 2.0, np.float32)
    return {name: np.float32(x) for name, x in depths.items()}, truth


def examine(frames, *, names=(), ranks=range(7), order=range(7)):
    made = examination.Examination(
        frames, np.array(order), protocol=SMALL, crop_size=CROP, names=names, final="prediction"
    )
    with made:
        for rank in ranks:
            made(rank, *windows(rank), NO_EDGES)
        return made.finish()


def test_best_and_worst_frames_with_their_pictures():
    """Ranks are of the order in which frames are scored, and the frame without truth is neither."""
    frames, order = made_frames(), [6, 5, 4, 3, 2, 1, 0]
    _, _, best, worst = examine(frames, order=order)
    assert [window.rank for window in best] == [2, 5, 3]
    assert [window.rank for window in worst] == [1, 6, 0]
    for window in (*best, *worst):
        depths, truth = windows(window.rank)
        np.testing.assert_array_equal(window.prediction, depths["prediction"])
        np.testing.assert_array_equal(window.truth, truth)
        np.testing.assert_array_equal(window.image, frames.images[order[window.rank]][WINDOW])


def test_few_frames_are_best_and_worst_at_once():
    _, _, best, worst = examine(made_frames(), ranks=(0, 2))
    assert [window.rank for window in best] == [2, 0] and [window.rank for window in worst] == [0, 2]


def test_pictures_are_enlarged_to_the_size_that_is_scored():
    frames = made_frames(1, size=(240, 320), intrinsics=None)
    protocol = PROTOCOLS["eigen_crop"]
    made = examination.Examination(
        frames, np.array([0]), protocol=protocol, crop_size=(228, 304), names=(), final="prediction"
    )
    depth = np.full((426, 560), 2.0, np.float32)
    with made:
        made(0, {"prediction": depth}, depth, depth < 0)
        _, _, (best,), _ = made.finish()
    np.testing.assert_array_equal(best.image, frames.images[0].repeat(2, axis=0).repeat(2, axis=1)[45:471, 41:601])


def test_further_measures_lie_at_their_frame(monkeypatch):
    """The first frames take longest. A measure sees the window in float64, with labels and camera."""
    seen = {}

    def measure(names, *, prediction, truth, valid, camera, labels, label_names, seed):
        assert names == ("made",) and label_names == ("none", "wall")
        assert prediction.dtype == truth.dtype == np.float64 and valid.all()
        time.sleep(0.002 * max(seed - 95, 0))
        seen[seed] = camera, labels
        return {"made.mean": prediction.mean(), "made.undefined": np.nan if seed % 2 else 1.0}

    monkeypatch.setattr(examination.measures, "measure", measure)
    labels = np.random.default_rng(1).integers(0, 2, (7, 12, 16)).astype(np.uint16)
    order = [0, 6, 2, 5, 1, 4, 3]
    frames = made_frames(labels=labels, label_names=("none", "wall"))
    values, found, _, _ = examine(frames, names=("made",), order=order)
    assert values.keys() == found.keys() == {"prediction", "mean_depth"}
    means = [np.nan if rank == EMPTY else 4 - 2 * RIGHT[rank] / 80 for rank in range(7)]
    np.testing.assert_allclose(values["prediction"]["measures.made.mean"], means)
    undefined = [np.nan if rank == EMPTY or (100 - order[rank]) % 2 else 1.0 for rank in range(7)]
    np.testing.assert_array_equal(values["mean_depth"]["measures.made.undefined"], undefined)
    assert seen.keys() == {100 - order[rank] for rank in range(7) if rank != EMPTY}
    for seed, (camera, window) in seen.items():
        np.testing.assert_array_equal(window, labels[100 - seed][WINDOW])
        assert camera == pytest.approx((20.0, 21.0, 7.5 - 3, 5.5 - 2))
    wall = sum(int(labels[order[rank]][WINDOW].sum()) for rank in range(7) if rank != EMPTY)
    assert {row["label"]: row["pixels"] for row in found["prediction"]["class"]} == {"wall": wall, "none": 480 - wall}


@pytest.mark.parametrize("bad", [0, 6])
def test_an_error_in_a_thread_reaches_the_caller(monkeypatch, bad):
    """While frames still come, or at the end; the threads end with it."""

    def measure(names, *, seed, **_):
        if seed == 100 - bad:
            raise ZeroDivisionError("in a measure")
        return {}

    monkeypatch.setattr(examination.measures, "measure", measure)
    monkeypatch.setattr(examination.os, "cpu_count", lambda: 1)  # so that two frames wait
    made = examination.Examination(
        made_frames(), np.arange(7), protocol=SMALL, crop_size=CROP, names=("made",), final="prediction"
    )
    asked = []

    def go():
        for rank in range(7):
            asked.append(rank)
            made(rank, *windows(rank), NO_EDGES)
        made.finish()

    with pytest.raises(ZeroDivisionError, match="in a measure"), made:
        go()
    assert asked == (list(range(3)) if bad == 0 else list(range(7)))
    with pytest.raises(RuntimeError, match="shutdown"):
        made(0, *windows(0), NO_EDGES)
