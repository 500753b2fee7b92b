"""Protocols and the baseline against numpy: where the window lies, what is resized, what is left out."""

import types

import fake_nyu
import jax.numpy as jnp
import numpy as np
import pytest
import small

from jaxdepth import evaluate, metrics

SIZES = dict(frame_size=(240, 320), crop_size=(228, 304))


def judge(name, log_depth, truth):
    values = evaluate.judge(jnp.asarray(log_depth), jnp.asarray(truth), evaluate.PROTOCOLS[name], **SIZES)
    return metrics.finalize(metrics.sum_over_images(*values))


@pytest.mark.parametrize(
    ("name", "window"),
    [("eigen_crop", (slice(45, 471), slice(41, 601))), ("full", (slice(0, 480), slice(0, 640)))],
)
def test_a_window_is_exactly_these_rows_and_columns(name, window):
    """The prediction is right inside the window and far off outside, or one pixel less is right."""
    prediction = np.full((1, 228, 304), np.log(2.0), np.float32)
    truth = np.full((1, 480, 640), 4.0, np.float32)
    truth[0][window] = 2.0
    assert judge(name, prediction, truth)["delta1"] == 1.0
    for row, column in ((window[0].start, window[1].start), (window[0].stop - 1, window[1].stop - 1)):
        wrong = truth.copy()
        wrong[0, row, column] = 4.0
        assert judge(name, prediction, wrong)["delta1"] < 1.0


def test_paper_judges_the_crop_itself_and_the_cap_leaves_far_truth_out():
    prediction = np.full((1, 228, 304), np.log(3.0), np.float32)
    truth = np.full((1, 228, 304), 3.0, np.float32)
    truth[0, :100] = 10.5
    assert judge("paper", prediction, truth)["rmse"] == pytest.approx(0.0, abs=1e-5)


def test_full_size_keeps_a_ramp_in_place_and_continues_the_border():
    """Depth that grows by pixel: frame pixel j is centred on 2 j + .5 of 640, and the crop starts at column 8."""
    columns = np.arange(304, dtype=np.float32) + 8
    depth = np.broadcast_to(1 + 0.01 * columns, (1, 228, 304))
    full = np.exp(evaluate.to_full_size(jnp.log(depth), **SIZES))[0]
    expected = 1 + 0.01 * ((np.arange(640) - 0.5) / 2)
    np.testing.assert_allclose(full[240, 18:622], expected[18:622], rtol=1e-5)
    np.testing.assert_allclose(full[:, :16], depth[0, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(full[:, -16:], depth[0, 0, -1], rtol=1e-5)
    np.testing.assert_array_equal(full[0], full[479])


def test_the_baseline_is_the_geometric_mean_of_what_was_measured():
    depths = np.array([[[1.0, 2.0, 0.0]], [[4.0, 0.0, 0.0]], [[9.0, 9.0, 9.0]]], np.float32)
    frames = types.SimpleNamespace(name="made", size=(1, 3), depths=depths)
    overall = (1 * 2 * 4) ** (1 / 3)
    np.testing.assert_allclose(evaluate.mean_depth_baseline(frames, [0, 1]), [[2.0, 2.0, overall]], rtol=1e-6)


def test_a_run_on_raw_depth_is_judged_on_it_and_says_so(tmp_path, monkeypatch):
    """In the raw depth of this file the left half has holes, and the rest is twice as far."""
    monkeypatch.setenv("JAXDEPTH_CACHE", str(tmp_path / "cache"))
    ids = [3, 5, 8]
    filled = np.stack([fake_nyu.frame(i)[1].T for i in ids])
    raw = 2 * filled * (np.arange(640) >= 320)[:, None]
    mat = fake_nyu.write_mat(tmp_path / "a.mat", 3, ids=ids, rawDepths=raw.astype(np.float32))
    results = {}
    for depth in ("filled", "raw"):
        settings = {"data.source": "nyu", "data.path": str(mat), "data.depth": depth, "data.split": "final"}
        run = small.random_run(tmp_path / depth, **settings)
        results[depth] = evaluate.evaluate_checkpoint(run, protocol="full", split="all")
        assert results[depth]["protocol"]["truth"] == f"{depth} depth"
        assert f"{depth} depth" in evaluate.report(results[depth])
    assert results["raw"]["protocol"]["trained_on"] == "nyu, split final, raw depth"
    assert results["filled"]["protocol"]["trained_on"] == "nyu, split final"
    # The random network is near the 2.5 m that it begins with: what is twice as far is worse.
    assert results["raw"]["metrics"]["rmse"] > 1.5 * results["filled"]["metrics"]["rmse"]
