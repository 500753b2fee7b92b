"""What the commands share."""

import os
import subprocess
import sys

import pytest
import small
from absl import app

from jaxdepth import cli
from jaxdepth.errors import DivergedError, InputError


def test_the_default_workdir_is_named_after_the_config():
    assert cli.default_workdir("configs/kscale.py") == "runs/kscale"
    assert cli.default_workdir("/clone/configs/kscale.py:quick") == "runs/kscale-quick"


@pytest.mark.parametrize("given", [None, "/elsewhere"])
def test_compilations_are_kept_in_the_cache_by_default(monkeypatch, given):
    monkeypatch.setattr(app, "run", lambda main, **_: None)
    monkeypatch.setenv("JAXDEPTH_CACHE", "/cache")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", given or "")
    if given is None:
        monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    cli.run(None)
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == (given or "/cache/compiled")


@pytest.mark.parametrize(
    ("command", "setting", "told"),
    [
        ("train.py", "nosuch=1", "'nosuch'"),
        ("train.py", "optim.learning_rat=1", "'learning_rat' Did you mean \"learning_rate\" instead"),
        ("reproduce.py", "model.width=1", "'model'"),
    ],
)
def test_an_unknown_setting_is_named_in_one_line(command, setting, told):
    flags = [f"--config={small.CONFIGS / 'kscale.py'}"] if command == "train.py" else []
    command = [sys.executable, small.CONFIGS.with_name("launch") / command, *flags, f"--config.{setting}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith(f"error: no such setting of --config: {told}")
    assert done.stderr.count("\n") == 1


def run(main, capsys):
    """Runs `main` as a command; returns its exit code and its stderr."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "run", lambda reporting, **_: codes.append(reporting(["command"])))
        codes = []
        cli.run(main)
    return codes[0], capsys.readouterr().err


@pytest.mark.parametrize("error", [InputError("a line"), DivergedError("a line"), FileNotFoundError("a line")])
def test_user_errors_are_one_line_with_exit_code_1(capsys, error):
    def main(_):
        raise error

    assert run(main, capsys) == (1, "error: a line\n")


@pytest.mark.parametrize("error", [ValueError("a defect"), KeyError("a defect")])
def test_defects_keep_their_traceback(capsys, error):
    def main(_):
        raise error

    with pytest.raises(type(error)):
        run(main, capsys)


def test_the_exit_code_is_mains(capsys):
    assert run(lambda argv: 7, capsys) == (7, "")


@pytest.mark.parametrize(("value", "step"), [("last", "last"), ("best", "best"), ("12", 12), ("0", 0)])
def test_a_step_is_a_number_or_last_or_best(value, step):
    assert cli.step(value) == step


@pytest.mark.parametrize("value", ["", "first", "1.5"])
def test_another_step_is_refused(value):
    with pytest.raises(InputError, match=f"--step={value}: expected a number, last or best"):
        cli.step(value)


@pytest.mark.parametrize("command", ["evaluate.py", "predict.py", "pack.py"])
def test_commands_refuse_another_step_in_one_line(tmp_path, command):
    arguments = ["photo.jpg"] if command == "predict.py" else []
    output = [f"--output={tmp_path / 'out'}"] if command == "pack.py" else []
    line = [sys.executable, small.CONFIGS.with_name("launch") / command, f"--workdir={tmp_path}", "--step=first"]
    done = subprocess.run([*line, *output, *arguments], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "error: --step=first: expected a number, last or best\n")


@pytest.mark.parametrize(
    ("argument", "renamed"),
    [
        ("--config.initial=runs/a=b", "--config.init_from=runs/a=b"),
        ("-config.mirrored", "-config.flip_tta"),
        ("--config.initial_scale=1", "--config.initial_scale=1"),
        ("--config.data.initial=1", "--config.data.initial=1"),
        ("--initial=1", "--initial=1"),
    ],
)
def test_settings_of_earlier_versions_are_flags_by_todays_name(argument, renamed):
    assert cli._renamed(argument) == renamed


def test_a_flag_with_an_old_name_reaches_the_config():
    script = """
from ml_collections import config_flags
from jaxdepth import cli

config = config_flags.DEFINE_config_file("config")
cli.run(lambda argv: print(argv[1:], config.value.flip_tta, config.value.init_from))
"""
    flags = [f"--config={small.CONFIGS / 'kscale.py'}", "--config.mirrored", "--config.initial=runs/a", "argument"]
    line = [sys.executable, "-c", script, *flags]
    done = subprocess.run(line, capture_output=True, text=True, cwd=small.ROOT)
    assert done.stdout == "['argument'] True runs/a\n", done.stderr


def test_advice_names_the_flag_that_the_command_has(monkeypatch):
    advice = "give --config.data.folder.depth_scale=0.001 or --config.data.max_depth=80, config.data.path='a'"
    monkeypatch.setattr(cli.flags, "FLAGS", {"depth_scale": None, "max_depth": None})
    assert cli.in_own_flags(advice) == "give --depth_scale=0.001 or --max_depth=80, config.data.path='a'"
    for others in ({"config": None}, {"config": None, "depth_scale": None}, {}):
        monkeypatch.setattr(cli.flags, "FLAGS", others)
        assert cli.in_own_flags(advice) == advice


def test_a_flag_of_numbers():
    assert cli.numbers("invalid", ["65.535", "1e10"]) == (65.535, 1e10)
    assert cli.numbers("invalid", None) is None and cli.numbers("invalid", []) == ()
    with pytest.raises(InputError, match="--invalid=65,far: expected numbers, such as 65.535"):
        cli.numbers("invalid", ["65", "far"])
