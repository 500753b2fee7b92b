"""Metrics and pictures for TensorBoard: the one file that imports tensorboardX."""

import contextlib

import numpy as np
from PIL import Image


@contextlib.contextmanager
def events(workdir, *, enabled, from_step):
    """Opens the event files of a run.

    Args:
      workdir: the run's folder; events go into its subfolder tensorboard.
      enabled: if false, nothing is written.
      from_step: step that the run continues from; later events of an earlier start are purged.

    Yields:
      An Events.
    """
    if not enabled:
        yield Events(None)
        return
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(workdir / "tensorboard"), purge_step=from_step + 1) as writer:
        yield Events(writer)


class Events:
    """Writes a run's events; without a writer it does nothing."""

    def __init__(self, writer):
        self._writer = writer

    def scalars(self, step, values):
        """Writes {name: value} of a step."""
        for name, value in values.items() if self._writer else ():
            self._writer.add_scalar(name, value, step)

    def picture(self, step, path):
        """Writes a picture file of a step, under the file's name."""
        if self._writer:
            with Image.open(path) as picture:
                self._writer.add_image(path.stem, np.asarray(picture.convert("RGB")), step, dataformats="HWC")
