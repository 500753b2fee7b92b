"""StableHLO by `jax.export`: for any size of a batch, on CPUs, NVIDIA's GPUs and TPUs."""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

_PLATFORMS = ("cpu", "cuda", "tpu")


def program_bytes(program):
    """A Program as the bytes that `jax.export.deserialize` reads."""
    (batch,) = export.symbolic_shape("batch")
    image = jax.ShapeDtypeStruct((batch, *program.size, 3), jnp.float32)
    metres = jax.jit(functools.partial(program.metres, program.variables))  # the weights become constants
    return bytes(export.export(metres, platforms=_PLATFORMS)(image).serialize())


def load(path):
    """A file as a function of arrays of numpy, [B, h, w, 3] to metres."""
    exported = export.deserialize(bytearray(pathlib.Path(path).read_bytes()))
    call = jax.jit(exported.call)
    return lambda image: np.asarray(call(image))
