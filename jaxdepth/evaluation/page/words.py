"""What metrics, measures, alignments and a protocol are, in words for a reader who does not know this package."""

from collections.abc import Mapping

from jaxdepth.evaluation.report import SEEN_UNKNOWN

# {metric: (title, what it is)}; an arrow tells which direction is better.
METRICS = {
    "delta1": ("delta1 ↑", "share of pixels within a factor 1.25 of the truth"),
    "delta2": ("delta2 ↑", "within 1.25² = 1.5625"),
    "delta3": ("delta3 ↑", "within 1.25³ = 1.953"),
    "abs_rel": ("AbsRel ↓", "mean of |y − y*| / y*"),
    "sq_rel": ("SqRel ↓", "mean of (y − y*)² / y*, metres"),
    "rmse": ("RMSE ↓", "root mean square error, metres"),
    "rmse_log": ("RMSE log ↓", "the same of the natural logarithm"),
    "log10": ("log10 ↓", "mean of |log₁₀ y − log₁₀ y*|"),
    "silog": ("SILog ↓", "100 √(mean d² − (mean d)²), d = ln y − ln y*"),
    "d_scale_invariant": ("D ↓", "mean d² − (mean d)²"),
    "loss": ("L ↓", "mean d² − ½ (mean d)²"),
}
_ALIGNMENTS = {
    "median": ("median", ""),
    "scale": ("scale", "least squares"),
    "scale_shift": ("scale and shift", "least squares"),
    "scale_shift_disparity": ("scale and shift", "of the disparity"),
}
FLOOR = "mean depth image"
_SHARE = "share ↑"
# {measure: (title, {number: unit}) of the numbers that are no share, or better if low}
_MEASURES = {
    "edges_hu": ("Edges of Hu 2019, by Sobel magnitude in metres", {}),
    "depth_boundary_error": ("Depth boundary error", {"accuracy": "pixels ↓", "completeness": "pixels ↓"}),
    "boundary_f1": ("Boundaries by ratio of depths", {}),
    "planarity": ("Flat surfaces", {"flatness": "metres ↓", "orientation": "degrees ↓"}),
    "surface_normals": ("Surface normals, angles in degrees", {"mean": "degrees ↓", "median": "degrees ↓"}),
    "point_cloud": ("Point cloud, distances in metres", {"chamfer": "metres ↓"}),
    "directed_depth_error": ("Side of the plane at 3 m", {"too_near": "share ↓", "too_far": "share ↓"}),
    "ordinal": ("Order of random pairs", {"error": "share ↓", "error_unequal": "share ↓"}),
}


def _window(p: Mapping) -> str:
    """The size at which depth is compared, and the part of it."""
    (top, bottom), (left, right), (height, width) = p["rows"], p["columns"], p["scored_at"]
    size = f"{height} x {width} (rows x columns)"
    if sizes := p.get("sizes"):
        size = f"the size of each truth, of {len(sizes)} sizes up to {size}"
    if shares := p.get("shares"):
        top, bottom, left, right = (f"{share:.1%}" for share in shares)
        return f"{size}, from {top} to {bottom} of the height and {left} to {right} of the width"
    if (bottom - top, right - left) == (height, width):
        return f"{size}, over the whole of it"
    inside = f"inside rows {top} to {bottom - 1} and columns {left} to {right - 1}, counted from 0"
    return f"{size}, {inside}: {bottom - top} x {right - left} pixels"


def protocol(result: Mapping) -> list[str]:
    """The protocol of a result in sentences that a reader elsewhere can repeat."""
    p = result["protocol"]
    scored = result.get("frames_scored", result["frames"])
    scored = f", {scored} of them scored" if scored < result["frames"] else ""
    over = result.get("interval_over")
    invalid = ", ".join(f"{value:g}" for value in p.get("invalid", ()))
    seen, of = p.get("frames_seen_in_training"), p.get("mean_depth_image", "of training frames")
    sentences = [
        f"Frames: {p['frames']} of {p['source']}, split {p['split']}{scored}; hash of the list: {p['split_hash']}.",
        f"Truth: {p['truth']}. Pixels count whose truth is above {p['min_depth']:g} and at most {p['max_depth']:g} m.",
        invalid and f"The value {invalid} in a depth file stands for no measurement.",
        f"Window: prediction and truth are compared at {_window(p)}.",
        f"Resize: {p['resize']}.",
        f"Clipping: {p.get('clipping', 'predictions are clipped to the depth range')}.",
        f"Pooling: {p['pooling']}.",
        "fitted" in p and f"Fitted: {p['fitted']}.",
        "network_input" in p and f"Input of the network: {p['network_input']}.",
        p.get("focal_ratio", 1) != 1
        and f"Depths are multiplied by {p['focal_ratio']:.3g}, the ratio of the focal length to that of the training.",
        "cameras" in p and f"Cameras: {p['cameras']}.",
        p.get("flip_tta") and "Predictions are the mean of those for the picture and for its mirror image.",
        "trained_on" in p and f"Trained on: {p['trained_on']}.",
        seen == 0 and "None of these frames was seen in training.",
        has_floor(result)
        and f"Floor: the {FLOOR}, which is the geometric mean, pixel by pixel, of the depths {of}. It is what a guess "
        "scores that does not look at the picture.",
        over
        and f"95 % intervals: {f'bootstrap over {over}' if has_intervals(result) else f'none; {over} are too few'}.",
    ]
    return [sentence for sentence in sentences if sentence]


def warnings(result: Mapping) -> list[str]:
    """What a reader has to know before the numbers, a sentence each."""
    given = result.get("predictions", {})
    told = list(given.get("warnings") or ())
    seen = result["protocol"].get("frames_seen_in_training", 0)
    empty = result["frames"] - result.get("frames_scored", result["frames"]) - (given.get("missing_count") or 0)
    if "fitted" in result["protocol"]:
        told.insert(0, f"all numbers are of predictions fitted to the truth: {result['protocol']['fitted']}")
    if seen:
        told.insert(
            0, f"the network was trained on {seen} of these frames or of their scenes: the numbers are too good"
        )
    if seen is None:
        told.insert(0, SEEN_UNKNOWN)
    if empty > 0:
        told.append(f"frames without valid depth, which are not scored: {empty} of {result['frames']}")
    return told


def judged(result: Mapping) -> str:
    """What a result is about: a checkpoint, or a folder of predictions."""
    if "checkpoint" in result:
        return f"checkpoint of {result['checkpoint']['workdir']}, step {result['checkpoint']['step']}"
    given = result["predictions"]
    scale = "" if given.get("scale") in (None, 1) else f", {given['scale']:g} per unit of the files"
    return f"{given['files']} files of {given['folder']}, read as {given['kind'].replace('_', ' ')}{scale}"


def alignment(how: str, result: Mapping) -> tuple[str, str]:
    """What of a prediction is aligned, and how."""
    if how == "scale_shift" and "scale_shift_in" in result["protocol"]:
        how = f"scale_shift_{result['protocol']['scale_shift_in']}"
    return _ALIGNMENTS.get(how, (how.replace("_", " "), ""))


def measure(name: str) -> str:
    """The title of a further measure."""
    return _MEASURES.get(name, (name.replace("_", " ").capitalize(),))[0]


def quantity(measure: str, name: str, result: Mapping) -> tuple[str, str]:
    """The title of one of a measure's numbers; its unit, better direction, and frames if only some have it."""
    known = _MEASURES.get(measure)
    frames = (result.get("measured_frames") or {}).get(measure, {}).get(name)
    parts = [known[1].get(name, _SHARE)] if known else []
    if frames is not None and frames < result.get("frames_scored", result["frames"]):
        parts.append(f"{frames} frames")
    return name.replace("_", " "), ", ".join(parts)


def has_floor(result: Mapping) -> bool:
    """Whether the result has the scores of the mean depth image."""
    return bool(result.get("mean_depth_baseline"))


def has_intervals(result: Mapping) -> bool:
    """Whether any number of the result has an interval."""
    return any((result.get("intervals") or {}).values())
