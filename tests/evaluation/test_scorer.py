"""What the scorer adds up over batches, shards and padding, against float64 numpy frame by frame."""

import functools
import types

import jax
import numpy as np
import numpy_edges
import pytest

from jaxdepth.evaluation import mean_depth, metrics, scorer, standard, summary
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
    frames.intrinsics = frames.own_sizes = None
    return frames, np.log(log_depths)


def test_edges_and_aligned_scores_are_means_over_the_scored_frames_windows():
    frames, log_depths = made_frames()

    def outputs(_variables, batch):
        frame = jax.numpy.int32(batch["image"][:, 0, 0, 0] * 255 / 50 + 0.5)
        predicted = jax.numpy.asarray(log_depths)[frame]
        return {"fusion": predicted, "scale1": predicted + 1}

    mean_image = np.float32(2.0 + 0.16 * np.arange(48) * np.ones((32, 1)))  # .16 m a pixel, up to the cap
    score = scorer.make_scorer(
        outputs,
        frames,
        indices=np.arange(5),
        protocol=Protocol("small", full_size=False, rows=(3, 29), columns=(5, 43)),
        mean_depth_image=mean_image,
        batch_size=4,
        crop_size=(32, 48),
        groups=("fusion", "scale1"),
        mesh=sharding.make_mesh(jax.devices()[:2]),
    )
    per_frame = score({})
    details = {name: summary.nested(summary.means(values)) for name, values in per_frame.items()}
    assert set(details) == {"fusion", "scale1", mean_depth.NAME} and "aligned" not in details["scale1"]
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


FINAL, CAP, ORDER = scorer.FINAL, 7.5, (4, 2, 0, 3, 1)  # the frames' order in the tests below


@functools.cache
def predictions():
    """The made frames, with truth up to the cap and two pixels at its ends; and log depths, NaN where there is none."""
    frames, log_depths = made_frames()
    depths = np.where(frames.depths > CAP, np.float32(0), frames.depths)
    depths[0, 5, 7], depths[0, 6, 8] = 0.002, 7.0
    log_depths = np.log(
        np.exp(log_depths) + np.float32(0.2) * np.random.default_rng(1).random(depths.shape, np.float32)
    )
    log_depths[0, 5:7, 7:9] = np.nan
    log_depths[1][depths[1] > 5] = np.nan
    log_depths[2] = np.nan
    return types.SimpleNamespace(**vars(frames) | {"depths": depths}), log_depths


@functools.cache
def scored(*, kind, baseline):
    """What a scorer gives of predictions that are loaded: values of the frames, examined windows, indices loaded."""
    frames, log_depths = predictions()
    values = log_depths if kind == "depth" else 30 * np.exp(-log_depths) + 7
    loaded, examined = [], []
    score = scorer.make_scorer(
        None,
        frames,
        indices=np.array(ORDER),
        protocol=Protocol("small", full_size=False, rows=(3, 29), columns=(5, 43)),
        mean_depth_image=np.full((32, 48), 9.0, np.float32) if baseline else None,
        batch_size=4,
        crop_size=(32, 48),
        groups=(FINAL,),
        mesh=sharding.make_mesh(jax.devices()[:1]),
        load=lambda index: loaded.append(int(index)) or values[index],
        is_disparity=kind == "disparity",
        examine=lambda *of_frame: examined.append(of_frame),
    )
    return score({}), examined, loaded


def filled(log_depth, truth):
    """Metres of a log depth in float64: clipped, and where it is NaN the end that is farther from the truth in log."""
    at_ends = np.abs(np.log(np.where(truth > 0, truth, 1))[..., None] - np.log([1e-3, CAP]))
    missing = np.where(at_ends[..., 0] > at_ends[..., 1], 1e-3, CAP)
    return np.where(np.isnan(log_depth), missing, np.exp(np.clip(np.float64(log_depth), np.log(1e-3), np.log(CAP))))


def by_definition(log_depth, truth):
    y, t = filled(log_depth, truth)[truth > 0], np.float64(truth[truth > 0])
    return {
        "delta1": (np.maximum(y / t, t / y) < 1.25).mean(),
        "abs_rel": (np.abs(y - t) / t).mean(),
        "rmse": np.sqrt(((y - t) ** 2).mean()),
        "silog": 100 * np.log(y / t).std(),
        "log_bias": np.log(y / t).mean(),
    }


def test_a_missing_pixel_counts_as_the_farther_end_of_the_depth_range():
    """By hand: of 2 mm it is the cap, of 9 m the nearest depth; between them the middle in log, .1 m, divides."""
    truth = np.float32([[[0.002, 9.0, 0.099, 0.101, 0.0, 3.0]]])
    log_depth = np.log(np.float32([[[np.nan, np.nan, np.nan, np.nan, np.nan, 4.0]]]))
    found = np.exp(standard.fill_missing(log_depth, truth, max_depth=10.0))
    np.testing.assert_allclose(found[0, 0, :4], [10, 1e-3, 10, 1e-3], rtol=1e-5)
    assert found[0, 0, 5] == pytest.approx(4.0) and np.isfinite(found).all()


def test_loaded_predictions_are_scored_with_their_missing_pixels():
    """Fits leave them out, and only then they are filled; the frame without any prediction has the worst errors."""
    frames, log_depths = predictions()
    per_frame, _, _ = scored(kind="depth", baseline=True)
    assert per_frame.keys() == {FINAL, mean_depth.NAME}
    values = per_frame[FINAL]
    for rank, index in enumerate(ORDER):
        log_depth, truth = log_depths[index][ROWS, COLUMNS], frames.depths[index][ROWS, COLUMNS]
        assert values["pixels"][rank] == (truth > 0).sum()
        if not truth.any():
            assert all(np.isnan(values[name][rank]) for name in ("delta1", "aligned.scale.rmse", "edges.0.05.f1"))
            continue
        used = (truth > 0) & ~np.isnan(log_depth)
        ratio = np.median(truth[used]) / np.median(np.exp(log_depth[used])) if used.any() else 1.0
        assert values["log_median_ratio"][rank] == pytest.approx(np.log(ratio), abs=1e-6)
        for prefix, prediction in (("", log_depth), ("aligned.median.", log_depth + np.log(ratio))):
            for name, expected in by_definition(prediction, truth).items():
                found = values[prefix + name][rank]
                assert found == pytest.approx(expected, rel=1e-5, abs=1e-6), f"{prefix}{name} of frame {index}"
    no_prediction = ORDER.index(2)
    assert values["delta1"][no_prediction] == 0 == values["aligned.scale_shift.delta1"][no_prediction]


def test_disparity_is_scored_as_the_depth_whose_disparity_is_fitted():
    """It has one alignment, the fit that it needs, and the edges of the fitted depth."""
    of_depth, of_disparity = scored(kind="depth", baseline=True)[0], scored(kind="disparity", baseline=False)[0]
    assert of_disparity.keys() == {FINAL}
    depth, disparity = of_depth[FINAL], of_disparity[FINAL]
    for name in (*metrics.METRIC_NAMES, "log_bias"):
        expected = depth[f"aligned.scale_shift_disparity.{name}"]
        np.testing.assert_allclose(disparity[name], expected, rtol=1e-4, atol=1e-5, err_msg=name)
        np.testing.assert_array_equal(disparity[f"aligned.scale_shift.{name}"], disparity[name])
    assert {name.split(".")[1] for name in disparity if name.startswith("aligned.")} == {"scale_shift"}
    np.testing.assert_array_equal(disparity["pixels"], depth["pixels"])
    used = {i for i in ORDER if i not in (2, 3)}  # the others have no prediction, or no truth
    assert all((disparity["slope"][rank] > 0) == (index in used) for rank, index in enumerate(ORDER))
    frames, _ = predictions()
    for rank, index in enumerate(ORDER):
        if frames.depths[index].any():
            window = scored(kind="disparity", baseline=False)[1][rank][1][FINAL]
            edges = numpy_edges.edges(np.log(window), frames.depths[index][ROWS, COLUMNS], max_depth=CAP)
            found = [disparity[f"edges.0.05.{name}"][rank] for name in ("precision", "recall", "f1")]
            assert found == pytest.approx(edges["0.05"], abs=1e-5)


def test_every_window_is_examined_once_and_in_order():
    """Of the last batch's four frames three are padding: they are loaded, and not examined."""
    frames, log_depths = predictions()
    _, examined, loaded = scored(kind="depth", baseline=True)
    assert loaded == [*ORDER, 1, 1, 1]
    assert [rank for rank, *_ in examined] == [0, 1, 2, 3, 4]
    for (_, depths, truth, edges), index in zip(examined, ORDER, strict=True):
        expected = frames.depths[index][ROWS, COLUMNS]
        np.testing.assert_array_equal(truth, expected)
        assert depths.keys() == {FINAL, mean_depth.NAME} and depths[FINAL].dtype == np.float32
        scorable = expected > 0
        assert edges.dtype == bool and edges.shape == truth.shape
        assert edges.any() == scorable.any() and not edges[~scorable].any()
        found = depths[FINAL]
        np.testing.assert_allclose(
            found[scorable], filled(log_depths[index][ROWS, COLUMNS], expected)[scorable], rtol=1e-5
        )
        assert np.isfinite(found).all()
        np.testing.assert_allclose(depths[mean_depth.NAME], CAP, rtol=1e-6)  # 9 m, clipped
