"""Model 1 of the paper (section 5.1): an auto-encoder in place of Eigen's fine part, the coarse map at its bottleneck.

    python launch/train.py --config=configs/autoencoder.py --config.data.path=nyu_depth_v2_labeled.mat

NYU Depth V2, both parts together: the final depth's loss reaches the coarse part, whose map has a loss of its own. On
2 CPU cores a step of 8 takes 2.4 s; 400 steps on `dev` (`--config.data.split=dev --config.steps=400`) gave delta1
.488 under eigen_crop, the coarse map by itself .473, the mean depth image .439. The paper's own is .356 on its split.

"The coarse part is fixed", as the paper says, can also mean its weights. In two phases of equal length, of which the
second leaves them alone:

    python launch/train.py --config=configs/autoencoder.py:phases --config.data.path=nyu_depth_v2_labeled.mat

After 400 steps that gave .459 and .447.
"""

from jaxdepth.config import base


def get_config(arg=""):
    """The settings; `arg` is what stands behind the colon of --config: nothing, or `phases`."""
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
