"""From a clip to a video of its depth, and to depth frames."""

import collections
import contextlib
import dataclasses
import math
import os
import pathlib
import re
import shutil
import time
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from jaxdepth.data.files import videos, writing
from jaxdepth.errors import InputError
from jaxdepth.geometry import framing
from jaxdepth.geometry.camera import Intrinsics, resize_intrinsics
from jaxdepth.geometry.depth import MIN_DEPTH
from jaxdepth.output import encode, sidecar
from jaxdepth.paths import shown
from jaxdepth.prediction import job, pipeline, side_by_side
from jaxdepth.prediction.smoothing import smoothed
from jaxdepth.training import sharding

VIDEO, FRAMES = ".depth.mp4", ".depth"  # what a clip's files end in; the second is a folder
SMOOTHING = 0.1  # seconds
_SAMPLES = 16  # frames, up to twice as many, of which the range of the colours is taken
_PERCENTILES = (1, 99)  # of their depth
_FRAME_NAME = r"\d{6,}\.png"
_END = object()


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of a clip.

    Attributes:
      frames: with a result.
      skipped: damaged frames, which are left out.
      seconds: that it took.
      files: paths that are written.
      origin: where the camera comes from, see `framing.find_camera`.
      clipped: share of the depth at one end of the network's range.
      cut_off: (seconds read, seconds by the header) of a clip that ends early; else None.
    """

    frames: int
    skipped: int
    seconds: float
    files: list[pathlib.Path]
    origin: str
    clipped: float
    cut_off: tuple[float, float] | None


class _Frame(NamedTuple):
    """A frame on its way: its time, what the network sees, float32 [1, h, w, 3], and the panel, uint8 [H, W, 3]."""

    seconds: float
    input: np.ndarray
    pixels: np.ndarray

    @property
    def size(self):
        return self.pixels.shape[:2]


@dataclasses.dataclass(frozen=True)
class _Clip:
    """What a first pass finds.

    Attributes:
      path: of the video.
      name: of its files, without suffix.
      size: (H, W).
      panel_size: (h, w) at which a frame is shown.
      camera: Intrinsics in pixels of a frame.
      origin: where they come from.
      frames: their number.
      sampled: how many gave the ends of the colours.
      colours: {"low", "high"}, metres at these ends.
    """

    path: pathlib.Path
    name: pathlib.Path
    size: tuple[int, int]
    panel_size: tuple[int, int]
    camera: Intrinsics
    origin: str
    frames: int
    sampled: int
    colours: dict[str, float]


def predict_clip(
    predictor,
    path,
    output,
    *,
    depth_frames=False,
    smoothing=SMOOTHING,
    batch=8,
    intrinsics=None,
    overwrite=False,
    workdir=None,
    progress=True,
):
    """Writes the depth of a video: NAME.depth.mp4, which shows both side by side, and NAME.json.

    One range of colours holds for the whole clip: from the 1st to the 99th percentile of the depth of 16 to 32 frames,
    evenly spread over it (of all, if there are fewer). They are found in a first pass, which decodes every frame. The
    files appear together at the end or not at all. Memory does not grow with the clip.

    Args:
      predictor: a Predictor.
      path: the video.
      output: DIR/NAME: the path of its files without suffix. The folder is made.
      depth_frames: whether to write a folder NAME.depth too: 000000.png and so on, 16 bit, millimetres.
      smoothing: seconds by which depth lags where it is smoothed over time, see `smoothing.smoothed`; 0 for none.
      batch: frames that go through the network together, at most.
      intrinsics: in pixels of the upright frames, as far as they are known, see `camera.completed`; or None.
      overwrite: whether to replace files that no earlier prediction has written.
      workdir: of the network, for NAME.json; None for the one of the package.
      progress: whether to show it on a terminal.

    Returns:
      A Report.

    Raises:
      InputError: for settings out of range, something other than a video or one without a frame that can be decoded
        (see `videos.Video`), files that may not be replaced, or predictions that are not finite.
      OSError: if a file cannot be read or written. It names the file; nothing is written then.
      KeyboardInterrupt: at Ctrl-C. Nothing is written then either.
    """
    if batch < 1:
        raise InputError(f"batch={batch}: expected 1 or more")
    if not 0 <= smoothing < math.inf:
        raise InputError(f"smoothing={smoothing}: expected seconds, 0 for none")
    start, name = time.monotonic(), pathlib.Path(output)
    targets = [job.file_of(name, suffix) for suffix in (VIDEO, FRAMES)[: 2 if depth_frames else 1]]
    _check_targets(name, targets, overwrite=overwrite)
    video, devices = videos.Video(path), sharding.make_mesh().size
    batch = -(-batch // devices) * devices
    bar = None if progress else True  # None: on a terminal only
    clip = _look(predictor, video, name, batch=batch, intrinsics=intrinsics, bar=bar)
    name.parent.mkdir(parents=True, exist_ok=True)
    with _growing(name) as folder, pipeline.interruptible(), tqdm(total=clip.frames, unit="frame", disable=bar) as bar:
        files = [folder / target.name for target in targets]
        try:
            frames = _depths(predictor, video, batch=batch, smoothing=smoothing)
            written = _Writing(predictor, clip, *files)
            written.write(frames, rate=video.rate, bar=bar)
        except KeyboardInterrupt:
            told = f"interrupted after {bar.n} of {clip.frames} frames of {shown(path)}: expected all for its files"
            raise KeyboardInterrupt(told) from None
        described = written.described(targets=targets, workdir=workdir) | {
            "clip": {
                "frames": written.count,
                "skipped": video.skipped,
                "seconds": round(written.seconds, 3),
                "frames_per_second": round(float(video.rate), 3),
                "colours": list(clip.colours.values()),
                "colours_from": f"percentiles 1 and 99 of {clip.sampled} frames, evenly spread",
                "smoothing_seconds": smoothing,
            },
        }
        writing.write_json(job.file_of(name, sidecar.SUFFIX), described)
        for file, target in zip(files, targets, strict=True):
            _put(file, target, aside=folder / "replaced")
    end = written.seconds + float(1 / video.rate)
    early = video.seconds is not None and video.seconds - end > max(1, 0.05 * video.seconds)
    return Report(
        frames=written.count,
        skipped=video.skipped,
        seconds=time.monotonic() - start,
        files=[job.file_of(name, sidecar.SUFFIX), *targets],
        origin=clip.origin,
        clipped=max(described["share_clipped"]),
        cut_off=(end, video.seconds) if early else None,
    )


def _look(predictor, video, name, *, batch, intrinsics, bar):
    """The _Clip of a video: a pass over all its frames, of which a sample goes through the network."""
    sample, every, into = [], 1, predictor.framing
    frames = tqdm(video.frames(), total=video.expected, unit="frame", desc="first pass", disable=bar)
    for number, frame in enumerate(frames):
        if number % every == 0:
            sample.append(_prepared(frame, predictor))
            if len(sample) == 2 * _SAMPLES:
                sample, every = sample[::2], 2 * every
    size = frame.pixels.shape[:2]
    camera, origin = framing.find_camera(size, into, given=intrinsics)
    found = [log_depth for _, _, log_depth in pipeline.predict(predictor, enumerate(sample), batch=batch)]
    metres = np.exp(np.percentile(found, _PERCENTILES)) * framing.focal_ratio(size, camera, into)
    low, high = np.clip(metres, MIN_DEPTH, predictor.trained.run.max_depth)
    return _Clip(
        path=video.path,
        name=name,
        size=size,
        panel_size=sample[0].size,
        camera=camera,
        origin=origin,
        frames=number + 1,
        sampled=len(sample),
        colours={"low": math.floor(10 * low) / 10, "high": (math.floor(10 * high) + 1) / 10},  # never equal
    )


def _prepared(frame, predictor):
    return _Frame(
        frame.seconds, framing.network_input(frame.pixels, predictor.framing), side_by_side.panel(frame.pixels)
    )


def _depths(predictor, video, *, batch, smoothing):
    """Yields (number, _Frame, smoothed log depth [h, w]); meanwhile, the next frames are decoded and in the network."""
    log_depth, seconds = None, 0.0
    prepared = (_prepared(frame, predictor) for frame in video.frames())
    with contextlib.closing(_ahead(prepared, count=batch)) as frames:
        for number, frame, found in pipeline.predict(predictor, enumerate(frames), batch=batch):
            log_depth = smoothed(found, log_depth, seconds=frame.seconds - seconds, time_constant=smoothing)
            seconds = frame.seconds
            yield number, frame, log_depth


class _Writing:
    """Writes a clip's video and depth frames, and keeps what is told of all frames."""

    def __init__(self, predictor, clip, video, folder=None):
        """Takes the _Clip, the path of the video and that of the folder for depth frames, if they are wanted."""
        self.predictor, self.clip, self.video, self.folder = predictor, clip, video, folder
        self.legend = side_by_side.legend(clip.panel_size[0], **clip.colours)
        self.clipped_to = MIN_DEPTH, predictor.trained.run.max_depth
        self.count, self.seconds, self.range, self.at_ends = 0, 0.0, [math.inf, 0.0], np.zeros(2)

    def write(self, frames, *, rate, bar):
        """Writes all frames as `_depths` yields them, in threads; the bar counts those that are done."""
        if self.folder is not None:
            self.folder.mkdir()
        threads = min(4, os.cpu_count() or 1)
        with videos.Writer(self.video, rate=rate) as writer, _pool(threads) as pool:
            for found in pipeline.in_order(pool, self._compose, frames, ahead=2 * threads, pixels=lambda _: 0):
                frame, picture, ends, at_ends = found
                writer.write(picture, frame.seconds)
                self.range = [min(self.range[0], ends[0]), max(self.range[1], ends[1])]
                self.count, self.seconds, self.at_ends = self.count + 1, frame.seconds, self.at_ends + at_ends
                bar.update()

    def _compose(self, item):
        """Writes a depth frame; returns the frame, its picture, the ends of its depth and the shares at the range's."""
        number, frame, log_depth = item
        depth = self._depth(log_depth, self.clip.panel_size)
        if self.folder is not None:
            whole = self._depth(log_depth, self.clip.size) if self.clip.size != self.clip.panel_size else depth
            writing.write_atomically(self.folder / f"{number:06d}.png", encode.png(whole))
        least, greatest = np.float32(self.clipped_to)
        at_ends = np.array([(depth <= least).mean(), (depth >= greatest).mean()])
        picture = side_by_side.joined(frame.pixels, depth, self.legend, **self.clip.colours)
        return frame, picture, (float(depth.min()), float(depth.max())), at_ends

    def _depth(self, log_depth, size):
        camera = resize_intrinsics(self.clip.camera, from_size=self.clip.size, to_size=size)
        placed = [size], [camera], self.predictor.framing
        return framing.picture_depths(log_depth[None], *placed, max_depth=self.clipped_to[1])[0]

    def described(self, *, targets, workdir):
        """The sidecar, whose range and shares are those of all frames."""
        nearest = np.broadcast_to(np.float32(self.range[0]), self.clip.size)
        others = [job.file_of(self.clip.name, suffix) for suffix in (VIDEO, FRAMES)]
        others = [file for file in others if file not in targets]
        described = job.describe(self.predictor, self.clip, nearest, files=targets, others=others, workdir=workdir)
        shares = [round(float(share), 4) for share in self.at_ends / self.count]
        return described | {"range": self.range, "share_clipped": shares}


def _ahead(items, *, count):
    """The items of an iterator, which runs in a thread, up to `count` ahead."""
    with _pool(1) as pool:
        waiting = collections.deque(pool.submit(next, items, _END) for _ in range(count))
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(pool.submit(next, items, _END))
            yield item


@contextlib.contextmanager
def _pool(threads):
    """A pool of threads. What has not begun when the block ends is dropped."""
    pool = pipeline.started_pool(threads)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _growing(name):
    """A folder beside a clip's files in which they grow, and which is removed; errors name their final place."""
    folder = writing.temporary(name)
    try:
        with writing.naming(name.parent):
            folder.mkdir()
        yield folder
    except OSError as error:
        if error.filename is None or folder not in (at := pathlib.Path(error.filename)).parents:
            raise
        raise OSError(error.errno, error.strerror, str(name.parent / at.relative_to(folder))) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_targets(name, targets, *, overwrite):
    """Raises InputError if a file would be replaced that is not ours, or a folder with anything but depth frames."""
    if not overwrite and (foreign := sidecar.foreign(job.file_of(name, sidecar.SUFFIX), targets)):
        raise InputError(f"{shown(foreign[0])} is there and not a prediction: --overwrite replaces it")
    for folder in filter(pathlib.Path.is_dir, targets):
        strange = [file for file in folder.iterdir() if not re.fullmatch(_FRAME_NAME, file.name)]
        if strange or folder.name.endswith(VIDEO):
            named = shown(strange[0] if strange else folder)
            raise InputError(f"{named} is there and no depth frame: remove it, or give another --output")


def _put(file, target, *, aside):
    """Gives a finished file or folder its name. What a folder replaces is moved aside first."""
    with writing.naming(target):
        if file.is_dir() and os.path.lexists(target):
            target.rename(aside)
        file.replace(target)
