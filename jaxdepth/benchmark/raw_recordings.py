"""What it costs to make training frames of NYU's raw recordings, and how fast training reads them."""

import contextlib
import importlib.util
import io
import pathlib
import tempfile
import time

import numpy as np

from jaxdepth import rooms
from jaxdepth.benchmark import sources, steps, timing
from jaxdepth.benchmark.record import row
from jaxdepth.data.sources import selection
from jaxdepth.errors import InputError
from jaxdepth.prepare.nyu_raw import calibration, dataset, parallel, parts

_WORKERS = (1, 2)
_SHARE = 8.8  # pictures for each frame that is taken: 407,000 of 464 scenes, 100 of each
_ROOMS = 12  # different ones in a scene
_SHIFT = 8  # columns by which the camera moves between two pictures


def is_possible() -> bool:
    """Whether Apache Beam is installed."""
    return importlib.util.find_spec("apache_beam") is not None


def measure(configs, *, scenes=8, pictures=300, seconds=20):
    """Measures `prepare_data.py nyu_raw` by number of worker processes, and batches from what it has made.

    Rooms are written as raw scenes, colour and depth as the Kinect's recorder wrote them.

    Args:
      configs: {name: ConfigDict}, `kscale` among them.
      scenes: their number.
      pictures: colour pictures of a scene.
      seconds: of the measurement of batches.

    Yields:
      Rows: for 1 and 2 workers what it takes to start, and pictures per second without the start; bytes read and
      written; examples per second.

    Raises:
      InputError: if Apache Beam is not installed, or `configs` does not have `kscale`.
    """
    parallel.check_options("")
    if "kscale" not in configs:
        raise InputError(f"nyu_raw: configs {', '.join(configs)}: expected kscale.py among them")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for i in range(scenes):
            write_scene(folder / "raw" / f"room_{i:04d}", i, pictures)
        for i in range(max(_WORKERS)):
            write_scene(folder / "little" / f"room_{i:04d}", i, 2)
        _prepare(folder / "little", folder / "before", workers=1)  # so that the disk cache has the programs
        count, rates = round(pictures / _SHARE), {}
        for workers in _WORKERS:
            words = f"{workers} worker" + "s" * (workers > 1)
            start = _prepare(folder / "little", folder / f"start{workers}", workers=workers)
            yield row(f"raw recordings, start of {words}", unit="s", ours=start)
            took = _prepare(folder / "raw", folder / str(workers), workers=workers, count=count) - start
            rates[workers] = scenes * pictures / took
            against = dict(peer=rates[1], peer_name="1 worker") if workers > 1 else {}
            yield row(f"raw recordings, {words}", unit="pictures/s", ours=rates[workers], **against)
        read = sum(file.stat().st_size for file in (folder / "raw").rglob("*.p[pg]m"))
        yield row("raw recordings, size of a picture with its depth", unit="MB", ours=read / scenes / pictures / 1e6)
        made = folder / "1" / "nyu_depth_v2_raw"
        config = steps.with_changes(configs["kscale"], {"batch_size": sources.BATCH_SIZE})
        frames = selection.open_frames("tfds", path=made, frame_size=tuple(config.data.frame_size))
        written = sum(file.stat().st_size for file in made.rglob("*.array_record*"))
        yield row("raw recordings, size of a frame", unit="KB", ours=written / len(frames) / 1e3)
        train, batches = steps.case(config).train, sources.BATCHES
        functions = {"step": lambda: [train() for _ in range(batches)]}
        functions["raw"] = sources.maker(frames, len(frames), config)
        times = timing.in_turns(functions, seconds=seconds, calls=1)
        rates = {name: batches * sources.BATCH_SIZE / float(np.median(values)) for name, values in times.items()}
        against = dict(peer=rates["step"], peer_name="training step")
        yield row(
            "raw recordings from then on", batch=sources.BATCH_SIZE, unit="examples/s", ours=rates["raw"], **against
        )


def write_scene(folder, seed, count, *, start=1294886360.0):
    """Writes a raw scene: a camera that pans over a few rooms, in the recorder's format.

    Args:
      folder: to be made.
      seed: of the rooms.
      count: number of colour pictures, each with a depth 10 ms later.
      start: seconds, of the first.
    """
    folder.mkdir(parents=True)
    made = rooms.frames(seed, 0, min(count, _ROOMS), size=calibration.SIZE)
    for i in range(count):
        room, turn = i % len(made["image"]), _SHIFT * (i // len(made["image"]))
        picture, depth = (np.roll(np.asarray(made[name][room]), turn, axis=1) for name in ("image", "depth"))
        codes = np.where(depth > 0, np.rint(1092.5 - 351.3 / np.maximum(depth, 0.4)), calibration.NO_DEPTH)
        seconds = start + i / 15
        (folder / f"r-{seconds:.6f}-{i}.ppm").write_bytes(b"P6 640 480 255\n" + picture.tobytes())
        content = b"P5 640 480 65535\n" + codes.astype("<u2").tobytes()
        (folder / f"d-{seconds + 0.01:.6f}-{i}.pgm").write_bytes(content)


def _prepare(raw, to, *, workers, count=1):
    """Seconds that the command takes."""
    settings = parts.Settings(count=count, size=(240, 320), max_gap=0.05, fill=False)
    begun = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        if dataset.prepare(raw, to, settings, all_scenes=True, workers=workers):
            raise InputError(f"{raw}: some recordings could not be made")
    return time.perf_counter() - begun
