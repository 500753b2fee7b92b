"""What is found out of each frame in numpy, beside the standard scores: further measures, where it fails, pictures."""

import collections
import concurrent.futures
import heapq
import os
from typing import NamedTuple

import numpy as np

from jaxdepth.evaluation import measures
from jaxdepth.evaluation.breakdown import Breakdown
from jaxdepth.evaluation.windows import make_windows

SHOWN = 3  # best frames, and as many worst ones


class Window(NamedTuple):
    """A frame inside the protocol's window.

    Attributes:
      rank: of the frame among those that are scored.
      image: uint8 [H, W, 3].
      prediction: float32 [H, W], metres.
      truth: float32 [H, W], metres, 0 where it is not scored.
    """

    rank: int
    image: np.ndarray
    prediction: np.ndarray
    truth: np.ndarray


class Examination:
    """Takes the windows of all frames, in order, and examines them in threads.

    Args:
      frames: a Frames.
      indices: int64 [n], which of its frames.
      protocol: a Protocol.
      crop_size: (h, w) of the frames' centre crop.
      names: of the further measures, see `measures.MEASURES`.
      final: name of the output whose best and worst frames are shown.
    """

    def __init__(self, frames, indices, *, protocol, crop_size, names, final):
        self._frames, self._indices, self._names, self._final = frames, indices, names, final
        self._windows = make_windows(frames, protocol=protocol, crop_size=crop_size)
        self._breakdown = Breakdown(max_depth=frames.max_depth, label_names=frames.label_names)
        self._values = {}
        self._best, self._worst = [], []
        self._pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1)
        self._waiting = collections.deque()

    def __call__(self, rank, depths, truth, edges):
        """Examines a frame's {output: depth}, truth and its edges inside the window: float32 metres and bool [H, W]."""
        index = int(self._indices[rank])
        depths = {name: self._windows.own(index, depth) for name, depth in depths.items()}
        truth, edges = (self._windows.own(index, window) for window in (truth, edges))
        known = self._windows.known(index)  # files are read in this thread alone
        future = self._pool.submit(self._examine, index, depths, truth, edges, known)
        self._waiting.append((rank, depths, truth, future))
        while len(self._waiting) > 2 * (os.cpu_count() or 1):
            self._take()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._pool.shutdown(cancel_futures=True)

    def finish(self):
        """What was found: ({output: {flat name of a further measure: float64 [n]}}, {output: breakdown}, best, worst).

        The breakdowns are `Breakdown.results`; best and worst are lists of Window, the best and the worst first.
        """
        while self._waiting:
            self._take()
        best, worst = (sorted(heap, key=lambda entry: -entry[0]) for heap in (self._best, self._worst))
        return (
            self._values,
            self._breakdown.results(),
            *([self._window(*entry[1:]) for entry in heap] for heap in (best, worst)),
        )

    def _examine(self, index, depths, truth, edges, known):
        valid = truth > 0
        if not valid.any():
            return None
        parts = self._breakdown.parts(depths, truth, edges, known.get("labels"))
        of_places = parts[self._final]["place"].sum(1)
        delta1 = float(of_places[1] / of_places[0])
        if not self._names:
            return parts, dict.fromkeys(depths, {}), delta1
        of_frame = dict(truth=truth.astype(np.float64), valid=valid, camera=self._windows.camera(index))
        of_frame |= known | dict(seed=int(self._frames.ids[index]))
        values = {
            output: measures.measure(self._names, prediction=depth.astype(np.float64), **of_frame)
            for output, depth in depths.items()
        }
        return parts, values, delta1

    def _take(self):
        """Adds what was found of the frame that came first."""
        rank, depths, truth, future = self._waiting.popleft()
        found = future.result()
        if found is None:
            return
        parts, values, delta1 = found
        for output in depths:
            self._breakdown.add(output, parts[output])
            columns = self._values.setdefault(output, {})
            for name, value in values[output].items():
                columns.setdefault(f"measures.{name}", np.full(len(self._indices), np.nan))[rank] = value
        for heap, key in ((self._best, delta1), (self._worst, -delta1)):  # the least key leaves a full heap
            heapq.heappush(heap, (key, rank, depths[self._final], truth))
            if len(heap) > SHOWN:
                heapq.heappop(heap)

    def _window(self, rank, depth, truth):
        return Window(rank, self._windows.image(int(self._indices[rank])), depth, truth)
