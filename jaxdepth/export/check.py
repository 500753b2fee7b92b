"""Compares an exported program with the network that it is of: values, scores and time."""

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable

import jax
import numpy as np

from jaxdepth import evaluate, models, predict, rooms
from jaxdepth.data.files import writing
from jaxdepth.geometry import camera, framing
from jaxdepth.models import compiled
from jaxdepth.prediction.predictor import Predictor

METRICS = ("delta1", "abs_rel")
ROOMS = 32  # of `room_scores`


@dataclasses.dataclass(frozen=True)
class Exported(Predictor):
    """A Predictor that calls an exported program, of whose outputs it knows the final one.

    Attributes:
      call: float32 [B, h, w, 3] -> metres, float32 [B, h, w] or [B, n, h, w], of numpy.
      flip: of its Program; "outside" is averaged here.
    """

    call: Callable
    flip: str

    @property
    def log_depths(self):
        def final(image):
            metres = self.call(np.ascontiguousarray(image))
            return np.log(metres if metres.ndim == 3 else metres[:, 0])

        def log_depths(image):
            image = np.asarray(image, np.float32)
            found = final(image)
            if self.flip == "outside":
                found = (found + final(image[:, :, ::-1])[:, :, ::-1]) / 2
            return {self.groups[0]: found}

        return log_depths


def largest_difference(call, program, *, batch):
    """Largest relative difference of an exported program's metres, of smooth noise.

    Args:
      call: the exported program, float32 [B, h, w, 3] -> metres, of numpy.
      program: the Program.
      batch: pictures of a call.

    Returns:
      max |exported / original - 1|.
    """
    image = _noise(batch, program.size)
    return float(np.abs(call(image) / np.asarray(jax.jit(program.metres)(program.variables, image)) - 1).max())


def scores(predictor, call, program, **data):
    """METRICS of the final output on a source's frames, of the exported program and of the network.

    Args:
      predictor: the Predictor.
      call: the exported program.
      program: the Program.
      **data: which frames, fields of `evaluate.Data`.

    Returns:
      ({metric: value} of the exported program, the same of the network, number of frames).
    """
    pair = Exported(predictor.trained, call, program.flip), predictor
    found = []
    for one in pair:
        with writing.removing(tempfile.mkdtemp()) as folder:
            count = predict.predict_frames(one, output=folder, **data)
            result = evaluate.evaluate_predictions(folder, **data)
        found.append({name: result["metrics"][name] for name in METRICS})
    return *found, count


def room_scores(predictor, call, program, *, count=ROOMS):
    """METRICS of the final output on rendered rooms, which need no file: their means over the rooms.

    Args:
      predictor, call, program: as for `scores`.
      count: of rooms.

    Returns:
      ({metric: value} of the exported program, the same of the network).
    """
    into, max_depth = predictor.framing, predictor.trained.run.max_depth
    made = rooms.frames(0, 0, count, size=into.frame_size, sensor=True)
    image, depth = framing.centre_crop(made["image"], made["depth"], crop_size=into.crop_size)
    image = np.float32(image) / 255
    focal_ratio = framing.frames_focal_ratio(into.frame_size, camera.nyu_intrinsics(into.frame_size), into)
    found = []
    for one in (Exported(predictor.trained, call, program.flip), predictor):
        per_room = []
        for picture, truth in zip(image, depth, strict=True):
            metres = focal_ratio * np.exp(np.asarray(one.log_depths(picture[None])[one.groups[0]])[0])
            valid = (truth > 0) & (truth <= max_depth)
            ratio = metres[valid] / truth[valid]
            per_room.append((np.mean(np.maximum(ratio, 1 / ratio) < 1.25), np.mean(np.abs(ratio - 1))))
        found.append(dict(zip(METRICS, np.mean(per_room, 0).tolist(), strict=True)))
    return tuple(found)


def milliseconds(call, predictor, program, *, repetitions=20):
    """Median milliseconds a picture, one at a time: (of the exported program, of the network as `predict` runs it)."""
    network, variables = predictor.trained.network, predictor.trained.variables
    flip_tta = program.flip == "inside"
    own = compiled.jit(lambda variables, image: models.outputs(network, variables, image, flip_tta=flip_tta))
    image = _noise(1, program.size)
    functions = (lambda: call(image)), (lambda: jax.block_until_ready(own(variables, image)))
    times = [[], []]
    for _ in range(repetitions + 2):  # by turns; the first two compile and fill the caches
        for function, seconds in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
    return tuple(1000 * statistics.median(seconds[2:]) for seconds in times)


def _noise(count, size):
    """Smooth pictures, float32 [count, h, w, 3] in [0, 1]."""
    small = np.random.default_rng(0).random((count, 6, 8, 3), np.float32)
    return np.asarray(jax.image.resize(small, (count, *size, 3), "bilinear"))
