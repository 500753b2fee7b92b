"""The notebook, from top to bottom but for its installation, in this environment with few steps."""

import pathlib

import nbclient
import nbformat
import pytest

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


def test_it_runs_from_top_to_bottom(notebook, tmp_path, monkeypatch):
    for folder in ("launch", "configs"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    tagged(notebook, "parameters").source += '\nROOMS, STEPS = "(12,4)", 3'
    tagged(notebook, "install").source = 'import os, sys\n\nPYTHON = os.environ["PYTHON"] = sys.executable'
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    said = "\n".join(
        output.text if output.output_type == "stream" else str(output.get("data", {}).keys())
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )
    assert "mean depth" in said and "kscale: " in said and "640 x 480 pixels" in said
    assert said.count("image/png") == 3
    assert {"runs"} == {path.name for path in tmp_path.iterdir()} - {"launch", "configs"}
