"""Model 2 of the paper (section 5.2): a residual coarse part, then Eigen's fully connected layers and fine part.

    python launch/train.py --config=configs/residual_coarse.py --config.data.split=dev --config.steps=600

trains on NYU Depth V2 for 20 minutes on 2 CPU cores: delta1 .453 and abs_rel .320 under eigen_crop, the coarse map
alone .454 and .328 (mean depth image .439 and .358). The paper has delta1 .43 on its split.
"""

from jaxdepth.config import base


def get_config(arg=""):
    """The settings. Nothing may follow the colon of --config."""
    config = base(arg)
    config.model = dict(name="residual_coarse", width=1.0, dropout=0.5, dtype="float32")
    config.gate = dict(name="joint", weights=(), stop_gradient=True)
    config.optim = dict(
        name="adamw",
        learning_rate=1e-3,
        rules=(
            (r"coarse/full\d/.*", 0.1, 1.0, "cosine"),
            (r"coarse/.*", 0.5, 1.0, "cosine"),
            (r"fine/.*", 1.0, 1.0, "cosine"),
        ),
        warmup_steps=100,
        weight_decay=0.01,
        clip_norm=1.0,
    )
    return config
