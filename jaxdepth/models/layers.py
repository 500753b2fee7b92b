"""What the networks share: residual blocks, the picture pyramid, and the two ways to upscale a map."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdepth.models.conv import Conv

UPSCALINGS = ("bilinear", "up_convolution")


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
    mean_log_depth: float
    blocked_gradient: bool

    @nn.compact
    def __call__(self, x):
        """Features [B, h, w, C] -> log depth [B, H, W], and the map without its bias at the finest stride."""
        small = nn.initializers.variance_scaling(0.01, "fan_in", "uniform")
        x = Conv(1, 3, kernel_init=small, blocked_gradient=self.blocked_gradient, name="conv")(x.astype(jnp.float32))
        at_finest = Upscale(self.upscaling, name="to_finest")(x, self.to_finest)
        bias = self.param("bias", nn.initializers.constant(self.mean_log_depth), ())
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
