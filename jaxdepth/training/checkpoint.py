"""Checkpoints: the one file that imports orbax."""

import pathlib

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers


class Checkpoints:
    """The checkpoints of a run: the last one, the one of the best validation delta1, and with `keep_every` those of
    every so many steps. Written in the background.

    A checkpoint has two items, `model` (parameters and statistics) and `optimizer` (its state, the step and, where
    the model is an average, what it is the average of), so that evaluation reads only the first. Restoring takes any
    number of devices: the target says the sharding. A checkpoint is whole or not there: a killed write leaves a
    temporary folder that the next run removes. With `read_only` nothing is made or removed, so that a run can be looked
    at while it goes on.
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
        self._manager.close()  # waits for a write under way

    def last(self):
        """The step of the last checkpoint, or None."""
        return self._manager.latest_step()

    def best(self):
        """The step of the checkpoint with the best validation delta1, or None."""
        return self._manager.best_step()

    def save(self, state, *, delta1=None):
        """Start writing the state under its global step; `delta1` is its validation score, where it has one."""
        self._manager.save(
            int(state.step),
            args=ocp.args.Composite(**{name: ocp.args.StandardSave(item) for name, item in state.items().items()}),
            metrics=None if delta1 is None else {"delta1": float(delta1)},
        )

    def restore(self, state):
        """The last checkpoint as a TrainState with the shapes and shardings of `state`, whose arrays are let go."""
        targets = {name: _abstract(item) for name, item in state.items().items()}
        return state.with_items(self._restore(self.last(), **targets))

    def restore_model(self, shapes, *, step, sharding):
        """Parameters and statistics {"params", "batch_stats"} of a step, in the given shapes.

        Raises FileNotFoundError where there is no such step.
        """
        steps = sorted(self._manager.all_steps())
        if not steps:
            raise FileNotFoundError(f"{self.folder}: no checkpoint in it yet")
        if step not in steps:
            kept = ", ".join(map(str, steps))
            raise FileNotFoundError(f"{self.folder}: no checkpoint of step {step}: expected one of those kept: {kept}")
        target = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), shapes)
        return self._restore(step, model=target)["model"]

    def _restore(self, step, **targets):
        args = {name: ocp.args.StandardRestore(target) for name, target in targets.items()}
        return self._manager.restore(step, args=ocp.args.Composite(**args))


def _delta1(metrics):
    return metrics["delta1"]


def _abstract(tree):
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), tree)
