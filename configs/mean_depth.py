"""The baseline: the mean depth image of the training frames, by the same commands as the networks.

    python launch/train.py --config=configs/mean_depth.py --config.data.split=dev

takes seconds. NYU Depth V2, split `dev`, under eigen_crop: delta1 .439.
"""

from jaxdepth.config import base


def get_config(arg=""):
    """The settings. Nothing may follow the colon of --config."""
    config = base(arg)
    config.steps = 1
    config.model = dict(name="mean_depth", dtype="float32")
    config.gate = dict(name="joint", weights=(), stop_gradient=True)
    config.optim = dict(name="sgd", learning_rate=0.0, rules=(), warmup_steps=0, weight_decay=0.0, clip_norm=1.0)
    return config
