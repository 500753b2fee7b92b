"""Evaluates a checkpoint of a run: `python launch/evaluate.py --workdir=runs/kscale --protocol=eigen_crop`."""

from absl import flags

from jaxdepth import cli

_WORKDIR = flags.DEFINE_string("workdir", None, "Workdir of the run, or a packed network.")
_STEP = flags.DEFINE_string("step", "last", "Which checkpoint: a step, last, or best (by validation delta1).")
_PROTOCOL = flags.DEFINE_string("protocol", "eigen_crop", "paper, eigen_crop or full.")
_SOURCE = flags.DEFINE_string("source", None, "Source of the frames; default: the run's.")
_PATH = flags.DEFINE_string("path", None, "Where that source is; default: the run's config.data.path.")
_SPLIT = flags.DEFINE_string("split", None, "Whose validation frames, or `all` for every frame; default: the run's.")
_IMAGE = flags.DEFINE_string("image", None, "Pattern of a folder's pictures; default: the run's.")
_DEPTH = flags.DEFINE_string("depth", None, "Pattern of a folder's depths; default: the run's.")
_DEPTH_SCALE = flags.DEFINE_float("depth_scale", None, "Metres per unit of a folder's depths; default: the run's.")
_INVALID = flags.DEFINE_list("invalid", None, "Depths in metres that are no measurement; default: the run's.")
_MAX_DEPTH = flags.DEFINE_float("max_depth", None, "Metres up to which depth is scored; default: the run's.")
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "JSON file to write; default: evaluation-PROTOCOL[-SOURCE][-PATH][-SPLIT][-STEP][-...].json in the workdir.",
)
flags.mark_flag_as_required("workdir")


def main(_):
    from jaxdepth import evaluate
    from jaxdepth.evaluation import report

    chosen = dict(
        protocol=_PROTOCOL.value,
        source=_SOURCE.value,
        path=_PATH.value,
        split=_SPLIT.value,
        step=cli.step(_STEP.value),
        invalid=cli.numbers("invalid", _INVALID.value),
        max_depth=_MAX_DEPTH.value,
    )
    files = dict(image=_IMAGE.value, depth=_DEPTH.value, depth_scale=_DEPTH_SCALE.value)
    output = _OUTPUT.value or evaluate.default_output(_WORKDIR.value, **chosen)
    print(report.text(evaluate.evaluate_checkpoint(_WORKDIR.value, **chosen, **files, output=output)))


if __name__ == "__main__":
    cli.run(main)
