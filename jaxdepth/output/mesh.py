"""Encodes a depth map as a triangle mesh with the photo on it: the one file that imports trimesh."""

import functools

import numpy as np
from PIL import Image

from jaxdepth.errors import InputError
from jaxdepth.geometry.surface import EDGE, surface

_LARGEST_TEXTURE = 4096  # pixels on a side, which every graphics card takes


def glb(depth, pixels, intrinsics, *, edge=EDGE):
    """Encodes a depth map as binary glTF: a mesh in metres, x right, y up, z back, the camera in the origin.

    The photo is its texture, a JPEG of at most 4096 pixels on a side, which viewers show as it is, without light. The
    mesh has at most `geometry.surface.MOST` vertices.

    Args:
      depth: [H, W], metres; 0 where there is none.
      pixels: uint8 [H, W, 3], the photo.
      intrinsics: Intrinsics in pixels of the depth map.
      edge: degrees; triangles seen at less are jumps of depth and left out, see `geometry.surface`.

    Returns:
      The file's bytes.

    Raises:
      InputError: without trimesh, if `edge` is out of range, or if no triangle remains.
    """
    trimesh = library()
    found, (height, width) = surface(depth, intrinsics, edge=edge), depth.shape
    if not len(found.triangles):
        raise InputError(f"{width}x{height} pixels give no triangle for a mesh: expected 2x2 or more with depth")
    # trimesh counts v from the texture's lower end.
    uv = np.stack([(found.columns + 0.5) / width, 1 - (found.rows + 0.5) / height], axis=-1)
    material = trimesh.visual.material.PBRMaterial(
        name="photo", baseColorTexture=_texture(pixels), metallicFactor=0.0, roughnessFactor=1.0, doubleSided=True
    )
    mesh = trimesh.Trimesh(
        found.points * np.float32([1, -1, -1]),
        found.triangles,
        process=False,
        visual=trimesh.visual.TextureVisuals(uv=uv, material=material),
    )
    return trimesh.exchange.gltf.export_glb(mesh, include_normals=False, tree_postprocessor=_without_light)


def library():
    """The module trimesh; raises InputError if it is not installed."""
    try:
        import trimesh
    except ImportError as error:
        raise InputError("formats=glb needs the extra mesh: pip install 'jaxdepth[mesh]'") from error
    return trimesh


def _texture(pixels):
    """The photo as a picture that trimesh writes as a JPEG."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((_LARGEST_TEXTURE, _LARGEST_TEXTURE), reducing_gap=2.0)
    picture.format, picture.save = "JPEG", functools.partial(picture.save, quality=90)
    return picture


def _without_light(tree):
    """The photo has its light already."""
    tree["extensionsUsed"] = ["KHR_materials_unlit"]
    for material in tree["materials"]:
        material["extensions"] = {"KHR_materials_unlit": {}}
