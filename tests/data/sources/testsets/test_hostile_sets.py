"""What strangers' test sets may hold: each mistake is one line that names it, for every set in which it can be made."""

import functools

import numpy as np
import pytest
import scipy.io
from PIL import Image
from tiny_sets import diode_set, hypersim_set, ibims_set, kitti_set, scannet_set, sun_rgbd_set, tum_set

from jaxdepth.data.sources.testsets import KINDS, hypersim, ibims
from jaxdepth.data.sources.testsets.frames import open_testset
from jaxdepth.errors import InputError
from jaxdepth.prepare import check_testset

RAW = "ibims1_core_raw"
SELECTION = "depth_selection/val_selection_cropped"
DESK = "rgbd_dataset_freiburg1_desk"
SAMPLE = "scannet_val_sampled_list_800_1.txt"
SAMPLED = "scannet_frames_25k/scene0000_00/color/000000.jpg scannet_frames_25k/scene0000_00/depth/000000.png\n"
IMAGE = ("ai_003_010", "cam_00", 0, "True", "", "test")
SPLIT = hypersim.SPLIT


def same_file_twice(folder):
    (folder / DESK / "rgb.txt").write_text("1.0 rgb/1305031453.095000.png\n2.0 rgb/1305031453.095000.png\n")
    (folder / DESK / "depth.txt").write_text("1.0 depth/1305031453.100000.png\n2.0 depth/1305031453.100000.png\n")


TWICE = {
    "ibims": (ibims_set.write, lambda folder: (folder / "imagelist.txt").write_text(2 * "corridor_10\r\n")),
    "hypersim": (hypersim_set.write, lambda folder: hypersim_set.write_split(folder / SPLIT, [IMAGE, IMAGE])),
    "scannet": (scannet_set.write, lambda folder: (folder / SAMPLE).write_text(2 * SAMPLED)),
    "tum_rgbd": (tum_set.write, same_file_twice),
}


@pytest.mark.parametrize("kind", TWICE)
def test_a_picture_that_is_there_twice_is_named(kind, tmp_path):
    """Files of predictions could not tell them apart, and one would count twice in the mean."""
    write, change = TWICE[kind]
    write(tmp_path)
    change(tmp_path)
    with pytest.raises(InputError, match="is there 2 times: expected each picture once"):
        KINDS[kind].find(tmp_path)


def without_pictures(kind, folder):
    if kind == "ibims":
        ibims_set.write(folder)
        (folder / "imagelist.txt").write_text("")
    elif kind == "scannet":
        scannet_set.write(folder)
        (folder / SAMPLE).write_text("")
    else:
        kitti_set.write(folder)
        (folder / "test_files.txt").write_text("2011_09_26/2011_09_26_drive_0002_sync 0000000000 l\n")


@pytest.mark.parametrize("kind", ["ibims", "scannet", "kitti"])
def test_a_set_without_pictures_is_refused_by_the_check_too(kind, tmp_path):
    without_pictures(kind, tmp_path)
    with pytest.raises(InputError, match="no pictures to score"):
        check_testset.check(kind, tmp_path)


def test_an_empty_list_of_scenes_is_named(tmp_path):
    scannet_set.write(tmp_path)
    (tmp_path / "scannetv2_val.txt").write_text("")
    with pytest.raises(InputError, match="scannetv2_val.txt: no lines: expected names of scenes"):
        KINDS["scannet"].find(tmp_path)


ODD = "a\x1b[31m"
NAMES = {
    "ibims": (functools.partial(ibims_set.write, raw=True), f"{RAW}/rgb/{ODD}.png"),
    "diode_indoor": (diode_set.write, f"val/indoors/scene_00019/scan_00183/{ODD}.png"),
    "kitti_selection": (kitti_set.write_selection, f"{SELECTION}/image/{ODD}.png"),
    "scannet": (scannet_set.write, f"scannet_frames_25k/scene0011_00/color/{ODD}.jpg"),
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_that_would_change_the_terminal_are_escaped(kind, tmp_path):
    write, name = NAMES[kind]
    write(tmp_path)
    (tmp_path / "imagelist.txt").unlink(missing_ok=True)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError) as raised:
        KINDS[kind].find(tmp_path)
    assert str(raised.value).isprintable() and r"a\x1b[31m" in str(raised.value)


def test_names_in_a_list_are_escaped(tmp_path):
    sun_rgbd_set.write(tmp_path)
    sun_rgbd_set.write_list(tmp_path, [f"/n/fs/sun3d/data/SUNRGBD/kv1/{ODD}"])
    with pytest.raises(InputError) as raised:
        KINDS["sun_rgbd_all"].find(tmp_path)
    assert str(raised.value).isprintable()


HIDDEN = {
    "ibims raw": (functools.partial(ibims_set.write, raw=True), f"{RAW}/rgb/._corridor_10.png"),
    "ibims": (ibims_set.write, "ibims1_core_mat/._corridor_10.mat"),
    "kitti_selection": (kitti_set.write_selection, f"{SELECTION}/image/._2011_sync_image_0000000005_image_02.png"),
    "scannet": (scannet_set.write, "scannet_frames_25k/scene0011_00/color/._000100.jpg"),
}


@pytest.mark.parametrize("kind", HIDDEN)
def test_hidden_files_of_other_systems_do_not_count(kind, tmp_path):
    write, name = HIDDEN[kind]
    expected = write(tmp_path)
    (tmp_path / "imagelist.txt").unlink(missing_ok=True)
    (tmp_path / name).write_bytes(b"Mac OS X")
    assert {example.name for example in KINDS[kind.split()[0]].find(tmp_path).examples} == set(expected)


CODES = {
    "ibims": (functools.partial(ibims_set.write, raw=True), f"{RAW}/depth/corridor_10.png"),
    "kitti": (kitti_set.write, "data_depth_annotated/val/*0002*/proj_depth/groundtruth/image_02/0000000054.png"),
    "kitti_selection": (kitti_set.write_selection, f"{SELECTION}/groundtruth_depth/*0002*.png"),
    "scannet": (scannet_set.write, "scannet_frames_25k/scene0011_00/depth/000100.png"),
    "tum_rgbd": (tum_set.write, f"{DESK}/depth/1305031453.100000.png"),
}


@pytest.mark.parametrize("kind", CODES)
def test_depth_that_was_saved_in_8_bits_is_refused_by_name(kind, tmp_path):
    """Read as codes, it would be depth of a few centimetres."""
    write, pattern = CODES[kind]
    write(tmp_path)
    (file,) = tmp_path.glob(pattern)
    with Image.open(file) as opened:
        size = opened.size
    Image.new("L", size, 20).save(file)
    (error,) = check_testset.check(kind, tmp_path).errors
    assert file.name in error and "mode L: expected one channel of 16 bits" in error


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("scene_name", "/tmp"),
        ("scene_name", ""),
        ("scene_name", "ai_003_010/../ai_003_010"),
        ("camera_name", "../../x"),
        ("frame_id", "1" * 5000),
    ],
)
def test_hypersims_names_lead_nowhere_else(column, value, tmp_path):
    """Predictions are written under these names."""
    hypersim_set.write(tmp_path)
    row = list(IMAGE)
    row[("scene_name", "camera_name", "frame_id").index(column)] = value
    hypersim_set.write_split(tmp_path / SPLIT, [row])
    with pytest.raises(InputError, match=f"line 2: {column}=.*: expected a n"):
        KINDS["hypersim"].find(tmp_path)


def test_a_huge_camera_is_none(tmp_path):
    hypersim_set.write(tmp_path)
    huge = (1e300, 0, 0, 0, 1e300, 0, 0, 0, -1e300)
    hypersim_set.write_cameras(tmp_path / hypersim.CAMERAS, dict.fromkeys(hypersim_set.MATRICES, huge))
    with pytest.raises(InputError, match="line 2: M_cam_from_uv is no camera"):
        KINDS["hypersim"].find(tmp_path)


def test_an_entry_that_is_the_folder_itself_is_refused(tmp_path):
    tum_set.write(tmp_path)
    for name in ("rgb.txt", "depth.txt"):
        (tmp_path / DESK / name).write_text("1.0 .\n")
    with pytest.raises(InputError, match="rgb.txt: .: expected a path inside"):
        KINDS["tum_rgbd"].find(tmp_path)


def change_mat(folder, **fields):
    """Writes a .mat file with other fields; those that are None are left out."""
    content = ibims_set.content("corridor_10") | {"calib": np.eye(3)} | fields
    kept = {name: value for name, value in content.items() if value is not None}
    scipy.io.savemat(folder / "ibims1_core_mat" / "corridor_10.mat", {"data": kept})
    ibims._mat.cache_clear()


@pytest.mark.parametrize(
    "camera", ["fx", np.array([["a", 1]], object), 1j * np.eye(3), np.full((3, 3), np.nan), -np.eye(3), np.eye(4)]
)
def test_a_mat_file_without_a_camera_is_named(camera, tmp_path):
    ibims_set.write(tmp_path)
    change_mat(tmp_path, calib=camera)
    with pytest.raises(InputError, match="corridor_10.mat: (not a camera|field .calib. is missing)"):
        KINDS["ibims"].find(tmp_path)


def test_a_mat_file_without_annotations_is_an_error_of_the_check(tmp_path):
    """Evaluation reads them of every picture."""
    ibims_set.write(tmp_path)
    change_mat(tmp_path, edges=None)
    (error,) = check_testset.check("ibims", tmp_path).errors
    assert "corridor_10.mat: field 'edges' is missing" in error


def test_a_picture_of_another_shape_than_its_truth_is_named(tmp_path):
    ibims_set.write(tmp_path, raw=True)
    Image.new("RGB", (640, 400)).save(tmp_path / RAW / "rgb" / "corridor_10.png")
    told = "corridor_10.png: 640x400 pixels: expected the shape of its truth, 640x480"
    (error,) = check_testset.check("ibims", tmp_path).errors
    assert told in error
    with pytest.raises(InputError, match=told):
        open_testset("ibims", tmp_path).images[0]
    Image.new("RGB", (1296, 968)).save(tmp_path / RAW / "rgb" / "corridor_10.png")  # ScanNet's, beside 640x480
    assert not check_testset.check("ibims", tmp_path).errors


def test_a_list_in_another_encoding_is_named(tmp_path):
    ibims_set.write(tmp_path)
    (tmp_path / "imagelist.txt").write_bytes("corridor_10\r\n".encode("utf-16"))
    with pytest.raises(InputError, match="imagelist.txt: not a text: expected lines of text$"):
        KINDS["ibims"].find(tmp_path)
