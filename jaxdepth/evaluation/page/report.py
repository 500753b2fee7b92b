"""Results as an HTML page: one file that refers to no other, readable without JavaScript."""

import json
from collections.abc import Mapping, Sequence

from jaxdepth.evaluation.page import frames, words
from jaxdepth.evaluation.page.breakdown import where_it_fails
from jaxdepth.evaluation.page.frames import Shown
from jaxdepth.evaluation.page.layout import Html, document, interval, join, number, table, tag
from jaxdepth.evaluation.page.words import FLOOR, METRICS

_HEADLINE = {"delta1": "", "abs_rel": "", "rmse": " m"}  # and their units
_EDGES = {"f1": "F1 ↑", "precision": "precision ↑", "recall": "recall ↑"}
_ARROWS = "↑: higher is better, ↓: lower."
# What the protocol says of the predictions, which results of the same frames need not share.
_OF_PREDICTIONS = (
    *(
        "network_input",
        "flip_tta",
        "focal_ratio",
        "cameras",
        "trained_on",
        "frames_seen_in_training",
        "mean_depth_image",
    ),
    *("fitted", "scale_shift_in"),
)


def page(result: Mapping, pictures: Sequence[Shown] = ()) -> bytes:
    """The report of an evaluation.

    Args:
      result: evaluate's JSON. Parts that it lacks are left out.
      pictures: frames to show, in order.

    Returns:
      The HTML file.
    """
    p, floor = result["protocol"], _floor(result)
    title = f"Depth on {p['source']}, split {p['split']}"
    scored = result.get("frames_scored", result["frames"])
    introduction = join(
        tag("h1", title),
        tag("p", f"{scored} frames, protocol {p['name']}: {words.judged(result)}", class_="muted"),
        _warnings(words.warnings(result)),
        _headline(result, floor),
    )
    sections = {
        "Metrics": _metrics(result, floor),
        "Protocol": _protocol(result),
        "Size and shape": _alignment(result, floor),
        "Edges": _edges(result, floor),
        "Further measures": _measures(result, floor),
        "Outputs of the network": _outputs(result),
        "Where it fails": where_it_fails(result.get("breakdown") or {}, _value(floor, ("breakdown",)) or {}),
        "Best and worst frames": _frames(pictures),
    }
    return document(title, introduction, sections)


def comparison_page(results: Mapping[str, Mapping], differences: Mapping[str, Mapping]) -> bytes:
    """Results on the same frames side by side.

    Args:
      results: {name: evaluate's JSON}, at least one.
      differences: {name: {flat name: [mean, low, high]}} of each but the first: the paired difference to the first,
        with its interval (None for none). A flat name is such as "delta1", "aligned.median.delta1" or "edges.0.05.f1".

    Returns:
      The HTML file.
    """
    first_name, first = next(iter(results.items()))
    p, floor = first["protocol"], _floor(first)
    title = f"{len(results)} results on {p['source']}, split {p['split']}"
    rows = []
    for heading, quantities in _quantities(results.values()).items():
        rows.append([heading])
        for path, label in quantities.items():
            cells = [_compared(result, path, differences.get(name, {})) for name, result in results.items()]
            rows.append([label, *cells, *([number(_value(floor, path))] if floor else [])])
    note = (
        f"Below the values of each but the first: the difference to {first_name}, paired by frame, and its 95 % "
        f"interval; bold where the interval does not hold 0. {_ARROWS}"
    )
    warnings = [f"{name}: {sentence}" for name, result in results.items() for sentence in words.warnings(result)]
    introduction = join(
        tag("h1", title),
        tag("p", f"{first['frames']} frames, protocol {p['name']}", class_="muted"),
        _warnings(_differing(results) + warnings),
    )
    about = (tag("li", tag("b", name), f": {words.judged(result)}") for name, result in results.items())
    sections = {
        "Results": tag("ul", *about),
        "Side by side": table("All numbers", ["", *results, *([FLOOR] if floor else [])], rows, note=note),
        "Protocol": _protocol(first),
    }
    return document(title, introduction, sections)


def _floor(result):
    """The mean depth image's scores in the form of a result; None without them."""
    return (
        {"metrics": result["mean_depth_baseline"], **(result.get("baseline") or {})}
        if words.has_floor(result)
        else None
    )


def _value(result, path):
    """What lies under the keys of a path in a result; None if there is nothing."""
    for key in path:
        result = (result or {}).get(key)
    return result


def _flat(path):
    """The name of a path's value among the intervals."""
    return ".".join(path[1:] if path[0] == "metrics" else path)


def _interval(result, path, digits=4):
    return interval(_value(result, ("intervals", _flat(path))), digits)


def _scored(result, floor, *paths):
    """Cells of a row: the first path's value above its interval, its floor, and the values of the others."""
    first, *others = (number(_value(result, path)) for path in paths)
    ends = _interval(result, paths[0])
    value = tag("td", tag("b", first), tag("small", ends) if ends else None)
    return [value, *([number(_value(floor, paths[0]))] if floor else []), *others]


def _scores_table(caption, columns, rows, result, floor, *, note=""):
    """A table of `_scored` rows."""
    notes = [note, "Below a value: its 95 % interval." if words.has_intervals(result) else ""]
    notes += [f"Floor: {columns[0].rstrip(' ↑↓')} of the {FLOOR}." if floor else ""]
    head = ["", columns[0], *(["floor"] if floor else []), *columns[1:]]
    return table(caption, head, rows, note=" ".join(filter(None, notes)) or None)


def _label(title, meaning):
    return join(title, tag("small", meaning) if meaning else None)


def _warnings(sentences):
    if not sentences:
        return Html()
    return tag("div", tag("h2", "Read this first"), tag("ul", *(tag("li", x) for x in sentences)), class_="warnings")


def _headline(result, floor):
    groups = []
    for metric, unit in _HEADLINE.items():
        path = ("metrics", metric)
        ends = _interval(result, path, 3)
        lines = [
            tag("dt", METRICS[metric][0]),
            tag("dd", number(_value(result, path), 3) + unit, class_="value"),
            tag("dd", f"95 %: {ends}{unit}") if ends else None,
            tag("dd", f"{FLOOR}: {number(_value(floor, path), 3)}{unit}") if floor else None,
        ]
        groups.append(tag("div", *lines))
    return tag("dl", *groups, class_="headline")


def _metrics(result, floor):
    rows = [[_label(*METRICS[name]), *_scored(result, floor, ("metrics", name))] for name in METRICS]
    note = f"y is the prediction, y* the truth, d = ln y − ln y*. {_ARROWS}"
    return _scores_table("All metrics", ["value"], rows, result, floor, note=note)


def _protocol(result):
    made_by = _value(result, ("predictions", "made_by"))
    told = ("network", "step", "workdir")
    made = [f"Made by: {', '.join(f'{name} {made_by[name]}' for name in told if name in made_by)}."] if made_by else []
    sentences = [f"Predictions: {words.judged(result)}.", *made, *words.protocol(result)]
    told = tag("ul", *(tag("li", sentence) for sentence in sentences))
    whole = json.dumps(result["protocol"], indent=1, ensure_ascii=False)
    return join(told, tag("details", tag("summary", "The protocol as in the JSON"), tag("pre", whole)))


def _alignment(result, floor):
    aligned = result.get("aligned") or {}
    if not aligned or "fitted" in result["protocol"]:
        return Html()
    ways = {_label("none", ""): ("metrics",)}
    ways |= {_label(*words.alignment(how, result)): ("aligned", how) for how in aligned}
    rows = [[label, *_scored(result, floor, *((*way, name) for name in _HEADLINE))] for label, way in ways.items()]
    told = (
        "The first row is everything. With the median or the scale aligned, the size of the room is told and the rest "
        "is its shape: the difference between these rows is the share of the size."
    )
    before, after = (_value(result, (*way, "delta1")) for way in (("metrics",), ("aligned", "median")))
    if before is not None and after is not None and before < after:
        told += (
            f" Of the {number(1 - before, 3)} that delta1 lacks, {number(after - before, 3)} are the size and "
            f"{number(1 - after, 3)} the shape (by the median)."
        )
    columns = [METRICS[name][0] for name in _HEADLINE]
    return join(tag("p", told), _scores_table("Each prediction aligned to its truth", columns, rows, result, floor))


def _edges(result, floor):
    rows = [
        [f"{threshold} m per pixel", *_scored(result, floor, *(("edges", threshold, name) for name in _EDGES))]
        for threshold in result.get("edges") or ()
    ]
    told = (
        "An edge is where the depth changes by more than a threshold. Precision: the share of the predicted edges that "
        "are true. Recall: the share of the true edges that are found. F1: the harmonic mean of both."
    )
    edges = _scores_table("Edges of the depth", list(_EDGES.values()), rows, result, floor)
    return join(tag("p", told), edges) if rows else Html()


def _measures(result, floor):
    rows, undefined = [], []
    for measure, values in (result.get("measures") or {}).items():
        if all(value is None for value in values.values()):
            undefined.append(words.measure(measure))
            continue
        rows.append([words.measure(measure)])
        for name in values:
            label = _label(*words.quantity(measure, name, result))
            rows.append([label, *_scored(result, floor, ("measures", measure, name))])
    told = tag("p", f"Not defined for any of these frames: {'; '.join(undefined)}.") if undefined else None
    title = "Measures beyond the standard ones"
    return join(_scores_table(title, ["value"], rows, result, floor) if rows else None, told)


def _outputs(result):
    others = result.get("outputs") or {}
    outputs = {"final": result["metrics"], **others}
    rows = [[output, *(number(values.get(name)) for name in METRICS)] for output, values in outputs.items()]
    head = ["", *(METRICS[name][0] for name in METRICS)]
    return table("Each output by itself", head, rows) if others else Html()


def _frames(pictures):
    if not pictures:
        return Html()
    told = (
        "One depth scale a row, which spans the true depths; what lies outside has the colour of the nearer end. Grey: "
        "no truth, or no prediction. Error: prediction / truth, white where it is 1, the same colours in all frames:"
    )
    parts = [tag("p", told), frames.error_legend()]
    for title, best in (("Best", True), ("Worst", False)):
        shown = [frames.frame(x) for x in pictures if x.best == best]
        parts += [tag("h3", title), *shown] if shown else []
    return join(*parts)


def _quantities(results):
    """What several results are compared by: {heading: {path: label}} of what at least one of them has."""
    metrics, aligned, edges, measures = {}, {}, {}, {}
    for result in results:
        metrics |= {("metrics", name): title for name, (title, _) in METRICS.items()}
        for how in result.get("aligned") or ():
            aligned.setdefault(("aligned", how, "delta1"), _label(*words.alignment(how, result)))
        for threshold in result.get("edges") or ():
            edges |= {("edges", threshold, name): f"{threshold}: {title}" for name, title in _EDGES.items()}
        for measure, values in (result.get("measures") or {}).items():
            labels = {("measures", measure, name): _label(*words.quantity(measure, name, result)) for name in values}
            measures.setdefault(words.measure(measure), {}).update(labels)
    found = {"Metrics": metrics, "delta1 ↑, aligned": aligned, "Edges, metres per pixel": edges, **measures}
    return {heading: quantities for heading, quantities in found.items() if quantities}


def _compared(result, path, differences):
    """A cell: the value, and below it the difference to the first with its interval."""
    value = number(_value(result, path))
    mean, *ends = differences.get(_flat(path)) or [None]
    if mean is None:
        return value
    told = interval(ends, sign=True)
    clear = told and ends[0] * ends[1] > 0
    difference = tag("b" if clear else "span", number(mean, sign=True))
    return tag("td", value, tag("small", difference), tag("small", told) if told else None)


def _differing(results):
    """Sentences on what the protocols of some results do not share, apart from what is of the predictions."""
    protocols = {name: result["protocol"] for name, result in results.items()}
    keys = dict.fromkeys(key for p in protocols.values() for key in p if key not in _OF_PREDICTIONS)
    return [
        f"the protocols differ in {key}: " + ", ".join(f"{name} {p.get(key)}" for name, p in protocols.items())
        for key in keys
        if len({json.dumps(p.get(key)) for p in protocols.values()}) > 1
    ]
