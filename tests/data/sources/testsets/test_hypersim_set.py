"""Hypersim: its split, distances turned into depth by plain, shifted and tilted cameras, and what bad files get."""

import pathlib
import shutil

import h5py
import numpy as np
import pytest
from tiny_sets import hypersim_set

from jaxdepth.data.sources import testsets
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import rays64

KIND = testsets.KINDS["hypersim"]
SPLIT, CAMERAS = "metadata_images_split_scene_v1.csv", "metadata_camera_parameters.csv"
NO_CAMERAS = f"no {CAMERAS}: the default camera for every scene"
OWN_CAMERAS = f"cameras of {CAMERAS}; others score with the default camera"
TILTED = "ai_045_005"


@pytest.fixture(scope="module", params=[False, True], ids=["default camera", "own cameras"])
def made(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hypersim")
    return folder, hypersim_set.write(folder, cameras=request.param), request.param


@pytest.fixture(scope="module")
def with_cameras(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cameras")
    hypersim_set.write(folder, cameras=True)
    return folder


@pytest.fixture
def damaged(with_cameras, tmp_path):
    """A copy of the set with cameras, to be damaged."""
    return pathlib.Path(shutil.copytree(with_cameras, tmp_path / "copy"))


def test_pictures_depths_and_cameras_are_those_of_the_files(made):
    folder, expected, cameras = made
    found = KIND.find(folder)
    assert [example.name for example in found.examples] == list(expected)
    assert found.notes == ((OWN_CAMERAS if cameras else NO_CAMERAS),)
    for example, (picture, depth, camera) in zip(found.examples, expected.values(), strict=True):
        assert example.size == (768, 1024) and example.scene == example.name[:10]
        np.testing.assert_allclose(example.camera, camera, rtol=1e-7, atol=1e-6)
        np.testing.assert_array_equal(found.read_image(example), picture)
        read = found.read_depth(example)
        assert read.dtype == np.float32 and not read[3, 5:9].any() and (read == 0).sum() == 4
        np.testing.assert_allclose(read, depth, rtol=1e-6)


def test_the_default_camera_is_sixty_degrees_wide(with_cameras):
    camera = KIND.find(with_cameras).examples[0].camera
    np.testing.assert_allclose(camera, (512 / np.tan(np.pi / 6),) * 2 + (511.5, 383.5), rtol=1e-6)
    np.testing.assert_allclose(camera, hypersim_set.CAMERA, rtol=1e-6)


def test_points_of_the_depth_are_at_the_distances_of_the_file(made):
    """Whatever the camera, the point of a pixel is as far away as the file says."""
    found = KIND.find(made[0])
    for example in found.examples:
        points = found.read_depth(example)[..., None] * rays64(example.camera, example.size)
        with h5py.File(example.depth) as file:
            metres = file["dataset"][:].astype(np.float64)
        np.testing.assert_allclose(np.linalg.norm(points, axis=-1), np.where(np.isfinite(metres), metres, 0), rtol=1e-6)


def test_a_tilted_camera_sees_angles_as_the_authors_matrix_has_them(with_cameras):
    example = next(example for example in KIND.find(with_cameras).examples if example.scene == TILTED)
    matrix = np.reshape(hypersim_set.MATRICES[TILTED], (3, 3))
    uv = np.array([[1 / 1024 - 1, 1 - 1 / 768, 1], [0, 0, 1], [1 - 1 / 1024, 1 / 768 - 1, 1]])  # corners and middle
    theirs = uv @ matrix.T
    x, y = (uv[:, 0] + 1) * 512 - 0.5, (1 - uv[:, 1]) * 384 - 0.5
    camera = example.camera
    ours = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones(3)], axis=-1)
    theirs, ours = (rays / np.linalg.norm(rays, axis=-1, keepdims=True) for rays in (theirs, ours))
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-9)


def test_a_camera_tilted_both_ways_has_exact_depth_but_no_intrinsics(damaged):
    matrix = (0.5859437528679, 0, 0, 0, 0.4354028775375, 0, -0.0585943761599, -0.07401848995993, -1.018256062290)
    hypersim_set.write_cameras(damaged / CAMERAS, hypersim_set.MATRICES | {TILTED: matrix})  # of ai_044_004
    found = KIND.find(damaged)
    assert found.notes[1:] == ("1 images without a pinhole camera: their scenes' image planes are sheared",)
    example = found.examples[-1]
    assert example.camera is None and all(other.camera for other in found.examples[:-1])
    with h5py.File(example.depth) as file:
        depth, _ = hypersim_set.depth(file["dataset"][:], matrix)
    np.testing.assert_allclose(found.read_depth(example), depth, rtol=1e-6)


def test_scenes_that_are_not_there_are_left_out_and_counted(damaged):
    shutil.rmtree(damaged / "ai_003_010")
    found = KIND.find(damaged)
    assert [example.scene for example in found.examples] == ["ai_044_002", TILTED]
    assert found.notes == ("2 of 4 images left out: of scenes that are not there (1)", OWN_CAMERAS)


def test_images_that_are_not_public_do_not_count_in_any_partition(damaged):
    hidden = [("ai_003_010", "cam_00", 2, "False", "CONTENT FLAGGED FOR REMOVAL", "test")]
    hypersim_set.write_split(damaged / SPLIT, [*hypersim_set.IMAGES, *hidden])
    assert len(KIND.find(damaged).examples) == 4


@pytest.mark.parametrize("scenes", ["evermotion_dataset/scenes", "scenes"])
def test_the_authors_own_folders_are_found(damaged, tmp_path, scenes):
    root = tmp_path / "root"
    analysis = (root / scenes).parent / "analysis"
    analysis.mkdir(parents=True)
    for name in (SPLIT, CAMERAS):
        (damaged / name).rename(analysis / name)
    damaged.rename(root / scenes)
    for path in (root, root / scenes):
        found = KIND.find(path)
        assert len(found.examples) == 4 and found.notes == (OWN_CAMERAS,)
        assert found.examples[0].name.startswith("ai_003_010/images/")


def test_wrong_layouts_say_what_is_expected(tmp_path, damaged):
    with pytest.raises(FileNotFoundError, match="no such folder: expected ai_VVV_NNN/images with scene_cam_XX"):
        KIND.find(tmp_path / "none")
    for scene in hypersim_set.MATRICES:
        shutil.rmtree(damaged / scene)
    with pytest.raises(InputError, match="copy: no scene of the test partition, such as ai_003_010: expected ai_VVV"):
        KIND.find(damaged)
    (damaged / SPLIT).unlink()
    with pytest.raises(InputError, match=f"copy: no {SPLIT} in it: expected the file of ml-hypersim's evermotion"):
        KIND.find(damaged)


@pytest.mark.parametrize(
    "inner", ["final_preview/frame.0012.tonemap.jpg", "geometry_hdf5/frame.0012.depth_meters.hdf5"]
)
def test_a_missing_file_of_a_scene_that_is_there_is_named(damaged, inner):
    (damaged / f"ai_003_010/images/scene_cam_01_{inner}").unlink()
    with pytest.raises(InputError, match=rf"copy: no ai_003_010/images/scene_cam_01_{inner} \(1 files are missing\)"):
        KIND.find(damaged)


SPLITS = {
    "cut off": ("scene_name,camera_name,frame_id\n", "no column included_in_public_release: expected columns scene"),
    "a cut line": ("{header}\nai_003_010,cam", "line 2: cut off: expected columns scene_name, camera_name"),
    "no number": ("{header}\nai_003_010,cam_00,x,True,,test\n", "line 2: frame_id='x': expected a number"),
    "no test": ("{header}\nai_003_010,cam_00,1,True,,train\n", "no image of the test partition: expected 7,690"),
    "empty": ("", "no column scene_name"),
}


@pytest.mark.parametrize("text, message", SPLITS.values(), ids=SPLITS)
def test_a_split_that_is_none_is_refused(damaged, text, message):
    header = (damaged / SPLIT).read_text().splitlines()[0]
    (damaged / SPLIT).write_text(text.format(header=header))
    with pytest.raises(InputError, match=f"{SPLIT}.*{message}"):
        KIND.find(damaged)


@pytest.mark.parametrize("content", [b"\xff\xfe\x80", b"a" * 200_000], ids=["bytes", "one long line"])
def test_files_of_something_else_are_refused(damaged, content):
    for name in (CAMERAS, SPLIT):
        (damaged / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name}: not a table of text: expected columns scene_name"):
            KIND.find(damaged)


MATRICES = {
    "singular": (1, 0, 0, 1, 0, 0, 0, 0, -1),
    "mirrored": (-0.577, 0, 0, 0, 0.433, 0, 0, 0, -1),
    "no number": ("x", 0, 0, 0, 1, 0, 0, 0, -1),
    "infinite": ("inf", 0, 0, 0, 1, 0, 0, 0, -1),
}


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
def test_a_matrix_of_no_camera_is_refused(damaged, matrix):
    hypersim_set.write_cameras(damaged / CAMERAS, hypersim_set.MATRICES | {TILTED: matrix})
    with pytest.raises(InputError, match=f"{CAMERAS}, line 4: M_cam_from_uv is no camera .*: expected an invertible"):
        KIND.find(damaged)


def test_a_scene_without_its_camera_is_named(damaged):
    matrices = {scene: matrix for scene, matrix in hypersim_set.MATRICES.items() if scene != TILTED}
    hypersim_set.write_cameras(damaged / CAMERAS, matrices)
    with pytest.raises(InputError, match=f"{CAMERAS}: no camera of {TILTED}: expected one for each scene"):
        KIND.find(damaged)


def test_damaged_distances_are_refused_by_name(damaged):
    found = KIND.find(damaged)
    example = found.examples[0]
    content = example.depth.read_bytes()
    example.depth.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="frame.0000.depth_meters.hdf5: not a readable HDF5"):
        found.read_depth(example)
    example.depth.write_bytes(content[:-4000] + b"\0" * 4000)
    with pytest.raises(InputError, match="frame.0000.depth_meters.hdf5: array 'dataset' is damaged"):
        found.read_depth(example)


ARRAYS = {
    "another name": ("other", np.ones((768, 1024), np.float16), "no such array"),
    "another size": ("dataset", np.ones((384, 512), np.float16), r"shape \(384, 512\) and float16"),
    "integers": ("dataset", np.ones((768, 1024), np.int16), r"shape \(768, 1024\) and int16"),
}


@pytest.mark.parametrize("name, array, message", ARRAYS.values(), ids=ARRAYS)
def test_arrays_of_another_kind_are_refused_by_name(damaged, name, array, message):
    found = KIND.find(damaged)
    with h5py.File(found.examples[0].depth, "w") as file:
        file[name] = array
    with pytest.raises(InputError, match=f"frame.0000.depth_meters.hdf5: array 'dataset': {message}: expected dist"):
        found.read_depth(found.examples[0])
