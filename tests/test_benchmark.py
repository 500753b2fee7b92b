"""The table and the file of the measurements; what they measure is tested where it stands."""

import json

import pytest

from jaxdepth import benchmark


def test_data_gives_a_rate():
    (row,) = benchmark.data(batches=2)
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
    rows = [benchmark._row("step", network="kscale", batch=8, unit="steps/s", ours=6.0, peer=3.0, peer_name="torch")]
    monkeypatch.setattr(benchmark, "MEASUREMENTS", {"one": lambda: rows, "two": lambda: rows * 2})
    output = tmp_path / "numbers.json"
    assert benchmark.run(["one"], output) == rows
    record = json.loads(output.read_text())
    assert record["rows"] == rows and rows[0]["ratio"] == 2.0
    assert record["machine"]["devices"] == 4 and record["machine"]["cpu_cores"] >= 1
    header, line = capsys.readouterr().out.splitlines()
    assert header.split() == ["what", "network", "batch", "unit", "ours", "peer", "peer_name", "ratio"]
    assert line.split() == ["step", "kscale", "8", "steps/s", "6", "3", "torch", "2"]
    assert len(benchmark.run([])) == 3  # all
    assert list(tmp_path.iterdir()) == [output]


def test_unknown_name_is_refused_before_anything_is_measured(monkeypatch):
    monkeypatch.setattr(benchmark, "MEASUREMENTS", {"data": lambda: pytest.fail("measured"), "step": None})
    with pytest.raises(ValueError, match="benchmark 'speed': expected one of data, step"):
        benchmark.run(["data", "speed"])
