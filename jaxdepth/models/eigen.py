"""Eigen, Puhrsch & Fergus 2014 (figure 3 of the paper): a coarse network that sees the room, a fine one on top.

The geometry is that of the authors' release. Models 1 and 2 of the paper change one of the two parts; what they keep of
this network they take from here.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdepth.models.conv import Conv
from jaxdepth.models.layers import SMALL_INIT, max_pool, picture_grid

STD = 0.4572  # standard deviation of log depth: the unit of the raw maps
MEAN_COLOUR, STD_COLOUR = 0.43, 0.30  # of NYU's pictures, values in [0, 1], all channels together
# Channels, kernel size, stride, padding of each convolution, and whether a pooling follows.
_COARSE = (
    (96, 11, 4, 2, True),
    (256, 5, 1, 2, True),
    (384, 3, 1, 1, False),
    (384, 3, 1, 1, False),
    (256, 3, 1, 1, True),
)


class Eigen(nn.Module):
    """The coarse and the fine network, groups `coarse` (gate 1) and `fine` (gate 0).

    Both give a map of log depth whose pixel (i, j) is centred on row 5 + 4i, column 5 + 4j of the picture: 55x74 for
    228x304. It is interpolated to the picture with these centres, and continued at the border.

    Attributes:
      width: factor of all numbers of channels and units (1: as published).
      dropout: share of the 4096 units of the first fully connected layer that a training step drops.
      local_response_normalisation: whether it follows the first two convolutions, as in the release.
      mean_log_depth: log metres, a number or the picture [H, W] of the training set's, at which both maps start.
      dtype: compute dtype of all but the layers that give the maps; those and the parameters are float32.
      blocked_gradient: see `jaxdepth.models.conv`.
    """

    width: float
    dropout: float
    local_response_normalisation: bool
    mean_log_depth: Any = 0.0
    dtype: Any = jnp.float32
    blocked_gradient: bool = False

    groups = ("fine", "coarse")

    def setup(self):
        compute = dict(dtype=self.dtype, blocked_gradient=self.blocked_gradient)
        head = dict(dropout=self.dropout, mean_log_depth=self.mean_log_depth)
        normalise = self.local_response_normalisation
        self.coarse = Coarse(width=self.width, local_response_normalisation=normalise, head=head, **compute)
        self.fine = Fine(width=self.width, mean_log_depth=self.mean_log_depth, **compute)

    def __call__(self, image, *, gate=0, trained=(), stop_gradient=True):
        """The log depth that a gate selects, see `coarse_then_fine`."""
        return coarse_then_fine(self, fine_grid(image), image, gate=gate, trained=trained, stop_gradient=stop_gradient)


def coarse_then_fine(network, grid, image, *, gate, trained, stop_gradient):
    """What Eigen's network and its two descendants do: a coarse map, and a second part that sees it and the picture.

    Args:
      network: a bound module whose `groups` are (second part, "coarse"), each also the name of a submodule.
      grid: the Grid of the coarse map.
      image: float32 [B, H, W, 3] in [0, 1]; H and W have to be those that the parameters were made for.
      gate: 0 for the second part's output, 1 for the coarse map alone, of which only the coarse part is computed.
      trained: names of the groups in training mode; the others run as in the test (no dropout, stored statistics).
      stop_gradient: whether the gradient of the second part's output stops where the coarse map enters it.

    Returns:
      log depth float32 [B, H, W] in log metres, and named intermediates: each computed output [B, H, W] by its group's
      name, and `GROUP/LAYER` arrays [B, h, w, C] or [B, C].

    Raises:
      ValueError: for another gate, or a picture that is too small for the layers.
    """
    if gate not in (0, 1):
        raise ValueError(f"gate={gate}: expected 0 ({network.groups[0]}) or 1 (coarse)")
    second, coarse = network.groups
    picture = ((image - MEAN_COLOUR) / STD_COLOUR).astype(network.dtype)
    raw, layers = network.coarse(picture, grid, train=coarse in trained)
    outputs = {coarse: STD * grid.enlarge(raw[..., 0], image.shape[1:3])}
    outputs |= {f"{coarse}/{name}": x for name, x in layers.items()}
    if gate == 0:
        if stop_gradient:
            raw = jax.lax.stop_gradient(raw)
        outputs[second], layers = getattr(network, second)(picture, raw, train=second in trained)
        outputs |= {f"{second}/{name}": x for name, x in layers.items()}
    return outputs[network.groups[gate]], outputs


class Coarse(nn.Module):
    """Five convolutions and two fully connected layers: the whole picture decides on every pixel of the map.

    `head` holds the arguments dropout and mean_log_depth of `fully_connected_map`.
    """

    width: float
    local_response_normalisation: bool
    head: dict
    dtype: Any
    blocked_gradient: bool

    @nn.compact
    def __call__(self, x, grid, *, train):
        """Standardised picture [B, H, W, 3] -> raw map [B, h, w, 1] on `grid`, and the layers by name."""
        layers = {}
        for number, (features, size, stride, padding, pooled) in enumerate(_COARSE, start=1):
            x = convolution(self, f"conv{number}", scaled(features, self.width), size, stride, padding)(x)
            x = nn.relu(x)
            if self.local_response_normalisation and number <= 2:
                x = local_response_normalisation(x)
            if pooled:
                x = max_pool(x, 3)
            layers[f"conv{number}"] = x
        return fully_connected_map(x, grid, layers, width=self.width, train=train, dtype=self.dtype, **self.head)


class Fine(nn.Module):
    """Three convolutions at a quarter of the picture's size; the coarse map joins after the first.

    They start as the identity of the coarse map, of which two channels carry through the ReLU what lies above its mean
    and what lies below, and learn what to add to it. From a random start they first have to learn to copy the map that
    they are to refine, and after several hundred steps on 686 frames were still behind it (abs_rel .382, the mean depth
    image's is .358).
    """

    width: float
    mean_log_depth: Any
    dtype: Any
    blocked_gradient: bool

    @nn.compact
    def __call__(self, picture, coarse, *, train):
        """Standardised picture [B, H, W, 3], raw map [B, h, w, 1] -> log depth [B, H, W], the layers by name."""
        del train  # no dropout and no statistics in it
        features = scaled(64, self.width)
        x = max_pool(nn.relu(convolution(self, "conv1", features - 1, 9, 2, 1)(picture)), 3)
        layers = {"conv1": x}
        x = layers["joined"] = jnp.concatenate([x, coarse.astype(self.dtype)], -1)
        mean = jnp.mean(self.mean_log_depth) / STD
        above_and_below = dict(
            kernel_init=_centre_taps({(features - 1, 0): 1, (features - 1, 1): -1}),
            bias_init=lambda key, shape, dtype: jnp.zeros(shape, dtype).at[:2].set(jnp.stack([-mean, mean])),
        )
        x = layers["conv3"] = nn.relu(convolution(self, "conv3", features, 5, 1, 2, **above_and_below)(x))
        their_difference = dict(
            kernel_init=_centre_taps({(0, 0): 1, (1, 0): -1}), bias_init=nn.initializers.constant(mean)
        )
        x = layers["map"] = convolution(self, "conv4", 1, 5, 1, 2, dtype=jnp.float32, **their_difference)(x)
        return STD * fine_grid(picture).enlarge(x[..., 0], picture.shape[1:3]), layers


def fine_grid(picture):
    """The Grid of the fine network's maps, and of the coarse map that joins them: 55x74 for 228x304."""
    return picture_grid(picture).window(9, stride=2, padding=1).window(3, stride=2)


def _centre_taps(weights):
    """Initialises a kernel [k, k, C, D] with {(channel, output): weight} at its centre; other outputs are He's."""

    def init(key, shape, dtype=jnp.float32):
        kernel = nn.initializers.he_uniform()(key, shape, dtype)
        for _, output in weights:
            kernel = kernel.at[..., output].set(0)
        for (channel, output), weight in weights.items():
            kernel = kernel.at[shape[0] // 2, shape[1] // 2, channel, output].set(weight)
        return kernel

    return init


def fully_connected_map(x, grid, layers, *, width, dropout, mean_log_depth, train, dtype):
    """Features [B, h, w, C] -> 4096 units with dropout -> raw map [B, grid.height, grid.width, 1] in units of STD.

    Inside a compact method. Its bias starts at the mean depth of each pixel, where that is given as a picture: the
    network starts as the mean depth image and has only to learn what is different in the picture that it sees.
    Raises ValueError for a dropout outside [0, 1).
    """
    if not 0 <= dropout < 1:
        raise ValueError(f"config.model.dropout={dropout}: expected 0 <= dropout < 1")
    units, pixels = scaled(4096, width), grid.height * grid.width
    x = nn.Dense(units, kernel_init=nn.initializers.he_uniform(), dtype=dtype, name="full6")(x.reshape(len(x), -1))
    x = layers["full6"] = nn.relu(x)
    x = nn.Dropout(dropout, deterministic=not train)(x)

    def start(key, shape, dtype=jnp.float32):
        return (grid.read(mean_log_depth) / STD).reshape(shape).astype(dtype)

    x = nn.Dense(pixels, kernel_init=SMALL_INIT, bias_init=start, dtype=jnp.float32, name="full7")(x)
    x = layers["map"] = x.reshape(len(x), grid.height, grid.width, 1)
    return x, layers


def convolution(module, name, features, size, stride, padding, **changes):
    """A convolution with bias in the release's geometry, computed as `module` says."""
    compute = dict(dtype=module.dtype, blocked_gradient=module.blocked_gradient)
    return Conv(features, size, stride=stride, padding=padding, name=name, **{"use_bias": True, **compute, **changes})


def local_response_normalisation(x, *, size=5, alpha=1e-4, beta=0.75):
    """x / (1 + alpha * mean of x^2 over `size` channels around) ** beta (Krizhevsky et al. 2012, section 3.3)."""
    total = jax.lax.reduce_window(jnp.square(x), 0.0, jax.lax.add, (1, 1, 1, size), (1, 1, 1, 1), "SAME")
    return x / (1 + alpha / size * total) ** beta


def scaled(channels, width):
    """`channels` times `width`, at least 2. Raises ValueError for a width that is not above 0."""
    if not width > 0:
        raise ValueError(f"config.model.width={width}: expected a factor above 0")
    return max(2, round(channels * width))
