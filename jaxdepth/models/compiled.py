"""Compiled forward passes: on x86 CPUs with the convolutions of oneDNN or Eigen instead of XLA's default.

By default XLA gives convolutions on CPUs to YNNPACK. Here jax 0.12 gives them to oneDNN, if compiled programs are not
kept for the next start (`jax_compilation_cache_dir`), else to Eigen: it crashes when it writes a program with calls of
oneDNN. jax 0.10, whose wheels are without oneDNN, takes Eigen. docs/speed.md has the times. Training steps, which spend
theirs in the gradients of `conv`, gain 0 to 7 % and keep the default.
"""

import functools
import platform

import jax
import jax.numpy as jnp

_EIGEN = {"xla_cpu_experimental_ynn_fusion_type": ""}
_ONEDNN = _EIGEN | {"xla_cpu_experimental_onednn_custom_call": True}


def jit(function, **options):
    """`jax.jit` for a function without gradients, such as a prediction, that no other compiled function calls.

    Args:
      function: of arrays.
      **options: of `jax.jit`.

    Returns:
      The compiled function.
    """
    keeps_programs = bool(jax.config.jax_compilation_cache_dir)
    return jax.jit(function, compiler_options=_supported(keeps_programs), **options)


@functools.cache
def _supported(keeps_programs):
    """The options where they apply: on x86 CPUs, if this version of XLA has them; else None."""
    if jax.default_backend() != "cpu" or platform.machine().lower() not in ("x86_64", "amd64"):
        return None
    options = _EIGEN if keeps_programs else _ONEDNN
    try:
        jax.jit(jnp.negative, compiler_options=options)(0.0)
    except jax.errors.JaxRuntimeError:  # no such option
        return None
    return options
