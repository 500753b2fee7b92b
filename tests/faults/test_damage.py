"""Damage to the newest checkpoint of a run: the same command ends as if nothing had happened."""

import shutil

import caused
import numpy as np
import pytest

from jaxdepth import train

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def unbroken(settings, tmp_path_factory):
    """A run without a fault, on the devices of this process."""
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    train.train_and_evaluate(settings, folder)
    return folder


def continued(settings, unbroken, folder, damage):
    """Damages the newest checkpoint of a copy and runs the same command: how many bytes differ at the end."""
    run = shutil.copytree(unbroken, folder)
    damage(run / "checkpoints" / "12")
    train.train_and_evaluate(settings, run)
    return caused.lost(settings, run, unbroken)


@pytest.mark.parametrize("kind", caused.DAMAGE)
def test_a_damaged_checkpoint(settings, unbroken, tmp_path, tally, kind):
    difference = continued(settings, unbroken, tmp_path / "run", caused.DAMAGE[kind])
    tally("newest checkpoint cut, emptied, missing or changed").caused(lost=difference)
    assert difference == 0


@pytest.mark.parametrize("seed", range(30))
def test_a_changed_bit_anywhere_in_a_checkpoint(settings, unbroken, tmp_path, tally, seed):
    rng = np.random.default_rng(seed)

    def damage(path):
        files = sorted(file for file in path.rglob("*") if file.is_file() and file.stat().st_size)
        caused.flip(files[rng.integers(len(files))], rng.random())

    difference = continued(settings, unbroken, tmp_path / "run", damage)
    tally("one bit changed in the newest checkpoint").caused(lost=difference)
    assert difference == 0
