"""What is wrong with raw recordings is named and counted, the rest is done, and a second run goes on from there."""

import errno
import os
import zipfile

import pytest
import raw_scenes
from prepared import SETTINGS, content, prepare

from jaxdepth.errors import InputError
from jaxdepth.prepare.nyu_raw import examples, parts, shards

pytestmark = pytest.mark.usefixtures("without_beam")
EVERY = SETTINGS._replace(count=100)


@pytest.fixture(scope="module")
def files():
    return raw_scenes.files(3, count=5)


@pytest.fixture
def raw(files, tmp_path):
    """A whole recording of five frames; the tests add one that is not."""
    raw_scenes.write_folder(tmp_path / "raw", "den_0001", files)
    return tmp_path / "raw"


def names(files, kind):
    return sorted(name for name in files if name.startswith(kind))


def changed(files, name, content):
    return files | {name: content}


def without_depth(files):
    return {name: content for name, content in files.items() if not name.startswith("d-")}


def backwards(files):
    """The same frames, where the later ones have earlier times and INDEX.txt is in the order of the recorder."""
    pictures = [names(files, kind) for kind in "rd"]
    made = {"INDEX.txt": files["INDEX.txt"]}
    for kind in pictures:
        made |= {name: files[other] for name, other in zip(kind, reversed(kind), strict=True)}
    return dict(reversed(made.items()))


BAD = {  # what is done to a recording's files: (the files, frames that remain, what is told)
    "a picture is cut off": lambda f: (
        changed(f, names(f, "r")[1], f[names(f, "r")[1]][:99999]), 4, "1 colour: cut off"),
    "a picture is empty": lambda f: (changed(f, names(f, "r")[1], b""), 4, "1 colour: an empty file"),
    "a depth of another size": lambda f: (
        changed(f, names(f, "d")[2], b"P5 320 240 65535\n" + bytes(153600)), 4, "1 depth: not such a file"),
    "a depth without a measurement": lambda f: (
        changed(f, names(f, "d")[2], b"P5 640 480 65535\n" + b"\xff\x07" * 307200), 4, "1 no valid depth"),
    "no depth at all": lambda f: (without_depth(f), 0, "5 no depth picture near in time"),
    "a picture that says a size of 5000 digits": lambda f: (
        changed(f, names(f, "r")[1], b"P6 " + b"9" * 5000 + b" 480 255\n"), 4, "1 colour: not such a file"),
    "a picture that is much too large": lambda f: (
        changed(f, names(f, "r")[1], f[names(f, "r")[1]] + bytes(1 << 22)), 4, "1 colour: not such a file"),
    "a time of 200 digits": lambda f: (
        f | {f"r-{'9' * 200}-1.ppm": f[names(f, "r")[1]], f"d-{'9' * 200}-1.pgm": f[names(f, "d")[1]]}, 5, ""),
    "times run backwards": lambda f: (backwards(f), 5, ""),
    "no INDEX.txt": lambda f: ({name: content for name, content in f.items() if name != "INDEX.txt"}, 5, ""),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_bad_files_are_counted_and_the_others_taken(what, files, raw, tmp_path, capsys):
    bad, remaining, told = BAD[what](files)
    raw_scenes.write_folder(raw, "study_0009", bad)
    assert prepare(raw, tmp_path / "to", EVERY) == 0
    out = capsys.readouterr().out
    assert f"{5 + remaining} frames of {1 + bool(remaining)} scenes" in out
    assert f"left out: {told}" in out if told else "left out" not in out
    before = content(tmp_path / "to")
    assert prepare(raw, tmp_path / "to", EVERY) == 0 and content(tmp_path / "to") == before


@pytest.mark.parametrize("name", ["s" * 250, "\u90e8" * 80])
def test_a_scene_of_a_long_name(name, files, raw, tmp_path, capsys):
    raw_scenes.write_folder(raw, name, files)
    assert prepare(raw, tmp_path / "to", EVERY) == 0
    assert "10 frames of 2 scenes" in capsys.readouterr().out


def test_a_damaged_member_of_an_archive_is_counted(files, raw, tmp_path, capsys):
    path = raw / "study.zip"
    raw_scenes.write_archive(path, {"study_0009": files}, method=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[data.index(b"P6 640 480") + 5000] ^= 1
    path.write_bytes(data)
    assert prepare(raw, tmp_path / "to", EVERY) == 0
    assert "9 frames of 2 scenes" in (out := capsys.readouterr().out) and "1 colour: damaged member" in out


def test_frames_of_one_name_are_taken_once(files, raw, tmp_path, capsys):
    assert prepare(raw, tmp_path / "once", EVERY) == 0
    capsys.readouterr()
    raw_scenes.write_archive(raw / "parts.zip", {"den_0001": files})
    assert prepare(raw, tmp_path / "to", EVERY) == 0
    told = capsys.readouterr().out
    assert "den_0001: a recording that" in told and "has too (5 pictures)" in told and "5 frames of 1 scenes" in told
    assert content(tmp_path / "once") == content(tmp_path / "to")


def test_an_archive_that_cannot_be_read_is_named_and_all_else_waits_for_it(files, raw, tmp_path, capsys):
    raw_scenes.write_archive(tmp_path / "part.zip", {"study_0009": files})
    (raw / "part.zip").write_bytes((tmp_path / "part.zip").read_bytes()[:99999])
    assert prepare(raw, tmp_path / "to", EVERY) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith(f"error: {raw}/part.zip: an archive that cannot be read") and len(told) == 2
    assert told[1].startswith("1 failed, all else is done")
    (parts_there,) = (tmp_path / "to/nyu_depth_v2_raw/parts").iterdir()
    (raw / "part.zip").write_bytes((tmp_path / "part.zip").read_bytes())
    assert prepare(raw, tmp_path / "to", EVERY) == 0
    assert "10 frames of 2 scenes" in capsys.readouterr().out and not parts_there.exists()


def test_no_frame_at_all_is_one_line(files, tmp_path):
    raw_scenes.write_folder(tmp_path / "raw", "den_0001", without_depth(files))
    with pytest.raises(InputError, match="raw: no frame: 5 no depth picture near in time"):
        prepare(tmp_path / "raw", tmp_path / "to")


@pytest.fixture
def expected(files, raw, tmp_path):
    raw_scenes.write_folder(raw, "study_0009", files)
    assert prepare(raw, tmp_path / "expected") == 0
    return content(tmp_path / "expected")


def failing(function, at):
    """The function, which fails at its n-th call as on a full disk."""
    calls = iter(range(10**6))

    def call(*arguments, **options):
        if next(calls) == at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return function(*arguments, **options)

    return call


@pytest.mark.parametrize(("module", "name"), [(parts, "_add"), (shards.tfds_shards, "write_shard")])
def test_what_cannot_be_written_is_named_and_made_by_the_next_run(
    module, name, raw, expected, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(shards, "_BYTES", 60_000)  # several shards
    assert prepare(raw, tmp_path / "whole") == 0
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(module, name, failing(getattr(module, name), 1))
        assert prepare(raw, tmp_path / "to") == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2 and told[0].startswith("error: ") and "No space left on device" in told[0]
    there = [path.name for path in (tmp_path / "to").rglob("*") if path.is_file()]
    assert not any(name.endswith(".growing") for name in there) and "dataset_info.json" not in there
    assert prepare(raw, tmp_path / "to") == 0
    assert content(tmp_path / "to") == content(tmp_path / "whole")


def test_a_part_cut_off_and_what_a_killed_process_leaves_are_made_again(raw, expected, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(shards.tfds_shards, "write_shard", failing(shards.tfds_shards.write_shard, 0))
        assert prepare(raw, tmp_path / "to") == 1
    folder = tmp_path / "to/nyu_depth_v2_raw/parts"
    part = next(folder.glob("*.zip"))
    part.write_bytes(part.read_bytes()[:-10])
    (folder / f".{part.name}.0123.growing").write_bytes(b"x")
    assert prepare(raw, tmp_path / "to") == 0
    assert content(tmp_path / "to") == expected


def test_a_part_whose_directory_is_damaged_is_made_again(raw, expected, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(shards.tfds_shards, "write_shard", failing(shards.tfds_shards.write_shard, 0))
        assert prepare(raw, tmp_path / "to") == 1
    for part, at in zip((tmp_path / "to/nyu_depth_v2_raw/parts").glob("*.zip"), (6, 8), strict=True):
        data = bytearray(part.read_bytes())
        data[data.rindex(b"PK\x01\x02") + at] = 255  # the version that is needed to unpack it, flags
        part.write_bytes(data)
    assert prepare(raw, tmp_path / "to") == 0
    assert content(tmp_path / "to") == expected


def test_a_part_with_a_changed_bit_is_removed_and_named_and_the_next_run_makes_it(
    raw, expected, tmp_path, capsys, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(shards.tfds_shards, "write_shard", failing(shards.tfds_shards.write_shard, 0))
        assert prepare(raw, tmp_path / "to") == 1
    part = next((tmp_path / "to/nyu_depth_v2_raw/parts").glob("*.zip"))
    data = bytearray(part.read_bytes())
    data[5000] ^= 1
    part.write_bytes(data)
    capsys.readouterr()
    assert prepare(raw, tmp_path / "to") == 1
    assert f"{part}: a damaged part (Bad CRC-32" in capsys.readouterr().err and not part.exists()
    assert prepare(raw, tmp_path / "to") == 0
    assert content(tmp_path / "to") == expected


def test_a_recording_that_cannot_be_read_does_not_end_the_others(raw, expected, tmp_path, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(examples.scene, "read_depth", failing(examples.scene.read_depth, 0))
        assert prepare(raw, tmp_path / "to") == 1
    assert len(list((tmp_path / "to/nyu_depth_v2_raw/parts").glob("*.zip"))) == 1
    assert len(list((tmp_path / "to/nyu_depth_v2_raw/parts").glob("*.failed"))) == 1
    assert prepare(raw, tmp_path / "to") == 0
    assert content(tmp_path / "to") == expected
