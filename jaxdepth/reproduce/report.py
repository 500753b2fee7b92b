"""The report of a job: the paper's tables and figures with ours, as Markdown and as one HTML file."""

import base64
import json
import pathlib
import re

import markdown

from jaxdepth import workdir
from jaxdepth.reproduce import figures, job

_FIELD = ("delta1", "abs_rel", "rmse", "log10")
_MODEL_1 = ((50, 0.5173, 0.2337), (150, 0.2916, 0.3506))  # table 1: epoch, loss, accuracy
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
th:first-child, td:first-child { text-align: left; }
code { background: #f3f3f3; padding: 0 .2rem; }
"""


def write(folder, plan):
    """Write report.md with figures/*.png, and report.html, which holds them, into the folder of a job that is done."""
    folder = pathlib.Path(folder)
    results = {(training.name, training.split): job.result(folder, training) for training in plan}
    drawn = figures.draw(folder, plan)
    given = json.loads((folder / "job.json").read_text())["given"]
    text = as_markdown(plan, results, drawn, given=given)
    page = as_html(text, folder)
    workdir.write_together({folder / "report.md": text.encode(), folder / "report.html": page.encode()})


def as_markdown(plan, results, drawn, *, given):
    """The report as Markdown.

    Args:
      plan: the Trainings; results: (name, split) -> what `job.run` keeps.
      drawn: [(heading, text, path relative to the report)] of the figures.
      given: {name: value} of the job's settings.
    """
    *_, last = plan  # the best recipe on the split to trust
    splits = list(dict.fromkeys(t.split for t in plan if t.name == "kscale"))
    any_result = results["kscale", last.split]
    protocol = any_result["eigen_crop"]["protocol"]
    lines = [
        "# Monocular Depth Estimation by Deep Learning, redone",
        "",
        f"{any_result['steps']} steps of {any_result['batch_size']} pictures for each network, frames of "
        f"{protocol['source']}, by `python launch/reproduce.py`{_settings(given)}. {_machine(any_result['machine'])}",
        "",
        "The best recipe has as many steps on rooms first. It is `configs/best.py` cut short by far, with its own size "
        f"of picture ({_part(results, last.split, name='best')['network_input']}) and the mean of picture and mirror "
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
        *_table(_accuracy(plan, results, splits)),
        *_passed(plan, results, last.split),
    ]
    if len(splits) > 1:
        lines += [_FLATTERED.format(other=splits[1]), ""]
    lines += [
        "## Table 1: Model 1, after a third of the training and at its end",
        "",
        *_table(_model_1(results, splits)),
    ]
    lines += ["## What they cost", "", *_table(_costs(plan, results, last.split))]
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


def _settings(given):
    flags = [f"--config.{name}={json.dumps(value)}" for name, value in given.items() if name != "data.path"]
    return f" with `{' '.join(flags)}`" if flags else ""


def _accuracy(plan, results, splits):
    trusted = splits[-1]
    field = [(split, name) for split in splits for name in (("delta1",) if split != trusted else _FIELD)]
    header = ["", "the paper's", *(f"{split}, paper: delta1" for split in splits)]
    rows = [[*header, *(f"{split}, eigen_crop: {name}" for split, name in field)]]

    def cells(by_split, of, own=True):
        first = [f"{by_split[split]['paper'][of]['delta1']:.3f}" if own else "" for split in splits]
        return first + [f"{by_split[split]['eigen_crop'][of][name]:.3f}" for split, name in field]

    for training in _networks(plan, trusted):
        published = "" if training.published is None else f"{training.published:.3f}"
        kept = {split: results[training.name, split] for split in splits}
        own = training.name != "best"  # whose centre crop is another one
        rows.append([training.title, published, *cells(kept, "metrics", own)])
    floor = {split: results["kscale", split] for split in splits}
    return [*rows, ["mean depth image, which looks at no picture", "", *cells(floor, "mean_depth_baseline")]]


def _passed(plan, results, split):
    """A sentence each on the floor and on the paper's own numbers."""
    lines = []
    better = {True: [], False: []}
    for training in _networks(plan, split):
        judged = results[training.name, split]["eigen_crop"]
        better[judged["metrics"]["delta1"] > judged["mean_depth_baseline"]["delta1"]].append(training.title)
    for above, titles in better.items():
        if titles:
            lines += [
                f"{'Above' if above else 'Not above'} the mean depth image on `{split}`: {'; '.join(titles)}.",
                "",
            ]
    published = [t for t in _networks(plan, split) if t.published is not None]
    passed = [t.title for t in published if results[t.name, split]["paper"]["metrics"]["delta1"] > t.published]
    return [*lines, f"Above the paper's own number on `{split}`: {'; '.join(passed) or 'none'}.", ""]


def _networks(plan, split):
    return [t for t in plan if t.split == split and t.name != "best-rooms"]


def _model_1(results, splits):
    rows = [["", "epoch", "loss", "accuracy"]]
    rows += [["the paper's", str(epoch), f"{loss:.4f}", f"{accuracy:.4f}"] for epoch, loss, accuracy in _MODEL_1]
    for split in splits:
        kept = results["autoencoder", split]
        epochs = kept["steps"] / kept["steps_per_epoch"]
        for share, metrics in ((1 / 3, kept["third"]), (1, kept["paper"]["metrics"])):
            rows.append(
                [f"ours, {split}", f"{share * epochs:.1f}", f"{metrics['loss']:.4f}", f"{metrics['delta1']:.4f}"]
            )
        floor = kept["paper"]["mean_depth_baseline"]
        rows.append([f"mean depth image, {split}", "", f"{floor['loss']:.4f}", f"{floor['delta1']:.4f}"])
    return rows


def _costs(plan, results, split):
    rows = [["", "parameters (M)", "GFLOP a picture", "training images/s", "hours"]]
    for training in (t for t in plan if t.split == split or t.name == "best-rooms"):
        kept = results[training.name, training.split]
        flops = 2 * kept["multiply_adds"] / 1e9
        cells = (kept["parameters"] / 1e6, flops, kept["images_per_second"], kept["seconds"] / 3600)
        rows.append([training.title, *("" if value is None else f"{value:.3g}" for value in cells)])
    return rows


def _machine(machine):
    return f"{machine['devices']} x {machine['device']} ({machine['cpu']}), jax {machine['jax']}, {machine['date']}."


def _table(rows):
    """Rows of cells, the header first, as the lines of a Markdown table and an empty one."""
    rows = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return [*(f"| {' | '.join(cells)} |" for cells in rows), ""]
