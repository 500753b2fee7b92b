"""The structure of the package: which part may import which, and where heavy imports may stand."""

import ast
import pathlib
import sys

import jaxdepth

PACKAGE = pathlib.Path(jaxdepth.__file__).parent
MODULES = {
    ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): file
    for file in PACKAGE.rglob("*.py")
}


def imports(file):
    """(name of the module, whether it is imported when the file is) of each import in a file."""
    tree = ast.parse(file.read_text())
    inner = {node for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for node in ast.walk(f) if node is not f}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node not in inner) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield (full if full in MODULES else node.module), node not in inner


def room(module):
    """The part of the house that a module belongs to: a package or a file directly in `jaxdepth`."""
    return ".".join(module.split(".")[:2])


def test_no_part_imports_one_that_imports_it():
    below = {room(module): set() for module in MODULES}
    for module, file in MODULES.items():
        targets = {room(target) for target, _ in imports(file) if target.split(".")[0] == "jaxdepth"}
        below[room(module)] |= targets - {room(module)}
    order = []
    while below:
        ground = sorted(name for name, targets in below.items() if not targets & below.keys())
        assert ground, f"a circle among {', '.join(sorted(below))}"
        order += ground
        for name in ground:
            del below[name]
    assert order.index("jaxdepth.predict") > order.index("jaxdepth.data")
    assert order.index("jaxdepth.studies") > order.index("jaxdepth.train")


def test_a_launch_script_starts_at_once():
    """`--help` waits for what a script imports at its top: flags, and of the package what needs no jax."""
    light = {"absl", "ml_collections", "jaxdepth.advice", "jaxdepth.cli", "jaxdepth.config", "jaxdepth.paths"}
    for file in (PACKAGE.parent / "launch").glob("*.py"):
        at_import = {target for target, top in imports(file) if top}
        names = {name if name.startswith("jaxdepth") else name.split(".")[0] for name in at_import}
        assert names <= light | sys.stdlib_module_names, file


def test_heavy_imports_stand_in_one_place_each():
    alone = {
        "apache_beam": "jaxdepth.prepare.nyu_raw.parallel",
        "orbax": "jaxdepth.training.checkpoint",
        "tensorboardX": "jaxdepth.runs.events",
        "trimesh": "jaxdepth.output.mesh",
        "rerun": "jaxdepth.output.viewer",
        "onnx": "jaxdepth.export.onnx_format",
    }
    for module, file in MODULES.items():
        for target, _ in imports(file):
            name = target.split(".")[0]
            if name in ("tensorflow", "tensorflow_datasets"):
                assert module.startswith(("jaxdepth.data.", "jaxdepth.export.tensorflow_")), (
                    f"{module} imports {target}"
                )
            if name in alone:
                assert module == alone[name], f"{module} imports {target}"


def test_tensorflow_is_never_imported_on_the_way():
    """Modules that import it at their top are themselves imported inside functions only."""
    heavy = {m for m, file in MODULES.items() if any(t.startswith("tensorflow") and top for t, top in imports(file))}
    for module, file in MODULES.items():
        at_import = {target for target, top in imports(file) if top}
        assert not at_import & heavy, f"{module} imports {at_import & heavy}"


def test_files_are_short_and_settings_stay_at_the_top():
    for module, file in MODULES.items():
        lines = file.read_text().splitlines()
        assert len(lines) <= 450, f"{file}: {len(lines)} lines"
        may_see_a_config = room(module) in (
            "jaxdepth.config",
            "jaxdepth.train",
            "jaxdepth.evaluate",
            "jaxdepth.predict",
            "jaxdepth.studies",
            "jaxdepth.benchmark",
        ) or module in ("jaxdepth.training.setup", "jaxdepth.runs.record")
        if not may_see_a_config:
            assert not any(target.startswith("ml_collections") for target, _ in imports(file)), module
