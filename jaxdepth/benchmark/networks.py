"""Parameters and multiply-adds of the networks, which do not depend on the machine."""

import math

import jax
import numpy as np

from jaxdepth import models
from jaxdepth.benchmark.record import row
from jaxdepth.models import conv
from jaxdepth.training import state


def measure(configs) -> list[dict]:
    """Counts the parameters and multiply-adds of networks.

    Multiply-adds are those of a forward pass of one picture of the config's crop size with all outputs: those of the
    convolutions and matrix products, interpolation and zero padding included.

    Args:
      configs: {name: ConfigDict}.

    Returns:
      Two rows for each network.
    """
    rows = []
    for name, config in configs.items():
        network = models.build(**config.model.to_dict())
        variables = state.shapes(network, tuple(config.data.crop_size))
        picture = jax.ShapeDtypeStruct((1, *config.data.crop_size, 3), np.float32)
        parameters = models.count_parameters(variables["params"])
        rows.append(row("parameters", network=name, unit="M", ours=parameters / 1e6))
        macs = multiply_adds(network.apply, variables, picture)
        rows.append(row("multiply-adds", network=name, batch=1, unit="G", ours=macs / 1e9))
    return rows


def multiply_adds(function, *arguments) -> int:
    """Counts the multiply-adds in the convolutions and matrix products of a function.

    Gradients of convolutions are counted in XLA's form, whichever form the platform would compute.

    Args:
      function: of arrays. If it is compiled (jax.jit), it must not have been called or lowered before: jax would take
        the program of that time.
      *arguments: arrays or their shapes.

    Returns:
      The count for one call.
    """
    with conv.xla_gradients():
        return _multiply_adds(jax.make_jaxpr(function)(*arguments).jaxpr)


def _multiply_adds(jaxpr):
    """Multiply-adds of a jaxpr, and of those inside its equations; a scan's body counts once for each iteration."""
    total = 0
    for equation in jaxpr.eqns:
        shapes = [variable.aval.shape for variable in (*equation.outvars[:1], *equation.invars[:2])]
        if equation.primitive.name == "conv_general_dilated":
            (out, _, kernel), parameters = shapes, equation.params
            features = kernel[parameters["dimension_numbers"].rhs_spec[0]]
            # The zeros between the input's pixels of a transposed convolution are not multiplied.
            total += math.prod(out) * math.prod(kernel) // features // math.prod(parameters["lhs_dilation"])
        elif equation.primitive.name == "dot_general":
            (out, left, _), ((contracted, _), _) = shapes, equation.params["dimension_numbers"]
            total += math.prod(out) * math.prod(left[axis] for axis in contracted)
        iterations = equation.params["length"] if equation.primitive.name == "scan" else 1
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                total += iterations * _multiply_adds(inner)
    return total
