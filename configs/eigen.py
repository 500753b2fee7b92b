"""Eigen, Puhrsch & Fergus 2014, the network that the paper starts from, in its two phases: coarse, then fine.

    python launch/train.py --config=configs/eigen.py --config.data.split=dev --config.steps=1000

trains on NYU Depth V2 for 17 minutes on 2 CPU cores: delta1 .461 under eigen_crop, the coarse map alone .456 (mean
depth image .439).

Momentum, weight decay and the learning rates of the coarse layers, with the factor 5, are the published ones. These
settings differ, as 686 frames train the network from scratch instead of 120,000:

  - batches of 8 instead of 32, the paper's augmentation, no pretrained convolutions, gradients clipped at norm 10;
  - a warm-up and a cosine decay in each phase: with constant rates, and a fine part that starts at random, delta1
    jumped between .38 and .44 from epoch to epoch;
  - a fiftieth of the published rates for the fine layers. They start as the coarse map (`jaxdepth.models.eigen.Fine`),
    with weights so large that at the published rates the loss rises from .12 to .9 within 100 steps.
"""

from jaxdepth.config import base


def get_config(arg=""):
    """The settings. Nothing may follow the colon of --config."""
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
            (r"fine/conv[14]/.*", 2e-5, 1e-4, "cosine"),  # published: 1e-3, and for conv3 1e-2
            (r"fine/conv3/.*", 2e-4, 1e-4, "cosine"),
        ),
        warmup_steps=100,
        weight_decay=1.0,
        clip_norm=10.0,
    )
    return config
