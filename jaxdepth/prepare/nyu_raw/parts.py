"""Part files: the training frames of one recording, made once and kept until the data set is complete.

A part is a ZIP file without compression: for each frame NAME.png and NAME.npy (float16 depth), and last part.json. Its
bytes depend on the raw files and the settings alone.
"""

import collections
import contextlib
import dataclasses
import hashlib
import io
import json
import pathlib
import zipfile
from typing import NamedTuple

import numpy as np
from PIL import Image

from jaxdepth.data.files.writing import growing, json_bytes, write_json
from jaxdepth.data.splits import scene_of
from jaxdepth.errors import InputError
from jaxdepth.prepare.nyu_raw import filling, scene
from jaxdepth.prepare.nyu_raw.examples import examples
from jaxdepth.prepare.nyu_raw.recordings import Recording, damage

_LAYOUT = 1  # increased when the content of a part changes
_JSON = "part.json"
_FAILED = ".failed"
_SCENE_BYTES = 100  # of a scene's name in that of a file
_PNG_LEVEL = 4  # 6, the default, takes three times as long for 2 % fewer bytes


class Settings(NamedTuple):
    """What decides, with the raw files, about the frames.

    Attributes:
      count: frames of a scene at most.
      size: (h, w).
      max_gap: seconds between colour and depth of a frame.
      fill: whether holes in the depth are filled.
    """

    count: int
    size: tuple[int, int]
    max_gap: float
    fill: bool


@dataclasses.dataclass(frozen=True)
class Part:
    """A part to be made.

    Attributes:
      recording: the Recording.
      count: frames of it at most.
      path: of the file.
    """

    recording: Recording
    count: int
    path: pathlib.Path


def planned(recordings, folder, settings):
    """The parts of some recordings: a list of Part in the order of the recordings.

    Recordings of one scene share its count in proportion to their colour pictures. The name of a part's file has a hash
    of all that decides about its content, the raw files by their names and sizes.
    """
    pictures = {recording.scene: len(scene.timed(recording.files)[0]) for recording in recordings}
    together = collections.defaultdict(dict)
    for name, number in pictures.items():
        together[scene_of(name)][name] = number
    counts = {}
    for numbers in together.values():
        counts |= shares(settings.count, numbers)
    return [
        Part(
            recording, counts[recording.scene], pathlib.Path(folder, _file_name(recording, counts, settings)).absolute()
        )
        for recording in recordings
    ]


def shares(count, weights):
    """Cuts a whole number in proportion to weights, by the largest remainders.

    Args:
      count: the number.
      weights: {name: whole number}, not all 0.

    Returns:
      {name: whole number}, whose sum is `count`.
    """
    total = sum(weights.values())
    found = {name: count * weight // total for name, weight in weights.items()}
    remainders = sorted(weights, key=lambda name: (-(count * weights[name] % total), name))
    for name in remainders[: count - sum(found.values())]:
        found[name] += 1
    return found


def _file_name(recording, counts, settings):
    pictures = sorted(file.name for files in scene.timed(recording.files) for file in files)
    decides = [
        _LAYOUT,
        recording.scene,
        counts[recording.scene],
        settings.size,
        settings.max_gap,
        settings.fill,
        [[name, recording.files[name]] for name in pictures],
    ]
    scene_name = recording.scene.encode()[:_SCENE_BYTES].decode(errors="ignore")
    return f"{scene_name}-{hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]}.zip"


def make(settings, part):
    """Makes a part, unless it is there. Beside one that cannot be made lies a file with the reason, see `failures`.

    Args:
      settings: the Settings.
      part: the Part.
    """
    if is_complete(part):
        return
    try:
        _write(part, settings)
    except (OSError, InputError) as error:
        note_failure(part.path, error)


def _write(part, settings):
    left_out, frames, camera = collections.Counter(), [], None
    with growing(part.path) as path, zipfile.ZipFile(path, "w") as archive:
        for example in examples(
            part.recording, count=part.count, size=settings.size, max_gap=settings.max_gap, left_out=left_out
        ):
            depth = example.depth
            if settings.fill:
                depth = filling.filled(example.picture, depth)
            depth = depth.astype(np.float16)
            png, npy = io.BytesIO(), io.BytesIO()
            Image.fromarray(example.picture).save(png, "PNG", compress_level=_PNG_LEVEL)
            np.save(npy, depth)
            _add(archive, f"{example.name}.png", png.getvalue())
            _add(archive, f"{example.name}.npy", npy.getvalue())
            measured = depth[depth > 0]
            frames.append(
                {
                    "name": example.name,
                    "seconds": example.seconds,
                    "gap": example.gap,
                    "median": float(np.median(measured.astype(np.float32))),
                    "without_depth": 1 - measured.size / depth.size,
                    "png_bytes": len(png.getvalue()),
                }
            )
            camera = list(example.intrinsics)
        told = {"scene": part.recording.scene, "intrinsics": camera, "frames": frames, "left_out": dict(+left_out)}
        _add(archive, _JSON, json_bytes(told))


def _add(archive, name, data):
    archive.writestr(zipfile.ZipInfo(name), data)  # of the year 1980, so that the same frames are the same bytes


def is_complete(part) -> bool:
    """Whether a part is there, whole."""
    try:
        return bool(read(part))
    except (OSError, InputError):
        return False


def read(part):
    """The part.json of a part that is there.

    Raises:
      OSError: if it is not there.
      InputError: if it is damaged.
    """
    with damage(f"{part.path}: a damaged part"), zipfile.ZipFile(part.path) as archive:
        return json.loads(archive.read(_JSON))


def read_frames(path, names):
    """Yields (name, PNG of the picture, float16 depth [h, w]) of some frames of a part's file.

    Raises:
      OSError: if it cannot be read.
      InputError: if it is damaged.
    """
    with damage(f"{path}: a damaged part"), zipfile.ZipFile(path) as archive:
        for name in names:
            yield name, archive.read(f"{name}.png"), np.load(io.BytesIO(archive.read(f"{name}.npy")))


def note_failure(path, error):
    """Writes the reason why a file could not be made beside it; where even that fails, Beam's log has it."""
    own = isinstance(error, OSError) and error.filename == str(path)
    told = error.strerror if own else " ".join(str(error).split())
    with contextlib.suppress(OSError):
        print(f"{path}: {told}", flush=True)
    with contextlib.suppress(OSError):
        write_json(_note(path), {"reason": told})


def failure(path):
    """Why a file that is not there could not be made; None if nothing is known."""
    try:
        return json.loads(_note(path).read_text())["reason"]
    except (OSError, ValueError, KeyError):
        return None


def _note(path):
    return path.with_name(path.name + _FAILED)


def is_note(path) -> bool:
    """Whether a path is that of a reason."""
    return path.name.endswith(_FAILED)
