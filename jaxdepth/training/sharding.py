"""Data parallelism over all devices of all processes, and large matrices divided: the one file with mesh axes."""

import math

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxdepth.errors import InputError

_BATCH, _MODEL = "batch", "model"
_LARGE = 1 << 20  # elements of a parameter that is divided


def make_mesh(devices=None, *, model_parallel=1):
    """A mesh over devices.

    Args:
      devices: a list of devices; all by default.
      model_parallel: how many devices share one copy of the large parameters, see `by_shape`.

    Raises:
      InputError: if `model_parallel` does not divide the number of devices of each process.
    """
    devices = jax.devices() if devices is None else devices
    if model_parallel < 1 or len(devices) % model_parallel:
        raise InputError(f"config.model_parallel={model_parallel}: expected a divisor of the {len(devices)} devices")
    sizes = (len(devices) // model_parallel, model_parallel)
    mesh = jax.make_mesh(sizes, (_BATCH, _MODEL), axis_types=(AxisType.Auto,) * 2, devices=devices)
    if any(len({device.process_index for device in copy}) > 1 for copy in mesh.devices):
        raise InputError(
            f"config.model_parallel={model_parallel}: the devices of a copy belong to several processes: expected a "
            "divisor of the devices of each"
        )
    return mesh


def replicated(mesh):
    """The sharding of arrays that every device holds whole, such as the train state."""
    return NamedSharding(mesh, PartitionSpec())


def batched(mesh):
    """The sharding of arrays whose first axis is divided over the devices; those of one copy hold the same part."""
    return NamedSharding(mesh, PartitionSpec(_BATCH))


def by_shape(mesh, shape):
    """The sharding of an array of the train state: a large matrix is divided by columns, such as Eigen's fully
    connected layers and their moments; everything else is replicated."""
    parts = mesh.shape[_MODEL]
    if parts > 1 and len(shape) == 2 and math.prod(shape) >= _LARGE and shape[1] % parts == 0:
        return NamedSharding(mesh, PartitionSpec(None, _MODEL))
    return replicated(mesh)


def check_batch_size(batch_size, mesh, *, accumulate=1):
    """Checks that the devices divide a global batch size.

    Args:
      batch_size: images of all devices together.
      mesh: from `make_mesh`.
      accumulate: number of microbatches into which each device's part is divided.

    Raises:
      InputError: if they do not.
    """
    parts = mesh.shape[_BATCH]
    if batch_size < 1 or batch_size % (parts * accumulate):
        copies = "devices" if parts == mesh.size else "copies of the network"
        times = f" times config.accumulate={accumulate}" if accumulate > 1 else ""
        raise InputError(f"config.batch_size={batch_size}: expected a multiple of the {parts} {copies}{times}")


def put(batch, sharding):
    """Global arrays from this process's part of a batch, a dict of numpy arrays."""
    return {name: jax.make_array_from_process_local_data(sharding, value) for name, value in batch.items()}


def to_host(array):
    """A whole array as numpy, also one that is divided over processes; then all of them must call it."""
    if isinstance(array, jax.Array) and not (array.is_fully_addressable or array.is_fully_replicated):
        return multihost_utils.process_allgather(array, tiled=True)
    return np.asarray(array)


def is_main_process():
    """Whether this process writes the run's files."""
    return jax.process_index() == 0


def barrier(name):
    """Waits until every process has reached this point."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def any_process(flag):
    """Whether `flag` is true in any process; every process must call it."""
    return flag if jax.process_count() == 1 else bool(np.any(multihost_utils.process_allgather(np.array(flag))))
