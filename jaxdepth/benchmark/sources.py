"""How fast each source gives its frames, at first and from then on, beside the rate of a training step."""

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
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import NYU_SIZE
from jaxdepth.output import encode

BATCH_SIZE, BATCHES = 8, 10


def measure(configs, *, count=64, full_size=NYU_SIZE, seconds=20) -> list[dict]:
    """Measures the rates of all sources, which hold the same rooms, each in its own format.

    At first, NYU's file and a folder are converted to the cache, rooms are rendered, and a TensorFlow Dataset is
    prepared from NYU's file. From then on, tf.data makes batches with the paper's augmentation. They are timed in turns
    with the training step of `kscale`, the peer.

    Args:
      configs: {name: ConfigDict}, `kscale` among them.
      count: number of rooms.
      full_size: (h, w) of the pictures in NYU's file and the folder.
      seconds: of the measurement from then on.

    Returns:
      For each source a row "first read" in frames per second, then for each a row "from then on" in examples per
      second.

    Raises:
      InputError: if `configs` does not have `kscale`.
    """
    if "kscale" not in configs:
        raise InputError(f"data: configs {', '.join(configs)}: expected kscale.py among them")
    from jaxdepth.data.sources import tfds_builder  # imports tensorflow, before any clock runs

    config = steps.with_changes(configs["kscale"], {"batch_size": BATCH_SIZE})
    frame_size = tuple(config.data.frame_size)
    train = steps.case(config).train
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        paths = write(folder, count, full_size)
        rows, functions = [], {"step": lambda: [train() for _ in range(BATCHES)]}
        rooms.frames(0, 0, 1, size=frame_size)  # compiles
        for name in ("nyu", "folder", "tfds", "rooms"):
            start = time.perf_counter()
            if name == "tfds":
                paths[name] = str(tfds_builder.prepare(paths["nyu"], folder / "tfds"))
            options = dict(path=paths.get(name), frame_size=frame_size, rooms_frames=(count, 1))
            frames = selection.open_frames(name, **options, cache_dir=folder / "cache")
            rate = count / (time.perf_counter() - start)
            rows.append(row(f"{name} first read", unit="frames/s", ours=rate))
            functions[name] = maker(frames, count, config)
        times = timing.in_turns(functions, seconds=seconds, calls=1)
    rates = {name: BATCHES * BATCH_SIZE / float(np.median(values)) for name, values in times.items()}
    against = dict(peer=rates.pop("step"), peer_name="training step")
    return rows + [
        row(f"{name} from then on", batch=BATCH_SIZE, unit="examples/s", ours=rate, **against)
        for name, rate in rates.items()
    ]


def write(folder, count, size):
    """Writes rooms as NYU's file and as a folder of pictures and depths.

    Args:
      folder: where to write.
      count: number of rooms.
      size: (h, w) of the rooms.

    Returns:
      {source: path}, for "nyu" and "folder".
    """
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
        (own / "depths" / f"{i:04d}.png").write_bytes(encode.png(depth[i]))
    return {"nyu": str(file), "folder": str(own)}


def maker(frames, count, config):
    """A function that makes BATCHES batches and waits for them."""
    stream = tfdata.train_batches(
        frames,
        np.arange(count),
        batch_size=BATCH_SIZE,
        seed=0,
        start_step=0,
        process_index=0,
        process_count=1,
        crop_size=tuple(config.data.crop_size),
        **config.data.augmentation,
    )
    return lambda: jax.block_until_ready(list(itertools.islice(stream, BATCHES)))
