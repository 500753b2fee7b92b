"""The networks, by the names that `config.model.name` takes."""

import jax.numpy as jnp

from jaxdepth.models.autoencoder import AutoEncoder
from jaxdepth.models.eigen import Eigen
from jaxdepth.models.kscale import KScale
from jaxdepth.models.mean_depth import MeanDepth
from jaxdepth.models.pyramid import Pyramid
from jaxdepth.models.residual_coarse import ResidualCoarse

NETWORKS = {
    "eigen": Eigen,
    "autoencoder": AutoEncoder,
    "residual_coarse": ResidualCoarse,
    "kscale": KScale,
    "pyramid": Pyramid,
    "mean_depth": MeanDepth,
}
DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


def outputs(network, variables, image, *, mirrored):
    """Log depth of every output, {group: [B, H, W]}, of pictures [B, H, W, 3] in [0, 1].

    `mirrored`: the mean of that and of what the network says of the mirror image.
    """

    def of_groups(image):
        _, named = network.apply(variables, image)
        return {group: named[group] for group in network.groups}

    if not mirrored:
        return of_groups(image)
    return {
        group: (plain + other[:, :, ::-1]) / 2
        for (group, plain), other in zip(of_groups(image).items(), of_groups(image[:, :, ::-1]).values(), strict=True)
    }


def build(name, *, dtype, **arguments):
    """The network `name` with its arguments.

    A network is a linen module with `groups`, the names of its parameter groups by gate, a call
    `(image, *, gate, trained, stop_gradient) -> (log depth [B, H, W], named intermediates)`, and the attributes
    `dtype`, `blocked_gradient` and `mean_log_depth`: log metres, a number or a picture [H, W], at which its outputs
    start, or at whose mean.

    Raises:
      ValueError: for an unknown name, compute dtype or argument.
    """
    if name not in NETWORKS:
        raise ValueError(f"config.model.name={name!r}: expected one of {', '.join(NETWORKS)}")
    if dtype not in DTYPES:
        raise ValueError(f"config.model.dtype={dtype!r}: expected one of {', '.join(DTYPES)}")
    try:
        return NETWORKS[name](dtype=DTYPES[dtype], **arguments)
    except TypeError as error:
        raise ValueError(f"config.model of {name}: {error}") from error
