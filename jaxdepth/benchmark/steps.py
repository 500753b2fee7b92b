"""Training step and forward pass of each network: time, compile time and memory, beside PyTorch's."""

import dataclasses
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxdepth import config as settings
from jaxdepth import models
from jaxdepth.benchmark import networks, peers, timing
from jaxdepth.benchmark.record import row
from jaxdepth.training import gate, setup, sharding

_STEPS = 10**6  # length of the training that the learning rates are for
_DEPTH = 0.9  # log metres, where the outputs start


def measure(configs, *, batch_sizes, dtype, seconds=30):
    """Times the training step and the forward pass of networks, in turns with PyTorch's.

    A training step is that of all outputs together with the config's optimizer. The peer is the fastest of those of
    `peers.build`.

    Args:
      configs: {name: ConfigDict}; the mean depth image, which has no parameters, is left out.
      batch_sizes: images of a step.
      dtype: compute dtype, one of `models.DTYPES`.
      seconds: of each measurement.

    Yields:
      A row for the machine's matrix product, and for each network and batch size rows of time, rate and utilisation
      (the share of the matrix product's FLOP/s) of both, of compile time and of memory.
    """
    ceiling = timing.matrix_product_flops(models.DTYPES[dtype])
    yield row("matrix product", batch=None, unit="GFLOP/s", ours=ceiling / 1e9)
    for name, config in configs.items():
        if config.model.name == "mean_depth":
            continue
        for batch_size in batch_sizes:
            changed = with_changes(config, {"batch_size": batch_size, "model.dtype": dtype})
            yield from _measure(name, changed, ceiling=ceiling, seconds=seconds)


def _measure(name, config, *, ceiling, seconds):
    """Yields the rows of one network at one batch size; `ceiling` in FLOP/s."""
    ours, others = case(config), peers.build(config, *noise(config))
    batch_size = config.batch_size
    labels = dict(network=name, batch=batch_size, dtype=config.model.dtype)
    for what, function, flops in (
        ("train_step", ours.train, ours.train_flops),
        ("forward", ours.forward, ours.forward_flops),
    ):
        functions = {peer: functions[what] for peer, functions in others.items()}
        times = timing.in_turns({"ours": function, **functions}, seconds=seconds)
        median, quartiles = timing.summary(times.pop("ours"))
        best = min(times, key=lambda peer: np.median(times[peer]), default=None)
        peer, peer_quartiles = timing.summary(times[best]) if best else (None, None)
        against = dict(peer=peer, peer_quartiles=peer_quartiles, peer_name=best)
        yield row(what, **labels, unit="ms", ours=median, quartiles=quartiles, **against)
        rate, peer_rate = batch_size / median * 1e3, peer and batch_size / peer * 1e3
        yield row(f"{what} rate", **labels, unit="images/s", ours=rate, peer=peer_rate, peer_name=best)
        yield row(f"{what} utilisation", **labels, unit="%", ours=100 * flops / median * 1e3 / ceiling)
    yield row("compile time", **labels, unit="s", ours=ours.compile_seconds)
    yield row("peak memory", **labels, unit="MB", ours=ours.memory / 1e6)


@dataclasses.dataclass(frozen=True)
class Case:
    """A compiled training step and forward pass on noise, on one device.

    Attributes:
      train: takes a training step; returns when it is done.
      forward: predicts a batch; returns when it is done.
      train_flops: floating-point operations of the training step, two for each multiply-add.
      forward_flops: those of the forward pass.
      compile_seconds: time that tracing and compiling the training step took.
      memory: most bytes that the training step holds by XLA's plan: arguments, results and temporary arrays.
      program: the compiled training step as text.
    """

    train: Callable
    forward: Callable
    train_flops: float
    forward_flops: float
    compile_seconds: float
    memory: int
    program: str


def case(config, *, gate_number=None) -> Case:
    """Compiles the training step and the forward pass of a config.

    Args:
      config: a ConfigDict. Its gate schedule and flip test-time augmentation are left out.
      gate_number: the gate of the training step: 0 for the fused output, k for scale k; None for all outputs together.

    Returns:
      A Case.
    """
    config = with_changes(config, {"gate.name": "joint", "gate.weights": (), "flip_tta": False})
    mesh = sharding.make_mesh(jax.devices()[:1])
    network = setup.build_network(config, mesh)
    made = setup.make(config, network, mesh, steps=_STEPS)
    at = made.gate_at(0)
    if gate_number is not None:
        at = gate.single(gate_number, network.groups, stop_gradient=config.gate.stop_gradient)
    state = made.create_state(np.full(made.crop_size, _DEPTH, np.float32))
    image, depth = noise(config)
    batch = sharding.put({"image": image, "depth": depth}, sharding.batched(mesh))

    start = time.perf_counter()
    compiled = made.train_step().lower(state, batch, at).compile()
    compile_seconds = time.perf_counter() - start
    predict_step = made.predict_step()
    variables = jax.tree.map(jnp.copy, state.variables)  # a step gives up the state's own memory
    uncompiled = made.train_step()
    train_macs = networks.multiply_adds(lambda state, batch: uncompiled(state, batch, at), state, batch)
    forward_macs = networks.multiply_adds(network.apply, variables, batch["image"])
    held = [state]

    def train():
        held[0], metrics = compiled(held[0], batch)
        jax.block_until_ready(metrics)

    memory = compiled.memory_analysis()
    return Case(
        train=train,
        forward=lambda: jax.block_until_ready(predict_step(variables, batch["image"])),
        train_flops=2 * train_macs,
        forward_flops=2 * forward_macs,
        compile_seconds=compile_seconds,
        memory=memory.temp_size_in_bytes
        + memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes,
        program=compiled.as_text(),
    )


def noise(config):
    """A batch of noise, always the same: the cost of a step does not depend on the content.

    Args:
      config: a ConfigDict.

    Returns:
      Images float32 [B, H, W, 3] in [0, 1] and depths float32 [B, H, W] in metres, of the config's sizes.
    """
    shape = (config.batch_size, *config.data.crop_size)
    rng = np.random.default_rng(0)
    return rng.random((*shape, 3), np.float32), rng.uniform(0.5, 10, shape).astype(np.float32)


def with_changes(config, changes):
    """A copy of a config with changes such as {"batch_size": 8, "model.dtype": "bfloat16"}."""
    changed = config.copy_and_resolve_references()
    settings.change(changed, changes)
    return changed
