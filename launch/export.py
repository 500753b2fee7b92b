"""Exports a network for programs without jaxdepth: `python launch/export.py --format=tflite --output=depth.tflite`.

It compares what it wrote with the network, and prints size and time. docs/export.md has a few lines of code that load
each format.
"""

from absl import app, flags

from jaxdepth import cli

_WORKDIR = flags.DEFINE_string("workdir", "package", "Workdir of the run, packed network, or `package` for jaxdepth's.")
_STEP = flags.DEFINE_string("step", "last", "Which checkpoint: a step, last, or best (by validation delta1).")
_FORMAT = flags.DEFINE_string("format", None, "stablehlo, saved_model, tflite or onnx.")
_OUTPUT = flags.DEFINE_string("output", None, "The file to write, of saved_model a folder.")
_DTYPE = flags.DEFINE_string("dtype", "float32", "Of tflite's weights: float32, float16 or int8.")
_FLIP = flags.DEFINE_string(
    "flip", None, "Who averages with the mirrored picture: the program (inside) or its caller; default: as in tests."
)
_OUTPUTS = flags.DEFINE_string("outputs", "final", "The final output [batch, h, w], or all [batch, n, h, w].")
_SOURCE = flags.DEFINE_string(
    "source", None, "Frames to score on: nyu, folder, tfds or rooms; default: of float16, a few rooms. int8 needs them."
)
_PATH = flags.DEFINE_string("path", None, "Where the source is; default: the run's config.data.path.")
_SPLIT = flags.DEFINE_string("split", None, "Whose validation frames, or `all`; default: the run's.")
flags.mark_flags_as_required(["format", "output"])


def main(argv):
    if argv[1:]:
        raise app.UsageError(f"{argv[1]!r}: expected flags only, such as --output=FILE")
    if _SOURCE.value is None:
        cli.only_with("--source", ["path", "split"])
    from jaxdepth import export

    report = export.export(
        _WORKDIR.value,
        _OUTPUT.value,
        format=_FORMAT.value,
        dtype=_DTYPE.value,
        flip=_FLIP.value,
        outputs=_OUTPUTS.value,
        step=cli.step(_STEP.value),
        source=_SOURCE.value,
        path=_PATH.value,
        split=_SPLIT.value,
    )
    print(f"{_OUTPUT.value}: {report.size / 1e6:.1f} MB, equal to the network up to {report.difference:.1e}")
    print(f"{report.milliseconds:.0f} ms a picture; the network as predict runs it: {report.own_milliseconds:.0f} ms")
    for name, value in (report.scores or {}).items():
        print(f"{name} {value:.4f} on {report.frames} frames; the network: {report.own_scores[name]:.4f}")


if __name__ == "__main__":
    cli.run(main)
