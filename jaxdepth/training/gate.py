"""The train gate (section 5.3): which outputs a step learns from, and how that changes over a training.

Gate 0 is the fused output, gate k that of scale k. In general a network names its parameter groups by gate, and the
output of gate i belongs to group i.
"""

import dataclasses

import numpy as np

SCHEDULES = ("joint", "cycle", "coarse_to_fine", "random")


@dataclasses.dataclass(frozen=True)
class Gate:
    """What one step learns from; a static argument of the compiled step.

    Attributes:
      losses: (gate, weight) of every output whose loss enters the step.
      trained: names of the parameter groups that the step changes. Every other group keeps its parameters, optimizer
        state and statistics bit for bit, and runs as in the test.
      stop_gradient: whether the fused output's gradient stops at the concatenation.
    """

    losses: tuple
    trained: tuple
    stop_gradient: bool


def single(gate, groups, *, stop_gradient):
    """The gate that selects one output: scale `gate` alone, or the fusion (and, without `stop_gradient`, all) at 0."""
    if not 0 <= gate < len(groups):
        raise ValueError(f"gate={gate}: expected 0 to {len(groups) - 1}")
    trained = (groups[gate],) if gate or stop_gradient else tuple(groups)
    return Gate(((gate, 1.0),), trained, stop_gradient)


def joint(groups, weights, *, stop_gradient):
    """The weighted sum of all outputs' losses in one step; an output of weight 0 is left out."""
    losses = tuple((output, weight) for output, weight in enumerate(weights) if weight)
    through = any(output == 0 for output, _ in losses) and not stop_gradient  # the fused loss reaches every group
    trained = tuple(groups) if through else tuple(groups[output] for output, _ in losses)
    return Gate(losses, trained, stop_gradient)


def check(name, groups, *, weights, **_):
    """Raise ValueError for a schedule's unknown name, weights of another number, negative or all zero, or weights for
    `cycle`, which has none.
    """
    if name not in SCHEDULES:
        raise ValueError(f"config.gate.name={name!r}: expected one of {', '.join(SCHEDULES)}")
    if len(weights) and (len(weights) != len(groups) or min(weights) < 0 or not sum(weights)):
        raise ValueError(
            f"config.gate.weights={tuple(weights)}: expected {len(groups)} (for {', '.join(groups)}), not negative"
        )
    if name == "cycle" and len(weights):
        raise ValueError(
            f"config.gate.weights={tuple(weights)}: the gates of 'cycle' take turns and have no weights; give ()"
        )


def schedule(name, groups, *, steps, seed, weights, stop_gradient):
    """The gate as a function of the global step.

    `joint` trains all outputs in every step, each loss times its weight; `cycle` takes gates 1, 2, .., K, 0 in turn, a
    step each; `coarse_to_fine` divides `steps` into phases with gates K, .., 1, 0, as long as their weights say;
    `random` draws a gate for each step with probability proportional to its weight.

    Args:
      name: one of SCHEDULES.
      groups: the network's group names, by gate.
      steps: length of the training.
      seed: of the draws of `random`.
      weights: one for each gate (fused output first), or empty for ones; of `cycle` empty.
      stop_gradient: whether the fused output's gradient stops at the concatenation.

    Returns:
      A function step -> Gate.

    Raises ValueError as `check`.
    """
    check(name, groups, weights=weights)
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
    """For each group the (first, past the last) step of its training: its phases, or, without phases, all steps."""
    if name != "coarse_to_fine":
        return dict.fromkeys(groups, (0, steps))
    trained = {group: [] for group in groups}
    for step in range(steps):
        for group in gate_at(step).trained:
            trained[group].append(step)
    return {group: (at[0], at[-1] + 1) if at else (0, steps) for group, at in trained.items()}
