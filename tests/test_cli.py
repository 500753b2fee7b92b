"""What the commands share."""

import os
import subprocess
import sys

import pytest
import small
from absl import app

from jaxdepth import cli


def test_a_run_is_named_after_its_config(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "kscale.py").touch()
    monkeypatch.chdir(tmp_path)
    assert cli.default_workdir("configs/kscale.py") == "runs/kscale"
    assert cli.default_workdir(f"{tmp_path}/configs/kscale.py:quick") == "runs/kscale-quick"
    with pytest.raises(FileNotFoundError, match=r"--config=configs/other.py:quick: no such file"):
        cli.default_workdir("configs/other.py:quick")


@pytest.mark.parametrize("given", [None, "/elsewhere"])
def test_compilations_are_kept_in_the_cache_unless_told_otherwise(monkeypatch, given):
    monkeypatch.setattr(app, "run", lambda main, **_: None)
    monkeypatch.setenv("JAXDEPTH_CACHE", "/cache")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", given or "")
    if given is None:
        monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    cli.run(None)
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == (given or "/cache/compiled")


@pytest.mark.parametrize(
    ("command", "setting", "told"),
    [
        ("train.py", "nosuch=1", "'nosuch'"),
        ("train.py", "optim.learning_rat=1", "'learning_rat' Did you mean \"learning_rate\" instead"),
        ("reproduce.py", "model.width=1", "'model'"),
    ],
)
def test_a_setting_that_is_not_there_is_named_in_one_line(command, setting, told):
    flags = [f"--config={small.CONFIGS / 'kscale.py'}"] if command == "train.py" else []
    command = [sys.executable, small.CONFIGS.with_name("launch") / command, *flags, f"--config.{setting}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith(f"error: no such setting of --config: {told}")
    assert done.stderr.count("\n") == 1
