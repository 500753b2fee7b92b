"""Convolution, with gradients written by hand for CPUs, where XLA computes them slowly.

XLA computes the gradient of a kernel as a convolution whose window is as large as the image, at a tenth to a half of
the forward pass's speed on a CPU, and the input gradient of a strided convolution as a dilated convolution. When a step
is lowered for a CPU, `conv` uses the blocked gradients below instead; they differ from XLA's by rounding only. Other
platforms get XLA's own. Two forward passes are computed in other ways on CPUs, too: to one feature, and wide 3x3.

Measured on 2 cores with batches of 8 in float32, as XLA's time divided by the time here: kernel gradient of 3x3 with 32
channels 1.3 (30x38) to 3.6 (114x152), with 64 channels 2.7 to 4.9, with 128 and 256 channels 1.5 to 2.7; all three
passes of a 1x1 convolution 2.7 to 4.3, of 2x2 with stride 2 1.5 to 2.1, of 4x4 with stride 2 0.9 (3 channels, 114x152)
to 2.4.
"""

import contextlib
import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxdepth.models import winograd

_BLOCK_PIXELS = 1200  # 600 to 2400 are about equal; the whole image at once is up to 4.5x slower
_WIDE_CHANNELS = 48  # where the wide form of _kernel_gradient wins: 0.6x at 32 channels, 1.3x at 48, 1.1x to 1.6x above
_MIN_FEATURES = 16
_MAX_TAPS = 1 << 21  # of _one_feature_conv: with more, it waits for memory
_WINOGRAD_CHANNELS, _WINOGRAD_PIXELS = 256, 1024  # at least; then it takes .7 to .8 of the time of oneDNN's
_xla_gradients = False


def conv(x, kernel, *, strides=(1, 1), padding=((1, 1), (1, 1))):
    """Convolution in NHWC layout. It has no forward-mode derivative, except under `xla_gradients`.

    Args:
      x: [B, H, W, C].
      kernel: [kh, kw, C, D], of the dtype of x.
      strides: (rows, columns).
      padding: zeros ((top, bottom), (left, right)).

    Returns:
      [B, H', W', D].
    """
    strides, padding = tuple(strides), tuple(tuple(pair) for pair in padding)
    if kernel.shape[:2] == strides == (1, 1) and padding == ((0, 0), (0, 0)):
        return jnp.einsum("bhwc,cd->bhwd", x, kernel[0, 0])  # its gradients are single matrix products
    if _xla_gradients:
        return _xla_conv(x, kernel, strides, padding)
    if strides == (1, 1) and (x.shape[1] < kernel.shape[0] or x.shape[2] < kernel.shape[1]):
        return _small_conv(x, kernel, padding)
    return _conv(x, kernel, strides, padding)


@contextlib.contextmanager
def xla_gradients():
    """Traces convolutions without custom gradients: to count FLOPs, compare, or differentiate forward."""
    global _xla_gradients
    before, _xla_gradients = _xla_gradients, True
    try:
        yield
    finally:
        _xla_gradients = before


def _xla_conv(x, kernel, strides, padding):
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _small_conv(x, kernel, padding):
    """Convolution of a map smaller than the kernel, as one product: 24x to 29x faster than XLA's for 2x2 and 2x3."""
    kh, kw, _, d = kernel.shape
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    height, width = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    shifts = [x[:, i : i + height, j : j + width] for i in range(kh) for j in range(kw)]
    return jnp.einsum("bhwc,cd->bhwd", jnp.concatenate(shifts, -1), kernel.reshape(-1, d))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _conv(x, kernel, strides, padding):
    xla = functools.partial(_xla_conv, strides=strides, padding=padding)
    if strides != (1, 1) or x.dtype != jnp.float32:  # bfloat16 would round the parts of both sums
        return xla(x, kernel)
    pixels = math.prod(x.shape[:3])
    if kernel.shape[-1] == 1 and pixels * math.prod(kernel.shape[:2]) <= _MAX_TAPS:
        cpu = _one_feature_conv
    elif kernel.shape[:2] == (3, 3) and min(kernel.shape[2:]) >= _WINOGRAD_CHANNELS and pixels >= _WINOGRAD_PIXELS:
        cpu = winograd.conv
    else:
        return xla(x, kernel)
    return lax.platform_dependent(x, kernel, cpu=functools.partial(cpu, padding=padding), default=xla)


def _forward(x, kernel, strides, padding):
    return _conv(x, kernel, strides, padding), (x, kernel)


def _one_feature_conv(x, kernel, *, padding):
    """Convolution to one feature at stride 1: one product gives all taps of each pixel, then shifted taps add up.

    On a CPU it takes a fifth (5x5, 64 channels) to two thirds (3x3, 32 channels) of the time of oneDNN's.
    """
    kh, kw = kernel.shape[:2]
    taps = jnp.einsum("bhwc,kc->bhwk", x, kernel[..., 0].reshape(kh * kw, -1))
    taps = jnp.pad(taps, ((0, 0), *padding, (0, 0)))
    height, width = taps.shape[1] - kh + 1, taps.shape[2] - kw + 1
    shifts = [taps[:, i : i + height, j : j + width, i * kw + j] for i in range(kh) for j in range(kw)]
    return functools.reduce(jnp.add, shifts)[..., None]


def _backward(strides, padding, residuals, g):
    xla = functools.partial(_xla_backward, strides=strides, padding=padding)
    blocked = functools.partial(_blocked_backward, strides=strides, padding=padding)
    return lax.platform_dependent(*residuals, g, cpu=blocked, default=xla)


_conv.defvjp(_forward, _backward)


def _xla_backward(x, kernel, g, *, strides, padding):
    _, gradients = jax.vjp(functools.partial(_xla_conv, strides=strides, padding=padding), x, kernel)
    return gradients(g)


def _blocked_backward(x, kernel, g, *, strides, padding):
    if strides != (1, 1):
        _, gradients = jax.vjp(functools.partial(_cell_conv, strides=strides, padding=padding), x, kernel)
        return gradients(g)
    x_gradient = _input_gradient(g, kernel, padding)
    # With few features the product is thin: blocks break even from 16 to 16 channels and lose up to 1.5x from 16 to 1;
    # they win 1.3x from 24 to 24 and 2x to 5x from 96 to 24.
    if kernel.shape[-1] >= _MIN_FEATURES:
        return x_gradient, _kernel_gradient(x, g, kernel, padding)
    _, kernel_gradient = jax.vjp(lambda kernel: _xla_conv(x, kernel, strides, padding), kernel)
    return x_gradient, *kernel_gradient(g)


def _input_gradient(g, kernel, padding):
    """Input gradient at stride 1: a convolution with the flipped kernel.

    XLA's own derivative leaves the flip to the convolution's dimension numbers. XLA turns that into its fast
    convolution in the main program, but not inside a loop such as gradient accumulation.
    """
    flipped = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    outside = [
        (size - 1 - before, size - 1 - after) for size, (before, after) in zip(kernel.shape, padding, strict=False)
    ]
    return _xla_conv(g, flipped, (1, 1), outside)


def _cell_conv(x, kernel, *, strides, padding):
    """Strided convolution as one of stride 1 over cells of sy x sx pixels, each folded into sy * sx * C channels.

    Only its gradients are used: as a forward pass it is no faster than XLA's.
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
    return conv(x, kernel, padding=((0, 0), (0, 0)))


def _kernel_gradient(x, g, kernel, padding):
    """Kernel gradient at stride 1: the sum of x[y + i - top, u + j - left] * g[y, u] for each kernel element (i, j).

    Each block of rows, about 1200 pixels of the whole batch, is one matrix product of shifted copies. With few input
    channels all kh * kw shifts are copies of x with pixels innermost, where a shift is a plain copy. With many
    ("wide"), x is shifted by rows and g by columns, which needs fewer copies for the same product.
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
        # The batch remains its own axis up to the product, so that it can stay sharded.
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

    Attributes:
      features: number of output channels.
      kernel_size: rows and columns of the kernel.
      stride: stride of rows and columns.
      use_bias: whether a bias is added.
      dtype: compute dtype; None uses that of the input and the parameters, which are float32.
      padding: zeros on each side, for H' = (H + 2 * padding - kernel_size) // stride + 1. None pads by (kernel_size -
        stride) / 2, which keeps pixels centre-aligned (half-pixel convention): output row i is centred on input rows
        stride * i to stride * (i + 1), and H' = H // stride for H a multiple of the stride.
      kernel_init: initializer of the kernel [kernel_size, kernel_size, C, features].
      bias_init: initializer of the bias [features].
    """

    features: int
    kernel_size: int = 3
    stride: int = 1
    use_bias: bool = False
    dtype: jnp.dtype | None = None
    padding: int | None = None
    kernel_init: nn.initializers.Initializer = nn.initializers.he_uniform()
    bias_init: nn.initializers.Initializer = nn.initializers.zeros

    @nn.compact
    def __call__(self, x, *, affine=None):
        """Applies the convolution.

        Args:
          x: [B, H, W, C].
          affine: (scale [features], shift [features]) that the output is multiplied by and added to, by way of kernel
            and bias; None leaves it as it is.

        Returns:
          [B, H', W', features].

        Raises:
          ValueError: if `padding` is None and the kernel size has no aligned padding: odd with stride 2, even with 1.
        """
        size, stride = self.kernel_size, self.stride
        padding = self.padding
        if padding is None and (size < stride or (size - stride) % 2):
            raise ValueError(
                f"kernel_size={size} with stride={stride}: expected {stride}, {stride + 2}, {stride + 4}, ..."
            )
        kernel = self.param("kernel", self.kernel_init, (size, size, x.shape[-1], self.features), jnp.float32)
        bias = self.param("bias", self.bias_init, (self.features,), jnp.float32) if self.use_bias else None
        if affine is not None:
            scale, shift = affine
            kernel, bias = kernel * scale.reshape(1, 1, 1, -1), shift if bias is None else shift + bias * scale
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        padding = ((((size - stride) // 2 if padding is None else padding),) * 2,) * 2
        y = conv(x, kernel, strides=(stride, stride), padding=padding)
        return y if bias is None else y + bias.reshape(1, 1, 1, -1)
