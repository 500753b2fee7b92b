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

_CONVOLUTION = r"/(conv|stem|projection|lateral|encoder|decoder)[\d_]*/.*"
# The first pattern that is found in the name that XLA keeps of what an instruction computes says its kind. The copies
# that a convolution's gradient needs, and its bias, count as that gradient.
KINDS = (
    ("fully connected layers", r"/full\d/"),
    ("batch normalisation", r"norm[\d_]*/"),
    ("interpolation", r"_resize|/double\d/|/Hh,bhw"),
    ("convolutions: input gradients", rf"transpose\(jvp.*{_CONVOLUTION}(conv_general_dilated|cd->bhwd/dot_general)$"),
    ("convolutions: kernel gradients", rf"transpose\(jvp.*{_CONVOLUTION}"),
    ("convolutions: forward", _CONVOLUTION),
    ("optimizer", r"^jit\(train_step\)/\w+$"),
    ("pooling and ReLU", r"jvp\(\w+\).*(max|relu|select_n|/(eq|gt|ge))"),
    ("loss", r"jvp\((jit\(\w+\))?\)"),
    ("other copies", r""),
)


def measure(settings, *, batch, dtype) -> list[dict]:
    """Rows with the share of a training step's busy time that each kind of work takes, for each network.

    Where the loop over the blocks of a kernel gradient runs more than once, its time is that of the loop as a whole.
    """
    rows = []
    for name, config in settings.items():
        if config.model.name == "mean_depth":
            continue
        case = steps.case(config, batch=batch, dtype=dtype)
        for _ in range(4):  # the first ones find their memory
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
    """{instruction: milliseconds, all its events together} of a trace."""
    (file,) = pathlib.Path(folder).rglob("*.trace.json.gz")
    total = collections.Counter()
    for event in json.loads(gzip.decompress(file.read_bytes()))["traceEvents"]:
        if instruction := event.get("args", {}).get("hlo_op"):
            total[instruction] += event["dur"] / 1e3
    return total
