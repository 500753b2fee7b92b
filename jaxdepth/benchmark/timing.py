"""Times functions that take turns, so that other load on the machine affects all of them alike."""

import time

import jax
import jax.numpy as jnp
import numpy as np


def in_turns(functions, *, seconds, min_turns=2, calls=3):
    """Times several functions in turns.

    A turn is one call that is not timed, followed by `calls` timed ones. The untimed call refills the caches and takes
    back the memory that the other functions used meanwhile, which can cost as much as the function's work.

    Args:
      functions: {name: function without arguments that returns when its work is done}.
      seconds: about how long the turns go on.
      min_turns: least number of turns of each function.
      calls: timed calls of a turn.

    Returns:
      {name: float64 [n], seconds of each timed call}.
    """
    times = {name: [] for name in functions}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[next(iter(times))]) < min_turns * calls:
        for name, function in functions.items():
            function()
            for _ in range(calls):
                start = time.perf_counter()
                function()
                times[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in times.items()}


def summary(times, unit=1e3):
    """Median and [first, third] quartile of times in seconds, multiplied by `unit`: by default in milliseconds."""
    lower, median, upper = np.percentile(times, (25, 50, 75)) * unit
    return float(median), [float(lower), float(upper)]


def matrix_product_flops(dtype, *, seconds=3):
    """Floating-point operations per second of a large matrix product in `dtype`: the ceiling for convolutions."""
    size = 2048 if jax.default_backend() == "cpu" else 8192
    matrix = jnp.ones((size, size), dtype)
    product = jax.jit(jnp.dot)
    times = in_turns({"product": lambda: jax.block_until_ready(product(matrix, matrix))}, seconds=seconds)["product"]
    return 2 * size**3 / float(np.median(times))
