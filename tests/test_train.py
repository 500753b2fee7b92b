"""The main job as a user runs it: whole runs, kills, continued runs, and what bad input gets."""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

import caused
import fake_nyu
import jax
import numpy as np
import pytest
import small
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from jaxdepth import evaluate, rooms, train
from jaxdepth.errors import DivergedError, InputError
from jaxdepth.evaluation import report
from jaxdepth.runs import lock, metrics_log, trained
from jaxdepth.training import checkpoint, state

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with a small file in NYU's layout, and a cache folder."""
    with fake_nyu.dev_folder(tmp_path_factory.mktemp("data"), train=9, val=3) as folder:
        yield folder


def final(folder):
    return small.final(small.settings(None), folder)


@pytest.fixture(scope="module")
def unbroken(data, tmp_path_factory):
    """A run of ten steps without interruption."""
    folder = tmp_path_factory.mktemp("unbroken")
    scores = train.train_and_evaluate(small.settings(data), folder)
    return folder, scores


def test_a_run_leaves_the_files_of_the_contract(unbroken):
    folder, scores = unbroken
    names = {path.name for path in folder.iterdir()}
    expected = {"config.json", "metrics.jsonl", "mean_depth.npy", "checkpoints", "panel.png", "curves.png"}
    assert names == expected | {"lock", "writer.json"}
    record = json.loads((folder / "config.json").read_text())
    assert record["config"]["data"]["source"] == "nyu" and len(record["data"]["split_hash"]) == 12
    assert record["config"]["data"]["batches"] == "device"  # resolved, as the source is
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    train_lines = [line for line in lines if "nyu/train/loss" in line]
    assert [line["step"] for line in train_lines] == list(range(1, 11))
    assert all(
        "nyu/train/scale3/loss" in line and "nyu/train/total_loss" in line and line["wall_time"] > 1e9
        for line in train_lines
    )
    validation = [line for line in lines if "nyu/val/delta1" in line]
    assert [line["step"] for line in validation] == [2, 4, 6, 8, 10]
    for output in ("fusion", "scale1", "scale2", "scale3", "mean_depth"):
        prefix = "" if output == "fusion" else f"{output}/"
        for metric in ("delta1", "rmse", "d_scale_invariant"):
            assert validation[-1][f"nyu/val/{prefix}{metric}"] == scores[output][metric]
    for picture in ("panel.png", "curves.png"):
        with Image.open(folder / picture) as image:
            assert image.size[0] > 300


def test_the_baseline_runs_through_train_and_evaluate(data, tmp_path):
    settings = small.settings(data, name="mean_depth", steps=1)
    scores = train.train_and_evaluate(settings, tmp_path)
    assert scores["stored"] == scores["mean_depth"]
    for protocol in ("paper", "eigen_crop"):
        result = evaluate.evaluate_checkpoint(tmp_path, protocol=protocol)
        assert result["metrics"] == pytest.approx(result["mean_depth_baseline"], rel=1e-6) and result["frames"] == 3
    assert train.train_and_evaluate(settings, tmp_path) == scores  # a finished run


def test_weights_that_are_not_finite_are_an_error_by_name(data, tmp_path, monkeypatch):
    train.train_and_evaluate(small.settings(data, name="mean_depth", steps=1), tmp_path)
    whole = trained.read(tmp_path)
    broken = dataclasses.replace(whole, variables=jax.tree.map(lambda x: x * np.float32(np.nan), whole.variables))
    monkeypatch.setattr(trained, "read", lambda *_, **__: broken)
    with pytest.raises(InputError, match="output stored of step 1 is not finite"):
        evaluate.evaluate_checkpoint(tmp_path, output=tmp_path / "result.json")
    assert not (tmp_path / "result.json").exists()


def test_a_network_that_sees_nothing_is_told(caplog):
    train._warn_if_constant(np.float32([0.9, 0.905, 0.895]))
    assert "gives nearly the same depth for each of 3 validation pictures" in caplog.text
    caplog.clear()
    train._warn_if_constant(np.float32([0.9, 1.1, 0.8]))
    assert not caplog.text


def test_tensorboard_has_the_lines_of_metrics_jsonl_once_each(data, tmp_path):
    def settings(steps):
        return small.settings(data, name="mean_depth", steps=steps, tensorboard=True)

    train.train_and_evaluate(settings(3), tmp_path)
    train.train_and_evaluate(settings(5), tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    lines = metrics_log.read(tmp_path)
    names = {name for line in lines for name in line} - {"step", "wall_time"}
    assert set(events.Tags()["scalars"]) == names and events.Tags()["images"] == ["panel"]
    for name in names:
        expected = [(line["step"], np.float32(line[name])) for line in lines if name in line]
        assert [(event.step, event.value) for event in events.Scalars(name)] == expected


def test_tensorboard_without_its_package_is_one_line(data, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="needs an extra: pip install"):
        train.train_and_evaluate(small.settings(data, tensorboard=True), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_last_and_best_are_kept(unbroken):
    folder, _ = unbroken
    delta1 = {line["step"]: line["nyu/val/delta1"] for line in metrics_log.read(folder) if "nyu/val/delta1" in line}
    best = max(delta1, key=lambda step: (delta1[step], step))
    assert trained.read(folder, step="best").step == best
    assert checkpoint.steps(folder / "checkpoints") == sorted({9, 10, best})


def test_the_best_checkpoint_is_evaluated_and_packed_by_name(unbroken, tmp_path):
    folder, _ = unbroken
    best = trained.read(folder, step="best").step
    assert evaluate.evaluate_checkpoint(folder, step="best")["checkpoint"]["step"] == best
    trained.pack(folder, tmp_path / "packed", step="best")
    assert trained.read(tmp_path / "packed").step == best
    with pytest.raises(FileNotFoundError, match="no checkpoint first: expected last, best or one of"):
        trained.read(folder, step="first")


@pytest.mark.slow
def test_a_continued_run_never_makes_a_fresh_state(unbroken, data, tmp_path, monkeypatch):
    """A fresh state beside the restored one would need the memory twice."""
    shutil.copytree(unbroken[0], tmp_path / "run")
    monkeypatch.setattr(state, "create", lambda *_, **__: pytest.fail("a fresh state was made"))
    longer = small.settings(data, steps=11)
    scores = train.train_and_evaluate(longer, tmp_path / "run")
    assert metrics_log.read(tmp_path / "run")[-1]["step"] == 11 and "fusion" in scores


def test_settings_by_their_earlier_names_are_still_read(data, tmp_path):
    settings = small.settings(data, name="mean_depth", steps=1)
    with settings.unlocked():
        settings.mirrored, settings.initial = True, None
        del settings["flip_tta"], settings["init_from"]
    train.train_and_evaluate(settings, tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["config"]["flip_tta"] is True


def test_checkpoints_of_every_so_many_steps_are_kept(data, tmp_path):
    changes = dict(name="mean_depth", checkpoint_every=2, validate_every=100, keep_every=3)
    train.train_and_evaluate(small.settings(data, steps=8, **changes), tmp_path)
    assert {3, 6, 8} <= set(checkpoint.steps(tmp_path / "checkpoints")) <= {3, 6, 7, 8}
    early = evaluate.evaluate_checkpoint(tmp_path, step=3)
    assert early["checkpoint"]["step"] == 3


def test_the_same_command_on_a_finished_run_changes_nothing(unbroken, data):
    folder, scores = unbroken
    before = final(folder)
    again = train.train_and_evaluate(small.settings(data), folder)
    assert again == scores
    assert final(folder) == before


def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_is_used(unbroken, data, tmp_path, caplog):
    run = shutil.copytree(unbroken[0], tmp_path / "run")
    caused.flip(caused.data_file(run / "checkpoints" / "10"), 0.5)
    result = evaluate.evaluate_checkpoint(run, protocol="paper")
    assert result["checkpoint"]["step"] == 9 and "checkpoints/10: this checkpoint is damaged" in caplog.text
    assert train.train_and_evaluate(small.settings(data), run) == unbroken[1]
    assert final(run) == final(unbroken[0])


def test_a_run_whose_checkpoints_are_gone_does_not_begin_again(unbroken, data, tmp_path):
    run = shutil.copytree(unbroken[0], tmp_path / "run")
    shutil.rmtree(run / "checkpoints")
    before = (run / "metrics.jsonl").read_bytes()
    with pytest.raises(InputError, match="had a checkpoint of step 10, and now has none"):
        train.train_and_evaluate(small.settings(data), run)
    assert (run / "metrics.jsonl").read_bytes() == before


def test_damage_beside_the_checkpoints_is_mended(unbroken, data, tmp_path, caplog):
    run = shutil.copytree(unbroken[0], tmp_path / "run")
    lines = (run / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    garbage = [
        b"\xff\x00garbage\n",
        b"[1, 2]\n",
        b'{"step": "3"}\n',
        b'{"step": 3, "loss": NaN}\n',
        lines[3][:40] + b"\n",
    ]
    (run / "metrics.jsonl").write_bytes(b"".join([*lines[:5], *garbage, *lines[5:]]))
    (run / "mean_depth.npy").write_bytes(b"")
    assert train.train_and_evaluate(small.settings(data), run) == unbroken[1]
    assert "5 damaged lines are left out, the first is line 6" in caplog.text
    assert (run / "metrics.jsonl").read_bytes() == b"".join(lines)
    assert garbage[0] in (run / "metrics.damaged.jsonl").read_bytes()
    assert (run / "mean_depth.npy").read_bytes() == (unbroken[0] / "mean_depth.npy").read_bytes()


@pytest.mark.parametrize(
    "name", ["config.json", "metrics.jsonl", "mean_depth.npy", "panel.png", "curves.png", "lock", "writer.json"]
)
def test_a_folder_with_files_of_others_is_refused(data, tmp_path, name):
    (tmp_path / name).write_text('{"mine": 1}')
    with pytest.raises(InputError, match=name):
        train.train_and_evaluate(small.settings(data), tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: '{"mine": 1}'}


def test_a_second_run_in_a_workdir_is_refused(unbroken, data):
    with lock.one_writer(unbroken[0]):
        with pytest.raises(InputError, match=f"written by process {os.getpid()} on host '.+': wait for its end"):
            train.train_and_evaluate(small.settings(data), unbroken[0])


@pytest.mark.parametrize(
    "step",
    [
        5,
        pytest.param(1, marks=pytest.mark.slow),
        pytest.param(7, marks=pytest.mark.slow),
        pytest.param(8, marks=pytest.mark.slow),
    ],
)
def test_killed_and_continued_equals_unbroken_bit_for_bit(unbroken, data, tmp_path, step):
    process = small.start(small.settings(data), tmp_path)
    small.wait_for_step(process, tmp_path, step)
    process.kill()  # SIGKILL
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 9, "cut off in the mid')
    scores = train.train_and_evaluate(small.settings(data), tmp_path)
    assert scores == unbroken[1]
    bits, lines = final(tmp_path)
    expected_bits, expected_lines = final(unbroken[0])
    assert bits == expected_bits
    assert lines == expected_lines


@pytest.mark.slow
def test_the_tfdata_path_continues_bit_for_bit_too(data, tmp_path):
    settings = small.settings(data, **{"data.batches": "tfdata"})
    scores = train.train_and_evaluate(settings, tmp_path / "unbroken")
    process = small.start(settings, tmp_path / "killed")
    small.wait_for_step(process, tmp_path / "killed", 5)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert train.train_and_evaluate(settings, tmp_path / "killed") == scores
    assert final(tmp_path / "killed") == final(tmp_path / "unbroken")


@pytest.mark.parametrize("stop", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.faults)])
def test_a_stopped_run_saves_and_exits_cleanly(unbroken, data, tmp_path, stop):
    process = small.start(small.settings(data), tmp_path)
    small.wait_for_step(process, tmp_path, 1)
    process.send_signal(stop)
    _, log = process.communicate(timeout=300)
    assert process.returncode == 0, log
    stopped_at = metrics_log.read(tmp_path)[-1]["step"]
    assert 1 <= stopped_at < 10 and f"stopped at step {stopped_at}; the same command continues" in log
    assert checkpoint.steps(tmp_path / "checkpoints")[-1] == stopped_at
    train.train_and_evaluate(small.settings(data), tmp_path)
    assert final(tmp_path) == final(unbroken[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.width": 8}, "config.model.width: 4 there, 8 now"),
        ({"data.split": "paper"}, "config.data.split: 'dev' there, 'paper' now.*data.split_hash"),
        ({"data.batches": "tfdata"}, "config.data.batches: 'device' there, 'tfdata' now"),
        (
            {"data.source": "rooms", "data.path": None, "data.rooms_frames": (2, 1)},
            "config.data.source: 'nyu' there, 'rooms' now",
        ),
        ({"optim.learning_rate": 1.0}, "config.optim.learning_rate"),
    ],
)
def test_continuing_another_run_is_refused_with_the_difference(unbroken, data, changes, message):
    before = small.bits({p.name: np.frombuffer(p.read_bytes(), np.uint8) for p in unbroken[0].glob("*.*")})
    with pytest.raises(ValueError, match=f"holds another run.*{message}"):
        train.train_and_evaluate(small.settings(data, **changes), unbroken[0])
    assert small.bits({p.name: np.frombuffer(p.read_bytes(), np.uint8) for p in unbroken[0].glob("*.*")}) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.name": "unet"}, "config.model.name='unet'"),
        ({"gate.name": "zigzag"}, "config.gate.name='zigzag'"),
        ({"loss.lam": 2.0}, "config.loss.lam=2.0: expected 0 to 1"),
        ({"ema_decay": 1.0}, "config.ema_decay=1.0: expected 0 or more, and less than 1"),
        ({"optim.warmup_steps": -1}, "config.optim.warmup_steps=-1: expected 0 or more"),
        ({"optim.clip_norm": 0.0}, "config.optim.clip_norm=0.0: expected more than 0"),
        ({"data.crop_size": (0, 48)}, r"config.data.crop_size=\(0, 48\): expected"),
        ({"data.frame_size": (40,)}, r"config.data.frame_size=\(40,\): expected \(height, width\)"),
        ({"data.rooms_frames": (5,)}, r"config.data.rooms_frames=\(5,\): expected two numbers"),
        ({"data.augmentation.scale": (0.9,)}, r"config.data.augmentation.scale=\(0.9,\): expected two numbers"),
        ({"steps": 0}, "config.steps=0: expected 1 or more"),
        ({"accumulate": 0}, "config.accumulate=0: expected 1 or more"),
        ({"data.batches": "disk"}, "config.data.batches='disk': expected one of auto, tfdata, device"),
        ({"data.source": "kinect"}, "config.data.source='kinect': expected one of auto, nyu"),
        ({"data.split": "vals"}, "config.data.split='vals': expected one of paper, official, dev"),
        ({"data.path": "/nowhere"}, "config.data.path='/nowhere'"),
        ({"data.path": "a.mat", "data.source": "rooms"}, "config.data.path='a.mat': data.source='rooms' reads no file"),
        ({"batch_size": 6}, "config.batch_size=6: expected a multiple of the 4 devices"),
        ({"optim.rules": (("fusion/.*", 1.0, 1.0, "cosine"),)}, "config.optim.rules: no rule for scale1"),
        ({"optim.rules": (("fusion/.*", 1.0, "cosine"),)}, "config.optim.rules: .*expected \\(pattern"),
        ({"optim.rules": (("fusion/(", 1.0, 1.0, "cosine"),)}, "config.optim.rules: .* is not a regular expression"),
        ({"optim.name": "lion"}, "config.optim.name='lion': expected one of adamw, sgd"),
        (
            {"data.crop_size": (64, 48)},
            r"crop_size=\(64, 48\): expected \(height, width\) within the frame's \(40, 56\)",
        ),
        ({"data.augmentation.scale": (1.2, 0.8)}, "config.data.augmentation.scale"),
    ],
)
def test_bad_settings_leave_nothing_behind(data, tmp_path, changes, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        train.train_and_evaluate(small.settings(data, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "learning_rate", [pytest.param(1e30, marks=pytest.mark.faults), pytest.param(1e6, marks=pytest.mark.slow)]
)
def test_a_run_that_explodes_ends_without_a_checkpoint_of_it(data, tmp_path, caplog, learning_rate):
    """1e30: no update is finite. 1e6: updates are, but nothing after them."""
    changes = {"optim.learning_rate": learning_rate, "optim.clip_norm": 1e30, "max_skipped_steps": 3}
    with pytest.raises(DivergedError, match="loss, gradient or update that is not finite.*Try a lower config.optim"):
        train.train_and_evaluate(small.settings(data, **changes), tmp_path)
    assert re.search("step [1-9]: .*was not taken; frames: nyu [0-9]+, nyu", caplog.text)
    for line in metrics_log.read(tmp_path):  # and not a traceback of the JSON encoder
        assert all(np.isfinite(value) for value in line.values())
    for step in checkpoint.steps(tmp_path / "checkpoints"):
        variables = trained.read(tmp_path, step=step).variables
        assert all(np.abs(x).max() < 1e3 for x in jax.tree.leaves(variables))


def test_the_command_reports_an_error_in_one_line(data, tmp_path):
    line = [*small.command(small.settings(data), tmp_path / "run"), "--config.data.split=vals"]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("error: config.data.split='vals': expected one of paper")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_evaluate_writes_the_contracts_json(unbroken, tmp_path):
    folder, scores = unbroken
    output = tmp_path / "result.json"
    result = evaluate.evaluate_checkpoint(folder, protocol="paper", output=output)
    assert json.loads(output.read_text()) == result
    names = {"protocol", "frames", "frames_scored", "metrics", "mean_depth_baseline"}
    names |= {"aligned", "edges", "baseline", "outputs", "checkpoint", "per_frame"}
    names |= {"breakdown", "intervals", "interval_over"}
    assert set(result) == names
    assert result["metrics"] == pytest.approx(scores["fusion"], rel=1e-6)
    assert result["mean_depth_baseline"] == pytest.approx(scores["mean_depth"], rel=1e-6)
    assert result["checkpoint"] == {"workdir": str(folder), "step": 10}
    assert result["protocol"]["split_hash"] == json.loads((folder / "config.json").read_text())["data"]["split_hash"]
    everything = evaluate.evaluate_checkpoint(folder, protocol="full", split="all")
    assert everything["frames"] == 12 and everything["protocol"]["split"] == "all"
    assert "delta1" in report.text(everything) and "mean depth" in report.text(everything)


def test_a_run_on_rooms_is_evaluated_on_nyus_frames(data, tmp_path, monkeypatch):
    """Rooms do not have NYU's splits."""
    monkeypatch.setattr(rooms, "frames", small.blank_rooms)
    changes = {"data.source": "rooms", "data.rooms_frames": (3, 2), "data.path": None}
    train.train_and_evaluate(small.settings(data, name="mean_depth", steps=1, **changes), tmp_path)
    result = evaluate.evaluate_checkpoint(tmp_path, source="nyu", path=data, split="dev")
    protocol = result["protocol"]
    assert result["frames"] == 3 and (protocol["source"], protocol["split"]) == ("nyu", "dev")
    assert protocol["trained_on"] == "rooms, split rooms" and protocol["frames_seen_in_training"] == 0
    assert evaluate.evaluate_checkpoint(tmp_path, protocol="paper")["per_frame"]["order"] == [6, 8]  # no neighbours
    with pytest.raises(ValueError, match="config.data.path='.*': data.source='rooms' reads no file"):
        evaluate.evaluate_checkpoint(tmp_path, path=data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(protocol="kitti"), "protocol='kitti': expected one of paper, eigen_crop, silberman_crop, full"),
        (dict(split="vals"), "config.data.split='vals'"),
        (dict(source="kinect"), "config.data.source='kinect'"),
        (dict(step=4), "no checkpoint 4: expected last, best or one of"),
        (dict(folder="/nowhere"), "workdir '/nowhere' has no config.json"),
    ],
)
def test_evaluate_refuses_what_it_cannot_do(unbroken, change, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        evaluate.evaluate_checkpoint(**{"folder": unbroken[0], **change})


def test_a_checkpoint_without_its_config_is_refused(unbroken, data, tmp_path):
    (tmp_path / "checkpoints").symlink_to(unbroken[0] / "checkpoints")
    with pytest.raises(FileNotFoundError, match="checkpoints but no config.json"):
        evaluate.evaluate_checkpoint(tmp_path)
    with pytest.raises(FileNotFoundError, match="checkpoints but no config.json"):
        train.train_and_evaluate(small.settings(data), tmp_path)
