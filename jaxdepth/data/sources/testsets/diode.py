"""DIODE (Vasiljevic 2019): pictures of 1024x768 with laser depth, indoors and outdoors; the official validation split.

Layout, as the authors' val.tar.gz unpacks: val/indoors or val/outdoor, in these scene_XXXXX/scan_XXXXX with NAME.png,
NAME_depth.npy (float [768, 1024, 1], metres, 0 where the laser saw nothing) and NAME_depth_mask.npy ([768, 1024], 1
where depth counts, else 0; README of diode-devkit). The archive has 325 pictures indoors and 446 outdoors, as the
authors' data_list.zip, and Marigold and others score all 771; the devkit's diode_meta.json lists only 220 and 392 of
them. The test split has no public truth.

The camera is that of the devkit's intrinsics.txt, one for all pictures, which calls its two focal lengths slightly
different: a field of view of 60 by 45 degrees. Metric3D and UniDepth take it; ZoeDepth knows none, plumbline takes
886.81 for both. Metric3D counts its pixels from 0, and so is it taken here.

The authors do not say whether depth is along z or along the ray. The public readers that make points of it (Metric3D,
UniDepth) take it along z, the others score it as it stands, and so is it taken here. (Views of one scan overlap, and
their names have yaw and pitch in degrees: what is along the ray would be the same in both.)

The mask lets wrong depths at edges through (the authors, diode-devkit issue 3), and most readers score them; MoGe
scores a copy of its own, 770 pictures with other masks. Caps: ZoeDepth 10 m indoors and 80 m outdoors, inside the Eigen
crop and the Garg crop; on whole pictures, UniDepth 25 m and 80 m, Metric3D 150 m, Marigold .6 to 350 m. Taken: whole
pictures, 10 m and 80 m.
"""

import pathlib

import numpy as np

from jaxdepth.data.files import arrays, depth_maps
from jaxdepth.data.sources.pairs import natural
from jaxdepth.data.sources.testsets import testset
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import Intrinsics
from jaxdepth.paths import shown

SIZE = (768, 1024)
CAMERA = Intrinsics(fx=886.81, fy=927.06, cx=512.0, cy=384.0)
PICTURES = {"indoors": 325, "outdoor": 446}  # of the official split
_DEPTH, _MASK = "_depth.npy", "_depth_mask.npy"


def find(path, *, part) -> testset.TestSet:
    """Finds a part of the set.

    Args:
      path: the folder that holds val, or val itself, under any name.
      part: "indoors" or "outdoor".

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: if it has another layout, or a file is missing.
    """
    path = pathlib.Path(path)
    expected = f"val/{part}/scene_XXXXX/scan_XXXXX with NAME.png, NAME{_DEPTH} and NAME{_MASK}"
    folder = testset.root(path / "val" if (path / "val").is_dir() else path, (part,), expected=expected)
    stems = _stems(folder / part)
    if not stems:
        raise testset.wrong_layout(folder / part, "no pictures in it", expected)
    testset.missing_files(folder, [f"{stem}{end}" for stem in stems for end in (".png", _DEPTH, _MASK)])
    examples = tuple(
        testset.Example(
            stem.relative_to(folder).as_posix(),
            stem.with_name(f"{stem.name}.png"),
            stem,
            SIZE,
            CAMERA,
            stem.parent.parent.name,
        )
        for stem in stems
    )
    whole = PICTURES[part]
    notes = () if len(examples) == whole else (f"{len(examples)} pictures, where the official split has {whole}",)
    return testset.TestSet(folder, examples, _read_depth, "laser scan", notes)


def _stems(folder):
    """The paths of the pictures and depths of all scans, without their ends, in natural order."""
    ends = (".png", _DEPTH, _MASK)
    found = {
        file.with_name(file.name.removesuffix(end))
        for scan in folder.glob("scene_*/scan_*")
        for file in scan.iterdir()
        for end in ends
        if file.name.endswith(end) and not file.name.startswith(".")
    }
    return sorted(found, key=lambda stem: natural(stem.as_posix()))


def _read_depth(example):
    depth_file, mask_file = (example.depth.with_name(example.depth.name + end) for end in (_DEPTH, _MASK))
    depth, _ = depth_maps.read_depth(depth_file, scale=1.0)
    if depth.shape != SIZE:
        raise InputError(f"{shown(depth_file)}: depth of {depth.shape[1]}x{depth.shape[0]}: expected 1024x768")
    mask = arrays.read_array(mask_file)
    if mask.shape not in (SIZE, (*SIZE, 1)) or mask.dtype.kind not in "fiub":
        raise InputError(f"{shown(mask_file)}: shape {mask.shape} and {mask.dtype}: expected numbers {SIZE}")
    valid = (mask.reshape(SIZE) > 0) & np.isfinite(depth) & (depth > 0)
    return np.where(valid, depth, np.float32(0))
