"""Where a prediction fails: its errors by distance, by place in the picture, by distance to an edge, and by class.

Unlike the metrics, these are means over all pixels of all frames: a frame has few pixels of some kinds.
"""

import math

import numpy as np
from scipy import sparse

_GRID = (4, 4)  # rows and columns of the places
_EDGE_DISTANCES = (2, 5, 10, 20, 40)  # steps to a neighbour, also a diagonal one: upper ends, but the last is open
_BLOCK = 1 << 15  # pixels
_MIN_CLASS_SHARE = 1e-3  # of all pixels: rarer classes are left out


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

    def parts(self, depths, truth, edges, labels=None):
        """A frame's sums of errors.

        Args:
          depths: {output: float32 [H, W]}, metres, clipped to the depth range.
          truth: [H, W], metres; 0 where it is not scored.
          edges: bool [H, W], the edges of the truth, see `metrics.true_edges`.
          labels: [H, W], classes; None without.

        Returns:
          {output: {kind: float64 [4, bins]}}: pixels, of which within a factor of 1.25, sums of |y - y*| / y* and of
          ln y / y*.
        """
        bins = self._bins(truth, edges)
        joint = np.int32(0)  # bins of all these kinds as one number: half the work of a sum for each
        for of_pixels, count in bins.values():
            joint = joint * np.int32(count) + of_pixels
        valid = truth > 0
        sizes = [count for _, count in bins.values()]
        rows, height = [joint[valid]], math.prod(sizes)
        if labels is not None:
            rows.append(height + labels[valid].astype(np.int32))
            height += max(int(labels.max(initial=0)) + 1, len(self._label_names or ()))
        sums = _sums(np.stack(rows, axis=1), height, [y[valid] for y in depths.values()], truth[valid])
        of_joint, of_classes = np.split(sums, [math.prod(sizes)])
        of_joint = of_joint.reshape(*sizes, -1)
        found = {kind: np.einsum(f"dpev->v{axis}", of_joint) for kind, axis in zip(bins, "dpe", strict=True)}
        found |= {} if labels is None else {"class": of_classes.T}
        return {
            output: {kind: x[[0, *range(3 * i + 1, 3 * i + 4)]] for kind, x in found.items()}
            for i, output in enumerate(depths)
        }

    def _bins(self, truth, edges):
        """The bin of each pixel in each kind but its class, and the number of bins: {kind: (int16 [H, W], count)}."""
        rows, columns = (
            np.minimum(np.arange(n) * parts // n, parts - 1).astype(np.int16)
            for n, parts in zip(truth.shape, _GRID, strict=True)
        )
        last = len(self._distances) - 2
        return {
            "distance": (np.minimum(truth, last).astype(np.int16), last + 1),
            "place": (rows[:, None] * np.int16(_GRID[1]) + columns, _GRID[0] * _GRID[1]),
            "edge_distance": (_edge_distances(edges), len(_EDGE_DISTANCES)),
        }

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


def _edge_distances(edges):
    """The bin of each pixel's distance to the nearest of edges [H, W], int16 [H, W]; the last one without an edge.

    The edges grow from one upper end to the next. A fifth of the time of a distance transform.
    """
    bins = np.full(edges.shape, len(_EDGE_DISTANCES) - 1, np.int16)
    grown, radius = edges, 0
    for upper in _EDGE_DISTANCES[:-1]:
        grown, radius = _grown(grown, upper - radius), upper
        bins -= grown
    return bins


def _grown(mask, steps):
    """Mask [H, W] grown by some steps to neighbours, also diagonal ones."""
    for axis in (0, 1):
        done = 0
        while done < steps:
            shift = min(2 * done + 1, steps - done)  # larger ones would leave gaps
            grown = mask.copy()
            here, there = (slice(shift, None), slice(None, -shift))
            for to, of in ((here, there), (there, here)):
                to, of = ((part, slice(None))[:: 1 - 2 * axis] for part in (to, of))
                grown[to] |= mask[of]
            mask, done = grown, done + shift
    return mask


def _errors(predictions, truth):
    """1, and of each prediction: within a factor of 1.25, |y - y*| / y*, ln y / y*; float64 [pixels, values]."""
    found, log_truth = np.empty((1 + 3 * len(predictions), len(truth))), np.log(truth)
    found[0] = 1.0
    for errors, y in zip(found[1:].reshape(len(predictions), 3, len(truth)), predictions, strict=True):
        log_error = np.log(y) - log_truth
        errors[0], errors[1], errors[2] = np.abs(log_error) < np.log(1.25), np.abs(y - truth) / truth, log_error
    return np.ascontiguousarray(found.T)


def _sums(rows, height, predictions, truth):
    """The `_errors` of n pixels, added to each one's `rows` [n, k] of the result: float64 [height, values].

    In blocks of pixels that a cache holds. The product with a sparse matrix takes half the time of `np.bincount` for
    each of the values.
    """
    sums = np.zeros((height, 1 + 3 * len(predictions)))
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        n, k = rows[block].shape
        entries = np.ones(n * k), rows[block].ravel(), np.arange(0, n * k + 1, k)
        adding = sparse.csc_array(entries, shape=(height, n))
        sums += adding @ _errors([y[block] for y in predictions], truth[block])
    return sums


def _means(column):
    pixels, *sums = (float(value) for value in column)
    names = ("delta1", "abs_rel", "log_bias")
    return {
        "pixels": int(pixels),
        **{name: value / pixels if pixels else None for name, value in zip(names, sums, strict=True)},
    }
