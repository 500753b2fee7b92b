"""The pure train and eval steps."""

import functools

import jax
import jax.numpy as jnp
import optax

from jaxdepth import models
from jaxdepth.training import losses


def make_train_step(
    network,
    optimizer,
    *,
    loss,
    seed,
    replicated,
    batch_sharding,
    draw=None,
    accumulate=1,
    rematerialise=False,
    ema_decay=0.0,
    first_steps=None,
):
    """The compiled train step `(state, batch, gate) -> (state, metrics)`.

    `state` is donated, `gate` (a `gate.Gate`) static: for each gate a program is compiled that computes no
    more than its outputs need. Dropout is a function of `seed` and the global step. `batch` holds image [B, H, W, 3]
    and depth [B, H, W]; the metrics are float32 scalars: `total_loss` (the weighted sum), `loss/GROUP` of each output
    that the gate selects, and `grad_norm/GROUP` of each group that it trains.

    Args:
      loss: `(log depth [B, H, W], depth) -> [B]`, see `jaxdepth.training.losses`.
      draw: `(data, step) -> batch` where the step's second argument is what batches are drawn from, see
        `jaxdepth.data.batches.device`.
      accumulate: in how many parts the batch is computed, one after the other, where the whole does not fit into the
        memory. The update is that of the whole batch, except that each part has a dropout of its own, and that batch
        normalisation takes the statistics of a part and moves the stored ones once for each.
      rematerialise: whether the backward pass computes what lies between the convolutions again instead of keeping it,
        some two thirds of what it keeps. For accelerators: on a CPU XLA finds the values twice, and keeps them.
      ema_decay: of the state's moving averages, where it has them, of the groups that the step trains; in the first
        steps (1 + t) / (10 + t) where that is less, t = steps since the group's first one.
      first_steps: group -> global step at which its training begins, as a later phase does; by default 0 for all. What
        a group was before has no part in its average.
    """

    @functools.partial(
        jax.jit, static_argnums=2, donate_argnums=0, in_shardings=(replicated, None), out_shardings=replicated
    )
    def train_step(state, batch, gate):
        if draw is not None:
            batch = draw(batch, state.step)
        batch = jax.lax.with_sharding_constraint(batch, batch_sharding)
        trained = {group: params for group, params in state.params.items() if group in gate.trained}
        key = jax.random.fold_in(jax.random.key(seed), state.step)

        def loss_fn(trained, batch_stats, batch, key):
            variables = {"params": {**state.params, **trained}, "batch_stats": batch_stats}
            values, batch_stats = gate_losses(network, variables, batch, gate, loss=loss, key=key)
            return sum(weight * values[network.groups[output]] for output, weight in gate.losses), (values, batch_stats)

        if rematerialise:
            loss_fn = jax.checkpoint(loss_fn, policy=_keep_products)
        gradients = _in_parts(jax.value_and_grad(loss_fn, has_aux=True), accumulate)
        (total, (values, batch_stats)), grads = gradients(trained, state.batch_stats, batch, key)
        params, opt_state = optimizer.update(grads, state.opt_state, state.params, step=state.step)
        average = state.average
        if average:
            since = {group: state.step - (first_steps or {}).get(group, 0) for group in gate.trained}
            shares = {group: 1 - jnp.minimum(ema_decay, (1 + t) / (10 + t)) for group, t in since.items()}
            average = _moved(average, {"params": params, "batch_stats": batch_stats}, shares)
        state = state.replace(
            step=state.step + 1, params=params, batch_stats=batch_stats, opt_state=opt_state, average=average
        )
        norms = {f"grad_norm/{group}": optax.tree.norm(grads[group]) for group in grads}
        return state, {"total_loss": total, **{f"loss/{name}": value for name, value in values.items()}, **norms}

    return train_step


def _moved(average, new, shares):
    """Averages with those of some groups moved towards `new` by each one's share of the way."""
    return {
        name: {
            group: optax.incremental_update(new[name][group], x, shares[group]) if group in shares else x
            for group, x in trees.items()
        }
        for name, trees in average.items()
    }


def _keep_products(primitive, *_, **__):
    return primitive.name in ("conv_general_dilated", "dot_general")


def _in_parts(gradients, count):
    """`gradients` of a batch as those of its parts, one after the other, in their share of the measured images."""
    if count == 1:
        return gradients

    def accumulated(trained, batch_stats, batch, key):
        # Part i has the examples i, i + count, ..: of each device as many.
        parts = jax.tree.map(lambda x: x.reshape(-1, count, *x.shape[1:]).swapaxes(0, 1), batch)
        images = losses.valid_mask(parts["depth"]).any((2, 3)).sum(1)
        shares = images / jnp.maximum(images.sum(), 1)

        keys = jax.random.split(key, count)

        def add(carry, inputs):
            batch_stats, total = carry
            part, key, share = inputs
            (loss, (values, batch_stats)), grads = gradients(trained, batch_stats, part, key)
            return (batch_stats, jax.tree.map(lambda t, x: t + share * x, total, (loss, values, grads))), None

        one = jax.tree.map(lambda x: x[0], parts)
        (loss, (values, _)), grads = jax.eval_shape(gradients, trained, batch_stats, one, key)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), (loss, values, grads))
        (batch_stats, (loss, values, grads)), _ = jax.lax.scan(add, (batch_stats, zeros), (parts, keys, shares))
        return (loss, (values, batch_stats)), grads

    return accumulated


def gate_losses(network, variables, batch, gate, *, loss, key):
    """The loss of each output that the gate selects, by group name, and the new statistics of all groups."""
    selected = [output for output, _ in gate.losses]
    (_, outputs), updated = network.apply(
        variables,
        batch["image"],
        gate=selected[0] if len(selected) == 1 else 0,
        trained=gate.trained,
        stop_gradient=gate.stop_gradient,
        mutable=["batch_stats"],
        rngs={"dropout": key},
    )
    values = {}
    for group in (network.groups[output] for output in selected):
        per_image = loss(outputs[group], batch["depth"])
        values[group] = losses.mean_over_images(per_image, losses.valid_mask(batch["depth"]))
    frozen = {group: stats for group, stats in variables["batch_stats"].items() if group not in gate.trained}
    return values, {**updated.get("batch_stats", {}), **frozen}


def make_predict_step(network, *, sharding, mirrored=False):
    """The compiled `(variables, image) -> {group: log depth}` of `jaxdepth.models.outputs`."""
    predict = functools.partial(models.outputs, network, mirrored=mirrored)
    return jax.jit(predict, in_shardings=sharding, out_shardings=sharding)
