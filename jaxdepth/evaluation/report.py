"""Scores as evaluate's JSON, and as text."""

import numpy as np

from jaxdepth.evaluation import mean_depth

_COLUMNS = ("delta1", "delta2", "delta3", "abs_rel", "rmse", "log10", "silog")


def result(scores, details, per_frame, groups, protocol, *, workdir, step):
    """Scores in the form of evaluate's JSON.

    Args:
      scores: {output: {metric: value}}, with the baseline, from `scorer.make_scorer`.
      details: {output: {"aligned", "edges"}} of the final output and the baseline, from the same.
      per_frame: {output: {metric: [n]}}, from the same.
      groups: the network's outputs, the final one first.
      protocol: from `Protocol.describe`.
      workdir: of the checkpoint.
      step: of the checkpoint.

    Returns:
      {"protocol", "frames", "frames_scored" (those with valid depth), "metrics", "aligned", "edges",
      "mean_depth_baseline", "baseline" (with its "aligned" and "edges"), "outputs", "checkpoint"}.
    """
    final, *others = groups
    return {
        "protocol": protocol,
        "frames": protocol["frames"],
        "frames_scored": int((~np.isnan(per_frame[final]["delta1"])).sum()),
        "metrics": scores[final],
        **details[final],
        "mean_depth_baseline": scores[mean_depth.NAME],
        "baseline": details[mean_depth.NAME],
        "outputs": {name: scores[name] for name in others},
        "checkpoint": {"workdir": str(workdir), "step": step},
    }


def heading(result):
    """The frames and the protocol of a result, in two lines."""
    p = result["protocol"]
    (top, bottom), (left, right), (height, width) = p["rows"], p["columns"], p["scored_at"]
    scored = result.get("frames_scored", result["frames"])  # earlier results do not have it
    left_out = f", of which {scored} were scored: the others have no valid depth" if scored < result["frames"] else ""
    return (
        f"{p['source']}, split {p['split']} ({p['split_hash']}), {result['frames']} frames{left_out}\n"
        f"protocol {p['name']}: rows {top}:{bottom}, columns {left}:{right} of {height}x{width}, "
        f"{p['truth']} up to {p['max_depth']:g} m, {p['pooling']}"
    )


def text(result):
    """A result to read: the protocol, a row for each output, and the edges."""
    seen = result["protocol"].get("frames_seen_in_training", 0)
    warning = f"warning: the network was trained on {seen} of these frames\n" if seen else ""
    baseline = result.get("baseline", {})  # earlier results have no aligned scores and no edges
    rows = {
        "prediction": result["metrics"],
        **_aligned("prediction", result),
        **result["outputs"],
        "mean depth": result["mean_depth_baseline"],
        **_aligned("mean depth", baseline),
    }
    edges = {name: of["edges"] for name, of in (("prediction", result), ("mean depth", baseline)) if "edges" in of}
    parts = [f"step {result['checkpoint']['step']} on {heading(result)}\n{warning}{table(rows)}"]
    return "\n".join([*parts, *([_edge_table(edges)] if edges else [])])


def _aligned(name, part):
    return {f"{name}, {how} aligned": scores for how, scores in part.get("aligned", {}).items()}


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
