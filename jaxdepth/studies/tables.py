"""Tables of a Markdown file, filled from the JSON of measurements, so that no figure in them is typed."""

import json
import pathlib
import re

from jaxdepth.runs import workdir
from jaxdepth.studies import sweep
from jaxdepth.studies.reproduce import scores

_SCORES = ("delta1", "delta2", "delta3", "abs_rel", "rmse", "log10", "silog")
_HEADER = (
    *("what", "network", "batch", "type", "ours", "quartiles"),
    *("other", "quartiles", "ratio", "which other"),
)


def fill(path):
    """Fill the tables of the Markdown file at `path`.

    A table stands between a line `<!-- FORM FILE WHAT, .. -->` and `<!-- end -->`; FILE is found from the folder of the
    Markdown file. Of the JSON of a benchmark, `table` gives the rows whose `what` is one of WHAT or begins with one
    that ends in `*`, a line each; `wide` a line for each network and a column for each `what`; `machine` (without WHAT)
    what they were measured on. Of the file of a sweep, `sweep` gives the rows named by WHAT, or all; of the JSON of an
    evaluation, `scores` gives every output and the baseline; of the folder of a reproduction's results, `reproduction`
    gives the tables of `jaxdepth.studies.reproduce.scores` named by WHAT.
    """
    path = pathlib.Path(path)
    text = filled(path.read_text(), path.parent)
    workdir.write_atomically(path, text.encode())


def filled(text, folder):
    """The text with its tables filled. Raises ValueError for a table without rows."""

    def fill(match):
        begin, form, file, wanted, end = match.groups()
        wanted = [name.strip() for name in wanted.split(",") if name.strip()]
        return begin + _FORMS[form](pathlib.Path(folder, file), wanted) + end

    return _FILLED.sub(fill, text)


def _table(file, wanted):
    lines = [_cells(row) for row in _rows(file, wanted)]
    used = [i for i in range(len(_HEADER)) if any(line[i] for line in lines)]
    return _markdown([_HEADER[i] for i in used], [[line[i] for i in used] for line in lines])


def _wide(file, wanted):
    rows = _rows(file, wanted)
    columns = list(dict.fromkeys(row["what"] for row in rows))
    lines = {}
    for row in rows:
        line = lines.setdefault((row["network"] or "", str(row["batch"] or "")), {})
        line[row["what"]] = f"{_number(row['ours'])} {row['unit']}"
    header = ["network", "batch", *(column.rpartition(": ")[2] for column in columns)]
    return _markdown(header, [[*key, *(line.get(column, "") for column in columns)] for key, line in lines.items()])


def _machine(file, _):
    machine = json.loads(file.read_text())["machine"]
    return "; ".join(f"{name} {value}" for name, value in machine.items() if value != "") + "\n"


def _sweep(file, wanted):
    return sweep.table(sweep.load(file), wanted)


def _scores(file, _):
    result = json.loads(file.read_text())
    rows = {"**prediction**": result["metrics"], **result["outputs"], "mean depth image": result["mean_depth_baseline"]}
    header = ["", *_SCORES]
    return _markdown(header, [[name, *(f"{row[metric]:.3f}" for metric in _SCORES)] for name, row in rows.items()])


def _reproduction(folder, wanted):
    results = scores.read(folder)
    tables = [_REPRODUCTION[name](results) for name in wanted]
    return "\n".join(_markdown(header, lines) for header, *lines in tables)


_REPRODUCTION = {"accuracy": scores.accuracy, "model_1": scores.model_1, "costs": scores.costs}
_FORMS = {
    "reproduction": _reproduction,
    "scores": _scores,
    "table": _table,
    "wide": _wide,
    "machine": _machine,
    "sweep": _sweep,
}
_FILLED = re.compile(rf"(<!-- ({'|'.join(_FORMS)}) (\S+)([^\n]*) -->\n).*?(<!-- end -->)", re.DOTALL)


def _rows(file, wanted):
    rows = json.loads(file.read_text())["rows"]
    rows = [row for row in rows if any(_matches(row["what"], name) for name in wanted)]
    if not rows:
        raise ValueError(f"{file.name}: no rows of {', '.join(wanted)}")
    return rows


def _matches(what, wanted):
    return what.startswith(wanted[:-1]) if wanted.endswith("*") else what == wanted


def _markdown(header, lines):
    table = [header, ["---"] * len(header), *lines]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in table)


def _number(value):
    return "" if value is None else f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"


def _cells(row):
    def between(quartiles):
        return "" if quartiles is None else " to ".join(map(_number, quartiles))

    return [
        row["what"],
        row["network"] or "",
        str(row["batch"] or ""),
        row["dtype"] or "",
        f"{_number(row['ours'])} {row['unit']}",
        between(row["quartiles"]),
        f"{_number(row['peer'])} {row['unit']}" if row["peer"] is not None else "",
        between(row["peer_quartiles"]),
        f"**{row['ratio']:.2f}**" if row["ratio"] is not None else "",
        row["peer_name"] or "",
    ]
