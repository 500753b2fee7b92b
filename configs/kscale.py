"""Model 3 of the paper (section 5.3): K scales under a train gate, with the paper's augmentation and loss.

    python launch/train.py --config=configs/kscale.py:quick

Built-in rooms, two and a half minutes on 2 CPU cores: delta1 .645, where the mean depth image has .487.

    python launch/train.py --config=configs/kscale.py --config.data.path=nyu_depth_v2_labeled.mat

NYU Depth V2. On 2 CPU cores a step of 8 takes 1.3 s, so 20 epochs of the 686 frames of `dev` take some 40 minutes; they
gave, with `--config.data.augmentation.flip=True`, delta1 .505 under eigen_crop, where the mean depth image has .439.
"""

import ml_collections


def get_config(arg=""):
    """The settings; `arg` is what stands behind the colon of --config: nothing, or `quick`."""
    if arg not in ("", "quick"):
        raise ValueError(f"--config=configs/kscale.py:{arg}: expected nothing or 'quick' behind the colon")
    config = ml_collections.ConfigDict()
    config.seed = 0
    config.batch_size = 8
    config.epochs = 60
    config.steps = ml_collections.config_dict.placeholder(int)  # counts instead of epochs where set

    config.data = data = ml_collections.ConfigDict()
    data.source = "auto"
    data.path = ml_collections.config_dict.placeholder(str)
    data.split = "paper"
    data.frame_size = (240, 320)
    data.crop_size = (228, 304)
    data.rooms_frames = (2000, 200)  # train, val
    data.augmentation = ml_collections.ConfigDict(
        dict(scale=(0.75, 1.25), rotation=5.0, flip=False, colour=0.0)  # section 3.2 of the paper
    )

    config.model = model = ml_collections.ConfigDict()
    model.name = "kscale"
    model.k = 4
    model.width = 24
    model.max_width = 192
    model.blocks = (2, 2, 4, 4)
    model.fusion_blocks = 2
    model.finest_stride = 4
    model.upscaling = "bilinear"
    model.features = True
    model.dtype = "float32"

    config.gate = gate = ml_collections.ConfigDict()
    gate.name = "joint"
    gate.weights = ()
    gate.stop_gradient = True

    config.loss = ml_collections.ConfigDict(dict(lam=0.5))

    config.optim = optim = ml_collections.ConfigDict()
    optim.learning_rate = 1e-3
    optim.rules = ((r"fusion/.*", 1.0, "cosine"), (r"scale\d+/.*", 1.0, "cosine"))
    optim.warmup_steps = 200
    optim.weight_decay = 0.01
    optim.clip_norm = 1.0

    if arg == "quick":
        config.steps = 800
        data.source = "rooms"
        data.frame_size, data.crop_size = (120, 160), (112, 152)
        data.rooms_frames = (600, 100)
        model.k, model.blocks, model.width = 3, (1, 2, 4), 16
        optim.learning_rate = 2e-3
        optim.warmup_steps = 50

    config.log_every = 20
    config.checkpoint_every = 500  # steps, besides the end of each epoch
    config.panel_frames = 4
    return config
