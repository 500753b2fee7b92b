"""Optimizers whose learning rates and weight decays go by parameter name, for groups that a gate leaves out of a step.

A group is a top-level name of the parameters (`fusion`, `scale1`, ...). Each has an optax chain and a state of its own:
clipping, moments and weight decay of one group do not depend on another. Learning rates are functions of the global
step, so a group that was gated out for a while does not fall behind. A group that is trained in one phase only has its
warm-up and its decay in that phase.
"""

import re

import jax
import jax.numpy as jnp
import optax
from flax import traverse_util

from jaxdepth.errors import InputError

OPTIMIZERS = ("adamw", "sgd")
SCHEDULES = ("constant", "cosine")
_MOMENTUM = 0.9


def learning_rate_schedule(name, peak, *, span, warmup_steps):
    """The learning rate as a function of the global step.

    Args:
      name: one of SCHEDULES: constant, or cosine decay to 0, after a linear warm-up.
      peak: learning rate after the warm-up.
      span: (first, past the last) global step.
      warmup_steps: length of the warm-up, at most that of the span less one.

    Returns:
      A function step -> learning rate.

    Raises:
      InputError: for an unknown name.
    """
    if name not in SCHEDULES:
        raise InputError(f"config.optim.rules: schedule {name!r}: expected one of {', '.join(SCHEDULES)}")
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
    """Finds the rule of each parameter.

    Args:
      names: names such as `scale1/block1/conv1/kernel`.
      rules: (pattern, learning rate factor, weight decay factor, schedule); the first whose pattern matches the whole
        name counts.

    Returns:
      {name: index of its rule}.

    Raises:
      InputError: for a name without a rule, a rule without a name, or a rule of another form.
    """
    if bad := [rule for rule in rules if len(rule) != 4]:
        form = "(pattern, learning rate factor, weight decay factor, schedule)"
        raise InputError(f"config.optim.rules: {bad[0]!r}: expected {form}")
    try:
        patterns = [re.compile(rule[0]) for rule in rules]
    except re.error as error:
        raise InputError(f"config.optim.rules: {error.pattern!r} is not a regular expression: {error}") from error
    matched = {name: [i for i, pattern in enumerate(patterns) if pattern.fullmatch(name)] for name in names}
    if missing := [name for name, hits in matched.items() if not hits]:
        raise InputError(f"config.optim.rules: no rule for {', '.join(missing[:3])} ({len(missing)} parameters)")
    matched = {name: hits[0] for name, hits in matched.items()}
    if unused := set(range(len(rules))) - set(matched.values()):
        raise InputError(f"config.optim.rules: {rules[min(unused)][0]!r} matches no parameter of this network")
    return matched


def make(params, *, name, learning_rate, rules, spans, warmup_steps, weight_decay, clip_norm):
    """Makes an optimizer for gated groups.

    `adamw` is Loshchilov & Hutter 2019, with decoupled weight decay. `sgd` has momentum .9, and weight decay added to
    the gradient, as in Eigen 2014. Weight decay applies to arrays with two or more axes (kernels).

    Args:
      params: parameters or their shapes.
      name: one of OPTIMIZERS.
      learning_rate: peak learning rate, before each rule's factor.
      rules: see `match_rules`.
      spans: group -> (first, past the last) global step of its training, over which its learning rates run.
      warmup_steps: steps of a span over which its learning rates rise.
      weight_decay: before each rule's factor; multiplied by the learning rate.
      clip_norm: largest gradient norm of a group.

    Returns:
      An optax.GradientTransformationExtraArgs. Its update takes the gradients of some groups, all parameters, and the
      global step as the keyword `step`. It returns updates for these groups, and a state in which no other group has
      changed.

    Raises:
      InputError: for an unknown name or schedule, and as `match_rules`.
    """
    if name not in OPTIMIZERS:
        raise InputError(f"config.optim.name={name!r}: expected one of {', '.join(OPTIMIZERS)}")
    shapes = traverse_util.flatten_dict(params, sep="/")
    rule_of = match_rules(shapes, rules)
    schedules = {
        (group, i): learning_rate_schedule(schedule, learning_rate * factor, span=span, warmup_steps=warmup_steps)
        for i, (_, factor, _, schedule) in enumerate(rules)
        for group, span in spans.items()
    }
    decays = {n: weight_decay * rules[i][2] if len(shapes[n].shape) > 1 else 0.0 for n, i in rule_of.items()}
    decays = traverse_util.unflatten_dict(decays, sep="/")

    def chain(group):
        decay = optax.stateless(lambda updates, params: jax.tree.map(_add_decay, updates, params, decays[group]))
        clip = optax.clip_by_global_norm(clip_norm)
        if name == "sgd":
            return optax.chain(clip, decay, optax.trace(_MOMENTUM))
        return optax.chain(clip, optax.scale_by_adam(), decay)

    chains = {group: chain(group) for group in params}

    def init(params):
        return {group: chains[group].init(tree) for group, tree in params.items()}

    def update(updates, state, params, *, step):
        rates = {key: schedule(step) for key, schedule in schedules.items()}
        rates = traverse_util.unflatten_dict({n: rates[n.split("/")[0], i] for n, i in rule_of.items()}, sep="/")
        state, scaled = dict(state), {}
        for group, grads in updates.items():
            updates, state[group] = chains[group].update(grads, state[group], params[group])
            scaled[group] = jax.tree.map(lambda u, rate: -rate * u, updates, rates[group])
        return scaled, state

    return optax.GradientTransformationExtraArgs(init, update)


def _add_decay(update, param, decay):
    return update + decay * param if decay else update
