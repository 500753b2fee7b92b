"""Changes of the pyramid's training, one in each row: 10 epochs on NYU's frames, from runs/pyramid-rooms.

COMMON has the settings of configs/pyramid.py before this sweep, which has adopted some of the changes since. The
results also have rows of changes that did not help and whose code was removed.
"""

CONFIG = "../pyramid.py"
COMMON = {
    "init_from": "runs/pyramid-rooms",
    "steps": 860,
    "validate_every": 10,
    "ema_decay": 0.998,
    "data.augmentation.scale": (0.95, 1.4),
    "loss.lam": 0.5,
    "optim.weight_decay": 0.05,
}
ROWS = {
    "as it is": {},
    "from scratch": {"init_from": "", "optim.learning_rate": 1.5e-3},
    "one in four a room": {"data.mix": "nyu:3,rooms:1", "steps": 1147},  # NYU's frames as often as in the first row
    "half the frames rooms": {"data.mix": "nyu:1,rooms:1", "steps": 1720},
    "twice as long": {"steps": 1720},
    "learning rate 5e-4": {"optim.learning_rate": 5e-4},
    "learning rate 2e-3": {"optim.learning_rate": 2e-3},
    "constant learning rate": {
        "optim.rules": (("fusion/.*", 1.0, 1.0, "constant"), (r"scale\d+/.*", 1.0, 1.0, "constant"))
    },
    "SGD at 0.02": {"optim.name": "sgd", "optim.learning_rate": 0.02, "optim.weight_decay": 1e-4},
    "weight decay 0.2": {"optim.weight_decay": 0.2},
    "no dropout": {"model.dropout": 0.0},
    "dropout 0.3": {"model.dropout": 0.3},
    "the last weights": {"ema_decay": 0.0},
    "no mirror image": {"flip_tta": False},
    "lambda 0": {"loss.lam": 0.0},
    "lambda 0.85": {"loss.lam": 0.85},
    "the paper's loss alone": {"loss.absolute_weight": 0.0, "loss.gradient_weight": 0.0},
    "no gradient loss": {"loss.gradient_weight": 0.0},
    "twice the gradient loss": {"loss.gradient_weight": 0.5},
    "scale from 0.75 to 1.25": {"data.augmentation.scale": (0.75, 1.25)},
    "no flip": {"data.augmentation.flip": False},
    "no light and colour": {"data.augmentation.light": 0.0, "data.augmentation.colour": 0.0},
}
