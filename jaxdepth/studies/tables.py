"""Fills the tables of Markdown files from the JSON of measurements, so that no number in them is typed by hand.

A table is between a line `<!-- FORM FILE WHAT, WHAT, ... -->` and a line `<!-- end -->`. FILE is relative to the
Markdown file's folder.

  table: rows of a benchmark's JSON, one a line. WHAT are names of rows; "batches*" stands for all that start so.
  wide: the same rows, a line for each network and a column for each name.
  machine: the machine of a benchmark's JSON.
  scores: every output and the baseline of evaluate's JSON, and where it has them the scores with the median aligned.
  edges: the edges of evaluate's JSON.
  networks: a line for each of some of evaluate's JSON files, in the folder FILE, then the last one's baseline. WHAT are
    "name = file" without .json. Cells are empty where an earlier result has no aligned scores and edges.
  results: a line for each of some of evaluate's JSON files, with its frames and protocol. FILE and WHAT as above.
  protocols: the protocols of evaluate. FILE is not used.
  sweep: the rows WHAT, or all, of a sweep's Python file.
  reproduction: the tables WHAT of a reproduction's folder of results: accuracy, model_1, costs.
"""

import json
import pathlib
import re

from jaxdepth.benchmark import record
from jaxdepth.data.files.writing import write_atomically
from jaxdepth.errors import InputError
from jaxdepth.evaluation.metrics import EDGE_NAMES, EDGE_THRESHOLDS
from jaxdepth.evaluation.protocols import POOLINGS, PROTOCOLS
from jaxdepth.studies import sweep, sweep_table
from jaxdepth.studies.markdown_table import markdown_table
from jaxdepth.studies.reproduce import scores

_METRICS = ("delta1", "delta2", "delta3", "abs_rel", "rmse", "log10", "silog")
_OF_NETWORKS, _ALIGNED = ("delta1", "abs_rel", "rmse", "log10"), ("delta1", "abs_rel")
_COLUMNS = (
    *("what", "network", "batch", "type", "ours", "quartiles"),
    *("other", "quartiles", "speed-up", "which other"),
)


def fill(path):
    """Fills the tables of a Markdown file.

    Raises:
      InputError: for a table without rows.
      OSError: if a file cannot be read or written.
    """
    path = pathlib.Path(path)
    write_atomically(path, filled(path.read_text(), path.parent).encode())


def filled(text, folder):
    """Markdown with its tables filled.

    Args:
      text: the Markdown.
      folder: that its files are relative to.

    Raises:
      InputError, OSError: as `fill`.
    """

    def fill(match):
        begin, form, file, wanted, end = match.groups()
        wanted = [name.strip() for name in wanted.split(",") if name.strip()]
        return begin + _FORMS[form](pathlib.Path(folder, file), wanted) + end

    return _MARKED.sub(fill, text)


def _table(file, wanted):
    lines = [_cells(row) for row in _rows(file, wanted)]
    used = [i for i in range(len(_COLUMNS)) if any(line[i] for line in lines)]
    return markdown_table([[line[i] for i in used] for line in (_COLUMNS, *lines)])


def _wide(file, wanted):
    rows = _rows(file, wanted)
    columns = list(dict.fromkeys(row["what"] for row in rows))
    lines = {}
    for row in rows:
        line = lines.setdefault((row["network"] or "", str(row["batch"] or "")), {})
        line[row["what"]] = f"{_number(row['ours'])} {row['unit']}"
    header = ["network", "batch", *(column.rpartition(": ")[2] for column in columns)]
    cells = [[*key, *(line.get(column, "") for column in columns)] for key, line in lines.items()]
    return markdown_table([header, *cells])


def _machine(file, _):
    machine = json.loads(file.read_text())["machine"]
    return "; ".join(f"{name} {value}" for name, value in machine.items() if value != "") + "\n"


def _sweep(file, wanted):
    return sweep_table.table(sweep.load(file), wanted)


def _scores(file, _):
    result = json.loads(file.read_text())
    rows = {"**prediction**": result["metrics"], **result["outputs"], "mean depth image": result["mean_depth_baseline"]}
    if "aligned" in result:  # earlier results do not have it
        rows["prediction, median aligned"] = result["aligned"]["median"]
        rows["mean depth image, median aligned"] = result["baseline"]["aligned"]["median"]
    header = ["", *_METRICS]
    cells = [[name, *(f"{row[metric]:.3f}" for metric in _METRICS)] for name, row in rows.items()]
    return markdown_table([header, *cells])


def _edges(file, _):
    result = json.loads(file.read_text())
    both = {"prediction": result["edges"], "mean depth image": result["baseline"]["edges"]}
    cells = [
        [name, f"{threshold} m", *(f"{values[measure]:.3f}" for measure in EDGE_NAMES)]
        for name, edges in both.items()
        for threshold, values in edges.items()
    ]
    return markdown_table([["", "threshold", "precision", "recall", "F1"], *cells])


def _networks(folder, wanted):
    thresholds = [f"{threshold:g}" for threshold in EDGE_THRESHOLDS]
    aligned_names = [f"{name}, median aligned" for name in _ALIGNED]
    rows = [["", *_OF_NETWORKS, *aligned_names, *(f"edges F1, {threshold} m" for threshold in thresholds)]]

    def row(name, metrics, details):
        aligned, edges = details.get("aligned", {}).get("median", {}), details.get("edges", {})
        values = [metrics[metric] for metric in _OF_NETWORKS] + [aligned.get(metric) for metric in _ALIGNED]
        values += [edges.get(threshold, {}).get("f1") for threshold in thresholds]
        return [name, *("" if value is None else f"{value:.3f}" for value in values)]

    for name, _, file in (what.partition(" = ") for what in wanted):
        result = json.loads((folder / f"{file}.json").read_text())
        rows.append(row(name, result["metrics"], result))
    return markdown_table([*rows, row("mean depth image", result["mean_depth_baseline"], result.get("baseline", {}))])


def _results(folder, wanted):
    further = ("delta1, median aligned", "delta1 of floor")
    rows = [["", "frames", "truth", "protocol", "mean over", *_OF_NETWORKS, *further]]
    for name, _, file in (what.partition(" = ") for what in wanted):
        result = json.loads((folder / f"{file}.json").read_text())
        protocol, (low, high) = result["protocol"], result.get("intervals", {}).get("delta1") or (None, None)
        over = next((name for name, words in POOLINGS.items() if words == protocol["pooling"]), protocol["pooling"])
        metrics = [f"{result['metrics'][metric]:.3f}" for metric in _OF_NETWORKS]
        if low is not None:
            metrics[0] += f" ({low:.3f} to {high:.3f})"
        aligned = result.get("aligned", {}).get("median", {}).get("delta1")
        frames = f"{result['frames']} of {protocol['source']}, {protocol['split']}"
        floor = f"{result['mean_depth_baseline']['delta1']:.3f}"
        of_all = [name, frames, protocol["truth"], protocol["name"], over, *metrics]
        rows.append([*of_all, "" if aligned is None else f"{aligned:.3f}", floor])
    return markdown_table(rows)


def _protocols(_, __):
    rows = [["`--protocol`", "scored at", "rows", "columns", "from"]]
    for protocol in PROTOCOLS.values():
        size = "640x480" if protocol.full_size else "the frame's centre crop: 304x228 of 320x240, or the network's"
        window = ["all" if part is None else f"{part[0]}:{part[1]}" for part in (protocol.rows, protocol.columns)]
        if protocol.shares:
            size = "the size of each truth"
            shares = [f"{share:.1%}" for share in protocol.shares]
            window = [f"{shares[0]} to {shares[1]}", f"{shares[2]} to {shares[3]}"]
        elif protocol.full_size and protocol.rows is None:
            size = f"{size}, or the size of each truth"
        rows.append([f"`{protocol.name}`", size, *window, protocol.origin])
    return markdown_table(rows)


def _reproduction(folder, wanted):
    if unknown := [name for name in wanted if name not in _REPRODUCTION]:
        raise InputError(f"{folder}: no table {unknown[0]!r}: expected some of {', '.join(_REPRODUCTION)}")
    results = scores.read(folder)
    return "\n".join(_REPRODUCTION[name](results) for name in wanted)


_REPRODUCTION = {
    "accuracy": lambda results: "\n".join(
        f"{sentence}\n\n{markdown_table(table)}" for sentence, table in scores.accuracy(results)
    ),
    "model_1": lambda results: markdown_table(scores.model_1(results)),
    "costs": lambda results: markdown_table(scores.costs(results)),
}
_FORMS = {
    "reproduction": _reproduction,
    "scores": _scores,
    "edges": _edges,
    "networks": _networks,
    "results": _results,
    "protocols": _protocols,
    "table": _table,
    "wide": _wide,
    "machine": _machine,
    "sweep": _sweep,
}
_MARKED = re.compile(rf"(<!-- ({'|'.join(_FORMS)}) (\S+)([^\n]*) -->\n).*?(<!-- end -->)", re.DOTALL)


def _rows(file, wanted):
    """The rows of a benchmark's JSON whose names are wanted."""
    rows = json.loads(file.read_text())["rows"]
    rows = [row for row in rows if any(_matches(row["what"], name) for name in wanted)]
    if not rows:
        raise InputError(f"{file.name}: no rows of {', '.join(wanted)}")
    return rows


def _matches(what, wanted):
    return what.startswith(wanted[:-1]) if wanted.endswith("*") else what == wanted


def _cells(row):
    """The cells of a benchmark's row under _COLUMNS."""
    speedup = record.speedup(row)
    return [
        row["what"],
        row["network"] or "",
        str(row["batch"] or ""),
        row["dtype"] or "",
        f"{_number(row['ours'])} {row['unit']}",
        _quartiles(row["quartiles"]),
        f"{_number(row['peer'])} {row['unit']}" if row["peer"] is not None else "",
        _quartiles(row["peer_quartiles"]),
        f"**{record.show_speedup(speedup)}**" if speedup is not None else "",
        row["peer_name"] or "",
    ]


def _quartiles(values):
    return "" if values is None else " to ".join(map(_number, values))


def _number(value):
    return "" if value is None else f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"
