"""Where a prediction fails: its errors by distance, by place in the picture, by distance to an edge, and by class.

Unlike the metrics, these are means over all pixels of all frames: a frame has few pixels of some kinds.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import ndimage

_GRID = (4, 4)  # rows and columns of the places
_EDGE_DISTANCES = (2, 5, 10, 20, 40)  # steps to a neighbour, also a diagonal one: upper ends, but the last is open
_STEPS = np.digitize(np.arange(_EDGE_DISTANCES[-1] + 1), _EDGE_DISTANCES[:-1], right=True)  # steps -> bin
_MIN_CLASS_SHARE = 1e-3  # of all pixels: rarer classes are left out


_JOINT = ("distance", "place", "edge_distance")


class Kinds(NamedTuple):
    """The scored pixels of a frame, n in all.

    Attributes:
      sizes: {kind: number of bins}.
      joint: int64 [n], the bins of the kinds in _JOINT as one number: half the work of a sum for each.
      classes: int64 [n], or None.
      valid: bool [H, W], where they are.
      truth: float32 [n], metres.
      log_truth: its natural logarithm.
    """

    sizes: dict
    joint: np.ndarray
    classes: np.ndarray | None
    valid: np.ndarray
    truth: np.ndarray
    log_truth: np.ndarray


class Breakdown:
    """Sums of errors over frames, by kinds of pixels.

    Args:
      max_depth: metres.
      label_names: names of the classes by label; None if unknown.
    """

    def __init__(self, *, max_depth, label_names=None):
        self._distances = np.arange(0, np.ceil(max_depth) + 1)
        self._label_names = label_names
        self._sums = {}

    def kinds(self, truth, edges, labels=None):
        """The bin of each scored pixel of a frame, in each kind.

        Args:
          truth: [H, W], metres; 0 where it is not scored.
          edges: bool [H, W], the edges of the truth, see `metrics.edge_pixels`.
          labels: [H, W], classes; None without.

        Returns:
          A Kinds.
        """
        rows, columns = (
            np.minimum(np.arange(n) * parts // n, parts - 1) for n, parts in zip(truth.shape, _GRID, strict=True)
        )
        place = np.broadcast_to(rows[:, None] * _GRID[1] + columns, truth.shape)
        far = np.full(truth.shape, _EDGE_DISTANCES[-1])  # all infinitely far without an edge
        steps = ndimage.distance_transform_cdt(~edges, "chessboard") if edges.any() else far
        bins = {
            "distance": (np.minimum(truth.astype(np.int32), len(self._distances) - 2), len(self._distances) - 1),
            "place": (place, _GRID[0] * _GRID[1]),
            "edge_distance": (_STEPS[np.minimum(steps, len(_STEPS) - 1)], len(_EDGE_DISTANCES)),
        }
        if labels is not None:
            bins["class"] = (labels, max(int(labels.max(initial=0)) + 1, len(self._label_names or ())))
        joint = 0
        for kind in _JOINT:
            joint = joint * bins[kind][1] + bins[kind][0].astype(np.int64)
        valid = truth > 0
        classes = None if labels is None else labels[valid].astype(np.int64)
        sizes = {kind: size for kind, (_, size) in bins.items()}
        return Kinds(sizes, joint[valid], classes, valid, truth[valid], np.log(truth[valid]))

    def parts(self, prediction, kinds):
        """A frame's sums of errors.

        Args:
          prediction: float32 [H, W], metres, clipped to the depth range.
          kinds: from `kinds`.

        Returns:
          {kind: float64 [4, bins]}: pixels, of which within a factor of 1.25, sums of |y - y*| / y* and of ln y / y*.
        """
        y = prediction[kinds.valid]
        log_error = np.log(y) - kinds.log_truth
        values = (np.abs(log_error) < np.log(1.25), np.abs(y - kinds.truth) / kinds.truth, log_error)
        values = [None, *(np.float64(value) for value in values)]
        sizes = [kinds.sizes[kind] for kind in _JOINT]
        sums = np.stack([np.bincount(kinds.joint, v, math.prod(sizes)) for v in values]).reshape(4, *sizes)
        parts = {kind: np.einsum(f"vdpe->v{axis}", sums) for kind, axis in zip(_JOINT, "dpe", strict=True)}
        if kinds.classes is not None:
            parts["class"] = np.stack([np.bincount(kinds.classes, v, kinds.sizes["class"]) for v in values])
        return parts

    def add(self, output, parts):
        """Adds a frame's `parts` to those of an output."""
        sums = self._sums.setdefault(output, {})
        for kind, values in parts.items():
            before = sums.get(kind, np.zeros((4, 0)))
            width = max(before.shape[1], values.shape[1])
            sums[kind] = sum(np.pad(x, ((0, 0), (0, width - x.shape[1]))) for x in (before, values))

    def results(self):
        """{output: {kind: [{"label", "pixels", "delta1", "abs_rel", "log_bias", ...}]}}, as in the result's JSON."""
        return {
            output: {kind: self._rows(kind, sums) for kind, sums in of.items()} for output, of in self._sums.items()
        }

    def _rows(self, kind, sums):
        rows = [
            name | _means(column) for name, column in zip(self._bin_names(kind, sums.shape[1]), sums.T, strict=True)
        ]
        if kind != "class":
            return rows
        least = max(1.0, _MIN_CLASS_SHARE * sums[0].sum())
        return sorted((row for row in rows if row["pixels"] >= least), key=lambda row: -row["pixels"])

    def _bin_names(self, kind, count):
        """What a row says of its bin, for each bin."""
        if kind == "distance":
            ends = zip(self._distances[:-1], self._distances[1:], strict=True)
            return [{"label": f"{a:g} to {b:g} m", "from": float(a), "to": float(b)} for a, b in ends]
        if kind == "place":
            rows, columns = _GRID
            places = [divmod(i, columns) for i in range(rows * columns)]
            of_all = f"of {rows}x{columns}"
            return [{"label": f"row {r + 1}, column {c + 1} {of_all}", "row": r, "column": c} for r, c in places]
        if kind == "edge_distance":
            open_end = {"label": f"more than {_EDGE_DISTANCES[-2]} pixels"}
            return [*({"label": f"up to {high} pixels"} for high in _EDGE_DISTANCES[:-1]), open_end]
        return [{"label": self._class_name(label)} for label in range(count)]

    def _class_name(self, label):
        if self._label_names is not None and label < len(self._label_names):
            return self._label_names[label]
        return f"class {label}" if label else "unlabelled"


def _means(column):
    pixels, *sums = (float(value) for value in column)
    names = ("delta1", "abs_rel", "log_bias")
    return {
        "pixels": int(pixels),
        **{name: value / pixels if pixels else None for name, value in zip(names, sums, strict=True)},
    }
