"""The networks and the training step in PyTorch, as the peer of the measurements.

They compute what ours do, up to rounding, and are written as one writes PyTorch: NCHW modules of its own operations,
for which the caller chooses the memory format. Submodules have the names of our parameters.
"""

import contextlib
import math
from collections import OrderedDict

import numpy as np
import torch
import torch.nn.functional as F
from flax import traverse_util
from torch import nn

from jaxdepth.models.eigen import MEAN_COLOUR, STD, STD_COLOUR, scaled
from jaxdepth.models.layers import Grid
from jaxdepth.training import optim

# Channels, kernel size, stride, padding of Eigen's coarse convolutions; a pooling follows the first two and the last.
_COARSE = ((96, 11, 4, 2), (256, 5, 1, 2), (384, 3, 1, 1), (384, 3, 1, 1), (256, 3, 1, 1))
_STAGES = ((128, 2), (256, 3), (256, 2))  # channels and residual blocks of Model 2's coarse part
_BOTTLENECK = 31  # channels beside the coarse map in Model 1
_ENCODER = ((16, 16), (32, 32), (64, 64, _BOTTLENECK))
_DECODER = ((64, 32), (32, 16), (16, 16))


def network(name, *, size, mean_log_depth=0.0, **arguments):
    """The network `name`, with PyTorch's initial values; `load` copies ours into it.

    A network is an nn.Module with `groups`, as ours, and a call `(image, gate=0, stop_gradient=True) -> {group: log
    depth [B, H, W]}` for float32 [B, 3, H, W] in [0, 1]. Gate 0 gives the outputs of all groups, gate k that of
    `groups[k]` alone, and computes no more than that needs.

    Args:
      name: one of NETWORKS.
      size: (H, W) of the pictures.
      mean_log_depth: log metres, the number around which the outputs start.
      arguments: those of `jaxdepth.models.build`, without the dtype: all is float32.

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
    """Copy the variables {"params", "batch_stats"} of our network into its peer.

    Raises:
      ValueError: where one of the two has a name that the other has not.
    """
    ours = {}
    for collection in ("params", "batch_stats"):
        ours |= traverse_util.flatten_dict(variables.get(collection, {}), sep="/")
    peers = named_tensors(network)
    if different := sorted(ours.keys() ^ peers.keys()):
        raise ValueError(f"variables: {different[0]!r} is in one of the two networks only")
    with torch.no_grad():
        for name, (module, tensor) in peers.items():
            array = np.asarray(ours[name])
            array = _kernel(module, array) if name.endswith("/kernel") else array
            tensor.copy_(torch.from_numpy(np.array(array, order="C")))


def named_tensors(network):
    """{name of ours: (module, tensor)} of all parameters and statistics; containers named _ are none of ours."""
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
    """Our kernel of a layer with the axes of the module's weight."""
    if isinstance(module, FlatLinear):
        channels, height, width = module.shape
        return kernel.reshape(height, width, channels, -1).transpose(3, 2, 0, 1).reshape(module.weight.shape)
    if isinstance(module, nn.Linear):
        return kernel.T
    if isinstance(module, nn.ConvTranspose2d):  # ours slides over the spread-out map as it is
        return kernel[::-1, ::-1].transpose(2, 3, 0, 1)
    return kernel.transpose(3, 2, 0, 1)


def train_step(network, *, optimizer_settings, gate, stop_gradient, lam, autocast=None):
    """The training step `(image [B, 3, H, W], depth [B, H, W]) -> loss`, which changes the network.

    It minimises the sum of the scale-invariant losses of the outputs that the gate gives, see `network`, and changes
    their groups, each clipped by its own norm. Learning rates stay at their peaks.

    Args:
      network: as `network` makes it; its `compile` may have been called.
      optimizer_settings: `config.optim` as a dict.
      gate: 0 for all outputs, k for that of `groups[k]`.
      stop_gradient: whether the first group's output teaches its own group only.
      lam: see `jaxdepth.training.losses.scale_invariant`.
      autocast: a context in which outputs and loss are computed, such as a torch.autocast.
    """
    autocast = autocast or contextlib.nullcontext()
    groups = _selected(network.groups, gate)
    optimizer = _optimizer(network, groups, **optimizer_settings)
    trained = [list(getattr(network, group).parameters()) for group in groups]

    def step(image, depth):
        network.train()
        optimizer.zero_grad()
        with autocast:
            outputs = network(image, gate=gate, stop_gradient=stop_gradient)
            loss = _loss(outputs.values(), depth, lam=lam)
        loss.backward()
        for parameters in trained:
            nn.utils.clip_grad_norm_(parameters, optimizer_settings["clip_norm"])
        optimizer.step()
        return loss.detach()

    return step


def _selected(groups, gate):
    """The groups whose outputs a gate gives."""
    if not 0 <= gate < len(groups):
        raise ValueError(f"gate={gate}: expected 0 to {len(groups) - 1}")
    return (groups[gate],) if gate else groups


def _loss(outputs, depth, *, lam):
    """The sum of the outputs' scale-invariant losses, each a mean over the images with a valid pixel."""
    valid = torch.isfinite(depth) & (depth > 0)
    truth, mask = torch.where(valid, depth, 1.0).log(), valid.float()
    pixels = mask.sum((1, 2))
    images, pixels = (pixels > 0).sum().clamp(min=1), pixels.clamp(min=1)
    total = 0.0
    for log_depth in outputs:
        difference = (log_depth - truth) * mask
        mean = difference.sum((1, 2)) / pixels
        total = total + (difference.square().sum((1, 2)) / pixels - lam * mean.square()).sum() / images
    return total


def _optimizer(network, groups, *, name, learning_rate, rules, weight_decay, clip_norm, warmup_steps):
    """PyTorch's AdamW or SGD on some groups' parameters, by the rules of `jaxdepth.training.optim.make`."""
    del clip_norm, warmup_steps  # the step clips, and the learning rates stay at their peaks
    parameters = {name: x for name, (_, x) in named_tensors(network).items() if isinstance(x, nn.Parameter)}
    by_rule = {}
    for parameter, rule in optim.match_rules(parameters, rules).items():
        if parameter.split("/")[0] in groups:
            by_rule.setdefault((rules[rule], parameters[parameter].ndim > 1), []).append(parameters[parameter])
    settings = [
        dict(params=params, lr=learning_rate * rate, weight_decay=weight_decay * decay if decays else 0.0)
        for ((_, rate, decay, _), decays), params in by_rule.items()
    ]
    if name == "adamw":
        return torch.optim.AdamW(settings, fused=True)
    return torch.optim.SGD(settings, momentum=0.9, fused=True)


def _conv(inputs, features, size=3, *, stride=1):
    """A convolution without bias that keeps pixels centre-aligned."""
    return nn.Conv2d(inputs, features, size, stride, padding=(size - stride) // 2, bias=False)


def _normalised(convolution, *, name, norm):
    """A convolution, its batch normalisation and a ReLU, by name."""
    return {name: convolution, norm: nn.BatchNorm2d(convolution.out_channels), f"{name}_relu": nn.ReLU(inplace=True)}


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around an identity, or around a 1x1 projection where the channels change."""

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
    return {f"{name}{i + 1}": ResidualBlock(features if i else inputs, features) for i in range(blocks)}


class Double(nn.ConvTranspose2d):
    """A learned transposed convolution that doubles a map [B, 1, h, w], the border continued."""

    def __init__(self):
        super().__init__(1, 1, kernel_size=4, stride=2, padding=3)  # 1, and the 2 that the continued border adds

    def forward(self, x):
        return super().forward(F.pad(x, (1, 1, 1, 1), mode="replicate"))


class Continued(nn.Module):
    """The last row (axis 2) or column (axis 3) once more; the compiler of PyTorch 2.13 fails on nn.ReplicationPad2d."""

    def __init__(self, axis):
        super().__init__()
        self.axis = axis

    def forward(self, x):
        return torch.cat([x, x.narrow(self.axis, -1, 1)], self.axis)


def _upscale(method, factor):
    """Upscaling of a map by a power of two, `bilinear` or `up_convolution`."""
    if factor == 1:
        return nn.Identity()
    if method == "bilinear":
        return nn.Upsample(scale_factor=factor, mode="bilinear")
    return nn.Sequential(OrderedDict((f"double{i}", Double()) for i in range(1, factor.bit_length())))


class DepthHead(nn.Module):
    """A convolution to a map of log depth around its mean, upscaled: features [B, C, h, w] -> log depth [B, H, W]."""

    def __init__(self, inputs, *, upscaling="bilinear", to_finest=1, to_picture=1):
        super().__init__()
        self.conv = _conv(inputs, 1)
        self.to_finest, self.to_picture = _upscale(upscaling, to_finest), _upscale(upscaling, to_picture)
        self.bias = nn.Parameter(torch.zeros(()))

    def map(self, x):
        return self.to_finest(self.conv(x))

    def depth(self, at_finest):
        return self.to_picture(at_finest)[:, 0] + self.bias

    def forward(self, x):
        return self.depth(self.map(x))


class FlatLinear(nn.Linear):
    """A fully connected layer that sees a whole feature map of `shape` (C, h, w)."""

    def __init__(self, shape, units):
        super().__init__(math.prod(shape), units)
        self.shape = shape

    def forward(self, x):
        return super().forward(x.flatten(1))


class Enlarge(nn.Module):
    """A raw map [B, 1, h, w] on `grid`, in units of STD -> log depth [B, H, W], interpolated, the border continued."""

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
    """K scales under a train gate, and the fusion of their outputs."""

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
        selected = _selected(self.groups, gate)
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
    """A stem, residual blocks, a depth head: picture -> log depth, its map at the finest stride, features."""

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
    """Maps, joined by features of so many `channels` where they are given, and blocks -> the final log depth."""

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
    """Convolutions and two fully connected layers to a raw map on `grid`, and the part `name` that sees the map too."""

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
        for second in _selected(self.groups, gate)[:-1]:
            outputs[second] = getattr(self, second)(picture, raw.detach() if stop_gradient else raw)
        return outputs


class SecondPart(nn.Module):
    """Layers before and after the coarse map joins: standardised picture, raw map -> log depth."""

    def __init__(self, before, after):
        super().__init__()
        self._before, self._after = nn.Sequential(OrderedDict(before)), nn.Sequential(OrderedDict(after))

    def forward(self, picture, coarse):
        return self._after(torch.cat([self._before(picture), coarse], 1))


def _eigen(*, size, width, dropout, local_response_normalisation):
    convolutions = _eigens_convolutions(width, normalised=local_response_normalisation)
    return _with_fine(convolutions, size=size, width=width, dropout=dropout)


def _residual_coarse(*, size, width, dropout):
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
        decoder |= {f"below{number}": Continued(2)} if below else {}
        decoder |= {f"right{number}": Continued(3)} if right else {}
        layers, inputs = _block(f"decoder{number}", inputs, channels, width)
        decoder |= layers
    second = SecondPart(encoder, decoder | {"head": DepthHead(inputs)})
    return CoarseThenFine("autoencoder", second, _eigens_convolutions(width, normalised=False), **arguments)


NETWORKS = {"kscale": KScale, "eigen": _eigen, "autoencoder": _autoencoder, "residual_coarse": _residual_coarse}


def _eigens_convolutions(width, *, normalised):
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
    """The coarse part of these convolutions, and Eigen's fine part at a quarter of the picture's size."""
    grid = Grid(*size, stride=1, first=0.0).window(9, stride=2, padding=1).window(3, stride=2)
    features = scaled(64, width)
    before = {"conv1": nn.Conv2d(3, features - 1, 9, 2, 1), "relu1": nn.ReLU(inplace=True), "pool1": nn.MaxPool2d(3, 2)}
    after = {"conv3": nn.Conv2d(features, features, 5, 1, 2), "relu3": nn.ReLU(inplace=True)}
    fine = SecondPart(before, after | {"conv4": nn.Conv2d(features, 1, 5, 1, 2), "enlarge": Enlarge(grid, size)})
    return CoarseThenFine("fine", fine, convolutions, grid=grid, size=size, width=width, dropout=dropout)


def _block(name, inputs, channels, width):
    """The convolutions of a block of Model 1, and how many channels they give."""
    layers = {}
    for i, features in enumerate(channels, start=1):
        features = features if features == _BOTTLENECK else scaled(features, width)
        layers |= _normalised(_conv(inputs, features), name=f"{name}_{i}", norm=f"{name}_{i}_norm")
        inputs = features
    return layers, inputs
