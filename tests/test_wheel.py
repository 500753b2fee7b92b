"""The package as others install it: a wheel, built from the sdist, in a folder where no clone is on the path."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest
import small
from PIL import Image

BUILD = """
import os, sys
from setuptools import build_meta

os.chdir(sys.argv[2])
getattr(build_meta, f"build_{sys.argv[1]}")(sys.argv[3])
"""
# What pip makes of `jaxdepth = jaxdepth.commands:main`, and that it is the wheel's.
JAXDEPTH = """
import os, sys
from jaxdepth import commands

assert commands.__file__.startswith(os.environ["PYTHONPATH"])
sys.argv[0] = "/bin/jaxdepth"
sys.exit(commands.main())
"""


def build(what, source, output):
    subprocess.run([sys.executable, "-c", BUILD, what, source, output], check=True, capture_output=True, text=True)
    (made,) = output.glob("*.whl" if what == "wheel" else "*.tar.gz")
    return made


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder with what the wheel holds."""
    if int(importlib.metadata.version("setuptools").partition(".")[0]) < 77:
        pytest.skip("pyproject.toml asks for setuptools>=77")
    folder = tmp_path_factory.mktemp("wheel")
    clone = folder / "clone"
    for part in ("jaxdepth", "launch", "configs"):
        shutil.copytree(small.ROOT / part, clone / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("pyproject.toml", "setup.cfg", "setup.py", "README.md", "LICENSE"):
        shutil.copy(small.ROOT / part, clone)
    with tarfile.open(build("sdist", clone, folder)) as sdist:
        sdist.extractall(folder / "sdist", filter="data")
    (source,) = (folder / "sdist").iterdir()
    with zipfile.ZipFile(build("wheel", source, folder)) as wheel:
        wheel.extractall(folder / "installed")
    return folder / "installed"


def files(folder, pattern="**/*"):
    return {
        path.relative_to(folder).as_posix()
        for path in folder.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_has_package_commands_and_configs_and_no_more(installed):
    expected = files(small.ROOT, "jaxdepth/**/*")
    expected |= {f"jaxdepth/{name}" for folder in ("launch", "configs") for name in files(small.ROOT, f"{folder}/*.py")}
    (info,) = installed.glob("*.dist-info")
    assert files(installed) == expected | {f"{info.name}/{name}" for name in files(info)}
    assert "jaxdepth = jaxdepth.commands:main" in (info / "entry_points.txt").read_text()


def test_the_command_works_without_a_clone(installed, tmp_path):
    """Predicts a picture, and finds a config that has an error to tell."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)).save(tmp_path / "photo.png")
    environment = os.environ | {"PYTHONPATH": str(installed)}

    def jaxdepth(*arguments):
        line = [sys.executable, "-P", "-c", JAXDEPTH, *arguments]
        return subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True)

    trained = jaxdepth("train", "--config=kscale:slow", "--config.steps=1")
    assert trained.returncode == 1 and "expected nothing or quick" in trained.stderr, trained.stderr
    predicted = jaxdepth("predict", "photo.png", "--formats=npy")
    assert predicted.returncode == 0, predicted.stderr
    depth = np.load(tmp_path / "depth" / "photo.npy")
    assert depth.shape == (30, 40) and (depth > 0.5).all() and (depth < 10).all()
    assert json.loads((tmp_path / "depth" / "photo.json").read_text())
    assert files(tmp_path) == {"photo.png", "depth/photo.npy", "depth/photo.json"}
