"""Exports a network for other programs: `python launch/export.py`."""

import dataclasses
import os
import pathlib

import numpy as np

from jaxdepth import evaluate, predict
from jaxdepth.data.batches import evaluation
from jaxdepth.data.files import writing
from jaxdepth.errors import InputError
from jaxdepth.export import attached, check, onnx_format, program, stablehlo, tensorflow_formats
from jaxdepth.prediction.predictor import Predictor

FORMATS = ("stablehlo", "saved_model", "tflite", "onnx")
DTYPES = ("float32", "float16", "int8")
CLOSE = 1e-4  # largest relative difference of float32
_CALIBRATION = 64  # frames


@dataclasses.dataclass(frozen=True)
class Report:
    """What was exported.

    Attributes:
      size: bytes.
      difference: largest relative difference of its metres to the network's, of smooth noise.
      milliseconds: of a picture, one at a time.
      own_milliseconds: the same of the network as `predict` runs it.
      scores, own_scores: {metric: value} on the source's frames; None of float32 without a source.
      frames: how many were scored.
    """

    size: int
    difference: float
    milliseconds: float
    own_milliseconds: float
    scores: dict | None = None
    own_scores: dict | None = None
    frames: int = 0


def export(folder, output, *, format, dtype="float32", flip=None, outputs="final", step="last", **data):
    """Exports a network, and compares what was written with it.

    The program takes pictures, float32 [batch, h, w, 3] in [0, 1] of the network's size, to float32 [batch, h, w],
    metres along z, or to [batch, n, h, w] of all outputs. `network.json` in the file says what is needed beside it.

    Args:
      folder: workdir of the network, "package" for the one that comes with the package; or a Predictor.
      output: the file, or of saved_model the folder, to write. An earlier export there is replaced.
      format: one of FORMATS.
      dtype: of tflite's weights, one of DTYPES.
      flip, outputs: see `program.build`.
      step: a step, "last" or "best".
      **data: the frames that it is scored on, fields of `evaluate.Data`. By default float32 is not scored, and float16
        on a few rendered rooms; int8, whose ranges are measured on their training part, needs them.

    Returns:
      A Report.

    Raises:
      InputError: for an unknown format, dtype, flip or outputs, int8 without frames, or a missing library. Also if
        float32 differs from the network by more than CLOSE; then nothing is left at `output`.
      OSError: if `output` is there and no export, or cannot be written.
    """
    if format not in FORMATS:
        raise InputError(f"format={format!r}: expected one of {', '.join(FORMATS)}")
    if dtype not in DTYPES:
        raise InputError(f"dtype={dtype!r}: expected one of {', '.join(DTYPES)}")
    if dtype != "float32" and format != "tflite":
        raise InputError(f"dtype={dtype!r}: only for format='tflite'; {format} has float32")
    if dtype == "int8" and data.get("source") is None:
        raise InputError("dtype='int8': its ranges are measured on frames: expected their source, such as --source=nyu")
    if format == "onnx":
        onnx_format.check_installed()
    output = pathlib.Path(output)
    _check_output(output, is_folder=format == "saved_model")
    predictor = folder if isinstance(folder, Predictor) else predict.load(folder, step=step)
    built = program.build(predictor, flip=flip, outputs=outputs)
    batch = 1 if format in ("tflite", "onnx") else None
    described = program.describe(predictor, built, dtype=dtype, batch=batch)
    pictures = _calibration(predictor, data) if dtype == "int8" else None
    with writing.removing(writing.temporary(output)) as grown:
        with writing.naming(output):
            call = _write(grown, built, described, format=format, dtype=dtype, pictures=pictures)
        difference = check.largest_difference(call, built, batch=batch or 2)
        if dtype == "float32" and not difference <= CLOSE:
            raise InputError(
                f"{format} differs from the network by a factor of up to 1 + {difference:.2g}: expected {CLOSE:g} at "
                "most; nothing is written"
            )
        scored = {}
        if data.get("source"):
            of_program, own, count = check.scores(predictor, call, built, **data)
            scored = dict(scores=of_program, own_scores=own, frames=count)
        elif dtype != "float32":
            of_program, own = check.room_scores(predictor, call, built)
            scored = dict(scores=of_program, own_scores=own, frames=check.ROOMS)
        times = check.milliseconds(call, predictor, built)
        size = sum(file.stat().st_size for file in (grown, *grown.rglob("*")) if file.is_file())
        with writing.naming(output):
            writing.fill(output, grown) if grown.is_dir() else grown.replace(output)
    return Report(size, difference, *times, **scored)


def _write(path, built, described, *, format, dtype, pictures):
    """Writes the program at `path`; the written one as a function of arrays of numpy."""
    if format == "saved_model":
        tensorflow_formats.write_saved_model(built, path, writing.json_bytes(described))
        return tensorflow_formats.load_saved_model(path)
    if format == "stablehlo":
        path.write_bytes(attached.attach(stablehlo.program_bytes(built), described))
        return stablehlo.load(path)
    found = tensorflow_formats.tflite_bytes(built, dtype=dtype, pictures=pictures)
    if format == "onnx":
        path.write_bytes(onnx_format.program_bytes(found, described))
        return onnx_format.load(path)
    path.write_bytes(attached.attach(found, described))
    return tensorflow_formats.load_tflite(path)


def _calibration(predictor, data):
    """Up to _CALIBRATION pictures of the frames' training part, or of all, as inputs [1, h, w, 3]."""
    run = predictor.trained.run
    frames, split, _ = evaluate.frames_of_run(run, data=evaluate.Data(**data))
    indices = split.train if len(split.train) else split.val
    chosen = indices[np.unique(np.linspace(0, len(indices) - 1, _CALIBRATION).astype(int))]
    batches = evaluation.eval_batches(frames, chosen, batch_size=1, crop_size=run.crop_size)
    return [batch["image"] for batch in batches]


def _check_output(output, *, is_folder):
    """Refuses, before the work, an output that cannot be written or is something else than an export."""
    writing.check_folder(output.absolute().parent)
    if not output.absolute().parent.is_dir():
        raise FileNotFoundError(f"output {str(output)!r}: expected a path in a folder that exists")
    if not os.path.lexists(output):
        return
    if output.is_dir():
        ours = is_folder and (not any(output.iterdir()) or tensorflow_formats.is_saved_model_of_ours(output))
    else:
        ours = not is_folder and attached.is_ours(output)
    if not ours:
        raise FileExistsError(f"output {str(output)!r} is there and no export of ours: expected another --output")
