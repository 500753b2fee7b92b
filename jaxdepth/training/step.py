"""The pure train step, and the predict step of evaluation."""

import functools

import jax
import jax.numpy as jnp
import optax

from jaxdepth import models
from jaxdepth.geometry.depth import is_valid
from jaxdepth.models import compiled
from jaxdepth.training import losses


def make_train_step(
    network,
    optimizer,
    *,
    loss,
    seed,
    state_shardings,
    batch_sharding,
    draw=None,
    accumulate=1,
    rematerialise=False,
    ema_decay=0.0,
    first_steps=None,
):
    """Makes the compiled train step.

    Args:
      network: from `models.build`.
      optimizer: from `optim.make`.
      loss: (log depth [B, H, W], depth [B, H, W]) -> [B], see `losses`.
      seed: of dropout, which is a function of the seed and the global step.
      state_shardings: a TrainState of shardings.
      batch_sharding: sharding of the batch.
      draw: (data, step) -> batch, if the step's second argument is not a batch but data that batches are drawn from;
        see `data.batches`. None if it is a batch.
      accumulate: number of microbatches, computed one after the other, for batches that do not fit into memory. The
        update is that of the whole batch, but each microbatch has its own dropout, is normalised by its own statistics,
        and moves the stored ones once.
      rematerialise: whether the backward pass recomputes what lies between convolutions, about two thirds of what it
        would keep. For accelerators: on a CPU, XLA notices the repetition and keeps the values.
      ema_decay: decay of the state's moving averages, applied to the groups that the step trains; in the first steps
        (1 + t) / (10 + t) if that is less, with t steps since the group's first one.
      first_steps: group -> global step at which its training starts, 0 by default; its average starts there.

    Returns:
      A function (state, batch, gate) -> (state, metrics). `state` is a TrainState, which is donated. `batch` holds
      image [B, H, W, 3] and depth [B, H, W]. `gate` is a static `gate.Gate`; the program compiled for it computes only
      what its outputs need. The metrics are float32 scalars: `total_loss`, the weighted sum; `loss/GROUP` of each
      selected output; `grad_norm/GROUP` of each trained group; and the bool `is_finite`. Where a loss, a gradient or an
      update is not finite, the step is not taken: the state stays as it was, but for `step`.
    """

    @functools.partial(
        jax.jit,
        static_argnums=2,
        donate_argnums=0,
        in_shardings=(state_shardings, None),
        out_shardings=(state_shardings, state_shardings.step),
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
        gradients = _accumulated(jax.value_and_grad(loss_fn, has_aux=True), accumulate)
        (total, (values, batch_stats)), grads = gradients(trained, state.batch_stats, batch, key)
        norms = {f"grad_norm/{group}": optax.tree.norm(grads[group]) for group in grads}
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params, step=state.step)
        is_finite = jnp.isfinite(jnp.stack([total, *norms.values(), optax.tree.norm(updates)])).all()
        params = {**state.params, **optax.apply_updates(trained, updates)}
        average = state.average
        if average:
            since = {group: state.step - (first_steps or {}).get(group, 0) for group in gate.trained}
            step_sizes = {group: 1 - jnp.minimum(ema_decay, (1 + t) / (10 + t)) for group, t in since.items()}
            average = _move_averages(average, {"params": params, "batch_stats": batch_stats}, step_sizes)
        new = state.replace(params=params, batch_stats=batch_stats, opt_state=opt_state, average=average)
        state = jax.tree.map(lambda new, old: old if new is old else jnp.where(is_finite, new, old), new, state)
        losses_by_group = {f"loss/{name}": value for name, value in values.items()}
        metrics = {"total_loss": total, **losses_by_group, **norms, "is_finite": is_finite}
        return state.replace(step=state.step + 1), metrics

    return train_step


def _move_averages(average, new, step_sizes):
    """Moves the averages of the groups in `step_sizes` towards `new`."""
    return {
        name: {
            group: optax.incremental_update(new[name][group], x, step_sizes[group]) if group in step_sizes else x
            for group, x in groups.items()
        }
        for name, groups in average.items()
    }


def _keep_products(primitive, *_, **__):
    return primitive.name in ("conv_general_dilated", "dot_general")


def _accumulated(gradients, count):
    """Gradient accumulation over `count` microbatches, weighted by their images with valid depth."""
    if count == 1:
        return gradients

    def accumulated(trained, batch_stats, batch, key):
        # Microbatch i has the examples i, i + count, ..., so every device has the same number of each.
        parts = jax.tree.map(lambda x: x.reshape(-1, count, *x.shape[1:]).swapaxes(0, 1), batch)
        images = is_valid(parts["depth"]).any((2, 3)).sum(1)
        weights = images / jnp.maximum(images.sum(), 1)
        keys = jax.random.split(key, count)

        def add(carry, inputs):
            batch_stats, total = carry
            part, key, weight = inputs
            (loss, (values, batch_stats)), grads = gradients(trained, batch_stats, part, key)
            return (batch_stats, jax.tree.map(lambda t, x: t + weight * x, total, (loss, values, grads))), None

        first = jax.tree.map(lambda x: x[0], parts)
        (loss, (values, _)), grads = jax.eval_shape(gradients, trained, batch_stats, first, key)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), (loss, values, grads))
        (batch_stats, (loss, values, grads)), _ = jax.lax.scan(add, (batch_stats, zeros), (parts, keys, weights))
        return (loss, (values, batch_stats)), grads

    return accumulated


def gate_losses(network, variables, batch, gate, *, loss, key):
    """Losses of the outputs that a gate selects.

    Args:
      network: from `models.build`.
      variables: {"params", "batch_stats"}.
      batch: {"image", "depth"}.
      gate: a `gate.Gate`.
      loss: as for `make_train_step`.
      key: of dropout.

    Returns:
      {group: mean loss over the images with valid depth}, and the new statistics of all groups.
    """
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
        values[group] = losses.mean_over_images(per_image, is_valid(batch["depth"]))
    frozen = {group: stats for group, stats in variables["batch_stats"].items() if group not in gate.trained}
    return values, {**updated.get("batch_stats", {}), **frozen}


def make_predict_step(network, *, image_sharding, flip_tta=False):
    """Makes the compiled (variables, image) -> {group: log depth}, see `models.outputs`."""
    predict = functools.partial(models.outputs, network, flip_tta=flip_tta)
    return compiled.jit(predict, in_shardings=(None, image_sharding), out_shardings=image_sharding)
