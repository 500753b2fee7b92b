"""Where the time of a training step goes: the profiler's times by kind of work."""

import collections
import gzip
import json
import pathlib
import re
import tempfile

import jax

from jaxdepth.benchmark import steps
from jaxdepth.benchmark.record import row

# The first pattern that is found in the name that XLA keeps of what an instruction computes says its kind.
KINDS = (
    ("fully connected layers", r"/full\d/"),
    ("convolutions: kernel gradients", r"transpose\(jvp.*/while$"),
    ("convolutions: input gradients", r"transpose\(jvp.*/conv_general_dilated$"),
    ("convolutions: forward", r"/conv_general_dilated$"),
    ("batch normalisation", r"norm\d?(_\d)?/|_norm/"),
    ("interpolation", r"_resize|/dot_general$"),
    ("copies, padding, layout", r"^$|(pad|transpose|concatenate|copy|slice|reshape|broadcast_in_dim|squeeze)$"),
    ("pooling and ReLU", r"max|relu|select_n|/(eq|gt|ge)$"),
    ("loss, optimizer and the rest", r""),
)


def measure(settings, *, batch, dtype) -> list[dict]:
    """Rows with the share of a training step's busy time that each kind of work takes, for each network."""
    rows = []
    for name, config in settings.items():
        if config.model.name == "mean_depth":
            continue
        case = steps.case(config, batch=batch, dtype=dtype)
        case.train()
        with tempfile.TemporaryDirectory() as folder:
            with jax.profiler.trace(folder):
                case.train()
            milliseconds = by_kind(case.text, _durations(folder))
        total = sum(milliseconds.values())
        labels = dict(network=name, batch=batch, dtype=dtype, unit="%")
        rows += [row(f"profile: {kind}", ours=100 * ms / total, **labels) for kind, ms in milliseconds.most_common()]
    return rows


def by_kind(text, durations):
    """Milliseconds by kind of work: of a compiled program's text, and {instruction: milliseconds}.

    Counts the instructions of the main computation, which hold those of all others.
    """
    total = collections.Counter()
    main = text[text.index("\nENTRY ") :]
    for line in main.splitlines():
        named = re.match(r"\s*(?:ROOT )?%?([\w.\-]+) = ", line)
        if named and named[1] in durations:
            computes = re.search(r'op_name="([^"]*)"', line)
            computes = computes[1] if computes else ""
            kind = next(kind for kind, pattern in KINDS if re.search(pattern, computes))
            total[kind] += durations[named[1]]
    return total


def _durations(folder):
    """{name of an event: milliseconds, all of them together} of a trace."""
    (file,) = pathlib.Path(folder).rglob("*.trace.json.gz")
    total = collections.Counter()
    for event in json.loads(gzip.decompress(file.read_bytes()))["traceEvents"]:
        if event.get("ph") == "X":
            total[event["name"]] += event["dur"] / 1e3
    return total
