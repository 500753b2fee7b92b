"""Data parallelism over all devices of all processes: the one file that names mesh axes."""

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxdepth.errors import InputError

_BATCH = "batch"


def make_mesh(devices=None):
    """A mesh with one axis over the given devices, by default all."""
    devices = jax.devices() if devices is None else devices
    return jax.make_mesh((len(devices),), (_BATCH,), axis_types=(AxisType.Auto,), devices=devices)


def replicated(mesh):
    """The sharding of arrays that every device holds whole, such as the train state."""
    return NamedSharding(mesh, PartitionSpec())


def batched(mesh):
    """The sharding of arrays whose first axis is divided over the devices."""
    return NamedSharding(mesh, PartitionSpec(_BATCH))


def check_batch_size(batch_size, mesh, *, accumulate=1):
    """Checks that the devices divide a global batch size.

    Args:
      batch_size: images of all devices together.
      mesh: from `make_mesh`.
      accumulate: number of microbatches into which each device's part is divided.

    Raises:
      InputError: if they do not.
    """
    if batch_size < 1 or batch_size % (mesh.size * accumulate):
        times = f" times config.accumulate={accumulate}" if accumulate > 1 else ""
        raise InputError(f"config.batch_size={batch_size}: expected a multiple of the {mesh.size} devices{times}")


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
