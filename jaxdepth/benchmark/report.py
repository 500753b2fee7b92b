"""Tables of a Markdown file, filled from the JSON of measurements, so that no figure in it is typed."""

import json
import pathlib
import re

from jaxdepth import workdir

_TABLE = re.compile(r"(<!-- table (\S+) (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEADER = ("what", "network", "batch", "type", "ours", "quartiles", "PyTorch", "quartiles", "ratio", "which PyTorch")


def fill(path):
    """Fill the tables of the Markdown file at `path`.

    A table stands between `<!-- table FILE.json WHAT, .. -->` and `<!-- end -->`: the rows of that file, found from the
    folder of the Markdown file, whose `what` is one of these or begins with one that ends in `*`.
    """
    path = pathlib.Path(path)
    text = filled(path.read_text(), path.parent)
    workdir.write_atomically(path, text.encode())


def filled(text, folder):
    """The text with its tables filled. Raises ValueError for a table without rows."""

    def table(match):
        record = json.loads((folder / match[2]).read_text())
        wanted = [name.strip() for name in match[3].split(",")]
        rows = [row for row in record["rows"] if any(_matches(row["what"], name) for name in wanted)]
        if not rows:
            raise ValueError(f"{match[2]}: no rows of {match[3]}")
        return match[1] + _markdown(rows) + match[4]

    return _TABLE.sub(table, text)


def _matches(what, wanted):
    return what.startswith(wanted[:-1]) if wanted.endswith("*") else what == wanted


def _markdown(rows):
    lines = [_cells(row) for row in rows]
    used = [i for i, title in enumerate(_HEADER) if any(line[i] for line in lines)]
    table = [[_HEADER[i] for i in used], ["---"] * len(used), *([line[i] for i in used] for line in lines)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in table)


def _cells(row):
    def number(value):
        return "" if value is None else f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"

    def between(quartiles):
        return "" if quartiles is None else " to ".join(map(number, quartiles))

    return [
        row["what"],
        row["network"] or "",
        str(row["batch"] or ""),
        row["dtype"] or "",
        f"{number(row['ours'])} {row['unit']}",
        between(row["quartiles"]),
        f"{number(row['peer'])} {row['unit']}" if row["peer"] is not None else "",
        between(row["peer_quartiles"]),
        f"**{row['ratio']:.2f}**" if row["ratio"] is not None else "",
        row["peer_name"] or "",
    ]
