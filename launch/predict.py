"""Predicts the depth of pictures and clips: `python launch/predict.py FILE ... [--workdir=DIR] [--output=DIR]`.

For each picture it writes NAME.npy (float32 metres), NAME.png (16 bit, millimetres), NAME.color.png, NAME.json, and
NAME.ply if asked for. NAME is the picture's name without its extension. Names that would collide keep the extension
(a.jpg.npy), then get the folder's name in front, then a number. For each clip it writes NAME.depth.mp4 and NAME.json.

`--source=nyu --output=DIR` instead predicts the frames of a source, for `evaluate.py --predictions=DIR`.
"""

from absl import app, flags

from jaxdepth import advice, cli

_WORKDIR = flags.DEFINE_string("workdir", None, "Workdir of the network's run; default: the network of the package.")
_STEP = flags.DEFINE_string("step", "last", "Which checkpoint: a step, last, or best (by validation delta1).")
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "Folder for all files; default: `depth` beside each picture. Not a folder that pictures are read from.",
)
_FORMATS = flags.DEFINE_list(
    "formats", ["npy", "png", "color"], "Some of npy, png, color, ply. NAME.json is always written."
)
_BATCH = flags.DEFINE_integer("batch", 8, "Pictures that go through the network together.")
_OVERWRITE = flags.DEFINE_bool(
    "overwrite", False, "Replace files that predict has not written. Without it, such pictures are skipped."
)
_DEPTH_FRAMES = flags.DEFINE_bool("depth_frames", False, "Of clips, also a folder with a 16-bit PNG for each frame.")
_SMOOTHING = flags.DEFINE_float("smoothing", 0.1, "Of clips: seconds by which smoothed depth lags; 0 for none.")
_SOURCE = flags.DEFINE_string("source", None, "Predict the frames of this source: nyu, folder, tfds or rooms.")
_PATH = flags.DEFINE_string("path", None, "Where the source is; default: the run's config.data.path.")
_SPLIT = flags.DEFINE_string("split", None, "Whose validation frames, or `all`; default: the run's.")
_IMAGE = flags.DEFINE_string("image", None, "Pattern of a source folder's pictures; default: the run's.")
_DEPTH = flags.DEFINE_string("depth", None, "Pattern of a source folder's depths; default: the run's.")
_INTRINSICS = {
    name: flags.DEFINE_float(name, None, f"{what} in pixels of the pictures; default: from EXIF, else the training's.")
    for name, what in dict(
        fx="Focal length", fy="Vertical focal length", cx="Principal point's column", cy="Principal point's row"
    ).items()
}


def main(argv):
    if (len(argv) < 2) == (_SOURCE.value is None):
        raise app.UsageError("expected pictures, folders or globs; or --source and --output")
    if _SOURCE.value is not None:
        cli.only_with(
            "pictures, not with --source", ["formats", "overwrite", "depth_frames", "smoothing", *_INTRINSICS]
        )
        return _predict_frames()
    cli.only_with("--source", ["path", "split", "image", "depth"])
    from jaxdepth import predict

    report = predict.predict_files(
        _WORKDIR.value,
        argv[1:],
        output=_OUTPUT.value,
        formats=tuple(_FORMATS.value),
        step=cli.step(_STEP.value),
        batch=_BATCH.value,
        overwrite=_OVERWRITE.value,
        depth_frames=_DEPTH_FRAMES.value,
        smoothing=_SMOOTHING.value,
        intrinsics={name: flag.value for name, flag in _INTRINSICS.items()},
    )
    print("\n".join(report.lines))
    return 1 if report.skipped else 0


def _predict_frames():
    from jaxdepth import predict

    if _OUTPUT.value is None:
        raise app.UsageError("--source: expected --output=DIR for the predictions")
    data = dict(source=_SOURCE.value, path=_PATH.value, split=_SPLIT.value, image=_IMAGE.value, depth=_DEPTH.value)
    options = dict(output=_OUTPUT.value, step=cli.step(_STEP.value), batch=_BATCH.value)
    count = predict.predict_frames(_WORKDIR.value, **options, **data)
    place = f" --path={_PATH.value}" if _PATH.value else ""
    print(f"{count} frames: {_OUTPUT.value}")
    print(
        advice.typed(f"next: python launch/evaluate.py --predictions={_OUTPUT.value} --source={_SOURCE.value}{place}")
    )
    return 0


if __name__ == "__main__":
    cli.run(main)
