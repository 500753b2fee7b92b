"""A smaller pyramid of K scales, for two CPU cores: trained on rooms, then on NYU's labelled frames.

    python launch/train.py --config=configs/pyramid.py:rooms
    python launch/train.py --config=configs/pyramid.py:rooms2
    python launch/train.py --config=configs/pyramid.py --config.steps=8600

Each starts with the weights of the one before: 24,000 rooms through the simulated sensor, 24,000 others, NYU's frames.
On 2 CPU cores they take 70, 58 and 30 minutes, with 8 for rendering in each of the first two. On the 109 frames of
`dev` under eigen_crop: delta1 .713 (mean depth image .439).
"""

from jaxdepth.config import base


def get_config(arg=""):
    """The settings. `arg` is what follows the colon of --config: `rooms`, `rooms2`, or nothing for the last."""
    config = base(arg, variants=("rooms", "rooms2"))
    config.batch_size = 16 if arg else 8
    config.ema_decay = 0.998 if arg else 0.999
    config.flip_tta = True
    config.data.frame_size = config.data.crop_size = (96, 128)
    config.data.split = "dev"
    config.data.augmentation.update(scale=(0.95, 1.4), flip=True, colour=0.2, light=0.2)
    config.data.sensor = True
    config.loss.update(absolute_weight=0.5, gradient_weight=0.25)
    config.model = dict(
        name="pyramid",
        k=4,
        width=40,
        max_width=320,
        blocks=(2, 2, 2, 2),
        own_width=32,
        own_blocks=1,
        dropout=0.1,
        dtype="float32",
    )
    config.gate = dict(name="joint", weights=(1.0, 0.25, 0.25, 0.25, 0.25), stop_gradient=False)
    config.optim = dict(
        name="adamw",
        learning_rate=1e-3,
        rules=((r"fusion/.*", 1.0, 1.0, "cosine"), (r"scale\d+/.*", 1.0, 1.0, "cosine")),
        warmup_steps=200,
        weight_decay=0.05,
        clip_norm=1.0,
    )
    if arg:
        config.steps = 11000
        config.validate_every = 2
        config.data.source = "rooms"
        config.data.rooms_frames = (24000, 50)
        config.optim.update(learning_rate=2e-3, warmup_steps=300)
    else:
        config.epochs = 100
        config.validate_every = 10
        config.init_from = "runs/pyramid-rooms2"
        config.data.source = "nyu"
        config.data.augmentation.scale = (0.8, 1.4)
        config.loss.lam = 0.0
        config.optim.weight_decay = 0.1
    if arg == "rooms2":
        config.seed = 1
        config.steps = 10000
        config.init_from = "runs/pyramid-rooms"
        config.optim.learning_rate = 1.5e-3
    return config
