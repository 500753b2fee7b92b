"""The command `jaxdepth` from a clone, in processes of its own: flags are global. None of them may import jax."""

import ast
import os
import shlex
import subprocess
import sys

import pytest
import small

from jaxdepth import advice, cli

SCRIPTS = {file.stem.replace("_", "-"): file for file in sorted((small.ROOT / "launch").glob("*.py"))}
ADVICE = "python launch/prepare_data.py nyu, python launch/train.py --config=configs/best.py:a"


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """Runs the command in an empty folder; returns its exit code, stdout and stderr."""
    folder = tmp_path_factory.mktemp("empty")
    no_jax = tmp_path_factory.mktemp("no_jax")
    (no_jax / "jax.py").write_text("raise AssertionError('jax is imported')")
    path = os.pathsep.join([str(no_jax), str(small.ROOT)])

    def run(*arguments, start=("-m", "jaxdepth")):
        line = [sys.executable, *start, *arguments]
        environment = os.environ | {"PYTHONPATH": path, "COLUMNS": "80"}
        done = subprocess.run(line, capture_output=True, text=True, cwd=folder, env=environment)
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_the_list_has_a_line_for_each_script(command, arguments):
    code, out, err = command(*arguments)
    assert (code, err) == (0, "")
    usage, help_usage, _, *lines = out.splitlines()
    assert usage.startswith("Usage: python -m jaxdepth COMMAND") and "COMMAND --help" in help_usage
    listed = dict(line.split(maxsplit=1) for line in lines)
    assert list(listed)[0] == "predict" and listed.keys() == SCRIPTS.keys()
    for name, summary in listed.items():
        assert SCRIPTS[name].read_text().startswith(f'"""{summary}'), name
        assert len(summary) < 80 and "`" not in summary


def test_an_unknown_command_is_one_line_with_the_list(command):
    code, out, err = command("prepare_data", "--help")
    assert (code, out, err.count("\n")) == (1, "", 1)
    told, _, names = err.partition(" no such command: expected one of ")
    assert told == "error: python -m jaxdepth prepare_data:" and set(names.strip().split(", ")) == SCRIPTS.keys()


def own_flags(script):
    """Names of the flags that a script defines, read from its source."""
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "").startswith("DEFINE_"):
            if isinstance(node.args[0], ast.Constant):
                yield node.args[0].value


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_commands_page_has_its_own_flags_only(command, name):
    code, out, err = command(name, "--help")
    assert (code, err) == (0, "")
    page, _, listed = out.partition("\nFlags:\n")
    assert f"python -m jaxdepth {name}" in " ".join(page.split()) and "launch/" not in page
    shown = [line.split()[0].removeprefix("--") for line in listed.splitlines() if line.startswith("  --")]
    of_camera = {"fx", "fy", "cx", "cy"} if "define_intrinsics" in SCRIPTS[name].read_text() else set()
    assert sorted(shown) == sorted({*own_flags(SCRIPTS[name]), *of_camera})
    assert max(map(len, out.splitlines())) <= 80


def test_a_page_shows_defaults_and_is_the_same_by_the_script(command):
    page = command("predict", "--help")[1]
    by_script = command("--help", start=[str(SCRIPTS["predict"])])
    assert by_script[0] == 0 and "`python launch/predict.py" in " ".join(by_script[1].split())
    assert by_script[1].partition("Flags:")[2] == page.partition("Flags:")[2]
    words = " ".join(page.split())
    assert "NAME.json is always written. (default: npy,png,color)" in words
    assert "through the network together. (default: 8)" in words


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("predict",), "expected pictures, folders or globs; or --source and --output (--help lists the flags)"),
        (("predict", "--oput=1"), "Unknown command line flag 'oput' (--help lists the flags)"),
        (("train", "--config=kscale:slow"), "--config=FILE.py:slow: expected nothing or quick after the colon (--h"),
        (("train", "--config=kscale:quick", "--config.nosuch=1"), "no such setting of --config: 'nosuch'"),
        (("train", "--config", "best:rooms", "--config.nosuch=1"), "no such setting of --config: 'nosuch'"),
        (
            ("train", "--config=slow:quick"),
            "--config=slow:quick: no such file: expected a path or one of autoencoder",
        ),
    ],
)
def test_wrong_arguments_are_told_in_one_line(command, arguments, told):
    code, out, err = command(*arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"error: {told}")


@pytest.mark.parametrize(
    ("started_as", "typed"),
    [
        (
            "/clone/launch/train.py",
            ADVICE,
        ),
        ("jaxdepth train", "jaxdepth prepare-data nyu, jaxdepth train --config=best:a"),
        ("python -m jaxdepth train", "python -m jaxdepth prepare-data nyu, python -m jaxdepth train --config=best:a"),
        ("/home/me/notebook.py", "jaxdepth prepare-data nyu, jaxdepth train --config=best:a"),
    ],
)
def test_advice_has_the_form_that_the_user_types(monkeypatch, started_as, typed):
    monkeypatch.setattr(sys, "argv", [started_as, "--batch=1"])
    assert advice.typed(ADVICE) == typed


def test_a_command_can_be_copied_into_a_shell(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/clone/launch/predict.py"])
    told = advice.command("evaluate", "--path=my pictures", "--source=ibims", "--output=a$b")
    assert told == "python launch/evaluate.py '--path=my pictures' --source=ibims '--output=a$b'"
    assert shlex.split(told)[2:] == ["--path=my pictures", "--source=ibims", "--output=a$b"]


@pytest.mark.parametrize("arguments", [(), ("predict", "--help"), ("train", "--help")])
def test_output_that_nobody_reads_ends_the_command_quietly(arguments):
    """As `| head` leaves it: a pipe that is closed at the other end."""
    reading, writing = os.pipe()
    os.close(reading)
    line = [sys.executable, "-m", "jaxdepth", *arguments]
    done = subprocess.run(line, stdout=writing, stderr=subprocess.PIPE, text=True, cwd=small.ROOT)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_pipe_that_breaks_elsewhere_keeps_its_error(capfd):
    with pytest.raises(BrokenPipeError, match="a worker"), cli.unread_output():
        raise BrokenPipeError("a worker")
