"""Checkpoints: the one file that imports orbax."""

import pathlib

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers


class Checkpoints:
    """The checkpoints of a run: the last, the best by validation delta1, and with `keep_every` one every so many steps.

    They are written in the background. A checkpoint has two items: `model` (parameters and statistics) and `optimizer`
    (its state, the step, and where the model is an average, what it is the average of), so that evaluation reads only
    the first. Checkpoints restore on any number of devices. A killed write leaves a temporary folder, which the next
    run removes.

    Args:
      folder: where they are kept.
      keep_every: keep those whose step is a multiple of this, or None.
      read_only: nothing is created or removed, so that a run can be read while it trains.
    """

    def __init__(self, folder, *, keep_every=None, read_only=False):
        self.folder = pathlib.Path(folder).resolve()
        kept = [
            checkpoint_managers.LatestN(1),
            checkpoint_managers.BestN(get_metric_fn=_delta1, n=1, keep_checkpoints_without_metrics=False),
        ]
        if keep_every:
            kept.append(checkpoint_managers.EveryNSteps(keep_every))
        policy = checkpoint_managers.AnyPreservationPolicy(kept)
        options = ocp.CheckpointManagerOptions(
            best_fn=_delta1,
            best_mode="max",
            preservation_policy=policy,
            cleanup_tmp_directories=not read_only,
            read_only=read_only,
            create=not read_only,
        )
        self._manager = ocp.CheckpointManager(self.folder, options=options, item_names=("model", "optimizer"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._manager.close()  # waits for a write in progress

    def last(self):
        """The step of the last checkpoint, or None."""
        return self._manager.latest_step()

    def best(self):
        """The step of the checkpoint with the best validation delta1, or None."""
        return self._manager.best_step()

    def save(self, state, *, delta1=None):
        """Starts to write a checkpoint.

        Args:
          state: a TrainState; the checkpoint's step is its global step.
          delta1: validation score, if it was validated at this step.
        """
        self._manager.save(
            int(state.step),
            args=ocp.args.Composite(**{name: ocp.args.StandardSave(item) for name, item in state.items().items()}),
            metrics=None if delta1 is None else {"delta1": float(delta1)},
        )

    def restore(self, shapes):
        """Restores the last checkpoint.

        Args:
          shapes: a TrainState of jax.ShapeDtypeStruct with shardings, or of arrays.

        Returns:
          A TrainState with these shapes and shardings.
        """
        return shapes.with_items(self._restore(self.last(), **shapes.items()))

    def restore_model(self, shapes, *, step, sharding):
        """Restores the parameters and statistics of a checkpoint.

        Args:
          shapes: {"params", "batch_stats"} as shapes.
          step: a step, "last" or "best".
          sharding: of all arrays.

        Returns:
          {"params", "batch_stats"} and the step.

        Raises:
          FileNotFoundError: if there is no such checkpoint.
        """
        steps = sorted(self._manager.all_steps())
        if not steps:
            raise FileNotFoundError(f"{self.folder}: no checkpoint in it yet")
        named = {"last": self.last, "best": self.best}
        found = named[step]() if step in named else step
        if found not in steps:
            kept = ", ".join(map(str, steps))
            raise FileNotFoundError(f"{self.folder}: no checkpoint {step}: expected last, best or one of {kept}")
        target = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), shapes)
        return self._restore(found, model=target)["model"], found

    def _restore(self, step, **targets):
        args = {name: ocp.args.StandardRestore(_abstract(target)) for name, target in targets.items()}
        return self._manager.restore(step, args=ocp.args.Composite(**args))


def _delta1(metrics):
    return metrics["delta1"]


def _abstract(tree):
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), tree)
