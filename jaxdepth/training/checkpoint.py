"""Checkpoints: the one file that imports orbax.

A checkpoint is a folder with two items: `model` (parameters and statistics) and `optimizer` (its state, the step, and
where the model is an average, what it is the average of), so that evaluation reads only the first. It appears in one
rename, and restores on any number of devices. With it lies a CRC-32 of every array. What cannot be restored, or differs
from its checksum, is never used: the checkpoint before it is.
"""

import errno
import gc
import json
import logging as stdlib_logging
import os
import pathlib
import re
import shutil
import sys
import zlib

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from orbax.checkpoint import checkpoint_managers

from jaxdepth import quiet
from jaxdepth.errors import InputError
from jaxdepth.training import sharding

_CHECKSUMS = "crc32"
_SYSTEM_ERROR = r"os_error_code='(\d+)'"  # in tensorstore's messages
_ATTEMPTS = 5  # to read a checkpoint of a run that removes old ones meanwhile


class DamagedError(InputError):
    """A checkpoint cannot be restored: a file is missing, cut or changed, or it is not of this network."""


class Checkpoints:
    """Writes the checkpoints of a run in the background, and removes all but the last two, the best by validation
    delta1, and with `keep_every` one every so many steps.

    A killed write leaves a temporary folder, which the next run removes.

    Args:
      folder: where they are kept; every checkpoint in it can be restored, see `restore_last`.
      keep_every: keep those whose step is a multiple of this, or None.
      note_saved: function of a step, called once its checkpoint is written.

    Attributes:
      folder: where they are kept.
      newest: step of the last checkpoint, which may still be in the writing; None if there is none.
    """

    def __init__(self, folder, *, keep_every=None, note_saved=lambda step: None):
        self.folder = pathlib.Path(folder).resolve()
        self.newest = max(steps(folder), default=None)
        self._writing, self._note_saved = None, note_saved
        kept = [
            checkpoint_managers.LatestN(2),
            checkpoint_managers.BestN(get_metric_fn=_delta1, n=1, keep_checkpoints_without_metrics=False),
        ]
        if keep_every:
            kept.append(checkpoint_managers.EveryNSteps(keep_every))
        policy = checkpoint_managers.AnyPreservationPolicy(kept)
        options = ocp.CheckpointManagerOptions(
            best_fn=_delta1, best_mode="max", preservation_policy=policy, cleanup_tmp_directories=True
        )
        self._manager = ocp.CheckpointManager(self.folder, options=options, item_names=("model", "optimizer"))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        reason = None
        try:
            self._manager.close()  # waits for a write in progress
            self._written()
        except Exception as error:
            reason = _reason(error)
        if reason is not None and kind is None:  # otherwise the first error is the one to report
            raise self._write_error(reason)

    def save(self, state, *, delta1=None):
        """Starts to write a checkpoint, after the end of the write before.

        Args:
          state: a TrainState; the checkpoint's step is its global step.
          delta1: validation score, if it was validated at this step.

        Raises:
          OSError: if a checkpoint cannot be written (this one, or the one before). It names the last whole one.
        """
        items, step = state.items(), int(state.step)
        reason = None
        try:
            self._manager.save(  # waits for the write before
                step,
                args=ocp.args.Composite(**{name: ocp.args.StandardSave(item) for name, item in items.items()}),
                metrics=None if delta1 is None else {"delta1": float(delta1)},
                custom_metadata={_CHECKSUMS: {name: _checksums(item) for name, item in items.items()}},
            )
        except Exception as error:  # orbax and tensorstore raise many kinds
            reason = _reason(error)
        if reason is not None:
            raise self._write_error(reason)
        self._written()
        self._writing = self.newest = step

    def _written(self):
        if self._writing is not None:
            self._note_saved(self._writing)
        self._writing = None

    def set_newest_aside(self, *, why):
        """Renames the newest checkpoint to WHY-STEP, once it is written, so that no run continues from it."""
        self._manager.wait_until_finished()
        self._writing = None
        if sharding.is_main_process():
            _set_aside(self.folder / str(self.newest), why=why)
        sharding.barrier("set_newest_aside")
        self.newest = max(steps(self.folder), default=None)

    def _write_error(self, reason):
        _collect_coroutines()
        whole = steps(self.folder)
        kept = f"the last whole one is of step {whole[-1]}" if whole else "there is none yet"
        return OSError(f"{self.folder}: a checkpoint could not be written ({reason}); {kept}")


def steps(folder):
    """The steps of the checkpoints in a folder, ascending; none if there is no such folder."""
    folder = pathlib.Path(folder)
    names = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return sorted(int(name) for name in names if name.isdecimal())


def restore_last(folder, shapes):
    """Restores the last whole checkpoint; damaged ones after it are renamed to damaged-STEP. For the run's own process.

    Args:
      folder: of the checkpoints.
      shapes: a TrainState of jax.ShapeDtypeStruct with shardings.

    Returns:
      A TrainState with these shapes and shardings; None if there is no checkpoint.

    Raises:
      InputError: if there are checkpoints, and all are damaged. They are left as they are.
      OSError: if one cannot be read for another reason.
    """
    folder = pathlib.Path(folder).resolve()
    found, damaged = steps(folder)[::-1], {}
    for step in found:
        state, error = None, None
        try:
            state = shapes.with_items(_restore(folder / str(step), **shapes.items()))
        except (DamagedError, OSError) as reason:
            error = reason
        if not sharding.any_process(error is not None):
            break
        if sharding.any_process(isinstance(error, OSError)):
            raise error or OSError(f"{folder / str(step)}: another process cannot read it")
        damaged[step] = error or "damaged in another process"
    else:
        if damaged:
            raise InputError(_none_is_whole(folder, damaged))
        return None
    for bad, error in damaged.items():
        logging.warning("%s; it is now damaged-%d, and step %d is used", error, bad, step)
        if sharding.is_main_process():
            _set_aside(folder / str(bad), why="damaged")
    if sharding.is_main_process():
        _set_aside_unlistable(folder, restored=step)
    sharding.barrier("restore_last")
    return state


def restore_model(folder, shapes, *, step, array_sharding):
    """Restores the parameters and statistics of a checkpoint. Nothing in the folder is changed.

    Args:
      folder: of the checkpoints.
      shapes: {"params", "batch_stats"} as shapes.
      step: a step, or "last" or "best" (by validation delta1). If that one is damaged, "last" takes the one before,
        "best" the next best, with a warning.
      array_sharding: of all arrays.

    Returns:
      {"params", "batch_stats"} and the step.

    Raises:
      FileNotFoundError: if there is no such checkpoint.
      DamagedError: if it is damaged, and there is no other to take.
    """
    folder = pathlib.Path(folder).resolve()
    target = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=array_sharding), shapes)
    damaged = {}
    for _ in range(_ATTEMPTS):
        for candidate in _candidates(folder, step):
            if candidate in damaged:
                continue
            try:
                variables = _restore(folder / str(candidate), model=target)["model"]
            except DamagedError as error:
                if not (folder / str(candidate)).is_dir():
                    break  # the run that is training has removed it: look again
                damaged[candidate] = error
                continue
            for error in damaged.values():
                logging.warning("%s; step %d is used", error, candidate)
            return variables, candidate
        else:
            break
    raise DamagedError(_none_is_whole(folder, damaged))


def _set_aside(path, *, why):
    """Renames the folder of a checkpoint to WHY-STEP; with a number if there is one of that name already."""
    path, number = pathlib.Path(path), 1
    while (target := path.with_name(f"{why}-{path.name}" + (f"-{number}" if number > 1 else ""))).exists():
        number += 1
    path.rename(target)


def _candidates(folder, step):
    """The steps to try for a step, "last" or "best", first to last."""
    found = steps(folder)
    if not found:
        raise FileNotFoundError(f"{folder}: no checkpoint in it yet")
    scores = {found_step: _score(folder / str(found_step)) for found_step in found} if step == "best" else {}
    order = {
        "last": found[::-1],
        "best": sorted((s for s, score in scores.items() if score is not None), key=lambda s: (-scores[s], -s)),
    }.get(step, [step])
    if not order or order[0] not in found:
        kept = ", ".join(map(str, found))
        raise FileNotFoundError(f"{folder}: no checkpoint {step}: expected last, best or one of {kept}")
    return order


def _score(path):
    """The validation delta1 of a checkpoint; None if it was not validated, or the file is damaged."""
    try:
        return float(json.loads((path / "metrics" / "metrics").read_bytes())["delta1"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _set_aside_unlistable(folder, *, restored):
    """Sets aside what orbax's manager could not even list, and removes damaged scores, which the log has too.

    Args:
      folder: of the checkpoints.
      restored: step of the checkpoint that has just been restored, which is whole.
    """
    for step in steps(folder):
        path = folder / str(step)
        if (path / "metrics").is_dir() and _score(path) is None:
            logging.warning("%s: its validation score is damaged and was removed", path)
            shutil.rmtree(path / "metrics")
        try:
            whole = isinstance(json.loads((path / "_CHECKPOINT_METADATA").read_bytes()), dict)
        except (OSError, ValueError):
            whole = False
        if not whole and step != restored:
            logging.warning("%s: damaged; it is now damaged-%d", path, step)
            _set_aside(path, why="damaged")


def _restore(path, **targets):
    """Restores items of one checkpoint.

    Args:
      path: its folder.
      **targets: item -> tree of shapes with shardings.

    Returns:
      {item: tree of arrays}.

    Raises:
      DamagedError: if a file is missing or malformed, or an array differs from its checksum.
      OSError: if the files cannot be read for another reason, such as permissions or memory.
    """
    try:
        stored = json.loads((path / "_CHECKPOINT_METADATA").read_bytes())
        args = {name: ocp.args.StandardRestore(target) for name, target in targets.items()}
        with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
            restored = checkpointer.restore(path, args=ocp.args.Composite(**args))
        restored = {name: restored[name] for name in targets}
        expected = (stored.get("custom_metadata") or {}).get(_CHECKSUMS)  # checkpoints of earlier versions have none
        if expected is not None:
            found = {name: _checksums(restored[name]) for name in targets}
            changed = [f"{n}{key}" for n in targets for key, crc in found[n].items() if crc != expected[n].get(key)]
            if changed:
                raise ValueError(f"{len(changed)} arrays differ from their checksums, such as {min(changed)}")
        return restored
    except Exception as error:  # orbax and tensorstore raise many kinds
        reason, damage = _reason(error), _is_damage(error)
    _collect_coroutines()
    if not damage:
        raise OSError(f"{path}: this checkpoint cannot be read ({reason})")
    raise DamagedError(f"{path}: this checkpoint is damaged or of another network ({reason})")


def _is_damage(error):
    """Whether an exception of a read comes from the files' content, and not from the machine."""
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        return False
    code = re.search(_SYSTEM_ERROR, str(error))
    number = int(code[1]) if code else error.errno if isinstance(error, OSError) else None
    return number in (None, errno.ENOENT, errno.ENOTDIR, errno.EISDIR)


def _collect_coroutines():
    """Collects the coroutines that orbax leaves behind when a file fails; each would print a traceback later."""
    asyncio_log = stdlib_logging.getLogger("asyncio")
    level, hook = asyncio_log.level, sys.unraisablehook
    try:
        asyncio_log.setLevel(stdlib_logging.CRITICAL)
        sys.unraisablehook = lambda _: None
        with quiet.no_warnings():
            gc.collect()
    finally:
        asyncio_log.setLevel(level)
        sys.unraisablehook = hook


def _checksums(tree):
    """{path in the tree: CRC-32 of the array's bytes}."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): zlib.crc32(_bytes(leaf)) for path, leaf in leaves}


def _bytes(array):
    return np.ascontiguousarray(sharding.to_host(array)).reshape(-1).view(np.uint8)


def _none_is_whole(folder, damaged):
    first = next(iter(damaged.values()), f"{folder}: its checkpoints were removed while they were read")
    return (
        f"{first}; no other checkpoint can be used"
        if len(damaged) < 2
        else (f"none of the {len(damaged)} checkpoints can be used: {first}")
    )


def _reason(error):
    """An exception in at most some 200 characters: what the system said, if it did, else its beginning."""
    text = " ".join(str(error).split()) or type(error).__name__
    if code := re.search(_SYSTEM_ERROR, text):
        return os.strerror(int(code[1]))
    return text if len(text) <= 200 else text[:200] + "..."


def _delta1(metrics):
    return metrics["delta1"]
