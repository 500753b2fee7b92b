"""Learning rates and weight decay by parameter name, and updates that leave gated-out groups bit for bit alone.

A group is a top-level name of the parameters (`fusion`, `scale1`, ...). Each has an optax chain and a state of its own:
clipping, moments and weight decay of one group know nothing of another. Learning rates are functions of the global
step, so a group that was gated out for a while does not fall behind; a group that is trained in one phase only has its
warm-up and its decay in that phase.
"""

import dataclasses
import re
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from flax import traverse_util

OPTIMIZERS = ("adamw", "sgd")
SCHEDULES = ("constant", "cosine")
_MOMENTUM = 0.9


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """`init(params) -> state`; `update(grads, state, params, *, step) -> (params, state)`, where `grads` has the groups
    to change and no others."""

    init: Callable
    update: Callable
    learning_rates: Callable  # step -> {parameter name: learning rate}


def learning_rate_schedule(name, peak, *, span, warmup_steps):
    """The learning rate as a function of the global step, of which `span` is (first, past the last).

    It rises linearly for `warmup_steps`, then stays (`constant`) or falls to 0 (`cosine`).
    """
    if name not in SCHEDULES:
        raise ValueError(f"config.optim.rules: schedule {name!r}: expected one of {', '.join(SCHEDULES)}")
    first, end = span
    steps = end - first
    warmup_steps = min(warmup_steps, steps - 1)
    after = optax.constant_schedule(peak)
    if name == "cosine":
        after = optax.cosine_decay_schedule(peak, max(steps - warmup_steps, 1))
    warmup = optax.linear_schedule(peak / (warmup_steps + 1), peak, warmup_steps)
    schedule = optax.join_schedules([warmup, after], [warmup_steps]) if warmup_steps > 0 else after
    return lambda step: schedule(jnp.maximum(step - first, 0))


def match_rules(names, rules):
    """For each parameter name the index of the first rule whose pattern matches all of it.

    Args:
      names: names such as `scale1/block1/conv1/kernel`.
      rules: (pattern, learning rate factor, weight decay factor, schedule name), the first match counts.

    Raises:
      ValueError: for names that no rule covers, for a rule that covers no name, and for one that is not of this form.
    """
    if bad := [rule for rule in rules if len(rule) != 4]:
        form = "(pattern, learning rate factor, weight decay factor, schedule)"
        raise ValueError(f"config.optim.rules: {bad[0]!r}: expected {form}")
    try:
        patterns = [re.compile(rule[0]) for rule in rules]
    except re.error as error:
        raise ValueError(f"config.optim.rules: {error.pattern!r} is no regular expression: {error}") from error
    matched = {name: [i for i, pattern in enumerate(patterns) if pattern.fullmatch(name)] for name in names}
    if missing := [name for name, hits in matched.items() if not hits]:
        raise ValueError(
            f"config.optim.rules cover no learning rate for {', '.join(missing[:3])} ({len(missing)} names)"
        )
    matched = {name: hits[0] for name, hits in matched.items()}
    if unused := set(range(len(rules))) - set(matched.values()):
        raise ValueError(f"config.optim.rules: {rules[min(unused)][0]!r} matches no parameter of this network")
    return matched


def make(params, *, name, learning_rate, rules, spans, warmup_steps, weight_decay, clip_norm):
    """An optimizer for gated groups, each clipped by its own global norm.

    `adamw` is Loshchilov & Hutter 2019 (weight decay beside the moments). `sgd` is stochastic gradient descent with
    momentum .9 and the weight decay added to the gradient, as Eigen 2014 used it. Weight decay is for arrays with two
    axes or more (kernels).

    Args:
      params: the parameters or their shapes.
      name: one of OPTIMIZERS.
      learning_rate, weight_decay: before each rule's factors; weight_decay acts times the learning rate.
      rules: see `match_rules`.
      spans: group -> (first, past the last) global step of its training, over which its learning rates run.
      warmup_steps: how many steps of its span a group's learning rates rise.
      clip_norm: the largest gradient norm of a group.

    Returns:
      An Optimizer.

    Raises:
      ValueError: for an unknown name or schedule, and as `match_rules`.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"config.optim.name={name!r}: expected one of {', '.join(OPTIMIZERS)}")
    shapes = traverse_util.flatten_dict(params, sep="/")
    matched = match_rules(shapes, rules)
    schedules = {
        (group, i): learning_rate_schedule(schedule, learning_rate * factor, span=span, warmup_steps=warmup_steps)
        for i, (_, factor, _, schedule) in enumerate(rules)
        for group, span in spans.items()
    }
    decays = {n: weight_decay * rules[i][2] if len(shapes[n].shape) > 1 else 0.0 for n, i in matched.items()}
    decays = traverse_util.unflatten_dict(decays, sep="/")

    def chain(group):
        decay = optax.stateless(lambda updates, params: jax.tree.map(_add, updates, params, decays[group]))
        clip = optax.clip_by_global_norm(clip_norm)
        if name == "sgd":
            return optax.chain(clip, decay, optax.trace(_MOMENTUM))
        return optax.chain(clip, optax.scale_by_adam(), decay)

    chains = {group: chain(group) for group in params}

    def learning_rates(step):
        rates = {key: schedule(step) for key, schedule in schedules.items()}
        return {name: rates[name.split("/")[0], i] for name, i in matched.items()}

    def init(params):
        return {group: chains[group].init(tree) for group, tree in params.items()}

    def update(grads, state, params, *, step):
        params, state = dict(params), dict(state)
        rates = traverse_util.unflatten_dict(learning_rates(step), sep="/")
        for group in grads:
            updates, state[group] = chains[group].update(grads[group], state[group], params[group])
            updates = jax.tree.map(lambda u, rate: -rate * u, updates, rates[group])
            params[group] = optax.apply_updates(params[group], updates)
        return params, state

    return Optimizer(init, update, learning_rates)


def _add(update, param, decay):
    return update + decay * param if decay else update
