"""Eigen, Puhrsch & Fergus 2014, the network that the paper starts from, in its two phases: coarse, then fine.

    python launch/train.py --config=configs/eigen.py --config.data.path=nyu_depth_v2_labeled.mat

NYU Depth V2. 600 steps of 8 on `dev` gave delta1 .452 under eigen_crop, the coarse map by itself .444, the mean depth
image .439.

Momentum, learning rates and weight decay of each layer, with the factor 5, are the published ones. Not as published,
for a training from scratch on 686 frames instead of 120,000: batches of 8 instead of 32, the paper's augmentation, no
pretrained convolutions, gradients clipped at a norm of 10, and in each phase a warm-up and a cosine decay. With
constant rates the fine part's delta1 jumped between .38 and .44 from epoch to epoch and ended at .422 (750 steps),
below the mean depth image's .439, on a coarse map of .461.
"""

from jaxdepth.config import base


def get_config(arg=""):
    """The settings; nothing is expected behind the colon of --config."""
    config = base(arg)
    config.model = dict(name="eigen", width=1.0, dropout=0.5, local_response_normalisation=False, dtype="float32")
    config.gate = dict(
        name="coarse_to_fine",
        weights=(1.5, 2.0),  # lengths of the phases: fine, coarse; published as 1.5 and 2 million samples
        stop_gradient=True,
    )
    config.optim = dict(
        name="sgd",
        learning_rate=5.0,
        rules=(
            (r"coarse/conv\d/.*", 1e-3, 5e-4, "cosine"),
            (r"coarse/full\d/.*", 1e-1, 1e-4, "cosine"),
            (r"fine/conv[14]/.*", 2e-5, 1e-4, "cosine"),  # published: 1e-3, and 1e-2
            (r"fine/conv3/.*", 2e-4, 1e-4, "cosine"),
        ),
        warmup_steps=100,
        weight_decay=1.0,
        clip_norm=10.0,
    )
    return config
