"""Protocols and the baseline against numpy: where the window lies, what is resized, what is left out."""

import json
import types

import fake_nyu
import jax.numpy as jnp
import numpy as np
import pytest
import small

from jaxdepth import evaluate, predict
from jaxdepth.evaluation import metrics
from jaxdepth.runs import lineage, workdir

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
        assert results[depth]["per_frame"]["id"] == results[depth]["per_frame"]["place"] == ids
    assert results["raw"]["protocol"]["trained_on"] == "nyu, split final, raw depth"
    assert results["filled"]["protocol"]["trained_on"] == "nyu, split final"
    # The random network is near the 2.5 m that it begins with: what is twice as far is worse.
    assert results["raw"]["metrics"]["rmse"] > 1.5 * results["filled"]["metrics"]["rmse"]


@pytest.mark.parametrize(
    ("mix", "seen", "said"),
    [
        ("", 3, "nyu, split final; rooms, split rooms"),
        ("nyu:1,rooms:1", 3, "nyu, split final, mix nyu:1,rooms:1; rooms, split rooms"),
        ("rooms:1", 0, "nyu, split final, mix rooms:1; rooms, split rooms"),
    ],
)
def test_what_the_run_that_it_began_with_has_seen_counts_too(tmp_path, monkeypatch, mix, seen, said):
    monkeypatch.setenv("JAXDEPTH_CACHE", str(tmp_path / "cache"))
    mat = fake_nyu.write_mat(tmp_path / "a.mat", 3, ids=[3, 5, 8])
    first = small.random_run(tmp_path / "first", **{"data.source": "nyu", "data.split": "final", "data.mix": mix})
    second = small.random_run(tmp_path / "second", **{"data.source": "rooms", "data.split": "rooms"})
    record = workdir.read_config(second)
    record["data"]["began_with"] = lineage.began_with(second, first)
    (second / "config.json").write_text(json.dumps(record))
    monkeypatch.setattr(
        evaluate, "make_scorer", lambda network, *_, **__: lambda _: (_scores(network), _per_frame(network))
    )
    protocol = evaluate.evaluate_checkpoint(second, source="nyu", path=mat, split="all")["protocol"]
    assert (protocol["frames_seen_in_training"], protocol["trained_on"]) == (seen, said)
    assert predict.load(second).trained_on == said


def _scores(network):
    return dict.fromkeys((*network.groups, evaluate.BASELINE), {"delta1": 0.5})


def _per_frame(network):
    return {network.groups[0]: {name: np.full(3, 0.5) for name in ("delta1", "abs_rel")}}
