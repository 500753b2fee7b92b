"""The notebook: its installation with recorded commands, and the rest from top to bottom with few steps."""

import pathlib
import shutil
import subprocess
import sys

import nbclient
import nbformat
import numpy as np
import pytest
from PIL import Image

import jaxdepth
from jaxdepth.output import figures

ROOT = pathlib.Path(__file__).parents[1]
NOTEBOOK = ROOT / "launch" / "colab.ipynb"


def tagged(notebook, tag):
    (cell,) = (cell for cell in notebook.cells if tag in cell.metadata.get("tags", ()))
    return cell


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_outputs_are_stripped(notebook):
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None


@pytest.mark.parametrize("start", ["elsewhere", "clone/launch", "clone"])
def test_the_installation_leaves_the_runtime_alone_and_can_run_again(notebook, tmp_path, monkeypatch, start):
    """The commands are recorded instead of run, except for the clone."""
    source = tmp_path / "clone"
    for folder in (source / "launch", tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    (source / "launch" / "colab.ipynb").touch()
    commands = []

    def run(command, **_):
        commands.append([str(part) for part in command])
        if command[0] == "git":
            shutil.copytree(source, command[-1])
        return subprocess.CompletedProcess(command, 1 if "--version" in command else 0)

    monkeypatch.chdir(tmp_path / start)
    monkeypatch.setenv("PYTHON", "")
    monkeypatch.setattr(subprocess, "run", run)
    cell = compile(tagged(notebook, "install").source, "install", "exec")
    for _ in range(2):
        found = {"REPOSITORY": "address"}
        exec(cell, found)
    clone = tmp_path / start / "jaxdepth" if start == "elsewhere" else source
    environment = clone.parent / "jaxdepth-environment"
    assert pathlib.Path.cwd() == clone and found["PYTHON"] == str(environment / "bin" / "python")
    assert sum(command[0] == "git" for command in commands) == (start == "elsewhere")
    installs = [command for command in commands if "install" in command]
    of_runtime = [c for c in installs if f"--python={found['PYTHON']}" not in c]
    assert {c[-1] for c in of_runtime} == {"uv"} and len(installs) == 2 * len(of_runtime)


def test_a_photo_is_found_and_its_focal_length_used(notebook, tmp_path, monkeypatch):
    (cell,) = (cell.source for cell in notebook.cells if "sys.argv" in cell.source)
    clone = tmp_path / "clone"
    for folder in ("launch", "runs"):
        (clone / folder).mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 80  # mm, on 35 mm film
    predictor, found = jaxdepth.load(), {}
    monkeypatch.setattr(jaxdepth, "load", lambda: predictor)
    monkeypatch.setattr(figures, "panel", lambda path, pictures, depth: found.update({name: depth["depth"]}))
    monkeypatch.chdir(clone)
    photos = {"plain.jpg": tmp_path, "beside.jpg": tmp_path, "in.jpg": clone, "with.jpg": clone / "launch"}
    for name, folder in photos.items():
        Image.fromarray(pixels).save(folder / name, **({} if name == "plain.jpg" else {"exif": exif}))
    for name in (*photos, str(tmp_path / "beside.jpg")):
        monkeypatch.setattr(sys, "argv", ["-", name])
        exec(compile(cell.partition("\n")[2], "photo", "exec"), {})
    plain = found.pop("plain.jpg")
    assert len(found) == 4 and plain.shape == (1, 30, 40)
    for depth in found.values():
        assert np.median(depth) > 1.5 * np.median(plain)  # a longer lens: the same picture from farther away


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(notebook, tmp_path, monkeypatch):
    for folder in ("launch", "configs"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    tagged(notebook, "parameters").source += '\nROOMS, STEPS = "(12,4)", 3'
    tagged(notebook, "install").source = 'import os, sys\n\nPYTHON = os.environ["PYTHON"] = sys.executable'
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    output_text = "\n".join(
        output.text if output.output_type == "stream" else str(output.get("data", {}).keys())
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )
    assert "mean depth" in output_text and "kscale: " in output_text and "640 x 480 pixels" in output_text
    assert output_text.count("image/png") == 3
    assert {"runs"} == {path.name for path in tmp_path.iterdir()} - {"launch", "configs"}
