"""ONNX, from the TFLite file by tf2onnx; onnxruntime runs it. The extra `onnx`."""

import logging
import pathlib
import tempfile

import numpy as np

from jaxdepth.errors import InputError
from jaxdepth.export import attached

_OPSET = 17


def program_bytes(tflite, description):
    """A TFLite file (bytes) as the bytes of an ONNX file, its description in the model's metadata."""
    onnx, tf2onnx, _ = library()
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # a page about its passes
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "network.tflite")
            path.write_bytes(tflite)
            model, _ = tf2onnx.convert.from_tflite(str(path), opset=_OPSET)
    finally:
        logging.disable(before)
    (image,), (depth,) = model.graph.input, model.graph.output
    names = {image.name: "image", depth.name: "depth"}
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    image.name, depth.name = "image", "depth"
    onnx.checker.check_model(model)
    onnx.helper.set_model_props(model, {attached.NAME: attached.text(description)})
    return model.SerializeToString()


def load(path):
    """A file as a function of arrays of numpy, [B, h, w, 3] to metres, one picture after the other."""
    _, _, onnxruntime = library()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda image: np.concatenate([session.run(None, {"image": picture[None]})[0] for picture in image])


def library():
    """The modules (onnx, tf2onnx, onnxruntime); raises InputError if one is not installed."""
    try:
        import onnx
        import onnxruntime
        import tf2onnx
    except ImportError as error:
        raise InputError("format='onnx' needs the extra onnx: pip install 'jaxdepth[onnx]'") from error
    return onnx, tf2onnx, onnxruntime
