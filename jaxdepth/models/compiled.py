"""Compiled forward passes: on x86 CPUs with the convolutions of oneDNN, or Eigen's, instead of XLA's default.

By default XLA gives convolutions on CPUs to YNNPACK. With the options below jax 0.12 gives them to oneDNN, and jax
0.10, whose wheels are without it, to Eigen. Forward passes of 8 pictures of 304x228 then take .6 to .8 of the time on 2
cores (jax 0.12) and differ by rounding. Training steps, which spend their time in the gradients of `conv`, gain 0 to
7 %, and keep the default.
"""

import functools
import platform

import jax
import jax.numpy as jnp

_OPTIONS = {"xla_cpu_experimental_onednn_custom_call": True, "xla_cpu_experimental_ynn_fusion_type": ""}


def jit(function, **options):
    """`jax.jit` for a function without gradients, such as a prediction.

    Args:
      function: of arrays.
      **options: of `jax.jit`.

    Returns:
      The compiled function.
    """
    return jax.jit(function, compiler_options=_options(), **options)


@functools.cache
def _options():
    """`_OPTIONS` where they apply: on x86 CPUs, if this version of XLA has them; else None."""
    if jax.default_backend() != "cpu" or platform.machine().lower() not in ("x86_64", "amd64"):
        return None
    try:
        jax.jit(jnp.negative, compiler_options=_OPTIONS)(0.0)
    except jax.errors.JaxRuntimeError:  # no such option
        return None
    return _OPTIONS
