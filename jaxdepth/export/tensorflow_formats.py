"""SavedModel and TFLite, through `jax2tf` and TensorFlow's converter."""

import contextlib
import errno
import io
import logging
import os
import pathlib
import tempfile

import jax
import numpy as np

from jaxdepth import quiet
from jaxdepth.errors import InputError
from jaxdepth.export import attached

_SIGNATURE = "serving_default"
# What int8 leaves in float32, all that these networks have beside convolutions: in eight bits a log depth has a step of
# some percent, and delta1 falls to nothing.
_IN_FLOAT = (
    *("ADD", "SUB", "MUL", "DIV", "NEG", "EXP", "RSQRT", "SUM", "MEAN", "MAXIMUM", "MINIMUM", "LOGISTIC", "RELU"),
    *("SLICE", "STRIDED_SLICE", "SPLIT", "PACK", "CONCATENATION", "RESHAPE", "TRANSPOSE", "PAD", "REVERSE_V2"),
    *("FULLY_CONNECTED", "BATCH_MATMUL", "RESIZE_BILINEAR", "MAX_POOL_2D", "AVERAGE_POOL_2D", "TRANSPOSE_CONV"),
    "GATHER",
)
_EXTRA = pathlib.Path("assets.extra")  # SavedModel's place for what a program needs beside itself


def write_saved_model(program, folder, description):
    """Writes a SavedModel, for any size of a batch, with a signature `image` -> `depth`."""
    tensorflow = _library()
    module = _module(program, any_batch=True)
    signatures = {_SIGNATURE: module.depth.get_concrete_function()}
    with _quiet():
        try:
            tensorflow.saved_model.save(module, str(folder), signatures=signatures)
        except tensorflow.errors.OpError as error:
            number = errno.ENOSPC if isinstance(error, tensorflow.errors.ResourceExhaustedError) else errno.EIO
            raise OSError(number, os.strerror(number)) from error
    (pathlib.Path(folder) / _EXTRA).mkdir()
    (pathlib.Path(folder) / _EXTRA / attached.NAME).write_bytes(description)


def is_saved_model_of_ours(folder):
    """Whether a folder is what `write_saved_model` wrote."""
    return (pathlib.Path(folder) / _EXTRA / attached.NAME).is_file()


def load_saved_model(folder):
    """A SavedModel as a function of arrays of numpy, [B, h, w, 3] to metres."""
    tensorflow = _library()
    loaded = tensorflow.saved_model.load(str(folder))  # which must live as long as its signature
    call = loaded.signatures[_SIGNATURE]
    return lambda image, _keep=loaded: call(image=tensorflow.constant(image))["depth"].numpy()


def tflite_bytes(program, *, dtype="float32", pictures=None):
    """A Program as the bytes of a TFLite file, for one picture at a time.

    Args:
      program: the Program.
      dtype: of the weights: float32, float16, or int8, whose convolutions compute in int8; input, output and the rest
        stay float32.
      pictures: of int8, a list of inputs, float32 [1, h, w, 3], on which the ranges are measured.
    """
    tensorflow = _library()
    module = _module(program)
    converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([module.depth.get_concrete_function()], module)
    if dtype == "float16":
        converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tensorflow.float16]
    with _quiet():
        if dtype != "int8":
            return converter.convert()
        converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([picture] for picture in pictures)
        debug = tensorflow.lite.experimental  # the only way to choose operations
        options = debug.QuantizationDebugOptions(denylisted_ops=list(_IN_FLOAT))
        examined = dict(debug_dataset=converter.representative_dataset, debug_options=options)
        return debug.QuantizationDebugger(converter=converter, **examined).get_nondebug_quantized_model()


def load_tflite(path, *, threads=None):
    """A TFLite file as a function of arrays of numpy, [B, h, w, 3] to metres, one picture after the other."""
    with _quiet():
        interpreter = _library().lite.Interpreter(
            model_content=pathlib.Path(path).read_bytes(), num_threads=threads or os.cpu_count()
        )
        interpreter.allocate_tensors()
    (given,), (found,) = interpreter.get_input_details(), interpreter.get_output_details()

    def one(picture):
        interpreter.set_tensor(given["index"], picture[None])
        interpreter.invoke()
        return interpreter.get_tensor(found["index"])[0]

    return lambda image: np.stack([one(picture) for picture in image])


def _module(program, *, any_batch=False):
    """A Program as a module with its weights and a function `depth`, of one picture or of any number.

    Several pictures are mapped over: TensorFlow reads a JAX program of any batch size only from a JAX that is not newer
    than itself.
    """
    tensorflow = _library()
    from jax.experimental import jax2tf

    metres = jax2tf.convert(program.metres, with_gradient=False)
    module = tensorflow.Module()
    module.weights = jax.tree.map(tensorflow.Variable, program.variables)

    def depth(image):
        if not any_batch:
            return {"depth": metres(module.weights, image)}
        one = lambda picture: metres(module.weights, picture[None])[0]  # noqa: E731
        return {"depth": tensorflow.map_fn(one, image, fn_output_signature=tensorflow.float32)}

    shape = (None if any_batch else 1, *program.size, 3)
    signature = [tensorflow.TensorSpec(shape, tensorflow.float32, name="image")]
    module.depth = tensorflow.function(depth, input_signature=signature, autograph=False)
    return module


def _library():
    """The module tensorflow; raises InputError if it is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with _quiet():
            import tensorflow
    except ImportError as error:
        raise InputError("saved_model and tflite need TensorFlow, which has no wheels for this Python yet") from error
    return tensorflow


@contextlib.contextmanager
def _quiet():
    """Keeps TensorFlow's warnings away, and what its C++ writes to the error output: pages about its own passes.

    Its converter also silences absl's log, which is undone.
    """
    log = logging.getLogger("absl")
    level = log.level
    with tempfile.TemporaryFile() as kept:
        before = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            with contextlib.redirect_stderr(io.StringIO()), quiet.no_warnings():
                yield
        finally:
            os.dup2(before, 2)
            os.close(before)
            log.setLevel(level)
