"""Turns a config into a network, an optimizer, a gate schedule and compiled steps: the one place that does."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax

from jaxdepth import models
from jaxdepth.training import gate, losses, optim, sharding, state, step


@dataclasses.dataclass(frozen=True)
class Setup:
    """How a network is trained.

    Attributes:
      network: from `models.build`.
      optimizer: from `optim.make`.
      gate_at: step -> `gate.Gate`.
      spans: {group: (first, past the last) step of its training}.
      loss: (log depth [B, H, W], depth [B, H, W]) -> [B].
      mesh: the devices.
      crop_size: (h, w) of the network's input.
      seed: of parameters and dropout.
      ema_decay: decay of the moving averages; 0 keeps none.
      flip_tta: whether predictions average over the mirrored image.
      accumulate: number of microbatches.
      rematerialise: whether the backward pass recomputes activations.
    """

    network: Any
    optimizer: Any
    gate_at: Callable
    spans: dict
    loss: Callable
    mesh: Any
    crop_size: tuple[int, int]
    seed: int
    ema_decay: float
    flip_tta: bool
    accumulate: int
    rematerialise: bool

    def create_state(self, log_depth):
        """A fresh TrainState whose outputs start at the mean log depth image float32 [h, w]."""
        options = dict(sharding_of=functools.partial(sharding.by_shape, self.mesh), averaged=self.ema_decay > 0)
        return state.create(self.network, self.optimizer, seed=self.seed, log_depth=log_depth, **options)

    def abstract_state(self):
        """The shapes and shardings of the state, to restore a checkpoint into."""
        options = dict(sharding_of=functools.partial(sharding.by_shape, self.mesh), averaged=self.ema_decay > 0)
        return state.abstract(self.network, self.optimizer, crop_size=self.crop_size, **options)

    def train_step(self, draw=None):
        """The compiled (state, batch, gate) -> (state, metrics); `draw` as for `step.make_train_step`."""
        return step.make_train_step(
            self.network,
            self.optimizer,
            loss=self.loss,
            seed=self.seed,
            state_shardings=jax.tree.map(lambda x: x.sharding, self.abstract_state()),
            batch_sharding=sharding.batched(self.mesh),
            draw=draw,
            accumulate=self.accumulate,
            rematerialise=self.rematerialise,
            ema_decay=self.ema_decay,
            first_steps={group: first for group, (first, _) in self.spans.items()},
        )

    def predict_step(self):
        """The compiled (variables, image) -> {group: log depth}."""
        replicated = sharding.replicated(self.mesh)
        return step.make_predict_step(self.network, image_sharding=replicated, flip_tta=self.flip_tta)


def build_network(config, mesh):
    """Builds a config's network, and checks what can be checked before data is read: gate, attributes, batch size.

    Args:
      config: the run's ConfigDict.
      mesh: the devices.

    Returns:
      The network.

    Raises:
      InputError: for a setting out of range.
    """
    network = models.build(**config.model.to_dict())
    gate.check(groups=network.groups, **config.gate.to_dict())
    state.shapes(network, tuple(config.data.crop_size))  # raises for attributes that do not fit each other
    sharding.check_batch_size(config.batch_size, mesh, accumulate=config.accumulate)
    return network


def make(config, network, mesh, *, steps):
    """Makes the Setup of a config.

    Args:
      config: the run's ConfigDict.
      network: from `build_network`.
      mesh: the devices.
      steps: length of the training.

    Returns:
      A Setup.

    Raises:
      InputError: for a setting out of range.
    """
    crop_size = tuple(config.data.crop_size)
    gate_at = gate.schedule(groups=network.groups, steps=steps, seed=config.seed, **config.gate.to_dict())
    spans = gate.spans(config.gate.name, gate_at, network.groups, steps=steps)
    params = state.shapes(network, crop_size)["params"]
    return Setup(
        network=network,
        optimizer=optim.make(params, spans=spans, **config.optim.to_dict()),
        gate_at=gate_at,
        spans=spans,
        loss=functools.partial(losses.training_loss, **config.loss.to_dict()),
        mesh=mesh,
        crop_size=crop_size,
        seed=config.seed,
        ema_decay=config.ema_decay,
        flip_tta=config.flip_tta,
        accumulate=config.accumulate,
        rematerialise=config.rematerialise,
    )
