"""The networks, by the names that `config.model.name` takes.

Each is a linen module with

  groups: the names of its parameter groups by gate, the final output first.
  __call__(image, *, gate, trained, stop_gradient): the log depth [B, H, W] that the gate selects, and a dict of named
    intermediates, among them each computed output by its group's name.
  starting_at(variables, log_depth): fresh variables whose outputs start at the mean log depth image.
"""

import jax
import jax.numpy as jnp

from jaxdepth.errors import InputError
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


def build(name, *, dtype, **arguments):
    """Builds the network `name`.

    Args:
      name: one of NETWORKS.
      dtype: compute dtype, one of DTYPES.
      **arguments: the network's attributes.

    Returns:
      A linen module as described above.

    Raises:
      InputError: for an unknown name, dtype or attribute.
    """
    if name not in NETWORKS:
        raise InputError(f"config.model.name={name!r}: expected one of {', '.join(NETWORKS)}")
    if dtype not in DTYPES:
        raise InputError(f"config.model.dtype={dtype!r}: expected one of {', '.join(DTYPES)}")
    try:
        return NETWORKS[name](dtype=DTYPES[dtype], **arguments)
    except TypeError as error:
        raise InputError(f"config.model of {name}: {error}") from error


def outputs(network, variables, image, *, flip_tta):
    """Log depth of every output.

    Args:
      network: from `build`.
      variables: {"params", "batch_stats"}.
      image: float32 [B, H, W, 3] in [0, 1].
      flip_tta: flip test-time augmentation: whether to average with the prediction for the mirrored image.

    Returns:
      {group: log depth float32 [B, H, W]}.
    """

    def predict(image):
        _, named = network.apply(variables, image)
        return {group: named[group] for group in network.groups}

    if not flip_tta:
        return predict(image)
    plain, mirrored = predict(image), predict(image[:, :, ::-1])
    return {group: (plain[group] + mirrored[group][:, :, ::-1]) / 2 for group in plain}


def count_parameters(params):
    """Number of parameters in a tree of arrays or shapes."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
