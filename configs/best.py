"""The best network: a pyramid of six scales, trained on a million rooms, then on NYU's labelled frames.

    python launch/train.py --config=configs/best.py:rooms
    python launch/train.py --config=configs/best.py
    python launch/train.py --config=configs/best.py:finetune --config.data.path=FOLDER

The second starts with the weights of the first. The third goes on from the package's network with a folder of your own
(docs/data.md), in about ten minutes on two CPU cores.

Rooms are rendered in the training step, each is seen once; a picture is seen through the simulated sensor, its depth is
exact. On one H200 the first takes 9 minutes (3 of them to compile), at 2,600 rooms per second, the second 2 minutes. On
the 109 frames of `dev` under eigen_crop: delta1 .781, AbsRel .152 (mean depth image .439, .358). For two CPU cores
there is `configs/pyramid.py`.
"""

from jaxdepth.config import base


def get_config(arg=""):
    """The settings. `arg` is what follows the colon of --config: `rooms`, `finetune`, or nothing for NYU."""
    config = base(arg, variants=("rooms", "finetune"))
    schedule = "constant" if arg == "rooms" else "cosine"
    config.ema_decay = 0.999
    config.flip_tta = True
    config.data.frame_size = config.data.crop_size = (192, 256)
    config.data.augmentation.update(scale=(0.9, 1.4), flip=True, colour=0.2, light=0.2)
    config.data.sensor = True
    config.loss.update(absolute_weight=0.5, gradient_weight=0.5)
    config.model = dict(
        name="pyramid",
        k=6,
        width=24,
        max_width=272,
        blocks=(0, 2, 3, 3, 2, 1),
        own_width=16,
        own_blocks=1,
        dropout=0.1,
        dtype="float32",
        finest_stride=2,
    )
    config.gate = dict(name="joint", weights=(1.0, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25), stop_gradient=False)
    config.optim = dict(
        name="adamw",
        learning_rate=1e-3,
        rules=((r"fusion/.*", 1.0, 1.0, schedule), (r"scale\d+/.*", 1.0, 1.0, schedule)),
        warmup_steps=200,
        weight_decay=0.05,
        clip_norm=1.0,
    )
    if arg == "rooms":
        config.batch_size = 64
        config.steps = 16186
        config.validate_every = 2000
        config.log_every = 100
        config.keep_every = 2000
        config.data.source = "rooms"
        config.data.mix = "rooms:1"
        config.data.rooms_frames = (64, 64)
        config.model.dtype = "bfloat16"
        config.optim.update(learning_rate=1.5e-3, warmup_steps=500)
    elif arg == "finetune":
        config.batch_size = 8
        config.steps = 300
        config.validate_every = 5
        config.log_every = 10
        config.checkpoint_every = 50
        config.init_from = "package"
        config.ema_decay = 0.99
        config.data.source = "folder"
        config.loss.lam = 0.0
        config.optim.update(learning_rate=3e-4, warmup_steps=50, weight_decay=0.1)
    else:
        config.batch_size = 16
        config.epochs = 100
        config.validate_every = 10
        config.init_from = "runs/best-rooms"
        config.data.source = "nyu"
        config.data.split = "dev"
        config.data.augmentation.scale = (0.8, 1.4)
        config.loss.lam = 0.0
        config.optim.weight_decay = 0.1
    return config
