"""From a value for each frame to means over frames, and their intervals."""

import numpy as np

from jaxdepth.errors import InputError
from jaxdepth.evaluation.metrics import EDGE_NAMES, EDGE_THRESHOLDS, METRIC_NAMES

MIN_GROUPS = 5  # with fewer, the variance between them is unknown
_RESAMPLES = 2000  # of the bootstrap
_NOT_POOLED = ("pixels", "mean_log_depth", "slope", "log_median_ratio")  # of a frame, for checks
_SQUARED = ("rmse", "rmse_log")  # roots of means over pixels
_OF_VARIANCE = ("silog", "d_scale_invariant", "loss")  # made of the mean and the mean square of the log error


def means(per_frame, *, pooling="images"):
    """The means of the frames' values.

    Args:
      per_frame: {flat name: [n]} of one output, from `scorer.make_scorer`; NaN where a frame has no value.
      pooling: "images": every frame with a value counts once. "pixels": a frame's metrics count by its scored pixels,
        as if all frames were one image; edges and further measures stay means over images.

    Returns:
      {flat name: float}, NaN where no frame has a value.
    """
    sums, weights = _sums(per_frame, np.zeros(len(per_frame["pixels"]), int), pooling)
    return {name: float(value[0]) for name, value in _pooled(sums, weights, per_frame, pooling).items()}


def intervals(per_frame, groups, *, pooling="images"):
    """95 % intervals of `means`, by a bootstrap that draws whole groups of frames.

    Args:
      per_frame, pooling: as for `means`.
      groups: int [n], the group of each frame: frames of one group may show the same room.

    Returns:
      {flat name: [low, high]}; None for a mean of fewer than MIN_GROUPS groups.
    """
    groups = np.unique(groups, return_inverse=True)[1]
    sums, weights = _sums(per_frame, groups, pooling)
    drawn = draw(len(next(iter(sums.values()))))
    found = {}
    resampled = {key: drawn @ values for key, values in sums.items()}
    resampled_weights = {key: drawn @ values for key, values in weights.items()}
    for name, values in _pooled(resampled, resampled_weights, per_frame, pooling).items():
        key = name if name in weights else _prefix(name) + "d_scale_invariant"
        if (weights[key] > 0).sum() < MIN_GROUPS:
            found[name] = None
        else:
            low, high = np.nanquantile(values, (0.025, 0.975))
            found[name] = [float(low), float(high)]
    return found


def draw(count):
    """How often each of some groups is drawn in each resample, float64 [resamples, count]; always the same."""
    drawn = np.random.default_rng(0).integers(count, size=(_RESAMPLES, count))
    return np.stack([np.bincount(row, minlength=count) for row in drawn]).astype(np.float64)


def bootstrap(values, groups):
    """The mean of values [n], and its 95 % interval by drawing groups [n].

    Returns:
      (mean, low, high) over the values that are not NaN; low and high None with fewer than MIN_GROUPS groups.
    """
    known = ~np.isnan(values)
    groups = np.unique(np.asarray(groups)[known], return_inverse=True)[1]
    sums, counts = np.bincount(groups, np.asarray(values)[known]), np.bincount(groups)
    mean = float(np.asarray(values)[known].mean()) if known.any() else float("nan")
    if len(sums) < MIN_GROUPS:
        return mean, None, None
    drawn = draw(len(sums))
    low, high = np.quantile((drawn @ sums) / (drawn @ counts), (0.025, 0.975))
    return mean, float(low), float(high)


def runs(order):
    """The run of consecutive numbers that each of `order` [n] belongs to, int64 [n]."""
    order = np.asarray(order)
    by_order = np.argsort(order, kind="stable")
    found = np.empty(len(order), np.int64)
    found[by_order] = np.cumsum(np.diff(order[by_order], prepend=order[by_order][:1]) > 1)
    return found


def nested(flat):
    """Flat names as evaluate's JSON has them: "metrics", "aligned", "edges" and "measures", where there are any.

    Args:
      flat: {"delta1": x, "aligned.median.delta1": x, "edges.0.05.f1": x, "measures.surface_normals.mean": x, ...}.

    Raises:
      InputError: if no frame had a metric: 0 would read as a perfect error.
    """
    if np.isnan(flat["delta1"]):
        raise InputError("no frame has a valid pixel to score: expected at least one")
    result = {"metrics": {name: flat[name] for name in METRIC_NAMES}}
    for name, value in flat.items():
        kind, _, rest = name.partition(".")
        part, _, metric = rest.partition(".")
        if kind in ("aligned", "measures") and metric != "log_bias":
            result.setdefault(kind, {}).setdefault(part, {})[metric] = None if np.isnan(value) else value
    for how, scores in result.get("aligned", {}).items():
        result["aligned"][how] = {name: scores[name] for name in METRIC_NAMES}  # jit sorts the names of a dict
    if "edges.0.05.f1" in flat:
        result["edges"] = {
            f"{threshold:g}": {name: flat[f"edges.{threshold:g}.{name}"] for name in EDGE_NAMES}
            for threshold in EDGE_THRESHOLDS
        }
    return result


def _prefix(name):
    return name[: len(name) - len(name.rpartition(".")[2])]


def _is_metric(name):
    """Whether a flat name is one of METRIC_NAMES or log_bias, of the prediction or an aligned one."""
    return (name.startswith("aligned.") or "." not in name) and name.rpartition(".")[2] in (*METRIC_NAMES, "log_bias")


def _sums(per_frame, groups, pooling):
    """Sums of values and of weights in each group, {name: float64 [groups]} both; of roots, the sum of the squares."""
    sums, weights = {}, {}
    for name, values in per_frame.items():
        values, last = np.asarray(values, np.float64), name.rpartition(".")[2]
        by_pixels = pooling == "pixels" and _is_metric(name)
        if name in _NOT_POOLED or (by_pixels and last in ("silog", "loss")):  # made of the others
            continue
        if by_pixels and last == "d_scale_invariant":  # as the mean square, more exact than rmse_log's float32
            values = values + np.square(np.asarray(per_frame[_prefix(name) + "log_bias"], np.float64))
        weight = np.where(np.isnan(values), 0.0, per_frame["pixels"] if by_pixels else 1.0)
        values = np.where(np.isnan(values), 0.0, np.square(values) if by_pixels and last in _SQUARED else values)
        sums[name] = np.bincount(groups, values * weight)
        weights[name] = np.bincount(groups, weight)
    return sums, weights


def _pooled(sums, weights, per_frame, pooling):
    """Means from sums and weights of equal shapes, by name in the order of `per_frame`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = {name: sums[name] / weights[name] for name in sums}
    found = {}
    for name in per_frame:
        prefix, last = _prefix(name), name.rpartition(".")[2]
        if name in _NOT_POOLED:
            continue
        if pooling == "pixels" and _is_metric(name) and last in _OF_VARIANCE:
            square, bias = mean[prefix + "d_scale_invariant"], np.square(mean[prefix + "log_bias"])
            variance = np.maximum(square - bias, 0.0)
            pooled = {"silog": 100 * np.sqrt(variance), "d_scale_invariant": variance, "loss": square - bias / 2}
            found[name] = pooled[last]
        elif pooling == "pixels" and _is_metric(name) and last in _SQUARED:
            found[name] = np.sqrt(mean[name])
        else:
            found[name] = mean[name]
    return found
