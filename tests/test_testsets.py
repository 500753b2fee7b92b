"""Every test set from its files to a result: predictions of files and of a network, and the check before it."""

import functools
import json
import subprocess
import sys

import jax
import numpy as np
import pytest
import small
from prepare_command import prepare
from tiny_sets import diode_set, hypersim_set, ibims_set, kitti_set, scannet_set, sun_rgbd_set, tum_set

from jaxdepth import config as settings
from jaxdepth import evaluate, predict, train
from jaxdepth.data.sources import selection, testsets
from jaxdepth.errors import InputError
from jaxdepth.prepare import check_testset
from jaxdepth.studies import compare
from jaxdepth.training import sharding

WRITERS = {
    "ibims": ibims_set.write,
    "diode_indoor": functools.partial(diode_set.write, part="indoors"),
    "diode_outdoor": functools.partial(diode_set.write, part="outdoor"),
    "sun_rgbd": lambda folder: {k: v for k, v in sun_rgbd_set.write(folder).items() if "NYU" not in k},
    "sun_rgbd_all": sun_rgbd_set.write,
    "hypersim": hypersim_set.write,
    "kitti": kitti_set.write,
    "kitti_selection": kitti_set.write_selection,
    "kitti_velodyne": kitti_set.write_velodyne,
    "scannet": scannet_set.write,
    "tum_rgbd": tum_set.write,
}
CROPS = {"full": (0, 1, 0, 1), "garg_crop": (0.40810811, 0.99189189, 0.03594771, 0.96405229)}


@pytest.fixture(autouse=True)
def one_device(monkeypatch):
    mesh = sharding.make_mesh(jax.devices()[:1])
    monkeypatch.setattr(sharding, "make_mesh", lambda: mesh)
    monkeypatch.setattr(evaluate, "_BATCH", 1)


def numpy_metrics(predictions, truths, *, crop, max_depth):
    """Means over pictures of delta1, abs_rel and rmse, each of the picture's valid pixels inside the crop."""
    rows = []
    for name, truth in truths.items():
        (h, w), (top, bottom, left, right) = truth.shape, crop
        part = slice(int(top * h), int(bottom * h)), slice(int(left * w), int(right * w))
        y, t = predictions[name][part].astype(np.float64), truth[part].astype(np.float64)
        valid = (t > 1e-3) & (t <= max_depth)
        y, t = np.clip(y[valid], 1e-3, max_depth), t[valid]
        if valid.any():
            rows.append(
                (np.mean(np.maximum(y / t, t / y) < 1.25), np.mean(abs(y - t) / t), np.sqrt(np.mean((y - t) ** 2)))
            )
    return dict(zip(("delta1", "abs_rel", "rmse"), np.mean(rows, axis=0), strict=True))


@pytest.mark.parametrize("kind", testsets.KINDS)
def test_predictions_have_the_metrics_of_an_independent_reader(kind, tmp_path):
    """Files of the truth's size, half a factor of 1.25 off here and more there; the usual protocol and cap."""
    expected = WRITERS[kind](tmp_path / "set")
    truths = {name: depth for name, (_, depth, _) in expected.items()}
    rng, made = np.random.default_rng(0), {}
    for name, truth in truths.items():
        made[name] = np.float32(np.where(truth > 0, truth, 3) * rng.uniform(0.8, 1.4, truth.shape))
        file = tmp_path / "predictions" / f"{name}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, made[name])
    options = dict(source=kind, path=str(tmp_path / "set"), output=tmp_path / "result.json")
    result = evaluate.evaluate_predictions(tmp_path / "predictions", **options)
    of_kind = testsets.KINDS[kind]
    by_numpy = numpy_metrics(made, truths, crop=CROPS[of_kind.protocol], max_depth=of_kind.max_depth)
    for name, value in by_numpy.items():
        assert result["metrics"][name] == pytest.approx(value, rel=2e-4), name
    said = result["protocol"]
    assert (said["name"], said["source"], said["split"]) == (of_kind.protocol, kind, "test")
    assert said["max_depth"] == of_kind.max_depth and said["truth"]
    assert json.loads((tmp_path / "result.json").read_text())["per_frame"]["name"] == list(expected)


@pytest.mark.parametrize("kind", testsets.KINDS)
def test_the_check_reads_every_picture(kind, tmp_path):
    expected = WRITERS[kind](tmp_path / "set")
    report = check_testset.check(kind, tmp_path / "set", sheet=tmp_path / "sheet.png")
    lines = str(report).splitlines()
    assert lines[0].startswith(f"{testsets.KINDS[kind].title}: {len(expected)} pictures in {tmp_path / 'set'}")
    assert lines[-1] == "no errors" and (tmp_path / "sheet.png").stat().st_size > 10_000
    medians = [np.median(depth[depth > 0]) for _, depth, _ in expected.values() if (depth > 0).any()]
    assert f"depth: median {np.median(medians):.3g} m" in str(report)


def test_a_networks_files_have_the_result_of_the_network(tmp_path):
    """With each picture's own camera; and the mean depth image of its training beside it."""
    ibims_set.write(tmp_path / "set")
    run = tmp_path / "run"
    small.random_run(run)
    data = dict(source="ibims", path=str(tmp_path / "set"))
    data |= dict(measures=("planarity", "depth_boundary_error"))
    of_network = evaluate.evaluate_checkpoint(run, **data)
    predict.predict_frames(run, output=tmp_path / "written", batch=1, source="ibims", path=data["path"])
    of_files = evaluate.evaluate_predictions(tmp_path / "written", **data)
    assert of_files["metrics"] == pytest.approx(of_network["metrics"], rel=1e-3)
    assert of_files["measures"]["planarity"] == pytest.approx(of_network["measures"]["planarity"], rel=1e-2)
    assert of_network["mean_depth_baseline"] and of_network["measures"]["depth_boundary_error"]["accuracy"] > 0
    assert "each picture's own: depths are multiplied" in of_network["protocol"]["cameras"]


@pytest.mark.parametrize(
    ("size", "warned"), [((352, 1216), True), ((375, 1242), False), ((384, 1248), False), ((338, 1118), False)]
)
def test_predictions_of_a_part_of_the_picture_are_suspected(size, warned, tmp_path):
    """352x1216 is what many networks see of KITTI, and so near to the picture's shape that it would be stretched."""
    expected = kitti_set.write(tmp_path / "set")
    for name in expected:
        file = tmp_path / "predictions" / f"{name}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, np.random.default_rng(0).uniform(2, 60, size).astype(np.float32))
    options = dict(source="kitti", path=str(tmp_path / "set"))
    told = evaluate.evaluate_predictions(tmp_path / "predictions", **options)["predictions"]["warnings"]
    told = [line for line in told if "are they of a part" in line]
    assert len(told) == warned
    assert not warned or told[0].startswith("3 predictions are a little smaller") and "352x1216 of 375x1242" in told[0]


def test_the_next_command_that_predict_tells_can_be_run(tmp_path):
    ibims_set.write(tmp_path / "my set")
    small.random_run(tmp_path / "run")
    flags = ["--workdir=run", "--source=ibims", "--path=my set", "--output=my files"]
    launch = small.ROOT / "launch"
    done = subprocess.run([sys.executable, launch / "predict.py", *flags], cwd=tmp_path, capture_output=True, text=True)
    told = done.stdout.splitlines()[-1]
    assert told == "next: python launch/evaluate.py '--predictions=my files' --source=ibims '--path=my set'", (
        done.stderr
    )


def test_names_are_escaped_in_the_check_and_in_what_evaluation_tells(tmp_path, caplog):
    """A sequence of TUM RGB-D without a known camera is named in a note, and its pictures where predictions miss."""
    tum_set.write(tmp_path / "set")
    (tmp_path / "set" / "rgbd_dataset_freiburg1_desk").rename(tmp_path / "set" / "my\x1b[31m")
    report = check_testset.check("tum_rgbd", tmp_path / "set", sheet=tmp_path / "sheet.png")
    assert all(line.isprintable() for line in report.lines) and r"my\x1b[31m: no camera is known" in str(report)
    with caplog.at_level("INFO", logger="absl"):
        frames = selection.open_frames("tum_rgbd", path=tmp_path / "set")
    assert all(record.getMessage().isprintable() for record in caplog.records) and caplog.records
    kept, *others = [frames.file_name(i) for i in range(len(frames))]
    for name in (kept, "extra\x1b[31m"):
        file = tmp_path / "predictions" / f"{name}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, np.full((480, 640), 2.0, np.float32))
    options = dict(source="tum_rgbd", path=tmp_path / "set")
    with pytest.raises(InputError, match=r"frames without one: 3 of 4 \(my\\x1b") as raised:
        evaluate.evaluate_predictions(tmp_path / "predictions", **options)
    assert str(raised.value).isprintable()
    result = evaluate.evaluate_predictions(tmp_path / "predictions", allow_missing=True, **options)
    told = result["predictions"]["warnings"]
    assert len(told) == 3 and all(line.isprintable() for line in told), told


def test_a_damaged_picture_is_an_error_of_the_check_and_the_rest_is_read(tmp_path):
    expected = ibims_set.write(tmp_path / "set", raw=True)
    (tmp_path / "set/ibims1_core_raw/depth/corridor_10.png").write_bytes(b"no picture")
    done = prepare("check", tmp_path / "set", "--kind=ibims", cwd=tmp_path)
    assert done.returncode == 1 and f"{len(expected)} pictures" in done.stdout
    assert "error: " in done.stdout and "corridor_10.png" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 errors: evaluation would fail at these pictures"


def test_what_does_not_belong_to_a_test_set_is_refused(tmp_path):
    told = "config.data.path=None: expected a folder with iBims-1 for data.source='ibims'"
    with pytest.raises(InputError, match=told):
        selection.open_frames("ibims")
    config = settings.load(small.CONFIGS / "kscale.py")
    settings.change(config, {"data.source": "ibims"})
    told = "config.data.source='ibims': a test set, for evaluate.py: expected one of auto"
    with pytest.raises(InputError, match=told):
        train.train_and_evaluate(config, tmp_path / "run")
    with pytest.raises(InputError, match=told):
        compare.compare(tmp_path / "a.png", {"a": tmp_path}, source="ibims", count=1)
    done = prepare("check", tmp_path, "--kind=ibims", "--image=images/*")
    assert "--image=images/*: only with a folder of your own, not with --kind" in done.stderr and done.returncode == 1
    done = prepare("check", tmp_path, "--kind=ibims", "--fx=500")
    assert "--fx=500.0: only with a folder of your own, not with --kind" in done.stderr and done.returncode == 1
    with pytest.raises(InputError, match="kind='ibims2': expected one of ibims"):
        check_testset.check("ibims2", tmp_path)
