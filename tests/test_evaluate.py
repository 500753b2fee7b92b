"""Evaluation of checkpoints: which frames are scored, and what the result says of them."""

import dataclasses
import json
import subprocess
import sys

import fake_nyu
import numpy as np
import pytest
import small
from PIL import Image

from jaxdepth import evaluate
from jaxdepth.evaluation import mean_depth, metrics, report, scorer
from jaxdepth.runs import lineage, record


def test_a_run_on_raw_depth_is_scored_on_it_and_says_so(tmp_path, monkeypatch):
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
        assert f"{depth} depth" in report.text(results[depth])
        assert results[depth]["per_frame"]["id"] == results[depth]["per_frame"]["order"] == ids
    assert results["raw"]["protocol"]["trained_on"] == "nyu, split final, raw depth"
    assert results["filled"]["protocol"]["trained_on"] == "nyu, split final"
    for result in results.values():
        of_the_floor = result["baseline"]
        assert result["edges"].keys() == of_the_floor["edges"].keys() == {"0.05", "0.125", "0.25"}
        assert result["edges"]["0.05"].keys() == {"precision", "recall", "f1"}
        aligned, plain = result["aligned"]["median"], result["metrics"]
        assert aligned.keys() == of_the_floor["aligned"]["median"].keys() == plain.keys()
        assert aligned["delta1"] > plain["delta1"] and aligned["silog"] == pytest.approx(plain["silog"], rel=1e-4)
        assert "prediction, median aligned" in report.text(result) and "m/pixel" in report.text(result)
    # The random network predicts about 2.5 m everywhere: it is worse where everything is twice as far.
    assert results["raw"]["metrics"]["rmse"] > 1.5 * results["filled"]["metrics"]["rmse"]
    # The networks are the same, so a truth that is asked for gives the other run's scores.
    asked = evaluate.evaluate_checkpoint(tmp_path / "filled", protocol="full", split="all", truth="raw")
    assert asked["protocol"]["truth"] == "raw depth"
    assert asked["metrics"] == pytest.approx(results["raw"]["metrics"], rel=1e-6)


@pytest.mark.parametrize(
    ("mix", "seen", "words"),
    [
        ("", 3, "nyu, split final; rooms, split rooms"),
        ("nyu:1,rooms:1", 3, "nyu, split final, mix nyu:1,rooms:1; rooms, split rooms"),
        ("rooms:1", 0, "nyu, split final, mix rooms:1; rooms, split rooms"),
    ],
)
def test_frames_of_the_run_in_init_from_count_as_seen(tmp_path, monkeypatch, mix, seen, words):
    monkeypatch.setenv("JAXDEPTH_CACHE", str(tmp_path / "cache"))
    mat = fake_nyu.write_mat(tmp_path / "a.mat", 3, ids=[3, 5, 8])
    first = small.random_run(tmp_path / "first", **{"data.source": "nyu", "data.split": "final", "data.mix": mix})
    second = small.random_run(tmp_path / "second", **{"data.source": "rooms", "data.split": "rooms"})
    started = dataclasses.replace(record.read(second), began_with=lineage.of_init(second, first))
    (second / "config.json").write_text(json.dumps(started.to_json()))
    monkeypatch.setattr(scorer, "make_scorer", lambda *_, groups, **__: lambda _: _per_frame(groups))
    protocol = evaluate.evaluate_checkpoint(second, source="nyu", path=mat, split="all")["protocol"]
    assert (protocol["frames_seen_in_training"], protocol["trained_on"]) == (seen, words)


def _per_frame(groups):
    names = (*metrics.METRIC_NAMES, "log_bias", "mean_log_depth", "pixels")
    return {group: {name: np.full(3, 0.5) for name in names} for group in (*groups, mean_depth.NAME)}


def test_the_default_output_tells_apart_what_was_evaluated(tmp_path):
    def name(**chosen):
        return evaluate.default_output("runs/a", protocol="full", **chosen).name

    assert name() == "evaluation-full.json"
    assert name(step="best") == "evaluation-full-best.json" and name(step=7) == "evaluation-full-7.json"
    assert name(intrinsics=(500.0, 501.5)) == "evaluation-full-camera500x501.5.json"
    assert str(evaluate.default_output("package", protocol="full")) == "evaluation-package-full.json"  # here
    one, two = (name(source="folder", path=tmp_path / part / "kitchen") for part in ("a", "b"))
    assert one != two and one.startswith("evaluation-full-folder-kitchen-")
    assert name(source="folder", path=tmp_path / "a" / "." / "kitchen") == one


def test_a_second_folder_does_not_overwrite_the_result_of_the_first(tmp_path, monkeypatch):
    """The second one has float depths in millimetres, one frame beyond its cap, and names of its own."""
    monkeypatch.setenv("JAXDEPTH_CACHE", str(tmp_path / "cache"))
    run = small.random_run(tmp_path / "run")
    launch = small.ROOT / "launch" / "evaluate.py"
    flags = {"one": [], "two": ["--depth_scale=0.001", "--image=b/*.png", "--depth=d/*.npy", "--max_depth=2.5"]}
    for name, (images, depths), unit in (("one", ("images", "depths"), 1), ("two", ("b", "d"), 1000)):
        folder = tmp_path / name
        for part in (images, depths):
            (folder / part).mkdir(parents=True)
        for i in range(2):
            Image.new("RGB", (56, 40), (50 * i, 99, 0)).save(folder / images / f"{i}.png")
            np.save(folder / depths / f"{i}.npy", np.full((40, 56), unit * (2.0 + i), np.float32))
        command = [sys.executable, launch, f"--workdir={run}", "--protocol=full", "--source=folder", f"--path={folder}"]
        subprocess.run([*command, "--split=all", *flags[name]], check=True, capture_output=True, timeout=200)
    (one,), (two,) = (list(run.glob(f"evaluation-full-folder-{name}-*.json")) for name in flags)
    assert one.name.endswith("-all.json") and two.name.endswith("-all-max2.5.json")
    results = [json.loads(file.read_text()) for file in (one, two)]
    assert [(r["frames_scored"], r["protocol"]["max_depth"]) for r in results] == [(2, 10.0), (1, 2.5)]
