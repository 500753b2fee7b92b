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
from jaxdepth.data.files import pictures, writing
from jaxdepth.geometry import framing
from jaxdepth.output import encode
from jaxdepth.prediction.job import Work

_SIZE, _DIFFERENT, _BATCH = (480, 640), 4, 8
_FORMATS = (("npy",), ("npy", "png", "color"))


def measure(*, count=64, repetitions=5) -> list[dict]:
    """Predicts a folder of JPEG of rooms at 640x480 with the network of the package.

    Args:
      count: number of files, which repeat four rooms.
      repetitions: of each measurement, by turns with the network alone; the median counts.

    Returns:
      Rows: the network alone, milliseconds a picture in batches of 8. For .npy alone, and with the PNG in millimetres
      and in colours, images per second from file to file, and the milliseconds a picture beyond the network's. Then
      what each part takes by itself, without another beside it.
    """
    predictor = predict.load()
    x = np.zeros((_BATCH, *predictor.framing.crop_size, 3), np.float32)
    times = {formats: [] for formats in (None, *_FORMATS)}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        _write_pictures(folder / "pictures", count)
        for repetition in range(1 + repetitions):  # the first one compiles
            for formats, seconds in times.items():
                start = time.perf_counter()
                if formats is None:
                    for _ in range(count // _BATCH):
                        jax.block_until_ready(predictor.log_depths(x))
                else:
                    options = dict(output=folder / "depth", formats=formats, batch=_BATCH)
                    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):  # no progress bar
                        predict.predict_files(predictor, [folder / "pictures"], **options)
                if repetition:
                    seconds.append(time.perf_counter() - start)
        log_depth = np.asarray(predictor.log_depths(x)[predictor.groups[0]])[0]
        parts = _parts(predictor, folder / "pictures" / "0000.jpg", log_depth, folder)
    alone, *others = (np.array(seconds) / count for seconds in times.values())
    common = dict(network="the package's", batch=_BATCH)
    rows = [row("network alone, a picture", unit="ms", ours=1000 * float(np.median(alone)), **common)]
    for formats, seconds in zip(_FORMATS, others, strict=True):
        name = f"predict {' + '.join(formats)}"
        rate, beyond = 1 / float(np.median(seconds)), 1000 * float(np.median(seconds - alone))
        rows.append(row(f"{name}, 640x480", unit="images/s", ours=rate, **common))
        rows.append(row(f"{name}, beyond the network", unit="ms", ours=beyond, **common))
    return rows + [row(f"by itself: {part}", unit="ms", ours=ms, **common) for part, ms in parts.items()]


def _parts(predictor, file, log_depth, folder):
    """{part of the way from file to file: milliseconds}, of one picture and its log depth [h, w]."""
    job = Work(predictor, ("npy",), {}, True, workdir=None).read(file, folder / "one")
    pixels, camera = pictures.read(file).pixels, job.camera

    def enlarge():
        placed = [job.size], [camera], predictor.framing
        return framing.picture_depths(log_depth[None], *placed, max_depth=predictor.trained.run.max_depth)[0]

    depth = enlarge()
    files = {folder / "a.json": b"{}", folder / "a.npy": encode.encode("npy", depth, None, camera)}
    parts = {
        "reading the picture": lambda: pictures.read(file),
        "the network's input": lambda: framing.network_input(pixels, predictor.framing),
        "depth of the picture's size": enlarge,
        "encoding png": lambda: encode.encode("png", depth, None, camera),
        "encoding color": lambda: encode.encode("color", depth, None, camera),
        "writing json and npy": lambda: writing.write_together(files),
    }
    return {name: 1000 * _median_seconds(part) for name, part in parts.items()}


def _median_seconds(function, repetitions=30):
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _write_pictures(folder, count):
    folder.mkdir()
    render = jax.jit(lambda index: rooms.render(0, index, size=_SIZE)["image"])
    different = [Image.fromarray(np.asarray(render(i))) for i in range(_DIFFERENT)]
    for i in range(count):
        different[i % _DIFFERENT].save(folder / f"{i:04d}.jpg", quality=90)
