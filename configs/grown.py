"""The pyramid of `configs/pyramid.py`, grown: two finer scales on top, for pictures twice as large.

    python launch/train.py --config=configs/pyramid.py:rooms
    python launch/train.py --config=configs/pyramid.py:rooms2
    python launch/train.py --config=configs/grown.py:scales
    python launch/train.py --config=configs/grown.py

The third command trains the new scales alone on rooms, which have exact outlines: the train gate leaves the scales of
the pyramid as they are, bit for bit. The fourth goes on with all scales on NYU's frames.
"""

from jaxdepth.config import base


def get_config(arg=""):
    """The settings. `arg` is what follows the colon of --config: `scales`, or nothing for the last stage."""
    config = base(arg, variants=("scales",))
    config.batch_size = 8
    config.ema_decay = 0.999
    config.flip_tta = True
    config.data.frame_size = config.data.crop_size = (192, 256)
    config.data.split = "dev"
    config.data.augmentation.update(scale=(0.95, 1.4), flip=True, colour=0.2, light=0.2)
    config.data.sensor = True
    config.loss.update(absolute_weight=0.5, gradient_weight=0.5)
    config.model = dict(
        name="pyramid",
        k=6,
        width=10,
        max_width=320,
        blocks=(1, 1, 2, 2, 2, 2),
        own_width=8,
        own_blocks=1,
        dropout=0.1,
        dtype="float32",
        finest_stride=2,
        grown=2,
        halvings=1,
    )
    config.gate = dict(name="joint", weights=(1.0, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25), stop_gradient=False)
    config.optim = dict(
        name="adamw",
        learning_rate=1e-3,
        rules=((r"fusion/.*", 1.0, 1.0, "cosine"), (r"scale\d+/.*", 1.0, 1.0, "cosine")),
        warmup_steps=200,
        weight_decay=0.05,
        clip_norm=1.0,
    )
    if arg:
        config.steps = 4000
        config.validate_every = 100
        config.init_from = "runs/pyramid-rooms2"
        config.data.source = "rooms"
        config.data.mix = "rooms:1"
        config.data.rooms_frames = (64, 64)
        config.gate.update(weights=(1.0, 0.25, 0.25, 0.0, 0.0, 0.0, 0.0), stop_gradient=True)
        config.optim.learning_rate = 2e-3
    else:
        config.epochs = 100
        config.validate_every = 10
        config.init_from = "runs/grown-scales"
        config.data.source = "nyu"
        config.data.augmentation.scale = (0.8, 1.4)
        config.loss.lam = 0.0
        config.optim.weight_decay = 0.1
    return config
