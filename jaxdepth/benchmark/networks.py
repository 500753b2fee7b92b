"""What the networks of some settings cost, whatever the machine."""

import math

import jax
import numpy as np

from jaxdepth import models
from jaxdepth.benchmark.record import row
from jaxdepth.training import state


def measure(configs) -> list[dict]:
    """Parameters and multiply-adds of the networks of some settings: {name: ConfigDict} -> two rows each.

    Multiply-adds are those of the convolutions and matrix products (the interpolation of maps included) of a forward
    pass of one picture of the settings' crop size, all outputs together, zero padding included as is the custom.
    """
    rows = []
    for name, settings in configs.items():
        network = models.build(**settings.model.to_dict())
        variables = state.shapes(network, tuple(settings.data.crop_size))
        picture = jax.ShapeDtypeStruct((1, *settings.data.crop_size, 3), np.float32)
        parameters = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
        rows.append(row("parameters", network=name, unit="M", ours=parameters / 1e6))
        macs = multiply_adds(network.apply, variables, picture)
        rows.append(row("multiply-adds", network=name, batch=1, unit="G", ours=macs / 1e9))
    return rows


def multiply_adds(function, *arguments) -> int:
    """The multiply-adds in the convolutions and matrix products of a function of arrays (or their shapes)."""
    return _multiply_adds(jax.make_jaxpr(function)(*arguments).jaxpr)


def _multiply_adds(jaxpr):
    total = 0
    for equation in jaxpr.eqns:
        shapes = [variable.aval.shape for variable in (*equation.outvars[:1], *equation.invars[:2])]
        if equation.primitive.name == "conv_general_dilated":
            (out, _, kernel), parameters = shapes, equation.params
            features = kernel[parameters["dimension_numbers"].rhs_spec[0]]
            # A transposed convolution's input is spread out with zeros, which nobody multiplies.
            total += math.prod(out) * math.prod(kernel) // features // math.prod(parameters["lhs_dilation"])
        elif equation.primitive.name == "dot_general":
            (out, left, _), ((contracted, _), _) = shapes, equation.params["dimension_numbers"]
            total += math.prod(out) * math.prod(left[axis] for axis in contracted)
        repeated = equation.params["length"] if equation.primitive.name == "scan" else 1
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                total += repeated * _multiply_adds(inner)
    return total
