"""Tables of a Markdown file, filled from the JSON of measurements, so that no figure in it is typed."""

import json
import pathlib
import re

from jaxdepth import workdir

_FILLED = re.compile(r"(<!-- (machine|table|wide) (\S+)([^\n]*) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEADER = (
    *("what", "network", "batch", "type", "ours", "quartiles"),
    *("other", "quartiles", "ratio", "which other"),
)


def fill(path):
    """Fill the tables of the Markdown file at `path`.

    What is filled stands between a line such as `<!-- table FILE.json WHAT, .. -->` and `<!-- end -->`, from the file
    found from the folder of the Markdown file. `table` gives its rows whose `what` is one of these or begins with one
    that ends in `*`, a line each; `wide` a line for each network and a column for each `what`; `machine` (without
    WHAT) what they were measured on.
    """
    path = pathlib.Path(path)
    text = filled(path.read_text(), path.parent)
    workdir.write_atomically(path, text.encode())


def filled(text, folder):
    """The text with its tables filled. Raises ValueError for a table without rows."""

    def fill(match):
        begin, form, file, wanted, end = match.groups()
        record = json.loads((folder / file).read_text())
        if form == "machine":
            return begin + _machine(record["machine"]) + end
        wanted = [name.strip() for name in wanted.split(",")]
        rows = [row for row in record["rows"] if any(_matches(row["what"], name) for name in wanted)]
        if not rows:
            raise ValueError(f"{file}: no rows of {', '.join(wanted)}")
        return begin + (_wide(rows) if form == "wide" else _table(rows)) + end

    return _FILLED.sub(fill, text)


def _matches(what, wanted):
    return what.startswith(wanted[:-1]) if wanted.endswith("*") else what == wanted


def _machine(machine):
    return "; ".join(f"{name} {value}" for name, value in machine.items() if value != "") + "\n"


def _table(rows):
    lines = [_cells(row) for row in rows]
    used = [i for i in range(len(_HEADER)) if any(line[i] for line in lines)]
    return _markdown([_HEADER[i] for i in used], [[line[i] for i in used] for line in lines])


def _wide(rows):
    columns = list(dict.fromkeys(row["what"] for row in rows))
    lines = {}
    for row in rows:
        line = lines.setdefault((row["network"] or "", str(row["batch"] or "")), {})
        line[row["what"]] = f"{_number(row['ours'])} {row['unit']}"
    header = ["network", "batch", *(column.rpartition(": ")[2] for column in columns)]
    return _markdown(header, [[*key, *(line.get(column, "") for column in columns)] for key, line in lines.items()])


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
