"""Convolution with a faster weight gradient for the CPU."""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

_BLOCK_PIXELS = 1200
_WIDE_CHANNELS = 64


def conv(x, kernel, *, strides=(1, 1), padding=((1, 1), (1, 1)), blocked_gradient=False):
    """Convolve x [B, H, W, C] with kernel [kh, kw, C, D] to [B, H', W', D].

    `padding` gives the zeros before and after the rows, then the columns. `blocked_gradient` changes no value, only
    how the gradient of the kernel is computed at stride 1: in blocks of rows, each one matrix product.
    """
    padding = tuple(tuple(pair) for pair in padding)
    if blocked_gradient and tuple(strides) == (1, 1):
        return _blocked_conv(x, kernel, padding)
    return _plain_conv(x, kernel, padding, strides=tuple(strides))


def _plain_conv(x, kernel, padding, *, strides=(1, 1)):
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _blocked_conv(x, kernel, padding):
    return _plain_conv(x, kernel, padding)


def _forward(x, kernel, padding):
    return _plain_conv(x, kernel, padding), (x, kernel)


def _backward(padding, residuals, g):
    x, kernel = residuals
    _, input_gradient = jax.vjp(lambda x: _plain_conv(x, kernel, padding), x)
    return *input_gradient(g), _weight_gradient(x, g, kernel, padding)


_blocked_conv.defvjp(_forward, _backward)


def _weight_gradient(x, g, kernel, padding):
    """Sum over the pixels x[y + i - top, u + j - left] * g[y, u] for every kernel element (i, j), in float32."""
    kh, kw, c, d = kernel.shape
    (top, bottom), (left, right) = padding
    batch, height, width, _ = g.shape
    blocks = min(height, max(1, round(batch * height * width / _BLOCK_PIXELS)))
    rows = math.ceil(height / blocks)
    blocks = math.ceil(height / rows)
    extra = blocks * rows - height
    narrow = c < _WIDE_CHANNELS
    zero = jnp.zeros((), x.dtype)
    if narrow:
        x = lax.pad(x.transpose(3, 0, 1, 2), zero, ((0, 0, 0), (0, 0, 0), (top, bottom + extra, 0), (left, right, 0)))
        g = lax.pad(g, zero, ((0, 0, 0), (0, extra, 0), (0, 0, 0), (0, 0, 0)))
    else:
        width = x.shape[2]
        x = lax.pad(x, zero, ((0, 0, 0), (top, bottom + extra, 0), (0, 0, 0), (0, 0, 0)))
        g = lax.pad(g, zero, ((0, 0, 0), (0, extra, 0), (kw - 1 - left, kw - 1 - right, 0), (0, 0, 0)))

    def add_block(total, index):
        # The batch stays a dimension of its own up to the product, so it can stay sharded.
        g_rows = lax.dynamic_slice_in_dim(g, index * rows, rows, axis=1)
        x_rows = lax.dynamic_slice_in_dim(x, index * rows, rows + kh - 1, axis=2 if narrow else 1)
        if narrow:
            shifts = [x_rows[:, :, i : i + rows, j : j + width] for i in range(kh) for j in range(kw)]
            product = ("mbrw,brwn->mn", jnp.concatenate(shifts, axis=0), g_rows)
        else:
            x_shifts = jnp.concatenate([x_rows[:, i : i + rows] for i in range(kh)], axis=-1)
            g_shifts = jnp.concatenate([g_rows[:, :, kw - 1 - j :][:, :, :width] for j in range(kw)], axis=-1)
            product = ("brwm,brwn->mn", x_shifts, g_shifts)
        return total + jnp.einsum(*product, preferred_element_type=jnp.float32), None

    shape = (kh * kw * c, d) if narrow else (kh * c, kw * d)
    total, _ = lax.scan(add_block, jnp.zeros(shape, jnp.float32), jnp.arange(blocks))
    total = total.reshape(kh, kw, c, d) if narrow else total.reshape(kh, c, kw, d).transpose(0, 2, 1, 3)
    return total.astype(kernel.dtype)


class Conv(nn.Module):
    """Convolution whose output pixels stay centred on the input's: [B, H, W, C] to [B, H // stride, W // stride, features].

    The kernel is padded by (kernel_size - stride) / 2 on each side, so that output pixel i covers input rows
    stride * i to stride * (i + 1) and is centred on them (half-pixel convention). Parameters `kernel` and `bias` are
    float32; `dtype` is the type of the computation. Raises ValueError where no such padding exists.
    """

    features: int
    kernel_size: int = 3
    stride: int = 1
    use_bias: bool = False
    dtype: jnp.dtype | None = None
    blocked_gradient: bool = False
    kernel_init: nn.initializers.Initializer = nn.initializers.he_normal()

    @nn.compact
    def __call__(self, x):
        size, stride = self.kernel_size, self.stride
        if size < stride or (size - stride) % 2:
            raise ValueError(f"kernel_size={size} with stride={stride}: expected {stride} or {stride} plus an even number")
        kernel = self.param("kernel", self.kernel_init, (size, size, x.shape[-1], self.features), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32) if self.use_bias else None
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        pad = (size - stride) // 2
        padding = ((pad, pad), (pad, pad))
        y = conv(x, kernel, strides=(stride, stride), padding=padding, blocked_gradient=self.blocked_gradient)
        return y if bias is None else y + bias.reshape(1, 1, 1, -1)
