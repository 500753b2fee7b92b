"""The parts of an HTML page: elements that escape their text, tables, numbers, the page's frame and style."""

import html
import math
from collections.abc import Mapping

from jaxdepth.paths import shown

MISSING = "–"
_VOID = ("img", "meta")

# Colours are variables, so that tables and SVG follow the reader's light or dark scheme.
_STYLE = """
:root { color-scheme: light dark; --paper: #fdfdfb; --ink: #1c1e21; --muted: #5c6167; --rule: #d8d9d6; --faint: #f1f1ed;
  --accent: #1d5c9b; --floor: #7a6a55; --heat: #c4622d; --warning: #9a5b00; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15171a; --ink: #e4e5e3; --muted: #9fa4aa; --rule: #353940; --faint: #1e2125;
    --accent: #7db4ec; --floor: #c2ac8c; --heat: #d9713a; --warning: #e0a64a; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 68rem; padding: 2.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 Charter, "Bitstream Charter", "Iowan Old Style", Georgia, serif; overflow-wrap: anywhere; }
h1, h2, h3, table, nav, figcaption, svg, .headline, .legend, pre { font-family: system-ui, "Segoe UI", sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.2; font-weight: 650; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; font-weight: 650; margin: 3rem 0 .6rem; padding-top: .7rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; font-weight: 600; margin: 2rem 0 .5rem; }
p, ul { max-width: 44rem; margin: .5rem 0; }
ul { padding-left: 1.2rem; }
li { margin: .2rem 0; }
a { color: var(--accent); }
nav { font-size: .875rem; margin: 1rem 0 0; display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; }
.muted, small { color: var(--muted); }
small { font-size: .8125rem; font-weight: 400; }
th small { display: block; white-space: normal; min-width: 8.5rem; }
.warnings { border-left: 3px solid var(--warning); padding: .1rem 0 .1rem 1rem; margin: 1.5rem 0; }
.warnings h2 { border: 0; padding: 0; margin: .2rem 0; font-size: 1rem; color: var(--warning); }
.headline { display: flex; gap: 3.5rem; margin: 1.8rem 0 .5rem; }
.headline dt { font-size: .875rem; font-weight: 600; }
.headline dd { margin: 0; font-size: .875rem; color: var(--muted); font-variant-numeric: tabular-nums; }
.headline dd.value { font-size: 2.5rem; line-height: 1.2; color: var(--ink); letter-spacing: -.02em; }
.box { overflow-x: auto; margin: 1.4rem 0; max-width: 100%; /* with a shade at the right where there is more */
  background: linear-gradient(to left, var(--paper) 30%, transparent) right / 2.5rem 100% no-repeat local,
    linear-gradient(to left, var(--rule), transparent) right / .8rem 100% no-repeat scroll; }
table { border-collapse: separate; border-spacing: 0; font-size: .875rem; line-height: 1.25rem;
  font-variant-numeric: tabular-nums; overflow-wrap: normal; }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem; }
caption small { display: block; max-width: min(40rem, calc(100vw - 2rem)); }
th, td { padding: .3125rem .9rem .3125rem 0; text-align: right; vertical-align: top;
  border-bottom: 1px solid var(--rule); }
th:first-child { text-align: left; }
tr > :last-child { padding-right: .2rem; }
td { white-space: nowrap; }
thead th { font-weight: 500; white-space: nowrap; color: var(--muted); vertical-align: bottom;
  border-bottom-color: var(--muted); }
tbody th { font-weight: 500; white-space: nowrap; position: sticky; left: 0; background: var(--paper); }
th.group { padding-top: 1rem; font-weight: 600; }
td small { display: block; }
td small, th small { line-height: 1.125rem; } /* whole pixels, so that lines of sticky cells meet the others */
.bar { display: inline-block; width: 5rem; margin-left: .6rem; vertical-align: middle; }
.bar i { display: block; height: .5rem; background: var(--accent); opacity: .75; }
.heat { border-spacing: 2px; }
.heat th { color: var(--muted); border: 0; }
.heat thead th { text-align: center; padding: 0 .2rem; font-size: .75rem; }
.heat td { border: 0; text-align: center; padding: .35rem .5rem; min-width: 4rem;
  background: color-mix(in srgb, var(--heat) calc(var(--share) * 55%), var(--faint)); }
.heat td small { color: inherit; font-size: .75rem; }
.beside { display: flex; flex-wrap: wrap; gap: 0 2.5rem; align-items: flex-start; }
.beside > * { min-width: 0; }
.beside > figure { flex: 0 1 28rem; margin: 1.4rem 0; }
figcaption { font-size: .875rem; }
svg { display: block; width: 100%; height: auto; font-size: 12px; fill: var(--ink); }
.frame { margin: 1.2rem 0 2.2rem; }
.frame figcaption { font-weight: 600; }
.maps { display: grid; grid-template-columns: repeat(4, 1fr); gap: .5rem; margin: .4rem 0; }
.maps div { font: .8125rem system-ui, sans-serif; color: var(--muted); }
.maps img { display: block; width: 100%; height: auto; }
.legend { display: flex; align-items: center; gap: .6rem; font-size: .8125rem; color: var(--muted);
  margin: .3rem 0; white-space: nowrap; }
.legend i { flex: 0 1 12rem; min-width: 6rem; height: .6rem; }
pre { font: .8125rem/1.5 ui-monospace, monospace; white-space: pre-wrap; background: var(--faint); padding: .8rem; }
@media (max-width: 640px) {
  body { padding-top: 1.5rem; }
  .maps { grid-template-columns: 1fr 1fr; }
  .headline { gap: 1rem; justify-content: space-between; }
  .headline dt, .headline dd { font-size: .8125rem; }
  .headline dd.value { font-size: 1.6rem; }
  .bar { display: none; }
  table { font-size: .8125rem; }
  small { font-size: .75rem; }
  th, td { padding-right: .5rem; }
  th small { min-width: 7rem; }
  .heat td { min-width: 3.6rem; padding: .3rem; }
}
@media print { .box { overflow: visible; } .frame { break-inside: avoid; } }
"""


class Html(str):
    """Text that is HTML already; `tag` escapes all other text."""


def tag(name: str, /, *children, **attributes) -> Html:
    """An element with its children.

    Args:
      name: of the element.
      *children: Html, or what is shown as its text: escaped, with control characters and the bytes of names that are
        not UTF-8 as in `paths.shown`.
      **attributes: their underscores become hyphens, and one at the end goes (`class_`); None leaves one out.
    """
    given = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None)
    start = name + "".join(f' {key}="{_html(value)}"' for key, value in given)
    return Html(f"<{start}>" if name in _VOID else f"<{start}>{join(*children)}</{name}>")


def join(*parts, by: str = "") -> Html:
    """Parts one after the other, escaped as `tag` does; those that are None or empty are left out."""
    return Html(by.join(_html(part) for part in parts if part is not None and part != ""))


def table(caption, head, rows, *, note: str | None = None, class_: str | None = None) -> Html:
    """A table that scrolls in its box if it is too wide.

    Args:
      caption: its title.
      head: titles of the columns, the first that of the row headings.
      rows: lists of cells, the first the row's heading. A cell is text, or a `td` made by `tag`; a row of one cell is
        the heading of the rows that follow it.
      note: what the reader has to know, below the title.
      class_: of the style.
    """
    columns = tag("tr", *(tag("th", title, scope="col") for title in head))
    body = [
        tag("tr", _cell(row[0], "row"), *map(_cell, row[1:]))
        if len(row) > 1
        else tag("tr", tag("th", row[0], scope="colgroup", colspan=len(head), class_="group"))
        for row in rows
    ]
    title = tag("caption", caption, tag("small", note) if note else None)
    inside = tag("table", title, tag("thead", columns), tag("tbody", *body), class_=class_)
    return tag("div", inside, class_="box", tabindex=0, role="region", aria_label=caption)


def document(title: str, introduction: Html, sections: Mapping[str, Html]) -> bytes:
    """The whole file.

    Args:
      title: of the page.
      introduction: what stands before the list of contents.
      sections: {heading: its part of the page}; the empty ones are left out.
    """
    named = [(heading.lower().replace(" ", "-"), heading, part) for heading, part in sections.items() if part]
    contents = (tag("a", heading, href=f"#{name}") for name, heading, _ in named)
    parts = (tag("section", "\n", tag("h2", heading, id=name), "\n", part) for name, heading, part in named)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content="jaxdepth"),
        tag("title", title),
        tag("style", Html(_STYLE)),
    )
    header = tag("header", introduction, tag("nav", *contents, aria_label="Contents"))
    body = tag("body", header, "\n", tag("main", join(*parts, by="\n")))
    return ("<!DOCTYPE html>\n" + tag("html", head, "\n", body, lang="en") + "\n").encode()


def number(value: float | None, digits: int = 4, *, sign: bool = False) -> str:
    """A number to read, with fewer decimals from 10 on; a dash for None and NaN."""
    if value is None or math.isnan(value):
        return MISSING
    size, plus = abs(value), "+" if sign else ""
    if size >= 1e6 or 0 < size < 0.5 * 10**-digits:
        told = f"{value:{plus}.3g}"
    else:
        told = f"{value:{plus}.{max(1, digits - 2 * (size >= 10) - (size >= 100))}f}"
    return told.replace("-", "\N{MINUS SIGN}")


def interval(ends, digits: int = 4, *, sign: bool = False) -> str:
    """An interval [low, high] to read; empty where there is none."""
    if not ends or any(end is None or math.isnan(end) for end in ends):
        return ""
    return " to ".join(number(end, digits, sign=sign) for end in ends)


def percent(share: float | None, digits: int = 1, *, sign: bool = False) -> str:
    """A share as a percentage; a dash for None and NaN."""
    if share is None or math.isnan(share):
        return MISSING
    return f"{share:{'+' if sign else ''}.{digits}%}".replace("%", " %").replace("-", "\N{MINUS SIGN}")


def _cell(content, scope=None):
    if isinstance(content, Html) and content.startswith(("<td", "<th")):
        return content
    return tag("th", content, scope=scope) if scope else tag("td", content)


def _html(part):
    return part if isinstance(part, Html) else html.escape("\n".join(map(shown, str(part).split("\n"))))
