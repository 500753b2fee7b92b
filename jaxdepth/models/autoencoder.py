"""Model 1 of the paper (section 5.1): Eigen's coarse part, and an auto-encoder instead of the fine part."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxdepth.models import eigen
from jaxdepth.models.conv import Conv
from jaxdepth.models.layers import DepthHead, double, image_grid, max_pool, normalised, replicate_border, with_leaf

_BOTTLENECK = 31  # channels beside the coarse map
_ENCODER = ((16, 16), (32, 32), (64, 64, _BOTTLENECK))  # channels of each layer; every block ends with a pooling
_DECODER = ((64, 32), (32, 16), (16, 16))  # every block begins with upsampling


class AutoEncoder(nn.Module):
    """Three encoder blocks to an eighth of the image, where the coarse map joins, and three decoder blocks; no skips.

    228x304 becomes 114x152, 57x76 and 28x38. There 31 channels are concatenated with the coarse map, so that it is not
    outnumbered by the 64 channels of Eigen's fine part. Groups `autoencoder` (gate 0) and `coarse` (gate 1).

    The paper names neither the normalisation nor how the coarse map is supervised. Here batch normalisation follows
    every convolution of the blocks, and the coarse map has a loss of its own. The coarse map starts at the mean depth
    image, the final depth at the mean depth.

    Attributes:
      width: factor of all channel and unit counts but the 31 + 1 of the bottleneck.
      dropout: dropout rate of the first fully connected layer.
      dtype: compute dtype of all layers but those that output the maps.
    """

    width: float
    dropout: float
    dtype: Any = jnp.float32

    groups = ("autoencoder", "coarse")

    def setup(self):
        self.coarse = eigen.Coarse(self.width, self.dropout, False, self.dtype)
        self.autoencoder = EncoderDecoder(self.width, self.dtype)

    def __call__(self, image, *, gate=0, trained=(), stop_gradient=True):
        """See `eigen.coarse_then_fine`."""
        options = dict(gate=gate, trained=trained, stop_gradient=stop_gradient)
        return eigen.coarse_then_fine(self, encoder_grids(image)[-1], image, **options)

    def starting_at(self, variables, log_depth):
        """The variables with biases that start the coarse map at the log depth image [H, W], the output at its mean."""
        variables = eigen.start_coarse(variables, encoder_grids(log_depth[None])[-1], log_depth)
        return with_leaf(variables, "params/autoencoder/head/bias", jnp.mean(log_depth))


def encoder_grids(image):
    """The Grids of the image and of each encoder block's output."""
    grids = [image_grid(image)]
    for _ in _ENCODER:
        grids.append(grids[-1].window(2, stride=2))
    return grids


class EncoderDecoder(nn.Module):
    """The auto-encoder."""

    width: float
    dtype: Any

    @nn.compact
    def __call__(self, image, coarse, *, train):
        """Maps a standardised image [B, H, W, 3] and a raw map [B, h, w, 1] to log depth [B, H, W], and the layers."""

        def convolve(x, features, name):
            conv = Conv(features, dtype=self.dtype, name=name)
            return nn.relu(normalised(conv, x, train=train, name=f"{name}_norm"))

        grids, layers, x = encoder_grids(image), {}, image
        for block, channels in enumerate(_ENCODER, start=1):
            for i, features in enumerate(channels, start=1):
                features = features if features == _BOTTLENECK else eigen.scaled(features, self.width)
                x = convolve(x, features, f"encoder{block}_{i}")
            x = layers[f"encoder{block}"] = max_pool(x, 2)
        x = layers["joined"] = jnp.concatenate([x, coarse.astype(self.dtype)], -1)
        for block, channels in enumerate(_DECODER, start=1):
            height, width = grids[-1 - block][:2]
            x = replicate_border(double(x), (height, width))  # pooling left out the last of 57 rows
            for i, features in enumerate(channels, start=1):
                x = convolve(x, eigen.scaled(features, self.width), f"decoder{block}_{i}")
            layers[f"decoder{block}"] = x
        depth, _ = DepthHead("bilinear", 1, 1, name="head")(x)
        return depth, layers
