"""Names that are not text, and folders in the home folder, as commands meet them."""

import io
import os
import pwd
import sys

import numpy as np
import pytest
import small
from absl import app
from PIL import Image
from prepare_command import ENVIRONMENT, prepare

from jaxdepth import cli, paths
from jaxdepth.data import cache
from jaxdepth.data.sources import selection
from jaxdepth.errors import InputError
from jaxdepth.prepare.check import check

NOT_UTF8 = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("été $1 \u202f.png", "été $1 \u202f.png"),
        (NOT_UTF8, r"caf\udce9"),
        ("a\nb\x1b[1m\u2028", r"a\nb\x1b[1m\u2028"),
    ],
)
def test_a_name_is_shown_on_one_line_that_can_be_encoded(name, text):
    assert paths.shown(name) == text
    paths.shown(name).encode()


@pytest.fixture
def pair(tmp_path):
    """A folder of one pair, both of whose names end a figure or a message if they are taken as they are."""
    folder = tmp_path / "cost $x_{$"
    for part, value in (("images", np.full((24, 32, 3), 9, np.uint8)), ("depths", np.full((24, 32), 2000, np.uint16))):
        (folder / part).mkdir(parents=True)
        Image.fromarray(value).save(folder / part / f"{NOT_UTF8}.png")
    return folder


def test_names_that_are_no_text_end_neither_the_check_nor_its_sheet(pair, tmp_path):
    report = check(pair, sheet=tmp_path / "sheet.png")
    assert any(line.startswith("contact sheet") for line in report.lines)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 100


def test_a_command_prints_every_name(monkeypatch):
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="utf8"))
    monkeypatch.setattr(app, "run", lambda main, **_: main(["command"]))
    cli.run(lambda _: print(NOT_UTF8, flush=True))
    assert printed.getvalue() == b"caf\\udce9\n"


def test_a_flag_below_home_is_written_there(pair, tmp_path):
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    prepare("check", str(pair), "--output=~/sheet.png", cwd=elsewhere, env=ENVIRONMENT | {"HOME": str(home)})
    assert (home / "sheet.png").is_file() and not list(elsewhere.iterdir())


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("--output=~/x", "--output=/h/x"),
        ("--config.data.path=~", "--config.data.path=/h"),
        ("Title=~/run", "Title=/h/run"),
        ("~/photos/*.jpg", "/h/photos/*.jpg"),
        ("~$a.docx", "~$a.docx"),
        ("a~/b", "a~/b"),
        ("--image=a~/*", "--image=a~/*"),
    ],
)
def test_arguments_below_home(monkeypatch, argument, expected):
    monkeypatch.setenv("HOME", "/h")
    assert paths.with_home(argument) == expected


@pytest.mark.parametrize("source", ["nyu", "folder", "tfds"])
def test_frames_of_an_unknown_user_are_one_line(source):
    with pytest.raises(InputError, match="'~nobody_here/frames': no home folder is known for it"):
        selection.open_frames(source, path="~nobody_here/frames")


def test_an_unknown_user_without_home_is_told_what_to_set(monkeypatch, capsys):
    def unknown(_):
        raise KeyError("uid not found")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "JAXDEPTH_CACHE", "JAX_COMPILATION_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="set HOME, or JAXDEPTH_CACHE to a folder"):
        cache.root()
    with pytest.raises(SystemExit, match="^error: no home folder is known for the cache.* JAXDEPTH_CACHE"):
        cli.run(None)
    with pytest.raises(InputError, match="^--output=~/x: no home folder is known: set HOME"):
        paths.with_home("--output=~/x")
    monkeypatch.setenv("JAXDEPTH_CACHE", "/kept")
    assert str(cache.root()) == "/kept"


def test_a_config_is_a_file_or_a_name_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").touch()
    assert paths.config_file("mine.py") == "mine.py"
    assert paths.config_file(f"{tmp_path}/mine.py:a:b") == f"{tmp_path}/mine.py:a:b"
    assert paths.config_file("kscale") == str(small.CONFIGS / "kscale.py")
    assert paths.config_file("kscale:quick") == f"{small.CONFIGS}/kscale.py:quick"
    for wrong in ("mine", "configs/kscale.py", "kscale.py:quick", ":quick", ""):
        with pytest.raises(InputError, match=f"--config={wrong}: no such file: expected a path or one of autoencoder"):
            paths.config_file(wrong)
    (tmp_path / "kscale").touch()
    assert paths.config_file("kscale") == "kscale"
