"""Where predictions fail, on an HTML page: by distance, by place, by distance to an edge, by class."""

import itertools
import math
from collections.abc import Mapping, Sequence

from jaxdepth.evaluation.page.layout import Html, join, number, percent, table, tag
from jaxdepth.evaluation.page.words import FLOOR, METRICS

# The plot, in units of its view box: small, so that its text can still be read on a phone.
_WIDTH, _LEFT, _RIGHT = 440, 50, 430
_TOP, _BOTTOM = 30, 200  # of the error's axis
_SHARE_TOP, _SHARE_BOTTOM = 218, 258  # of the shares' axis, at whose foot the distances stand
_MUTED = dict(fill="var(--muted)")


def where_it_fails(breakdown: Mapping, floor: Mapping) -> Html:
    """Plots and tables of a result's breakdown.

    Args:
      breakdown: {"distance", "place", "edge_distance", "class": bins}, any of them. A bin has "label", "pixels", and
        "delta1", "abs_rel", "log_bias" that are None without pixels; by distance "from" and "to" in metres, by place
        "row" and "column" from 0.
      floor: the same of the mean depth image; empty for none.

    Returns:
      Html; empty if there is nothing to show.
    """
    found = {name: bins for name, bins in breakdown.items() if bins}
    parts = []
    if "distance" in found:
        bins = found["distance"], floor.get("distance")
        figure = tag("figure", error_by_distance(*bins))
        parts.append(tag("div", figure, _bins("By true distance", *bins), class_="beside"))
    if "place" in found:
        parts.append(_places(found["place"]))
    for name, title in (("edge_distance", "By distance to an edge of the truth"), ("class", "By class")):
        if name in found:
            parts.append(_bins(title, found[name], floor.get(name)))
    told = (
        "Pooled over the pixels of all frames. Bias: the geometric mean of prediction / truth, as a percentage above 1."
    )
    return join(tag("p", told), *parts) if parts else Html()


def error_by_distance(bins: Sequence[Mapping], floor: Sequence[Mapping] | None) -> Html:
    """AbsRel by true distance as steps, the floor's as a dashed line, and below the share of the pixels as bars.

    Args:
      bins: in order, see `where_it_fails`; the last may have no end: "to" is None.
      floor: those of the mean depth image, or None.
    """
    edges = [x["from"] for x in bins]
    last = bins[-1]["to"]
    edges.append(edges[-1] + (edges[-1] - edges[-2] if len(bins) > 1 else 1.0) if last is None else last)
    across = _axis(edges[0], edges[-1], _LEFT, _RIGHT)
    lines = [_errors(bins)] + ([_errors(floor)] if floor else [])
    ticks = _ticks(max((y for values in lines for y in values if y is not None), default=1.0))
    up = _axis(0.0, ticks[-1], _BOTTOM, _TOP)

    legend = [tag("tspan", "prediction", fill="var(--accent)", font_weight=600)]
    legend += [tag("tspan", f"{FLOOR} (dashed)", fill="var(--floor)", dx=12)] if floor else []
    parts = [_text("AbsRel", _LEFT - 6, 14, anchor="end"), tag("text", *legend, x=_LEFT, y=14)]
    for tick in ticks:
        color = "var(--rule)" if tick else "var(--muted)"
        parts.append(tag("line", x1=_LEFT, x2=_RIGHT, y1=up(tick), y2=up(tick), stroke=color))
        parts.append(_text(f"{tick:g}", _LEFT - 6, up(tick) + 4, anchor="end"))
    if floor:
        dashed = dict(stroke="var(--floor)", stroke_width=1.5, stroke_dasharray="5 3")
        parts.append(tag("path", d=_steps(lines[1], edges, across, up), fill="none", **dashed))
    parts.append(
        tag("path", d=_steps(lines[0], edges, across, up), fill="none", stroke="var(--accent)", stroke_width=2.5)
    )
    parts += _shares(bins, edges, across)
    parts += [_text(f"{edge:g}", across(edge), _SHARE_BOTTOM + 16) for edge in edges[:: math.ceil(len(edges) / 11)]]
    parts.append(_text("true distance, metres", (_LEFT + _RIGHT) / 2, _SHARE_BOTTOM + 34))
    label = "AbsRel by true distance. " + "; ".join(f"{x['label']}: {number(x['abs_rel'], 3)}" for x in bins)
    view = f"0 0 {_WIDTH} {_SHARE_BOTTOM + 40}"
    return tag("svg", join(*parts, by="\n"), viewBox=view, role="img", aria_label=label)


def _errors(bins):
    return [x["abs_rel"] for x in bins]


def _shares(bins, edges, across):
    """Bars of the share of the pixels, with the largest share as a percentage."""
    total, largest = (max(1, f(x["pixels"] for x in bins)) for f in (sum, max))
    up = _axis(0.0, largest, _SHARE_BOTTOM, _SHARE_TOP)
    parts = [
        _text(percent(largest / total, 0), _LEFT - 6, _SHARE_TOP + 9, anchor="end"),
        _text("pixels", _LEFT - 6, _SHARE_BOTTOM, anchor="end"),
    ]
    for x, left, right in zip(bins, map(across, edges), map(across, edges[1:]), strict=False):
        top = up(x["pixels"])
        box = dict(x=left, y=top, width=round(right - left - 1, 1), height=round(_SHARE_BOTTOM - top, 1))
        parts.append(tag("rect", opacity=0.55, **box, **_MUTED))
    return parts


def _text(words, x, y, *, anchor="middle"):
    return tag("text", words, x=x, y=y, text_anchor=anchor, **_MUTED)


def _axis(low, high, start, end):
    """A function from values to positions, low at `start`."""
    return lambda value: round(start + (end - start) * (value - low) / (high - low), 1)


def _ticks(greatest):
    """Round values from 0 to at least `greatest`, about five."""
    raw = max(greatest, 1e-3) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10, 20) if factor * power >= raw)
    return [round(i * step, 10) for i in range(max(1, math.ceil(greatest / step)) + 1)]


def _steps(values, edges, across, up):
    """The path of a step line, with gaps where a value is None."""
    path, drawing = "", False
    for value, left, right in zip(values, edges, edges[1:], strict=False):
        if value is not None:
            path += f"{f'V{up(value)}' if drawing else f'M{across(left)} {up(value)}'}H{across(right)}"
        drawing = value is not None
    return path


def _bins(title, bins, floor):
    """A table of a breakdown, with AbsRel as bars."""
    pixels = max(1, sum(x["pixels"] for x in bins))
    longest = max((x["abs_rel"] for x in bins if x["abs_rel"] is not None), default=0.0) or 1.0
    floors = {x["label"]: x["abs_rel"] for x in floor or ()}
    rows = []
    for x in bins:
        bar = tag("i", style=f"width:{100 * (x['abs_rel'] or 0.0) / longest:.0f}%")
        error = tag("td", number(x["abs_rel"], 3), tag("span", bar, class_="bar", aria_hidden="true"))
        told = [percent(x["pixels"] / pixels), number(x["delta1"], 3), error, _bias(x["log_bias"])]
        rows.append([x["label"], *told, *([number(floors.get(x["label"]), 3)] if floor else [])])
    head = ["", "pixels", METRICS["delta1"][0], METRICS["abs_rel"][0], "bias", *(["floor"] if floor else [])]
    return table(title, head, rows, note=f"Floor: AbsRel of the {FLOOR}." if floor else None)


def _places(cells):
    """The picture as a grid of cells, the more coloured the greater their AbsRel."""
    errors = [x["abs_rel"] for x in cells if x["abs_rel"] is not None]
    low, high = min(errors, default=0.0), max(errors, default=0.0)
    ordered = sorted(cells, key=lambda x: (x["row"], x["column"]))
    rows = [
        [f"row {row + 1}", *(_place(x, low, high) for x in group)]
        for row, group in itertools.groupby(ordered, key=lambda x: x["row"])
    ]
    head = ["", *(f"column {column + 1}" for column in sorted({x["column"] for x in cells}))]
    note = f"In each part: AbsRel, from {number(low, 3)} (pale) to {number(high, 3)} (strong), delta1, bias."
    return table("By place in the picture", head, rows, note=note, class_="heat")


def _place(cell, low, high):
    error = cell["abs_rel"]
    share = 0.0 if error is None or high <= low else (error - low) / (high - low)
    small = tag("small", number(cell["delta1"], 3)), tag("small", _bias(cell["log_bias"]))
    return tag("td", tag("b", number(error, 3)), *small, style=f"--share:{share:.2f}")


def _bias(log_bias):
    return percent(None if log_bias is None else math.expm1(log_bias), sign=True)
