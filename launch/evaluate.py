"""Evaluates a run's checkpoint, or depth maps of any network, under a protocol:

    python launch/evaluate.py --workdir=runs/kscale
    python launch/evaluate.py --predictions=DIR --source=nyu --split=official
    python launch/evaluate.py --compare=A.json,B.json

It writes a JSON file, beside it a page to read (.html) and a table of the frames (.csv).
"""

from absl import app, flags

from jaxdepth import cli

_WORKDIR = flags.DEFINE_string("workdir", None, "Workdir of the run, packed network, or `package` for jaxdepth's.")
_STEP = flags.DEFINE_string("step", "last", "Which checkpoint: a step, last, or best (by validation delta1).")
_PREDICTIONS = flags.DEFINE_string("predictions", None, "Folder of depth maps, named by the frames' ids or names.")
_KIND = flags.DEFINE_string("prediction_kind", "depth", "What they hold: depth, inverse_depth or disparity.")
_SCALE = flags.DEFINE_float("prediction_scale", None, "Metres (or 1 / metres) per unit; default: 1, of integers .001.")
_KEY = flags.DEFINE_string("key", None, "Name of the array in .npz predictions; default: the only one, or `depth`.")
_ALLOW_MISSING = flags.DEFINE_bool("allow_missing", False, "Score the frames that have a prediction.")
_COMPARE = flags.DEFINE_list(
    "compare", None, "JSON files of evaluations of the same frames, the first to compare with."
)

_PROTOCOL = flags.DEFINE_string(
    "protocol",
    None,
    "paper, eigen_crop, silberman_crop, full, garg_crop or kitti_eigen_crop; default: the source's usual one.",
)
_TRUTH = flags.DEFINE_string("truth", None, "filled or raw depth of NYU's file; default: the run's, or filled.")
_RESIZE = flags.DEFINE_string("resize", "depth", "What is interpolated to the scored size: depth or log_depth.")
_POOLING = flags.DEFINE_string("pooling", "images", "Means over images, or over all pixels of all images (pixels).")
_MAX_DEPTH = flags.DEFINE_float(
    "max_depth", None, "Metres up to which depth is scored; default: a test set's, else the run's, or 10."
)
_MEASURES = flags.DEFINE_list("measures", ["standard"], "standard, all, or some of the further measures by name.")

_SOURCE = flags.DEFINE_string(
    "source", None, "Source of the frames, also a test set's name; default: the run's, or nyu with --predictions."
)
_PATH = flags.DEFINE_string("path", None, "Where that source is; default: the run's config.data.path.")
_SPLIT = flags.DEFINE_string("split", None, "Whose validation frames, or `all` for every frame; default: the run's.")
_IMAGE = flags.DEFINE_string("image", None, "Pattern of a folder's pictures; default: the run's.")
_DEPTH = flags.DEFINE_string("depth", None, "Pattern of a folder's depths; default: the run's.")
_DEPTH_SCALE = flags.DEFINE_float("depth_scale", None, "Metres per unit of a folder's depths; default: the run's.")
_INTRINSICS = cli.define_intrinsics("a folder's pictures", "the run's")
_INVALID = flags.DEFINE_list("invalid", None, "Depths in metres that are no measurement; default: the run's.")
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "JSON file to write; default: evaluation-PROTOCOL[-SOURCE][-PATH][-SPLIT][-STEP][-...].json in the workdir or the "
    "folder of predictions. Of --compare, the page (.html); default: none.",
)
_OF_PREDICTIONS = ("prediction_kind", "prediction_scale", "key", "allow_missing")
_OF_RULES = ("protocol", "truth", "resize", "pooling", "max_depth", "measures")
_OF_DATA = ("source", "path", "split", "image", "depth", "depth_scale", "invalid", *_INTRINSICS)


def main(_):
    given = [name for name in ("workdir", "predictions", "compare") if flags.FLAGS[name].value is not None]
    if len(given) != 1:
        found = f"{' and '.join(f'--{name}' for name in given)} are given" if given else "none is given"
        raise app.UsageError(f"expected one of --workdir, --predictions and --compare: {found}")
    if _PREDICTIONS.value is None:
        cli.only_with("--predictions", _OF_PREDICTIONS)
    if _WORKDIR.value is None:
        cli.only_with("--workdir", ["step"])
    if _COMPARE.value is not None:
        cli.only_with("--workdir or --predictions", _OF_RULES + _OF_DATA)
    from jaxdepth import evaluate
    from jaxdepth.evaluation import comparison, report

    if _COMPARE.value is not None:
        print(comparison.text(evaluate.compare(_COMPARE.value, output=_OUTPUT.value)))
        return
    options = dict(
        source=_SOURCE.value,
        path=_PATH.value,
        split=_SPLIT.value,
        image=_IMAGE.value,
        depth=_DEPTH.value,
        depth_scale=_DEPTH_SCALE.value,
        intrinsics=cli.intrinsics(_INTRINSICS),
        invalid=cli.numbers("invalid", _INVALID.value),
        protocol=_PROTOCOL.value,
        truth=_TRUTH.value,
        resize=_RESIZE.value,
        pooling=_POOLING.value,
        max_depth=_MAX_DEPTH.value,
        measures=tuple(_MEASURES.value),
    )
    step = cli.step(_STEP.value)
    output = _OUTPUT.value or evaluate.default_output(_WORKDIR.value or _PREDICTIONS.value, step=step, **options)
    if _WORKDIR.value is not None:
        result = evaluate.evaluate_checkpoint(_WORKDIR.value, step=step, output=output, **options)
    else:
        files = dict(kind=_KIND.value, scale=_SCALE.value, key=_KEY.value, allow_missing=_ALLOW_MISSING.value)
        result = evaluate.evaluate_predictions(_PREDICTIONS.value, output=output, **files, **options)
    print(report.text(result))
    print(f"written: {output}, and beside it .html and .csv")


if __name__ == "__main__":
    cli.run(main)
