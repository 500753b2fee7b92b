"""The networks, by the names that `config.model.name` takes.

Each is a linen module with

  groups: the names of its parameter groups by gate, the final output first.
  __call__(image, *, gate, trained, stop_gradient): the log depth [B, H, W] that the gate selects, and a dict of named
    intermediates, among them each computed output by its group's name.
  starting_at(variables, log_depth): fresh variables whose outputs start at the mean log depth image.
"""

import dataclasses
import math
import reprlib

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
MAX_FEATURES = 1 << 27  # values of the widest features of one image: 512 MiB
# Largest values of attributes. A network may come with the record of others; none takes minutes to build.
_LARGEST = {
    "k": 16,
    "width": 4096,
    "max_width": 4096,
    "blocks": 32,
    "fusion_blocks": 32,
    "own_width": 4096,
    "own_blocks": 32,
    "finest_stride": 64,
    "grown": 16,
    "halvings": 16,
}


def build(name, *, dtype, **arguments):
    """Builds the network `name`.

    Args:
      name: one of NETWORKS.
      dtype: compute dtype, one of DTYPES.
      **arguments: the network's attributes.

    Returns:
      A linen module as described above.

    Raises:
      InputError: for an unknown name, dtype or attribute, or an attribute of another type or out of bounds.
    """
    if name not in NETWORKS:
        raise InputError(f"config.model.name={name!r}: expected one of {', '.join(NETWORKS)}")
    if dtype not in DTYPES:
        raise InputError(f"config.model.dtype={dtype!r}: expected one of {', '.join(DTYPES)}")
    types = {field.name: field.type for field in dataclasses.fields(NETWORKS[name])}
    for attribute, value in arguments.items():
        _check_attribute(attribute, value, types.get(attribute))
    try:
        return NETWORKS[name](dtype=DTYPES[dtype], **arguments)
    except TypeError as error:
        raise InputError(f"config.model of {name}: {error}") from error


def _check_attribute(name, value, expected_type):
    """Raises InputError for a value of another type than a network's attribute has, or one out of bounds."""
    most = _LARGEST.get(name)
    if expected_type is int:
        fits, expected = _is_whole(value, most), f"a whole number from 0 to {most}"
    elif expected_type is tuple:
        fits = isinstance(value, list | tuple) and all(_is_whole(x, most) for x in value)
        expected = f"whole numbers from 0 to {most}"
    elif expected_type is float:
        fits, expected = type(value) in (int, float) and abs(value) <= 64, "a number of at most 64"
    elif expected_type in (bool, str):
        fits = type(value) is expected_type
        expected = {bool: "true or false", str: "text"}[expected_type]
    else:
        return
    if not fits:
        raise InputError(f"config.model.{name}={reprlib.repr(value)}: expected {expected}")


def _is_whole(value, most):
    return type(value) is int and 0 <= value <= most


def check_size(network, size):
    """Checks that one image's features fit into memory.

    Args:
      network: from `build`.
      size: (H, W) of the image.

    Raises:
      InputError: if the widest ones have more than MAX_FEATURES values.
    """
    if hasattr(network, "finest_stride"):
        channels = max(network.width, getattr(network, "own_width", 0)) / max(network.finest_stride, 1) ** 2
    else:
        channels = 16 * getattr(network, "width", 0)  # of the auto-encoder's first layer; Eigen's need less
    if (values := math.prod(size) * channels) > MAX_FEATURES:
        raise InputError(
            f"config.model and config.data.crop_size={tuple(size)}: {values:,.0f} values in the features of one image: "
            f"expected at most {MAX_FEATURES:,}"
        )


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

    @jax.jit  # traced once for both, half a second less to wait for; the compiled program is the same
    def predict(variables, image):
        _, named = network.apply(variables, image)
        return {group: named[group] for group in network.groups}

    if not flip_tta:
        return predict(variables, image)
    plain, mirrored = predict(variables, image), predict(variables, image[:, :, ::-1])
    return {group: (plain[group] + mirrored[group][:, :, ::-1]) / 2 for group in plain}


def count_parameters(params):
    """Number of parameters in a tree of arrays or shapes."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
