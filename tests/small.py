"""Small networks, batches, configs and runs for the tests, made by the same code as large ones."""

import atexit
import dataclasses
import functools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np

from jaxdepth import config, models
from jaxdepth.runs import metrics_log, upgrade, workdir
from jaxdepth.runs.record import RunRecord
from jaxdepth.training import checkpoint, setup, sharding

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
    """A `kscale` network."""
    return models.build(**{**MODEL, **changes})


@functools.cache
def _fresh(net, size):
    variables = jax.jit(net.init)(jax.random.key(0, impl="rbg"), jnp.zeros((1, *size, 3)))
    return net.starting_at(variables, log_depth(size))


def fresh(net, size=SIZE):
    """Variables of a network whose outputs start at a log depth of 0.9, made once for all tests."""
    return jax.tree.map(lambda x: x, _fresh(net, size))  # dicts of the caller's own


def log_depth(size=SIZE, value=0.9):
    """A log depth image to start from, the same everywhere."""
    return np.full(size, value, np.float32)


def blank_rooms(seed, start, count, *, size, sensor):
    """Stands in for `rooms.frames` where the content does not matter: the renderer takes long to compile."""
    depth = np.full((count, *size), 2, np.float32)
    return {"image": np.zeros((count, *size, 3), np.uint8), "depth": depth, "label": depth.astype(np.int32)}


def eigens(name, **changes):
    """A narrow network of Eigen's family: `eigen`, `residual_coarse` or `autoencoder`."""
    settings = config.load(CONFIGS / f"{name}.py").model.to_dict() | {"width": 1 / 32} | changes
    return models.build(**settings)


def batch(count=8, *, seed=0, size=SIZE):
    rng = np.random.default_rng(seed)
    depth = rng.uniform(0.5, 9, (count, *size)).astype(np.float32)
    depth[:, :5] = 0  # no measurement
    return {"image": rng.random((count, *size, 3), np.float32), "depth": depth}


def trainer(
    net,
    *,
    devices=1,
    model_parallel=1,
    rules=RULES,
    weight_decay=0.1,
    warmup_steps=2,
    size=SIZE,
    optimizer="adamw",
    ema_decay=0.0,
    spans=None,
    **changes,
):
    """A fresh state, the compiled step `(state, batch, gate)` and the optimizer, for the paper's loss.

    Args:
      net: the network.
      devices: number of devices.
      model_parallel: how many of them share one copy of the large parameters.
      rules, weight_decay, warmup_steps, optimizer: settings of the optimizer.
      size: (h, w) of the images.
      ema_decay: of moving averages; 0 keeps none.
      spans: {group: (first, past the last) step}, or None for all 20 steps.
      changes: of other settings, such as accumulate=2.
    """
    mesh = sharding.make_mesh(jax.devices()[:devices], model_parallel=model_parallel)
    made = setup_of(
        net,
        mesh=mesh,
        size=size,
        **changes,
        **{
            "ema_decay": ema_decay,
            "optim.name": optimizer,
            "optim.learning_rate": 1e-2,
            "optim.rules": rules,
            "optim.weight_decay": weight_decay,
            "optim.warmup_steps": warmup_steps,
            "optim.clip_norm": 1.0,
        },
    )
    made = dataclasses.replace(made, spans=spans or made.spans)
    train_step, batched = made.train_step(), sharding.batched(mesh)
    state = made.create_state(log_depth(size))
    return state, lambda s, b, gate: train_step(s, sharding.put(b, batched), gate), made.optimizer


@functools.cache
def _trainer(net, **options):
    return trainer(net, **options)


def shared_trainer(net, **options):
    """`trainer`, compiled once for all tests that give these arguments. Nothing that it traces may be patched."""
    state, train_step, optimizer = _trainer(net, **options)
    return jax.tree.map(jnp.copy, state), train_step, optimizer  # the step takes its state's memory


def setup_of(net, *, mesh=None, size=SIZE, steps=20, **changes):
    """The `setup.Setup` of a network, with changes of settings such as {"accumulate": 2}."""
    kscale = config.load(CONFIGS / "kscale.py")
    kscale.update_from_flattened_dict({"data.crop_size": size, **changes})
    return setup.make(kscale, net, mesh or sharding.make_mesh(), steps=steps)


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


@functools.cache
def _random_checkpoints(seed):
    """A folder with the checkpoint of a fresh kscale network."""
    made_of, mesh = settings(None, seed=seed), sharding.make_mesh()
    network = setup.build_network(made_of, mesh)
    state = setup.make(made_of, network, mesh, steps=10).create_state(log_depth())
    folder = pathlib.Path(tempfile.mkdtemp(prefix="jaxdepth-random-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with checkpoint.Checkpoints(folder) as checkpoints:
        checkpoints.save(state)
    return folder


def random_run(folder, *, seed=0, **changes):
    """Makes `folder` the workdir of a kscale network with random weights on changed data, and returns it."""
    assert all(name.startswith("data.") for name in changes), changes  # the network is the same for all
    record = RunRecord(settings(None, seed=seed, **changes).to_dict())
    mean_depth = np.full(record.config["data"]["frame_size"], 2.5, np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    workdir.open_run(folder, record, at_step=None, compute_mean_depth=lambda: mean_depth)
    shutil.copytree(_random_checkpoints(seed), folder / "checkpoints")
    return folder


def command(settings, folder, *, config=None):
    """The command line of a run; `config` is the name of its config file, if it is not that of the network."""
    flags = [
        f"--config.{name}={value}"
        for name, value in upgrade.flatten(settings.to_dict()).items()
        if value is not None and value != ()
    ]
    launch = CONFIGS.with_name("launch") / "train.py"
    config = CONFIGS / f"{config or settings.model.name}.py"
    return [sys.executable, launch, f"--config={config}", f"--workdir={folder}", *flags]


def start(settings, folder, *, config=None):
    """Starts a run in its own process with four CPU devices."""
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "4", "JAX_NUMPY_RANK_PROMOTION": "raise"}
    return subprocess.Popen(
        command(settings, folder, config=config), env=environment, stderr=subprocess.PIPE, text=True
    )


def wait_for_step(process, folder, step):
    """Waits until the process has logged a step; raises AssertionError with its log if it ends before."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / "metrics.jsonl").exists() and any(r["step"] >= step for r in metrics_log.read(folder)):
            return
        time.sleep(0.02)
    process.kill()
    raise AssertionError(f"step {step} was not reached:\n{process.stderr.read()[-3000:]}")


def final(settings, folder):
    """All bits of the last checkpoint, and metrics.jsonl without its times."""
    mesh = sharding.make_mesh()
    network = setup.build_network(settings, mesh)
    shapes = setup.make(settings, network, mesh, steps=10).abstract_state()
    restored = checkpoint.restore_last(folder / "checkpoints", shapes)
    return bits(restored), [{k: v for k, v in line.items() if k != "wall_time"} for line in metrics_log.read(folder)]


def bits(tree):
    """The leaves of a tree by name, as bytes."""
    flat = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): np.asarray(leaf).tobytes() for path, leaf in flat}
