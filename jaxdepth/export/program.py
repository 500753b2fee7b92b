"""The function that is exported, from pictures to metres, and what is said beside it."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

import jaxdepth
from jaxdepth import models
from jaxdepth.errors import InputError
from jaxdepth.geometry.depth import MIN_DEPTH
from jaxdepth.models import conv
from jaxdepth.prediction.job import training_camera
from jaxdepth.runs import lineage

FLIPS = ("inside", "outside")
OUTPUTS = ("final", "all")


@dataclasses.dataclass(frozen=True)
class Program:
    """A network as one function.

    Attributes:
      metres: (variables, float32 [B, h, w, 3] in [0, 1]) -> metres, float32 [B, h, w], or [B, n, h, w] of all outputs.
      variables: {"params", "batch_stats"} of numpy.
      size: (h, w) of the input.
      outputs: names of the outputs, the final one first.
      flip: who averages with the prediction for the mirrored picture: "inside" (the program), "outside" (whoever
        calls it) or "none".
      is_one: whether `metres` gives the final output alone.
    """

    metres: Callable
    variables: Any
    size: tuple[int, int]
    outputs: tuple[str, ...]
    flip: str
    is_one: bool


def build(predictor, *, flip=None, outputs="final"):
    """Makes the Program of a network.

    Args:
      predictor: a Predictor.
      flip: one of FLIPS; None for "inside" if the run averages in its tests, else "none".
      outputs: one of OUTPUTS.

    Raises:
      InputError: for another `flip` or `outputs`.
    """
    if flip not in (None, *FLIPS):
        raise InputError(f"flip={flip!r}: expected one of {', '.join(FLIPS)}")
    if outputs not in OUTPUTS:
        raise InputError(f"outputs={outputs!r}: expected one of {', '.join(OUTPUTS)}")
    flip = flip or ("inside" if predictor.trained.run.flip_tta else "none")
    network, variables = predictor.trained.network, jax.device_get(predictor.trained.variables)
    names = network.groups if outputs == "all" else network.groups[:1]

    def metres(variables, image):
        with conv.xla_gradients():  # plain convolutions, which every runtime has, for any size of a batch
            found = models.outputs(network, variables, image, flip_tta=flip == "inside")
        depths = [jnp.exp(found[name]) for name in names]
        return depths[0] if outputs == "final" else jnp.stack(depths, axis=1)

    return Program(metres, variables, predictor.framing.crop_size, names, flip, outputs == "final")


def describe(predictor, program, *, dtype, batch):
    """What is needed beside the numbers, as a dict for JSON.

    Args:
      predictor: the Predictor.
      program: its Program.
      dtype: of the weights.
      batch: number of pictures of a call; None for any.
    """
    trained, framing = predictor.trained, predictor.framing
    size = list(program.size)
    return {
        "made_by": f"jaxdepth {jaxdepth.__version__}",
        "network": trained.run.model["name"],
        "step": trained.step,
        "trained_on": lineage.in_words(trained.run.trained_on),
        "dtype": dtype,
        "input": {"name": "image", "shape": [batch, *size, 3], "dtype": "float32", "range": [0, 1]},
        "output": {
            "name": "depth",
            "shape": [batch, *size] if program.is_one else [batch, len(program.outputs), *size],
            "dtype": "float32",
            "unit": "metres along z",
        },
        "outputs": list(program.outputs),
        "flip": program.flip,
        "frame_size": list(framing.frame_size),
        "crop_size": list(framing.crop_size),
        "camera": framing.camera._asdict(),
        "training_camera": training_camera(predictor),
        "depth_range": [MIN_DEPTH, trained.run.max_depth],
    }
