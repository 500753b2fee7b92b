"""K scales as a feature pyramid: the room as a whole first, then each finer scale on top of the coarser one."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdepth.models.conv import Conv
from jaxdepth.models.layers import SMALL_INIT, ResidualBlock, batch_norm, double, halve, pad_to_multiple

_STRIDE = 4  # of the finest scale


class Pyramid(nn.Module):
    """K scales under a train gate, which pass on what they have found.

    In `KScale` every scale has nothing but the picture, so that the finer ones see patches of a room. Here the coarsest
    scale sends the picture through all strides (residual blocks, halved from one to the next) and says what the room as
    a whole is like; every finer scale joins that with the features of its own stride and adds a correction to the
    coarser depth. The concatenation layer joins the K depths and the finest features; residual blocks follow.

    Attributes:
      k: number of scales; scale k works at stride 4 * 2**(k-1).
      width: channels of the picture's features at scale 1's stride; each coarser one has twice as many, to `max_width`.
      blocks: residual blocks of the picture's features, finest first; at least k numbers, of which the first k count.
      own_width: channels of scale 1's own features; each coarser one has twice as many, to `max_width`.
      own_blocks: residual blocks of each scale's own features, and of the fusion.
      dropout: share of the coarsest features' channels that a training step drops.
      mean_log_depth: log metres, a number or the picture [H, W] of the training set's, at whose mean every output
        starts.
      dtype: compute dtype; parameters, statistics and depth maps are float32.
      blocked_gradient: see `jaxdepth.models.conv`.
    """

    k: int
    width: int
    max_width: int
    blocks: tuple
    own_width: int
    own_blocks: int
    dropout: float
    mean_log_depth: Any = 0.0
    dtype: Any = jnp.float32
    blocked_gradient: bool = False

    @property
    def groups(self):
        """Names of the parameter groups by gate: the fusion is 0, scale k is k."""
        return ("fusion", *(f"scale{i}" for i in range(1, self.k + 1)))

    def setup(self):
        if not 2 <= self.k <= 6:
            raise ValueError(f"config.model.k={self.k}: expected 2 to 6 scales")
        if len(self.blocks) < self.k:
            raise ValueError(f"config.model.blocks={tuple(self.blocks)}: expected k={self.k} numbers, finest first")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"config.model.dropout={self.dropout}: expected 0 <= dropout < 1")
        compute = dict(dtype=self.dtype, blocked_gradient=self.blocked_gradient)
        own = [dict(features=min(self.own_width * 2**i, self.max_width), blocks=self.own_blocks) for i in range(self.k)]
        for i in range(self.k - 1):
            setattr(self, f"scale{i + 1}", Scale(**own[i], **compute))
        coarsest = Coarsest(
            widths=tuple(min(self.width * 2**i, self.max_width) for i in range(self.k)),
            blocks=tuple(self.blocks[: self.k]),
            dropout=self.dropout,
            mean_log_depth=self.mean_log_depth,
            own=own[-1],
            **compute,
        )
        setattr(self, f"scale{self.k}", coarsest)
        self.fusion = Fusion(**own[0], **compute)

    def __call__(self, image, *, gate=0, trained=(), stop_gradient=True):
        """The log depth that a gate selects; only what it needs is computed, which is every coarser scale too.

        Args:
          image: float32 [B, H, W, 3] in [0, 1], any H and W.
          gate: 0 for the fused output, k for scale k's own.
          trained: names of the groups that run in training mode; the others run as in the test (no dropout, stored
            statistics).
          stop_gradient: whether the gradient stops wherever one group's features and depth enter another's, so that
            every loss reaches its own group only.

        Returns:
          log depth float32 [B, H, W] in log metres, and named intermediates: each computed output [B, H, W] by its
          group's name, and `GROUP/LAYER` [B, h, w, C]: of a scale `features` and `map` (log depth at its stride), of
          the coarsest also `picture1`, .. `picturek`, of the fusion `joined` and `map`.

        Raises:
          ValueError: for a gate outside 0..k, or attributes out of range.
        """
        if not 0 <= gate <= self.k:
            raise ValueError(f"gate={gate}: expected 0 (fused) to {self.k} (the coarsest scale)")
        passed_on = jax.lax.stop_gradient if stop_gradient else lambda x: x
        picture, crop = pad_to_multiple(image.astype(self.dtype), _STRIDE * 2 ** (self.k - 1))

        layers = getattr(self, f"scale{self.k}")(picture, train=f"scale{self.k}" in trained)
        groups = {f"scale{self.k}": layers}
        of_picture, maps = layers, [layers["map"]]
        for i in range(self.k - 1, max(gate, 1) - 1, -1):
            coarser = passed_on((of_picture[f"picture{i}"], layers["features"], layers["map"]))
            layers = groups[f"scale{i}"] = getattr(self, f"scale{i}")(*coarser, train=f"scale{i}" in trained)
            maps.append(layers["map"])
        if gate == 0:
            joined = passed_on((layers["features"], maps))
            groups["fusion"] = self.fusion(*joined, train="fusion" in trained)
        depths = {group: crop(_to_picture(layers["map"], picture.shape)) for group, layers in groups.items()}
        named = {f"{group}/{name}": x for group, layers in groups.items() for name, x in layers.items()}
        return depths[self.groups[gate]], depths | named


class Coarsest(nn.Module):
    """The coarsest scale: the picture's features at every stride, and what they say of the room as a whole.

    `own` holds the arguments features and blocks of Scale.
    """

    widths: tuple
    blocks: tuple
    dropout: float
    mean_log_depth: Any
    own: dict
    dtype: Any
    blocked_gradient: bool

    @nn.compact
    def __call__(self, picture, *, train):
        """Picture [B, H, W, 3] -> picture1 .. pictureK [B, H/s, W/s, C], features and map at the last stride."""
        compute = dict(dtype=self.dtype, blocked_gradient=self.blocked_gradient)
        x, layers = picture, {}
        for i in range(1, _STRIDE.bit_length()):
            x = Conv(self.widths[0], 4, stride=2, name=f"stem{i}", **compute)(x)
            x = nn.relu(batch_norm(train=train, dtype=self.dtype, name=f"stem_norm{i}")(x))
        for i, (width, blocks) in enumerate(zip(self.widths, self.blocks, strict=True), start=1):
            x = x if i == 1 else halve(x)
            for j in range(1, blocks + 1):
                x = ResidualBlock(width, name=f"stage{i}_block{j}", **compute)(x, train=train)
            layers[f"picture{i}"] = x
        # Where in the picture a pixel is says much of its depth (the mean depth image), and so does the whole room.
        if not self.has_variable("params", "place"):
            self.param("place", nn.initializers.normal(0.02), x.shape[1:])
        place = jax.image.resize(self.get_variable("params", "place"), x.shape[1:], "bilinear")
        room = nn.Dense(x.shape[-1], dtype=self.dtype, name="room")(x.mean((1, 2)))
        x = x + place[None].astype(self.dtype) + room[:, None, None]
        x = nn.Dropout(self.dropout, broadcast_dims=(1, 2), deterministic=not train)(x)
        return layers | Scale(**self.own, mean_log_depth=self.mean_log_depth, name="own", **compute)(x, train=train)


class Scale(nn.Module):
    """A scale's own features, joined of the picture's at its stride and the coarser scale's, and its depth.

    Its map adds a correction to the coarser scale's, of the coarsest to the mean log depth.
    """

    features: int
    blocks: int
    dtype: Any
    blocked_gradient: bool
    mean_log_depth: Any = 0.0

    @nn.compact
    def __call__(self, x, coarser=None, coarser_map=None, *, train):
        """[B, h, w, C], of the coarser scale [B, h/2, w/2, D] and map [B, h/2, w/2, 1] -> layers features and map."""
        compute = dict(dtype=self.dtype, blocked_gradient=self.blocked_gradient)
        x = Conv(self.features, 1, name="lateral", **compute)(x)
        if coarser is not None:
            x = x + double(Conv(self.features, 1, name="coarser", **compute)(coarser))
        x = nn.relu(batch_norm(train=train, dtype=self.dtype, name="norm")(x))
        for j in range(1, self.blocks + 1):
            x = ResidualBlock(self.features, name=f"block{j}", **compute)(x, train=train)
        before = 0.0 if coarser_map is None else double(coarser_map)
        return {"features": x, "map": before + correction(x, self.mean_log_depth, self.blocked_gradient)}


class Fusion(nn.Module):
    """The concatenation layer: all scales' maps at the finest stride beside its features, and residual blocks."""

    features: int
    blocks: int
    dtype: Any
    blocked_gradient: bool

    @nn.compact
    def __call__(self, x, maps, *, train):
        """Finest features [B, h, w, C], maps from the coarsest [B, h/2**(k-1), ..., 1] to the finest -> layers."""
        compute = dict(dtype=self.dtype, blocked_gradient=self.blocked_gradient)
        joined = [x]
        for i, coarse in enumerate(reversed(maps)):
            for _ in range(i):
                coarse = double(coarse)
            joined.append(coarse.astype(self.dtype))
        x = joined = jnp.concatenate(joined, -1)
        for j in range(1, self.blocks + 1):
            x = ResidualBlock(self.features, name=f"block{j}", **compute)(x, train=train)
        return {"joined": joined, "map": maps[-1] + correction(x, 0.0, self.blocked_gradient)}


def correction(x, mean, blocked_gradient):
    """Features [B, h, w, C] -> [B, h, w, 1] float32, near the mean of `mean` at first. Inside a compact method."""
    bias = nn.initializers.constant(jnp.mean(mean))
    conv = dict(kernel_init=SMALL_INIT, use_bias=True, bias_init=bias, blocked_gradient=blocked_gradient)
    return Conv(1, 3, name="depth", **conv)(x.astype(jnp.float32))


def _to_picture(x, shape):
    """A map [B, h, w, 1] at the size of a picture [B, H, W, C]: [B, H, W], bilinear, pixel areas aligned."""
    return jax.image.resize(x, (*shape[:3], 1), "bilinear")[..., 0]
