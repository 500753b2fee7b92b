"""Metrics and pictures of a run for TensorBoard, where that is wanted: the one file that imports tensorboardX."""

import contextlib

import numpy as np
from PIL import Image


@contextlib.contextmanager
def events(workdir, *, wanted, from_step):
    """An Events that writes below `workdir`/tensorboard, or into nothing where it is not `wanted`.

    Events of an earlier start past `from_step` are purged, as lines of metrics.jsonl are.
    """
    if not wanted:
        yield Events(None)
        return
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(workdir / "tensorboard"), purge_step=from_step + 1) as writer:
        yield Events(writer)


class Events:
    """What a run writes to TensorBoard."""

    def __init__(self, writer):
        self._writer = writer

    def scalars(self, step, values):
        """{name: value} of a step."""
        for name, value in values.items() if self._writer else ():
            self._writer.add_scalar(name, value, step)

    def picture(self, step, path):
        """A picture file, under its name."""
        if self._writer:
            with Image.open(path) as picture:
                self._writer.add_image(path.stem, np.asarray(picture.convert("RGB")), step, dataformats="HWC")
