"""iBims-1, written as its authors lay it out."""

import numpy as np
import pytest
from PIL import Image
from tiny_sets import ibims_set

from jaxdepth.data.sources.testsets import ibims
from jaxdepth.errors import InputError


@pytest.mark.parametrize("raw", [False, True])
def test_pictures_depths_and_cameras(tmp_path, raw):
    expected = ibims_set.write(tmp_path, raw=raw)
    found = ibims.find(tmp_path)
    assert [example.name for example in found.examples] == list(expected)
    assert [example.scene for example in found.examples] == ["corridor", "livingroom"]
    for example in found.examples:
        picture, depth, camera = expected[example.name]
        np.testing.assert_array_equal(found.read_image(example), picture)
        np.testing.assert_allclose(found.read_depth(example), depth, rtol=1e-6)
        assert found.read_depth(example).dtype == np.float32 and example.size == depth.shape
        assert example.camera == pytest.approx(camera)
        assert found.picture_size(example) == picture.shape[:2]
    assert (found.read_annotations is None) == raw
    assert bool(found.notes) == raw


def test_annotations_are_the_edges_and_each_plane(tmp_path):
    ibims_set.write(tmp_path)
    found = ibims.find(tmp_path / "ibims1_core_mat")  # or the folder above it
    for example in found.examples:
        of = ibims_set.content(example.name)
        edges, planes = found.read_annotations(example)
        np.testing.assert_array_equal(edges, of["edges"] == 1)
        for plane, mask in zip(
            planes, (of["mask_wall"] == 1, of["mask_wall"] == 2, of["mask_floor"] == 1), strict=True
        ):
            np.testing.assert_array_equal(plane, mask)


def test_without_the_list_all_pictures_count_in_natural_order(tmp_path):
    ibims_set.write(tmp_path, raw=True)
    (tmp_path / "imagelist.txt").write_text("livingroom_02\n")
    assert [example.name for example in ibims.find(tmp_path).examples] == ["livingroom_02"]
    (tmp_path / "imagelist.txt").unlink()
    assert [example.name for example in ibims.find(tmp_path).examples] == ["corridor_10", "livingroom_02"]


def test_another_layout_is_told_with_the_first_file_that_differs(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder: expected ibims1_core_mat"):
        ibims.find(tmp_path / "none")
    with pytest.raises(InputError, match="no folder rgb: expected ibims1_core_mat with .mat files, or ibims1_core_raw"):
        ibims.find(tmp_path)
    ibims_set.write(tmp_path, raw=True)
    folder = tmp_path / "ibims1_core_raw"
    (folder / "mask_transp/livingroom_02.png").unlink()
    with pytest.raises(InputError, match=r"no mask_transp/livingroom_02.png \(1 files are missing\)"):
        ibims.find(tmp_path)
    (tmp_path / "imagelist.txt").write_text("corridor_10\nattic_01\n")
    with pytest.raises(InputError, match="imagelist.txt: 'attic_01' is not among the 2 pictures"):
        ibims.find(tmp_path)
    (tmp_path / "imagelist.txt").write_text("corridor_10\n")
    (folder / "calib/corridor_10.txt").write_text("550 550 320\n")
    with pytest.raises(InputError, match="corridor_10.txt: not a camera: expected fx,fy,cx,cy in pixels"):
        ibims.find(tmp_path)


def test_damaged_files_are_told_by_name(tmp_path):
    ibims_set.write(tmp_path / "a", raw=True)
    found = ibims.find(tmp_path / "a")
    folder = tmp_path / "a/ibims1_core_raw"
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(folder / "mask_invalid/corridor_10.png")
    with pytest.raises(InputError, match="mask_invalid/corridor_10.png: 64x48 pixels: expected 640x480"):
        found.read_depth(found.examples[0])
    file = folder / "depth/livingroom_02.png"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(InputError, match="livingroom_02.png"):
        found.read_depth(found.examples[1])
    ibims_set.write(tmp_path / "b")
    file = tmp_path / "b/ibims1_core_mat/corridor_10.mat"
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(InputError, match="corridor_10.mat: not a .mat file of iBims-1"):
        ibims.find(tmp_path / "b")
