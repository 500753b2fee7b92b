"""Times of functions that take turns, so that what else the machine does meets all of them alike."""

import time

import jax
import jax.numpy as jnp
import numpy as np


def in_turns(functions, *, seconds, least=2, calls=3):
    """Seconds of each call: {name: function of nothing that returns when its work is done} -> {name: float64 [n]}.

    A turn is one call that is not timed and `calls` that are: the first takes back the memory and the caches that the
    others had meanwhile, which can cost as much as its work. There are at least `least` turns of each, and more until
    about `seconds` are over.
    """
    times = {name: [] for name in functions}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[next(iter(times))]) < least * calls:
        for name, function in functions.items():
            function()
            for _ in range(calls):
                start = time.perf_counter()
                function()
                times[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in times.items()}


def summary(times, unit=1e3):
    """Median and quartiles of some times, in milliseconds unless `unit` says otherwise."""
    lower, median, upper = np.percentile(times, (25, 50, 75)) * unit
    return float(median), [float(lower), float(upper)]


def matrix_product_flops(dtype, *, seconds=3):
    """Floating-point operations a second of one large matrix product: what convolutions could reach at best."""
    size = 2048 if jax.default_backend() == "cpu" else 8192
    matrix = jnp.ones((size, size), dtype)
    product = jax.jit(jnp.dot)
    times = in_turns({"product": lambda: jax.block_until_ready(product(matrix, matrix))}, seconds=seconds)["product"]
    return 2 * size**3 / float(np.median(times))
