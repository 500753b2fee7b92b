"""A network and batches that are small enough for a test, and the same code as the large ones."""

import os
import pathlib
import subprocess
import sys
import time

import jax
import numpy as np

from jaxdepth import config, models
from jaxdepth.runs import workdir
from jaxdepth.training import losses, optim, sharding, state, step
from jaxdepth.training.checkpoint import Checkpoints

ROOT = pathlib.Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
SIZE = (32, 48)
EIGENS_SIZE = (64, 80)
MODEL = dict(
    name="kscale",
    k=3,
    width=4,
    max_width=8,
    blocks=(1, 1, 2),
    fusion_blocks=1,
    finest_stride=2,
    upscaling="bilinear",
    features=True,
    dtype="float32",
)
RULES = (("fusion/.*", 1.0, 1.0, "cosine"), (r"scale\d+/.*", 0.5, 1.0, "constant"))


def network(**changes):
    return models.build(**{**MODEL, **changes}).clone(mean_log_depth=0.9)


def blank_rooms(seed, start, count, *, size, sensor):
    """Stands for `rooms.frames` where what is in them does not matter: its renderer takes long to compile."""
    depth = np.full((count, *size), 2, np.float32)
    return {"image": np.zeros((count, *size, 3), np.uint8), "depth": depth, "label": depth.astype(np.int32)}


def eigens(name, **changes):
    """A network of Eigen's family with channels by the handful; of `residual_coarse` and `autoencoder` too."""
    settings = config.load(CONFIGS / f"{name}.py").model.to_dict() | {"width": 1 / 32} | changes
    return models.build(**settings).clone(mean_log_depth=0.9)


def batch(count=8, *, seed=0, size=SIZE):
    rng = np.random.default_rng(seed)
    depth = rng.uniform(0.5, 9, (count, *size)).astype(np.float32)
    depth[:, :5] = 0  # no measurement
    return {"image": rng.random((count, *size, 3), np.float32), "depth": depth}


def trainer(
    net,
    *,
    devices=1,
    rules=RULES,
    weight_decay=0.1,
    warmup_steps=2,
    size=SIZE,
    optimizer="adamw",
    averaged=False,
    **options,
):
    """A fresh state, the compiled step `(state, batch, gate)` on so many devices, and the optimizer.

    `averaged`: see `state.create`; `options` are those of `step.make_train_step`.
    """
    mesh = sharding.make_mesh(jax.devices()[:devices])
    replicated, batched = sharding.replicated(mesh), sharding.batched(mesh)
    optimizer = optim.make(
        state.shapes(net, size)["params"],
        name=optimizer,
        learning_rate=1e-2,
        rules=rules,
        spans={group: (0, 20) for group in net.groups},
        warmup_steps=warmup_steps,
        weight_decay=weight_decay,
        clip_norm=1.0,
    )
    train_state = state.create(net, optimizer, seed=0, crop_size=size, sharding=replicated, averaged=averaged)
    train_step = step.make_train_step(
        net, optimizer, loss=losses.scale_invariant, seed=0, replicated=replicated, batch_sharding=batched, **options
    )
    return train_state, lambda s, b, gate: train_step(s, sharding.put(b, batched), gate), optimizer


def settings(data, *, name="kscale", steps=10, **changes):
    """A network's config, small: `kscale` on crops of 32x48 from frames of 40x56, others of 64x80 from 72x88."""
    settings = config.load(CONFIGS / f"{name}.py")
    if name == "kscale":
        sizes, model = {"data.frame_size": (40, 56), "data.crop_size": SIZE}, MODEL
    else:
        sizes = {"data.frame_size": (72, 88), "data.crop_size": EIGENS_SIZE}
        model = {} if name == "mean_depth" else {"width": 1 / 32}
    changes = {
        "steps": steps,
        "batch_size": 4,
        "log_every": 1,
        "checkpoint_every": 3,
        "panel_frames": 1,
        "data.path": str(data),
        "data.split": "dev",
        "optim.warmup_steps": 2,
        **sizes,
        **{f"model.{name}": value for name, value in model.items()},
        **changes,
    }
    settings.update_from_flattened_dict(changes)
    return settings


def random_run(folder, *, seed=0, **changes):
    """Make `folder` the workdir of a kscale network of random weights, and return it; `changes` are of its settings."""
    config, net = settings(None, **changes), network()
    optimizer = optim.make(
        state.shapes(net, SIZE)["params"], spans=dict.fromkeys(net.groups, (0, 1)), **config.optim.to_dict()
    )
    replicated = sharding.replicated(sharding.make_mesh())
    train_state = state.create(net, optimizer, seed=seed, crop_size=SIZE, sharding=replicated)
    workdir.open_run(folder, {"config": config.to_dict(), "data": {}}, at_step=None, chief=True)
    workdir.mean_depth(folder, lambda: np.full(config.data.frame_size, 2.5))
    with Checkpoints(folder / "checkpoints") as checkpoints:
        checkpoints.save(train_state)
    return folder


def command(settings, folder):
    """The run of some settings as a command line."""
    flags = [
        f"--config.{name}={value}"
        for name, value in workdir._flatten(settings.to_dict()).items()
        if value is not None and value != ()
    ]
    name = settings.model.name
    launch = CONFIGS.with_name("launch") / "train.py"
    return [sys.executable, launch, f"--config={CONFIGS}/{name}.py", f"--workdir={folder}", *flags]


def start(settings, folder):
    """The run as a process of its own on four CPU devices."""
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "4", "JAX_NUMPY_RANK_PROMOTION": "raise"}
    return subprocess.Popen(command(settings, folder), env=environment, stderr=subprocess.PIPE, text=True)


def wait_for_step(process, folder, step):
    """Until the process has written this step's line; AssertionError with its log where it ends before."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / "metrics.jsonl").exists() and any(r["step"] >= step for r in workdir.read_metrics(folder)):
            return
        time.sleep(0.02)
    process.kill()
    raise AssertionError(f"step {step} was not reached:\n{process.stderr.read()[-3000:]}")


def final(settings, folder):
    """All bits of the last checkpoint, and metrics.jsonl without its times."""
    with Checkpoints(folder / "checkpoints", read_only=True) as checkpoints:
        network = models.build(**settings.model.to_dict())
        size = tuple(settings.data.crop_size)
        optimizer = optim.make(
            state.shapes(network, size)["params"],
            spans=dict.fromkeys(network.groups, (0, 10)),
            **settings.optim.to_dict(),
        )
        replicated = sharding.replicated(sharding.make_mesh())
        fresh = state.create(network, optimizer, seed=1, crop_size=size, sharding=replicated)
        restored = bits(checkpoints.restore(fresh))
    return restored, [{k: v for k, v in line.items() if k != "wall_time"} for line in workdir.read_metrics(folder)]


def bits(tree):
    """The leaves by name, as bytes."""
    flat = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): np.asarray(leaf).tobytes() for path, leaf in flat}
