"""KITTI as a test set: Eigen's split from lists of either form, and the benchmark's validation selection."""

import numpy as np
import pytest
from PIL import Image
from tiny_sets import kitti_set

from jaxdepth.data.sources import testsets
from jaxdepth.errors import InputError

DRIVE = "2011_09_26_drive_0002_sync"
OTHER = "2011_10_03_drive_0027_sync"


def check(found, expected):
    """Every frame against an independent reading of its files and what was written."""
    assert [example.name for example in found.examples] == list(expected)
    for example in found.examples:
        picture, depth, camera = expected[example.name]
        assert np.array_equal(found.read_image(example), picture)
        with Image.open(example.depth) as png:
            codes = np.asarray(png).astype(np.float64)
        assert codes.max() > 80 * 256  # more than the usual cap, which the reader does not apply
        read = found.read_depth(example)
        assert read.dtype == np.float32 and np.array_equal(read, depth) and np.array_equal(read, codes / 256)
        assert example.size == depth.shape
        np.testing.assert_allclose(example.camera, camera)


@pytest.fixture
def written(tmp_path):
    return kitti_set.write(tmp_path)


def test_reads_the_pictures_with_truth_of_eigens_split(tmp_path, written):
    found = testsets.KINDS["kitti"].find(tmp_path)
    check(found, written)
    assert {example.size for example in found.examples} == {(375, 1242), (376, 1241)}
    assert [example.scene for example in found.examples] == [DRIVE, DRIVE, OTHER]
    assert found.notes == ("1 of the 4 listed pictures left out: the benchmark has no truth for them",)


def lines_of_bts(dates):
    for drive, (_, _, camera, numbers, without) in kitti_set.DRIVES.items():
        for number in without + numbers:
            file = f"{number:010d}.png"
            truth = "None" if number in without else f"{drive}/proj_depth/groundtruth/image_02/{file}"
            date = f"{drive[:10]}/" if dates else ""
            yield f"{date}{drive}/image_02/data/{file} {truth} {float(camera.split()[0]):.4f}"


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("eigen_test_files_with_gt.txt", list(lines_of_bts(dates=True))),
        ("kitti_eigen_test_files_with_gt.txt", list(lines_of_bts(dates=False))),
        ("test_files_eigen.txt", [line.split()[0] for line in lines_of_bts(dates=True)]),
        ("kitti_eigen_test.txt", [" ".join(line.split()[:2]) for line in lines_of_bts(dates=True)]),
        ("test_files.txt", [f"2011_09_26/{DRIVE} 0 l", f"2011_09_26/{DRIVE} 54 l", f"2011_09_26/{DRIVE} 69 l",
                            f"2011_10_03/{OTHER} 362 l"]),
    ],
)  # fmt: skip
def test_lists_of_every_form_name_the_same_pictures(tmp_path, written, name, lines):
    (tmp_path / "test_files.txt").unlink()
    (tmp_path / name).write_text("\n".join(lines))
    check(testsets.KINDS["kitti"].find(tmp_path), written)


@pytest.mark.parametrize(("raw", "truth"), [("", ""), ("raw", "gts"), ("kitti_raw", "data_depth_annotated/val")])
def test_raw_data_and_truth_may_lie_side_by_side_or_deeper(tmp_path, written, raw, truth):
    (tmp_path / raw).mkdir(exist_ok=True)
    (tmp_path / truth).mkdir(exist_ok=True)
    for drive, (part, *_) in kitti_set.DRIVES.items():
        if part != truth.rpartition("/")[2]:
            (tmp_path / "data_depth_annotated" / part / drive).rename(tmp_path / truth / drive)
        if raw:
            (tmp_path / drive[:10]).rename(tmp_path / raw / drive[:10])
    check(testsets.KINDS["kitti"].find(tmp_path), written)


def test_truth_may_lie_inside_the_raw_drives(tmp_path, written):
    for drive, (part, *_) in kitti_set.DRIVES.items():
        truth = tmp_path / "data_depth_annotated" / part / drive / "proj_depth"
        truth.rename(tmp_path / drive[:10] / drive / "proj_depth")
    check(testsets.KINDS["kitti"].find(tmp_path), written)


def test_pictures_may_be_jpeg(tmp_path, written):
    for file in (tmp_path / "2011_09_26" / DRIVE / "image_02" / "data").glob("*.png"):
        with Image.open(file) as picture:
            picture.save(file.with_suffix(".jpg"), quality=95)
        file.unlink()
    found = testsets.KINDS["kitti"].find(tmp_path)
    assert [example.picture.suffix for example in found.examples] == [".jpg", ".jpg", ".png"]
    assert [example.name for example in found.examples] == list(written)
    picture = found.read_image(found.examples[0])
    assert abs(picture.astype(int) - written[found.examples[0].name][0]).mean() < 3


def test_a_date_without_calibration_has_no_camera(tmp_path, written):
    (tmp_path / "2011_09_26" / "calib_cam_to_cam.txt").unlink()
    found = testsets.KINDS["kitti"].find(tmp_path)
    assert [example.camera is None for example in found.examples] == [True, True, False]
    assert found.notes[1] == "2 pictures without a camera: no calib_cam_to_cam.txt in the folder of their date"


def unlink(file):
    return lambda folder: (folder / file).unlink()


def append(file, line):
    return lambda folder: (folder / file).write_text((folder / file).read_text() + line + "\n")


def calibration(text):
    return lambda folder: (folder / "2011_09_26" / "calib_cam_to_cam.txt").write_text(text)


def small_picture(folder):
    kitti_set.save(folder / f"2011_09_26/{DRIVE}/image_02/data/0000000054.png", np.zeros((352, 1216, 3), np.uint8))


def without_truth_of(drive):
    def change(folder):
        kitti_set.truth_file(folder / "data_depth_annotated/val", drive, 54).parent.rename(folder / "away")

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (unlink("test_files.txt"), "no list of Eigen's test pictures: expected one of test_files.txt, .*monodepth2"),
        (append("test_files.txt", f"2011_09_26/{DRIVE} 54"), "line .*0002_sync 54': expected DATE/DRIVE NUMBER l"),
        (append("test_files.txt", f"2011_09_26/{DRIVE} 54 r"), "0002_sync 54 r': expected"),
        (append("test_files.txt", f"2011_09_26/{DRIVE} 54 l"), "0002_sync/0000000054 is listed 2 times"),
        (append("test_files.txt", "2011_09_26/2011_09_26_drive_0009_sync 16 l"),
         "no 2011_09_26/2011_09_26_drive_0009_sync/image_02/data: expected raw data"),
        (without_truth_of(DRIVE), f"no {DRIVE}/proj_depth/groundtruth/image_02: expected"),
        (unlink(f"2011_09_26/{DRIVE}/image_02/data/0000000054.png"),
         r"no 2011_09_26/.*/0000000054.png \(1 files are missing\)"),
        (small_picture, "0000000054.png: 1216x352 pixels: expected 1242x375, the size of the truth"),
        (calibration("S_rect_02: 1 2"), "no line P_rect_02"),
        (calibration("P_rect_02: 1 2 3"),
         "calib_cam_to_cam.txt: not a camera matrix: expected 3x4 numbers"),
        (lambda folder: (folder / "test_files.txt").write_text("\n"), "test_files.txt: no lines"),
        (lambda folder: (folder / "test_files.txt").write_bytes(b"\xff\xfe\x00"), "test_files.txt: not a text"),
    ],
)  # fmt: skip
def test_another_layout_is_refused(tmp_path, written, change, message):
    change(tmp_path)
    with pytest.raises(InputError, match=message) as raised:
        testsets.KINDS["kitti"].find(tmp_path)
    assert "\n" not in str(raised.value)


def test_a_list_that_names_a_missing_truth_is_refused(tmp_path, written):
    (tmp_path / "test_files.txt").unlink()
    (tmp_path / "eigen_test_files_with_gt.txt").write_text("\n".join(lines_of_bts(dates=True)))
    kitti_set.truth_file(tmp_path / "data_depth_annotated" / "val", DRIVE, 54).unlink()
    with pytest.raises(InputError, match=r"image_02/0000000054.png \(1 files are missing\)"):
        testsets.KINDS["kitti"].find(tmp_path)


def test_a_damaged_truth_names_its_file(tmp_path, written):
    found = testsets.KINDS["kitti"].find(tmp_path)
    file = found.examples[0].depth
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(InputError, match="0000000054.png"):
        found.read_depth(found.examples[0])
    kitti_set.save(file, np.ones((10, 20), np.uint16))
    with pytest.raises(InputError, match="0000000054.png: depth of 20x10 pixels: expected 1242x375"):
        found.read_depth(found.examples[0])


@pytest.mark.parametrize("kind", ["kitti", "kitti_velodyne", "kitti_selection", "scannet", "tum_rgbd"])
def test_a_missing_folder_is_named(tmp_path, kind):
    with pytest.raises(FileNotFoundError, match="nowhere.*: no such folder: expected"):
        testsets.KINDS[kind].find(tmp_path / "nowhere")


@pytest.mark.parametrize("inner", ["", "depth_selection", "depth_selection/val_selection_cropped"])
def test_reads_the_validation_selection(tmp_path, inner):
    expected = kitti_set.write_selection(tmp_path)
    found = testsets.KINDS["kitti_selection"].find(tmp_path / inner)
    check(found, expected)
    assert {example.size for example in found.examples} == {(352, 1216)}
    assert [example.scene for example in found.examples] == [DRIVE, "2011_09_26_drive_0005_sync"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "intrinsics").rename(folder / "cameras"), "no image in it|no intrinsics in it"),
        (lambda folder: next((folder / "groundtruth_depth").iterdir()).unlink(),
         r"no groundtruth_depth/.*_sync_groundtruth_depth_.* \(1 files are missing\)"),
        (lambda folder: next((folder / "intrinsics").iterdir()).unlink(), r"no intrinsics/.*txt \(1 files"),
        (lambda folder: next((folder / "intrinsics").iterdir()).write_text("1 2"), "not a camera matrix: expected 3x3"),
        (lambda folder: next((folder / "image").iterdir()).rename(folder / "image" / "a.png"),
         "image/a.png: expected names as DRIVE_image_"),
        (lambda folder: [file.unlink() for file in (folder / "image").iterdir()], "no image/"),
    ],
)  # fmt: skip
def test_another_layout_of_the_selection_is_refused(tmp_path, change, message):
    kitti_set.write_selection(tmp_path)
    change(tmp_path / "depth_selection" / "val_selection_cropped")
    with pytest.raises(InputError, match=message):
        testsets.KINDS["kitti_selection"].find(tmp_path)


@pytest.fixture
def scans(tmp_path):
    return kitti_set.write_velodyne(tmp_path / "set")


def test_reads_all_pictures_of_eigens_split_with_one_scan(tmp_path, scans):
    found = testsets.KINDS["kitti_velodyne"].find(tmp_path / "set")
    assert [example.name for example in found.examples] == list(scans) and len(scans) == 4 and found.notes == ()
    for example in found.examples:
        picture, depth, camera = scans[example.name]
        assert np.array_equal(found.read_image(example), picture)
        read = found.read_depth(example)
        assert read.dtype == np.float32 and read.shape == example.size == depth.shape
        assert np.array_equal(read > 0, depth > 0) and (read > 0).sum() > 500 and read.max() > 80
        np.testing.assert_allclose(read, depth, rtol=1e-6)
        np.testing.assert_allclose(example.camera, camera)


def test_the_nearest_point_of_a_pixel_counts_and_none_from_behind(tmp_path, scans):
    """By hand: with both cameras at the scanner, a point ahead is at the principal point, less 1."""
    date = tmp_path / "set" / "2011_09_26"
    (date / "calib_velo_to_cam.txt").write_text("R: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 0\n")
    (date / "calib_cam_to_cam.txt").write_text(
        "S_rect_02: 1242 375\nR_rect_00: 1 0 0 0 1 0 0 0 1\nP_rect_02: 700 0 600 0 0 700 180 0 0 0 1 0\n"
    )
    points = [(20, 0, 0, 0), (10, 0, 0, 0), (30, 0, 0, 0), (-5, 0, 0, 0), (7, 1, 0, 0), (7, 0, -1, 0), (7, 90, 0, 0)]
    scan = date / DRIVE / "velodyne_points/data/0000000054.bin"
    np.array(points, np.float32).tofile(scan)
    found = testsets.KINDS["kitti_velodyne"].find(tmp_path / "set")
    depth = found.read_depth(next(example for example in found.examples if example.depth == scan))
    assert {(int(row), int(column)): depth[row, column] for row, column in zip(*np.nonzero(depth), strict=True)} == {
        (179, 599): 10.0,  # ahead
        (179, 499): 7.0,  # a metre to the left
        (279, 599): 7.0,  # a metre below
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (unlink("2011_09_26/calib_velo_to_cam.txt"), r"no 2011_09_26/calib_velo_to_cam.txt \(1 files are missing\)"),
        (unlink("2011_09_26/calib_cam_to_cam.txt"), r"no 2011_09_26/calib_cam_to_cam.txt \(1 files are missing\)"),
        (unlink(f"2011_09_26/{DRIVE}/velodyne_points/data/0000000000.bin"),
         r"no .*/velodyne_points/data/0000000000.bin \(1 files are missing\)"),
        (unlink(f"2011_09_26/{DRIVE}/image_02/data/0000000000.png"), r"no .*/image_02/data/0000000000.png \(1 files"),
        (unlink("test_files.txt"), "no list of Eigen's test pictures"),
        (calibration("S_rect_02: 1242 375\nP_rect_02: 1 0 0 0 0 1 0 0 0 0 1 0"), "no R_rect_00 of 3x3 numbers"),
        (calibration("S_rect_02: a b\nR_rect_00: 1 0 0 0 1 0 0 0 1\nP_rect_02: 1 0 0 0 0 1 0 0 0 0 1 0"),
         "no S_rect_02 of 2 numbers: expected KITTI's calib_cam_to_cam.txt"),
        (small_picture, "0000000054.png: 1216x352 pixels: expected 1242x375"),
    ],
)  # fmt: skip
def test_another_layout_of_scans_is_refused(tmp_path, scans, change, message):
    change(tmp_path / "set")
    with pytest.raises(InputError, match=message):
        testsets.KINDS["kitti_velodyne"].find(tmp_path / "set")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes: expected points of 4 float32 each"),
        (b"abc", "3 bytes"),
        (np.full(4, np.nan, np.float32).tobytes(), "not finite"),
    ],
)
def test_a_damaged_scan_names_its_file(tmp_path, scans, data, message):
    found = testsets.KINDS["kitti_velodyne"].find(tmp_path / "set")
    found.examples[0].depth.write_bytes(data)
    with pytest.raises(InputError, match=f"0000000000.bin: .*{message}"):
        found.read_depth(found.examples[0])
