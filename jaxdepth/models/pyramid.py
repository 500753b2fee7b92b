"""K scales as a feature pyramid: the room as a whole first, then each finer scale on top of the coarser one."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdepth.errors import InputError
from jaxdepth.models.conv import Conv
from jaxdepth.models.layers import (
    SMALL_INIT,
    ResidualBlock,
    batch_norm,
    double,
    halve,
    normalised,
    pad_to_multiple,
    with_leaf,
)


class Pyramid(nn.Module):
    """K scales under a train gate that build on each other.

    In `KScale` every scale has only the image, so the finer ones see patches of a room. Here the coarsest scale runs
    the image through all strides (residual blocks, halved from one stride to the next) and predicts the room as a
    whole; every finer scale joins its features with the image's at its own stride, and corrects the coarser depth. The
    concatenation layer joins the K maps and the finest features; residual blocks follow.

    A pyramid can grow by the idea of section 5.3, that a scale's input is the down-sampled version of the one before.
    Of a grown one the `grown` finest scales are new: each has a stem of its own, scale 1 for the picture, scale 2 for
    the picture halved, and so on. Below them stands the smaller pyramid, which sees the picture halved `halvings`
    times, and keeps its fusion, as a part of what was its scale 1. All corrections of depth start at 0, so a pyramid
    that has taken over a smaller one's weights starts with its depth; see `training.growth`.

    Attributes:
      k: number of scales; scale k works at stride finest_stride * 2**(k-1).
      width: channels of the image's features at scale 1's stride; each coarser stride has twice as many, to
        `max_width`.
      max_width: the most channels.
      blocks: residual blocks of the image's features, finest first; at least k numbers, of which the first k are used.
      own_width: channels of scale 1's own features; each coarser scale has twice as many, to `max_width`.
      own_blocks: residual blocks of each scale's own features, and of the fusion.
      dropout: share of the coarsest features' channels that a training step drops.
      dtype: compute dtype; parameters, statistics and depth maps are float32.
      finest_stride: stride of scale 1, a power of two from 2 on.
      grown: number of new scales, at most k - 2.
      halvings: how often the smaller pyramid's picture is halved, at most `grown` times.
    """

    k: int
    width: int
    max_width: int
    blocks: tuple
    own_width: int
    own_blocks: int
    dropout: float
    dtype: Any = jnp.float32
    finest_stride: int = 4
    grown: int = 0
    halvings: int = 0

    @property
    def groups(self):
        """Names of the parameter groups by gate: the fusion is 0, scale k is k."""
        return ("fusion", *(f"scale{i}" for i in range(1, self.k + 1)))

    def setup(self):
        if not 2 <= self.k <= 6:
            raise InputError(f"config.model.k={self.k}: expected 2 to 6 scales")
        if len(self.blocks) < self.k:
            raise InputError(f"config.model.blocks={tuple(self.blocks)}: expected k={self.k} numbers, finest first")
        if not 0 <= self.dropout < 1:
            raise InputError(f"config.model.dropout={self.dropout}: expected 0 <= dropout < 1")
        if self.finest_stride < 2 or self.finest_stride & (self.finest_stride - 1):
            raise InputError(f"config.model.finest_stride={self.finest_stride}: expected a power of two from 2 on")
        if not 0 <= self.grown <= self.k - 2:
            raise InputError(f"config.model.grown={self.grown}: expected 0 to k - 2 = {self.k - 2}")
        if not 0 <= self.halvings <= self.grown:
            raise InputError(f"config.model.halvings={self.halvings}: expected 0 to grown = {self.grown}")
        widths = [min(self.width * 2**i, self.max_width) for i in range(self.k)]
        own = [min(self.own_width * 2**i, self.max_width) for i in range(self.k)]
        stem = self.finest_stride.bit_length() - 1  # how often scale 1's stem halves the picture
        common = dict(dtype=self.dtype, head_init=nn.initializers.zeros if self.grown else SMALL_INIT)
        for i in range(self.k - 1):
            new = dict(stem=stem, stem_width=widths[i], stem_blocks=self.blocks[i]) if i < self.grown else {}
            scale = Scale(own[i], self.own_blocks, fuses=0 < i <= self.grown, **new, **common)
            setattr(self, f"scale{i + 1}", scale)
        coarsest = Coarsest(
            stem=stem + self.grown - self.halvings,
            widths=tuple(widths[self.grown :]),
            blocks=tuple(self.blocks[self.grown : self.k]),
            own_width=own[-1],
            own_blocks=self.own_blocks,
            dropout=self.dropout,
            **common,
        )
        setattr(self, f"scale{self.k}", coarsest)
        self.fusion = Fusion(own[0], self.own_blocks, **common)

    def __call__(self, image, *, gate=0, trained=(), stop_gradient=True):
        """Predicts the log depth that a gate selects, and computes only that output and the coarser scales below it.

        Args:
          image: float32 [B, H, W, 3] in [0, 1].
          gate: 0 for the fused output, k for scale k's own.
          trained: the groups in training mode; the others use no dropout and stored statistics.
          stop_gradient: whether gradients stop wherever one group's features and depth enter another, so that each loss
            reaches its own group only.

        Returns:
          Log depth float32 [B, H, W], and named intermediates: each computed output [B, H, W] by its group's name, and
          `GROUP/LAYER` [B, h, w, C]: `features` and `map` (log depth at its stride) of each scale, `picture1`,
          `picture2`, ... of the coarsest (the image's features at each stride), `joined` and `map` of the fusion.

        Raises:
          InputError: for a gate outside 0..k, or attributes out of range.
        """
        if not 0 <= gate <= self.k:
            raise InputError(f"gate={gate}: expected 0 (fused) to {self.k} (the coarsest scale)")
        stop = jax.lax.stop_gradient if stop_gradient else lambda x: x
        padded, crop = pad_to_multiple(image.astype(self.dtype), self.finest_stride * 2 ** (self.k - 1))

        levels = [padded]
        for _ in range(max(self.halvings, self.grown - 1)):
            levels.append(halve(levels[-1]))
        layers = getattr(self, f"scale{self.k}")(levels[self.halvings], train=f"scale{self.k}" in trained)
        groups = {f"scale{self.k}": layers}
        coarsest, maps = layers, [layers["map"]]
        for i in range(self.k - 1, max(gate, 1) - 1, -1):
            picture = levels[i - 1] if i <= self.grown else coarsest[f"picture{i - self.grown}"]
            coarser = stop((picture, layers["features"], maps))
            layers = groups[f"scale{i}"] = getattr(self, f"scale{i}")(*coarser, train=f"scale{i}" in trained)
            maps.append(layers["map"])
        if gate == 0:
            joined = stop((layers["features"], maps))
            groups["fusion"] = self.fusion(*joined, train="fusion" in trained)
        depths = {group: crop(_to_image(layers["map"], padded.shape)) for group, layers in groups.items()}
        named = {f"{group}/{name}": x for group, layers in groups.items() for name, x in layers.items()}
        return depths[self.groups[gate]], depths | named

    def starting_at(self, variables, log_depth):
        """The variables with all outputs starting at the mean of the log depth image [H, W]."""
        return with_leaf(variables, f"params/scale{self.k}/own/depth/bias", jnp.mean(log_depth)[None])


class Coarsest(nn.Module):
    """The coarsest scale: the image's features at every stride, and the depth of the room as a whole.

    Attributes:
      widths: channels of the image's features at each stride.
      blocks: residual blocks at each stride.
      own_width: channels of the scale's own features.
      own_blocks: residual blocks of the scale's own features.
      dropout: share of the coarsest features' channels that a training step drops.
      dtype: compute dtype.
      head_init: initializer of the last convolution's kernel.
      stem: how often the stem halves the image.
    """

    widths: tuple
    blocks: tuple
    own_width: int
    own_blocks: int
    dropout: float
    dtype: Any
    head_init: Callable
    stem: int

    @nn.compact
    def __call__(self, image, *, train):
        """Maps an image [B, H, W, 3] to `picture1`, `picture2`, ... [B, H/s, W/s, C], `features` and `map`."""
        x, layers = _stem(image, self.widths[0], self.stem, dtype=self.dtype, train=train), {}
        for i, (width, blocks) in enumerate(zip(self.widths, self.blocks, strict=True), start=1):
            x = x if i == 1 else halve(x)
            for j in range(1, blocks + 1):
                x = ResidualBlock(width, self.dtype, name=f"stage{i}_block{j}")(x, train=train)
            layers[f"picture{i}"] = x
        # A pixel's position says much about its depth (as the mean depth image shows), and so does the room as a whole.
        if not self.has_variable("params", "place"):
            self.param("place", nn.initializers.normal(0.02), x.shape[1:])
        position = jax.image.resize(self.get_variable("params", "place"), x.shape[1:], "bilinear")
        room = nn.Dense(x.shape[-1], dtype=self.dtype, name="room")(x.mean((1, 2)))
        x = x + position[None].astype(self.dtype) + room[:, None, None]
        x = nn.Dropout(self.dropout, broadcast_dims=(1, 2), deterministic=not train)(x)
        own = Scale(self.own_width, self.own_blocks, self.dtype, self.head_init, name="own")
        return layers | own(x, train=train)


class Scale(nn.Module):
    """A scale's own features, from the image's at its stride and the coarser scale's, and its depth.

    Its map corrects the coarser scale's map.

    Attributes:
      features: number of channels.
      blocks: number of residual blocks.
      dtype: compute dtype.
      head_init: initializer of the last convolution's kernel.
      stem: how often the stem halves the image; 0 for a scale that takes the image's features from the coarsest.
      stem_width: channels of the stem.
      stem_blocks: residual blocks after the stem.
      fuses: whether a fusion corrects the map, which is that of a smaller pyramid.
    """

    features: int
    blocks: int
    dtype: Any
    head_init: Callable
    stem: int = 0
    stem_width: int = 0
    stem_blocks: int = 0
    fuses: bool = False

    @nn.compact
    def __call__(self, x, coarser=None, maps=(), *, train):
        """Computes the scale's layers.

        Args:
          x: the image's features at the scale's stride [B, h, w, C], or with a stem the image [B, H, W, 3].
          coarser: the coarser scale's features [B, h/2, w/2, D]; None for the coarsest scale.
          maps: of all coarser scales, coarsest first; the last is [B, h/2, w/2, 1].
          train: whether to normalise by batch statistics.

        Returns:
          {"features": [B, h, w, features], "map": log depth [B, h, w, 1]}.
        """
        if self.stem:
            x = _stem(x, self.stem_width, self.stem, dtype=self.dtype, train=train)
            for j in range(1, self.stem_blocks + 1):
                x = ResidualBlock(self.stem_width, self.dtype, name=f"stem_block{j}")(x, train=train)
        x = Conv(self.features, 1, name="lateral", dtype=self.dtype)(x)
        if coarser is not None:
            x = x + double(Conv(self.features, 1, name="coarser", dtype=self.dtype)(coarser))
        x = nn.relu(batch_norm(train=train, dtype=self.dtype, name="norm")(x))
        for j in range(1, self.blocks + 1):
            x = ResidualBlock(self.features, self.dtype, name=f"block{j}")(x, train=train)
        depth = _correction(x, self.head_init) + (double(maps[-1]) if maps else 0.0)
        if self.fuses:
            fusion = Fusion(self.features, self.blocks, self.dtype, self.head_init, name="fusion")
            depth = fusion(x, [*maps, depth], train=train)["map"]
        return {"features": x, "map": depth}


class Fusion(nn.Module):
    """The concatenation layer: all scales' maps at the finest stride beside its features, and residual blocks.

    Attributes:
      features: channels of the residual blocks.
      blocks: number of residual blocks.
      dtype: compute dtype.
      head_init: initializer of the last convolution's kernel.
    """

    features: int
    blocks: int
    dtype: Any
    head_init: Callable

    @nn.compact
    def __call__(self, x, maps, *, train):
        """Fuses the finest features [B, h, w, C] and maps [B, h/2**i, w/2**i, 1], coarsest first."""
        joined = [x]
        for i, coarse in enumerate(reversed(maps)):
            for _ in range(i):
                coarse = double(coarse)
            joined.append(coarse.astype(self.dtype))
        x = joined = jnp.concatenate(joined, -1)
        for j in range(1, self.blocks + 1):
            x = ResidualBlock(self.features, self.dtype, name=f"block{j}")(x, train=train)
        return {"joined": joined, "map": maps[-1] + _correction(x, self.head_init)}


def _stem(image, width, count, *, dtype, train):
    """An image [B, H, W, 3], halved `count` times, as [B, H/s, W/s, width]. Call inside a compact method."""
    x = image
    for i in range(1, count + 1):
        conv = Conv(width, 4, stride=2, name=f"stem{i}", dtype=dtype)
        x = nn.relu(normalised(conv, x, train=train, name=f"stem_norm{i}"))
    return x


def _correction(x, kernel_init):
    """A 3x3 convolution of [B, h, w, C] to float32 [B, h, w, 1], near 0 at first. Call inside a compact method."""
    return Conv(1, 3, name="depth", kernel_init=kernel_init, use_bias=True)(x.astype(jnp.float32))


def _to_image(x, shape):
    """A map [B, h, w, 1] resized bilinearly to the size of an image [B, H, W, C]: [B, H, W]."""
    return jax.image.resize(x, (*shape[:3], 1), "bilinear")[..., 0]
