"""What the training of the best network is made of, a row a change: NYU's frames from runs/best-rooms, 10 epochs."""

CONFIG = "../best.py"
COMMON = {"steps": 860, "validate_every": 10, "ema_decay": 0.998}
ROWS = {
    "as it is": {},
    "from scratch": {"initial": "", "optim.learning_rate": 1.5e-3},
    "one in four a room": {"data.mix": "nyu:3,rooms:1"},
    "lambda 0": {"loss.lam": 0.0},
    "the paper's loss alone": {"loss.absolute_weight": 0.0, "loss.gradient_weight": 0.0},
    "weight decay 0.2": {"optim.weight_decay": 0.2},
    "scale from 0.75 to 1.25": {"data.augmentation.scale": (0.75, 1.25)},
    "no light and colour": {"data.augmentation.light": 0.0, "data.augmentation.colour": 0.0},
    "the last weights": {"ema_decay": 0.0},
    "no mirror image": {"mirrored": False},
}
