r"""Model 3 of the paper (section 5.3): K scales under a train gate, with the paper's augmentation and loss.

    python launch/train.py --config=configs/kscale.py:quick

trains on 96x128 built-in rooms, in under two minutes on 2 CPU cores: delta1 .529 (mean depth image .405).

    python launch/train.py --config=configs/kscale.py --config.data.split=dev --config.epochs=20 \
        --config.data.augmentation.flip=True

trains on NYU Depth V2 for some 25 minutes on 2 CPU cores, .8 s per step: delta1 .505 under eigen_crop (mean depth image
.439).
"""

from jaxdepth.config import base


def get_config(arg=""):
    """The settings. `arg` is what follows the colon of --config: nothing, or `quick`."""
    config = base(arg, variants=("quick",))
    config.model = dict(
        name="kscale",
        k=4,
        width=24,
        max_width=192,
        blocks=(2, 2, 4, 4, 4),  # of the first k scales
        fusion_blocks=2,
        finest_stride=4,
        upscaling="bilinear",
        features=True,
        dtype="float32",
    )
    config.gate = dict(name="joint", weights=(), stop_gradient=True)
    config.optim = dict(
        name="adamw",
        learning_rate=1e-3,
        rules=((r"fusion/.*", 1.0, 1.0, "cosine"), (r"scale\d+/.*", 1.0, 1.0, "cosine")),
        warmup_steps=200,
        weight_decay=0.01,
        clip_norm=1.0,
    )
    if arg == "quick":
        config.steps = 600
        config.validate_every = 3
        config.data.source = "rooms"
        config.data.frame_size = config.data.crop_size = (96, 128)
        config.data.rooms_frames = (600, 100)
        config.data.augmentation.update(scale=(0.95, 1.25), flip=True)
        config.gate.stop_gradient = False
        config.model.update(k=3, blocks=(1, 2, 4), width=16)
        config.optim.update(learning_rate=2e-3, warmup_steps=50)
    return config
