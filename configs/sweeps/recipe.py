"""What the training of the best network is made of, a row a change: NYU's frames from runs/best-rooms, 20 epochs."""

CONFIG = "../best.py"
COMMON = {"steps": 1720, "validate_every": 10}
ROWS = {
    "as it is": {},
    "from scratch": {"initial": "", "optim.learning_rate": 1.5e-3},
    "rooms mixed in, 1 of 4": {"data.mix": "nyu:3,rooms:1"},
    "lambda 0": {"loss.lam": 0.0},
    "the paper's loss": {"loss.absolute_weight": 0.0, "loss.gradient_weight": 0.0},
    "stopped gradient": {"gate.stop_gradient": True},
    "the fused output's loss alone": {"gate.weights": (1.0, 0.0, 0.0, 0.0, 0.0)},
    "weight decay 0.2": {"optim.weight_decay": 0.2},
    "scale 0.75 to 1.25": {"data.augmentation.scale": (0.75, 1.25)},
}
