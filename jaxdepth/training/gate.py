"""The train gate (section 5.3): which outputs a step learns from, and how that changes over a training.

Gate 0 is the fused output, gate k that of scale k. In general a network lists its parameter groups by gate, and the
output of gate i belongs to group i.
"""

import dataclasses

import numpy as np

from jaxdepth.errors import InputError

SCHEDULES = ("joint", "cycle", "coarse_to_fine", "random")


@dataclasses.dataclass(frozen=True)
class Gate:
    """What one step learns from; a static argument of the compiled step.

    Attributes:
      losses: (gate, weight) of each output whose loss enters the step.
      trained: names of the parameter groups that the step changes. Every other group keeps its parameters, optimizer
        state and statistics bit for bit, and runs in test mode.
      stop_gradient: whether the fused output's gradient stops at the concatenation.
    """

    losses: tuple
    trained: tuple
    stop_gradient: bool


def single(gate, groups, *, stop_gradient):
    """The Gate of one output: scale `gate` alone, or for 0 the fusion, and without `stop_gradient` all groups.

    Raises:
      ValueError: if there is no such output.
    """
    if not 0 <= gate < len(groups):
        raise ValueError(f"gate={gate}: expected 0 to {len(groups) - 1}")
    trained = (groups[gate],) if gate or stop_gradient else tuple(groups)
    return Gate(((gate, 1.0),), trained, stop_gradient)


def joint(groups, weights, *, stop_gradient):
    """The Gate of all outputs' losses, weighted; an output of weight 0 is left out."""
    losses = tuple((output, weight) for output, weight in enumerate(weights) if weight)
    through = any(output == 0 for output, _ in losses) and not stop_gradient  # the fused loss reaches every group
    trained = tuple(groups) if through else tuple(groups[output] for output, _ in losses)
    return Gate(losses, trained, stop_gradient)


def check(name, groups, *, weights, stop_gradient):
    """Checks a schedule's settings. Arguments as for `schedule`.

    Raises:
      InputError: for an unknown name; for weights that are negative, all zero, or not one per group; for weights of
        `cycle`, which has none.
    """
    del stop_gradient  # any
    if name not in SCHEDULES:
        raise InputError(f"config.gate.name={name!r}: expected one of {', '.join(SCHEDULES)}")
    if len(weights) and (len(weights) != len(groups) or min(weights) < 0 or not sum(weights)):
        raise InputError(
            f"config.gate.weights={tuple(weights)}: expected {len(groups)} (for {', '.join(groups)}), not negative"
        )
    if name == "cycle" and len(weights):
        raise InputError(f"config.gate.weights={tuple(weights)}: expected () for 'cycle', whose gates take turns")


def schedule(name, groups, *, steps, seed, weights, stop_gradient):
    """The gate as a function of the global step.

    `joint` trains all outputs in every step, each loss times its weight. `cycle` takes gates 1, 2, ..., K, 0 in turn.
    `coarse_to_fine` divides the training into phases with gates K, ..., 1, 0, in proportion to their weights. `random`
    draws a gate for each step, with probability proportional to its weight.

    Args:
      name: one of SCHEDULES.
      groups: the network's group names, by gate.
      steps: length of the training.
      seed: of the draws of `random`.
      weights: one for each gate, the fused output first; empty for ones, and for `cycle`.
      stop_gradient: whether the fused output's gradient stops at the concatenation.

    Returns:
      A function step -> Gate.

    Raises:
      InputError: as `check`.
    """
    check(name, groups, weights=weights, stop_gradient=stop_gradient)
    weights = tuple(float(w) for w in weights) or (1.0,) * len(groups)
    gates = [single(gate, groups, stop_gradient=stop_gradient) for gate in range(len(groups))]
    if name == "joint":
        return lambda step: joint(groups, weights, stop_gradient=stop_gradient)
    if name == "cycle":
        return lambda step: gates[(step + 1) % len(gates)]
    probabilities = np.array(weights) / sum(weights)
    if name == "coarse_to_fine":
        order = [*range(len(gates) - 1, 0, -1), 0]
        ends = np.round(np.cumsum(probabilities[order]) * steps)
        return lambda step: gates[order[np.searchsorted(ends, step, side="right")]]
    return lambda step: gates[np.random.default_rng((seed, step)).choice(len(gates), p=probabilities)]


def spans(name, gate_at, groups, *, steps):
    """When each group is trained.

    Args:
      name: one of SCHEDULES.
      gate_at: the function of `schedule`.
      groups: the network's group names.
      steps: length of the training.

    Returns:
      {group: (first, past the last) step}: its phases, or all steps for schedules without phases.
    """
    if name != "coarse_to_fine":
        return dict.fromkeys(groups, (0, steps))
    trained = {group: [] for group in groups}
    for step in range(steps):
        for group in gate_at(step).trained:
            trained[group].append(step)
    return {group: (at[0], at[-1] + 1) if at else (0, steps) for group, at in trained.items()}
