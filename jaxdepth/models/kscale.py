"""Model 3 of the paper (section 5.3): K scales, each with its own depth, and a fusion of their outputs."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdepth.errors import InputError
from jaxdepth.models.conv import Conv
from jaxdepth.models.layers import (
    UPSCALINGS,
    DepthHead,
    ResidualBlock,
    Upscale,
    halve,
    normalised,
    pad_to_multiple,
    with_leaf,
)


class KScale(nn.Module):
    """K scales under a train gate.

    Scale 1 sees the image, and each further scale the image of the one before at half the size. A scale reduces its
    image by `finest_stride` in a stem, then applies residual blocks and predicts a log depth map, so scale k works at
    stride finest_stride * 2**(k-1). The concatenation layer joins the K maps, and with `features` also the scales'
    features, at the finest stride; more residual blocks turn them into the final depth.

    Attributes:
      k: number of scales.
      width: channels of scale 1; each coarser scale has twice as many, up to `max_width`.
      max_width: the most channels of a scale.
      blocks: residual blocks of each scale, finest first; at least k numbers, of which the first k are used.
      fusion_blocks: residual blocks after the concatenation.
      finest_stride: stride of scale 1, a power of two.
      upscaling: one of `layers.UPSCALINGS`.
      features: whether the concatenation joins the scales' features beside their maps.
      dtype: compute dtype; parameters, statistics and depth maps are float32.
    """

    k: int
    width: int
    max_width: int
    blocks: tuple
    fusion_blocks: int
    finest_stride: int
    upscaling: str
    features: bool
    dtype: Any = jnp.float32

    @property
    def groups(self):
        """Names of the parameter groups by gate: the fusion is 0, scale k is k."""
        return ("fusion", *(f"scale{i}" for i in range(1, self.k + 1)))

    @property
    def halvings(self):
        """How often the coarsest scale's picture is halved."""
        return self.k - 1

    def setup(self):
        if not 1 <= self.k <= 6:
            raise InputError(f"config.model.k={self.k}: expected 1 to 6 scales")
        if len(self.blocks) < self.k:
            raise InputError(f"config.model.blocks={tuple(self.blocks)}: expected k={self.k} numbers, finest first")
        if self.finest_stride < 1 or self.finest_stride & (self.finest_stride - 1):
            raise InputError(f"config.model.finest_stride={self.finest_stride}: expected a power of two")
        if self.upscaling not in UPSCALINGS:
            raise InputError(f"config.model.upscaling={self.upscaling!r}: expected one of {', '.join(UPSCALINGS)}")
        head = dict(upscaling=self.upscaling, to_picture=self.finest_stride)
        for i in range(self.k):
            scale = Scale(
                features=min(self.width * 2**i, self.max_width),
                blocks=self.blocks[i],
                stride=self.finest_stride,
                head=dict(to_finest=2**i, **head),
                dtype=self.dtype,
            )
            setattr(self, f"scale{i + 1}", scale)
        self.fusion = Fusion(self.width, self.fusion_blocks, head=dict(to_finest=1, **head), dtype=self.dtype)

    def __call__(self, image, *, gate=0, trained=(), stop_gradient=True):
        """Predicts the log depth that a gate selects, and computes only the scales that it needs.

        Args:
          image: float32 [B, H, W, 3] in [0, 1].
          gate: 0 for the fused output, k for scale k's own.
          trained: the groups in training mode; the others use stored statistics.
          stop_gradient: whether the fused output's gradient stops at the concatenation.

        Returns:
          Log depth float32 [B, H, W], and named intermediates: each computed output [B, H, W] by its group's name, and
          `GROUP/LAYER` [B, H/stride, W/stride, C]: `stem`, `block1`, ... and `map` of a scale, `joined`, `block1`, ...
          and `map` of the fusion. A `map` is log depth without its mean, at the finest stride.

        Raises:
          InputError: for a gate outside 0..k, or attributes out of range.
        """
        if not 0 <= gate <= self.k:
            raise InputError(f"gate={gate}: expected 0 (fused) to {self.k} (the coarsest scale)")
        level, crop = pad_to_multiple(image.astype(self.dtype), self.finest_stride * 2 ** (self.k - 1))
        intermediates, maps, features = {}, [], []
        for i in range(1, self.k + 1):
            name = f"scale{i}"
            if gate in (0, i):
                depth, x, layers = getattr(self, name)(level, train=name in trained)
                intermediates |= {name: crop(depth), **{f"{name}/{layer}": value for layer, value in layers.items()}}
                maps.append(layers["map"])
                features.append(x)
            if gate == i:
                return intermediates[name], intermediates
            if i < self.k:
                level = halve(level)
        if stop_gradient:
            maps, features = jax.lax.stop_gradient((maps, features))
        depth, layers = self.fusion(maps, features if self.features else (), train="fusion" in trained)
        intermediates |= {"fusion": crop(depth), **{f"fusion/{layer}": value for layer, value in layers.items()}}
        return intermediates["fusion"], intermediates

    def starting_at(self, variables, log_depth):
        """The variables with all outputs starting at the mean of the log depth image [H, W]."""
        for group in self.groups:
            variables = with_leaf(variables, f"params/{group}/head/bias", jnp.mean(log_depth))
        return variables


class Scale(nn.Module):
    """One scale: a stem down to `stride`, residual blocks, and a depth head with the attributes `head`."""

    features: int
    blocks: int
    stride: int
    head: dict
    dtype: Any

    @nn.compact
    def __call__(self, x, *, train):
        """Maps an image [B, H, W, 3] to log depth [B, H, W], features [B, H/s, W/s, C] and the layers by name."""
        if self.stride == 1:
            conv = Conv(self.features, 3, name="stem1", dtype=self.dtype)
            x = nn.relu(normalised(conv, x, train=train, name="stem_norm1"))
        for i in range(1, self.stride.bit_length()):
            conv = Conv(self.features, 4, stride=2, name=f"stem{i}", dtype=self.dtype)
            x = nn.relu(normalised(conv, x, train=train, name=f"stem_norm{i}"))
        layers = {"stem": x}
        for i in range(1, self.blocks + 1):
            x = layers[f"block{i}"] = ResidualBlock(self.features, self.dtype, name=f"block{i}")(x, train=train)
        depth, layers["map"] = DepthHead(name="head", **self.head)(x)
        return depth, x, layers


class Fusion(nn.Module):
    """The concatenation layer, residual blocks, and the depth head of the final output."""

    features: int
    blocks: int
    head: dict
    dtype: Any

    @nn.compact
    def __call__(self, maps, features, *, train):
        """Fuses the scales' outputs.

        Args:
          maps: of each scale [B, h, w, 1], all at the finest stride.
          features: of each scale i + 1 [B, h / 2**i, w / 2**i, C], or empty.
          train: whether to normalise by batch statistics.

        Returns:
          Log depth [B, H, W] and the layers by name.
        """
        joined = [x.astype(self.dtype) for x in maps]
        for i, x in enumerate(features):
            conv = Conv(self.features, 1, name=f"lateral{i + 1}", dtype=self.dtype)
            x = normalised(conv, x, train=train, name=f"lateral_norm{i + 1}")
            joined.append(Upscale("bilinear")(x, 2**i))
        x = jnp.concatenate(joined, -1)
        layers = {"joined": x}
        for i in range(1, self.blocks + 1):
            x = layers[f"block{i}"] = ResidualBlock(self.features, self.dtype, name=f"block{i}")(x, train=train)
        depth, layers["map"] = DepthHead(name="head", **self.head)(x)
        return depth, layers
