r"""The paper's K scales, the pyramid, and schedules of the train gate: 10 epochs on NYU's frames, from scratch.

Some rows start from 1200 steps on rooms:

    python launch/train.py --config=configs/pyramid.py:rooms --workdir=runs/rooms-pyramid --config.steps=1200 \
        '--config.data.rooms_frames=(4000,50)'
    python launch/train.py --config=configs/kscale.py --workdir=runs/rooms-kscale --config.steps=1200 \
        '--config.data.rooms_frames=(4000,50)' --config.data.source=rooms --config.data.sensor=True \
        '--config.data.frame_size=(96,128)' '--config.data.crop_size=(96,128)' --config.data.augmentation.flip=True \
        '--config.data.augmentation.scale=(.95,1.4)' --config.data.augmentation.colour=.2 --config.batch_size=16 \
        --config.data.augmentation.light=.2 --config.loss.absolute_weight=.5 --config.loss.gradient_weight=.25 \
        --config.ema_decay=.998 --config.flip_tta=True --config.optim.learning_rate=2e-3 \
        --config.optim.warmup_steps=300 --config.optim.weight_decay=.05

The first command with --config.data.sensor=False makes runs/rooms-plain. The results also have a row with group
normalisation, whose code was removed.
"""

CONFIG = "../pyramid.py"
COMMON = {
    "init_from": "",
    "steps": 860,
    "validate_every": 10,
    "batch_size": 8,
    "ema_decay": 0.998,
    "flip_tta": True,
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
_FINAL = {"gate.weights": (1.0, 0.0, 0.0, 0.0, 0.0)}
_ONE = {"gate.stop_gradient": True, "optim.warmup_steps": 30}  # one output a step; the warm-up fits into a phase
_PHASES = {"gate.name": "coarse_to_fine", "gate.weights": (1.0, 1.0, 1.0, 1.0, 4.0)} | _ONE
_CYCLE = {"gate.name": "cycle", "gate.weights": ()} | _ONE
ROWS = {
    "pyramid": {},
    "k-scale": _KSCALE,
    "k-scale without features": _KSCALE | {"model.features": False},
    "k-scale with up-convolutions": _KSCALE | {"model.upscaling": "up_convolution"},
    "k-scale with the gradient through": _KSCALE | {"gate.stop_gradient": False},
    "k-scale with the final loss alone": _KSCALE | _FINAL | {"gate.stop_gradient": False},
    "k-scale from coarse to fine": _KSCALE | _PHASES,
    "k-scale in a cycle": _KSCALE | _CYCLE,
    "final loss alone": _FINAL,
    "all losses alike": {"gate.weights": (1.0, 1.0, 1.0, 1.0, 1.0)},
    "gradient stopped": {"gate.stop_gradient": True},
    "gates from coarse to fine": _PHASES,
    "gates in a cycle": _CYCLE,
    "width 24": {"model.width": 24, "model.own_width": 20, "model.max_width": 192},
    "one residual block a stage": {"model.blocks": (1, 1, 1, 1)},
    "three scales": {"model.k": 3, "gate.weights": (1.0, 0.25, 0.25, 0.25)},
    "five scales": {
        "model.k": 5,
        "model.blocks": (2, 2, 2, 2, 2),
        "gate.weights": (1.0, 0.25, 0.25, 0.25, 0.25, 0.25),
    },
    "pyramid after rooms": {"init_from": "runs/rooms-pyramid"},
    "k-scale after rooms": _KSCALE | {"init_from": "runs/rooms-kscale"},
    "pyramid after rooms without the sensor": {"init_from": "runs/rooms-plain"},
    "120 x 160": {"data.frame_size": (120, 160), "data.crop_size": (120, 160)},
    "coarsest at half the learning rate": {
        "optim.rules": (
            ("fusion/.*", 1.0, 1.0, "cosine"),
            (r"scale[123]/.*", 1.0, 1.0, "cosine"),
            ("scale4/.*", 0.5, 1.0, "cosine"),
        )
    },
}
