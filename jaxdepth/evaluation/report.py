"""Scores as evaluate's JSON, as a table of frames, and as text."""

import csv
import io

import numpy as np

from jaxdepth.data import splits
from jaxdepth.evaluation import mean_depth, summary
from jaxdepth.evaluation.metrics import METRIC_NAMES
from jaxdepth.evaluation.page.frames import Shown

SEEN_UNKNOWN = "the source has other frames or lists than at the training: some of these may have been trained on"
_COLUMNS = ("delta1", "delta2", "delta3", "abs_rel", "rmse", "log10", "silog")
_INTERNAL = ("mean_log_depth", "slope", "log_median_ratio")  # of the frames' values: for checks


def result(per_frame, groups, protocol, *, judged, pooling="images", breakdown=None, frames=None):
    """Scores in the form of evaluate's JSON.

    Args:
      per_frame: {output: {flat name: [n]}}, with the baseline, from `scorer.make_scorer`.
      groups: the outputs, the final one first.
      protocol: from `Protocol.describe`.
      judged: {"checkpoint": {...}} or {"predictions": {...}}.
      pooling: see `summary.means`.
      breakdown: {output: from `Breakdown.result`}; None for none.
      frames: from `names_and_groups`; None for no intervals and no values of frames.

    Returns:
      {"protocol", "frames", "frames_scored" (those with valid depth), "metrics", "aligned", "edges", "measures",
      "mean_depth_baseline", "baseline" (with its "aligned", "edges", "measures" and "breakdown"), "outputs",
      "measured_frames" (how many have each further measure),
      "breakdown", "intervals", "interval_over", "per_frame"} and what `judged` has. Values of the mean depth image are
      None without one; parts that were not asked for are missing.
    """
    final, *others = groups
    means = {output: summary.nested(summary.means(values, pooling=pooling)) for output, values in per_frame.items()}
    floor = means.get(mean_depth.NAME)
    made = {
        "protocol": protocol,
        "frames": protocol["frames"],
        "frames_scored": int((per_frame[final]["pixels"] > 0).sum()),
        **means[final],
        "mean_depth_baseline": floor and floor["metrics"],
        "baseline": floor and {name: part for name, part in floor.items() if name != "metrics"},
        "outputs": {name: means[name]["metrics"] for name in others},
    }
    if "measures" in made:  # some are not defined for every frame
        counted = {
            name: int((~np.isnan(x)).sum()) for name, x in per_frame[final].items() if name.startswith("measures.")
        }
        made["measured_frames"] = {
            name: {metric: counted[f"measures.{name}.{metric}"] for metric in values}
            for name, values in made["measures"].items()
        }
    if breakdown:
        made["breakdown"] = breakdown[final]
        if floor:
            made["baseline"]["breakdown"] = breakdown[mean_depth.NAME]
    if frames:
        made["intervals"] = summary.intervals(per_frame[final], frames["group"], pooling=pooling)
        made["interval_over"] = frames["over"]
        of_final = [*METRIC_NAMES, *sorted(per_frame[final].keys() - {*METRIC_NAMES, *_INTERNAL})]
        values = {name: _rounded(per_frame[final][name]) for name in of_final}
        made["per_frame"] = {name: frames[name] for name in ("id", "name", "order", "group")} | values
    return made | judged


def metrics(per_frame):
    """The means of the standard metrics over images: {output: {metric: float}}, from what `make_scorer` gives."""
    return {output: summary.nested(summary.means(values))["metrics"] for output, values in per_frame.items()}


def names_and_groups(frames, indices):
    """What `result` needs to know of the scored frames.

    Args:
      frames: a Frames.
      indices: int64 [n], which of its frames.

    Returns:
      {"id", "name", "order" (consecutive numbers where neighbours may show the same room), "group" (of frames that may
      show the same room), lists of n, and "over", in words what the groups are}.
    """
    if frames.name == "rooms":
        order = 2 * np.asarray(indices)  # no two rooms are neighbours
    else:
        order = frames.ids[indices] if splits.has_official_ids(frames.splits) else np.asarray(indices)
    if frames.scenes is not None:
        groups = np.unique([splits.scene_of(frames.scenes[i]) for i in indices], return_inverse=True)[1]
        over = "scenes"
    else:
        groups, over = summary.runs(order), "images" if frames.name == "rooms" else "runs of neighbouring frames"
    return {
        "id": frames.ids[indices].tolist(),
        "name": [frames.file_name(int(index)) for index in indices],
        "order": order.tolist(),
        "group": groups.tolist(),
        "over": f"{len(np.unique(groups))} {over}",
    }


def shown(best, worst, result):
    """The best and worst frames (Window, see `examination`) as the page shows them."""
    frames = result["per_frame"]

    def as_shown(window, *, is_best):
        title = f"{frames['name'][window.rank]}: delta1 {frames['delta1'][window.rank]:.3f}"
        return Shown(title, window.image, window.prediction, window.truth, is_best)

    best_ranks = {window.rank for window in best}
    only_worst = [window for window in worst if window.rank not in best_ranks]
    return [as_shown(x, is_best=True) for x in best] + [as_shown(x, is_best=False) for x in only_worst]


def csv_bytes(result):
    """A result's frames as the bytes of a CSV file, a row each; empty where a frame has no value."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(result["per_frame"])
    writer.writerows(zip(*result["per_frame"].values(), strict=True))
    return file.getvalue().encode("utf8", "surrogateescape")


def heading(result):
    """The frames and the protocol of a result, in two lines."""
    p = result["protocol"]
    scored = result.get("frames_scored", result["frames"])  # earlier results do not have it
    missing = result.get("predictions", {}).get("missing_count", 0)
    why = "no valid depth" if scored < result["frames"] - missing else ""
    why = " or ".join(filter(None, ["no prediction" if missing else "", why]))
    left_out = f", of which {scored} were scored: the others have {why}" if scored < result["frames"] else ""
    return (
        f"{p['source']}, split {p['split']} ({p['split_hash']}), {result['frames']} frames{left_out}\n"
        f"protocol {p['name']}: {_window(p)}, {p['truth']} up to {p['max_depth']:g} m, {p['pooling']}"
    )


def _window(protocol):
    """The rows and columns that are scored, in words."""
    (top, bottom), (left, right), (height, width) = (protocol[name] for name in ("rows", "columns", "scored_at"))
    sizes = protocol.get("sizes")
    if shares := protocol.get("shares"):
        top, bottom, left, right = (f"{share:.3g}" for share in shares)
    elif sizes:
        return f"whole pictures of {len(sizes)} sizes up to {height}x{width}"
    of = f"the height and width of {len(sizes)} sizes" if sizes else f"{height}x{width}"
    return f"rows {top}:{bottom}, columns {left}:{right} of {of}"


def text(result):
    """A result to read: the protocol, a row for each output, the edges, and further measures."""
    seen = result["protocol"].get("frames_seen_in_training", 0)
    warnings = [f"the network was trained on {seen} of these frames or of their scenes"] if seen else []
    warnings += [SEEN_UNKNOWN] if seen is None else []
    warnings += result.get("predictions", {}).get("warnings", [])
    baseline, floor = result.get("baseline") or {}, result["mean_depth_baseline"]
    fitted = ", fitted in disparity" if result["protocol"].get("fitted") else ""
    rows = {
        f"prediction{fitted}": result["metrics"],
        **({} if fitted else _aligned("prediction", result)),
        **result["outputs"],
        **({"mean depth": floor} if floor else {}),
        **_aligned("mean depth", baseline),
    }
    edges = {name: of["edges"] for name, of in (("prediction", result), ("mean depth", baseline)) if "edges" in of}
    parts = [f"{_judged(result)} on {heading(result)}", *(f"warning: {line}" for line in warnings), table(rows)]
    if interval := result.get("intervals", {}).get("delta1"):
        parts.append(f"delta1 from {interval[0]:.4f} to {interval[1]:.4f} (95 %, over {result['interval_over']})")
    parts += [_edge_table(edges)] if edges else []
    for name, values in result.get("measures", {}).items():
        of_floor = baseline.get("measures", {}).get(name, {})
        cells = [
            f"{metric} {_short(value)}" + (f" ({_short(of_floor[metric])})" if metric in of_floor else "")
            for metric, value in values.items()
        ]
        parts.append(f"{name}{' (mean depth)' if of_floor else ''}: {', '.join(cells)}")
    return "\n".join(parts)


def _judged(result):
    if "checkpoint" in result:
        return f"step {result['checkpoint']['step']}"
    judged = result["predictions"]
    return f"{judged['files']} predictions ({judged['kind']}) of {judged['folder']}"


def _short(value):
    return "none" if value is None else f"{value:.4g}"


def _rounded(values):
    return [None if np.isnan(x) else float(f"{x:.6g}") for x in np.asarray(values, np.float64)]


def _aligned(name, part):
    words = {"scale_shift": "scale and shift", "scale_shift_disparity": "the same in disparity"}
    return {f"{name}, {words.get(how, how)} aligned": scores for how, scores in part.get("aligned", {}).items()}


def _edge_table(rows):
    """{row: {threshold: {metric: value}}} as text, one row a line."""
    width = max(map(len, rows))
    thresholds = next(iter(rows.values()))
    lines = ["edges, precision / recall / F1 where depth changes by more than"]
    lines += [" " * width + "".join(f"{threshold + ' m/pixel':>26}" for threshold in thresholds)]
    for row, values in rows.items():
        cells = (" / ".join(f"{of[name]:.4f}" for name in ("precision", "recall", "f1")) for of in values.values())
        lines.append(f"{row:<{width}}" + "".join(f"{cell:>26}" for cell in cells))
    return "\n".join(lines)


def table(rows):
    """{row: {metric: value}} as text, one row a line."""
    width = max(map(len, rows))
    lines = [" " * width + "".join(f"{name:>9}" for name in _COLUMNS)]
    lines += [f"{row:<{width}}" + "".join(f"{values[name]:9.4f}" for name in _COLUMNS) for row, values in rows.items()]
    return "\n".join(lines)
