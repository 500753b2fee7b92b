"""How fast each source gives its frames, read for the first time and later, beside what a training step takes."""

import itertools
import pathlib
import tempfile
import time

import h5py
import jax
import numpy as np
from PIL import Image

from jaxdepth import rooms
from jaxdepth.benchmark import steps, timing
from jaxdepth.benchmark.record import row
from jaxdepth.data.batches import tfdata
from jaxdepth.data.sources import selection
from jaxdepth.output import encode as export

_BATCH_SIZE, _BATCHES = 8, 10


def measure(settings, *, count=64, full_size=(480, 640), seconds=20) -> list[dict]:
    """Two rows for each source: frames a second when they are first read, and examples a second from then on.

    First read: NYU's file and a folder converted to the cache, rooms rendered, a TensorFlow Dataset prepared from NYU's
    file. From then on: batches by tf.data with the paper's augmentation, in turns with k-scale's training step, the
    peer. All sources hold the same `count` rooms, written as each of them wants it.

    Raises ValueError where `settings`, {name: ConfigDict}, has no k-scale.
    """
    if "kscale" not in settings:
        raise ValueError(f"data: settings of {', '.join(settings)}; expected kscale.py among them")
    from jaxdepth.data import tfds_builder  # imports tensorflow, before any clock runs

    config = settings["kscale"]
    frame_size = tuple(config.data.frame_size)
    train = steps.case(config, batch=_BATCH_SIZE).train
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        places = write(folder, count, full_size)
        rows, makers = [], {"step": lambda: [train() for _ in range(_BATCHES)]}
        rooms.frames(0, 0, 1, size=frame_size)  # compiles
        for name in ("nyu", "folder", "tfds", "rooms"):
            start = time.perf_counter()
            if name == "tfds":
                places[name] = str(tfds_builder.prepare(places["nyu"], folder / "tfds"))
            of = dict(path=places.get(name), frame_size=frame_size, rooms_frames=(count, 1))
            frames = selection.open_frames(name, **of, cache_dir=folder / "cache")
            rate = count / (time.perf_counter() - start)
            rows.append(row(f"{name} first read", unit="frames/s", ours=rate))
            makers[name] = _maker(frames, count, config)
        times = timing.in_turns(makers, seconds=seconds, calls=1)
    rates = {name: _BATCHES * _BATCH_SIZE / float(np.median(values)) for name, values in times.items()}
    needed = rates.pop("step")
    of_step = dict(peer=needed, peer_name="training step")
    return rows + [
        row(f"{name} from then on", batch=_BATCH_SIZE, unit="examples/s", ours=rate, **of_step)
        for name, rate in rates.items()
    ]


def write(folder, count, size):
    """The first `count` rooms of `size` as NYU's file and as a folder below `folder`: {source: path}."""
    made = rooms.frames(0, 0, count, size=size)
    image, depth, label = made["image"], made["depth"], made["label"]
    file = folder / "nyu_depth_v2_labeled.mat"
    with h5py.File(file, "w") as mat:
        arrays = {"images": image, "depths": depth, "labels": label.astype(np.uint16)}
        for name, array in arrays.items():
            array = array.swapaxes(1, -1)
            mat.create_dataset(name, data=array, chunks=(1, *array.shape[1:]), compression="gzip")
        mat["frame_ids"] = np.arange(1, count + 1, dtype=np.float64)[:, None]
    own = folder / "own"
    for part in ("images", "depths"):
        (own / part).mkdir(parents=True)
    for i in range(count):
        Image.fromarray(image[i]).save(own / "images" / f"{i:04d}.jpg", quality=92)
        (own / "depths" / f"{i:04d}.png").write_bytes(export.png(depth[i]))
    return {"nyu": str(file), "folder": str(own)}


def _maker(frames, count, config):
    """A function that makes so many batches and waits for them."""
    stream = tfdata.train_batches(
        frames,
        np.arange(count),
        batch_size=_BATCH_SIZE,
        seed=0,
        start_step=0,
        process_index=0,
        process_count=1,
        crop_size=tuple(config.data.crop_size),
        **config.data.augmentation,
    )
    return lambda: jax.block_until_ready(list(itertools.islice(stream, _BATCHES)))
