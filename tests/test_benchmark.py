"""The table and the file of the measurements; what they measure is tested where it stands."""

import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from jaxdepth import benchmark, config, models
from jaxdepth.benchmark import data, networks, record
from jaxdepth.models.conv import conv

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"


def test_the_networks_cost_what_is_published():
    """Eigen 2014: 70.9 M parameters and 2.2 G multiply-adds; and every network of the paper has its file."""
    settings = {path.stem: config.load(path) for path in CONFIGS.glob("*.py")}
    rows = {(row["what"], row["network"]): row["ours"] for row in networks.measure(settings)}
    assert rows["parameters", "eigen"] == pytest.approx(70.9, abs=0.05)
    assert rows["multiply-adds", "eigen"] == pytest.approx(2.2, abs=0.05)
    assert {network for _, network in rows} == set(models.NETWORKS)
    assert rows["parameters", "mean_depth"] == 0


def test_multiply_adds_by_hand():
    x, kernel = jnp.zeros((2, 8, 6, 3)), jnp.zeros((3, 3, 3, 5))

    def strided(x):
        x = jax.jit(lambda x: conv(x, kernel, strides=(2, 2)))(x)  # 4 x 3 x 5
        return x.reshape(2, 60) @ jnp.zeros((60, 7))

    assert networks.multiply_adds(strided, x) == 2 * (4 * 3 * 5) * 27 + 2 * 60 * 7
    doubled = functools.partial(lax.conv_transpose, rhs=jnp.zeros((4, 4, 3, 5)), strides=(2, 2), padding="SAME")
    assert networks.multiply_adds(doubled, x) == 2 * (8 * 6) * 16 * 3 * 5


def test_data_gives_a_rate():
    (row,) = data.measure(batches=2)
    assert row["ours"] > 0
    others = {name: value for name, value in row.items() if name != "ours"}
    assert others == {
        "what": "tfdata",
        "network": None,
        "batch": 8,
        "unit": "examples/s",
        "peer": None,
        "peer_name": None,
        "ratio": None,
    }


def test_run_prints_and_writes_the_rows(tmp_path, monkeypatch, capsys):
    rows = [record.row("step", network="kscale", batch=8, unit="steps/s", ours=6.0, peer=3.0, peer_name="torch")]
    monkeypatch.setattr(benchmark, "MEASUREMENTS", {"one": lambda _: rows, "two": lambda _: rows * 2})
    output = tmp_path / "numbers.json"
    assert benchmark.run(["one"], CONFIGS, output) == rows
    written = json.loads(output.read_text())
    assert written["rows"] == rows and rows[0]["ratio"] == 0.5
    assert written["machine"]["devices"] == 4 and written["machine"]["cpu_cores"] >= 1
    header, line = capsys.readouterr().out.splitlines()
    assert header.split() == ["what", "network", "batch", "unit", "ours", "peer", "peer_name", "ratio"]
    assert line.split() == ["step", "kscale", "8", "steps/s", "6", "3", "torch", "0.5"]
    assert len(benchmark.run([], CONFIGS)) == 3  # all
    assert list(tmp_path.iterdir()) == [output]


def test_unknown_name_is_refused_before_anything_is_measured(monkeypatch):
    monkeypatch.setattr(benchmark, "MEASUREMENTS", {"data": lambda _: pytest.fail("measured"), "step": None})
    with pytest.raises(ValueError, match="benchmark 'speed': expected one of data, step"):
        benchmark.run(["data", "speed"], CONFIGS)
