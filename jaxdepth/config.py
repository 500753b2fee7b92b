"""The settings of a run: what every file in `configs/` starts from, and what is out of range."""

import importlib.util
import runpy

import ml_collections
from absl import logging
from ml_collections.config_dict import placeholder

from jaxdepth.errors import InputError
from jaxdepth.geometry.depth import MAX_DEPTH, check_range
from jaxdepth.runs.upgrade import RENAMED


def base(arg="", *, variants=()):
    """The settings that all configs share: data, loss and length. `model`, `gate` and `optim` are each config's own.

    Args:
      arg: what follows the colon of --config.
      variants: what it may be, besides nothing.

    Returns:
      A ConfigDict.

    Raises:
      InputError: if `arg` is not allowed.
    """
    if arg not in ("", *variants):
        raise InputError(f"--config=FILE.py:{arg}: expected {' or '.join(['nothing', *variants])} after the colon")
    config = ml_collections.ConfigDict()
    config.seed = 0
    config.batch_size = 8
    config.accumulate = 1  # microbatches per step
    config.model_parallel = 1  # devices that share one copy of the large fully connected layers
    config.rematerialise = False  # saves memory, costs time
    config.ema_decay = 0.0  # of a moving average of the weights, which is then evaluated; 0: none
    config.flip_tta = False  # predict the mean over the image and its mirror image (flip test-time augmentation)
    config.init_from = placeholder(str)  # workdir of a run whose weights this one starts from
    config.epochs = 60
    config.steps = placeholder(int)  # overrides epochs

    config.data = data = ml_collections.ConfigDict()
    data.source = "auto"
    data.path = placeholder(str)
    data.split = "paper"
    data.depth = "filled"  # NYU's depth; "raw" has the sensor's holes
    data.batches = "auto"  # tfdata, device
    data.invalid = ()  # depths in metres that stand for "nothing seen", such as 65.535
    data.max_depth = MAX_DEPTH  # metres; depth beyond it counts nowhere, and no prediction exceeds it
    data.frame_size = (240, 320)
    data.crop_size = (228, 304)
    data.rooms_frames = (2000, 200)  # train, val
    data.mix = ""  # weights of the source and of endless rooms in each batch, such as "nyu:1,rooms:1"
    data.sensor = False  # whether rooms are seen through a sensor: noise, holes, blur
    data.folder = folder = ml_collections.ConfigDict()  # for data.source=folder, see `open_folder`
    folder.image = placeholder(str)
    folder.depth = placeholder(str)
    folder.depth_scale = placeholder(float)
    folder.intrinsics = placeholder(tuple)
    data.augmentation = ml_collections.ConfigDict(
        dict(scale=(0.75, 1.25), rotation=5.0, flip=False, colour=0.0, light=0.0)  # section 3.2 of the paper
    )

    config.loss = ml_collections.ConfigDict(dict(lam=0.5, absolute_weight=0.0, gradient_weight=0.0))

    config.validate_every = 1  # epochs
    config.log_every = 20  # steps
    config.checkpoint_every = 500  # steps, besides each validation
    config.max_skipped_steps = 10  # so many in a row that are not finite end the run
    config.keep_every = placeholder(int)  # steps whose checkpoints are kept besides the last and the best
    config.panel_frames = 4
    config.tensorboard = False  # also write metrics and pictures for TensorBoard
    return config


def load(path, argument=""):
    """Loads a config file such as `configs/kscale.py`; `argument` is what follows the colon of --config."""
    return runpy.run_path(str(path))["get_config"](argument)


def change(config, changes):
    """Changes settings in place.

    Args:
      config: a ConfigDict.
      changes: {name: value}, with names such as "data.path".

    Raises:
      InputError: for a name that the config does not have, or a value of another type.
    """
    config.lock()
    for name, value in changes.items():
        name = RENAMED.get(name, name)
        try:
            config.update_from_flattened_dict({name: value})
        except (KeyError, TypeError) as error:
            raise InputError(f"config.{name}={value}: {error}") from error


def rename_old(config):
    """Moves settings that a config file has under an earlier version's name to today's, with a warning."""
    for old, new in RENAMED.items():
        if old in config:
            logging.warning("config.%s is now called config.%s", old, new)
            with config.unlocked():
                config[new] = config[old]
                del config[old]


def source_arguments(config, *, source=None, path=None, frame_size=None):
    """The arguments of `selection.open_frames` for a config.

    Args:
      config: a ConfigDict, or the nested dict of a RunRecord.
      source: another source. It is not looked for at the config's path, which belongs to the config's source.
      path: another path.
      frame_size: another frame size.

    Returns:
      A dict of keyword arguments.
    """
    data = config["data"]
    same_source = source in (None, data["source"])
    folder = data["folder"]
    return dict(
        source=source or data["source"],
        path=path or (data["path"] if same_source else None),
        frame_size=tuple(frame_size or data["frame_size"]),
        image=folder["image"],
        depth_files=folder["depth"],
        depth_scale=folder["depth_scale"],
        intrinsics=folder["intrinsics"],
        invalid=tuple(data["invalid"]) if same_source else (),
        max_depth=data["max_depth"],
        rooms_frames=tuple(data["rooms_frames"]),
        sensor=data["sensor"],
        depth=data["depth"] if same_source else "filled",
        seed=config["seed"],
    )


def check(config):
    """Checks the numbers that nothing else would refuse in time.

    Raises:
      InputError: for one out of range.
    """
    counts = ("epochs", "steps", "accumulate", "validate_every", "log_every", "checkpoint_every", "keep_every")
    for name in (*counts, "max_skipped_steps", "panel_frames"):
        if config[name] is not None and config[name] < 1:
            raise InputError(f"config.{name}={config[name]}: expected 1 or more")
    if config.tensorboard and importlib.util.find_spec("tensorboardX") is None:
        raise InputError("config.tensorboard=True needs an extra: pip install 'jaxdepth[tensorboard]'")
    if not 0 <= config.loss.lam <= 1:
        raise InputError(f"config.loss.lam={config.loss.lam}: expected 0 to 1")
    for name in ("absolute_weight", "gradient_weight"):
        if config.loss[name] < 0:
            raise InputError(f"config.loss.{name}={config.loss[name]}: expected 0 or more")
    if not 0 <= config.ema_decay < 1:
        raise InputError(f"config.ema_decay={config.ema_decay}: expected 0 or more, and less than 1")
    for name in ("learning_rate", "warmup_steps", "weight_decay"):
        if config.optim.get(name, 0) < 0:
            raise InputError(f"config.optim.{name}={config.optim[name]}: expected 0 or more")
    if config.optim.get("clip_norm", 1) <= 0:
        raise InputError(f"config.optim.clip_norm={config.optim.clip_norm}: expected more than 0")
    for name in ("frame_size", "crop_size"):
        size = tuple(config.data[name])
        if len(size) != 2 or min(size) < 1:
            raise InputError(f"config.data.{name}={size}: expected (height, width) in pixels")
    data = config.data
    check_range(invalid=data.invalid, max_depth=data.max_depth)
    for name, pair in (("rooms_frames", data.rooms_frames), ("augmentation.scale", data.augmentation.scale)):
        if len(pair) != 2:
            raise InputError(f"config.data.{name}={tuple(pair)}: expected two numbers")
