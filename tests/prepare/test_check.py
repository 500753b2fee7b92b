"""The look at a folder before training, as the command that users run."""

import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from jaxdepth.prepare.check import check

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Twenty pairs whose depth is 2 m, 3 m in the lower half, and unknown in a quarter of the pixels."""
    folder = tmp_path_factory.mktemp("written")
    for part in ("images", "depths"):
        (folder / part).mkdir()
    for i in range(20):
        depth = np.full((40, 60), 2000, np.uint16)
        depth[20:], depth[:, :15] = 3000, 0
        Image.fromarray(np.full((80, 120, 3), (250, 10 * i, 0), np.uint8)).save(folder / f"images/{i:02d}.jpg")
        Image.fromarray(depth).save(folder / f"depths/{i:02d}.png")
    return folder


@pytest.fixture
def own(written, tmp_path):
    return pathlib.Path(shutil.copytree(written, tmp_path / "own"))


def command(*arguments, **options):
    line = [sys.executable, ROOT / "launch/prepare_data.py", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(line, capture_output=True, text=True, env=environment, **options)


def test_the_command_reports_a_good_folder_and_writes_a_contact_sheet(own, tmp_path):
    before = sorted(own.rglob("*"))
    done = command("check", own, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"20 pairs in {own}: pictures images/*, depths depths/*",
        "sizes: 20 pictures 80x120 with depths 40x60",
        "depth: median 2.5 m, of single frames 2.5 to 2.5 m, one unit is 0.001 m",
        "invalid: 25.0% of the pixels (0 25.0%, NaN 0.0%, infinite 0.0%, negative 0.0%), at most 25.0% in a frame",
        "split: blocks, 16 to train on, 4 to validate",
        "contact sheet: contact_sheet.png",
        "no errors",
    ]
    assert sorted(own.rglob("*")) == before
    with Image.open(tmp_path / "contact_sheet.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    red = (pixels[..., 0] > 235) & (pixels[..., 2] < 20) & (pixels[..., 1] < 200)  # twelve pictures
    rows = red.sum(1) > 100
    assert (np.diff(rows.astype(int)) == 1).sum() == 12


def test_the_flags_reach_the_check(own, tmp_path):
    (own / "depths").rename(own / "raw")
    done = command(
        "check", own, "--depth=raw/*.png", "--image=images/*.jpg", "--depth_scale=0.002",
        f"--output={tmp_path}/new/sheet.png",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "median 5 m" in done.stdout and "depths raw/*.png" in done.stdout and "one unit is 0.002 m" in done.stdout
    assert (tmp_path / "new/sheet.png").is_file()


def test_all_that_is_wrong_is_named_in_one_go(own, tmp_path):
    (own / "images/03.jpg").write_text("no picture")
    (own / "images/04.jpg").write_bytes(b"")
    (own / "images/05.jpg").unlink()
    (own / "depths/06.png").unlink()
    Image.fromarray(np.ones((60, 40), np.uint16)).save(own / "depths/07.png")
    (own / "val.txt").write_text("twenty\n")
    done = command("check", own, f"--output={tmp_path}/sheet.png")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    errors = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    for part in (
        "1 pictures without a depth at depths/*: 06",
        "1 depths without a picture at images/*: 05",
        "images/03.jpg': not a picture that Pillow can read",
        "images/04.jpg': an empty file",
        "depths/07.png': 60x40 (rows x columns), where its picture",
        "val.txt, line 1: 'twenty'",
    ):
        assert sum(part in line for line in errors) == 1, part
    assert "axes swapped?" in done.stdout and len(errors) == 6
    assert done.stdout.splitlines()[-1] == "6 errors: training would refuse this folder"
    assert (tmp_path / "sheet.png").is_file()


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (1.0, None),
        (1000.0, "median depth 2500 m: millimetres? give --config.data.folder.depth_scale=0.001"),
        (100.0, "median depth 250 m: centimetres? give --config.data.folder.depth_scale=0.01"),
        (1e-6, "median depth 2.5e-06 m: give --config.data.folder.depth_scale=METRES of one unit"),
    ],
)
def test_units(own, factor, message):
    for file in sorted((own / "depths").iterdir()):
        np.save(file.with_suffix(".npy"), np.asarray(Image.open(file)) / 1000 * factor)
        file.unlink()
    report = check(own)
    assert len(report.errors) == (message is not None)
    assert message is None or message in report.errors[0]


def test_metres_in_whole_numbers(own):
    for file in (own / "depths").iterdir():
        Image.fromarray(np.full((40, 60), 3, np.uint16)).save(file)
    (error,) = check(own).errors
    assert "median depth 0.003 m: metres? give --config.data.folder.depth_scale=1 " in error


def test_invalid_share_and_single_frames_in_another_unit(own):
    depth = np.full((40, 60), 2.0)
    depth[:4], depth[4:8], depth[8:12], depth[12:16] = np.nan, np.inf, -1, 0  # a tenth each
    (own / "depths/02.png").unlink()
    np.save(own / "depths/02.npy", depth)
    (own / "depths/03.png").unlink()
    np.save(own / "depths/03.npy", np.full((40, 60), 2000.0))
    report = check(own)
    assert not report.errors
    text = str(report)
    assert "at most 40.0% in a frame" in text and "NaN 0.5%, infinite 0.5%, negative 0.5%" in text
    assert "warning: the median is outside 0.1 to 100 m in 1 frames" in text and "03" in text.split("outside")[1]


def test_frames_without_depth(own):
    Image.fromarray(np.zeros((40, 60), np.uint16)).save(own / "depths/00.png")
    assert "warning: 1 frames have no depth at all" in str(check(own, sheet=own / "sheet.png"))
    assert (own / "sheet.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "error: config.data.path='nowhere': no such folder"),
        (["."], "error: config.data.path='.': no pair of 0 pictures"),
        (["own", "--output=file/sheet.png"], "error: "),
        (["own", "--depth_scale=-1"], "error: config.data.folder.depth_scale=-1.0: expected metres"),
    ],
)
def test_what_the_command_cannot_do_is_said_in_one_line(own, tmp_path, arguments, message):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    done = command("check", *arguments, cwd=tmp_path / "empty" if arguments == ["."] else tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith(message)
    assert not (tmp_path / "contact_sheet.png").exists()


def test_a_full_disk_leaves_no_half_of_a_sheet(own, tmp_path):
    """A limit on the size of files takes the place of a disk that is full."""
    line = f"ulimit -f 20; exec {sys.executable} {ROOT / 'launch/prepare_data.py'} check {own}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1] == "error: [Errno 27] File too large"
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


def test_sources_are_compared(own, tmp_path):
    done = command("compare", f"folder:{own}", "--output=plot.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"folder:{own}: 20 frames: median 2.50 m, 80 % within 2.00 to 3.00 m, spread within a frame 0.20, "
        "upper, middle, lower third 2.00, 2.50, 3.00 m",
        "plot: plot.png",
    ]
    with Image.open(tmp_path / "plot.png") as plot:
        assert plot.size[0] > 600
    done = command("compare", "kinect", cwd=tmp_path)
    assert done.returncode == 1 and "expected one of auto, nyu, folder, tfds, rooms" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["check"], ["chekc", "."], ["check", ".", "."]])
def test_usage(arguments):
    done = command(*arguments)
    said = done.stderr + done.stdout
    assert done.returncode == 1 and "expected nyu, tfds, check FOLDER, rooms, compare SOURCE" in said


def test_it_needs_no_jax_and_no_tensorflow():
    script = "import sys, jaxdepth.prepare.check; assert not {'jax', 'tensorflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
