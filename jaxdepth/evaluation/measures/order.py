"""What is nearer: than a plane at a distance, or than another pixel."""

import math

import numpy as np

from jaxdepth.evaluation.measures.frame import ScoredFrame

PLANE = 3.0  # metres
PAIRS = 5000
TOLERANCE = 0.03


def directed_depth_error(frame: ScoredFrame) -> dict[str, float]:
    """Directed depth error: on which side of a plane the pixels are (iBims-1, Koch 2018).

    The plane is parallel to the image, 3 m away. A pixel of 3 m or less is in front of it.

    Args:
      frame: the frame.

    Returns:
      {name: float}, shares of the valid pixels that add up to 1; all NaN without a valid pixel.
        correct: prediction and truth on the same side.
        too_near: the prediction in front of the plane, the truth behind.
        too_far: the prediction behind the plane, the truth in front.
    """
    if not frame.valid.any():
        return dict.fromkeys(("correct", "too_near", "too_far"), math.nan)
    predicted, true = (depth[frame.valid] <= PLANE for depth in (frame.prediction, frame.truth))
    return {
        "correct": float(np.mean(predicted == true)),
        "too_near": float(np.mean(predicted & ~true)),
        "too_far": float(np.mean(~predicted & true)),
    }


def ordinal(frame: ScoredFrame) -> dict[str, float]:
    """Ordinal error of random pairs of pixels (Zoran 2015; relation and tolerance of Xian 2020, eq. 1).

    The relation of depths a and b is "farther" if a / b >= 1.03, "nearer" if a / b <= 1 / 1.03, otherwise "equal", in
    the truth as in the prediction. 5000 pairs of two different pixels are drawn, with repetition, from the n valid ones
    in row-major order: numpy's default_rng(frame.seed) draws the first ones, i = integers(0, n, 5000), then
    k = integers(1, n, 5000), and the second ones are (i + k) modulo n.

    Args:
      frame: the frame.

    Returns:
      {name: float}.
        error: share of pairs with a wrong relation; NaN with fewer than two valid pixels.
        error_unequal: the same among the pairs that are not equal in the truth; NaN without one.
    """
    predicted, true = frame.prediction[frame.valid], frame.truth[frame.valid]
    count = len(true)
    if count < 2:
        return {"error": math.nan, "error_unequal": math.nan}
    rng = np.random.default_rng(frame.seed)
    first = rng.integers(0, count, PAIRS)
    second = (first + rng.integers(1, count, PAIRS)) % count
    relation = _relation(true[first], true[second])
    wrong = _relation(predicted[first], predicted[second]) != relation
    unequal = wrong[relation != 0]
    return {"error": float(np.mean(wrong)), "error_unequal": float(np.mean(unequal)) if unequal.size else math.nan}


def _relation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """1 where a is farther than b, -1 where it is nearer, 0 where they are equal."""
    ratio = a / b
    return np.int8(ratio >= 1 + TOLERANCE) - np.int8(ratio <= 1 / (1 + TOLERANCE))
