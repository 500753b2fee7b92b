"""Pictures scored at sizes of their own, against numpy: where a prediction lies, its metres, and what is left out."""

import types

import jax
import numpy as np
import numpy_edges
import pytest
from PIL import Image

from jaxdepth.data.frames import OwnSizes
from jaxdepth.errors import InputError
from jaxdepth.evaluation import scorer
from jaxdepth.evaluation.protocols import PROTOCOLS, choose
from jaxdepth.evaluation.windows import make_windows
from jaxdepth.geometry import framing
from jaxdepth.geometry.camera import Intrinsics
from jaxdepth.training import sharding

FRAME, CROP = (24, 32), (20, 28)
SIZES = [(48, 64), (30, 100), (60, 40)]  # as the frame, wide, tall
PICTURES = [(96, 128), (30, 100), (60, 40)]  # the first truth is half as large as its picture
CAMERAS = (Intrinsics(120.0, 120.0, 31.0, 23.0), Intrinsics(90.0, 80.0, 50.0, 15.0), None)
TRAINING = Intrinsics(40.0, 40.0, 15.5, 11.5)


def made_frames(seed=0):
    rng = np.random.default_rng(seed)
    pictures = [rng.integers(0, 256, (*size, 3), np.uint8) for size in PICTURES]
    truths = [rng.uniform(0.5, 9, size).astype(np.float32) for size in SIZES]
    for truth in truths:
        truth[rng.random(truth.shape) < 0.2] = 0
    return types.SimpleNamespace(
        name="made",
        images=np.stack([framing.framed(picture, frame_size=FRAME) for picture in pictures]),
        depths=np.ones((3, *FRAME), np.float32),
        size=FRAME,
        ids=np.array([7, 8, 9]),
        max_depth=8.0,
        intrinsics=None,
        labels=None,
        label_names=None,
        full_depth=lambda i: truths[i],
        picture_size=lambda i: PICTURES[i],
        name_of=lambda i: f"made {i}",
        own_sizes=OwnSizes(np.array(SIZES), CAMERAS),
    ), truths


def predicted(log_depth, i, *, camera=TRAINING):
    """Depth of picture i at the size of its truth, by the rows and columns of its place in the frame."""
    depth = np.pad(np.exp(log_depth), ((2, 2), (2, 2)), mode="edge")  # 20x28 in 24x32
    top, left, height, width = [(0, 0, 24, 32), (7, 0, 10, 32), (0, 8, 24, 16)][i]
    inner = depth[top : top + height, left : left + width]
    if CAMERAS[i] is not None and camera is not None:
        scale = min(24 / SIZES[i][0], 32 / SIZES[i][1])
        inner = inner * np.float32(scale * np.sqrt(CAMERAS[i].fx * CAMERAS[i].fy) / 40)
    return np.asarray(Image.fromarray(inner).resize(SIZES[i][::-1], Image.Resampling.BILINEAR))


def test_a_networks_output_lies_where_its_picture_was():
    frames, _ = made_frames()
    log_depths = np.log(np.random.default_rng(1).uniform(1, 5, (3, *CROP))).astype(np.float32)
    windows = make_windows(frames, protocol=PROTOCOLS["full"], crop_size=CROP)
    found = windows.of_outputs({"prediction": log_depths}, [2, 0, 1], camera=TRAINING)["prediction"]
    assert found.shape == (3, 60, 100)  # of the largest height and width
    for log_depth, i, window in zip(log_depths, (2, 0, 1), found, strict=True):
        h, w = SIZES[i]
        np.testing.assert_allclose(np.exp(window[:h, :w]), predicted(log_depth, i), rtol=1e-4)
        assert (window[h:, :w] == window[h - 1, :w]).all() and (window[:h, w:] == window[:h, w - 1 : w]).all()
        np.testing.assert_array_equal(windows.own(i, window), window[:h, :w])
    unchanged = windows.of_outputs({"prediction": log_depths}, [2, 0, 1], camera=None)["prediction"]
    np.testing.assert_allclose(np.exp(unchanged[1][:48, :64]), predicted(log_depths[1], 0, camera=None), rtol=1e-4)


@pytest.mark.parametrize("protocol", ["full", "garg_crop", "kitti_eigen_crop"])
def test_scores_equal_those_of_numpy_picture_by_picture(protocol):
    """The network's outputs, and the same from files, with the mean depth image beside them; each window examined."""
    frames, truths = made_frames()
    log_depths = np.log(np.random.default_rng(2).uniform(1, 5, (3, *CROP))).astype(np.float32)
    mean = np.exp(np.random.default_rng(3).uniform(0, 2, FRAME)).astype(np.float32)
    expected = {"prediction": [], "mean_depth": []}
    for i, truth in enumerate(truths):
        h, w = truth.shape
        inside = np.zeros((h, w), bool)
        top, bottom, left, right = {
            "full": (0, 1, 0, 1),
            "garg_crop": (0.40810811, 0.99189189, 0.03594771, 0.96405229),
            "kitti_eigen_crop": (0.3324324, 0.91351351, 0.0359477, 0.96405229),
        }[protocol]
        inside[int(top * h) : int(bottom * h), int(left * w) : int(right * w)] = True
        valid = inside & (truth > 1e-3) & (truth <= 8)
        of_mean = predicted(np.log(mean[2:-2, 2:-2]), i, camera=None)
        for name, depth in (("prediction", predicted(log_depths[i], i)), ("mean_depth", of_mean)):
            y, t = np.clip(depth, 1e-3, 8)[valid].astype(float), truth[valid].astype(float)
            expected[name].append([np.mean(abs(y - t) / t), np.sqrt(np.mean((y - t) ** 2)), valid.sum()])

    examined = []
    options = dict(indices=np.arange(3), protocol=PROTOCOLS[protocol], crop_size=CROP, mean_depth_image=mean)
    options |= dict(batch_size=2, mesh=sharding.make_mesh(jax.devices()[:1]), groups=("prediction",), camera=TRAINING)

    def outputs(variables, batch):
        del batch
        return {"prediction": variables["values"]}

    def examine(rank, depths, truth, edges):
        examined.append((rank, depths["prediction"].shape, truth.shape, edges.shape))

    # The "network" gives the values of the batch that comes, of two pictures each; the last is filled up.
    score = {}
    for start, chosen in ((0, [0, 1]), (2, [2, 2])):
        made = scorer.make_scorer(outputs, frames, **options | dict(indices=np.arange(start, min(start + 2, 3))))
        for name, values in made({"values": log_depths[chosen]}).items():
            score.setdefault(name, []).append(values)
    for name, parts in score.items():
        found = [np.concatenate([part[k] for part in parts]) for k in ("abs_rel", "rmse", "pixels")]
        np.testing.assert_allclose(np.stack(found, 1), expected[name], rtol=1e-4)

    windows = make_windows(frames, protocol=PROTOCOLS[protocol], crop_size=CROP)

    def load(i):
        return np.log(windows.resized(i, predicted(log_depths[i], i), PICTURES[i]))

    found = scorer.make_scorer(None, frames, load=load, examine=examine, **options)(None)["prediction"]
    np.testing.assert_allclose(found["abs_rel"], [row[0] for row in expected["prediction"]], rtol=1e-4)
    assert examined == [(i, (60, 100), (60, 100), (60, 100)) for i in range(3)]


@pytest.mark.parametrize("missing", [False, True])
def test_edges_at_the_border_are_those_of_each_picture_by_itself(missing):
    """Steps of depth in the last columns and rows, of which half are in the other map: as numpy has them."""
    frames, truths = made_frames()
    predictions = []
    for i, truth in enumerate(truths):
        truth[:] = 2 + i
        truth[:, :9] += 3
        predictions.append(truth.astype(np.float64))
        truth[-1, 20:] += 2
        predictions[i][:, -1] += 2
        if missing:  # which becomes the farther end of the range
            predictions[i][-2:, -3:] = np.nan
    options = dict(indices=np.arange(3), protocol=PROTOCOLS["full"], crop_size=CROP, mean_depth_image=None)
    options |= dict(batch_size=3, mesh=sharding.make_mesh(jax.devices()[:1]), groups=("prediction",))
    load = [np.log(prediction).astype(np.float32) for prediction in predictions].__getitem__
    found = scorer.make_scorer(None, frames, load=load, **options)(None)["prediction"]
    for i, truth in enumerate(truths):
        filled = np.where(np.isnan(predictions[i]), 1e-3, predictions[i])
        for threshold, expected in numpy_edges.edges(np.log(filled), truth, max_depth=8.0).items():
            got = [found[f"edges.{threshold}.{name}"][i] for name in ("precision", "recall", "f1")]
            np.testing.assert_allclose(got, expected, rtol=1e-5, err_msg=f"{SIZES[i]} {threshold}")


def test_log_depth_may_be_interpolated_instead():
    frames, _ = made_frames()
    log_depth = np.random.default_rng(4).uniform(0, 2, (1, *CROP)).astype(np.float32)
    windows = make_windows(frames, protocol=choose("full", resize="log_depth"), crop_size=CROP)
    found = windows.of_outputs({"x": log_depth}, [2], camera=TRAINING)["x"][0]
    inner = np.pad(log_depth[0], 2, mode="edge")[:, 8:24]
    expected = np.asarray(Image.fromarray(inner).resize((40, 60), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(found[:60, :40], expected, rtol=1e-6)


def test_the_picture_and_the_camera_are_those_of_the_truth():
    frames, _ = made_frames()
    windows = make_windows(frames, protocol=PROTOCOLS["full"], crop_size=CROP)
    assert [windows.camera(i) for i in range(3)] == list(CAMERAS)
    for i, size in enumerate(SIZES):
        assert windows.image(i).shape == (*size, 3)
    flat = Image.fromarray(frames.images[1][7:17]).resize((100, 30), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(windows.image(1), np.asarray(flat))


def test_a_protocol_for_other_frames_is_refused():
    frames, _ = made_frames()
    for name, what in (("eigen_crop", "480x640 pixels"), ("paper", "the network's input")):
        with pytest.raises(InputError, match=f"protocol='{name}': its window is of {what}, and made is scored at the"):
            make_windows(frames, protocol=PROTOCOLS[name], crop_size=CROP)
    frames.own_sizes = None
    with pytest.raises(InputError, match="protocol='garg_crop': only for pictures that are scored at sizes of their"):
        make_windows(frames, protocol=PROTOCOLS["garg_crop"], crop_size=CROP)


def test_eigens_crop_is_for_pictures_of_nyus_size():
    frames, _ = made_frames()
    truth = np.full((480, 640), 2.0, np.float32)
    frames.own_sizes, frames.full_depth = OwnSizes(np.array([[480, 640]]), (None,)), lambda i: truth
    window = make_windows(frames, protocol=PROTOCOLS["eigen_crop"], crop_size=CROP).truth(0, None)
    assert window[45:471, 41:601].all() and window.sum() == 2.0 * 426 * 560
