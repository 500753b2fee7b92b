"""The check of a folder before training, by the command that users run."""

import pathlib
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from prepare_command import ENVIRONMENT, LAUNCH, ROOT, prepare

from jaxdepth.prepare.check import check


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Twenty pairs with depths of 2 m above, 3 m below, and none in a quarter of the pixels."""
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


def test_a_good_folder_gets_a_report_and_a_contact_sheet(own, tmp_path):
    before = sorted(own.rglob("*"))
    done = prepare("check", own, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"20 pairs in {own}: pictures images/*, depths depths/*",
        "sizes: 20 pictures 80x120 with depths 40x60 (height x width)",
        "depth: median 2.5 m, of single frames 2.5 to 2.5 m, one unit is 0.001 m",
        "invalid: 25.0% of the pixels (zero 25.0%, NaN 0.0%, infinite 0.0%, negative 0.0%), at most 25.0% in a frame",
        "camera: not given, so NYU's is assumed, and metres may be wrong: give --fx=PIXELS",
        "split: blocks, 16 to train on, 4 to validate",
        "contact sheet: contact_sheet.png",
        "no errors",
        f"next: python launch/train.py --config=configs/best.py:finetune --config.data.path={own}",
    ]
    assert sorted(own.rglob("*")) == before
    with Image.open(tmp_path / "contact_sheet.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    red = (pixels[..., 0] > 235) & (pixels[..., 2] < 20) & (pixels[..., 1] < 200)  # twelve pictures
    rows = red.sum(1) > 100
    assert (np.diff(rows.astype(int)) == 1).sum() == 12


def test_the_flags_reach_the_check(own, tmp_path):
    (own / "depths").rename(own / "raw")
    done = prepare(
        "check", own, "--depth=raw/*.png", "--image=images/*.jpg", "--depth_scale=0.002", "--invalid=7,6",
        "--max_depth=5", f"--output={tmp_path}/new/sheet.png",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "median 4 m" in done.stdout and "depths raw/*.png" in done.stdout and "one unit is 0.002 m" in done.stdout
    assert "listed 37.5%" in done.stdout  # 3000 units are 6 m
    assert (tmp_path / "new/sheet.png").is_file()
    flags = shlex.split(done.stdout.splitlines()[-1])[4:]
    assert flags == [
        f"--config.data.path={own}", "--config.data.folder.image=images/*.jpg", "--config.data.folder.depth=raw/*.png",
        "--config.data.folder.depth_scale=0.002", "--config.data.invalid=7,6", "--config.data.max_depth=5.0",
    ]  # fmt: skip


def test_the_camera_is_judged_as_by_training(own, tmp_path):
    """Frames of 320x240 show the middle 107 of 120 columns: 2 atan(53.3 / 80) and 2 atan(40 / 80)."""
    done = prepare("check", own, "--fx=80", "--fy=80", "--cx=59.5", "--cy=39.5", f"--output={tmp_path}/sheet.png")
    assert done.returncode == 0, done.stderr
    assert "camera: the frames' field of view is 67.4 x 53.1 degrees at 320x240" in done.stdout.splitlines()
    assert done.stdout.endswith("'--config.data.folder.intrinsics=(80.0,80.0,59.5,39.5)'\n")
    (error,) = check(own, intrinsics=(4.0,)).errors
    assert "config.data.folder.intrinsics: fx=4, fy=4 is a field of view of 172 degrees" in error
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(own / "images/03.jpg")
    (error,) = check(own, intrinsics=(80.0,)).errors
    assert error == "config.data.folder.intrinsics: pictures of sizes 40x60, 80x120: expected one size"
    done = prepare("check", own, "--cx=3", cwd=tmp_path)
    assert done.returncode == 1 and "--fx, --fy, --cx, --cy: expected a focal length" in done.stderr


def test_scenes_are_held_back_and_told(own, tmp_path):
    for i, kind in enumerate(("images", "depths") * 4):
        (own / f"room{i // 2}" / kind).mkdir(parents=True)
        for j in range(5 * (i // 2), 5 * (i // 2) + 5):
            name = f"{kind}/{j:02d}.{'jpg' if kind == 'images' else 'png'}"
            (own / name).rename(own / f"room{i // 2}" / name)
    report = check(own)
    assert f"20 pairs in {own}: pictures **/images/*, depths **/depths/*" in report.lines
    assert "split: scenes, 15 to train on, 5 to validate: 1 of 4 scenes" in report.lines
    (own / "test.txt").write_text("room1/07\nroom9/01\n")
    assert check(own).errors[0].startswith(f"{own}/test.txt, line 2: 'room9/01': expected the name of a pair")


def test_all_errors_are_reported_together(own, tmp_path):
    (own / "images/03.jpg").write_text("no picture")
    (own / "images/04.jpg").write_bytes(b"")
    (own / "images/05.jpg").unlink()
    (own / "depths/06.png").unlink()
    Image.fromarray(np.ones((60, 40), np.uint16)).save(own / "depths/07.png")
    (own / "val.txt").write_text("twenty\n")
    done = prepare("check", own, f"--output={tmp_path}/sheet.png")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    errors = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    for part in (
        "1 pictures without a depth at depths/*: 06",
        "1 depths without a picture at images/*: 05",
        "images/03.jpg': not a picture that Pillow can read",
        "images/04.jpg': an empty file",
        "depths/07.png': 60x40 (rows x columns), but its picture",
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
        (1e-6, "median depth 2.5e-06 m: give --config.data.folder.depth_scale=METRES per unit"),
    ],
)
def test_an_implausible_unit_is_an_error(own, factor, message):
    for file in sorted((own / "depths").iterdir()):
        np.save(file.with_suffix(".npy"), np.asarray(Image.open(file)) / 1000 * factor)
        file.unlink()
    report = check(own)
    assert len(report.errors) == (message is not None)
    assert message is None or message in report.errors[0]


def test_advice_is_a_flag_of_the_command(own, tmp_path):
    for file in (own / "depths").iterdir():
        np.save(file.with_suffix(".npy"), np.asarray(Image.open(file)).astype(np.float32))
        file.unlink()
    done = prepare("check", own, f"--output={tmp_path}/sheet.png")
    assert done.returncode == 1 and "millimetres? give --depth_scale=0.001 (read with 1)" in done.stdout


def test_one_bad_file_does_not_end_the_check(own):
    """A changed byte in numpy's header, where the parser raises an error of its own."""
    depth = np.asarray(Image.open(own / "depths/02.png"))
    (own / "depths/02.png").unlink()
    np.save(own / "depths/02.npy", depth)
    data = bytearray((own / "depths/02.npy").read_bytes())
    data[data.index(b"(40")] = ord("[")
    (own / "depths/02.npy").write_bytes(data)
    report = check(own)
    assert len(report.errors) == 1 and "depths/02.npy': not a whole .npy file" in report.errors[0]
    assert "sizes: 19 pictures" in str(report)


def test_turned_pictures_are_told_and_doubtful_ones_refused(own):
    """Depth has 40x60 pixels. A phone held upright stores its picture lying, and may store its depth in either way."""
    exif = Image.Exif()
    for i, orientation in ((3, 6), (4, 8), (5, 3)):
        exif[0x0112] = orientation
        with Image.open(own / f"images/{i:02d}.jpg") as picture:
            stored = picture.transpose(Image.Transpose.ROTATE_90) if orientation != 3 else picture
            stored.save(own / f"images/{i:02d}.jpg", exif=exif)
    depth = Image.open(own / "depths/04.png").transpose(Image.Transpose.ROTATE_90)
    depth.save(own / "depths/04.png")
    report = check(own)
    assert "EXIF orientation: 2 pictures and 1 depths are turned upright" in report.lines
    (error,) = report.errors
    assert "images/05.jpg': EXIF orientation 3, but its depth has none and would fit turned or not" in error


def test_metres_in_integers_are_recognised(own):
    for file in (own / "depths").iterdir():
        Image.fromarray(np.full((40, 60), 3, np.uint16)).save(file)
    (error,) = check(own).errors
    assert "median depth 0.003 m: metres? give --config.data.folder.depth_scale=1 " in error


def test_invalid_pixels_and_single_frames_in_another_unit_are_reported(own):
    depth = np.full((40, 60), 2.0)
    depth[:4], depth[4:8], depth[8:12], depth[12:16] = np.nan, np.inf, -1, 0  # a tenth each
    (own / "depths/02.png").unlink()
    np.save(own / "depths/02.npy", depth)
    (own / "depths/03.png").unlink()
    np.save(own / "depths/03.npy", np.linspace(1500.0, 2500.0, 2400).reshape(40, 60))
    report = check(own)
    assert not report.errors
    text = str(report)
    assert (
        "at most 100.0% in a frame" in text
        and "beyond 10 m 5.0%" in text
        and "NaN 0.5%, infinite 0.5%, negative 0.5%" in text
    )
    assert "warning: the median is outside 0.1 to 100 m in 1 frames, first in 03" in text
    assert "one unit is 0.001 m and 1 m" in text


def test_frames_without_depth_are_reported(own):
    Image.fromarray(np.zeros((40, 60), np.uint16)).save(own / "depths/00.png")
    assert "warning: frames without valid depth: 1" in str(check(own, sheet=own / "sheet.png"))
    assert (own / "sheet.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "error: config.data.path='nowhere': no such folder"),
        (["."], "error: config.data.path='.': no pairs among 0 pictures"),
        (["own", "--output=file/sheet.png"], "error: "),
        (["own", "--depth_scale=-1"], "error: config.data.folder.depth_scale=-1.0: expected metres"),
        (["own", "--image=images/a.jpg"], "error: config.data.folder.image='images/a.jpg': expected a path inside"),
    ],
)
def test_user_errors_end_in_one_line(own, tmp_path, arguments, message):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    done = prepare("check", *arguments, cwd=tmp_path / "empty" if arguments == ["."] else tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith(message)
    assert not (tmp_path / "contact_sheet.png").exists()


def test_every_line_stays_a_line_whatever_names_hold(own, tmp_path):
    own = own.rename(tmp_path / "new\nfolder")
    (own / "depths/03.png").rename(own / "depths/red\x1b[31m\n.png")
    for part, end in (("images", "jpg"), ("depths", "png")):
        (own / f"{part}/05.{end}").rename(own / f"{part}/deep\n.{end}")
    Image.fromarray(np.full((40, 60), 5, np.uint16)).save(own / "depths/deep\n.png")
    report = check(own)
    assert not any("\n" in line or "\x1b" in line for line in report.lines + report.errors)
    assert report.lines[0].startswith(f"19 pairs in {tmp_path}/new\\nfolder: ")
    assert report.errors[1] == "1 depths without a picture at images/*: red\\x1b[31m\\n"
    assert "first in deep\\n" in str(report)


def test_a_full_disk_leaves_no_part_of_a_sheet(own, tmp_path):
    """A limit on file sizes stands for a full disk."""
    line = f"ulimit -f 20; exec {sys.executable} {LAUNCH} check {own}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=ENVIRONMENT, cwd=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1] == "error: [Errno 27] File too large: 'contact_sheet.png'"
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


def test_the_check_imports_neither_jax_nor_tensorflow():
    script = "import sys, jaxdepth.prepare.check; assert not {'jax', 'tensorflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
