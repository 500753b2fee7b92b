"""ONNX, from the TFLite file by tf2onnx; onnxruntime runs it. The extra `onnx`."""

import importlib.util
import subprocess
import sys
import tempfile

import numpy as np

from jaxdepth.data.files import writing
from jaxdepth.errors import InputError
from jaxdepth.export import attached

_OPSET = 17
_NEEDED = ("onnx", "onnxruntime", "tf2onnx")


def program_bytes(tflite, description):
    """A TFLite file (bytes) as the bytes of an ONNX file, its description in the model's metadata.

    Raises:
      InputError: if tf2onnx cannot convert it.
    """
    import onnx

    with writing.removing(tempfile.mkdtemp()) as folder:
        given, made = folder / "network.tflite", folder / "network.onnx"
        given.write_bytes(tflite)
        # In a process of its own: importing tf2onnx changes the logging of this one.
        command = [sys.executable, "-m", "tf2onnx.convert", "--tflite", given, "--output", made, "--opset", str(_OPSET)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode or not made.is_file():
            told = (done.stderr.strip().splitlines() or ["no word"])[-1]
            raise InputError(f"format='onnx': tf2onnx cannot convert this network ({told})")
        model = onnx.load(made)
    (image,), (depth,) = model.graph.input, model.graph.output
    names = {image.name: "image", depth.name: "depth"}
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    image.name, depth.name = "image", "depth"
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:  # of one that does not look at its picture
        told = str(error).splitlines()[0]
        raise InputError(f"format='onnx': ONNX has no such network ({told})") from error
    onnx.helper.set_model_props(model, {attached.NAME: attached.text(description)})
    return model.SerializeToString()


def load(path):
    """A file as a function of arrays of numpy, [B, h, w, 3] to metres, one picture after the other."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda image: np.concatenate([session.run(None, {"image": picture[None]})[0] for picture in image])


def check_installed():
    """Raises InputError if a library is missing."""
    if not all(map(importlib.util.find_spec, _NEEDED)):
        raise InputError("format='onnx' needs the extra onnx: pip install 'jaxdepth[onnx]'")
