"""Which frames a run uses: a folder, NYU Depth V2 if its file is found, otherwise the built-in rooms."""

import dataclasses
import os
import pathlib

from absl import logging

from jaxdepth.data.frames import Frames
from jaxdepth.data.sources import testsets
from jaxdepth.data.sources.folder import open_folder
from jaxdepth.data.sources.nyu import FILE_NAME, PAGE, open_nyu
from jaxdepth.data.sources.testsets.frames import open_testset
from jaxdepth.errors import InputError
from jaxdepth.geometry.depth import MAX_DEPTH, check_range
from jaxdepth.paths import expanded, shown

SOURCES = ("auto", "nyu", "folder", "tfds", "rooms")
DEFAULT_FOLDER = "data"


def open_frames(
    source,
    *,
    path=None,
    frame_size=(240, 320),
    image=None,
    depth_files=None,
    depth_scale=None,
    intrinsics=None,
    invalid=(),
    max_depth=MAX_DEPTH,
    rooms_frames=(2000, 200),
    sensor=False,
    depth="filled",
    seed=0,
    cache_dir=None,
) -> Frames:
    """Opens the frames of a source, and logs which they are and why.

    Args:
      source: "nyu", "folder", "tfds" or "rooms"; "auto" takes NYU if its file is found, else rooms. Or a test set, one
        of `testsets.KINDS`.
      path: NYU's file or the folder that holds it; None looks at $JAXDEPTH_DATA, then at `data/`. For
        "folder", "tfds" and test sets, the folder. Rooms have none.
      frame_size: (h, w) of the frames.
      image: for "folder", pattern of the pictures, see `pairs.find`.
      depth_files: for "folder", pattern of the depths.
      depth_scale: for "folder", metres per unit of the depths.
      intrinsics: for "folder", the camera, see `open_folder`.
      invalid: depths in metres that are no measurement; rooms have none.
      max_depth: metres; depth beyond it is masked.
      rooms_frames: for "rooms", numbers of frames (train, val).
      sensor: for "rooms", whether they are seen through a sensor.
      depth: of NYU's file, "filled" or "raw"; other sources have one kind.
      seed: of the rooms.
      cache_dir: see `cache.arrays`.

    Returns:
      A Frames, whose `description` says which frames these are and why.

    Raises:
      InputError: for an unknown source, a path for rooms, or a file that is not as expected.
      FileNotFoundError: if `path` or JAXDEPTH_DATA leads to no file (also for "auto": a path that was given is never
        ignored), or if source is "nyu" and there is no file.
    """
    check_range(invalid=invalid, max_depth=max_depth)
    known = (*SOURCES, *testsets.KINDS)
    if source not in known:
        raise InputError(f"config.data.source={source!r}: expected one of {', '.join(known)}")
    of_folders = {"folder": "pictures and depths", "tfds": "a prepared dataset"}
    of_folders |= {name: kind.title for name, kind in testsets.KINDS.items()}
    if source in of_folders and not path:
        what = of_folders[source]
        raise InputError(f"config.data.path={path!r}: expected a folder with {what} for data.source={source!r}")
    if source == "rooms" and path:
        raise InputError(
            f"config.data.path={str(path)!r}: data.source='rooms' reads no file; for NYU's file give source=nyu"
        )
    file, reason = (None, "as set") if source in ("rooms", *of_folders) else find_nyu(path)
    if depth != "filled" and file is None:
        raise InputError(
            f"config.data.depth={depth!r} (evaluate.py: --truth): only NYU's file has another depth than 'filled'"
        )
    where = shown(path)
    names = {"folder": f"folder {where}", "tfds": f"TFDS in {where}", "nyu": "NYU Depth V2"}
    names |= {name: f"{kind.title} in {where}" for name, kind in testsets.KINDS.items()}
    logging.info("data: %s (%s)", names.get("nyu" if file is not None else source, "built-in rooms"), reason)
    rule = dict(invalid=invalid, max_depth=max_depth)
    if source == "folder":
        folder = dict(image=image, depth=depth_files, depth_scale=depth_scale, intrinsics=intrinsics, **rule)
        frames = open_folder(expanded(path), frame_size=frame_size, cache_dir=cache_dir, **folder)
    elif source == "tfds":
        from jaxdepth.data.sources.tfds import open_tfds  # imports tensorflow

        frames = open_tfds(path, frame_size=frame_size, **rule)
    elif source in testsets.KINDS:
        frames = open_testset(source, expanded(path), frame_size=frame_size, **rule)
    elif file is not None:
        frames = open_nyu(file, frame_size=frame_size, depth=depth, cache_dir=cache_dir, **rule)
    elif source == "nyu":
        raise FileNotFoundError(f"config.data.source='nyu': {reason}; get {FILE_NAME} from {PAGE}")
    else:
        from jaxdepth.data.sources.rooms import open_rooms  # compiles a renderer

        options = dict(sensor=sensor, seed=seed, max_depth=max_depth, cache_dir=cache_dir)
        frames = open_rooms(*rooms_frames, frame_size=frame_size, **options)
    frames = dataclasses.replace(frames, description=f"data: {frames.description} ({reason})")
    logging.info(frames.description)
    return frames


def refuse_test_set(source):
    """Raises InputError for a test set, where frames of one size and camera are needed."""
    if source in testsets.KINDS:
        raise InputError(
            f"config.data.source={source!r}: a test set, for evaluate.py: expected one of {', '.join(SOURCES)}"
        )


def find_nyu(path=None) -> tuple[pathlib.Path | None, str]:
    """Finds NYU's file.

    Args:
      path: the file or its folder; None looks at JAXDEPTH_DATA, then at `data/`.

    Returns:
      The file and where it was found; or None and where it was looked for, if nothing was given.

    Raises:
      FileNotFoundError: if `path`, or else JAXDEPTH_DATA, is given and leads to no file.
    """
    for name, value in (("config.data.path", path), ("JAXDEPTH_DATA", os.environ.get("JAXDEPTH_DATA"))):
        if value:
            file = _file_at(value)
            if file is None:
                found = "no such file or folder"
                if os.path.isdir(value):
                    found = f"a folder without {FILE_NAME} (for other pictures: --config.data.source=folder)"
                raise FileNotFoundError(f"{name}={str(value)!r}: {found}; get {FILE_NAME} from {PAGE}")
            return file, f"found by {name}"
    file = _file_at(DEFAULT_FOLDER)
    if file is not None:
        return file, f"found in {DEFAULT_FOLDER}/"
    return None, (
        f"{FILE_NAME} not found: config.data.path and JAXDEPTH_DATA are not set, "
        f"and it is not in {pathlib.Path(DEFAULT_FOLDER).resolve()}"
    )


def _file_at(path) -> pathlib.Path | None:
    path = expanded(path)
    path = path / FILE_NAME if path.is_dir() else path
    return path if path.is_file() else None
