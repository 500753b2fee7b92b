"""The settings of a run: what every file in `configs/` begins with, and what is out of range in it."""

import importlib.util
import runpy

import ml_collections
from ml_collections.config_dict import placeholder


def base(arg="", *, variants=()):
    """What all share: data, loss and length of the training. `model`, `gate` and `optim` are each file's own.

    Raises ValueError where `arg`, what stands behind the colon of --config, is neither empty nor one of `variants`.
    """
    if arg not in ("", *variants):
        raise ValueError(f"--config=FILE.py:{arg}: expected {' or '.join(['nothing', *variants])} behind the colon")
    config = ml_collections.ConfigDict()
    config.seed = 0
    config.batch_size = 8
    config.accumulate = 1  # parts of a batch, one after the other
    config.rematerialise = False  # memory for time
    config.ema_decay = 0.0  # of a moving average of the weights, which then is what is evaluated; 0: none
    config.mirrored = False  # whether a prediction is the mean of the picture's and of its mirror image's
    config.initial = placeholder(str)  # the workdir of a run whose weights this one begins with
    config.epochs = 60
    config.steps = placeholder(int)  # counts instead of epochs where set

    config.data = data = ml_collections.ConfigDict()
    data.source = "auto"
    data.path = placeholder(str)
    data.split = "paper"
    data.depth = "filled"  # of NYU's frames; raw: as the sensor gave it, with holes
    data.batches = "auto"  # tfdata, device
    data.frame_size = (240, 320)
    data.crop_size = (228, 304)
    data.rooms_frames = (2000, 200)  # train, val
    data.mix = ""  # weights of the source and of endless rooms in each batch, as "nyu:1,rooms:1"
    data.sensor = False  # whether rooms are seen through a sensor's noise, holes and blur
    data.folder = folder = ml_collections.ConfigDict()  # of data.source=folder; None: as usual, see open_folder
    folder.image = placeholder(str)
    folder.depth = placeholder(str)
    folder.depth_scale = placeholder(float)
    folder.intrinsics = placeholder(tuple)
    data.augmentation = ml_collections.ConfigDict(
        dict(scale=(0.75, 1.25), rotation=5.0, flip=False, colour=0.0, light=0.0)  # section 3.2 of the paper
    )

    config.loss = ml_collections.ConfigDict(dict(lam=0.5, absolute_weight=0.0, gradient_weight=0.0))

    config.validate_every = 1  # epochs
    config.log_every = 20
    config.checkpoint_every = 500  # steps, besides each validation
    config.keep_every = placeholder(int)  # steps whose checkpoints are kept besides the last and the best
    config.panel_frames = 4
    config.tensorboard = False  # whether metrics and pictures go to the workdir's tensorboard/ too
    return config


def load(path, argument=""):
    """The settings of a file such as `configs/kscale.py`; `argument` is what stands behind the colon of --config."""
    return runpy.run_path(str(path))["get_config"](argument)


def change(config, changes):
    """Set {"data.path": value, ..} in place. Raises ValueError for a name that the settings do not have."""
    config.lock()
    for name, value in changes.items():
        try:
            config.update_from_flattened_dict({name: value})
        except (KeyError, TypeError) as error:
            raise ValueError(f"config.{name}={value}: {error}") from error


def check(config):
    """Raise ValueError for a number that is out of its range and that nothing else would refuse in time."""
    counts = ("epochs", "steps", "accumulate", "validate_every", "log_every", "checkpoint_every", "keep_every")
    for name in (*counts, "panel_frames"):
        if config[name] is not None and config[name] < 1:
            raise ValueError(f"config.{name}={config[name]}: expected 1 or more")
    if config.tensorboard and importlib.util.find_spec("tensorboardX") is None:
        raise ValueError("config.tensorboard=True needs its extra: pip install -e '.[tensorboard]'")
    if not 0 <= config.loss.lam <= 1:
        raise ValueError(f"config.loss.lam={config.loss.lam}: expected 0 to 1")
    for name in ("absolute_weight", "gradient_weight"):
        if config.loss[name] < 0:
            raise ValueError(f"config.loss.{name}={config.loss[name]}: expected 0 or more")
    if not 0 <= config.ema_decay < 1:
        raise ValueError(f"config.ema_decay={config.ema_decay}: expected 0 or more, and less than 1")
    for name in ("learning_rate", "warmup_steps", "weight_decay"):
        if config.optim.get(name, 0) < 0:
            raise ValueError(f"config.optim.{name}={config.optim[name]}: expected 0 or more")
    if config.optim.get("clip_norm", 1) <= 0:
        raise ValueError(f"config.optim.clip_norm={config.optim.clip_norm}: expected more than 0")
    for name in ("frame_size", "crop_size"):
        size = tuple(config.data[name])
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f"config.data.{name}={size}: expected (height, width) in pixels")
    data = config.data
    for name, pair in (("rooms_frames", data.rooms_frames), ("augmentation.scale", data.augmentation.scale)):
        if len(pair) != 2:
            raise ValueError(f"config.data.{name}={tuple(pair)}: expected two numbers")
