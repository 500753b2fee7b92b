"""Predicts the depth of pictures and clips: `python launch/predict.py FILE ... [--workdir=DIR] [--output=DIR]`.

For each picture it writes NAME.npy (float32 metres), NAME.png (16 bit, millimetres), NAME.color.png and NAME.json; with
--formats also NAME.ply (points), NAME.glb (a mesh with the photo on it), NAME.normals.png and NAME.rrd. NAME is the
picture's name without its extension. Names that would collide keep the extension (a.jpg.npy), then get the folder's
name in front, then a number. For each clip it writes NAME.depth.mp4 and NAME.json.

`--source=nyu --output=DIR` instead predicts the frames of a source, for `evaluate.py --predictions=DIR`.
"""

from absl import app, flags

from jaxdepth import advice, cli

_WORKDIR = flags.DEFINE_string(
    "workdir", "package", "Workdir of the network's run, packed network, or `package` for jaxdepth's."
)
_STEP = flags.DEFINE_string("step", "last", "Which checkpoint: a step, last, or best (by validation delta1).")
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "Folder for all files; default: `depth` beside each picture. Not a folder that pictures are read from.",
)
_FORMATS = flags.DEFINE_list(
    "formats", ["npy", "png", "color"], "Some of npy, png, color, normals, ply, glb, rrd. NAME.json is always written."
)
_BATCH = flags.DEFINE_integer("batch", 8, "Pictures that go through the network together.")
_OVERWRITE = flags.DEFINE_bool(
    "overwrite", False, "Replace files that predict has not written. Without it, such pictures are skipped."
)
_EDGE = flags.DEFINE_float(
    "edge", 4.0, "Degrees: glb, rrd and the viewer leave out what is seen at less, the jumps of depth; 0 for none."
)
_VIEWER = flags.DEFINE_bool("viewer", False, "Also show the pictures in Rerun's viewer (extra viewer).")
_DEPTH_FRAMES = flags.DEFINE_bool("depth_frames", False, "Of clips, also a folder with a 16-bit PNG for each frame.")
_SMOOTHING = flags.DEFINE_float("smoothing", 0.1, "Of clips: seconds by which smoothed depth lags; 0 for none.")
_SOURCE = flags.DEFINE_string(
    "source", None, "Predict the frames of this source: nyu, folder, tfds, rooms or a test set's name, such as ibims."
)
_PATH = flags.DEFINE_string("path", None, "Where the source is; default: the run's config.data.path.")
_SPLIT = flags.DEFINE_string("split", None, "Whose validation frames, or `all`; default: the run's.")
_IMAGE = flags.DEFINE_string("image", None, "Pattern of a source folder's pictures; default: the run's.")
_DEPTH = flags.DEFINE_string("depth", None, "Pattern of a source folder's depths; default: the run's.")
_INTRINSICS = cli.define_intrinsics("the pictures", "from EXIF, else the training's")
_OF_DATA = ("source", "path", "split", "image", "depth")
_OF_PICTURES = ("formats", "overwrite", "edge", "viewer", "depth_frames", "smoothing")


def main(argv):
    if (len(argv) < 2) == (_SOURCE.value is None):
        raise app.UsageError("expected pictures, folders or globs; or --source and --output")
    if _SOURCE.value is not None:
        cli.only_with("pictures, not with --source", _OF_PICTURES)
        return _predict_frames()
    cli.only_with("--source", _OF_DATA[1:])
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
        edge=_EDGE.value,
        viewer=_VIEWER.value,
        intrinsics=cli.intrinsics(_INTRINSICS),
    )
    print("\n".join(report.lines))
    return 1 if report.skipped else 0


def _predict_frames():
    from jaxdepth import predict

    if _OUTPUT.value is None:
        raise app.UsageError("--source: expected --output=DIR for the predictions")
    data = {name: flags.FLAGS[name].value for name in _OF_DATA}
    data |= dict(intrinsics=cli.intrinsics(_INTRINSICS))
    options = dict(output=_OUTPUT.value, step=cli.step(_STEP.value), batch=_BATCH.value)
    count = predict.predict_frames(_WORKDIR.value, **options, **data)
    print(f"{count} frames: {_OUTPUT.value}")
    same = [flags.FLAGS[name] for name in (*_OF_DATA, *_INTRINSICS)]
    told = [flag.serialize() for flag in same if flag.present]
    print(f"next: {advice.command('evaluate', f'--predictions={_OUTPUT.value}', *told)}")
    return 0


if __name__ == "__main__":
    cli.run(main)
