"""Encodes depth maps as files: .npy, PNG (millimetres, colours, normals), points, meshes and recordings."""

import io

import numpy as np
from PIL import Image

from jaxdepth.data.files.writing import array_buffers
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import back_project, crop_intrinsics
from jaxdepth.geometry.normals import normals
from jaxdepth.geometry.surface import EDGE
from jaxdepth.output import mesh, viewer
from jaxdepth.output.color_picture import color_png

_BLOCK = 1 << 24  # pixels that are computed at once; more would take several times the memory of the picture
_NORMALS_BLOCK = 1 << 20  # float64, and some of it
FORMATS = {  # and the suffix of their files
    "npy": ".npy",
    "png": ".png",
    "color": ".color.png",
    "normals": ".normals.png",
    "ply": ".ply",
    "glb": ".glb",
    "rrd": ".rrd",
}
WITH_PIXELS = ("ply", "glb", "rrd")  # the formats that need the picture itself


def check(formats):
    """Refuses, before the work, formats that cannot be written.

    Args:
      formats: names.

    Raises:
      InputError: if one is no key of FORMATS, or its library is not installed.
    """
    if unknown := [kind for kind in formats if kind not in FORMATS]:
        raise InputError(f"formats={unknown[0]!r}: expected some of {', '.join(FORMATS)}")
    for kind, library in {"glb": mesh.library, "rrd": viewer.library}.items():
        if kind in formats:
            library()


def encode(kind, depth, pixels, intrinsics, *, edge=EDGE, name="picture"):
    """Encodes a depth map in one of FORMATS.

    Args:
      kind: a key of FORMATS.
      depth: [H, W], metres.
      pixels: uint8 [H, W, 3], the picture; used by WITH_PIXELS.
      intrinsics: Intrinsics in pixels of the picture; used by WITH_PIXELS and "normals".
      edge: degrees; used by "glb" and "rrd" to leave out jumps of depth, see `geometry.surface`.
      name: the picture's; used by "rrd".

    Returns:
      The file as a list of buffers: join them for its bytes.

    Raises:
      InputError: from `mesh.glb` and `viewer.rrd`.
    """
    if kind == "glb":
        return [mesh.glb(depth, pixels, intrinsics, edge=edge)]
    if kind == "rrd":
        return [viewer.rrd(depth, pixels, intrinsics, edge=edge, name=name)]
    if kind == "ply":
        return ply(depth, pixels, intrinsics)
    if kind == "normals":
        return [normals_png(depth, intrinsics)]
    return npy(depth) if kind == "npy" else [{"png": png, "color": color_png}[kind](depth)]


def npy(depth):
    """Encodes depth [H, W] as .npy, float32 metres: a list of buffers, without a copy."""
    return array_buffers(np.float32(depth))


def png(depth):
    """Encodes depth [H, W] in metres as a 16-bit PNG: millimetres, clipped to 65535."""
    millimetres = np.empty(np.shape(depth), np.uint16)
    for row, levels in zip(depth, millimetres, strict=True):
        levels[:] = np.clip(np.round(np.float64(row) * 1000), 0, 65535)
    file = io.BytesIO()
    # A fifth of the time of Pillow's usual level 6, for 1.4 times the size.
    Image.fromarray(millimetres).save(file, "PNG", compress_level=1)
    return file.getvalue()


def normals_png(depth, intrinsics):
    """Encodes the surface normals of depth [H, W] in metres as a PNG.

    Red, green and blue are 128 + 127 n, with n the unit normal on the camera's side: x right, y up, z towards the
    camera. A wall that faces the camera is blue, a floor green. Where depth is missing nearby, all three are 128.
    """
    levels = np.empty((*np.shape(depth), 3), np.uint8)
    rows = max(1, _NORMALS_BLOCK // levels.shape[1])
    for top in range(0, len(levels), rows):
        part = slice(top, top + rows)
        levels[part] = np.round(128 + 127 * normals(depth, intrinsics, rows=part) * [1, -1, -1])
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def ply(depth, pixels, intrinsics):
    """Encodes a coloured point cloud as a binary PLY.

    Args:
      depth: [H, W], metres; 0 where there is none.
      pixels: uint8 [H, W, 3], the points' colours.
      intrinsics: Intrinsics in pixels of the depth map.

    Returns:
      A list of buffers that make the file: one vertex for each pixel with depth, row by row, in the camera frame.
    """
    depth = np.float32(depth)
    fields = [(name, "<f4") for name in "xyz"] + [(name, "u1") for name in ("red", "green", "blue")]
    vertices, filled = np.empty(np.count_nonzero(depth > 0), fields), 0
    rows = max(1, _BLOCK // depth.shape[1])
    for top in range(0, len(depth), rows):
        part = slice(top, top + rows)
        points = np.asarray(back_project(depth[part], crop_intrinsics(intrinsics, top=top, left=0)))
        valid = depth[part] > 0
        block = vertices[filled : filled + np.count_nonzero(valid)]
        for i, (name, dtype) in enumerate(fields):
            block[name] = points[valid, i] if dtype == "<f4" else pixels[part][valid, i - 3]
        filled += len(block)
    properties = [f"property {'float' if dtype == '<f4' else 'uchar'} {name}" for name, dtype in fields]
    header = [
        "ply",
        "format binary_little_endian 1.0",
        "comment metres in the camera's frame: x right, y down, z forward",
        f"element vertex {len(vertices)}",
        *properties,
        "end_header\n",
    ]
    return ["\n".join(header).encode(), memoryview(vertices).cast("B")]
