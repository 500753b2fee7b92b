"""Eigen, Puhrsch & Fergus 2014 (figure 3 of the paper): a coarse network for the whole room and a fine network on top.

The geometry is that of the authors' release. Models 1 and 2 of the paper replace one of the two parts and share the
rest.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdepth.errors import InputError
from jaxdepth.models.conv import Conv
from jaxdepth.models.layers import SMALL_INIT, image_grid, max_pool, with_leaf

STD = 0.4572  # standard deviation of log depth: the unit of the raw maps
MEAN_COLOUR, STD_COLOUR = 0.43, 0.30  # of NYU's images over all channels, values in [0, 1]
# Channels, kernel size, stride, padding, and whether a pooling follows.
_COARSE = (
    (96, 11, 4, 2, True),
    (256, 5, 1, 2, True),
    (384, 3, 1, 1, False),
    (384, 3, 1, 1, False),
    (256, 3, 1, 1, True),
)


class Eigen(nn.Module):
    """The coarse and the fine network: groups `fine` (gate 0) and `coarse` (gate 1).

    Both predict a log depth map whose pixel (i, j) is centred on row 5 + 4i, column 5 + 4j of the image: 55x74 for
    228x304. The map is interpolated at the image's pixels, with a replicated border.

    Attributes:
      width: factor of all channel and unit counts; 1 is as published.
      dropout: dropout rate of the first fully connected layer.
      local_response_normalisation: whether it follows the first two convolutions, as in the release.
      dtype: compute dtype of all layers but those that output the maps; these and the parameters are float32.
    """

    width: float
    dropout: float
    local_response_normalisation: bool
    dtype: Any = jnp.float32

    groups = ("fine", "coarse")

    def setup(self):
        self.coarse = Coarse(self.width, self.dropout, self.local_response_normalisation, self.dtype)
        self.fine = Fine(self.width, self.dtype)

    def __call__(self, image, *, gate=0, trained=(), stop_gradient=True):
        """See `coarse_then_fine`."""
        return coarse_then_fine(self, fine_grid(image), image, gate=gate, trained=trained, stop_gradient=stop_gradient)

    def starting_at(self, variables, log_depth):
        """The variables with a coarse map that starts at the log depth image [H, W], and a fine map at its mean."""
        return start_fine(start_coarse(variables, fine_grid(log_depth[None]), log_depth), log_depth)


def coarse_then_fine(network, grid, image, *, gate, trained, stop_gradient):
    """Runs Eigen's network or a descendant: a coarse map, and a second part that sees it and the image.

    Args:
      network: a bound module whose `groups` are (second part, "coarse"), which are also names of submodules.
      grid: the Grid of the coarse map.
      image: float32 [B, H, W, 3] in [0, 1], of the size that the parameters were made for.
      gate: 0 for the second part's output, 1 for the coarse map, for which only the coarse part is computed.
      trained: the groups in training mode; the others use no dropout and stored statistics.
      stop_gradient: whether the gradient of the second part's output stops at the coarse map.

    Returns:
      Log depth float32 [B, H, W], and named intermediates: each computed output [B, H, W] by its group's name, and
      `GROUP/LAYER` arrays [B, h, w, C] or [B, C].

    Raises:
      InputError: for another gate, or an image that is too small for the layers.
    """
    if gate not in (0, 1):
        raise InputError(f"gate={gate}: expected 0 ({network.groups[0]}) or 1 (coarse)")
    second, coarse = network.groups
    standardised = ((image - MEAN_COLOUR) / STD_COLOUR).astype(network.dtype)
    raw, layers = network.coarse(standardised, grid, train=coarse in trained)
    outputs = {coarse: STD * grid.upsample(raw[..., 0], image.shape[1:3])}
    outputs |= {f"{coarse}/{name}": x for name, x in layers.items()}
    if gate == 0:
        if stop_gradient:
            raw = jax.lax.stop_gradient(raw)
        outputs[second], layers = getattr(network, second)(standardised, raw, train=second in trained)
        outputs |= {f"{second}/{name}": x for name, x in layers.items()}
    return outputs[network.groups[gate]], outputs


class Coarse(nn.Module):
    """Five convolutions and two fully connected layers: every pixel of the map depends on the whole image."""

    width: float
    dropout: float
    local_response_normalisation: bool
    dtype: Any

    @nn.compact
    def __call__(self, x, grid, *, train):
        """Maps a standardised image [B, H, W, 3] to a raw map [B, h, w, 1] on `grid`, and the layers by name."""
        layers = {}
        for number, (features, size, stride, padding, pooled) in enumerate(_COARSE, start=1):
            x = convolution(f"conv{number}", scaled(features, self.width), size, stride, padding, dtype=self.dtype)(x)
            x = nn.relu(x)
            if self.local_response_normalisation and number <= 2:
                x = local_response_normalisation(x)
            if pooled:
                x = max_pool(x, 3)
            layers[f"conv{number}"] = x
        head = dict(width=self.width, dropout=self.dropout, dtype=self.dtype)
        return fully_connected_map(x, grid, layers, train=train, **head)


class Fine(nn.Module):
    """Three convolutions at a quarter of the image's size; the coarse map joins after the first.

    They start as the identity of the coarse map (two channels carry its part above and below the mean through the ReLU)
    and learn what to add. From a random start they have to learn to copy the map first, and were still behind it after
    several hundred steps on 686 frames (abs_rel .382; the mean depth image has .358).
    """

    width: float
    dtype: Any

    @nn.compact
    def __call__(self, image, coarse, *, train):
        """Maps a standardised image [B, H, W, 3] and a raw map [B, h, w, 1] to log depth [B, H, W], and the layers."""
        del train  # there is no dropout and no statistic here
        features = scaled(64, self.width)
        x = convolution("conv1", features - 1, 9, 2, 1, dtype=self.dtype)(image)
        layers = {"conv1": max_pool(nn.relu(x), 3)}
        x = layers["joined"] = jnp.concatenate([layers["conv1"], coarse.astype(self.dtype)], -1)
        above_and_below = _centre_taps({(features - 1, 0): 1, (features - 1, 1): -1})
        x = convolution("conv3", features, 5, 1, 2, dtype=self.dtype, kernel_init=above_and_below)(x)
        x = layers["conv3"] = nn.relu(x)
        difference = _centre_taps({(0, 0): 1, (1, 0): -1})
        x = layers["map"] = convolution("conv4", 1, 5, 1, 2, dtype=jnp.float32, kernel_init=difference)(x)
        return STD * fine_grid(image).upsample(x[..., 0], image.shape[1:3]), layers


def fine_grid(image):
    """The Grid of the fine network's maps, and of the coarse map: 55x74 for an image [B, 228, 304, ...]."""
    return image_grid(image).window(9, stride=2, padding=1).window(3, stride=2)


def start_coarse(variables, grid, log_depth):
    """The variables with a coarse map on `grid` that starts at the log depth image [H, W].

    The network starts as the mean depth image and has to learn only how a picture differs from it.
    """
    start = (grid.read(log_depth) / STD).reshape(-1).astype(jnp.float32)
    return with_leaf(variables, "params/coarse/full7/bias", start)


def start_fine(variables, log_depth):
    """The variables with a fine part that starts as the identity of the coarse map, around the mean of `log_depth`."""
    mean = jnp.mean(log_depth) / STD
    bias = variables["params"]["fine"]["conv3"]["bias"].at[:2].set(jnp.stack([-mean, mean]))
    variables = with_leaf(variables, "params/fine/conv3/bias", bias)
    return with_leaf(variables, "params/fine/conv4/bias", jnp.reshape(mean, (1,)))


def _centre_taps(weights):
    """Initializes a kernel [k, k, C, D] with {(channel, output): weight} at its centre; other outputs are He's."""

    def init(key, shape, dtype=jnp.float32):
        kernel = nn.initializers.he_uniform()(key, shape, dtype)
        for _, output in weights:
            kernel = kernel.at[..., output].set(0)
        for (channel, output), weight in weights.items():
            kernel = kernel.at[shape[0] // 2, shape[1] // 2, channel, output].set(weight)
        return kernel

    return init


def fully_connected_map(x, grid, layers, *, width, dropout, train, dtype):
    """Two fully connected layers, the first with 4096 units and dropout. Call inside a compact method.

    Args:
      x: features [B, h, w, C].
      grid: the Grid of the map.
      layers: dict of the layers so far, which gets `full6` and `map`.
      width: factor of the units.
      dropout: rate in [0, 1).
      train: whether units are dropped.
      dtype: compute dtype of the first layer.

    Returns:
      The raw map [B, grid.height, grid.width, 1] in units of STD, and `layers`.

    Raises:
      InputError: for a dropout outside [0, 1).
    """
    if not 0 <= dropout < 1:
        raise InputError(f"config.model.dropout={dropout}: expected 0 <= dropout < 1")
    units, pixels = scaled(4096, width), grid.height * grid.width
    x = nn.Dense(units, kernel_init=nn.initializers.he_uniform(), dtype=dtype, name="full6")(x.reshape(x.shape[0], -1))
    x = layers["full6"] = nn.relu(x)
    x = nn.Dropout(dropout, deterministic=not train)(x)
    x = nn.Dense(pixels, kernel_init=SMALL_INIT, dtype=jnp.float32, name="full7")(x)
    x = layers["map"] = x.reshape(x.shape[0], grid.height, grid.width, 1)
    return x, layers


def convolution(name, features, size, stride, padding, *, dtype, use_bias=True, **initializers):
    """A convolution in the geometry of the release."""
    return Conv(
        features, size, stride=stride, padding=padding, use_bias=use_bias, dtype=dtype, name=name, **initializers
    )


def local_response_normalisation(x, *, size=5, alpha=1e-4, beta=0.75):
    """x / (1 + alpha * mean of x^2 over `size` neighbouring channels) ** beta (Krizhevsky et al. 2012, section 3.3)."""
    total = jax.lax.reduce_window(jnp.square(x), 0.0, jax.lax.add, (1, 1, 1, size), (1, 1, 1, 1), "SAME")
    return x / (1 + alpha / size * total) ** beta


def scaled(channels, width):
    """`channels` times `width`, at least 2.

    Raises:
      InputError: if `width` is not positive.
    """
    if not width > 0:
        raise InputError(f"config.model.width={width}: expected a factor above 0")
    return max(2, round(channels * width))
