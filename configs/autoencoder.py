"""Model 1 of the paper (section 5.1): an auto-encoder instead of Eigen's fine part, the coarse map at its bottleneck.

    python launch/train.py --config=configs/autoencoder.py --config.data.split=dev --config.steps=400

trains both parts together on NYU Depth V2: the gradient of the final loss reaches the coarse part, whose map has a loss
of its own. 400 steps of 2.4 s on 2 CPU cores: delta1 .488 under eigen_crop, the coarse map alone .473 (mean depth image
.439). The paper has .356 on its split.

    python launch/train.py --config=configs/autoencoder.py:phases --config.data.split=dev --config.steps=400

trains in two phases of equal length: the coarse part, then the rest with the coarse part frozen. This is the other
reading of the paper's "the coarse part is fixed". It gave .459 and .447.
"""

from jaxdepth.config import base


def get_config(arg=""):
    """The settings. `arg` is what follows the colon of --config: nothing, or `phases`."""
    config = base(arg, variants=("phases",))
    config.model = dict(name="autoencoder", width=1.0, dropout=0.5, dtype="float32")
    config.gate = dict(name="joint", weights=(), stop_gradient=False)
    config.optim = dict(
        name="adamw",
        learning_rate=1e-3,
        rules=(
            (r"coarse/.*", 0.1, 1.0, "cosine"),
            (r"autoencoder/.*", 1.0, 1.0, "cosine"),
        ),
        warmup_steps=100,
        weight_decay=0.01,
        clip_norm=1.0,
    )
    if arg == "phases":
        config.gate.update(name="coarse_to_fine", stop_gradient=True)
    return config
