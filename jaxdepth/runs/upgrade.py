"""Settings of earlier versions: what was renamed since, and what came later."""

RENAMED = {"mirrored": "flip_tta", "initial": "init_from"}
# Settings that came later, with the value that describes runs from before.
_ADDED = {
    "flip_tta": False,
    "init_from": None,
    "ema_decay": 0.0,
    "accumulate": 1,
    "rematerialise": False,
    "keep_every": None,
    "max_skipped_steps": 10,
    "model_parallel": 1,
    "tensorboard": False,
    "data.depth": "filled",
    "data.invalid": [],
    "data.max_depth": 10.0,
    "data.mix": "",
    "data.sensor": False,
    "data.folder.image": None,
    "data.folder.depth": None,
    "data.folder.depth_scale": None,
    "data.folder.intrinsics": None,
    "data.augmentation.flip": False,
    "data.augmentation.colour": 0.0,
    "data.augmentation.light": 0.0,
    "loss.absolute_weight": 0.0,
    "loss.gradient_weight": 0.0,
}


def settings(config) -> dict:
    """A run's settings, nested, by today's names and with those that came later."""
    if not isinstance(config, dict):
        raise TypeError(f"settings {config!r}: expected an object")
    flat = {RENAMED.get(name, name): value for name, value in flatten(config).items()}
    added = {name: value for name, value in _ADDED.items() if name not in flat}
    return _unflatten(flat | added)


def flatten(tree, prefix="") -> dict:
    """Nested dicts as one, with names such as "data.path"; empty dicts are left out."""
    if not isinstance(tree, dict):
        return {prefix: tree}
    return {n: v for k, sub in tree.items() for n, v in flatten(sub, f"{prefix}.{k}" if prefix else k).items()}


def _unflatten(flat) -> dict:
    tree = {}
    for name, value in flat.items():
        *folders, last = name.split(".")
        inner = tree
        for folder in folders:
            inner = inner.setdefault(folder, {})
        inner[last] = value
    return tree
