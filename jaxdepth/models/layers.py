"""Layers that the networks share: residual blocks, the image pyramid, upscaling, and the grids of depth maps."""

import functools
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdepth.errors import InputError
from jaxdepth.models.conv import Conv

UPSCALINGS = ("bilinear", "up_convolution")
SMALL_INIT = nn.initializers.variance_scaling(0.01, "fan_in", "uniform")  # for last layers: outputs start at the bias


def batch_norm(*, train, dtype, name, scale_init=nn.initializers.ones):
    """Batch normalisation with float32 statistics, which are those of the whole batch if it is sharded."""
    return nn.BatchNorm(use_running_average=not train, momentum=0.9, dtype=dtype, scale_init=scale_init, name=name)


def normalised(conv, x, *, train, name, scale_init=nn.initializers.ones):
    """Batch normalisation of a convolution's output.

    With stored statistics the normalisation is folded into the kernel and a bias, which saves a pass over the output: a
    tenth of the K scales' forward pass on a CPU. In bfloat16 a folded kernel would be rounded once more, so there it is
    not.

    Args:
      conv: a `Conv` without a bias.
      x: [B, H, W, C].
      train: whether to normalise by batch statistics.
      name: of the normalisation.
      scale_init: initializer of its scale.

    Returns:
      [B, H', W', features].
    """
    norm = batch_norm(train=train, dtype=conv.dtype, name=name, scale_init=scale_init)
    if train or conv.is_initializing() or conv.dtype != jnp.float32:
        return norm(conv(x))
    mean, variance = (norm.get_variable("batch_stats", statistic) for statistic in ("mean", "var"))
    scale = norm.get_variable("params", "scale") * jax.lax.rsqrt(variance + norm.epsilon)
    return conv(x, affine=(scale, norm.get_variable("params", "bias") - mean * scale))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a skip connection, projected by 1x1 where the channels change (He et al. 2015).

    The second normalisation starts with scale 0, so that a stack of blocks starts as the identity.

    Attributes:
      features: number of output channels.
      dtype: compute dtype.
    """

    features: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x, *, train):
        """Maps [B, H, W, C] to [B, H, W, features]; normalises by batch statistics if `train`, else by stored ones."""
        conv = dict(features=self.features, kernel_size=3, dtype=self.dtype)
        y = nn.relu(normalised(Conv(name="conv1", **conv), x, train=train, name="norm1"))
        scale_init = nn.initializers.zeros
        y = normalised(Conv(name="conv2", **conv), y, train=train, name="norm2", scale_init=scale_init)
        if x.shape[-1] != self.features:
            x = Conv(self.features, 1, name="projection", dtype=self.dtype)(x)
        return nn.relu(x + y)


def halve(image):
    """Mean of each 2x2 block: [B, H, W, C] -> [B, H/2, W/2, C] for even H and W."""
    b, h, w, c = image.shape
    return image.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))


def double(x):
    """Bilinear upsampling of [B, H, W, C] to [B, 2H, 2W, C], with half-pixel centres and replicated borders."""
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


def replicate_border(x, size):
    """Repeats the last row and column of [B, h, w, C] until it has `size` (H, W).

    `jnp.pad` does the same, but for each axis that it leaves alone its gradient makes two arrays of zeros as large as
    x.
    """
    for axis, length in zip((1, 2), size, strict=True):
        last = jax.lax.slice_in_dim(x, x.shape[axis] - 1, x.shape[axis], axis=axis)
        x = jnp.concatenate([x] + [last] * (length - x.shape[axis]), axis)
    return x


def max_pool(x, size):
    """Max pooling with stride 2 and no padding: [B, H, W, C] -> [B, (H - size) // 2 + 1, (W - size) // 2 + 1, C].

    Computed as the maximum of shifted copies, along rows, then along columns: on a CPU its gradient takes a seventh of
    the time that all shifts at once take, and less than that of XLA's window.

    Raises:
      InputError: if no window fits.
    """
    for axis, count in zip((1, 2), image_grid(x).window(size, stride=2)[:2], strict=True):
        shifts = [jax.lax.slice_in_dim(x, i, i + 2 * count - 1, 2, axis) for i in range(size)]
        x = functools.reduce(_maximum, shifts)
    return x


def _maximum(x, y):
    """The maximum, NaN if either is.

    The gradient of `jnp.maximum` compares x with the result, and is lost where XLA rounds x anew in another fusion.
    """
    return jnp.where((x >= y) | (x != x), x, y)


def pad_to_multiple(image, multiple):
    """Replicates the border of [B, H, W, C] on all sides until H and W are multiples of `multiple`.

    Returns:
      The padded image, and a function that crops [B, H', W', ...] back to H x W.
    """
    height, width = image.shape[1:3]
    top, left = (-height % multiple) // 2, (-width % multiple) // 2
    below, right = -height % multiple - top, -width % multiple - left
    padded = jnp.pad(image, ((0, 0), (top, below), (left, right), (0, 0)), mode="edge")
    return padded, lambda x: x[:, top : top + height, left : left + width]


class DepthHead(nn.Module):
    """A 3x3 convolution to a log depth map, computed in float32 and upscaled.

    The kernel starts small, so that the output starts at the bias, which is set to the mean log depth.

    Attributes:
      upscaling: one of UPSCALINGS.
      to_finest: factor from the input to the finest scale.
      to_picture: factor from the finest scale to the image.
    """

    upscaling: str
    to_finest: int
    to_picture: int

    @nn.compact
    def __call__(self, x):
        """Maps [B, h, w, C] to log depth [B, H, W], and the map without its bias at the finest scale [B, h', w', 1]."""
        x = Conv(1, 3, kernel_init=SMALL_INIT, name="conv")(x.astype(jnp.float32))
        at_finest = Upscale(self.upscaling, name="to_finest")(x, self.to_finest)
        bias = self.param("bias", nn.initializers.zeros, ())
        return Upscale(self.upscaling, name="to_picture")(at_finest, self.to_picture)[..., 0] + bias, at_finest


class Upscale(nn.Module):
    """Upscales a map by a power of two, with half-pixel centres (paper, section 6.3, "Upscale Method").

    `bilinear` has no parameters. `up_convolution` is a learned 4x4 transposed convolution of stride 2 for each
    doubling. It starts as bilinear interpolation with noise: a random start would scale away the mean depth that
    training starts from.

    Attributes:
      method: one of UPSCALINGS.
    """

    method: str

    @nn.compact
    def __call__(self, x, factor):
        """Maps [B, H, W, C] to [B, H * factor, W * factor, C]."""
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
    """Where a map lies on its image: pixel (i, j) is centred on row first + stride * i, column first + stride * j."""

    height: int
    width: int
    stride: int
    first: float

    def window(self, size, *, stride, padding=0):
        """The grid after a convolution or pooling with windows of `size` pixels.

        Raises:
          InputError: if no window fits.
        """
        height, width = ((n + 2 * padding - size) // stride + 1 for n in self[:2])
        if min(height, width) < 1:
            raise InputError(
                f"config.data.crop_size is too small: no window of {size} pixels fits a map of "
                f"{self.height}x{self.width}"
            )
        first = self.first + self.stride * ((size - 1) / 2 - padding)
        return Grid(height, width, self.stride * stride, first)

    def upsample(self, x, size):
        """Interpolates a map [B, height, width] at every pixel of the image: [B, H, W] for `size` (H, W)."""
        rows, columns = ((jnp.arange(n) - self.first) / self.stride for n in size)
        return sample(x, rows, columns)

    def read(self, image):
        """Samples an image [H, W] at the centres of the map: [height, width]."""
        rows, columns = (self.first + self.stride * jnp.arange(n) for n in self[:2])
        return sample(jnp.asarray(image, jnp.float32)[None], rows, columns)[0]


def image_grid(image):
    """The Grid of the image [B, H, W, C] itself."""
    return Grid(*image.shape[1:3], stride=1, first=0.0)


def sample(x, rows, columns):
    """Bilinear samples of x [B, h, w, ...] at the crossings of `rows` [H] and `columns` [W]: [B, H, W, ...].

    Positions are in pixels, with 0 at the centre of the first; beyond the border the nearest pixel counts.
    """

    def weights(positions, n):
        positions = jnp.clip(positions, 0, n - 1)
        return jnp.maximum(0, 1 - jnp.abs(positions[:, None] - jnp.arange(n)[None])).astype(x.dtype)

    return jnp.einsum("Hh,bhw...,Ww->bHW...", weights(rows, x.shape[1]), x, weights(columns, x.shape[2]))


def with_leaf(tree, path, value):
    """A copy of nested dicts with another leaf at `path`, such as "scale1/head/bias"."""
    name, _, rest = path.partition("/")
    return {**tree, name: with_leaf(tree[name], rest, value) if rest else value}
