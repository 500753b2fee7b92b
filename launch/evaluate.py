"""Evaluate a training run: `python launch/evaluate.py --workdir=runs/kscale --protocol=eigen_crop`."""

from absl import flags

from jaxdepth import cli

_WORKDIR = flags.DEFINE_string("workdir", None, "The run's folder.")
_STEP = flags.DEFINE_integer("step", None, "Which checkpoint; by default the last.")
_PROTOCOL = flags.DEFINE_string("protocol", "eigen_crop", "paper, eigen_crop or full.")
_SOURCE = flags.DEFINE_string("source", None, "Source of the frames; by default the run's.")
_PATH = flags.DEFINE_string("path", None, "Where that source lies; by default as in training.")
_SPLIT = flags.DEFINE_string("split", None, "Whose validation frames, or `all`; by default the run's.")
_OUTPUT = flags.DEFINE_string("output", None, "JSON file; by default evaluation-PROTOCOL[-...].json in the workdir.")
flags.mark_flag_as_required("workdir")


def main(_):
    from jaxdepth import evaluate

    chosen = [_PROTOCOL.value, _SOURCE.value, _SPLIT.value, _STEP.value]
    name = "-".join(["evaluation", *(str(value) for value in chosen if value is not None)])
    result = evaluate.evaluate_checkpoint(
        _WORKDIR.value,
        step=_STEP.value,
        protocol=_PROTOCOL.value,
        source=_SOURCE.value,
        path=_PATH.value,
        split=_SPLIT.value,
        output=_OUTPUT.value or f"{_WORKDIR.value}/{name}.json",
    )
    print(evaluate.report(result))


if __name__ == "__main__":
    cli.run(main)
