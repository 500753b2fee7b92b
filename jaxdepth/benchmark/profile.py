"""Where the time of a training step goes, by kind of operation."""

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
# An instruction's kind is that of the first pattern found in its `op_name`. A convolution's kernel gradient includes
# the gradient of its bias, and the copies that its gradients need.
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


def measure(configs, *, batch_size, dtype) -> list[dict]:
    """Profiles one training step of each network.

    Args:
      configs: {name: ConfigDict}; the mean depth image, which has no parameters, is left out.
      batch_size: images of a step.
      dtype: compute dtype, one of `models.DTYPES`.

    Returns:
      For each network, a row for each of KINDS that takes time, with its share of the instructions' time in percent.
    """
    rows = []
    for name, config in configs.items():
        if config.model.name == "mean_depth":
            continue
        case = steps.case(steps.with_changes(config, {"batch_size": batch_size, "model.dtype": dtype}))
        for _ in range(4):  # the first ones allocate memory
            case.train()
        with tempfile.TemporaryDirectory() as folder:
            with jax.profiler.trace(folder):
                case.train()
            milliseconds = by_kind(case.program, _durations(folder))
        total = sum(milliseconds.values())
        labels = dict(network=name, batch=batch_size, dtype=dtype, unit="%")
        rows += [row(f"profile: {kind}", ours=100 * ms / total, **labels) for kind, ms in milliseconds.most_common()]
    return rows


def by_kind(program, durations):
    """Sums durations by kind of operation.

    Only instructions of the main computation count, as their time includes that of the computations they call: a loop
    counts as a whole.

    Args:
      program: text of a compiled program.
      durations: {instruction: milliseconds}.

    Returns:
      A Counter {kind: milliseconds}.
    """
    total = collections.Counter()
    main = program[program.index("\nENTRY ") :]
    for line in main.splitlines():
        named = re.match(r"\s*(?:ROOT )?%?([\w.\-]+) = ", line)
        if named and named[1] in durations:
            op_name = re.search(r'op_name="([^"]*)"', line)
            op_name = op_name[1] if op_name else ""
            kind = next(kind for kind, pattern in KINDS if re.search(pattern, op_name))
            total[kind] += durations[named[1]]
    return total


def _durations(folder):
    """The times of a trace: {instruction: milliseconds}, the sum of its events."""
    (file,) = pathlib.Path(folder).rglob("*.trace.json.gz")
    total = collections.Counter()
    for event in json.loads(gzip.decompress(file.read_bytes()))["traceEvents"]:
        if instruction := event.get("args", {}).get("hlo_op"):
            total[instruction] += event["dur"] / 1e3
    return total
