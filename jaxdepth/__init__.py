"""Monocular depth estimation in JAX/Flax."""

__version__ = "0.1.0"


def load(path, *, step=None):
    """The trained network of the run in `path`, see `jaxdepth.predict`: `jaxdepth.load(path).predict(image)` is depth.

    From its last checkpoint, or that of `step`. Raises FileNotFoundError or ValueError where there is none.
    """
    from jaxdepth import predict  # which takes seconds to import

    return predict.load(path, step=step)
