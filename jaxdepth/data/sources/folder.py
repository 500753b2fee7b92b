"""A folder of picture and depth files as a source of frames, converted once."""

import functools
import hashlib
import json
import pathlib

import numpy as np
from absl import logging
from tqdm import tqdm

from jaxdepth.data import cache
from jaxdepth.data.files import depth_maps, pictures
from jaxdepth.data.frames import Frames
from jaxdepth.data.sources import pairs
from jaxdepth.data.splits import folder_lists
from jaxdepth.errors import InputError
from jaxdepth.geometry import resize
from jaxdepth.geometry.camera import NYU_SIZE, check_intrinsics, completed
from jaxdepth.geometry.depth import MAX_DEPTH, mask_invalid
from jaxdepth.geometry.depth_survey import Survey, in_words
from jaxdepth.geometry.framing import frame_intrinsics

_INTRINSICS = "config.data.folder.intrinsics"
_LAYOUT = 3  # counted up when what the cache holds changes


def open_folder(
    path,
    *,
    image=None,
    depth=None,
    depth_scale=None,
    intrinsics=None,
    invalid=(),
    max_depth=MAX_DEPTH,
    frame_size=(240, 320),
    cache_dir=None,
) -> Frames:
    """Opens pairs of picture and depth files, memory-mapped from a cache.

    Each file contributes its largest central part in the shape of `frame_size`, the same part of picture and depth.
    Pictures are averaged over areas (or enlarged bilinearly). Depths are taken from the pixel in the middle of each
    area, so that no depth is invented across an edge. Invalid depths become 0 and are counted, see `mask_invalid`.
    `full_depth` is that part of the file's depth at 480x640, by nearest pixels.

    Args:
      path: the folder.
      image: pattern of the pictures, see `pairs.find`.
      depth: pattern of the depths.
      depth_scale: metres per unit of the depths, see `depth_maps.read_depth`.
      intrinsics: (f,), (fx, fy) or (fx, fy, cx, cy) in pixels of the pictures, see `camera.completed`, which then must
        have one size; None or () if unknown.
      invalid: depths in metres that are no measurement.
      max_depth: metres; depth beyond it is masked.
      frame_size: (h, w).
      cache_dir: see `cache.arrays`; an entry is valid for the names, sizes and modification times of the files,
        depth_scale, invalid, max_depth and frame_size.

    Returns:
      A Frames.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: if there are no pairs, a file has no partner, cannot be read or does not fit its partner, the depths
        cannot be trained on (see `pairs.depth_problem`), or a setting is out of range.
    """
    if len(frame_size) != 2 or min(frame_size) < 1:
        raise InputError(f"frame_size={tuple(frame_size)}: expected (height, width) in pixels")
    if intrinsics:
        check_intrinsics(intrinsics, _INTRINSICS)
    depth_maps.check_scale(depth_scale)
    listing = pairs.find(path, image=image, depth=depth)
    path, (h, w) = listing.folder.resolve(), frame_size
    logging.info("%s: %d pairs, pictures %s, depths %s", path, len(listing.pairs), listing.image, listing.depth)
    if missing := listing.missing():
        raise InputError(f"config.data.path={str(path)!r}: {'; '.join(missing)}")
    splits = folder_lists(listing.folder, [pair.name for pair in listing.pairs], listing.ids)
    rule = dict(depth_scale=depth_scale, invalid=tuple(invalid), max_depth=max_depth)
    key = [_LAYOUT, str(path), _state(listing), *rule.values(), h, w]
    arrays, facts = cache.arrays(
        "folder",
        key,
        lambda folder: _convert(listing, folder, frame_size=(h, w), **rule),
        cache_dir=cache_dir,
    )
    counts, sizes = facts["counts"], facts["sizes"]
    logging.info("%s: %s; median %.3g m", path, in_words(counts), facts["median"])
    for note in facts["notes"]:
        logging.warning("%s: %s", path, note)
    if intrinsics and len(sizes) > 1:
        raise InputError(f"{_INTRINSICS}: pictures of sizes {_sizes(sizes)}: expected one size")
    camera = completed(intrinsics, sizes[0], _INTRINSICS) if intrinsics else None
    if camera is None:
        logging.info("%s: their camera is not given, so NYU's is assumed: metres of another may be wrong", path)
    return Frames(
        name="folder",
        images=arrays["images"],
        depths=arrays["depths"],
        ids=listing.ids,
        intrinsics=camera and frame_intrinsics(camera, size=sizes[0], frame_size=(h, w)),
        full_depth=functools.partial(_full_depth, listing.pairs, frame_size=(h, w), **rule),
        picture_size=lambda index: pictures.size(listing.pairs[index].picture),
        splits=splits,
        names=tuple(pair.name for pair in listing.pairs),
        counts=counts,
        truth="depth of the files, centre of the pictures",
        description=f"folder {path}: {len(listing.pairs)} frames at {h}x{w}, from pictures of {_sizes(sizes)}",
        invalid=tuple(invalid),
        max_depth=max_depth,
    )


def _full_depth(pairs_, index, *, depth_scale, invalid, max_depth, frame_size):
    read = pairs.read(pairs_[index], depth_scale=depth_scale)
    valid, _ = mask_invalid(read.depth, invalid=invalid, max_depth=max_depth)
    sizes = dict(frame_size=frame_size, picture_size=read.picture.shape[:2])
    return resize.central_nearest(valid, out_size=NYU_SIZE, **sizes)


def _convert(listing, folder: pathlib.Path, *, frame_size, depth_scale, invalid, max_depth) -> dict:
    """Writes the frames into a cache folder; returns what the depths and the files are like."""
    n = len(listing.pairs)
    images = cache.create(folder, "images", (n, *frame_size, 3), np.uint8)
    depths = cache.create(folder, "depths", (n, *frame_size), np.float32)
    survey, sizes, turned, other_shapes = Survey(invalid=invalid, max_depth=max_depth), set(), np.zeros(2, int), 0
    label = f"{listing.folder.name} -> {frame_size[0]}x{frame_size[1]}"
    for i, pair in enumerate(tqdm(listing.pairs, desc=label, unit="frame", disable=None)):
        read = pairs.read(pair, depth_scale=depth_scale)
        valid = survey.add(read.depth, pair.name)
        turned += read.picture_turned, read.depth_turned
        size = read.picture.shape[:2]
        sizes.add(size)
        other_shapes += not pairs.same_shape(size, valid.shape)
        images[i] = resize.shrink(read.picture, frame_size, pitch=resize.central_pitch(size, frame_size))
        depths[i] = resize.central_nearest(valid, frame_size=frame_size, out_size=frame_size, picture_size=size)
    if problem := pairs.depth_problem(survey, read.scale):
        raise InputError(f"config.data.path={str(listing.folder)!r}: {problem}")
    for written in (images, depths):
        written.flush()
    median = float(np.nanmedian(list(survey.medians.values())))
    notes = survey.notes() + pairs.turned_notes(*turned) + pairs.view_notes(other_shapes)
    return {"counts": survey.counts, "sizes": sorted(sizes), "median": median, "notes": notes}


def _state(listing) -> str:
    """A hash of the names, sizes and modification times of all files."""
    files = [file for pair in listing.pairs for file in (pair.picture, pair.depth)]
    stats = [(str(file.relative_to(listing.folder)), file.stat()) for file in files]
    state = [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()


def _sizes(sizes) -> str:
    return ", ".join(f"{h}x{w}" for h, w in sizes[:3]) + (f" and {len(sizes) - 3} more" if len(sizes) > 3 else "")
