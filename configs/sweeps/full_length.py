"""The recipe of the best network at its full length: NYU's frames from what has seen rooms.

The rows begin with `python launch/train.py --config=configs/best.py:rooms`, the first three with `:rooms2` after it.
What has no row here is in the results only: the mean of the log depths of the first row's two networks.
"""

CONFIG = "../best.py"
COMMON = {"data.split": "dev"}
_BEFORE = {
    "initial": "runs/best-rooms",
    "steps": 3440,
    "validate_every": 5,
    "data.augmentation.scale": (0.95, 1.4),
    "loss.lam": 0.5,
    "optim.weight_decay": 0.05,
}
ROWS = {
    "the best network": {"steps": 8600},
    "no gradient loss": {"steps": 8600, "loss.gradient_weight": 0.0},
    "learning rate 2e-3 and no gradient loss": {
        "steps": 8600,
        "optim.learning_rate": 2e-3,
        "loss.gradient_weight": 0.0,
    },
    "one round of rooms for 40 epochs": _BEFORE,
    "from scratch for 40 epochs": _BEFORE | {"initial": "", "optim.learning_rate": 1.5e-3},
}
