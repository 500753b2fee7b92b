"""Monocular depth estimation in JAX/Flax."""

__version__ = "0.1.0"


def load(path=None, *, step=None):
    """The trained network of the run in `path`, see `jaxdepth.predict`: `jaxdepth.load(path).predict(image)` is depth.

    From its last checkpoint, or that of `step`. Without a path it is the network that comes with the package. Raises
    FileNotFoundError or ValueError where there is none.
    """
    from jaxdepth import predict  # which takes seconds to import

    return predict.load(predict.PACKAGED if path is None else path, step=step)
