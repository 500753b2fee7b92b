"""Pictures per second of `predict_files`, and what each takes beyond the network's own time."""

import contextlib
import os
import pathlib
import tempfile
import time

import jax
import numpy as np
from PIL import Image

from jaxdepth import predict, rooms
from jaxdepth.benchmark.record import row

_SIZE, _DIFFERENT, _BATCH = (480, 640), 4, 8
_FORMATS = (("npy",), ("npy", "png", "color"))


def measure(*, pictures=64, repetitions=5) -> list[dict]:
    """Predicts a folder of JPEG of rooms at 640x480 with the network of the package.

    Args:
      pictures: number of files, which repeat four rooms.
      repetitions: of each measurement, by turns with the network alone; the median counts.

    Returns:
      Rows: the network alone, milliseconds a picture in batches of 8. For .npy alone, and with the PNG in millimetres
      and in colours, images per second from file to file, and the milliseconds a picture beyond the network's.
    """
    predictor = predict.load()
    x = np.zeros((_BATCH, *predictor.framing.crop_size, 3), np.float32)
    times = {formats: [] for formats in (None, *_FORMATS)}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        _write_pictures(folder / "pictures", pictures)
        for repetition in range(1 + repetitions):  # the first one compiles
            for formats, seconds in times.items():
                start = time.perf_counter()
                if formats is None:
                    for _ in range(pictures // _BATCH):
                        jax.block_until_ready(predictor.log_depths(x))
                else:
                    options = dict(output=folder / "depth", formats=formats, batch=_BATCH)
                    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):  # no progress bar
                        predict.predict_files(predictor, [folder / "pictures"], **options)
                if repetition:
                    seconds.append(time.perf_counter() - start)
    alone, *others = (np.array(seconds) / pictures for seconds in times.values())
    common = dict(network="the package's", batch=_BATCH)
    rows = [row("network alone, a picture", unit="ms", ours=1000 * float(np.median(alone)), **common)]
    for formats, seconds in zip(_FORMATS, others, strict=True):
        name = f"predict {' + '.join(formats)}"
        rate, beyond = 1 / float(np.median(seconds)), 1000 * float(np.median(seconds - alone))
        rows.append(row(f"{name}, 640x480", unit="images/s", ours=rate, **common))
        rows.append(row(f"{name}, beyond the network", unit="ms", ours=beyond, **common))
    return rows


def _write_pictures(folder, count):
    folder.mkdir()
    render = jax.jit(lambda index: rooms.render(0, index, size=_SIZE)["image"])
    different = [Image.fromarray(np.asarray(render(i))) for i in range(_DIFFERENT)]
    for i in range(count):
        different[i % _DIFFERENT].save(folder / f"{i:04d}.jpg", quality=90)
