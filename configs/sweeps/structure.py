"""The paper's K scales and the pyramid, and how the train gate trains them: NYU's frames from scratch, 10 epochs."""

CONFIG = "../best.py"
COMMON = {
    "initial": "",
    "steps": 860,
    "validate_every": 10,
    "batch_size": 8,
    "ema_decay": 0.998,
    "mirrored": True,
    "data.source": "nyu",
    "data.split": "dev",
    "data.frame_size": (96, 128),
    "data.crop_size": (96, 128),
    "data.augmentation.scale": (0.95, 1.4),
    "data.augmentation.flip": True,
    "data.augmentation.colour": 0.2,
    "data.augmentation.light": 0.2,
    "loss.lam": 0.5,
    "loss.absolute_weight": 0.5,
    "loss.gradient_weight": 0.25,
    "optim.learning_rate": 1.5e-3,
    "optim.weight_decay": 0.05,
}
_KSCALE = {"config": "../kscale.py"}
_ONE = {"gate.stop_gradient": True, "optim.warmup_steps": 30}  # output a step: a phase is shorter than the warm-up
_LONG = {"steps": 3440}
ROWS = {
    "pyramid": {},
    "k-scale": _KSCALE,
    "k-scale without features": _KSCALE | {"model.features": False},
    "k-scale with the gradient through": _KSCALE | {"gate.stop_gradient": False},
    "final loss alone": {"gate.weights": (1.0, 0.0, 0.0, 0.0, 0.0)},
    "gradient stopped": {"gate.stop_gradient": True},
    "gates from coarse to fine": {"gate.name": "coarse_to_fine", "gate.weights": (1.0, 1.0, 1.0, 1.0, 4.0)} | _ONE,
    "gates in a cycle": {"gate.name": "cycle", "gate.weights": ()} | _ONE,
    "width 24": {"model.width": 24, "model.own_width": 20, "model.max_width": 192},
    "three scales": {"model.k": 3, "gate.weights": (1.0, 0.25, 0.25, 0.25)},
    "five scales": {
        "model.k": 5,
        "model.blocks": (2, 2, 2, 2, 2),
        "gate.weights": (1.0, 0.25, 0.25, 0.25, 0.25, 0.25),
    },
    "no dropout": {"model.dropout": 0.0},
    "pyramid in 40 epochs": _LONG,
    "k-scale in 40 epochs": _KSCALE | _LONG,
    "pyramid after rooms": {"initial": "runs/rooms-pyramid"},
    "pyramid after rooms without the sensor": {"initial": "runs/rooms-exact"},
    "k-scale after rooms": _KSCALE | {"initial": "runs/rooms-kscale"},
    "120 x 160": {"data.frame_size": (120, 160), "data.crop_size": (120, 160)},
    "coarsest at half the learning rate": {
        "optim.rules": (
            ("fusion/.*", 1.0, 1.0, "cosine"),
            (r"scale[123]/.*", 1.0, 1.0, "cosine"),
            ("scale4/.*", 0.5, 1.0, "cosine"),
        )
    },
}
