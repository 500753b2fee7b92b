"""How the cost of a k-scale training step grows with its settings, and what a step at one gate costs."""

from jaxdepth.benchmark import steps, timing
from jaxdepth.benchmark.record import row

# Beside the settings as they are, which are the first of `model.k`.
SETTINGS = {
    "model.k": (4, 1, 2, 3, 5),
    "model.width": (8, 16, 32),
    "batch_size": (2, 4, 16, 32),
    "data.crop_size": ((112, 152), (336, 448)),
    "accumulate": (2, 4),
    "rematerialise": (True,),
}


def measure(settings, *, batch, dtype, seconds=4) -> list[dict]:
    """Rows of step time, FLOPs and planned memory of `kscale`: one setting changed at a time, and gate by gate.

    A row's `network` names what was changed, as in `kscale model.k=3` or `kscale gate=2`. Raises ValueError where there
    are no settings of that name.
    """
    if "kscale" not in settings:
        raise ValueError(f"growth: settings of {', '.join(settings)}; expected kscale.py among them")
    rows = []
    for name, values in SETTINGS.items():
        for value in values:
            config = settings["kscale"].copy_and_resolve_references()
            config.batch_size = batch
            config.update_from_flattened_dict({name: value})
            if config.batch_size % config.accumulate:
                continue
            shown = "x".join(map(str, value)) if isinstance(value, tuple) else value
            rows += _measure(f"kscale {name}={shown}", config, dtype=dtype, seconds=seconds)
    config = settings["kscale"].copy_and_resolve_references()
    config.batch_size = batch
    for gate in range(config.model.k + 1):
        rows += _measure(f"kscale gate={gate}", config, dtype=dtype, seconds=seconds, gate_number=gate)
    return rows


def _measure(name, config, *, dtype, seconds, gate_number=None):
    options = dict(accumulate=config.accumulate, rematerialise=config.rematerialise)
    case = steps.case(config, batch=config.batch_size, dtype=dtype, gate_number=gate_number, **options)
    median, quartiles = timing.summary(timing.in_turns({"step": case.train}, seconds=seconds, least=3)["step"])
    labels = dict(network=name, batch=config.batch_size, dtype=dtype)
    return [
        row("train_step", **labels, unit="ms", ours=median, quartiles=quartiles),
        row("train_step cost", **labels, unit="GFLOP", ours=case.train_flops / 1e9),
        row("peak memory", **labels, unit="MB", ours=case.bytes / 1e6),
    ]
