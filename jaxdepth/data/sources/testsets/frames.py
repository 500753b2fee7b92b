"""A test set as a source of frames: whole pictures, each scored at the size of its truth."""

import functools
import pathlib

import numpy as np
from absl import logging

from jaxdepth.data.frames import Frames, LazyArray, OwnSizes
from jaxdepth.data.sources import testsets
from jaxdepth.data.sources.pairs import hashed_ids
from jaxdepth.geometry import framing, resize
from jaxdepth.geometry.depth import mask_invalid
from jaxdepth.paths import shown

_KEPT = 32  # truths in memory: of two batches


def open_testset(kind, path, *, frame_size=(240, 320), invalid=(), max_depth=None) -> Frames:
    """Opens a test set. Each picture is placed in the frame as a whole, as `predict` does, with replicated borders.

    Args:
      kind: one of `testsets.KINDS`.
      path: its folder.
      frame_size: (h, w).
      invalid: depths in metres that are no measurement, besides those that the set masks.
      max_depth: metres; depth beyond it is masked. None for the set's usual cap.

    Returns:
      A Frames with lazy arrays and the only split `test`, which has no training frames.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: as `Kind.find`; when a frame is read, if its files are damaged.
    """
    found = testsets.KINDS[kind].find(pathlib.Path(path))
    max_depth = testsets.KINDS[kind].max_depth if max_depth is None else max_depth
    for note in found.notes:
        logging.info("%s: %s", shown(found.folder), shown(note))
    examples, (h, w) = found.examples, frame_size
    ids = hashed_ids(example.name for example in examples)

    @functools.lru_cache(maxsize=_KEPT)  # read once for the frame, and once to be scored
    def full_depth(i):
        return mask_invalid(found.read_depth(examples[i]), invalid=invalid, max_depth=max_depth)[0]

    sizes = {}  # of the pictures that were read: many headers of PNGs take as long as the pictures

    def image(i):
        picture = found.image(examples[i])
        sizes[i] = picture.shape[:2]
        return framing.framed(picture, frame_size=(h, w))

    def picture_size(i):
        if i not in sizes:
            sizes[i] = found.picture_size(examples[i])
        return sizes[i]

    def depth(i):
        at = framing.place(picture_size(i), frame_size=(h, w))
        frame, full = np.zeros((h, w), np.float32), full_depth(i)
        rows, columns = (resize.nearest_index(n, m) for n, m in zip(full.shape, (at.height, at.width), strict=True))
        frame[at.top : at.top + at.height, at.left : at.left + at.width] = resize.take_nearest(full, rows, columns)
        return frame

    annotate = found.read_annotations
    return Frames(
        name=kind,
        images=LazyArray(image, (len(ids), h, w, 3), np.uint8),
        depths=LazyArray(depth, (len(ids), h, w), np.float32),
        ids=ids,
        intrinsics=None,
        full_depth=full_depth,
        splits={"test": ((), tuple(ids.tolist()))},
        counts={},
        truth=found.truth,
        description=f"{testsets.KINDS[kind].title} from {shown(found.folder)}: {len(ids)} pictures",
        picture_size=picture_size,
        names=tuple(example.name for example in examples),
        scenes=_scenes(examples),
        invalid=tuple(invalid),
        max_depth=max_depth,
        own_sizes=OwnSizes(
            np.array([example.size for example in examples]),
            tuple(example.camera for example in examples),
            annotate and (lambda i: annotate(examples[i])),
        ),
    )


def _scenes(examples):
    """The scene of each picture; None if some are unknown."""
    scenes = tuple(example.scene for example in examples)
    return None if None in scenes else scenes
