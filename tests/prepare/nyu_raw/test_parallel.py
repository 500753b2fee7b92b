"""The command with the workers of Apache Beam makes the same data set as a loop; its flags are refused in one line."""

import pytest
import raw_scenes
from prepare_command import prepare
from prepared import content
from prepared import prepare as prepare_here

from jaxdepth.errors import InputError
from jaxdepth.prepare.nyu_raw import parallel

ARGUMENTS = ("--all_scenes", "--count=4", "--size=160x120")


@pytest.fixture
def beam():
    pytest.importorskip("apache_beam", reason="Apache Beam is not installed: pip install 'jaxdepth[beam]'")


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_workers_make_the_same_data_set(beam, without_beam, tmp_path, workers):
    for seed in range(3):
        raw_scenes.write_folder(tmp_path / "raw", f"den_{seed:04d}", raw_scenes.files(seed, count=5))
    flags = (f"--to={tmp_path / 'to'}", f"--workers={workers}", f"--output={tmp_path / 'sheet.png'}")
    done = prepare("nyu_raw", tmp_path / "raw", *ARGUMENTS, *flags)
    assert done.returncode == 0, done.stderr
    assert not done.stderr and "frames of 3 scenes" in done.stdout
    advised = "next: python launch/train.py --config=configs/kscale.py --config.data.source=tfds --config.data.path="
    assert done.stdout.splitlines()[-1].startswith(advised)
    assert prepare_here(tmp_path / "raw", tmp_path / "here") == 0
    assert content(tmp_path / "to") == content(tmp_path / "here")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--labeled=nyu_depth_v2_labeled.mat or --all_scenes: expected one of them"),
        (["--all_scenes", "--size=320"], "--size=320: expected WIDTHxHEIGHT, such as 320x240"),
        (["--all_scenes", "--size=0x9"], "--size=0x9: expected WIDTHxHEIGHT from 1x1 to 640x480"),
        (["--all_scenes", "--workers=0"], "--workers=0: expected 1 or more"),
        (["--all_scenes", "--count=0"], "--count=0: expected 1 or more"),
        (["--labeled=none.mat"], "none.mat"),
        (["--all_scenes"], "no such folder: expected raw scenes"),
    ],
)
def test_wrong_flags_are_one_line(beam, tmp_path, flags, message):
    done = prepare("nyu_raw", tmp_path / "none", f"--to={tmp_path / 'to'}", *flags, cwd=tmp_path)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and line.startswith("error: ") and message in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("FlinkRunner", "'FlinkRunner' is no option"),
        ("--runner='Flink", "No closing quotation"),
        ("--streaming --help", "--help is no option of a pipeline"),
        ("--direct_num_workers=many", "invalid int value: 'many'"),
    ],
)
def test_wrong_options_of_beam_are_one_line(beam, options, message):
    with pytest.raises(InputError, match=f"--beam_pipeline_options=.*{message}.*: expected options of Beam"):
        parallel.check_options(options)


def test_without_beam_it_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(parallel.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"Apache Beam is not installed: pip install 'jaxdepth\[beam\]'"):
        parallel.check_options("")
