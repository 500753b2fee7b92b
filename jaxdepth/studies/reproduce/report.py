"""The report of a job: the paper's tables and figures with ours, as Markdown and as one HTML file."""

import base64
import json
import pathlib
import re
import shlex

import markdown

from jaxdepth.runs import workdir
from jaxdepth.studies.reproduce import figures, scores

_FLATTERED = (
    "Frames in a row show the same room from nearly the same place. The paper's random split puts some of them into "
    "training and their neighbours into the test, so what is remembered looks like what is understood: its numbers "
    "flatter, and `{other}`, which keeps rooms apart, is the one to trust."
)
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem; color: #222; }
.wide { overflow-x: auto; }
.wide img { width: 100%; min-width: 42rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th { white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 9rem; }
code { background: #f3f3f3; padding: 0 .2rem; }
"""


def write(folder, plan):
    """Write report.md with figures/*.png, and report.html, which holds them, into the folder of a job that is done."""
    folder = pathlib.Path(folder)
    results = scores.read(folder / "results")
    drawn = figures.draw(folder, plan)
    given = json.loads((folder / "job.json").read_text())["given"]
    text = as_markdown(results, drawn, given=given)
    page = as_html(text, folder)
    workdir.write_together({folder / "report.md": text.encode(), folder / "report.html": page.encode()})


def as_markdown(results, drawn, *, given):
    """The report as Markdown.

    Args:
      results: (name, split) -> what `job.run` keeps, as `scores.read` gives it.
      drawn: [(heading, text, path relative to the report)] of the figures.
      given: {name: value} of the job's settings.
    """
    splits = scores.splits(results)
    trusted = splits[-1]
    any_result = results["kscale", trusted]
    protocol = any_result["eigen_crop"]["protocol"]
    lines = [
        "# Monocular Depth Estimation by Deep Learning, redone",
        "",
        f"{any_result['steps']} steps of {any_result['batch_size']} pictures for each network, frames of "
        f"{protocol['source']}, by `{_command(given, any_result['steps'])}`. {_machine(any_result['machine'])}",
        "",
        "The best recipe has as many steps on rooms first. It is `configs/best.py` cut short by far, with its own size "
        f"of picture ({_part(results, trusted, name='best')['network_input']}) and the mean of picture and mirror "
        "image.",
        "",
        *(_split(split, _part(results, split)) for split in splits),
        "",
        "delta1, the paper's accuracy, is the share of pixels within a factor of 1.25 of the truth. `paper` judges "
        f"the network's centre crop ({_part(results, splits[0], 'paper')['network_input']}), `eigen_crop` the field's "
        f"window of the whole frame; {protocol['truth']} up to {protocol['max_depth']:g} m, means over images.",
        "",
        "## Table 2: the accuracy of each network at its end",
        "",
        *_table(scores.accuracy(results)),
        *(line for sentence in scores.passed(results) for line in (sentence, "")),
    ]
    if len(splits) > 1:
        lines += [_FLATTERED.format(other=splits[1]), ""]
    lines += [
        "## Table 1: Model 1, after a third of the training and at its end",
        "",
        *_table(scores.model_1(results)),
    ]
    lines += ["## What they cost", "", *_table(scores.costs(results))]
    for heading, text, path in drawn:
        lines += [f"## {heading}", "", text, "", f"![{heading}]({path})", ""]
    return "\n".join(lines)


def as_html(text, folder):
    """The Markdown `text` as one HTML page that holds its pictures, found from `folder`."""
    body = markdown.markdown(text, extensions=["tables"])
    body = body.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    body = re.sub(r"<p>(<img [^>]+>)</p>", r'<div class="wide">\1</div>', body)

    def embedded(match):
        data = base64.b64encode(pathlib.Path(folder, match[1]).read_bytes()).decode()
        return f'src="data:image/png;base64,{data}"'

    body = re.sub(r'src="(figures/[^"]+)"', embedded, body)
    title = text.partition("\n")[0].lstrip("# ")
    viewport = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    head = f'<meta charset="utf-8">{viewport}<title>{title}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def _split(name, protocol):
    return f"- split `{name}` ({protocol['split_hash']}): {protocol['frames']} frames to judge"


def _part(results, split, protocol="eigen_crop", *, name="kscale"):
    return results[name, split][protocol]["protocol"]


def _command(given, steps):
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    flags = [f"--config.{name}={value}" for name, value in values.items() if name != "data.path"]
    return shlex.join(["python", "launch/reproduce.py", "--workdir=DIR", f"--steps={steps}", *flags])


def _machine(machine):
    return f"{machine['devices']} x {machine['device']} ({machine['cpu']}), jax {machine['jax']}, {machine['date']}."


def _table(rows):
    """Rows of cells, the header first, as the lines of a Markdown table and an empty one."""
    rows = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return [*(f"| {' | '.join(cells)} |" for cells in rows), ""]
