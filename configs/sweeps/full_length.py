"""The pyramid's recipe at its full length: trained on rooms first, then on NYU's frames.

The first three rows start from the two trainings on rooms of `configs/pyramid.py:rooms` and `:rooms2`, the row with one
round of rooms from the first of them. The results also have a row without settings here: the mean of the
log depths of the first row's two networks.
"""

CONFIG = "../pyramid.py"
COMMON = {"data.split": "dev"}
_ONE_ROUND = {
    "init_from": "runs/pyramid-rooms",
    "steps": 3440,
    "validate_every": 5,
    "data.augmentation.scale": (0.95, 1.4),
    "loss.lam": 0.5,
    "optim.weight_decay": 0.05,
}
ROWS = {
    "the pyramid": {"steps": 8600},
    "no gradient loss": {"steps": 8600, "loss.gradient_weight": 0.0},
    "learning rate 2e-3 and no gradient loss": {
        "steps": 8600,
        "optim.learning_rate": 2e-3,
        "loss.gradient_weight": 0.0,
    },
    "one round of rooms for 40 epochs": _ONE_ROUND,
    "from scratch for 40 epochs": _ONE_ROUND | {"init_from": "", "optim.learning_rate": 1.5e-3},
}
