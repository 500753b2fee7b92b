"""Model 3 of the paper (section 5.3): K scales, each with its own depth, and a fusion of their outputs."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdepth.models.conv import Conv
from jaxdepth.models.layers import UPSCALINGS, DepthHead, ResidualBlock, Upscale, batch_norm, halve, pad_to_multiple


class KScale(nn.Module):
    """K scales under a train gate.

    Scale 1 sees the picture; every further scale sees the picture of the one before it at half the size. A scale brings
    its picture down by `finest_stride` in a stem and sends it through residual blocks to a log depth map, so scale k
    works at stride finest_stride * 2**(k-1). The concatenation layer joins the K maps at the finest stride, with
    `features` the scales' features too; further residual blocks make the final depth of them.

    Attributes:
      k: number of scales.
      width: channels of scale 1; each coarser scale has twice as many, up to `max_width`.
      blocks: residual blocks of each scale, finest first; at least k numbers, of which the first k count.
      fusion_blocks: residual blocks after the concatenation.
      finest_stride: stride of scale 1, a power of two.
      upscaling: `bilinear` or `up_convolution`.
      features: whether the concatenation joins the scales' features beside their maps.
      mean_log_depth: log metres, a number or the picture [H, W] of the training set's, at whose mean every output
        starts.
      dtype: compute dtype; parameters, statistics and depth maps are float32.
      blocked_gradient: see `jaxdepth.models.conv`.
    """

    k: int
    width: int
    max_width: int
    blocks: tuple
    fusion_blocks: int
    finest_stride: int
    upscaling: str
    features: bool
    mean_log_depth: Any = 0.0
    dtype: Any = jnp.float32
    blocked_gradient: bool = False

    @property
    def groups(self):
        """Names of the parameter groups by gate: the fusion is 0, scale k is k."""
        return ("fusion", *(f"scale{i}" for i in range(1, self.k + 1)))

    def setup(self):
        if not 1 <= self.k <= 6:
            raise ValueError(f"config.model.k={self.k}: expected 1 to 6 scales")
        if len(self.blocks) < self.k:
            raise ValueError(f"config.model.blocks={tuple(self.blocks)}: expected k={self.k} numbers, finest first")
        if self.finest_stride < 1 or self.finest_stride & (self.finest_stride - 1):
            raise ValueError(f"config.model.finest_stride={self.finest_stride}: expected a power of two")
        if self.upscaling not in UPSCALINGS:
            raise ValueError(f"config.model.upscaling={self.upscaling!r}: expected one of {', '.join(UPSCALINGS)}")
        compute = dict(dtype=self.dtype, blocked_gradient=self.blocked_gradient)
        head = dict(
            upscaling=self.upscaling,
            to_picture=self.finest_stride,
            mean_log_depth=self.mean_log_depth,
            blocked_gradient=self.blocked_gradient,
        )
        for i in range(self.k):
            scale = Scale(
                features=min(self.width * 2**i, self.max_width),
                blocks=self.blocks[i],
                stride=self.finest_stride,
                head=dict(to_finest=2**i, **head),
                **compute,
            )
            setattr(self, f"scale{i + 1}", scale)
        self.fusion = Fusion(features=self.width, blocks=self.fusion_blocks, head=dict(to_finest=1, **head), **compute)

    def __call__(self, image, *, gate=0, trained=(), stop_gradient=True):
        """The log depth that a gate selects; of the scales, only what it needs is computed.

        Args:
          image: float32 [B, H, W, 3] in [0, 1], any H and W.
          gate: 0 for the fused output, k for scale k's own.
          trained: names of the groups that run in training mode; the others run as in the test (stored statistics).
          stop_gradient: whether the fused output's gradient stops at the concatenation.

        Returns:
          log depth float32 [B, H, W] in log metres, and named intermediates: each computed output [B, H, W] by its
          group's name, and `GROUP/LAYER` [B, H/stride, W/stride, C]: of a scale `stem`, `block1`, .. and `map`, of the
          fusion `joined`, `block1`, .. and `map`; a `map` is log depth around its mean, at the finest stride.

        Raises:
          ValueError: for a gate outside 0..k, or attributes out of range.
        """
        if not 0 <= gate <= self.k:
            raise ValueError(f"gate={gate}: expected 0 (fused) to {self.k} (the coarsest scale)")
        picture, crop = pad_to_multiple(image.astype(self.dtype), self.finest_stride * 2 ** (self.k - 1))
        intermediates, maps, features = {}, [], []
        for i in range(1, self.k + 1):
            name = f"scale{i}"
            if gate in (0, i):
                depth, x, layers = getattr(self, name)(picture, train=name in trained)
                intermediates |= {name: crop(depth), **{f"{name}/{layer}": value for layer, value in layers.items()}}
                maps.append(layers["map"])
                features.append(x)
            if gate == i:
                return intermediates[name], intermediates
            if i < self.k:
                picture = halve(picture)
        if stop_gradient:
            maps, features = jax.lax.stop_gradient((maps, features))
        depth, layers = self.fusion(maps, features if self.features else (), train="fusion" in trained)
        intermediates |= {"fusion": crop(depth), **{f"fusion/{layer}": value for layer, value in layers.items()}}
        return intermediates["fusion"], intermediates


class Scale(nn.Module):
    """One scale: a stem down to `stride`, residual blocks, a depth head."""

    features: int
    blocks: int
    stride: int
    head: dict
    dtype: Any
    blocked_gradient: bool

    @nn.compact
    def __call__(self, x, *, train):
        """Picture [B, H, W, 3] -> log depth [B, H, W], features [B, H/s, W/s, C], the layers by name."""
        compute = dict(dtype=self.dtype, blocked_gradient=self.blocked_gradient)
        if self.stride == 1:
            x = Conv(self.features, 3, name="stem1", **compute)(x)
            x = nn.relu(batch_norm(train=train, dtype=self.dtype, name="stem_norm1")(x))
        for i in range(1, self.stride.bit_length()):
            x = Conv(self.features, 4, stride=2, name=f"stem{i}", **compute)(x)
            x = nn.relu(batch_norm(train=train, dtype=self.dtype, name=f"stem_norm{i}")(x))
        layers = {"stem": x}
        for i in range(self.blocks):
            x = layers[f"block{i + 1}"] = ResidualBlock(self.features, name=f"block{i + 1}", **compute)(x, train=train)
        depth, layers["map"] = DepthHead(name="head", **self.head)(x)
        return depth, x, layers


class Fusion(nn.Module):
    """The concatenation layer and the residual blocks that make the final depth."""

    features: int
    blocks: int
    head: dict
    dtype: Any
    blocked_gradient: bool

    @nn.compact
    def __call__(self, maps, features, *, train):
        """Maps [B, h, w, 1] each, features [B, h / 2**i, w / 2**i, C] of scale i + 1 or none -> log depth, layers."""
        compute = dict(dtype=self.dtype, blocked_gradient=self.blocked_gradient)
        joined = [x.astype(self.dtype) for x in maps]
        for i, x in enumerate(features):
            x = Conv(self.features, 1, name=f"lateral{i + 1}", **compute)(x)
            x = batch_norm(train=train, dtype=self.dtype, name=f"lateral_norm{i + 1}")(x)
            joined.append(Upscale("bilinear")(x, 2**i))
        x = jnp.concatenate(joined, -1)
        layers = {"joined": x}
        for i in range(self.blocks):
            x = layers[f"block{i + 1}"] = ResidualBlock(self.features, name=f"block{i + 1}", **compute)(x, train=train)
        depth, layers["map"] = DepthHead(name="head", **self.head)(x)
        return depth, layers
