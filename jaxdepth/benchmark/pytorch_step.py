"""The training step in PyTorch: losses, clipping and optimizer as in ours."""

import contextlib

import torch
from torch import nn

from jaxdepth.benchmark.pytorch_networks import named_tensors, selected_groups
from jaxdepth.training import optim


def make_train_step(network, *, optimizer_settings, gate, stop_gradient, lam, autocast=None):
    """Makes the training step.

    It minimises the sum of the scale-invariant losses of the outputs that the gate selects, and changes their groups.
    The gradient of each group is clipped by its own norm. Learning rates stay at their peaks.

    Args:
      network: from `pytorch_networks.build`; its `compile` may be called before the first step.
      optimizer_settings: `config.optim` as a dict.
      gate: 0 for all outputs, k for that of `groups[k]`.
      stop_gradient: whether the first output's gradient stops at the other groups' outputs.
      lam: see `losses.scale_invariant`.
      autocast: context in which outputs and loss are computed, such as a torch.autocast; None for float32.

    Returns:
      A function (image [B, 3, H, W], depth [B, H, W] metres) -> loss, which changes the network.

    Raises:
      ValueError: for a gate out of range.
    """
    autocast = autocast or contextlib.nullcontext()
    groups = selected_groups(network.groups, gate)
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


def _loss(outputs, depth, *, lam):
    """Sum of the outputs' scale-invariant losses, each a mean over the images with valid depth."""
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
    """PyTorch's AdamW or SGD for the parameters of some groups; settings as for `jaxdepth.training.optim.make`."""
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
