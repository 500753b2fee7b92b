"""Protocols against numpy: where the window lies, what is resized, and what is left out."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxdepth.evaluation import metrics
from jaxdepth.evaluation.protocols import PROTOCOLS
from jaxdepth.geometry.framing import to_nyu_size

SIZES = dict(frame_size=(240, 320), crop_size=(228, 304))


def score(name, log_depth, truth):
    protocol = PROTOCOLS[name]
    whole = protocol.enlarge(jnp.asarray(log_depth), **SIZES)
    per_image, _ = metrics.depth_metrics(protocol.cut(whole), protocol.cut(jnp.asarray(truth)))
    return {name: float(value[0]) for name, value in per_image.items()}


@pytest.mark.parametrize(
    ("name", "window"),
    [
        ("eigen_crop", (slice(45, 471), slice(41, 601))),
        ("silberman_crop", (slice(44, 471), slice(40, 601))),
        ("full", (slice(0, 480), slice(0, 640))),
    ],
)
def test_a_window_is_exactly_these_rows_and_columns(name, window):
    """The prediction is right inside the window and far off outside, or one pixel less is right."""
    prediction = np.full((1, 228, 304), np.log(2.0), np.float32)
    truth = np.full((1, 480, 640), 4.0, np.float32)
    truth[0][window] = 2.0
    assert score(name, prediction, truth)["delta1"] == 1.0
    for row, column in ((window[0].start, window[1].start), (window[0].stop - 1, window[1].stop - 1)):
        wrong = truth.copy()
        wrong[0, row, column] = 4.0
        assert score(name, prediction, wrong)["delta1"] < 1.0


def test_paper_scores_the_crop_itself_and_the_cap_leaves_out_far_truth():
    prediction = np.full((1, 228, 304), np.log(3.0), np.float32)
    truth = np.full((1, 228, 304), 3.0, np.float32)
    truth[0, :100] = 10.5
    assert score("paper", prediction, truth)["rmse"] == pytest.approx(0.0, abs=1e-5)


def test_full_size_keeps_a_ramp_in_place_and_replicates_the_border():
    """Depth that grows by pixel: frame pixel j is centred on 2 j + .5 of 640, and the crop starts at column 8."""
    columns = np.arange(304, dtype=np.float32) + 8
    depth = np.broadcast_to(1 + 0.01 * columns, (1, 228, 304))
    full = np.exp(to_nyu_size(jnp.log(depth), **SIZES))[0]
    expected = 1 + 0.01 * ((np.arange(640) - 0.5) / 2)
    np.testing.assert_allclose(full[240, 18:622], expected[18:622], rtol=1e-5)
    np.testing.assert_allclose(full[:, :16], depth[0, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(full[:, -16:], depth[0, 0, -1], rtol=1e-5)
    np.testing.assert_array_equal(full[0], full[479])
