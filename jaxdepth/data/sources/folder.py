"""A folder of picture and depth files as a source of frames: converted once, or each read when it is needed."""

import functools
import hashlib
import itertools
import json
import os
import pathlib

import numpy as np
from absl import logging
from tqdm import tqdm

from jaxdepth.data import cache
from jaxdepth.data.files import depth_maps, pictures
from jaxdepth.data.frames import Frames, LazyArray
from jaxdepth.data.sources import folder_splits, pairs
from jaxdepth.errors import InputError
from jaxdepth.geometry import resize
from jaxdepth.geometry.camera import NYU_SIZE, check_intrinsics, completed
from jaxdepth.geometry.depth import MAX_DEPTH, mask_invalid
from jaxdepth.geometry.depth_survey import Survey, in_words
from jaxdepth.geometry.framing import frame_intrinsics
from jaxdepth.paths import shown

_INTRINSICS = "config.data.folder.intrinsics"
_LAYOUT = 3  # counted up when what the cache holds changes
_SURVEYED = 100  # frames that are looked at when a folder is opened without being converted
_KEPT = 64  # frames in memory: what asks for a picture soon asks for its depth


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
    """Opens pairs of picture and depth files.

    Each file contributes its largest central part in the shape of `frame_size`, the same part of picture and depth.
    Pictures are averaged over areas (or enlarged bilinearly). Depths are taken from the pixel in the middle of each
    area, so that no depth is invented across an edge. Invalid depths become 0 and are counted, see `mask_invalid`.
    `full_depth` is that part of the file's depth at 480x640, by nearest pixels.

    Frames are converted once and kept in a cache. A folder whose frames are too many for it (`cache.has_room`) is read
    lazily: the same frames, each from its files when it is indexed. The depths of _SURVEYED frames are checked then.

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
      InputError: if there are no pairs, a file has no partner, cannot be read or does not fit its partner (here or when
        a lazy frame is read), the depths cannot be trained on (see `pairs.depth_problem`), or a setting is out of
        range.
    """
    if len(frame_size) != 2 or min(frame_size) < 1:
        raise InputError(f"frame_size={tuple(frame_size)}: expected (height, width) in pixels")
    if intrinsics:
        check_intrinsics(intrinsics, _INTRINSICS)
    depth_maps.check_scale(depth_scale)
    listing = pairs.find(path, image=image, depth=depth)
    path, (h, w) = listing.folder.resolve(), frame_size
    told = shown(path)
    n, ids = len(listing), listing.ids
    logging.info("%s: %d pairs, pictures %s, depths %s", told, n, listing.image, listing.depth)
    if missing := listing.missing():
        raise InputError(f"config.data.path={str(path)!r}: {'; '.join(missing)}")
    splits = folder_splits.folder_lists(listing)
    scenes = folder_splits.scenes_of(listing.names)
    logging.info("%s: %s", told, folder_splits.in_words(splits, scenes, ids))
    rule = dict(depth_scale=depth_scale, invalid=tuple(invalid), max_depth=max_depth)
    key = [_LAYOUT, str(path), _state(listing), *rule.values(), h, w]
    nbytes = n * h * w * (3 + np.dtype(np.float32).itemsize)
    is_lazy = not cache.has("folder", key, cache_dir=cache_dir) and not cache.has_room(nbytes, cache_dir=cache_dir)
    if is_lazy:
        why = "more than the cache takes or the disk has"
        logging.info(
            "%s: its frames would take %.1f GB, %s: each is read from its files when it is needed, and the depths of "
            "%d of %d frames are checked now",
            *(told, nbytes / 1e9, why, min(n, _SURVEYED), n),
        )
        arrays, facts = _lazily(listing, frame_size=(h, w), one_size=bool(intrinsics), **rule)
    else:
        arrays, facts = cache.arrays(
            "folder",
            key,
            lambda folder: _convert(listing, folder, frame_size=(h, w), **rule),
            cache_dir=cache_dir,
        )
    counts, sizes = facts["counts"], facts["sizes"]
    looked_at = f"{told}: in {min(n, _SURVEYED)} frames" if is_lazy else told
    logging.info("%s: %s; median %.3g m", looked_at, in_words(counts), facts["median"])
    for note in facts["notes"]:
        logging.warning("%s: %s", looked_at, note)
    camera = camera_of(intrinsics, sizes)
    if camera is None:
        logging.info("%s: their camera is not given, so NYU's is assumed: metres of another may be wrong", told)
    return Frames(
        name="folder",
        images=arrays["images"],
        depths=arrays["depths"],
        ids=ids,
        intrinsics=camera and frame_intrinsics(camera, size=sizes[0], frame_size=(h, w)),
        full_depth=functools.partial(_full_depth, listing, frame_size=(h, w), **rule),
        picture_size=lambda index: pictures.size(listing[index].picture),
        splits=splits,
        names=listing.names,
        scenes=scenes,
        counts={} if is_lazy else counts,
        truth="depth of the files, centre of the pictures",
        description=f"folder {told}: {n} frames at {h}x{w}, from pictures of {_sizes(sizes)}",
        invalid=tuple(invalid),
        max_depth=max_depth,
    )


def camera_of(intrinsics, sizes):
    """The camera of a folder's pictures.

    Args:
      intrinsics: see `open_folder`.
      sizes: the sizes (height, width) of its pictures, each once.

    Returns:
      Intrinsics in pixels of the pictures; None if they are unknown.

    Raises:
      InputError: if the pictures have several sizes, the numbers are out of range or the field of view is implausible.
    """
    if not intrinsics:
        return None
    check_intrinsics(intrinsics, _INTRINSICS)
    if len(sizes) > 1:
        raise InputError(f"{_INTRINSICS}: pictures of sizes {_sizes(sizes)}: expected one size")
    return completed(intrinsics, sizes[0], _INTRINSICS)


def _full_depth(listing, index, *, depth_scale, invalid, max_depth, frame_size):
    read = pairs.read(listing[index], depth_scale=depth_scale)
    valid, _ = mask_invalid(read.depth, invalid=invalid, max_depth=max_depth)
    sizes = dict(frame_size=frame_size, picture_size=read.picture.shape[:2])
    return resize.central_nearest(valid, out_size=NYU_SIZE, **sizes)


def _frame(picture, valid, frame_size):
    """A frame of a picture and its valid depth: uint8 [h, w, 3] and float32 [h, w]."""
    size = picture.shape[:2]
    image = resize.shrink(picture, frame_size, pitch=resize.central_pitch(size, frame_size))
    return image, resize.central_nearest(valid, frame_size=frame_size, out_size=frame_size, picture_size=size)


def _convert(listing, folder: pathlib.Path, *, frame_size, depth_scale, invalid, max_depth) -> dict:
    """Writes the frames into a cache folder; returns what the depths and the files are like."""
    n = len(listing)
    images = cache.create(folder, "images", (n, *frame_size, 3), np.uint8)
    depths = cache.create(folder, "depths", (n, *frame_size), np.float32)
    found = _Found(listing, depth_scale=depth_scale, invalid=invalid, max_depth=max_depth)
    label = f"{listing.folder.name} -> {frame_size[0]}x{frame_size[1]}"
    for i in tqdm(range(n), desc=label, unit="frame", disable=None):
        images[i], depths[i] = _frame(*found.read(i), frame_size)
    facts = found.facts()
    for written in (images, depths):
        written.flush()
    return facts


def _lazily(listing, *, frame_size, one_size, depth_scale, invalid, max_depth):
    """Lazy arrays of the frames, and what the depths and files of some are like.

    With `one_size`, a picture of another size than the first's is refused when it is read.
    """
    found = _Found(listing, depth_scale=depth_scale, invalid=invalid, max_depth=max_depth)
    n = len(listing)
    for i in np.unique(np.linspace(0, n - 1, _SURVEYED).astype(int)):
        found.read(int(i))
    facts = found.facts()

    @functools.lru_cache(maxsize=_KEPT)
    def load(i):
        read = pairs.read(listing[i], depth_scale=depth_scale)
        size = read.picture.shape[:2]
        if one_size and size != facts["sizes"][0]:
            raise InputError(
                f"{_INTRINSICS}: {str(listing[i].picture)!r} has another size than the others: "
                f"pictures of sizes {_sizes([size, *facts['sizes']])}: expected one size"
            )
        valid, _ = mask_invalid(read.depth, invalid=invalid, max_depth=max_depth)
        frame = _frame(read.picture, valid, frame_size)
        for array in frame:
            array.flags.writeable = False
        return frame

    arrays = {
        "images": LazyArray(lambda i: load(i)[0], (n, *frame_size, 3), np.uint8),
        "depths": LazyArray(lambda i: load(i)[1], (n, *frame_size), np.float32),
    }
    return arrays, facts


class _Found:
    """What the pairs of a folder hold; reads them one after the other."""

    def __init__(self, listing, *, depth_scale, invalid, max_depth):
        self._listing, self._depth_scale = listing, depth_scale
        self._survey = Survey(invalid=invalid, max_depth=max_depth)
        self._sizes, self._turned, self._other_shapes, self._scale = set(), np.zeros(2, int), 0, None

    def read(self, index):
        """The picture and the valid depth of a pair, in their own sizes."""
        pair = self._listing[index]
        read = pairs.read(pair, depth_scale=self._depth_scale)
        valid = self._survey.add(read.depth, pair.name)
        self._turned += read.picture_turned, read.depth_turned
        self._sizes.add(size := read.picture.shape[:2])
        self._other_shapes += not pairs.same_shape(size, valid.shape)
        self._scale = read.scale
        return read.picture, valid

    def facts(self) -> dict:
        """What was found, for JSON; raises InputError if the depths cannot be trained on."""
        survey = self._survey
        if problem := pairs.depth_problem(survey, self._scale):
            raise InputError(f"config.data.path={str(self._listing.folder)!r}: {problem}")
        median = float(np.nanmedian(list(survey.medians.values())))
        notes = survey.notes() + pairs.turned_notes(*self._turned) + pairs.view_notes(self._other_shapes)
        return {"counts": survey.counts, "sizes": sorted(self._sizes), "median": median, "notes": notes}


def _state(listing) -> str:
    """A hash of the names, sizes and modification times of all files."""
    digest, folder = hashlib.sha256(b"["), os.fspath(listing.folder)
    between = ""
    for name in itertools.chain.from_iterable(zip(listing.pictures, listing.depths, strict=True)):
        stat = os.stat(f"{folder}/{name}")
        digest.update(f"{between}[{json.dumps(name)}, {stat.st_size}, {stat.st_mtime_ns}]".encode())
        between = ", "
    digest.update(b"]")
    return digest.hexdigest()


def _sizes(sizes) -> str:
    return ", ".join(f"{h}x{w}" for h, w in sizes[:3]) + (f" and {len(sizes) - 3} more" if len(sizes) > 3 else "")
