"""The measures of boundaries by their definitions, pixel by pixel: what the tests compare with."""

import itertools
import math

import numpy as np

NAN = float("nan")
NEIGHBOURS = [(i, j) for i, j in itertools.product((-1, 0, 1), repeat=2) if (i, j) != (0, 0)]


def sobel(depth, i, j):
    """(down, across) at a pixel; outside the picture is the nearest pixel inside."""
    h, w = depth.shape

    def at(a, b):
        return depth[min(max(i + a, 0), h - 1), min(max(j + b, 0), w - 1)]

    weights = {-1: 1, 0: 2, 1: 1}
    down = sum(weights[b] * (at(1, b) - at(-1, b)) for b in weights)
    across = sum(weights[a] * (at(a, 1) - at(a, -1)) for a in weights)
    return down, across


def edges_hu(prediction, truth, valid):
    h, w = truth.shape

    def counts(i, j):
        around = [(i + a, j + b) for a, b in [*NEIGHBOURS, (0, 0)]]
        return all(valid[p] for p in around if 0 <= p[0] < h and 0 <= p[1] < w)

    pixels = [p for p in np.ndindex(h, w) if counts(*p)]
    values = {}
    for threshold in ("0.25", "0.5", "1"):
        p, t = ({at for at in pixels if math.hypot(*sobel(d, *at)) > float(threshold)} for d in (prediction, truth))
        values[f"precision_{threshold}"] = len(p & t) / len(p) if p else NAN
        values[f"recall_{threshold}"] = len(p & t) / len(t) if t else NAN
        values[f"f1_{threshold}"] = 2 * len(p & t) / (len(p) + len(t)) if p or t else NAN
    return values


def canny(image, seen, *, sigma, low, high):
    """The set of edge pixels: the gradient's line is cut with the square around a pixel, groups are flooded."""
    (h, w), radius = image.shape, round(4 * sigma)
    smooth = np.zeros((h, w))
    for i, j in np.ndindex(h, w):
        near = np.s_[max(i - radius, 0) : i + radius + 1, max(j - radius, 0) : j + radius + 1]
        rows, columns = (x[near] for x in np.indices((h, w)))
        weight = np.exp(-((rows - i) ** 2 + (columns - j) ** 2) / (2 * sigma**2)) * seen[near]
        smooth[i, j] = (weight * image[near]).sum() / weight.sum() if weight.any() else 0.0
    gradient = {at: sobel(smooth, *at) for at in np.ndindex(h, w)}
    magnitude = {at: math.hypot(*g) for at, g in gradient.items()}

    def between(i, j):
        """Magnitude at a point, bilinear."""
        top, left = math.floor(i), math.floor(j)
        corners = [(a, b) for a, b in itertools.product((top, top + 1), (left, left + 1))]
        weights = [(1 - abs(i - a)) * (1 - abs(j - b)) for a, b in corners]
        return sum(x * magnitude[at] for x, at in zip(weights, corners, strict=True) if x > 0)

    def stays(i, j):
        inside = 0 < i < h - 1 and 0 < j < w - 1
        if not inside or not seen[i - 1 : i + 2, j - 1 : j + 2].all() or magnitude[i, j] < low:
            return False
        down, across = (x / max(map(abs, gradient[i, j])) for x in gradient[i, j])
        return all(magnitude[i, j] + 1e-9 >= between(i + s * down, j + s * across) for s in (1, -1))

    ridge = {at for at in np.ndindex(h, w) if stays(*at)}
    edges, todo = set(), [at for at in ridge if magnitude[at] >= high]
    while todo:
        i, j = at = todo.pop()
        if at in ridge and at not in edges:
            edges.add(at)
            todo += [(i + a, j + b) for a, b in NEIGHBOURS]
    return edges


def depth_boundary_error(prediction, truth, valid, *, true_edges=None):
    def edges_of(depth, seen):
        values = depth[seen]
        if not values.size or np.ptp(values) < 1e-4 * values.max():
            return set()
        image = (depth - values.min()) / np.ptp(values)
        return canny(image, seen, sigma=2**0.5, low=0.15, high=0.3)

    if true_edges is None:
        p, t = edges_of(prediction, valid), edges_of(truth, valid)
    else:
        p, t = edges_of(prediction, np.ones_like(valid)), set(zip(*np.nonzero(true_edges), strict=True))
    if not t:
        return {"accuracy": NAN, "completeness": NAN}
    near = [x for x in (min(math.dist(a, b) for b in t) for a in p) if x < 10]
    if not near:
        return {"accuracy": 10.0, "completeness": 10.0}
    back = [min(10.0, *(math.dist(a, b) for b in p)) for a in t]
    return {"accuracy": sum(near) / len(near), "completeness": sum(back) / len(back)}


def boundary_f1(prediction, truth, valid):
    h, w = truth.shape
    total, values = 0.0, {"f1": 0.0, "precision": 0.0, "recall": 0.0}
    for step in range(10):
        ratio = 1.05 + step * 0.2 / 9
        shares = []
        for a, b in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            p, t = set(), set()
            for i, j in np.ndindex(h, w):
                there = i + a, j + b
                if 0 <= there[0] < h and 0 <= there[1] < w and valid[i, j] and valid[there]:
                    p |= {(i, j)} if prediction[there] / prediction[i, j] > ratio else set()
                    t |= {(i, j)} if truth[there] / truth[i, j] > ratio else set()
            if p or t:
                shares.append((len(p & t) / len(p) if p else 0.0, len(p & t) / len(t) if t else 0.0))
        if shares:
            precision, recall = (sum(x) / len(shares) for x in zip(*shares, strict=True))
            both = precision + recall
            total += ratio
            values["precision"] += ratio * precision
            values["recall"] += ratio * recall
            values["f1"] += ratio * 2 * precision * recall / both if both else 0.0
    return {name: value / total if total else NAN for name, value in values.items()}
