"""The networks overfit a handful of frames: made-up ones, and real ones if NYU Depth V2 is found.

This tests the networks, all with AdamW and all outputs together, not the trainings of `configs/`.
"""

import fake_nyu
import jax
import numpy as np
import pytest
import small

from jaxdepth import config, models
from jaxdepth.data.sources import selection
from jaxdepth.data.sources.nyu import open_nyu
from jaxdepth.evaluation import metrics
from jaxdepth.geometry.framing import centre_crop
from jaxdepth.training import gate, sharding


def overfit(network, images, depths, *, steps, learning_rate, rules=((".*", 1.0, 1.0, "cosine"),), through=False):
    """delta1 of the final output on the training frames themselves, after joint steps on all of them.

    Args:
      network: the network.
      images: uint8 [N, H, W, 3].
      depths: float32 [N, H, W], metres.
      steps: number of steps.
      learning_rate: peak learning rate.
      rules: of the optimizer.
      through: whether the final output's loss reaches all groups.
    """
    size = images.shape[1:3]
    mesh = sharding.make_mesh(jax.devices()[:1])
    optimizer = {
        "learning_rate": learning_rate,
        "rules": rules,
        "warmup_steps": 10,
        "weight_decay": 0.0,
        "clip_norm": 1.0,
    }
    changes = {f"optim.{name}": value for name, value in optimizer.items()}
    made = small.setup_of(network, mesh=mesh, size=size, steps=steps, **changes)
    state, train_step = made.create_state(np.log(depths).mean(0)), made.train_step()
    joint = gate.joint(network.groups, (1.0,) * len(network.groups), stop_gradient=not through)
    batch = sharding.put({"image": np.float32(images) / 255, "depth": np.array(depths)}, sharding.batched(mesh))
    for _ in range(steps):
        state, _ = train_step(state, batch, joint)
    outputs = made.predict_step()(state.variables, batch["image"])
    per_image, _ = metrics.depth_metrics(outputs[network.groups[0]], batch["depth"])
    return float(per_image["delta1"].mean())


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
    indices = np.linspace(0, len(frames) - 1, 16).astype(int)
    images, depths = centre_crop(frames.images[indices], frames.depths[indices], crop_size=(112, 152))
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
