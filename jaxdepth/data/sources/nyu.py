"""NYU Depth V2's labelled frames (Silberman 2012), read from `nyu_depth_v2_labeled.mat` and converted once.

The file is MATLAB v7.3: HDF5 with column-major arrays, so h5py sees every axis reversed, pictures as [n, channel, x, y]
and depths as [n, x, y].
"""

import functools
import itertools
import pathlib

import h5py
import numpy as np
from absl import logging
from tqdm import tqdm

from jaxdepth.data import cache
from jaxdepth.data.files import hdf5
from jaxdepth.data.files.download import download
from jaxdepth.data.frames import Frames, LazyArray
from jaxdepth.data.splits import NYU_FRAMES, nyu_lists, scene_lists
from jaxdepth.errors import InputError
from jaxdepth.geometry import resize
from jaxdepth.geometry.camera import NYU_SIZE, nyu_intrinsics
from jaxdepth.geometry.depth import MAX_DEPTH, check_metres, mask_invalid
from jaxdepth.geometry.depth_survey import Survey, in_words

FILE_NAME = "nyu_depth_v2_labeled.mat"
PAGE = "https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html"  # the labelled data set, 2.8 GB
OFFICIAL_BYTES = 2_972_037_809
OFFICIAL_MD5 = "520609c519fba3ba5ac58c8fefcc3530"
URL = "http://horatio.cs.nyu.edu/mit/silberman/nyu_depth_v2/nyu_depth_v2_labeled.mat"

_ARRAYS = {  # name in the file: (axes after the first, dtype, what it holds)
    "images": ((3, 640, 480), np.dtype(np.uint8), "RGB as [n, channel, x, y]"),
    "depths": ((640, 480), np.dtype(np.float32), "metres as [n, x, y]"),
    "labels": ((640, 480), np.dtype(np.uint16), "classes as [n, x, y]"),
    "rawDepths": ((640, 480), np.dtype(np.float32), "metres as [n, x, y], 0 where the sensor saw nothing"),
}
_DEPTHS = {"filled": "depths", "raw": "rawDepths"}
_BLOCK = 16  # frames read at once: 40 MB
_TEXT_LETTERS = 1000  # the most in a name
_MAX_LABELS = 10_000
_LAYOUT = 6  # increased when the content of the cache changes


def open_nyu(path, *, frame_size=(240, 320), depth="filled", invalid=(), max_depth=MAX_DEPTH, cache_dir=None) -> Frames:
    """Opens the .mat file, memory-mapped from a cache.

    Pictures are averaged over areas. Depths and labels are taken from the pixel in the middle of each area (row
    floor((i + .5) 480 / h)), so that no depth is invented across an edge. Invalid depths become 0 and are counted,
    see `mask_invalid`. Ids are the array `frame_ids` if the file has it (a part of the data set); otherwise the file
    must hold all 1449 frames, and ids are 1..1449. There is a split `scene` if the file names the scenes. Labels are
    optional, and read from the file when they are indexed.

    Args:
      path: the .mat file.
      frame_size: (h, w), at most 480 x 640.
      depth: "filled", the data set's own inpainting, or "raw", `rawDepths`, with the sensor's holes.
      invalid: depths in metres that are no measurement.
      max_depth: metres; depth beyond it is masked.
      cache_dir: see `cache.arrays`; an entry is valid for the file's path, size and modification time, and the
        arguments before.

    Returns:
      A Frames.

    Raises:
      FileNotFoundError: if there is no such file.
      InputError: if it is not a whole HDF5 file, an array is missing or not as in the official file, or the depths
        are not metres or cannot be trained on (see `Survey`).
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file: expected {FILE_NAME} from {PAGE}")
    h, w = frame_size
    if not (1 <= h <= NYU_SIZE[0] and 1 <= w <= NYU_SIZE[1]):
        raise InputError(f"frame_size={tuple(frame_size)}: expected (height, width) from (1, 1) to {NYU_SIZE}")
    if depth not in _DEPTHS:
        raise InputError(f"config.data.depth={depth!r}: expected {' or '.join(_DEPTHS)}")
    path = path.resolve()
    stat = path.stat()
    rule = dict(depth=depth, invalid=tuple(invalid), max_depth=max_depth)
    key = [_LAYOUT, str(path), stat.st_size, stat.st_mtime_ns, h, w, *rule.values()]
    make = functools.partial(_convert, path, (h, w), *rule.values())
    arrays, facts = cache.arrays("nyu", key, make, cache_dir=cache_dir)
    logging.info("%s: %s", path, in_words(facts["counts"]))
    for note in facts["notes"]:
        logging.warning("%s: %s", path, note)
    ids = np.array(arrays["ids"])
    scenes, label_names = (
        tuple(arrays[name].tolist()) if name in arrays else None for name in ("scenes", "label_names")
    )
    return Frames(
        name="nyu",
        images=arrays["images"],
        depths=arrays["depths"],
        ids=ids,
        intrinsics=nyu_intrinsics((h, w)),
        full_depth=functools.partial(full_depth, path, **rule),
        splits=nyu_lists() | (scene_lists(ids, scenes) if scenes else {}),
        counts=facts["counts"],
        truth=f"{depth} depth",
        description=f"NYU Depth V2 from {path}: {len(ids)} frames at {h}x{w}",
        labels=_lazy_labels(path, len(ids), (h, w)),
        label_names=label_names,
        scenes=scenes,
        invalid=tuple(invalid),
        max_depth=max_depth,
    )


def fetch(folder, urls=()) -> pathlib.Path:
    """Downloads the labelled file into a folder, unless it is there.

    Args:
      folder: the folder.
      urls: mirrors to try before the authors' address.

    Returns:
      Path of the file.

    Raises:
      InputError, OSError: as `download.download`.
    """
    target = pathlib.Path(folder, FILE_NAME)
    if not target.is_file():
        download(target, [*urls, URL], check=frame_ids, md5=OFFICIAL_MD5)
    return target


def official_test_scenes(path) -> frozenset[str]:
    """The names of the scenes that the official test frames are from.

    Args:
      path: the labelled .mat file, with all test frames.

    Raises:
      InputError: if the file does not name its scenes, or lacks a test frame; as `open_nyu`.
    """
    _, wanted = nyu_lists()["official"]
    with hdf5.open_file(path) as file:
        ids = check(file, path)
        scenes = _scenes(file, path, len(ids))
    if scenes is None:
        raise InputError(
            f"{path}: no array 'scenes': expected NYU's labelled file, which names the scene of each frame"
        )
    scene_of = dict(zip(ids.tolist(), scenes, strict=True))
    if missing := [frame for frame in wanted if frame not in scene_of]:
        raise InputError(
            f"{path}: {len(missing)} of {len(wanted)} official test frames are missing: expected NYU's whole file"
        )
    return frozenset(scene_of[frame] for frame in wanted)


def frame_ids(path) -> np.ndarray:
    """The official ids of the frames in a .mat file, int64 [N]; raises as `open_nyu`."""
    with hdf5.open_file(path) as file:
        return check(file, path)


def read_frames(path, wanted):
    """Yields frames of a .mat file at full size.

    Args:
      path: the .mat file, with labels.
      wanted: set of ids.

    Yields:
      {"image": uint8 [480, 640, 3], "depth": float32 [480, 640] metres, 0 without measurement, "label": uint16 [480,
      640], "id": int}.
    """
    with hdf5.open_file(path) as file:
        for i, frame_id in enumerate(check(file, path, labels=True).tolist()):
            if frame_id in wanted:
                one = slice(i, i + 1)
                depth, _ = mask_invalid(_read(file, path, "depths", one)[0])
                check_metres(depth, f"{path}: array 'depths'")
                yield {
                    "image": _read(file, path, "images", one)[0],
                    "depth": depth,
                    "label": _read(file, path, "labels", one)[0],
                    "id": frame_id,
                }


def full_depth(path, index: int, *, depth="filled", invalid=(), max_depth=MAX_DEPTH) -> np.ndarray:
    """Depth of a frame from the file: float32 [480, 640], metres, 0 where there is no valid depth."""
    with hdf5.open_file(path) as file:
        frame = _read(file, path, _DEPTHS[depth], slice(index, index + 1))[0]
    return mask_invalid(frame, invalid=invalid, max_depth=max_depth)[0]


def check(file: h5py.File, path, *, depth="filled", labels=False) -> np.ndarray:
    """Checks the shapes and dtypes of an open .mat file's arrays.

    Args:
      file: the open file.
      path: its path, for errors.
      depth: "filled" or "raw".
      labels: whether labels are needed.

    Returns:
      The frames' ids, int64 [N].

    Raises:
      InputError: naming the file, the array, what was found and what was expected.
    """
    names = ("images", _DEPTHS[depth], *(["labels"] if labels else []))
    lengths = {}
    for name in names:
        axes, dtype, what = _ARRAYS[name]
        expected = f"({', '.join(map(str, ('N', *axes)))}) {dtype}, {what}"
        array = hdf5.find(file, path, name)
        if array is None:
            there = ", ".join(itertools.islice(file, 20)) or "none"
            raise InputError(f"{path}: no array '{name}' among {there}; expected {expected}")
        if array.shape[1:] != axes or array.dtype != dtype or not 1 <= array.shape[0] <= NYU_FRAMES:
            raise InputError(f"{path}: array '{name}' is {array.shape} {array.dtype}; expected {expected}")
        lengths[name] = len(array)
    n = lengths["images"]
    if set(lengths.values()) != {n}:
        raise InputError(f"{path}: arrays of unequal length {lengths}; expected one N for all")
    if not hdf5.has(file, "frame_ids"):
        if n != NYU_FRAMES:
            raise InputError(
                f"{path}: array 'images' has {n} frames and there is no array 'frame_ids'; expected all {NYU_FRAMES} "
                f"frames of the official file, or frame_ids ({n}, 1) to say which official ids these are"
            )
        size = pathlib.Path(path).stat().st_size
        if size != OFFICIAL_BYTES:
            logging.warning("%s: %d bytes; the official file has %d", path, size, OFFICIAL_BYTES)
        return np.arange(1, n + 1, dtype=np.int64)
    array = hdf5.find(file, path, "frame_ids")
    fits = array is not None and array.dtype.kind in "fiu" and array.size == n and array.ndim > 0
    ids = hdf5.read(array, path, "frame_ids").ravel() if fits else np.empty(0)
    whole = ids.size == n and np.isfinite(ids).all() and (ids == np.round(ids)).all()
    if not whole or (np.diff(ids) <= 0).any() or ids[0] < 1 or ids[-1] > NYU_FRAMES:
        found = f"{getattr(array, 'shape', 'a group')} {getattr(array, 'dtype', '')}".strip()
        raise InputError(
            f"{path}: array 'frame_ids' is {found} or out of range; "
            f"expected ({n}, 1) whole numbers, ascending, from 1 to {NYU_FRAMES}"
        )
    return ids.astype(np.int64)


def _scenes(file, path, n):
    """The scene of each frame, or None if the file does not name them."""
    scenes = _cell(file, path, "scenes")
    if scenes is not None and scenes.size != n:
        raise InputError(f"{path}: array 'scenes' names {scenes.size} scenes; expected one for each of {n} frames")
    return None if scenes is None else _texts(file, path, "scenes", scenes)


def _label_names(file, path):
    """The names of the classes, the first for 0, which is no class; None if the file does not name them."""
    names = _cell(file, path, "names")
    if names is None:
        return None
    if names.size > _MAX_LABELS:
        raise InputError(f"{path}: array 'names' names {names.size} classes; expected at most {_MAX_LABELS}")
    return ["unlabelled", *_texts(file, path, "names", names)]


def _cell(file, path, name):
    """A cell of text as MATLAB stores it, an array of references; None if the file has none of that name."""
    if not hdf5.has(file, name):
        return None
    cell = hdf5.find(file, path, name)
    if cell is None or h5py.check_ref_dtype(cell.dtype) is not h5py.Reference or cell.ndim == 0:
        raise InputError(f"{path}: array '{name}' is not a cell of text")
    return cell


def _texts(file, path, name, cell):
    """The texts of a cell."""
    return [_text(file, path, name, reference) for reference in hdf5.read(cell, path, name).ravel()]


def _text(file, path, name, reference):
    """The text that a reference stands for."""
    try:
        letters = file[reference]
        text = isinstance(letters, h5py.Dataset) and letters.ndim and letters.dtype.kind == "u"
    except (TypeError, ValueError, KeyError, OSError, RuntimeError) as error:
        raise InputError(f"{path}: array '{name}' is not a cell of text: {error}") from error
    if not text or letters.dtype.itemsize > 2 or letters.size > _TEXT_LETTERS:
        raise InputError(f"{path}: array '{name}' names {letters}: expected text of at most {_TEXT_LETTERS} letters")
    hdf5.check_storage(letters, f"{path}: array '{name}'")
    return "".join(map(chr, hdf5.read(letters, path, name).ravel()))


def _convert(path, frame_size, depth, invalid, max_depth, folder: pathlib.Path) -> dict:
    """Writes the arrays of a .mat file into a cache folder at `frame_size`; returns what the depths are like."""
    h, w = frame_size
    rows, columns = resize.nearest_index(NYU_SIZE[0], h), resize.nearest_index(NYU_SIZE[1], w)
    survey = Survey(invalid=invalid, max_depth=max_depth)
    with hdf5.open_file(path) as file:
        ids = check(file, path, depth=depth, labels=hdf5.has(file, "labels"))
        n = len(ids)
        scenes = _scenes(file, path, n)
        images = cache.create(folder, "images", (n, h, w, 3), np.uint8)
        depths = cache.create(folder, "depths", (n, h, w), np.float32)
        np.save(folder / "ids.npy", ids)
        for name, texts in (("scenes", scenes), ("label_names", _label_names(file, path))):
            if texts is not None:
                np.save(folder / f"{name}.npy", np.array(texts))
        with tqdm(total=n, desc=f"{path.name} -> {h}x{w}", unit="frame", disable=None) as bar:
            for start in range(0, n, _BLOCK):
                block = slice(start, min(start + _BLOCK, n))
                for i, picture in enumerate(_read(file, path, "images", block), start):
                    images[i] = resize.shrink(picture, frame_size)
                for i, frame in enumerate(_read(file, path, _DEPTHS[depth], block), start):
                    depths[i] = resize.take_nearest(survey.add(frame, str(ids[i])), rows, columns)
                bar.update(block.stop - block.start)
        if problem := survey.problem():
            raise InputError(f"{path}: array '{_DEPTHS[depth]}': {problem}")
        for written in (images, depths):
            written.flush()
    return {"counts": survey.counts, "notes": survey.notes()}


def _lazy_labels(path, n, frame_size):
    """The labels at `frame_size`, read from the file when indexed; None if it has none. `_convert` has checked them."""
    with hdf5.open_file(path) as file:
        if not hdf5.has(file, "labels"):
            return None
    rows, columns = (resize.nearest_index(full, size) for full, size in zip(NYU_SIZE, frame_size, strict=True))

    def load(i):
        with hdf5.open_file(path) as file:
            return resize.take_nearest(_read(file, path, "labels", slice(i, i + 1))[0], rows, columns)

    return LazyArray(load, (n, *frame_size), np.uint16)


def _read(file, path, name: str, block: slice) -> np.ndarray:
    """Frames of one array with axes [n, y, x] or [n, y, x, channel]."""
    return np.ascontiguousarray(hdf5.read(hdf5.find(file, path, name), path, name, block).swapaxes(1, -1))
