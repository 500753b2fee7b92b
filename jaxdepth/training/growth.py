"""Growth: a network takes over the weights of one with fewer scales (section 5.3 of the paper).

A scale's picture is the one of the scale before, halved. So a trained network is the coarser part of one that sees
larger pictures: its scale i becomes scale i + n of a network with n scales more, as far from the coarsest as before.
"""

from flax import traverse_util

from jaxdepth.errors import InputError
from jaxdepth.training import state


def grown(variables, *, source, source_size, network, size):
    """A run's variables for the start of another one: renamed if its network has more scales or fewer.

    A grown `Pyramid` keeps the fusion of the smaller one, in the scale that was the finest, and starts with its depth.
    The fusion of a grown `KScale` is new.

    Args:
      variables: {"params", "batch_stats"} of the run.
      source: its network.
      source_size: (h, w) of its input.
      network: the other network.
      size: (h, w) of its input.

    Returns:
      {"params", "batch_stats"} by the other network's names; `variables` if the networks are of two kinds, or have
      equally many scales.

    Raises:
      InputError: if an array of the run has no place in the other network, or one of another shape; if the scales taken
        over would see pictures of another size.
    """
    if type(source) is not type(network) or getattr(source, "k", None) == getattr(network, "k", None):
        return variables
    there = traverse_util.flatten_dict(variables, sep="/")
    here = traverse_util.flatten_dict(state.shapes(network, size), sep="/")
    added = network.k - source.k
    names = {_grown_name(name, added): name for name in there}  # here -> there
    if not hasattr(network, "grown"):
        names = {name: old for name, old in names.items() if "/fusion/" not in name}
    takes_over = tuple(f"{part}/scale{i}/" for part in variables for i in range(1 + added, network.k + 1))
    for name in sorted({*names, *(name for name in here if name.startswith(takes_over))}):
        old = names.get(name)
        if name not in here or old is None or here[name].shape != there[old].shape:
            raise InputError(
                f"config.init_from: {name} is {_shape(here, name)} in this network of {network.k} scales, "
                f"{old or name} is {_shape(there, old)} in that run's of {source.k}: expected one with fewer "
                "scales, of the same widths and blocks"
            )
    times = network.halvings - source.halvings
    if (expected := tuple(n * 2**times for n in source_size)) != tuple(size):
        raise InputError(
            f"config.data.crop_size={tuple(size)}: expected {expected}, so that the network that this one grows "
            f"from sees {tuple(source_size)} as before"
        )
    return traverse_util.unflatten_dict({name: there[old] for name, old in names.items()}, sep="/")


def _grown_name(name, added):
    """The name of `params/scale1/norm/bias` or `params/fusion/...` in a network with `added` scales more."""
    collection, group, *rest = name.split("/")
    if group == "fusion":
        return "/".join([collection, f"scale{1 + added}", group, *rest])
    return "/".join([collection, f"scale{int(group.removeprefix('scale')) + added}", *rest])


def _shape(arrays, name):
    return arrays[name].shape if name in arrays else "missing"
