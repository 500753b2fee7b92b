"""How well a prediction's depth boundaries lie on those of the truth: three published measures."""

import numpy as np
from scipy import ndimage, spatial

from jaxdepth.evaluation.measures.frame import ScoredFrame

HU_THRESHOLDS = (0.25, 0.5, 1.0)  # metres, of the Sobel magnitude
RATIOS = np.linspace(1.05, 1.25, 10)  # of neighbouring depths, Depth Pro
MAX_DISTANCE = 10.0  # pixels, iBims-1
_SIGMA = np.sqrt(2.0)  # pixels
_LOW, _HIGH = 0.15, 0.3  # Sobel magnitude of a depth map whose range is 1
_FLAT = 1e-4  # a map that varies by less than this share of its largest depth has no edges
_TIE = 1e-9  # of Sobel magnitudes: rounding decides nothing
_ALL_EIGHT = np.ones((3, 3), bool)


def edges_hu(frame: ScoredFrame) -> dict[str, float]:
    """Precision, recall and F1 of edge pixels (Hu 2019, "Revisiting Single Image Depth Estimation", section 4).

    A pixel is an edge where hypot(gx, gy) exceeds a threshold in metres, with the raw 3x3 Sobel sums gx and gy
    (weights 1, 2, 1: eight times the slope per pixel; a step of h metres along a column has magnitude 4 h). An edge is
    a hit if the other map has one at the same pixel.

    As in the authors' code: the weights, the thresholds, "exceeds", no tolerance, one value a frame, to be averaged
    over frames. Unlike it: the picture's border is continued by its own pixels, where theirs is padded with zeros and
    so an edge of both maps; only pixels count whose 3x3 neighbourhood inside the picture is valid throughout, so the
    outline of a hole is no edge (they score filled depth); F1 is 0 without a hit, where theirs divides 0 by 0. They
    score 304x228 pixels: on a larger picture the same slope in space is a smaller one per pixel.

    Args:
      frame: the prediction and its truth.

    Returns:
      {"precision_0.25": share, "recall_0.25": ..., "f1_0.25": ..., ...} for HU_THRESHOLDS. Precision is NaN without a
      predicted edge, recall without a true one, F1 = 2 hits / (predicted + true) without either.
    """
    counts = ndimage.binary_erosion(frame.valid, _ALL_EIGHT, border_value=1)
    predicted, true = (np.hypot(*_sobel(depth))[counts] for depth in (frame.prediction, frame.truth))
    values = {}
    for threshold in HU_THRESHOLDS:
        p, t = predicted > threshold, true > threshold
        hits, of_p, of_t = (np.count_nonzero(edges) for edges in (p & t, p, t))
        values[f"precision_{threshold:g}"] = _ratio(hits, of_p)
        values[f"recall_{threshold:g}"] = _ratio(hits, of_t)
        values[f"f1_{threshold:g}"] = _ratio(2 * hits, of_p + of_t)
    return values


def depth_boundary_error(frame: ScoredFrame) -> dict[str, float]:
    """Distances between predicted and true boundaries (iBims-1: Koch 2018, "Evaluation of CNN-based Single-Image Depth
    Estimation Methods", depth boundary errors).

      accuracy      mean distance from a predicted edge pixel to the nearest true one, over those nearer than 10 pixels
      completeness  mean distance from a true edge pixel to the nearest predicted one, each at most 10 pixels

    Edges are those of `canny` after depth is mapped to [0, 1] by its smallest and largest value, with sigma sqrt(2) and
    the thresholds .15 and .3 of the authors' Python script (.1 and .2 in its first version); a map that varies by less
    than 1e-4 of its largest depth has none. As in the script: both errors are 10 if no predicted edge is nearer than 10
    pixels to a true one, and accuracy ignores predicted edges farther away. Unlike it: float64, not float32.
    Completeness is that of the paper and of the script's first version, which does not cap it; the later version
    averages the capped distances of both directions over the edges of both maps. The script's notes say that its Canny
    is not the paper's, so neither its numbers nor these are comparable with the paper's tables.

    iBims-1 has annotated edges. Without them the truth's edges are found as the prediction's are: among valid pixels
    only, in both maps, so the prediction inside a hole and the hole's outline play no part. With them every pixel of
    the window counts, valid or not, as in the script.

    Args:
      frame: the prediction and its truth, with annotated edges or without.

    Returns:
      {"accuracy": pixels, "completeness": pixels}, NaN if the truth has no edge.

    Raises:
      ValueError: if the annotated edges have another shape than the truth.
    """
    true_edges = frame.edges
    if true_edges is None:
        seen = frame.valid
        true_edges = _normalised_canny(frame.truth, seen)
    else:
        if true_edges.shape != frame.truth.shape:
            raise ValueError(f"edges {true_edges.shape}, truth {frame.truth.shape}: expected equal shapes")
        seen = np.ones_like(frame.valid)
    if not true_edges.any():
        return {"accuracy": np.nan, "completeness": np.nan}

    predicted, true = (np.argwhere(edges) for edges in (_normalised_canny(frame.prediction, seen), true_edges))
    to_true, to_predicted = _distances(predicted, true), _distances(true, predicted)
    near = to_true[to_true < MAX_DISTANCE]
    return {
        "accuracy": float(near.mean()) if near.size else MAX_DISTANCE,
        "completeness": float(np.minimum(to_predicted, MAX_DISTANCE).mean()),
    }


def boundary_f1(frame: ScoredFrame) -> dict[str, float]:
    """Scale-invariant boundary F1 (Bochkovskii 2024, "Depth Pro: Sharp Monocular Metric Depth in Less Than a Second").

    A pixel has a boundary towards its right, left, lower or upper neighbour if that is more than `ratio` times as far.
    Precision is the share of the prediction's boundaries that the truth has at the same pixel towards the same
    neighbour, recall the share of the truth's that the prediction has, each the mean over the four directions;
    F1 = 2 precision recall / (precision + recall), 0 without a hit. The three are weighted means over RATIOS, ten from
    1.05 to 1.25, with weights proportional to the ratio.

    As in the authors' code (`SI_boundary_F1`): all of this, and 0 in a direction in which one map has a boundary and
    the other has none. Their non-maximum suppression serves mattes only (`SI_boundary_Recall`), never this measure, so
    none is made here: a blurred boundary loses precision as it is. They compare inverse depth, which is the same with
    opposite directions exchanged. Unlike it: a pair of neighbours counts only if both are valid, where a hole of theirs
    has boundaries all around; a direction without a boundary in either map is left out of the mean, and so is a ratio
    without any, where theirs counts 0. So the truth itself scores 1, and results agree wherever either map has
    boundaries in each direction at every ratio.

    Args:
      frame: the prediction and its truth.

    Returns:
      {"f1": share, "precision": share, "recall": share}, NaN if neither map has a boundary at any ratio.
    """
    along, down = (np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])
    directions = (along, along[::-1], down, down[::-1])
    hits, predicted, true = np.moveaxis([_count_boundaries(frame, *pair) for pair in directions], 0, 1)  # [4, ratios]
    counts = (predicted > 0) | (true > 0)

    def mean_over_directions(edges):
        shares = hits / np.maximum(edges, 1)
        return shares.sum(0) / np.maximum(counts.sum(0), 1)

    precision, recall = mean_over_directions(predicted), mean_over_directions(true)
    f1 = 2 * precision * recall / np.where(hits.any(0), precision + recall, 1)
    weights = RATIOS * counts.any(0)
    values = {"f1": f1, "precision": precision, "recall": recall}
    return {name: _ratio(np.sum(weights * value), weights.sum()) for name, value in values.items()}


def canny(image: np.ndarray, seen: np.ndarray, *, sigma: float, low: float, high: float) -> np.ndarray:
    """Canny's edges among the pixels that are seen (Canny 1986); those of `skimage.feature.canny` up to ties.

      1. A Gaussian with `sigma`, cut at 4 sigma (rounded), as weighted mean over the pixels that are seen and inside.
      2. The raw 3x3 Sobel sums and their magnitude.
      3. A pixel stays if its magnitude is at least `low` and at least that of the two points where the gradient's line
         meets the square of its eight neighbours, interpolated linearly between two neighbours. Equal magnitudes stay,
         within 1e-9: a step between two columns leaves both. All nine pixels must be seen and inside the picture.
      4. Of the groups of such pixels connected through the eight neighbours, those with a magnitude of at least `high`.

    Args:
      image: float64 [H, W].
      seen: bool [H, W].
      sigma: of the Gaussian, pixels.
      low, high: positive magnitudes in units of `image`; a straight step of 1 has 2.0 at sigma sqrt(2).

    Returns:
      bool [H, W].
    """
    weight = ndimage.gaussian_filter(seen.astype(float), sigma, mode="constant")
    smooth = ndimage.gaussian_filter(np.where(seen, image, 0.0), sigma, mode="constant")
    down, across = _sobel(np.divide(smooth, weight, out=smooth, where=weight > 0))
    magnitude = np.hypot(down, across)

    at = np.nonzero(ndimage.binary_erosion(seen, _ALL_EIGHT) & (magnitude >= low))
    down, across, here = down[at], across[at], magnitude[at]
    steep = abs(down) >= abs(across)  # the line leaves through the row above or below
    share = np.minimum(abs(down), abs(across)) / np.maximum(abs(down), abs(across))  # of the diagonal neighbour
    i, j = np.where(down < 0, -1, 1), np.where(across < 0, -1, 1)

    def beyond(side):
        straight = magnitude[at[0] + side * np.where(steep, i, 0), at[1] + side * np.where(steep, 0, j)]
        diagonal = magnitude[at[0] + side * i, at[1] + side * j]
        return (1 - share) * straight + share * diagonal

    ridge = np.zeros(seen.shape, bool)
    ridge[at] = here + _TIE >= np.maximum(beyond(1), beyond(-1))
    groups, count = ndimage.label(ridge, _ALL_EIGHT)
    strong = np.zeros(count + 1, bool)
    strong[groups[ridge & (magnitude >= high)]] = True
    return strong[groups]


def _sobel(image):
    """The raw 3x3 Sobel sums down and across of [H, W], whose border pixels are doubled."""
    return ndimage.sobel(image, 0, mode="nearest"), ndimage.sobel(image, 1, mode="nearest")


def _ratio(a, b):
    """a / b, NaN where b is 0."""
    return float(a / b) if b else np.nan


def _normalised_canny(depth, seen):
    """Canny edges of depth [H, W] whose seen pixels are mapped to [0, 1]; none if it is flat."""
    if not seen.any():
        return np.zeros_like(seen)
    smallest, largest = depth[seen].min(), depth[seen].max()
    if largest - smallest <= _FLAT * largest:
        return np.zeros_like(seen)
    return canny((depth - smallest) / (largest - smallest), seen, sigma=_SIGMA, low=_LOW, high=_HIGH)


def _distances(points, targets):
    """The distance of each point [N, 2] to the nearest target [M, 2], infinite from MAX_DISTANCE on."""
    if not len(points) or not len(targets):
        return np.full(len(points), np.inf)
    return spatial.KDTree(targets).query(points, distance_upper_bound=MAX_DISTANCE)[0]


def _count_boundaries(frame, here, there):
    """Common boundaries, the prediction's and the truth's in one direction at each of RATIOS, int [3, ratios]."""
    both = frame.valid[here] & frame.valid[there]
    p, t = (depth[there][both] / depth[here][both] for depth in (frame.prediction, frame.truth))
    any_boundary = np.maximum(p, t) > RATIOS[0]
    p, t = (ratio[any_boundary] > RATIOS[:, None] for ratio in (p, t))
    return [np.count_nonzero(edges, axis=1) for edges in (p & t, p, t)]
