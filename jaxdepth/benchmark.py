"""What the networks cost, and how fast this machine is: `python launch/benchmark.py`."""

import json
import math
import os
import pathlib
import platform
import time
from itertools import islice

import jax
import numpy as np

from jaxdepth import config, models, state, workdir

_COLUMNS = ("what", "network", "batch", "unit", "ours", "peer", "peer_name", "ratio")


def networks(configs) -> list[dict]:
    """Parameters and multiply-adds of the networks of some settings: {name: ConfigDict} -> two rows each.

    Multiply-adds are those of the convolutions and matrix products (the interpolation of maps included) of a forward
    pass of one picture of the settings' crop size, all outputs together, zero padding included as is the custom.
    """
    rows = []
    for name, settings in configs.items():
        network = models.build(**settings.model.to_dict())
        variables = state.shapes(network, tuple(settings.data.crop_size))
        picture = jax.ShapeDtypeStruct((1, *settings.data.crop_size, 3), np.float32)
        parameters = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
        rows.append(_row("parameters", network=name, batch=None, unit="M", ours=parameters / 1e6))
        macs = multiply_adds(network.apply, variables, picture)
        rows.append(_row("multiply-adds", network=name, batch=1, unit="G", ours=macs / 1e9))
    return rows


def multiply_adds(function, *arguments) -> int:
    """The multiply-adds in the convolutions and matrix products of a function of arrays (or their shapes)."""
    return _multiply_adds(jax.make_jaxpr(function)(*arguments).jaxpr)


def _multiply_adds(jaxpr):
    total = 0
    for equation in jaxpr.eqns:
        shapes = [variable.aval.shape for variable in (*equation.outvars[:1], *equation.invars[:2])]
        if equation.primitive.name == "conv_general_dilated":
            (out, _, kernel), parameters = shapes, equation.params
            features = kernel[parameters["dimension_numbers"].rhs_spec[0]]
            # A transposed convolution's input is spread out with zeros, which nobody multiplies.
            total += math.prod(out) * math.prod(kernel) // features // math.prod(parameters["lhs_dilation"])
        elif equation.primitive.name == "dot_general":
            (out, left, _), ((contracted, _), _) = shapes, equation.params["dimension_numbers"]
            total += math.prod(out) * math.prod(left[axis] for axis in contracted)
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                total += _multiply_adds(inner)
    return total


def data(*, batches=60) -> list[dict]:
    """Examples a second out of `pipeline.train_batches`: batches of 8, the paper's augmentation (section 3.2).

    Frames of 240x320 lie in memory and hold noise: what they show does not change the cost.
    """
    from jaxdepth.data import pipeline  # imports tensorflow
    from jaxdepth.data.frames import Frames

    count, size, batch_size = 64, (240, 320), 8
    rng = np.random.default_rng(0)
    depths = rng.uniform(0.5, 10, (count, *size)).astype(np.float32)
    frames = Frames(
        name="rooms",
        images=rng.integers(0, 256, (count, *size, 3), np.uint8),
        depths=depths,
        labels=np.zeros((count, *size), np.uint16),
        ids=np.arange(count),
        intrinsics=(1.0, 1.0, 0.0, 0.0),
        full_depth=depths.__getitem__,
        splits={},
        counts={},
        description="noise",
    )
    stream = pipeline.train_batches(
        frames,
        np.arange(count),
        batch_size=batch_size,
        seed=0,
        crop_size=(228, 304),
        scale=(0.75, 1.25),
        rotation=5.0,
        flip=False,
        colour=0.0,
    )
    for _ in islice(stream, 5):  # fills the buffers, so that as much lies in them at the start as at the end
        pass
    start = time.perf_counter()
    for _ in islice(stream, batches):
        pass
    seconds = time.perf_counter() - start
    stream.close()
    return [_row("tfdata", batch=batch_size, unit="examples/s", ours=batches * batch_size / seconds)]


MEASUREMENTS = {"networks": networks, "data": lambda settings: data()}


def run(names, configs, output=None) -> list[dict]:
    """Make the measurements `names` of MEASUREMENTS (none: all), print them as a table and return their rows.

    `configs` is a folder of settings; each network is taken as its file there describes it.
    With `output`, also write {"machine": {...}, "rows": [...]} to that JSON file. Raises ValueError for unknown names.
    """
    for name in names:
        if name not in MEASUREMENTS:
            raise ValueError(f"benchmark {name!r}: expected one of {', '.join(MEASUREMENTS)}")
    settings = {path.stem: config.load(path) for path in sorted(pathlib.Path(configs).glob("*.py"))}
    if not settings:
        raise FileNotFoundError(f"configs {str(configs)!r}: no settings (*.py) in it")
    rows = [row for name in names or MEASUREMENTS for row in MEASUREMENTS[name](settings)]
    table = [_COLUMNS, *([_shown(row[column]) for column in _COLUMNS] for row in rows)]
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    for cells in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    if output:
        record = {"machine": machine(), "rows": rows}
        workdir.write_atomically(output, (json.dumps(record, indent=2) + "\n").encode())
    return rows


def machine() -> dict:
    """What the numbers depend on: the device, the processor cores and the versions."""
    devices = jax.devices()
    return {
        "device": devices[0].device_kind,
        "devices": len(devices),
        "cpu_cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "jax": jax.__version__,
    }


def _row(what, *, batch, unit, ours, network=None, peer=None, peer_name=None):
    ratio = None if peer is None else ours / peer
    return dict(
        what=what, network=network, batch=batch, unit=unit, ours=ours, peer=peer, peer_name=peer_name, ratio=ratio
    )


def _shown(value):
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
