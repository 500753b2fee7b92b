"""The one file that names mesh axes: data parallelism over every device of every process."""

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding, PartitionSpec

_BATCH = "batch"


def make_mesh(devices=None):
    """A mesh with one axis over all devices, or over those given."""
    devices = jax.devices() if devices is None else devices
    return jax.make_mesh((len(devices),), (_BATCH,), axis_types=(AxisType.Auto,), devices=devices)


def replicated(mesh):
    """The sharding of what every device holds whole: the train state, scalars."""
    return NamedSharding(mesh, PartitionSpec())


def batched(mesh):
    """The sharding of arrays whose first axis is divided over the devices."""
    return NamedSharding(mesh, PartitionSpec(_BATCH))


def check_batch_size(batch_size, mesh, *, parts=1):
    """Raises ValueError for a global batch size that the devices do not divide, each share into `parts`."""
    if batch_size < 1 or batch_size % (mesh.size * parts):
        times = f" times config.accumulate={parts}" if parts > 1 else ""
        raise ValueError(f"config.batch_size={batch_size}: expected a multiple of the {mesh.size} devices{times}")


def put(batch, sharding):
    """This process's part of a batch (a dict of numpy arrays) as global arrays."""
    return {name: jax.make_array_from_process_local_data(sharding, value) for name, value in batch.items()}


def any_process(flag):
    """Whether `flag` is true in any process; with several, all must call it together."""
    return flag if jax.process_count() == 1 else bool(np.any(multihost_utils.process_allgather(np.array(flag))))
