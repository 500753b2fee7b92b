"""Trained networks, out of a run's checkpoints or a packed folder."""

import dataclasses
import pathlib
from typing import Any

import jax

from jaxdepth import models
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import nyu_intrinsics
from jaxdepth.geometry.framing import Framing
from jaxdepth.paths import network_folder
from jaxdepth.runs import packed, record, workdir
from jaxdepth.training import sharding, state

_MAX_PARAMETERS = 1 << 30  # 4 GiB


@dataclasses.dataclass(frozen=True)
class Trained:
    """A network with the variables of one checkpoint.

    Attributes:
      network: from `models.build`.
      variables: {"params", "batch_stats"}, on all devices.
      step: of the checkpoint.
      run: the RunRecord.
    """

    network: Any
    variables: Any
    step: int
    run: record.RunRecord

    @property
    def framing(self) -> Framing:
        """The frames that the network was trained on; NYU's camera is assumed if theirs was unknown."""
        run = self.run
        return Framing(run.frame_size, run.crop_size, run.intrinsics or nyu_intrinsics(run.frame_size))


def read(folder, *, step="last") -> Trained:
    """Reads a trained network.

    Args:
      folder: workdir of a training run, or a packed network; "package" for the one that comes with the package.
      step: which checkpoint: a step, "last", or "best" by validation delta1. A packed network has only one.

    Returns:
      A Trained.

    Raises:
      FileNotFoundError: if there is no run or no such checkpoint.
      InputError: if a file is damaged.
    """
    folder = network_folder(folder)
    run = record.read(folder)
    network = models.build(**run.model)
    shapes = state.shapes(network, run.crop_size)
    if (count := models.count_parameters(shapes)) > _MAX_PARAMETERS:
        raise InputError(f"{folder}: a network of {count:,} parameters: expected at most {_MAX_PARAMETERS:,}")
    replicated = sharding.replicated(sharding.make_mesh())
    checkpoints_folder = pathlib.Path(folder, "checkpoints")
    if pathlib.Path(folder, packed.FILE).is_file():
        variables, at = packed.read(folder, shapes)
        if step not in ("last", "best", at):
            raise FileNotFoundError(f"{folder}: no checkpoint {step}: this packed network is of step {at}")
        return Trained(network, jax.device_put(variables, replicated), at, run)
    if not checkpoints_folder.is_dir():
        raise FileNotFoundError(f"workdir {str(folder)!r} has no checkpoints yet")
    from jaxdepth.training import checkpoint  # whose orbax takes a third of a second to import

    variables, at = checkpoint.restore_model(checkpoints_folder, shapes, step=step, array_sharding=replicated)
    return Trained(network, variables, at, run)


def pack(folder, output, *, step="last"):
    """Packs a run's network, see `packed`.

    Args:
      folder: workdir of the run.
      output: the folder to write.
      step: as for `read`.

    Returns:
      The size of the weights in bytes.

    Raises:
      FileNotFoundError, InputError: as `read` and `packed.write`.
    """
    trained = read(folder, step=step)
    mean_depth = workdir.read_mean_depth(folder, size=trained.run.frame_size)
    return packed.write(output, trained.variables, step=trained.step, run=trained.run, mean_depth=mean_depth)
