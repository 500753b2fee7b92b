"""What the networks share: residual blocks, the picture pyramid, and the two ways to upscale a map."""

import functools
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdepth.models.conv import Conv

UPSCALINGS = ("bilinear", "up_convolution")
SMALL_INIT = nn.initializers.variance_scaling(0.01, "fan_in", "uniform")  # of a last layer: near its bias at first


def batch_norm(*, train, dtype, name, scale_init=nn.initializers.ones):
    """Batch normalisation, statistics in float32; of a batch that is sharded over devices, those of the whole batch."""
    return nn.BatchNorm(use_running_average=not train, momentum=0.9, dtype=dtype, scale_init=scale_init, name=name)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around an identity, or around a 1x1 projection where the channels change (He et al. 2015).

    The second normalisation starts at scale 0, so that a long series starts as the identity.
    """

    features: int
    dtype: Any = jnp.float32
    blocked_gradient: bool = False

    @nn.compact
    def __call__(self, x, *, train):
        """[B, H, W, C] -> [B, H, W, features]; `train` takes the batch's statistics, otherwise the stored ones."""
        conv = dict(dtype=self.dtype, blocked_gradient=self.blocked_gradient)
        norm = dict(train=train, dtype=self.dtype)
        y = Conv(self.features, 3, name="conv1", **conv)(x)
        y = nn.relu(batch_norm(name="norm1", **norm)(y))
        y = Conv(self.features, 3, name="conv2", **conv)(y)
        y = batch_norm(name="norm2", scale_init=nn.initializers.zeros, **norm)(y)
        if x.shape[-1] != self.features:
            x = Conv(self.features, 1, name="projection", **conv)(x)
        return nn.relu(x + y)


def halve(image):
    """The mean of each 2x2 block: [B, H, W, C] -> [B, H/2, W/2, C], H and W even."""
    b, h, w, c = image.shape
    return image.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))


def double(x):
    """Bilinear interpolation of [B, H, W, C] to [B, 2H, 2W, C], pixel areas aligned, border continued."""
    for axis in (1, 2):
        n = x.shape[axis]
        before = jnp.concatenate(
            [jax.lax.slice_in_dim(x, 0, 1, axis=axis), jax.lax.slice_in_dim(x, 0, n - 1, axis=axis)], axis
        )
        after = jnp.concatenate(
            [jax.lax.slice_in_dim(x, 1, n, axis=axis), jax.lax.slice_in_dim(x, n - 1, n, axis=axis)], axis
        )
        pairs = jnp.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis + 1)
        x = pairs.reshape(*x.shape[:axis], 2 * n, *x.shape[axis + 1 :])
    return x


def continue_border(x, size):
    """Repeat the last row and the last column of [B, h, w, C] up to `size` (H, W).

    Not by `jnp.pad`, whose gradient makes two arrays of zeros as large as x for each axis that nothing is added to.
    """
    for axis, length in zip((1, 2), size, strict=True):
        last = jax.lax.slice_in_dim(x, x.shape[axis] - 1, x.shape[axis], axis=axis)
        x = jnp.concatenate([x] + [last] * (length - x.shape[axis]), axis)
    return x


def max_pool(x, size):
    """The maximum of size x size pixels at stride 2, without padding: [B, H, W, C] -> [B, (H - size) // 2 + 1, .., C].

    As the maximum of shifted copies, first along the rows, then along the columns: on a CPU the gradient takes a
    seventh of the time that it takes with all shifts at once, and less than that of XLA's window.
    Raises ValueError where no window fits.
    """
    for axis, count in zip((1, 2), picture_grid(x).window(size, stride=2)[:2], strict=True):
        shifts = [jax.lax.slice_in_dim(x, i, i + 2 * count - 1, 2, axis) for i in range(size)]
        x = functools.reduce(jnp.maximum, shifts)
    return x


def pad_to_multiple(image, multiple):
    """Continue the border of [B, H, W, C] on all sides until H and W are multiples; returns it and the inverse crop."""
    height, width = image.shape[1:3]
    top, left = (-height % multiple) // 2, (-width % multiple) // 2
    below, right = -height % multiple - top, -width % multiple - left
    padded = jnp.pad(image, ((0, 0), (top, below), (left, right), (0, 0)), mode="edge")
    return padded, lambda x: x[:, top : top + height, left : left + width]


class DepthHead(nn.Module):
    """A 3x3 convolution to a map of log depth around its mean, in float32, upscaled to where it is needed.

    The last bias starts at the training set's mean log depth and the kernel small, so training starts at the mean.
    """

    upscaling: str
    to_finest: int
    to_picture: int
    mean_log_depth: Any
    blocked_gradient: bool

    @nn.compact
    def __call__(self, x):
        """Features [B, h, w, C] -> log depth [B, H, W], and the map without its bias at the finest stride."""
        x = Conv(1, 3, kernel_init=SMALL_INIT, blocked_gradient=self.blocked_gradient, name="conv")(
            x.astype(jnp.float32)
        )
        at_finest = Upscale(self.upscaling, name="to_finest")(x, self.to_finest)
        bias = self.param("bias", nn.initializers.constant(jnp.mean(self.mean_log_depth)), ())
        return Upscale(self.upscaling, name="to_picture")(at_finest, self.to_picture)[..., 0] + bias, at_finest


class Upscale(nn.Module):
    """Upscaling of a map by a power of two, pixel areas aligned (section 6.3, "Upscale Method").

    `bilinear` interpolates and has no parameters. `up_convolution` is one learned linear 4x4 transposed convolution
    of stride 2 for each doubling; it starts as bilinear interpolation with noise, because a random start would scale
    away the mean depth that the network starts from.
    """

    method: str

    @nn.compact
    def __call__(self, x, factor):
        """[B, H, W, C] -> [B, H * factor, W * factor, C]."""
        b, h, w, c = x.shape
        if self.method == "bilinear":
            return jax.image.resize(x, (b, h * factor, w * factor, c), "bilinear")
        for i in range(factor.bit_length() - 1):
            x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
            up = nn.ConvTranspose(c, (4, 4), (2, 2), kernel_init=_noisy_bilinear, dtype=x.dtype, name=f"double{i + 1}")
            x = up(x)[:, 2:-2, 2:-2, :]
        return x


def _noisy_bilinear(key, shape, dtype=jnp.float32):
    """The 4x4 kernel (HWIO) whose transposed convolution doubles a map bilinearly, plus normal noise."""
    taps = jnp.array([1.0, 3.0, 3.0, 1.0]) / 4
    kernel = (taps[:, None] * taps[None, :])[:, :, None, None] * jnp.eye(shape[2])[None, None]
    return (kernel + 0.02 * jax.random.normal(key, shape)).astype(dtype)


class Grid(NamedTuple):
    """Where a map lies on its picture: pixel (i, j) is centred on row first + stride * i, column first + stride * j."""

    height: int
    width: int
    stride: int
    first: float

    def window(self, size, *, stride, padding=0):
        """The grid after a convolution or pooling of `size` pixels. Raises ValueError where none fits."""
        height, width = ((n + 2 * padding - size) // stride + 1 for n in self[:2])
        if min(height, width) < 1:
            of = f"no window of {size} fits a map of {self.height}x{self.width}"
            raise ValueError(f"config.data.crop_size: too small, {of}")
        first = self.first + self.stride * ((size - 1) / 2 - padding)
        return Grid(height, width, self.stride * stride, first)

    def enlarge(self, x, size):
        """A map [B, height, width] interpolated bilinearly at every pixel of the picture [H, W], border continued."""
        rows, columns = ((jnp.arange(n) - self.first) / self.stride for n in size)
        return sample(x, rows, columns)

    def read(self, image):
        """A picture [H, W], or one number for all of it, at the map's centres: [height, width]."""
        image = jnp.asarray(image, jnp.float32)
        if image.ndim == 0:
            return jnp.full((self.height, self.width), image)
        rows, columns = (self.first + self.stride * jnp.arange(n) for n in self[:2])
        return sample(image[None], rows, columns)[0]


def picture_grid(image):
    """The Grid of a picture [B, H, W, C] itself."""
    return Grid(*image.shape[1:3], stride=1, first=0.0)


def sample(x, rows, columns):
    """x [B, h, w, ...] at the crossings of `rows` [H] and `columns` [W], in pixels from the first one's centre.

    Bilinear, with the border continued: [B, H, W, ...].
    """

    def weights(positions, n):
        positions = jnp.clip(positions, 0, n - 1)
        return jnp.maximum(0, 1 - jnp.abs(positions[:, None] - jnp.arange(n)[None])).astype(x.dtype)

    return jnp.einsum("Hh,bhw...,Ww->bHW...", weights(rows, x.shape[1]), x, weights(columns, x.shape[2]))
