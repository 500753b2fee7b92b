"""What the scorer adds up over batches, shards and padding, against float64 numpy frame by frame."""

import types

import jax
import numpy as np
import numpy_edges
import pytest

from jaxdepth import models
from jaxdepth.evaluation import mean_depth, metrics, scorer
from jaxdepth.evaluation.protocols import Protocol
from jaxdepth.training import sharding

ROWS, COLUMNS = slice(3, 29), slice(5, 43)


def made_frames():
    """Five frames of 32x48 with boxes and holes, one without depth, and each one's prediction, told by its picture."""
    rng = np.random.default_rng(0)
    depths, log_depths = np.full((2, 5, 32, 48), 3.0, np.float32)
    for depth, log_depth in zip(depths, log_depths, strict=True):
        for _ in range(4):
            top, left, size = rng.integers(0, 20), rng.integers(0, 36), rng.uniform(0.2, 3)
            depth[top : top + 12, left : left + 12] += size
            log_depth[top : top + 12, left + 2 : left + 14] += 0.8 * size
        depth[rng.random(depth.shape) < 0.01] = 0.0
    depths[3] = 0.0
    images = np.zeros((5, 32, 48, 3), np.uint8) + np.uint8(50 * np.arange(5))[:, None, None, None]
    frames = types.SimpleNamespace(name="made", images=images, depths=depths, size=(32, 48), max_depth=7.5)
    return frames, np.log(log_depths)


def test_edges_and_aligned_scores_are_means_over_the_scored_frames_windows(monkeypatch):
    frames, log_depths = made_frames()

    def outputs(_network, _variables, image, *, flip_tta):
        frame = jax.numpy.int32(image[:, 0, 0, 0] * 255 / 50 + 0.5)
        predicted = jax.numpy.asarray(log_depths)[frame]
        return {"fusion": predicted, "scale1": predicted + 1}

    monkeypatch.setattr(models, "outputs", outputs)
    mean_image = np.float32(2.0 + 0.16 * np.arange(48) * np.ones((32, 1)))  # .16 m a pixel, up to the cap
    score = scorer.make_scorer(
        types.SimpleNamespace(groups=("fusion", "scale1")),
        frames,
        indices=np.arange(5),
        protocol=Protocol("small", full_size=False, rows=(3, 29), columns=(5, 43)),
        mean_depth_image=mean_image,
        batch_size=4,
        crop_size=(32, 48),
        flip_tta=False,
        mesh=sharding.make_mesh(jax.devices()[:2]),
    )
    scores, details, per_frame = score({})
    assert set(scores) == {"fusion", "scale1", mean_depth.NAME} and set(details) == {"fusion", mean_depth.NAME}
    assert np.isnan(per_frame["fusion"]["delta1"]).tolist() == [False, False, False, True, False]

    for name, predictions in {"fusion": log_depths, mean_depth.NAME: [np.log(mean_image)] * 5}.items():
        windows = [(predictions[i][ROWS, COLUMNS], frames.depths[i][ROWS, COLUMNS]) for i in (0, 1, 2, 4)]
        edges = [numpy_edges.edges(*window, max_depth=7.5) for window in windows]
        assert tuple(details[name]["edges"]) == numpy_edges.THRESHOLDS
        for threshold, values in details[name]["edges"].items():
            assert tuple(values) == ("precision", "recall", "f1")
            means = np.mean([of_frame[threshold] for of_frame in edges], axis=0)
            np.testing.assert_allclose(list(values.values()), means, rtol=1e-5, err_msg=f"{name}, {threshold}")
        assert 0 < details[name]["edges"]["0.05"]["f1"] < 1
        aligned = details[name]["aligned"]["median"]
        assert tuple(aligned) == metrics.METRIC_NAMES
        errors = []
        for log_depth, truth in windows:
            valid = numpy_edges.valid_pixels(truth, max_depth=7.5)
            y, t = numpy_edges.aligned(log_depth, truth, max_depth=7.5)[valid], np.float64(truth[valid])
            errors.append(((np.maximum(y / t, t / y) < 1.25).mean(), (np.abs(y - t) / t).mean()))
        assert [aligned["delta1"], aligned["abs_rel"]] == pytest.approx(np.mean(errors, axis=0), rel=1e-5)
