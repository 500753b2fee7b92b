"""A folder of picture and depth files as a source of frames, converted once."""

import functools
import hashlib
import json
import math
import pathlib

import numpy as np
from absl import logging
from tqdm import tqdm

from jaxdepth.data import cache
from jaxdepth.data.files import depth_maps
from jaxdepth.data.frames import Frames
from jaxdepth.data.sources import pairs
from jaxdepth.data.splits import folder_lists
from jaxdepth.errors import InputError
from jaxdepth.geometry import resize
from jaxdepth.geometry.camera import NYU_SIZE
from jaxdepth.geometry.depth import mask_invalid
from jaxdepth.geometry.framing import frame_intrinsics

_LAYOUT = 1  # counted up when what the cache holds changes


def open_folder(
    path, *, image=None, depth=None, depth_scale=None, intrinsics=None, frame_size=(240, 320), cache_dir=None
) -> Frames:
    """Opens pairs of picture and depth files, memory-mapped from a cache.

    Each file contributes its largest central part in the shape of `frame_size`, the same part of picture and depth.
    Pictures are averaged over areas (or enlarged bilinearly). Depths are taken from the pixel in the middle of each
    area, so that no depth is invented across an edge. NaN, infinite and negative depths become 0 and are counted.
    `full_depth` is that part of the file's depth at 480x640, by nearest pixels.

    Args:
      path: the folder.
      image: pattern of the pictures, see `pairs.find`.
      depth: pattern of the depths.
      depth_scale: metres per unit of the depths, see `depth_maps.read_depth`.
      intrinsics: (fx, fy, cx, cy) in pixels of the pictures, which then must have one size; None or () if unknown.
      frame_size: (h, w).
      cache_dir: see `cache.arrays`; an entry is valid for the names, sizes and modification times of the files,
        depth_scale and frame_size.

    Returns:
      A Frames.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: if there are no pairs, a file has no partner, cannot be read or does not fit its partner, the median
        depth is not plausible in metres, or a setting is out of range.
    """
    if len(frame_size) != 2 or min(frame_size) < 1:
        raise InputError(f"frame_size={tuple(frame_size)}: expected (height, width) in pixels")
    if intrinsics and (len(intrinsics) != 4 or not all(map(math.isfinite, intrinsics)) or min(intrinsics[:2]) <= 0):
        raise InputError(f"config.data.folder.intrinsics={tuple(intrinsics)}: expected (fx, fy, cx, cy) in pixels")
    depth_maps.check_scale(depth_scale)
    listing = pairs.find(path, image=image, depth=depth)
    path, (h, w) = listing.folder.resolve(), frame_size
    logging.info("%s: %d pairs, pictures %s, depths %s", path, len(listing.pairs), listing.image, listing.depth)
    if missing := listing.missing():
        raise InputError(f"config.data.path={str(path)!r}: {'; '.join(missing)}")
    splits = folder_lists(listing.folder, [pair.name for pair in listing.pairs], listing.ids)
    key = [_LAYOUT, str(path), _state(listing), depth_scale, h, w]
    arrays, facts = cache.arrays(
        "folder",
        key,
        lambda folder: _convert(listing, folder, frame_size=(h, w), depth_scale=depth_scale),
        cache_dir=cache_dir,
    )
    counts, sizes = facts["counts"], facts["sizes"]
    logging.info(
        "%s: masked depths: %d NaN, %d infinite, %d negative pixels; %d frames without depth; median %.3g m",
        *(path, counts["nan"], counts["inf"], counts["negative"], counts["empty_frames"], facts["median"]),
    )
    if intrinsics and len(sizes) > 1:
        raise InputError(f"config.data.folder.intrinsics: pictures of sizes {_sizes(sizes)}: expected one size")
    return Frames(
        name="folder",
        images=arrays["images"],
        depths=arrays["depths"],
        ids=listing.ids,
        intrinsics=frame_intrinsics(intrinsics, size=sizes[0], frame_size=(h, w)) if intrinsics else None,
        full_depth=functools.partial(_full_depth, listing.pairs, depth_scale=depth_scale, frame_size=(h, w)),
        splits=splits,
        counts=counts,
        truth="depth of the files, centre of the pictures",
        description=f"folder {path}: {len(listing.pairs)} frames at {h}x{w}, from pictures of {_sizes(sizes)}",
    )


def _full_depth(pairs_, index, *, depth_scale, frame_size):
    _, depth, _ = pairs.read(pairs_[index], depth_scale=depth_scale)
    return resize.central_nearest(mask_invalid(depth)[0], frame_size=frame_size, out_size=NYU_SIZE)


def _convert(listing, folder: pathlib.Path, *, frame_size, depth_scale) -> dict:
    """Writes the frames into a cache folder; returns the counts of masked depths, the sizes, and the median depth."""
    n = len(listing.pairs)
    images = cache.create(folder, "images", (n, *frame_size, 3), np.uint8)
    depths = cache.create(folder, "depths", (n, *frame_size), np.float32)
    counts = dict.fromkeys(("nan", "inf", "negative", "empty_frames"), 0)
    sizes, medians = set(), []
    label = f"{listing.folder.name} -> {frame_size[0]}x{frame_size[1]}"
    for i, pair in enumerate(tqdm(listing.pairs, desc=label, unit="frame", disable=None)):
        picture, depth, scale = pairs.read(pair, depth_scale=depth_scale)
        valid, masked = mask_invalid(depth)
        for name, count in masked.items():
            counts[name] += count
        sizes.add(picture.shape[:2])
        medians.append(pairs.median(valid))
        images[i] = resize.shrink(picture, frame_size, pitch=resize.central_pitch(picture.shape[:2], frame_size))
        depths[i] = resize.central_nearest(valid, frame_size=frame_size, out_size=frame_size)
    if problem := pairs.median_problem(medians, scale):
        raise InputError(f"config.data.path={str(listing.folder)!r}: {problem}")
    for written in (images, depths):
        written.flush()
    return {"counts": counts, "sizes": sorted(sizes), "median": float(np.nanmedian(medians))}


def _state(listing) -> str:
    """A hash of the names, sizes and modification times of all files."""
    files = [file for pair in listing.pairs for file in (pair.picture, pair.depth)]
    stats = [(str(file.relative_to(listing.folder)), file.stat()) for file in files]
    state = [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()


def _sizes(sizes) -> str:
    return ", ".join(f"{h}x{w}" for h, w in sizes[:3]) + (f" and {len(sizes) - 3} more" if len(sizes) > 3 else "")
