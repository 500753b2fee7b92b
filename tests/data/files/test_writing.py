"""Atomic writing under real failures: a limit on file sizes stands for a full disk."""

import contextlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import small
from PIL import Image

from jaxdepth.data.files import writing
from jaxdepth.output import figures

OLD, NEW = b"old", bytes(range(256)) * 100
LARGE = bytes(200_000)  # above the limit of `full_disk`


@contextlib.contextmanager
def full_disk(size=100_000):
    """No file can grow beyond `size` bytes; the bytes up to there are written, as on a disk that fills up."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("before", [None, OLD])
def test_new_content_replaces_the_old(tmp_path, before):
    path = tmp_path / "a.bin"
    if before is not None:
        path.write_bytes(before)
    writing.write_atomically(str(path), NEW)
    assert contents(tmp_path) == {"a.bin": NEW}


def test_a_path_without_a_folder_is_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    writing.check_output("a.bin")
    writing.write_atomically("a.bin", NEW)
    assert contents(tmp_path) == {"a.bin": NEW}


def test_an_open_reader_keeps_the_old_content(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(OLD)
    with path.open("rb") as file:
        writing.write_atomically(path, NEW)
        assert file.read() == OLD
    assert path.read_bytes() == NEW


@pytest.mark.parametrize("before", [{}, {"a.bin": OLD, "b.bin": OLD}])
@pytest.mark.parametrize("order", [("a.bin", "b.bin"), ("b.bin", "a.bin")])
def test_a_full_disk_leaves_all_files_as_they_were(tmp_path, before, order):
    for name, data in before.items():
        (tmp_path / name).write_bytes(data)
    sizes = {"a.bin": NEW, "b.bin": LARGE}
    with full_disk(), pytest.raises(OSError, match=f"File too large: '{tmp_path}/b.bin'"):
        writing.write_together({tmp_path / name: sizes[name] for name in order})
    assert contents(tmp_path) == before
    writing.write_together({tmp_path / name: sizes[name] for name in order})
    assert contents(tmp_path) == sizes


def test_a_folder_at_one_path_leaves_the_other_files_as_they_were(tmp_path):
    (tmp_path / "a.bin").write_bytes(OLD)
    (tmp_path / "b.bin").mkdir()
    with pytest.raises(IsADirectoryError, match=f"'{tmp_path}/b.bin'"):
        writing.write_together({tmp_path / "a.bin": NEW, tmp_path / "b.bin": NEW})
    assert contents(tmp_path) == {"a.bin": OLD} and (tmp_path / "b.bin").is_dir()


def test_a_failing_rename_names_the_path_and_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "a.bin").write_bytes(OLD)

    def replace(*_):
        raise PermissionError(1, "Operation not permitted", "temporary")

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(PermissionError, match=f"Operation not permitted: '{tmp_path}/a.bin'"):
        writing.write_atomically(tmp_path / "a.bin", NEW)
    assert contents(tmp_path) == {"a.bin": OLD}


def test_a_missing_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    for path, error in ((tmp_path / "gone/a.bin", FileNotFoundError), (tmp_path / "file/a.bin", NotADirectoryError)):
        with pytest.raises(error, match=f"'{path}'"):
            writing.write_atomically(path, NEW)
        with pytest.raises(FileNotFoundError, match=f"output '{path}': expected a file in a folder that exists"):
            writing.check_output(path)
    assert contents(tmp_path) == {"file": b""}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into every folder")
def test_a_read_only_folder_keeps_its_files(tmp_path):
    (tmp_path / "a.bin").write_bytes(OLD)
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(PermissionError, match=f"'{tmp_path}/a.bin'"):
            writing.write_atomically(tmp_path / "a.bin", NEW)
        assert contents(tmp_path) == {"a.bin": OLD}
    finally:
        tmp_path.chmod(0o755)


def test_json_is_indented_and_ends_with_a_newline(tmp_path):
    value = {"b": [1, 2.5], "a": None}
    writing.write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text()
    assert text == '{\n  "b": [1, 2.5],\n  "a": null\n}\n' and json.loads(text) == value
    assert writing.json_bytes(value) == text.encode()


def test_a_value_that_is_not_json_leaves_the_file(tmp_path):
    (tmp_path / "a.json").write_bytes(OLD)
    with pytest.raises(TypeError):
        writing.write_json(tmp_path / "a.json", {"a": object()})
    assert contents(tmp_path) == {"a.json": OLD}


def test_arrays_are_read_back(tmp_path):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    writing.write_array(tmp_path / "a.npy", array)
    for read in (np.load(tmp_path / "a.npy"), np.load(io.BytesIO(b"".join(writing.array_buffers(array))))):
        np.testing.assert_array_equal(read, array)
        assert read.dtype == np.float32
    with pytest.raises(ValueError, match="expected numbers"):
        writing.array_buffers(np.array([{}], object))


def test_no_output_needs_no_folder(tmp_path):
    writing.check_output(None)
    writing.check_output(tmp_path / "a.json")


RESULTS = {
    "evaluation": b'{"protocol": {}, "frames": 3, "metrics": {}}',
    "benchmark": b'{"machine": {}, "rows": []}',
    "empty": b"",
}
FOREIGN = {"text": b"mine", "json": b'{"data": {}}', "list": b"[1]", "open": b"{", "deep": b'{"a":' * 100_000}


@pytest.mark.parametrize("content", RESULTS.values(), ids=RESULTS)
def test_a_result_may_be_replaced(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    writing.check_output(tmp_path / "a")


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_what_is_no_result_is_kept(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(FileExistsError, match=f"output '{tmp_path}/a' is there and no result of ours: remove it"):
        writing.check_output(tmp_path / "a")


def test_a_pipe_a_folder_and_a_link_to_nothing_are_kept(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("gone")
    for name in ("pipe", "folder", "link"):
        with pytest.raises(FileExistsError):
            writing.check_output(tmp_path / name)


def _commands():
    from jaxdepth import benchmark, evaluate
    from jaxdepth.prepare import check, compare_sources, contact_sheet
    from jaxdepth.studies import compare

    def check_pair(path):
        for part, mode in (("images", "RGB"), ("depths", "I;16")):
            (path.parent / part).mkdir()
            Image.new(mode, (24, 24)).save(path.parent / part / "a.png")
        check.check(path.parent, sheet=path)

    return {
        "prepare_data check": check_pair,
        "evaluate": lambda path: evaluate.evaluate_checkpoint("nowhere", output=path),
        "benchmark": lambda path: benchmark.run([], small.CONFIGS, output=path),
        "compare": lambda path: compare.compare(path, {"a": "nowhere"}),
        "prepare_data rooms": contact_sheet.contact_sheet,
        "prepare_data compare": lambda path: compare_sources.compare(["rooms"], plot=path),
    }


@pytest.mark.parametrize("command", _commands())
def test_commands_refuse_before_the_work_what_they_have_not_written(tmp_path, command):
    picture = tmp_path / "a.png"
    Image.new("RGB", (9, 9)).save(picture)
    before = picture.read_bytes()
    with pytest.raises(FileExistsError, match="a.png' is there and no result of ours"):
        _commands()[command](picture)
    assert contents(tmp_path) == {"a.png": before}


def test_our_pictures_may_be_replaced(tmp_path):
    figures.features(tmp_path / "figure.png", np.ones((2, 2, 1)))
    writing.check_output(tmp_path / "figure.png")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_grows_is_removed_where_a_signal_ends_the_process(tmp_path, number):
    code = (
        "import os, signal, sys; from jaxdepth.data.files import writing\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "with writing.removing(sys.argv[1]) as grown: grown.mkdir(); (grown / 'a').touch(); os.kill(os.getpid(), "
        f"{int(number)})"
    )
    ended = subprocess.run([sys.executable, "-c", code, tmp_path / "grown"], cwd=small.ROOT)
    deadline = time.monotonic() + 10
    while (tmp_path / "grown").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ended.returncode == -number and not list(tmp_path.iterdir())


def test_a_growing_file_has_its_name_once_it_is_whole(tmp_path):
    path = tmp_path / "part.zip"
    with writing.growing(path) as grown:
        grown.write_bytes(NEW)
        assert writing.is_growing(grown) and not path.exists() and not writing.is_growing(path)
    assert path.read_bytes() == NEW and os.listdir(tmp_path) == ["part.zip"]
    with pytest.raises(OSError, match="File too large: '.*/part.zip'"), full_disk(), writing.growing(path) as grown:
        grown.write_bytes(LARGE)
    with pytest.raises(FileNotFoundError, match="'/none/raw.ppm'"), writing.growing(path):
        open("/none/raw.ppm")  # what is read on the way keeps its own name
    assert path.read_bytes() == NEW and os.listdir(tmp_path) == ["part.zip"]
