"""The networks, by the names that `config.model.name` takes."""

import jax.numpy as jnp

from jaxdepth.models.kscale import KScale

NETWORKS = {"kscale": KScale}
DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


def build(name, *, dtype, **arguments):
    """The network `name` with its arguments.

    A network is a linen module with `groups`, the names of its parameter groups by gate, and a call
    `(image, *, gate, trained, stop_gradient) -> (log depth [B, H, W], named intermediates)`.

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
