"""Raw scenes in folders and archives, whole and damaged."""

import contextlib
import errno
import os
import pathlib
import random
import zipfile

import pytest

from jaxdepth.data.sources import frames_csv, tfds_shards
from jaxdepth.errors import InputError
from jaxdepth.prepare.nyu_raw import recordings

NAMES = ("INDEX.txt", "a-1.1-4.dump", "d-1.0-2.pgm", "r-1.0-1.ppm", "r-1.1-3.ppm")


def content(scene, name):
    return os.fsencode(f"{scene}/{name}") * 100


def write_folder(folder, scene):
    (folder / scene).mkdir(parents=True)
    for name in NAMES:
        (folder / scene / name).write_bytes(content(scene, name))


def write_archive(path, scenes, *, method=zipfile.ZIP_DEFLATED):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        for scene in scenes:
            for name in NAMES:
                archive.writestr(f"{scene}/{name}", content(scene, name))


def test_scenes_of_folders_and_archives_are_found_in_natural_order(tmp_path):
    write_folder(tmp_path / "bedrooms", "bedroom_0010")
    write_folder(tmp_path, "bedroom_0002")
    write_archive(tmp_path / "bathrooms_part1.zip", ["bathroom_0001", "bathroom_0003b"])
    (tmp_path / "readme.txt").write_text("raw")
    found, unreadable, twice = recordings.find(tmp_path)
    assert [recording.scene for recording in found] == [
        "bathroom_0001",
        "bathroom_0003b",
        "bedroom_0002",
        "bedroom_0010",
    ]
    assert not unreadable and not twice
    for recording in found:
        assert recording.files == {name: len(content(recording.scene, name)) for name in NAMES}
        with recording.opened() as read:
            for name in NAMES:
                assert read(name) == content(recording.scene, name)


def test_an_archive_of_one_scene_without_a_folder_has_the_archives_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "kitchen_0007.zip", "w") as archive:
        for name in NAMES:
            archive.writestr(name, b"x")
    (recording,) = recordings.find(tmp_path).recordings
    with recording.opened() as read:
        assert recording.scene == "kitchen_0007" and read("r-1.0-1.ppm") == b"x"


def test_a_damaged_member_is_named_and_the_others_are_read(tmp_path):
    path = tmp_path / "part.zip"
    write_archive(path, ["office_0001"], method=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[data.index(b"office_0001/r-1.0-1.ppm" * 3) + 50] ^= 1
    path.write_bytes(data)
    (recording,) = recordings.find(tmp_path).recordings
    with recording.opened() as read:
        with pytest.raises(InputError, match=r"part\.zip: r-1\.0-1\.ppm: a damaged member \(Bad CRC-32"):
            read("r-1.0-1.ppm")
        assert read("r-1.1-3.ppm") == content("office_0001", "r-1.1-3.ppm")


def test_what_is_left_out_is_named(tmp_path):
    write_folder(tmp_path, "study_0001")
    write_archive(tmp_path / "zz.zip", ["study_0001", "study_0002"])
    (tmp_path / "cut.zip").write_bytes((tmp_path / "zz.zip").read_bytes()[:200])
    found, unreadable, twice = recordings.find(tmp_path)
    assert [recording.scene for recording in found] == ["study_0001", "study_0002"]
    assert unreadable == [(f"{tmp_path}/cut.zip", "an archive that cannot be read (File is not a zip file)")]
    assert twice == [(f"{tmp_path}/study_0001: study_0001", f"a recording that {tmp_path}/zz.zip has too (2 pictures)")]


def test_links_in_circles_pipes_and_links_to_nothing_end_nothing(tmp_path):
    write_folder(tmp_path, "study_0001")
    scene = tmp_path / "study_0001"
    for link in (tmp_path / "again", scene / "again"):
        link.symlink_to(tmp_path)
    (scene / "notes.txt").symlink_to(tmp_path / "none")
    (scene / "r-2.0-7.ppm").symlink_to(tmp_path / "none")
    (tmp_path / "away.zip").symlink_to(tmp_path / "none")
    for pipe in (scene / "r-3.0-8.ppm", tmp_path / "pipe.zip"):
        os.mkfifo(pipe)
    ((recording,), unreadable, twice) = recordings.find(tmp_path)
    assert recording.files.keys() == {*NAMES, "notes.txt", "r-2.0-7.ppm"} and not twice
    assert [what for what, _ in unreadable] == [f"{tmp_path}/away.zip"]
    with recording.opened() as read, pytest.raises(FileNotFoundError, match=r"r-2\.0-7\.ppm"):
        read("r-2.0-7.ppm")


def test_names_of_scenes_are_such_as_a_data_set_may_have(tmp_path):
    write_folder(tmp_path, "back\\slash")
    write_folder(tmp_path, os.fsdecode(b"bytes\xff"))
    write_folder(tmp_path, "new\nline")
    with zipfile.ZipFile(tmp_path / "part.zip", "w") as archive:
        for folder in ("/absolute/", "../above/", "../"):
            archive.writestr(f"{folder}{NAMES[3]}", b"x")
    found = recordings.find(tmp_path)
    assert not found.twice
    names = [recording.scene for recording in found.recordings]
    assert names == ["above", "absolute", "back_slash", "bytes_udcff", "new_nline", "part"]
    rows = [(f"{name}/r-1.0-1", name, 1.0, 0.01) for name in names]
    tfds_shards.write_table(tmp_path / "frames.csv", rows)
    assert frames_csv.read(tmp_path / "frames.csv").scenes == tuple(names)


def test_whatever_is_damaged_in_an_archive_is_one_line(tmp_path):
    rng = random.Random(0)
    path = tmp_path / "part.zip"
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        write_archive(path, ["k\xfcche_0001"], method=method)
        whole = path.read_bytes()
        for _ in range(300):
            data = bytearray(whole)
            for _ in range(rng.choice((1, 2, 4))):
                data[rng.randrange(len(data))] = rng.choice((0, 1, 255))
            path.write_bytes(data)
            with contextlib.suppress(InputError):
                for recording in recordings.find(tmp_path).recordings:
                    with recording.opened() as read:
                        for name in recording.files:
                            with contextlib.suppress(InputError):
                                read(name)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    write_folder(tmp_path, "study_0001")
    with open(tmp_path / "study_0001/r-1.0-1.ppm", "wb") as file:
        file.truncate(1 << 40)
    with zipfile.ZipFile(tmp_path / "part.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("study_0002/r-1.0-1.ppm", bytes(5_000_000))
    for recording in recordings.find(tmp_path).recordings:
        with recording.opened() as read, pytest.raises(InputError, match=r"r-1\.0-1\.ppm: .* bytes: expected at most"):
            read("r-1.0-1.ppm")


def test_no_scene_is_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder: expected raw scenes"):
        recordings.find(tmp_path / "none")
    with pytest.raises(InputError, match=r"no raw scene: expected folders or archives with r-\*\.ppm and d-\*\.pgm$"):
        recordings.find(tmp_path)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    write_folder(tmp_path, "study_0001")
    (tmp_path / "closed").mkdir()
    real = os.scandir

    def scandir(path):
        if pathlib.Path(path).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = recordings.find(tmp_path)
    assert found.unreadable == [(f"{tmp_path}/closed", "a folder that cannot be read (Permission denied)")]
    assert [recording.scene for recording in found.recordings] == ["study_0001"]
