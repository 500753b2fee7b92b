"""The measurements, their table and their file."""

import functools
import json
import pathlib
import time

import fake_nyu
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small
from jax import lax

from jaxdepth import benchmark, config, models, rooms
from jaxdepth.benchmark import (
    growth,
    networks,
    peers,
    pipelines,
    profile,
    raw_recordings,
    record,
    sources,
    start,
    steps,
    timing,
)
from jaxdepth.errors import InputError
from jaxdepth.models.conv import conv
from jaxdepth.prepare.nyu_raw import parallel

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"


def test_eigens_network_has_the_published_cost():
    """70.9 M parameters and 2.2 G multiply-adds; and every network has a config file."""
    settings = {path.stem: config.load(path) for path in CONFIGS.glob("*.py")}
    assert {file.model.name for file in settings.values()} == set(models.NETWORKS)
    rows = {(row["what"], row["network"]): row["ours"] for row in networks.measure(settings)}
    assert rows["parameters", "eigen"] == pytest.approx(70.9, abs=0.05)
    assert rows["multiply-adds", "eigen"] == pytest.approx(2.2, abs=0.05)
    assert {network for _, network in rows} == set(settings)
    assert rows["parameters", "mean_depth"] == 0


def test_multiply_adds_equal_those_counted_by_hand():
    x, kernel = jnp.zeros((2, 8, 6, 3)), jnp.zeros((3, 3, 3, 5))

    def strided(x):
        x = jax.jit(lambda x: conv(x, kernel, strides=(2, 2)))(x)  # 4 x 3 x 5
        return x.reshape(2, 60) @ jnp.zeros((60, 7))

    assert networks.multiply_adds(strided, x) == 2 * (4 * 3 * 5) * 27 + 2 * 60 * 7
    three_times = lambda x: lax.scan(lambda x, _: (x @ jnp.zeros((3, 3)), None), x, length=3)[0]  # noqa: E731
    assert networks.multiply_adds(three_times, x) == 3 * (2 * 8 * 6 * 3) * 3

    def gradient(x):  # of a kernel: as many as the convolution itself
        return jax.grad(lambda kernel: conv(x, kernel).sum())(kernel)

    assert networks.multiply_adds(gradient, x) == 2 * 2 * (8 * 6 * 5) * 27
    doubled = functools.partial(lax.conv_transpose, rhs=jnp.zeros((4, 4, 3, 5)), strides=(2, 2), padding="SAME")
    assert networks.multiply_adds(doubled, x) == 2 * (8 * 6) * 16 * 3 * 5


@pytest.mark.slow
def test_each_source_has_a_rate_at_first_and_from_then_on(tmp_path, monkeypatch):
    def frames(seed, start, count, *, size=(240, 320), **_):
        image, depth, label = zip(*(fake_nyu.frame(i, size) for i in range(start, start + count)), strict=True)
        return {"image": np.stack(image), "depth": np.stack(depth), "label": np.stack(label)}

    monkeypatch.setattr(rooms, "frames", frames)
    rows = sources.measure({"kscale": small.settings(tmp_path)}, count=4, seconds=0)
    first, then = rows[:4], rows[4:]
    assert [row["what"] for row in first] == [f"{name} first read" for name in ("nyu", "folder", "tfds", "rooms")]
    assert [row["what"] for row in then] == [f"{name} from then on" for name in ("nyu", "folder", "tfds", "rooms")]
    assert all(row["ours"] > 0 for row in rows)
    assert all(row["peer"] == then[0]["peer"] > 0 and row["speedup"] == row["ours"] / row["peer"] for row in then)
    with pytest.raises(InputError, match="data: configs best: expected kscale.py among them"):
        sources.measure({"best": None})


def test_raw_recordings_have_rates_without_the_start(tmp_path, monkeypatch):
    """Ten seconds for one worker and five for two, after two and three to start, of 18 pictures; and sizes."""

    def frames(seed, start, count, *, size):
        image, depth, _ = zip(*(fake_nyu.frame(seed + i, size) for i in range(count)), strict=True)
        return {"image": np.stack(image), "depth": np.stack(depth)}

    def each(function, elements, **_):
        for element in elements:
            function(element)

    prepare, sizes = raw_recordings._prepare, {}

    def prepared(raw, to, *, workers, count=1):
        assert prepare(raw, to, workers=workers, count=count) > 0
        sizes[to.name] = sum(file.stat().st_size for file in to.rglob("*.array_record*"))
        return {"before": 9.0, "start1": 2.0, "1": 12.0, "start2": 3.0, "2": 8.0}[to.name]

    monkeypatch.setattr(rooms, "frames", frames)
    monkeypatch.setattr(parallel, "each", each)
    monkeypatch.setattr(parallel, "check_options", lambda options: None)
    monkeypatch.setattr(raw_recordings, "_prepare", prepared)
    config = small.settings(tmp_path)
    rows = {row["what"]: row for row in raw_recordings.measure({"kscale": config}, scenes=2, pictures=9, seconds=0)}
    ours = {what.removeprefix("raw recordings, "): row["ours"] for what, row in rows.items()}
    assert (ours["start of 1 worker"], ours["start of 2 workers"]) == (2.0, 3.0)
    assert (ours["1 worker"], ours["2 workers"]) == (1.8, 3.6)
    assert rows["raw recordings, 2 workers"]["speedup"] == 2.0
    assert ours["size of a picture with its depth"] == pytest.approx(640 * 480 * 5 / 1e6, rel=1e-3)
    assert ours["size of a frame"] == sizes["1"] / 2 / 1e3  # one of nine pictures of each scene
    assert ours["raw recordings from then on"] > 0
    with pytest.raises(InputError, match="nyu_raw: configs best: expected kscale.py among them"):
        next(raw_recordings.measure({"best": None}))


def test_raw_recordings_are_measured_only_where_beam_is(tmp_path, monkeypatch):
    measured = []
    names = {name: lambda *_, name=name: measured.append(name) or [] for name in ("networks", "nyu_raw")}
    monkeypatch.setattr(benchmark, "MEASUREMENTS", names)
    for possible in (True, False):
        monkeypatch.setattr(raw_recordings, "is_possible", lambda possible=possible: possible)
        benchmark.run([], small.CONFIGS)
    assert measured == ["networks", "nyu_raw", "networks"]


def test_each_pipeline_has_a_rate(monkeypatch):
    monkeypatch.setattr(pipelines, "_rooms_rates", lambda seconds: {"exact": 30.0, "sensor": 20.0})
    tfdata, device, exact, seen = pipelines.measure(batches=2, seconds=0)
    assert (exact["what"], exact["unit"], exact["ours"]) == ("rooms of 240x320", "frames/s", 30.0)
    assert (seen["what"], seen["ours"]) == ("rooms of 240x320, through the sensor", 20.0)
    assert [row["what"] for row in (tfdata, device)] == ["batches by tfdata", "batches by device"]
    assert tfdata["ours"] > 0 and tfdata["unit"] == "examples/s" and tfdata["peer"] is None
    assert device["peer"] == tfdata["ours"] and device["speedup"] == device["ours"] / device["peer"]


def test_a_speedup_is_above_1_if_ours_is_faster():
    assert record.row("step", unit="ms", ours=6.0, peer=3.0)["speedup"] == 0.5
    assert record.row("data", unit="examples/s", ours=6.0, peer=3.0)["speedup"] == 2.0
    assert record.row("step", unit="ms", ours=6.0)["speedup"] is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.04321, "0.043x"),
        (0.917, "0.92x"),
        (1.0, "1.0x"),
        (2.79, "2.8x"),
        (9.96, "10x"),
        (41.4, "41x"),
        (123.4, "123x"),
    ],
)
def test_a_speedup_is_shown_with_two_digits(value, shown):
    assert record.show_speedup(value) == shown


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("results/benchmark-*.json")), ids=lambda file: file.stem)
def test_kept_results_are_rows_of_today(file):
    for row in json.loads(file.read_text())["rows"]:
        assert row == record.row(**{name: value for name, value in row.items() if name != "speedup"})


def test_run_prints_and_writes_the_rows(tmp_path, monkeypatch, capsys):
    rows = [record.row("step", network="kscale", batch=8, unit="ms", ours=6.0, peer=3.0, peer_name="torch")]
    measurements = {"one": lambda *_: rows, "two": lambda configs, sizes, dtype: rows * sizes[0]}
    monkeypatch.setattr(benchmark, "MEASUREMENTS", measurements)
    output = tmp_path / "numbers.json"
    assert benchmark.run(["one"], CONFIGS, output=output) == rows
    written = json.loads(output.read_text())
    assert written["rows"] == rows and written["machine"]["devices"] == 4 and written["machine"]["cpu_cores"] >= 1
    header, line = capsys.readouterr().out.splitlines()
    assert header.split() == ["what", "network", "batch", "dtype", "unit", "ours", "peer", "peer_name", "speedup"]
    assert line.split() == ["step", "kscale", "8", "-", "ms", "6", "3", "torch", "0.50x"]
    assert len(benchmark.run([], CONFIGS, batch_sizes=(2, 8))) == 3  # all
    assert list(tmp_path.iterdir()) == [output]


def test_what_is_measured_before_a_kill_is_kept(tmp_path, monkeypatch):
    def killed(*_):
        yield record.row("step", unit="ms", ours=6.0)
        raise KeyboardInterrupt

    monkeypatch.setattr(benchmark, "MEASUREMENTS", {"one": killed})
    with pytest.raises(KeyboardInterrupt):
        benchmark.run(["one"], CONFIGS, output=tmp_path / "numbers.json")
    assert [row["ours"] for row in json.loads((tmp_path / "numbers.json").read_text())["rows"]] == [6.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(batch_sizes=(8, 0)), "--batch=8, 0: expected numbers of 1 or more"),
        (dict(dtype="float64"), "--dtype=float64: expected one of float32, bfloat16"),
    ],
)
def test_batch_size_and_dtype_are_checked(changes, message):
    with pytest.raises(InputError, match=message):
        benchmark.run(["networks"], CONFIGS, **changes)


def test_functions_take_turns():
    called = []
    functions = {name: functools.partial(called.append, name) for name in "ab"}
    times = timing.in_turns(functions, seconds=0, min_turns=2, calls=3)
    assert "".join(called) == "aaaabbbb" * 2  # the first call of each turn is not timed
    assert {name: len(values) for name, values in times.items()} == {"a": 6, "b": 6}
    assert timing.summary([1.0, 2.0, 3.0, 4.0, 5.0], unit=10) == (30.0, [20.0, 40.0])


@pytest.mark.slow
def test_steps_are_compared_with_the_fastest_peer(monkeypatch):
    def peer(seconds):
        return dict.fromkeys(("train_step", "forward"), functools.partial(time.sleep, seconds))

    monkeypatch.setattr(peers, "build", lambda *_: {"slow": peer(0.02), "fast": peer(0.005)})
    settings = {"small": small.settings(None), "floor": config.load(CONFIGS / "mean_depth.py")}
    rows = list(steps.measure(settings, batch_sizes=(2, 4), dtype="float32", seconds=0))
    found = {(row["what"], row["batch"]): row for row in rows if row["network"]}
    assert {network for network in (row["network"] for row in rows)} == {None, "small"}
    assert {what for what, _ in found} == {
        *(f"{what}{of}" for what in ("train_step", "forward") for of in ("", " rate", " utilisation")),
        "compile time",
        "peak memory",
    }
    step = found["train_step", 4]
    assert step["peer_name"] == "fast" and step["peer"] >= 5 and step["speedup"] == step["peer"] / step["ours"]
    assert step["quartiles"][0] <= step["ours"] <= step["quartiles"][1]
    assert found["train_step rate", 4]["speedup"] == pytest.approx(step["speedup"])
    assert found["peak memory", 4]["ours"] > found["peak memory", 2]["ours"] > 0


@pytest.mark.slow
def test_a_step_has_about_three_times_the_flops_of_a_forward_pass():
    """A convolution has its output and two gradients; the first one has one gradient."""
    config = small.settings(None, batch_size=2)
    case = steps.case(config)
    assert 2.4 < case.train_flops / case.forward_flops < 3.1
    assert steps.case(steps.with_changes(config, {"accumulate": 2})).train_flops == case.train_flops
    assert steps.case(config, gate_number=3).train_flops < 0.5 * case.train_flops
    assert config.accumulate == 1  # unchanged


@pytest.mark.slow
def test_growth_names_what_it_changes(monkeypatch):
    monkeypatch.setattr(growth, "SETTINGS", {"model.width": (2, 4), "data.crop_size": ((32, 48),)})
    settings = small.settings(None, **{"model.k": 1})
    rows = growth.measure({"kscale": settings}, batch_size=2, dtype="float32", seconds=0)
    flops = {row["network"]: row["ours"] for row in rows if row["what"] == "train_step cost"}
    assert list(flops) == [
        "kscale model.width=2",
        "kscale model.width=4",
        "kscale data.crop_size=32x48",
        *(f"kscale gate={gate}" for gate in range(2)),
    ]
    assert flops["kscale model.width=2"] < flops["kscale model.width=4"] == flops["kscale data.crop_size=32x48"]
    assert settings.batch_size == 4  # unchanged
    with pytest.raises(InputError, match="growth: configs eigen: expected kscale.py among them"):
        growth.measure({"eigen": settings}, batch_size=2, dtype="float32")


def test_a_profile_sums_by_kind():
    text = """HloModule step
%inner (x: f32[]) -> f32[] {
  ROOT %inside = f32[] add(%x, %x), metadata={op_name="jit(f)/jvp(Net)/norm1/sub"}
}

ENTRY %main (x: f32[]) -> f32[] {
  %a.1 = f32[] fusion(%x), calls=%inner, metadata={op_name="jit(f)/jvp(Net)/block1/conv1/conv_general_dilated"}
  %b = f32[] while(%a.1), metadata={op_name="jit(f)/transpose(jvp(Net))/block1/conv1/cond/branch_0_fun/while"}
  %c = f32[] transpose(%b)
  %e = f32[] dot(%c, %c), metadata={op_name="jit(f)/transpose(jvp(Net))/block1/projection/bhwc,cd->bhwd/dot_general"}
  %g = f32[] add(%e), metadata={op_name="jit(train_step)/add"}
  %h = f32[] dot(%g), metadata={op_name="jit(f)/jvp(Net)/head/to_picture/jit(_resize)/dot_general"}
  ROOT %d = f32[] add(%h, %c), metadata={op_name="jit(f)/jvp(Net)/block1/norm1/sub"}
}
"""
    durations = {"a.1": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "e": 5.0, "g": 6.0, "h": 7.0}
    milliseconds = profile.by_kind(text, {**durations, "inside": 100.0, "other": 100.0})
    assert milliseconds == {
        "convolutions: forward": 1.0,
        "convolutions: kernel gradients": 2.0,
        "other copies": 3.0,
        "batch normalisation": 4.0,
        "convolutions: input gradients": 5.0,
        "optimizer": 6.0,
        "interpolation": 7.0,
    }


def test_a_profile_of_a_step_has_shares_of_its_time():
    rows = profile.measure({"small": small.settings(None)}, batch_size=2, dtype="float32")
    assert sum(row["ours"] for row in rows) == pytest.approx(100)
    assert {"profile: convolutions: forward", "profile: batch normalisation"} < {row["what"] for row in rows}


@pytest.mark.slow
def test_a_first_step_waits_for_imports_and_compilations(monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)  # without optimisation the rooms take many minutes
    seconds = {row["what"]: row["ours"] for row in start.measure(repetitions=1)}
    assert 0 < seconds["import jaxdepth"] < seconds["import jaxdepth.train"]
    assert seconds["import jaxdepth.train"] < seconds["first step, kept compilations"] < seconds["first step, cold"]


def test_an_unknown_name_is_refused_before_anything_is_measured(monkeypatch):
    monkeypatch.setattr(benchmark, "MEASUREMENTS", {"data": lambda _: pytest.fail("measured"), "step": None})
    with pytest.raises(InputError, match="benchmark 'speed': expected one of data, step"):
        benchmark.run(["data", "speed"], CONFIGS)
