"""Convolution whose gradients are written by hand for the CPU, where XLA computes them slowly.

On a CPU, XLA takes the gradient of a kernel as a convolution with a window as large as the picture, at a tenth to a
half of the forward pass's speed, and the input gradient of a strided convolution as a dilated one.
`blocked_gradient=True` replaces both and changes results by rounding only. It is for the CPU: leave it off elsewhere.

Measured on 2 cores, batch 8, float32, the plain form's time over this one's: kernel gradient of 3x3 with 32 channels
1.3 (30x38) to 3.6 (114x152), with 64 channels 2.7 to 4.9, with 128 and 256 channels 1.5 to 2.7; all three passes
together 2.7 to 4.3 for 1x1, 1.5 to 2.1 for 2x2 stride 2, 0.9 (3 channels, 114x152) to 2.4 for 4x4 stride 2.
"""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

_BLOCK_PIXELS = 1200  # 600 to 2400 differ little; the whole picture at once is up to 4.5 times slower
_WIDE_CHANNELS = 48  # speed of wide over narrow (see _kernel_gradient): .6 at 32 channels, 1.3 at 48, 1.1 to 1.6 above
_MIN_FEATURES = 16


def conv(x, kernel, *, strides=(1, 1), padding=((1, 1), (1, 1)), blocked_gradient=False):
    """Convolve x [B, H, W, C] with kernel [kh, kw, C, D], of the same type, to [B, H', W', D].

    `padding` gives the zeros before and after the rows, then the columns. `blocked_gradient` (for the CPU) computes the
    gradient of the kernel in blocks of rows, each one matrix product with a float32 sum, and the gradients of a strided
    convolution through the convolution of stride 1 on cells of `strides` pixels. It admits no forward-mode derivative.
    """
    strides, padding = tuple(strides), tuple(tuple(pair) for pair in padding)
    if not blocked_gradient:
        return _plain_conv(x, kernel, strides, padding)
    if kernel.shape[:2] == strides == (1, 1) and padding == ((0, 0), (0, 0)):
        return jnp.einsum("bhwc,cd->bhwd", x, kernel[0, 0])  # its derivatives are single products already
    if strides == (1, 1) and (x.shape[1] < kernel.shape[0] or x.shape[2] < kernel.shape[1]):
        return _small_conv(x, kernel, padding)
    return _blocked_conv(x, kernel, strides, padding)


def _plain_conv(x, kernel, strides, padding):
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _small_conv(x, kernel, padding):
    """Of a map that is smaller than the kernel, as one product: 24 to 29 times as fast as XLA's own (2x2, 2x3)."""
    kh, kw, _, d = kernel.shape
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    height, width = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    shifts = [x[:, i : i + height, j : j + width] for i in range(kh) for j in range(kw)]
    return jnp.einsum("bhwc,cd->bhwd", jnp.concatenate(shifts, -1), kernel.reshape(-1, d))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _blocked_conv(x, kernel, strides, padding):
    return _plain_conv(x, kernel, strides, padding)


def _forward(x, kernel, strides, padding):
    return _plain_conv(x, kernel, strides, padding), (x, kernel)


def _backward(strides, padding, residuals, g):
    x, kernel = residuals
    if strides != (1, 1):
        _, gradients = jax.vjp(functools.partial(_cell_conv, strides=strides, padding=padding), x, kernel)
        return gradients(g)
    x_gradient = _input_gradient(g, kernel, padding)
    # With few features the product is thin: from 16 to 16 channels the blocks take as long as the plain form, 16 to
    # 1 up to 1.5 times as long; from 24 to 24 they are 1.3 times as fast, from 96 to 24 twice to five times.
    if kernel.shape[-1] >= _MIN_FEATURES:
        return x_gradient, _kernel_gradient(x, g, kernel, padding)
    _, of_kernel = jax.vjp(lambda kernel: _plain_conv(x, kernel, strides, padding), kernel)
    return x_gradient, *of_kernel(g)


_blocked_conv.defvjp(_forward, _backward)


def _input_gradient(g, kernel, padding):
    """At stride 1: the convolution with the kernel turned round.

    XLA's own derivative is the same but keeps the kernel's order in the convolution's dimension numbers. It brings that
    into the form of its fast convolution in the main program only, and not inside a loop, as over parts of a batch.
    """
    turned = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    beyond = [
        (size - 1 - before, size - 1 - after) for size, (before, after) in zip(kernel.shape, padding, strict=False)
    ]
    return _plain_conv(g, turned, (1, 1), beyond)


def _cell_conv(x, kernel, *, strides, padding):
    """The strided convolution as one of stride 1, on cells of sy x sx pixels that have become sy * sx * C channels.

    Only its gradients are used: as a forward pass it is no faster than the plain form.
    """
    (sy, sx), (kh, kw, c, d) = strides, kernel.shape
    batch, *size, _ = x.shape
    cells_y, cells_x = math.ceil(kh / sy), math.ceil(kw / sx)
    (top, bottom), (left, right) = padding
    rows = (size[0] + top + bottom - kh) // sy + cells_y
    columns = (size[1] + left + right - kw) // sx + cells_x
    zero = jnp.zeros((), x.dtype)
    rest = (rows * sy - size[0] - top, columns * sx - size[1] - left)
    x = lax.pad(x, zero, ((0, 0, 0), (top, rest[0], 0), (left, rest[1], 0), (0, 0, 0)))
    x = x.reshape(batch, rows, sy, columns, sx, c).transpose(0, 1, 3, 2, 4, 5)
    kernel = jnp.pad(kernel, ((0, cells_y * sy - kh), (0, cells_x * sx - kw), (0, 0), (0, 0)))
    kernel = kernel.reshape(cells_y, sy, cells_x, sx, c, d).transpose(0, 2, 1, 3, 4, 5)
    x = x.reshape(batch, rows, columns, sy * sx * c)
    kernel = kernel.reshape(cells_y, cells_x, sy * sx * c, d)
    return conv(x, kernel, padding=((0, 0), (0, 0)), blocked_gradient=True)


def _kernel_gradient(x, g, kernel, padding):
    """Sum of x[y + i - top, u + j - left] * g[y, u] over the pixels, for every kernel element (i, j), at stride 1.

    A block of rows, about 1200 pixels of the whole batch, is one product of shifted copies. Few input channels: all
    kh * kw shifts are copies of x with the pixels innermost, where a shift is a plain copy. Many: row shifts of x and
    column shifts of g, so that fewer copies are made of the same product.
    """
    kh, kw, c, d = kernel.shape
    (top, bottom), (left, right) = padding
    batch, height, width, _ = g.shape
    rows = math.ceil(height / max(1, min(height, round(batch * height * width / _BLOCK_PIXELS))))
    blocks = math.ceil(height / rows)
    extra = blocks * rows - height
    wide = c >= _WIDE_CHANNELS
    zero = jnp.zeros((), x.dtype)
    if wide:
        width = x.shape[2]
        x = lax.pad(x, zero, ((0, 0, 0), (top, bottom + extra, 0), (0, 0, 0), (0, 0, 0)))
        g = lax.pad(g, zero, ((0, 0, 0), (0, extra, 0), (kw - 1 - left, kw - 1 - right, 0), (0, 0, 0)))
    else:
        x = lax.pad(x.transpose(3, 0, 1, 2), zero, ((0, 0, 0), (0, 0, 0), (top, bottom + extra, 0), (left, right, 0)))
        g = lax.pad(g, zero, ((0, 0, 0), (0, extra, 0), (0, 0, 0), (0, 0, 0)))

    def add_block(total, index):
        # The batch stays a dimension of its own up to the product, so that it can stay sharded.
        g_rows = lax.dynamic_slice_in_dim(g, index * rows, rows, axis=1)
        x_rows = lax.dynamic_slice_in_dim(x, index * rows, rows + kh - 1, axis=1 if wide else 2)
        if wide:
            x_shifts = jnp.concatenate([x_rows[:, i : i + rows] for i in range(kh)], axis=-1)
            g_shifts = jnp.concatenate([g_rows[:, :, kw - 1 - j :][:, :, :width] for j in range(kw)], axis=-1)
            product = jnp.einsum("brwm,brwn->mn", x_shifts, g_shifts, preferred_element_type=jnp.float32)
        else:
            shifts = [x_rows[:, :, i : i + rows, j : j + width] for i in range(kh) for j in range(kw)]
            x_shifts = jnp.concatenate(shifts, axis=0)
            product = jnp.einsum("mbrw,brwn->mn", x_shifts, g_rows, preferred_element_type=jnp.float32)
        return total + product, None

    shape = (kh * c, kw * d) if wide else (kh * kw * c, d)
    total, _ = lax.scan(add_block, jnp.zeros(shape, jnp.float32), jnp.arange(blocks))
    total = total.reshape(kh, c, kw, d).transpose(0, 2, 1, 3) if wide else total.reshape(kernel.shape)
    return total.astype(kernel.dtype)


class Conv(nn.Module):
    """Convolution from [B, H, W, C] to [B, H', W', features].

    By default it keeps pixels centre-aligned: both sides are padded by (kernel_size - stride) / 2, so that output pixel
    i is centred on the input rows stride * i to stride * (i + 1) (half-pixel convention), and H' = H // stride, W' =
    W // stride; H and W should be multiples of `stride`. `padding` puts another number of zeros on all sides, and then
    H' = (H + 2 * padding - kernel_size) // stride + 1. The parameters `kernel`
    [k, k, C, features] and `bias` are float32; the computation is in `dtype` (default: that of x and the parameters).
    `blocked_gradient` is for the CPU, see `conv`. Raises ValueError for a kernel size without an aligned padding:
    odd with stride 2, even with stride 1.
    """

    features: int
    kernel_size: int = 3
    stride: int = 1
    use_bias: bool = False
    dtype: jnp.dtype | None = None
    blocked_gradient: bool = False
    padding: int | None = None
    kernel_init: nn.initializers.Initializer = nn.initializers.he_uniform()
    bias_init: nn.initializers.Initializer = nn.initializers.zeros

    @nn.compact
    def __call__(self, x):
        size, stride = self.kernel_size, self.stride
        padding = self.padding
        if padding is None and (size < stride or (size - stride) % 2):
            raise ValueError(
                f"kernel_size={size} with stride={stride}: expected {stride}, {stride + 2}, {stride + 4}, ..."
            )
        kernel = self.param("kernel", self.kernel_init, (size, size, x.shape[-1], self.features), jnp.float32)
        bias = self.param("bias", self.bias_init, (self.features,), jnp.float32) if self.use_bias else None
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        padding = ((((size - stride) // 2 if padding is None else padding),) * 2,) * 2
        y = conv(x, kernel, strides=(stride, stride), padding=padding, blocked_gradient=self.blocked_gradient)
        return y if bias is None else y + bias.reshape(1, 1, 1, -1)
