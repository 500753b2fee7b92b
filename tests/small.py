"""A network and batches that are small enough for a test, and the same code as the large ones."""

import jax
import numpy as np

from configs import kscale
from jaxdepth import models, optim, sharding, state, step

SIZE = (32, 48)
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


def batch(size=8, *, seed=0):
    rng = np.random.default_rng(seed)
    depth = rng.uniform(0.5, 9, (size, *SIZE)).astype(np.float32)
    depth[:, :5] = 0  # no measurement
    return {"image": rng.random((size, *SIZE, 3), np.float32), "depth": depth}


def trainer(net, *, devices=1, rules=RULES, weight_decay=0.1, warmup_steps=2):
    """A fresh state, the compiled step `(state, batch, gate)` on so many devices, and the optimizer."""
    mesh = sharding.make_mesh(jax.devices()[:devices])
    replicated, batched = sharding.replicated(mesh), sharding.batched(mesh)
    optimizer = optim.make(
        state.shapes(net, SIZE)["params"],
        name="adamw",
        learning_rate=1e-2,
        rules=rules,
        steps=20,
        warmup_steps=warmup_steps,
        weight_decay=weight_decay,
        clip_norm=1.0,
    )
    train_state = state.create(net, optimizer, seed=0, crop_size=SIZE, sharding=replicated)
    train_step = step.make_train_step(net, optimizer, lam=0.5, seed=0, replicated=replicated, batch_sharding=batched)
    return train_state, lambda s, b, gate: train_step(s, sharding.put(b, batched), gate), optimizer


def settings(data, *, steps=10, **changes):
    """kscale's config, small: crops of 32x48 from frames of 40x56."""
    config = kscale.get_config()
    changes = {
        "steps": steps,
        "batch_size": 4,
        "log_every": 1,
        "checkpoint_every": 3,
        "panel_frames": 2,
        "data.path": str(data),
        "data.split": "dev",
        "data.frame_size": (40, 56),
        "data.crop_size": SIZE,
        "optim.warmup_steps": 2,
        **{f"model.{name}": value for name, value in MODEL.items()},
        **changes,
    }
    config.update_from_flattened_dict(changes)
    return config


def bits(tree):
    """The leaves by name, as bytes."""
    flat = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): np.asarray(leaf).tobytes() for path, leaf in flat}
