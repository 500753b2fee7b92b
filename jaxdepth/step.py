"""The pure train and eval steps."""

import functools

import jax
import optax

from jaxdepth import losses


def make_train_step(network, optimizer, *, lam, seed, replicated, batch_sharding):
    """The compiled train step `(state, batch, gate) -> (state, metrics)`.

    `state` is donated, `gate` (a `jaxdepth.gate.Gate`) static: for each gate a program is compiled that computes no
    more than its outputs need. Dropout is a function of `seed` and the global step. `batch` holds image [B, H, W, 3]
    and depth [B, H, W]; the metrics are float32 scalars: `total_loss` (the weighted sum), `loss/GROUP` of each output
    that the gate selects, and `grad_norm/GROUP` of each group that it trains.
    """

    @functools.partial(
        jax.jit,
        static_argnums=2,
        donate_argnums=0,
        in_shardings=(replicated, {"image": batch_sharding, "depth": batch_sharding}),
        out_shardings=replicated,
    )
    def train_step(state, batch, gate):
        trained = {group: params for group, params in state.params.items() if group in gate.trained}
        variables = state.variables
        key = jax.random.fold_in(jax.random.key(seed), state.step)

        def loss_fn(trained):
            params = {**variables["params"], **trained}
            values, batch_stats = gate_losses(network, variables | {"params": params}, batch, gate, lam=lam, key=key)
            return sum(weight * values[network.groups[output]] for output, weight in gate.losses), (values, batch_stats)

        (loss, (values, batch_stats)), grads = jax.value_and_grad(loss_fn, has_aux=True)(trained)
        params, opt_state = optimizer.update(grads, state.opt_state, state.params, step=state.step)
        state = state.replace(step=state.step + 1, params=params, batch_stats=batch_stats, opt_state=opt_state)
        norms = {f"grad_norm/{group}": optax.tree.norm(grads[group]) for group in grads}
        return state, {"total_loss": loss, **{f"loss/{name}": value for name, value in values.items()}, **norms}

    return train_step


def gate_losses(network, variables, batch, gate, *, lam, key):
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
        per_image = losses.scale_invariant(outputs[group], batch["depth"], lam=lam)
        values[group] = losses.mean_over_images(per_image, losses.valid_mask(batch["depth"]))
    frozen = {group: stats for group, stats in variables["batch_stats"].items() if group not in gate.trained}
    return values, {**updated.get("batch_stats", {}), **frozen}


def make_predict_step(network, *, sharding):
    """The compiled forward pass `(variables, image [B, H, W, 3]) -> {group: log depth [B, H, W]}`."""

    @functools.partial(jax.jit, in_shardings=sharding, out_shardings=sharding)
    def predict_step(variables, image):
        _, outputs = network.apply(variables, image)
        return {group: outputs[group] for group in network.groups}

    return predict_step
