"""The networks learn a handful of frames by heart: made ones always, real ones where NYU Depth V2 is found.

What is tested is the networks, all under AdamW and all outputs together, and not the trainings of `configs/`.
"""

import fake_nyu
import jax
import numpy as np
import pytest
import small

from jaxdepth import config, models
from jaxdepth.data.frames import centre_crop
from jaxdepth.data.sources import selection
from jaxdepth.data.sources.nyu import open_nyu
from jaxdepth.evaluation import metrics
from jaxdepth.training import gate, losses, optim, sharding, state, step


def overfit(network, images, depths, *, steps, learning_rate, rules=((".*", 1.0, 1.0, "cosine"),), through=False):
    """delta1 of the fused output on the very frames, in evaluation mode, after so many joint steps on all of them.

    `through`: whether the fused loss reaches all groups.
    """
    size = images.shape[1:3]
    batch = {"image": np.float32(images) / 255, "depth": np.array(depths)}
    network = network.clone(mean_log_depth=np.log(depths).mean(0), blocked_gradient=True)
    mesh = sharding.make_mesh(jax.devices()[:1])
    replicated, batched = sharding.replicated(mesh), sharding.batched(mesh)
    optimizer = optim.make(
        state.shapes(network, size)["params"],
        name="adamw",
        learning_rate=learning_rate,
        rules=rules,
        spans=dict.fromkeys(network.groups, (0, steps)),
        warmup_steps=10,
        weight_decay=0.0,
        clip_norm=1.0,
    )
    train_state = state.create(network, optimizer, seed=0, crop_size=size, sharding=replicated)
    train_step = step.make_train_step(
        network, optimizer, loss=losses.scale_invariant, seed=0, replicated=replicated, batch_sharding=batched
    )
    joint = gate.joint(network.groups, (1.0,) * len(network.groups), stop_gradient=not through)
    batch = sharding.put(batch, batched)
    for _ in range(steps):
        train_state, _ = train_step(train_state, batch, joint)
    outputs = step.make_predict_step(network, sharding=replicated)(train_state.variables, batch["image"])
    per_image, valid = metrics.depth_metrics(outputs[network.groups[0]], batch["depth"])
    return metrics.finalize(metrics.sum_over_images(per_image, valid))["delta1"]


@pytest.mark.slow
def test_a_small_network_overfits_made_frames():
    images, depths, _ = zip(*(fake_nyu.frame(i, size=small.SIZE) for i in range(4)), strict=True)
    network = small.network(width=16, max_width=32)
    assert overfit(network, np.stack(images), np.stack(depths), steps=150, learning_rate=1e-2) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "steps", "learning_rate"),
    [("eigen", 400, 1e-3), ("autoencoder", 250, 2e-3), ("residual_coarse", 400, 1e-3), ("kscale", 300, 3e-3)],
)
def test_the_networks_overfit_16_real_frames(name, steps, learning_rate):
    try:
        file, reason = selection.find_nyu()
    except FileNotFoundError as error:
        file, reason = None, str(error)
    if file is None:
        pytest.skip(reason)
    frames = open_nyu(file, frame_size=(120, 160))
    positions = np.linspace(0, len(frames) - 1, 16).astype(int)
    images, depths = centre_crop(frames.images[positions], frames.depths[positions], crop_size=(112, 152))
    settings = config.load(small.CONFIGS / f"{name}.py")
    rules = ((".*full[67]/.*", 0.1, 1.0, "cosine"),) * (name != "kscale") + ((".*", 1.0, 1.0, "cosine"),)
    delta1 = overfit(
        models.build(**settings.model.to_dict()),
        images,
        depths,
        steps=steps,
        learning_rate=learning_rate,
        rules=rules,
        through=not settings.gate.stop_gradient,
    )
    print(f"{name}: delta1 {delta1:.4f} after {steps} steps")
    assert delta1 > 0.95
