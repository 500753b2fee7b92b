"""A few pictures in the layout of DIODE's val.tar.gz, at the set's size."""

import numpy as np
from PIL import Image

from jaxdepth.geometry.camera import Intrinsics

CAMERA = Intrinsics(886.81, 927.06, 512, 384)
_SCANS = {
    "indoors": ("scene_00019/scan_00183/00019_00183_indoors_000_010", "scene_00020/scan_00186/00020_00186_indoors_0_0"),
    "outdoor": ("scene_00022/scan_00193/00022_00193_outdoor_010_030", "scene_00022/scan_00195/00022_00195_outdoor_0_0"),
}


def write(folder, part="indoors"):
    """Writes two pictures of a part: {name: (picture, metres with 0 where they do not count, camera)}."""
    expected = {}
    for seed, inner in enumerate(_SCANS[part]):
        rng = np.random.default_rng(seed)
        picture = rng.integers(0, 256, (768, 1024, 3), np.uint8)
        metres = rng.uniform(0.5, 30 if part == "indoors" else 120, (768, 1024)).astype(np.float32)
        mask = np.ones((768, 1024), np.float32)
        mask[:100, :7], metres[700:, 1000:] = 0, 0
        metres[5, 500:503], mask[5, 500] = (np.nan, -1, np.inf), 0
        stem = folder / "val" / part / inner
        stem.parent.mkdir(parents=True)
        Image.fromarray(picture).save(f"{stem}.png", compress_level=1)
        np.save(f"{stem}_depth.npy", metres[..., None])
        np.save(f"{stem}_depth_mask.npy", mask)
        expected[f"{part}/{inner}"] = picture, np.where((mask == 1) & (0 < metres) & (metres < 1000), metres, 0), CAMERA
    return expected
