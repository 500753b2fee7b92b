"""The command `jaxdepth`: one sub-command for each script in `launch/`. Light: it imports a script only to run it."""

import ast
import importlib.util
import pathlib
import sys

from jaxdepth import cli, paths

_FIRST = ("predict", "evaluate", "train", "prepare-data")  # in the list of commands


def main():
    """Runs the sub-command that sys.argv names; lists the sub-commands if there is none."""
    program = "python -m jaxdepth" if pathlib.Path(sys.argv[0]).name == "__main__.py" else "jaxdepth"
    scripts = _scripts()
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        with cli.unread_output():
            print(_list(program, scripts))
    elif name in scripts:
        sys.argv = [f"{program} {name}", *arguments]
        _run(scripts[name])
    else:
        sys.exit(f"error: {program} {paths.shown(name)}: no such command: expected one of {', '.join(scripts)}")


def _scripts():
    """{sub-command: its script}, those that most people want first."""
    scripts = {file.stem.replace("_", "-"): file for file in sorted(paths.packaged("launch").glob("*.py"))}
    return {name: scripts[name] for name in _FIRST} | scripts


def _list(program, scripts):
    lines = [f"Usage: {program} COMMAND ... [--FLAG=VALUE ...]", f"       {program} COMMAND --help", ""]
    for name, file in scripts.items():
        # The docstring starts "What it does: `python launch/...`".
        summary, _, _ = ast.get_docstring(ast.parse(file.read_text("utf-8"))).partition(":")
        lines.append(f"  {name:<14}{summary}")
    return "\n".join(lines)


def _run(script):
    """Runs a script's `main`. Flags are global to absl, so this is the one script that a process imports."""
    spec = importlib.util.spec_from_file_location(f"jaxdepth.launch.{script.stem}", script)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    cli.run(module.main)
