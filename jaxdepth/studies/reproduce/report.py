"""The report of a job: the paper's tables and figures beside ours, as Markdown and as one HTML file."""

import base64
import json
import pathlib
import re
import shlex

import markdown

from jaxdepth.data.files.writing import write_together
from jaxdepth.studies.markdown_table import markdown_table
from jaxdepth.studies.reproduce import figures, scores

_LEAK = (
    "Consecutive frames show the same room from almost the same position. The paper's random split puts some of them "
    "into the training set and their neighbours into the validation set, so a network that memorises frames scores "
    "well. Its numbers are too high; trust those of `{trusted}`, which keeps rooms apart."
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
    """Writes figures/*.png, report.md, and report.html, which contains the figures, into the folder of a finished job.

    Args:
      folder: of the job.
      plan: its Trainings.
    """
    folder = pathlib.Path(folder)
    results = scores.read(folder / "results")
    drawn = figures.draw(folder, plan)
    given = json.loads((folder / "job.json").read_text())["given"]
    text = as_markdown(results, drawn, given=given)
    page = as_html(text, folder)
    write_together({folder / "report.md": text.encode(), folder / "report.html": page.encode()})


def as_markdown(results, drawn, *, given):
    """The report as Markdown.

    Args:
      results: {(name, split): result}, from `scores.read`.
      drawn: list of `figures.Drawn`.
      given: {setting: value}, the job's settings.
    """
    *_, trusted = names = scores.splits(results)
    lines = [
        "# Monocular Depth Estimation by Deep Learning, reproduced",
        "",
        *_introduction(results, given),
        "## Table 2: accuracy of each network at the end of its training",
        "",
    ]
    for sentence, table in scores.accuracy(results):
        lines += [sentence, "", markdown_table(table)]
    for sentence in scores.comparisons(results):
        lines += [sentence, ""]
    if len(names) > 1:
        lines += [_LEAK.format(trusted=trusted), ""]
    lines += [
        "## Table 1: Model 1 after a third of its training and at the end",
        "",
        "Loss and delta1 under the protocol `paper`.",
        "",
        markdown_table(scores.model_1(results)),
        "## Cost",
        "",
        markdown_table(scores.costs(results)),
    ]
    for figure in drawn:
        lines += [f"## {figure.heading}", "", figure.text, "", f"![{figure.heading}]({figure.path})", ""]
    return "\n".join(lines)


def as_html(text, folder):
    """The report as one HTML page.

    Args:
      text: the report as Markdown.
      folder: of its pictures, which the page contains.
    """
    body = markdown.markdown(text, extensions=["tables"])
    body = body.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    body = re.sub(r"<p>(<img [^>]+>)</p>", r'<div class="wide">\1</div>', body)

    def embed(match):
        data = base64.b64encode(pathlib.Path(folder, match[1]).read_bytes()).decode()
        return f'src="data:image/png;base64,{data}"'

    body = re.sub(r'src="(figures/[^"]+)"', embed, body)
    title = text.partition("\n")[0].lstrip("# ")
    viewport = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    head = f'<meta charset="utf-8">{viewport}<title>{title}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def _introduction(results, given):
    """What was trained, on which frames, and how it is scored: lines of Markdown."""
    names = scores.splits(results)
    kscale, pyramid = results["kscale", names[-1]], results["pyramid", names[-1]]
    protocol = kscale["eigen_crop"]["protocol"]
    steps = kscale["steps"]
    lines = [
        f"Each network was trained for {steps} steps of {kscale['batch_size']} pictures on frames of "
        f"{protocol['source']}, by `{_command(given, steps)}`. {_machine(kscale['machine'])}",
        "",
        f"The pyramid is `configs/pyramid.py` with far fewer steps. It was first trained for {steps} steps on rooms. "
        f"It sees the {pyramid['eigen_crop']['protocol']['network_input']}, and its predictions use flip test-time "
        "augmentation.",
        "",
    ]
    for name in names:
        of_split = results["kscale", name]["eigen_crop"]["protocol"]
        lines.append(f"- split `{name}` ({of_split['split_hash']}): {of_split['frames']} validation frames")
    return [
        *lines,
        "",
        "delta1, the paper's accuracy, is the share of pixels whose predicted depth is within a factor of 1.25 of the "
        f"truth. The truth is {protocol['truth']} up to {protocol['max_depth']:g} m; scores are means over images.",
        "",
    ]


def _command(given, steps):
    """The command of a job."""
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    flags = [f"--config.{name}={value}" for name, value in values.items() if name != "data.path"]
    return shlex.join(["python", "launch/reproduce.py", "--workdir=DIR", f"--steps={steps}", *flags])


def _machine(machine):
    return f"{machine['devices']} x {machine['device']} ({machine['cpu']}), jax {machine['jax']}, {machine['date']}."
