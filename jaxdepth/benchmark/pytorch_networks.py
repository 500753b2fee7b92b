"""The paper's networks in PyTorch: what ours are timed beside.

They compute the same as ours up to rounding, and are written as is usual in PyTorch: modules in NCHW from its own
operations, in whichever memory format the caller chooses. Submodules have the names of our parameters, and containers
that ours do not have begin with `_`.
"""

import math
from collections import OrderedDict

import numpy as np
import torch
import torch.nn.functional as F
from flax import traverse_util
from torch import nn

from jaxdepth.models.eigen import MEAN_COLOUR, STD, STD_COLOUR, scaled
from jaxdepth.models.layers import Grid

# Channels, kernel size, stride, padding of Eigen's coarse convolutions; a pooling follows the first two and the last.
_COARSE = ((96, 11, 4, 2), (256, 5, 1, 2), (384, 3, 1, 1), (384, 3, 1, 1), (256, 3, 1, 1))
_STAGES = ((128, 2), (256, 3), (256, 2))  # channels and residual blocks of Model 2's coarse part
_BOTTLENECK = 31  # channels beside the coarse map in Model 1
_ENCODER = ((16, 16), (32, 32), (64, 64, _BOTTLENECK))
_DECODER = ((64, 32), (32, 16), (16, 16))


def build(name, *, size, mean_log_depth=0.0, **arguments):
    """Builds a network with PyTorch's initial values; `load` copies ours into it.

    Args:
      name: one of NETWORKS.
      size: (H, W) of the images.
      mean_log_depth: log metres, where the outputs start.
      **arguments: attributes of our network, without the dtype: parameters are float32.

    Returns:
      An nn.Module with `groups`, as ours. It is called with (image, gate=0, stop_gradient=True), with the image float32
      [B, 3, H, W] in [0, 1], and returns {group: log depth [B, H, W]}: for gate 0 all outputs, for gate k that of
      `groups[k]` alone, for which it computes only what that output needs.

    Raises:
      ValueError: for an unknown name.
    """
    if name not in NETWORKS:
        raise ValueError(f"network {name!r}: expected one of {', '.join(NETWORKS)}")
    made = NETWORKS[name](size=tuple(size), **arguments)
    for name, (_, tensor) in named_tensors(made).items():
        if name.endswith("/head/bias"):
            nn.init.constant_(tensor, mean_log_depth)
        elif name in ("coarse/full7/bias", "fine/conv4/bias"):
            nn.init.constant_(tensor, mean_log_depth / STD)
    return made


def load(network, variables):
    """Copies the variables of our network into PyTorch's.

    Args:
      network: from `build`.
      variables: {"params", "batch_stats"} of our network.

    Raises:
      ValueError: if one of the two networks has an array that the other does not have.
    """
    ours = {}
    for collection in ("params", "batch_stats"):
        ours |= traverse_util.flatten_dict(variables.get(collection, {}), sep="/")
    peers = named_tensors(network)
    if different := sorted(ours.keys() ^ peers.keys()):
        raise ValueError(f"variables: {different[0]!r} is in one network only: expected the same names in both")
    with torch.no_grad():
        for name, (module, tensor) in peers.items():
            array = np.asarray(ours[name])
            array = _kernel(module, array) if name.endswith("/kernel") else array
            tensor.copy_(torch.from_numpy(np.array(array, order="C")))


def named_tensors(network):
    """All parameters and statistics by the names of our arrays: {name: (module, tensor)}."""
    found = {}
    for path, module in network.named_modules():
        tensors = dict(module.named_parameters(recurse=False))
        if "weight" in tensors:
            tensors["scale" if isinstance(module, nn.BatchNorm2d) else "kernel"] = tensors.pop("weight")
        if isinstance(module, nn.BatchNorm2d):
            tensors |= {"mean": module.running_mean, "var": module.running_var}
        parts = [part for part in path.split(".") if not part.startswith("_")]
        found |= {"/".join((*parts, leaf)): (module, tensor) for leaf, tensor in tensors.items()}
    return found


def _kernel(module, kernel):
    """A kernel of ours in the axes of the module's weight."""
    if isinstance(module, FlatLinear):
        channels, height, width = module.shape
        return kernel.reshape(height, width, channels, -1).transpose(3, 2, 0, 1).reshape(module.weight.shape)
    if isinstance(module, nn.Linear):
        return kernel.T
    if isinstance(module, nn.ConvTranspose2d):  # flax does not flip the kernel
        return kernel[::-1, ::-1].transpose(2, 3, 0, 1)
    return kernel.transpose(3, 2, 0, 1)


def selected_groups(groups, gate):
    """The groups whose outputs a gate selects: all for gate 0, `groups[k]` for gate k.

    Raises:
      ValueError: for a gate out of range.
    """
    if not 0 <= gate < len(groups):
        raise ValueError(f"gate={gate}: expected 0 to {len(groups) - 1}")
    return (groups[gate],) if gate else groups


def _conv(inputs, features, size=3, *, stride=1):
    """A convolution without bias and with centre-aligned pixels, like `jaxdepth.models.conv.Conv`."""
    return nn.Conv2d(inputs, features, size, stride, padding=(size - stride) // 2, bias=False)


def _normalised(convolution, *, name, norm):
    """A convolution, batch normalisation and a ReLU: {name: module}."""
    return {name: convolution, norm: nn.BatchNorm2d(convolution.out_channels), f"{name}_relu": nn.ReLU(inplace=True)}


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a skip connection, projected by 1x1 where the channels change."""

    def __init__(self, inputs, features):
        super().__init__()
        self.conv1, self.norm1 = _conv(inputs, features), nn.BatchNorm2d(features)
        self.conv2, self.norm2 = _conv(features, features), nn.BatchNorm2d(features)
        self.projection = nn.Identity() if inputs == features else _conv(inputs, features, 1)

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        y = self.norm2(self.conv2(y))
        y += self.projection(x)
        return F.relu(y, inplace=True)


def _residual_blocks(name, blocks, inputs, features):
    """Residual blocks: {name: module}."""
    return {f"{name}{i + 1}": ResidualBlock(features if i else inputs, features) for i in range(blocks)}


class Double(nn.ConvTranspose2d):
    """A learned transposed convolution from [B, 1, h, w] to [B, 1, 2h, 2w], with a replicated border."""

    def __init__(self):
        super().__init__(1, 1, kernel_size=4, stride=2, padding=3)  # 1, and 2 for the replicated border

    def forward(self, x):
        return super().forward(F.pad(x, (1, 1, 1, 1), mode="replicate"))


class RepeatLast(nn.Module):
    """Repeats the last row (axis 2) or column (axis 3); PyTorch 2.13 does not compile nn.ReplicationPad2d."""

    def __init__(self, axis):
        super().__init__()
        self.axis = axis

    def forward(self, x):
        return torch.cat([x, x.narrow(self.axis, -1, 1)], self.axis)


def _upscale(method, factor):
    """Upscales a map by a power of two; `method` is one of `layers.UPSCALINGS`."""
    if factor == 1:
        return nn.Identity()
    if method == "bilinear":
        return nn.Upsample(scale_factor=factor, mode="bilinear")
    return nn.Sequential(OrderedDict((f"double{i}", Double()) for i in range(1, factor.bit_length())))


class DepthHead(nn.Module):
    """A 3x3 convolution to a log depth map, upscaled: [B, C, h, w] -> [B, H, W]."""

    def __init__(self, inputs, *, upscaling="bilinear", to_finest=1, to_picture=1):
        super().__init__()
        self.conv = _conv(inputs, 1)
        self.to_finest, self.to_picture = _upscale(upscaling, to_finest), _upscale(upscaling, to_picture)
        self.bias = nn.Parameter(torch.zeros(()))

    def map(self, x):
        """The map without its bias at the finest scale."""
        return self.to_finest(self.conv(x))

    def depth(self, at_finest):
        """Log depth from the result of `map`."""
        return self.to_picture(at_finest)[:, 0] + self.bias

    def forward(self, x):
        return self.depth(self.map(x))


class FlatLinear(nn.Linear):
    """A fully connected layer on a feature map of `shape` (C, h, w)."""

    def __init__(self, shape, units):
        super().__init__(math.prod(shape), units)
        self.shape = shape

    def forward(self, x):
        return super().forward(x.flatten(1))


class Enlarge(nn.Module):
    """Interpolates a raw map [B, 1, h, w] on `grid` to log depth [B, H, W], with a replicated border."""

    def __init__(self, grid, size):
        super().__init__()

        def weights(pixels, n):
            at = ((torch.arange(pixels) - grid.first) / grid.stride).clamp(0, n - 1)
            return (1 - (at[:, None] - torch.arange(n)).abs()).clamp(min=0)

        self.register_buffer("rows", STD * weights(size[0], grid.height), persistent=False)
        self.register_buffer("columns", weights(size[1], grid.width).T.contiguous(), persistent=False)

    def forward(self, x):
        return self.rows @ (x[:, 0] @ self.columns)


class KScale(nn.Module):
    """K scales under a train gate and their fusion (ours: `kscale.KScale`)."""

    def __init__(self, *, size, k, width, max_width, blocks, fusion_blocks, finest_stride, upscaling, features):
        super().__init__()
        self.groups = ("fusion", *(f"scale{i}" for i in range(1, k + 1)))
        below, right = (-n % (finest_stride * 2 ** (k - 1)) for n in size)
        self.padding = (right // 2, right - right // 2, below // 2, below - below // 2)
        head = dict(upscaling=upscaling, to_picture=finest_stride)
        channels = [min(width * 2**i, max_width) for i in range(k)]
        for i in range(k):
            self.add_module(f"scale{i + 1}", Scale(channels[i], blocks[i], finest_stride, to_finest=2**i, **head))
        self.fusion = Fusion(k, channels if features else (), width, fusion_blocks, **head)

    def forward(self, image, gate=0, stop_gradient=True):
        selected = selected_groups(self.groups, gate)
        picture = F.pad(image, self.padding, mode="replicate")
        depths, maps, features = {}, [], []
        for i, name in enumerate(self.groups[1 : (gate or len(self.groups)) + 1]):
            picture = F.avg_pool2d(picture, 2) if i else picture
            if name in selected:
                depths[name], at_finest, x = getattr(self, name)(picture)
                maps.append(at_finest.detach() if stop_gradient else at_finest)
                features.append(x.detach() if stop_gradient else x)
        if gate == 0:
            depths["fusion"] = self.fusion(maps, features)
        (left, _, top, _), (height, width) = self.padding, image.shape[2:]
        return {name: depth[:, top : top + height, left : left + width] for name, depth in depths.items()}


class Scale(nn.Module):
    """One scale: from an image to log depth, its map at the finest stride, and features."""

    def __init__(self, features, blocks, stride, **head):
        super().__init__()
        layers, inputs = OrderedDict(), 3
        for i, (size, step) in enumerate([(4, 2)] * (stride.bit_length() - 1) or [(3, 1)], start=1):
            layers |= _normalised(_conv(inputs, features, size, stride=step), name=f"stem{i}", norm=f"stem_norm{i}")
            inputs = features
        layers |= _residual_blocks("block", blocks, inputs, features)
        self._layers, self.head = nn.Sequential(layers), DepthHead(features, **head)

    def forward(self, picture):
        x = self._layers(picture)
        at_finest = self.head.map(x)
        return self.head.depth(at_finest), at_finest, x


class Fusion(nn.Module):
    """Final log depth from the scales' maps, and from their features if `channels` gives the number of each scale."""

    def __init__(self, maps, channels, width, blocks, **head):
        super().__init__()
        self._laterals = nn.ModuleDict()
        for i, inputs in enumerate(channels):
            layers = {f"lateral{i + 1}": _conv(inputs, width, 1), f"lateral_norm{i + 1}": nn.BatchNorm2d(width)}
            self._laterals[f"_{i}"] = nn.Sequential(OrderedDict(layers, upscale=_upscale("bilinear", 2**i)))
        inputs = maps + len(channels) * width
        self._blocks = nn.Sequential(OrderedDict(_residual_blocks("block", blocks, inputs, width)))
        self.head = DepthHead(width if blocks else inputs, **head)

    def forward(self, maps, features):
        laterals = [layers(x) for layers, x in zip(self._laterals.values(), features, strict=False)]
        return self.head(self._blocks(torch.cat([*maps, *laterals], 1)))


class CoarseThenFine(nn.Module):
    """Eigen's network or a descendant (ours: `eigen.coarse_then_fine`).

    Args:
      name: of the second part.
      second: the second part, a SecondPart.
      convolutions: {name: module} of the coarse part; two fully connected layers follow.
      grid: the Grid of the coarse map.
      size: (H, W) of the images.
      width: factor of all channel and unit counts.
      dropout: dropout rate of the first fully connected layer.
    """

    def __init__(self, name, second, convolutions, *, grid, size, width, dropout):
        super().__init__()
        self.groups = (name, "coarse")
        self.add_module(name, second)
        self.enlarge = Enlarge(grid, size)
        with torch.no_grad():
            features = nn.Sequential(OrderedDict(convolutions)).eval()(torch.zeros(1, 3, *size))
        full6 = FlatLinear(features.shape[1:], scaled(4096, width))
        full7 = nn.Linear(full6.out_features, grid.height * grid.width)
        full = dict(full6=full6, relu6=nn.ReLU(inplace=True), dropout=nn.Dropout(dropout), full7=full7)
        to_map = nn.Unflatten(1, (1, grid.height, grid.width))
        self.coarse = nn.Sequential(OrderedDict(convolutions, **full, map=to_map)).train()

    def forward(self, image, gate=0, stop_gradient=True):
        picture = (image - MEAN_COLOUR) / STD_COLOUR
        raw = self.coarse(picture)
        outputs = {"coarse": self.enlarge(raw)}
        for second in selected_groups(self.groups, gate)[:-1]:
            outputs[second] = getattr(self, second)(picture, raw.detach() if stop_gradient else raw)
        return outputs


class SecondPart(nn.Module):
    """Layers before and after the raw coarse map is concatenated: from standardised image and map to log depth."""

    def __init__(self, before, after):
        super().__init__()
        self._before, self._after = nn.Sequential(OrderedDict(before)), nn.Sequential(OrderedDict(after))

    def forward(self, picture, coarse):
        return self._after(torch.cat([self._before(picture), coarse], 1))


def _eigen(*, size, width, dropout, local_response_normalisation):
    """Eigen's network."""
    convolutions = _eigens_convolutions(width, normalised=local_response_normalisation)
    return _with_fine(convolutions, size=size, width=width, dropout=dropout)


def _residual_coarse(*, size, width, dropout):
    """Model 2."""
    inputs = scaled(64, width)
    layers = _normalised(nn.Conv2d(3, inputs, 11, 4, 2, bias=False), name="stem", norm="stem_norm")
    layers["stem_pool"] = nn.MaxPool2d(3, stride=2)
    for stage, (features, blocks) in enumerate(_STAGES, start=1):
        layers |= _residual_blocks(f"stage{stage}_block", blocks, inputs, scaled(features, width))
        if stage < len(_STAGES):
            layers[f"stage{stage}_pool"] = nn.MaxPool2d(3, stride=2)
        inputs = scaled(features, width)
    return _with_fine(layers, size=size, width=width, dropout=dropout)


def _autoencoder(*, size, width, dropout):
    """Model 1."""
    grids, encoder, decoder, inputs = [Grid(*size, stride=1, first=0.0)], {}, {}, 3
    for number, channels in enumerate(_ENCODER, start=1):
        layers, inputs = _block(f"encoder{number}", inputs, channels, width)
        encoder |= {**layers, f"pool{number}": nn.MaxPool2d(2)}
        grids.append(grids[-1].window(2, stride=2))
    arguments = dict(grid=grids.pop(), size=size, width=width, dropout=dropout)
    inputs += 1  # the coarse map
    for number, channels in enumerate(_DECODER, start=1):
        below, right = (n % 2 for n in grids.pop()[:2])  # what the pooling left out comes back as a border
        decoder[f"double{number}"] = nn.Upsample(scale_factor=2, mode="bilinear")
        decoder |= {f"below{number}": RepeatLast(2)} if below else {}
        decoder |= {f"right{number}": RepeatLast(3)} if right else {}
        layers, inputs = _block(f"decoder{number}", inputs, channels, width)
        decoder |= layers
    second = SecondPart(encoder, decoder | {"head": DepthHead(inputs)})
    return CoarseThenFine("autoencoder", second, _eigens_convolutions(width, normalised=False), **arguments)


NETWORKS = {"kscale": KScale, "eigen": _eigen, "autoencoder": _autoencoder, "residual_coarse": _residual_coarse}


def _eigens_convolutions(width, *, normalised):
    """Eigen's coarse convolutions, with local response normalisation or without: {name: module}."""
    layers, inputs = {}, 3
    for number, (features, kernel_size, stride, padding) in enumerate(_COARSE, start=1):
        layers[f"conv{number}"] = nn.Conv2d(inputs, scaled(features, width), kernel_size, stride, padding)
        layers[f"relu{number}"] = nn.ReLU(inplace=True)
        if normalised and number <= 2:
            layers[f"normalise{number}"] = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)
        if number in (1, 2, 5):
            layers[f"pool{number}"] = nn.MaxPool2d(3, stride=2)
        inputs = scaled(features, width)
    return layers


def _with_fine(convolutions, *, size, width, dropout):
    """A network with these convolutions in the coarse part, and with Eigen's fine part."""
    grid = Grid(*size, stride=1, first=0.0).window(9, stride=2, padding=1).window(3, stride=2)
    features = scaled(64, width)
    before = {"conv1": nn.Conv2d(3, features - 1, 9, 2, 1), "relu1": nn.ReLU(inplace=True), "pool1": nn.MaxPool2d(3, 2)}
    after = {"conv3": nn.Conv2d(features, features, 5, 1, 2), "relu3": nn.ReLU(inplace=True)}
    fine = SecondPart(before, after | {"conv4": nn.Conv2d(features, 1, 5, 1, 2), "enlarge": Enlarge(grid, size)})
    return CoarseThenFine("fine", fine, convolutions, grid=grid, size=size, width=width, dropout=dropout)


def _block(name, inputs, channels, width):
    """A block of Model 1: {name: module} and the number of output channels."""
    layers = {}
    for i, features in enumerate(channels, start=1):
        features = features if features == _BOTTLENECK else scaled(features, width)
        layers |= _normalised(_conv(inputs, features), name=f"{name}_{i}", norm=f"{name}_{i}_norm")
        inputs = features
    return layers, inputs
