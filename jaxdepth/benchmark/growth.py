"""How the cost of a k-scale training step grows with its settings, and what a step at one gate costs."""

from jaxdepth.benchmark import steps, timing
from jaxdepth.benchmark.record import row
from jaxdepth.errors import InputError

# The values to measure. The first of `model.k` is the config's own.
SETTINGS = {
    "model.k": (4, 1, 2, 3, 5),
    "model.width": (8, 16, 32),
    "batch_size": (2, 4, 16, 32),
    "data.crop_size": ((112, 152), (336, 448)),
    "accumulate": (2, 4),
    "rematerialise": (True,),
}


def measure(configs, *, batch_size, dtype, seconds=4) -> list[dict]:
    """Measures `kscale` with one setting changed at a time, and gate by gate.

    Args:
      configs: {name: ConfigDict}, `kscale` among them.
      batch_size: images of a step, unless it is the setting that is changed; changes that it does not allow are left
        out.
      dtype: compute dtype, one of `models.DTYPES`.
      seconds: of each measurement.

    Returns:
      Rows of step time, FLOPs and planned memory. Their `network` names the change: `kscale model.k=3`, or
      `kscale gate=2`.

    Raises:
      InputError: if `configs` does not have `kscale`.
    """
    if "kscale" not in configs:
        raise InputError(f"growth: configs {', '.join(configs)}: expected kscale.py among them")
    base = steps.with_changes(configs["kscale"], {"batch_size": batch_size, "model.dtype": dtype})
    rows = []
    for name, values in SETTINGS.items():
        for value in values:
            config = steps.with_changes(base, {name: value})
            if config.batch_size % config.accumulate:
                continue
            shown = "x".join(map(str, value)) if isinstance(value, tuple) else value
            rows += _measure(f"kscale {name}={shown}", config, seconds=seconds)
    for gate in range(base.model.k + 1):
        rows += _measure(f"kscale gate={gate}", base, seconds=seconds, gate_number=gate)
    return rows


def _measure(name, config, *, seconds, gate_number=None):
    """The rows of one config."""
    case = steps.case(config, gate_number=gate_number)
    median, quartiles = timing.summary(timing.in_turns({"step": case.train}, seconds=seconds, min_turns=3)["step"])
    labels = dict(network=name, batch=config.batch_size, dtype=config.model.dtype)
    return [
        row("train_step", **labels, unit="ms", ours=median, quartiles=quartiles),
        row("train_step cost", **labels, unit="GFLOP", ours=case.train_flops / 1e9),
        row("peak memory", **labels, unit="MB", ours=case.memory / 1e6),
    ]
