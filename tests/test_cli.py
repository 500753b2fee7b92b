"""What the commands share."""

import os

import pytest
from absl import app

from jaxdepth import cli


def test_a_run_is_named_after_its_config():
    assert cli.default_workdir("configs/kscale.py") == "runs/kscale"
    assert cli.default_workdir("/elsewhere/kscale.py:quick") == "runs/kscale-quick"


@pytest.mark.parametrize("given", [None, "/elsewhere"])
def test_compilations_are_kept_in_the_cache_unless_told_otherwise(monkeypatch, given):
    monkeypatch.setattr(app, "run", lambda main: None)
    monkeypatch.setenv("JAXDEPTH_CACHE", "/cache")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", given or "")
    if given is None:
        monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    cli.run(None)
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == (given or "/cache/compiled")
