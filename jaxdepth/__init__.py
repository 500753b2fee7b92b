"""Monocular depth estimation in JAX/Flax."""

__version__ = "0.2.0"


def load(path="package", *, step="last"):
    """Loads a trained network: `jaxdepth.load().predict("photo.jpg")` is its depth in metres.

    Args:
      path: workdir of a training run, or a packed network; "package" for the one that comes with the package.
      step: which checkpoint: a step, "last" or "best".

    Returns:
      A `jaxdepth.predict.Predictor`.

    Raises:
      FileNotFoundError: if there is no run or no such checkpoint.
      jaxdepth.errors.InputError: if a file is damaged.
    """
    from jaxdepth import predict  # here, as it takes seconds to import

    return predict.load(path, step=step)
