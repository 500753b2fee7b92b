"""KITTI's depth benchmark, validation selection: 1,000 street pictures of both colour cameras, cropped to 1216x352.

Layout of the archive data_depth_selection: depth_selection/val_selection_cropped with image/, groundtruth_depth/ and
intrinsics/; the file DRIVE_image_0000000005_image_02.png has the truth DRIVE_groundtruth_depth_0000000005_image_02.png
(code / 256, 0 is no measurement) and the camera DRIVE_image_0000000005_image_02.txt, nine numbers of a 3x3 matrix in
pixels of the cropped picture (the benchmark's readme). Pixels are taken as counted from 0, as for `kitti`.

The benchmark's own programme scores every pixel with truth, without a crop or cap; others cap at 80 m.
"""

import pathlib

from jaxdepth.data.sources.testsets import codes, kitti, testset

SIZE = (352, 1216)
_PARTS = ("image", "groundtruth_depth", "intrinsics")
_EXPECTED = f"val_selection_cropped with {', '.join(_PARTS)}"


def find(path) -> testset.TestSet:
    """Finds the set: val_selection_cropped, depth_selection, or the folder that holds it.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: if it has another layout, or a file is missing or damaged.
    """
    path = pathlib.Path(path)
    outer = path / "depth_selection"
    folder = testset.root(outer if outer.is_dir() else path, _PARTS, expected=_EXPECTED)
    names = testset.stems(folder / "image", ".png")
    if not names:
        raise testset.wrong_layout(folder, "no image/*.png", _EXPECTED)
    if other := [name for name in names if name.count("_sync_image_") != 1]:
        raise testset.wrong_layout(folder, f"image/{other[0]}.png", "names as DRIVE_image_0000000005_image_02.png")
    truths = [folder / "groundtruth_depth" / f"{_truth(name)}.png" for name in names]
    cameras = [folder / "intrinsics" / f"{name}.txt" for name in names]
    testset.missing_files(folder, [*truths, *cameras])
    examples = tuple(
        testset.Example(
            name,
            folder / "image" / f"{name}.png",
            truth,
            SIZE,
            codes.matrix_file(camera, (3, 3)),
            name.partition("_image_")[0],
        )
        for name, truth, camera in zip(names, truths, cameras, strict=True)
    )
    return testset.TestSet(folder, examples, kitti.read_depth, "laser scans put together")


def _truth(name):
    return name.replace("_sync_image_", "_sync_groundtruth_depth_")
