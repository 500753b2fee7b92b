"""3x3 convolution by Winograd's algorithm F(2x2, 3x3): 16 multiplications for 4 outputs instead of 36.

Lavin & Gray 2016, section 4.1. The image is cut into overlapping tiles of 4x4 pixels; tiles and kernel are transformed,
multiplied by 16 matrix products, and transformed back to 2x2 outputs. Its rounding errors are up to twice those of the
direct sum.
"""

import itertools

import jax.numpy as jnp
from jax import lax

_TILES = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1))  # B^T
_KERNEL = ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))  # G
_OUTPUT = ((1, 1, 1, 0), (0, 1, -1, -1))  # A^T


def conv(x, kernel, *, padding):
    """Convolution at stride 1, for CPUs, where its slices and sums are fused.

    Args:
      x: [B, H, W, C].
      kernel: [3, 3, C, D].
      padding: zeros ((top, bottom), (left, right)).

    Returns:
      [B, H', W', D].
    """
    batch, *size, channels = x.shape
    height, width = (n + before + after - 2 for n, (before, after) in zip(size, padding, strict=True))
    rows, columns = -(-height // 2), -(-width // 2)
    rest = (2 * rows - height, 2 * columns - width)
    x = jnp.pad(x, ((0, 0), *((a, b + more) for (a, b), more in zip(padding, rest, strict=True)), (0, 0)))
    tiles = [
        lax.slice(x, (0, i, j, 0), (batch, i + 2 * rows - 1, j + 2 * columns - 1, channels), (1, 2, 2, 1))
        for i, j in itertools.product(range(4), range(4))
    ]
    tiles = [part.reshape(-1, channels) for part in _transform(_TILES, tiles)]
    taps = [kernel[i, j] for i, j in itertools.product(range(3), range(3))]
    products = [part @ tap for part, tap in zip(tiles, _transform(_KERNEL, taps), strict=True)]
    outputs = [part.reshape(batch, rows, columns, -1) for part in _transform(_OUTPUT, products)]
    pairs = [jnp.stack(outputs[i : i + 2], 3) for i in (0, 2)]
    return jnp.stack(pairs, 2).reshape(batch, 2 * rows, 2 * columns, -1)[:, :height, :width]


def _transform(matrix, parts):
    """M P M^T, where P is the square of arrays `parts`, row by row: a list of arrays, row by row."""
    return [
        _sum(tuple(a * b for a, b in itertools.product(*pair)), parts) for pair in itertools.product(matrix, matrix)
    ]


def _sum(factors, parts):
    """The sum of factors times parts, without those of factor 0."""
    total = None
    for factor, part in zip(factors, parts, strict=True):
        if factor:
            term = part if factor == 1 else -part if factor == -1 else factor * part
            total = term if total is None else total + term
    return total
