"""Which frames a run uses: one's own folder, NYU Depth V2 where its file is found, otherwise the built-in rooms."""

import dataclasses
import os
import pathlib

from absl import logging

from jaxdepth.data.frames import Frames
from jaxdepth.data.sources.folder import open_folder
from jaxdepth.data.sources.nyu import FILE_NAME, PAGE, open_nyu

SOURCES = ("auto", "nyu", "folder", "tfds", "rooms")
DEFAULT_FOLDER = "data"


def open_frames(
    source,
    *,
    path=None,
    frame_size=(240, 320),
    folder=None,
    rooms_frames=(2000, 200),
    sensor=False,
    depth="filled",
    seed=0,
    cache_dir=None,
) -> Frames:
    """The frames of `source`; which they are and why stands in their `description`, which is also logged.

    Args:
      source: "nyu"; "folder"; "tfds"; "rooms"; "auto" takes NYU where its file is found and rooms otherwise.
      path: NYU's file or the folder that holds it; None or "": the environment variable JAXDEPTH_DATA, else `data/`
        in the working directory. For "folder" and "tfds" the folder itself; rooms lie nowhere.
      frame_size: (h, w) of the frames.
      folder: for "folder", a dict of `image`, `depth`, `depth_scale` and `intrinsics`, see `open_folder`.
      rooms_frames: (train, val) numbers of rooms.
      sensor: whether rooms are seen through `jaxdepth.rooms.sensor`.
      depth: of NYU's file, "filled" or "raw"; other sources have one.
      seed: of the rooms.
      cache_dir: see `jaxdepth.data.cache.arrays`.

    Raises:
      ValueError: unknown source, a path for rooms, or a file that is not as expected.
      FileNotFoundError: path or JAXDEPTH_DATA is given and leads to no file (also under "auto": a place that was named
        is never passed over in silence), or source is "nyu" and the file is nowhere.
    """
    if source not in SOURCES:
        raise ValueError(f"config.data.source={source!r}: expected one of {', '.join(SOURCES)}")
    if source in ("folder", "tfds") and not path:
        what = {"folder": "pictures and depths", "tfds": "a prepared dataset"}[source]
        raise ValueError(f"config.data.path={path!r}: expected the folder of {what} of data.source={source!r}")
    if source == "rooms" and path:
        raise ValueError(
            f"config.data.path={str(path)!r}: data.source='rooms' reads no file; for NYU's give source=nyu"
        )
    file, reason = (None, "asked for") if source in ("folder", "tfds", "rooms") else find_nyu(path)
    if depth != "filled" and file is None:
        raise ValueError(f"config.data.depth={depth!r}: only NYU's file has another depth than 'filled'")
    kinds = {"folder": f"folder {path}", "tfds": f"TFDS in {path}", "nyu": "NYU Depth V2"}
    logging.info("data: %s (%s)", kinds.get("nyu" if file is not None else source, "built-in rooms"), reason)
    if source == "folder":
        place = pathlib.Path(path).expanduser()
        frames = open_folder(place, frame_size=frame_size, cache_dir=cache_dir, **(folder or {}))
    elif source == "tfds":
        from jaxdepth.data.sources.tfds import open_tfds  # imports tensorflow

        frames = open_tfds(path, frame_size=frame_size)
    elif file is not None:
        frames = open_nyu(file, frame_size=frame_size, depth=depth, cache_dir=cache_dir)
    elif source == "nyu":
        raise FileNotFoundError(f"config.data.source='nyu': {reason}; get {FILE_NAME} from {PAGE}")
    else:
        from jaxdepth.data.sources.rooms import open_rooms  # compiles a renderer: only where rooms are used

        frames = open_rooms(*rooms_frames, sensor=sensor, seed=seed, frame_size=frame_size, cache_dir=cache_dir)
    frames = dataclasses.replace(frames, description=f"data: {frames.description} ({reason})")
    logging.info(frames.description)
    return frames


def of_settings(data, *, seed, source=None, path=None, frame_size=None) -> Frames:
    """The frames that the settings `data` of a run, a dict, name; another source, path or frame size where given.

    Another source than that of a run on files is not looked for where those lie.
    """
    return open_frames(
        source or data["source"],
        path=path or (data["path"] if source in (None, data["source"]) else None),
        frame_size=tuple(frame_size or data["frame_size"]),
        folder=data.get("folder"),
        rooms_frames=tuple(data["rooms_frames"]),
        sensor=data.get("sensor", False),  # which older runs do not have
        depth=data.get("depth", "filled") if source in (None, data["source"]) else "filled",
        seed=seed,
    )


def find_nyu(path=None) -> tuple[pathlib.Path | None, str]:
    """NYU's file and why it is this one; (None, where it was looked for) where only the default place was left.

    Raises FileNotFoundError where `path`, else JAXDEPTH_DATA, is given and leads to no file.
    """
    for name, value in (("config.data.path", path), ("JAXDEPTH_DATA", os.environ.get("JAXDEPTH_DATA"))):
        if value:
            file = _file_at(value)
            if file is None:
                found = "no such file or folder"
                if os.path.isdir(value):
                    found = f"a folder without {FILE_NAME} (of other pictures: --config.data.source=folder)"
                raise FileNotFoundError(f"{name}={str(value)!r}: {found}; get {FILE_NAME} from {PAGE}")
            return file, f"found by {name}"
    file = _file_at(DEFAULT_FOLDER)
    if file is not None:
        return file, f"found in {DEFAULT_FOLDER}/"
    return None, (
        f"{FILE_NAME} not found: config.data.path and JAXDEPTH_DATA are not set, "
        f"and it is not in {pathlib.Path(DEFAULT_FOLDER).resolve()}"
    )


def _file_at(place) -> pathlib.Path | None:
    place = pathlib.Path(place).expanduser()
    place = place / FILE_NAME if place.is_dir() else place
    return place if place.is_file() else None
