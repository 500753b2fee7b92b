"""Training step and forward pass of each network: time, compile time, memory, and PyTorch's beside them."""

import dataclasses
import functools
import importlib.util
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxdepth import models
from jaxdepth.benchmark import networks, timing
from jaxdepth.benchmark.record import row
from jaxdepth.training import gate, losses, optim, sharding, state, step


def measure(settings, *, batches, dtype, seconds=30) -> list[dict]:
    """Rows for each network of {name: ConfigDict} that has parameters, and for each batch size.

    A training step is that of all outputs together (the `joint` gate) with the settings' optimizer. The peer is the
    fastest of PyTorch's two memory layouts and its compiler, where PyTorch is installed.
    """
    ceiling = timing.matrix_product_flops(models.DTYPES[dtype])
    rows = [row("matrix product", batch=None, unit="GFLOP/s", ours=ceiling / 1e9)]
    for name, config in settings.items():
        if config.model.name == "mean_depth":
            continue
        for batch in batches:
            rows += _measure(name, config, batch=batch, dtype=dtype, ceiling=ceiling, seconds=seconds)
    return rows


def _measure(name, config, *, batch, dtype, ceiling, seconds):
    ours = case(config, batch=batch, dtype=dtype)
    peers = _peers(config, batch=batch, dtype=dtype)
    rows = []
    for what, function in (("train_step", ours.train), ("forward", ours.forward)):
        others = {peer: functions[what] for peer, functions in peers.items()}
        times = timing.in_turns({"ours": function, **others}, seconds=seconds)
        median, quartiles = timing.summary(times.pop("ours"))
        best = min(times, key=lambda peer: np.median(times[peer]), default=None)
        peer, peer_quartiles = timing.summary(times[best]) if best else (None, None)
        labels = dict(network=name, batch=batch, dtype=dtype)
        rows.append(
            row(
                what,
                **labels,
                unit="ms",
                ours=median,
                quartiles=quartiles,
                peer=peer,
                peer_quartiles=peer_quartiles,
                peer_name=best,
            )
        )
        rate = batch / median * 1e3
        rows.append(
            row(f"{what} rate", **labels, unit="images/s", ours=rate, peer=peer and batch / peer * 1e3, peer_name=best)
        )
        flops = {"train_step": ours.train_flops, "forward": ours.forward_flops}[what]
        rows.append(row(f"{what} utilisation", **labels, unit="%", ours=100 * flops / median * 1e3 / ceiling))
    rows.append(row("compile time", **labels, unit="s", ours=ours.compile_seconds))
    rows.append(row("peak memory", **labels, unit="MB", ours=ours.bytes / 1e6))
    return rows


@dataclasses.dataclass(frozen=True)
class Case:
    """A compiled training step and forward pass on made-up data, on one device.

    `train()` and `forward()` return when they are done. FLOPs are twice the multiply-adds of the plain form; `bytes` is
    what the training step holds at most: arguments, results and temporary arrays, by XLA's plan; `text` is its program.
    """

    train: Callable
    forward: Callable
    train_flops: float
    forward_flops: float
    compile_seconds: float
    bytes: int
    text: str


def case(config, *, batch, dtype="float32", gate_number=None, **options) -> Case:
    """The Case of some settings at a batch size; of one gate's output where `gate_number` is given, else of all.

    `options` are those of `step.make_train_step`.
    """
    size = tuple(config.data.crop_size)
    plain = models.build(**{**config.model.to_dict(), "dtype": dtype}).clone(mean_log_depth=0.9)
    network = plain.clone(blocked_gradient=jax.default_backend() == "cpu")
    if gate_number is None:
        chosen = gate.joint(network.groups, (1.0,) * len(network.groups), stop_gradient=config.gate.stop_gradient)
    else:
        chosen = gate.single(gate_number, network.groups, stop_gradient=config.gate.stop_gradient)
    spans = dict.fromkeys(network.groups, (0, 10**6))
    optimizer = optim.make(state.shapes(network, size)["params"], spans=spans, **config.optim.to_dict())
    mesh = sharding.make_mesh(jax.devices()[:1])
    replicated, batched = sharding.replicated(mesh), sharding.batched(mesh)
    train_state = state.create(network, optimizer, seed=0, crop_size=size, sharding=replicated)
    image, depth = made_up(batch, size)
    inputs = sharding.put({"image": image, "depth": depth}, batched)

    def make(network):
        loss = functools.partial(losses.scale_invariant, lam=config.loss.lam)
        settings = dict(loss=loss, seed=0, replicated=replicated, batch_sharding=batched)
        return step.make_train_step(network, optimizer, **settings, **options)

    start = time.perf_counter()
    compiled = make(network).lower(train_state, inputs, chosen).compile()
    compile_seconds = time.perf_counter() - start
    predict_step = step.make_predict_step(network, sharding=replicated)
    variables = jax.tree.map(jnp.copy, train_state.variables)
    held = [train_state]

    def train():
        held[0], metrics = compiled(held[0], inputs)
        jax.block_until_ready(metrics)

    memory = compiled.memory_analysis()
    return Case(
        train=train,
        forward=lambda: jax.block_until_ready(predict_step(variables, inputs["image"])),
        train_flops=2 * networks.multiply_adds(lambda *arguments: make(plain)(*arguments, chosen), train_state, inputs),
        forward_flops=2 * networks.multiply_adds(plain.apply, variables, inputs["image"]),
        compile_seconds=compile_seconds,
        bytes=memory.temp_size_in_bytes
        + memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes,
        text=compiled.as_text(),
    )


def made_up(batch, size):
    """Pictures and depths of noise: what they show does not change the cost."""
    rng = np.random.default_rng(0)
    image = rng.random((batch, *size, 3), np.float32)
    return image, rng.uniform(0.5, 10, (batch, *size)).astype(np.float32)


def _peers(config, *, batch, dtype):
    """PyTorch's {name: {"train_step": .., "forward": ..}} on the same kind of device; {} where it has none.

    Only the networks of the paper have a peer.
    """
    if not importlib.util.find_spec("torch"):
        return {}
    import torch

    from jaxdepth.benchmark import pytorch

    if config.model.name not in pytorch.NETWORKS:
        return {}
    accelerated = jax.default_backend() == "gpu"
    if accelerated and not torch.cuda.is_available():
        return {}
    device = "cuda" if accelerated else "cpu"
    size = tuple(config.data.crop_size)
    arguments = {name: value for name, value in config.model.to_dict().items() if name not in ("name", "dtype")}
    image, depth = (torch.from_numpy(x).to(device) for x in made_up(batch, size))
    image = image.permute(0, 3, 1, 2)

    precision = torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16")
    if accelerated:  # as jax does by default, and what each convolution runs fastest with
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    torch.compiler.reset()  # else it takes a network of another size for one of any size

    def functions(layout, *, compiled):
        network = pytorch.network(config.model.name, size=size, mean_log_depth=0.9, **arguments)
        network.to(device, memory_format=layout)
        pictures = image.contiguous(memory_format=layout)
        settings = dict(optimizer_settings=config.optim.to_dict(), stop_gradient=config.gate.stop_gradient)
        train_step = pytorch.train_step(network, gate=0, lam=config.loss.lam, autocast=precision, **settings)
        if compiled:
            network.compile(dynamic=False)

        def done():
            if accelerated:
                torch.cuda.synchronize()

        def train():
            train_step(pictures, depth)
            done()

        def forward():
            network.eval()
            with torch.inference_mode(), precision:
                network(pictures)
            done()

        return {"train_step": train, "forward": forward}

    version = f"pytorch {torch.__version__.split('+')[0]}"
    return {
        f"{version}, contiguous": functions(torch.contiguous_format, compiled=False),
        f"{version}, channels last": functions(torch.channels_last, compiled=False),
        f"{version}, channels last, compiled": functions(torch.channels_last, compiled=True),
    }
