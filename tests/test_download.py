"""Downloads from a server on this machine that breaks, lies, ignores ranges and runs out."""

import contextlib
import hashlib
import http.server
import resource
import subprocess
import sys
import threading
from pathlib import Path

import fake_nyu
import numpy as np
import pytest

from jaxdepth.data import nyu
from jaxdepth.data.download import download

FILE = np.random.default_rng(0).bytes(3_000_000)


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `content` from any path; its other attributes are what goes wrong."""

    content, etag = FILE, '"one"'
    ranges = True  # whether it understands them
    sends = None  # at most so many bytes an answer, then it closes the connection
    claims = None  # the length it tells instead of the true one
    kind = "application/octet-stream"
    asked = ()

    def do_GET(self):
        asked = self.headers["Range"]
        type(self).asked = (*self.asked, asked)
        start = 0
        if asked and self.ranges and self.headers["If-Range"] == self.etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start and start >= len(self.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(self.content)}")
            self.end_headers()
            return
        total = self.claims or len(self.content)
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", self.kind)
        self.send_header("Content-Length", str(total - start))
        if self.etag:
            self.send_header("ETag", self.etag)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.end_headers()
        body = self.content[start:total]
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body[: self.sends])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    """serve(**what goes wrong) -> (address, handler, whose attributes may be changed on the way)."""
    with contextlib.ExitStack() as stack:

        def start(**attributes):
            handler = type("Handler", (Server,), attributes)
            server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}/file", handler

        yield start


def fetch(target, *urls, check=lambda path: None, **more):
    download(target, urls, check=check, pause=0.0, **more)
    return target.read_bytes()


def test_the_whole_file_and_nothing_beside_it(serve, tmp_path, caplog):
    url, _ = serve()
    assert fetch(tmp_path / "new" / "file", url, md5=hashlib.md5(FILE).hexdigest()) == FILE
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]
    assert "MD5" not in caplog.text


def test_a_connection_that_breaks_is_gone_on_with(serve, tmp_path):
    url, handler = serve(sends=1_250_000)
    assert fetch(tmp_path / "file", url) == FILE
    assert handler.asked == (None, "bytes=1250000-", "bytes=2500000-")


def test_a_server_that_ignores_ranges_starts_anew(serve, tmp_path):
    url, handler = serve(sends=1_250_000, ranges=False)
    with pytest.raises(
        ConnectionError, match=r"file could not be downloaded \(1,250,000 bytes are kept in .*: the conn"
    ):
        fetch(tmp_path / "file", url)
    assert len(handler.asked) == 6 and not (tmp_path / "file").exists()
    handler.sends = None
    assert fetch(tmp_path / "file", url) == FILE


def test_a_length_that_is_too_long_is_found_out_by_the_range_behind_the_end(serve, tmp_path, caplog):
    url, _ = serve(claims=3_500_000)
    assert fetch(tmp_path / "file", url, md5="0" * 32) == FILE
    assert "MD5" in caplog.text and "of 3000000 bytes; the published file has 0000" in caplog.text


def test_a_server_that_runs_out_is_given_up_and_the_next_one_asked(serve, tmp_path):
    poor, handler = serve(sends=0)
    rich, _ = serve()
    with pytest.raises(ConnectionError, match="the connection ended before the file did"):
        fetch(tmp_path / "file", poor)
    assert len(handler.asked) == 5
    assert fetch(tmp_path / "file", poor, rich) == FILE


def test_another_file_than_before_is_not_glued_to_its_beginning(serve, tmp_path):
    url, handler = serve(sends=1_250_000)
    handler.sends, handler.ranges = 1_250_000, False
    with pytest.raises(ConnectionError):
        fetch(tmp_path / "file", url)
    other = FILE[::-1]
    handler.content, handler.etag, handler.sends, handler.ranges = other, '"two"', None, True
    assert fetch(tmp_path / "file", url) == other


@pytest.mark.parametrize("etag", ["", 'W/"one"'])
def test_without_a_name_for_its_state_a_file_is_not_gone_on_with(serve, tmp_path, etag):
    url, handler = serve(etag=etag)
    (tmp_path / "file.part").write_bytes(b"from elsewhere")
    assert fetch(tmp_path / "file", url) == FILE and handler.asked == (None,)


def test_a_web_page_a_missing_file_and_no_server(serve, tmp_path):
    page, _ = serve(kind="text/html", content=b"<html>moved</html>")
    with pytest.raises(ConnectionError, match="could not be downloaded: http.*: a web page, not the file"):
        fetch(tmp_path / "file", page)
    with pytest.raises(ConnectionError, match="refused"):
        fetch(tmp_path / "file", "http://127.0.0.1:9/file")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_refused_leaves_what_was_there(serve, tmp_path):
    def check(path):
        raise ValueError(f"{path.name} is not it")

    (tmp_path / "file").write_bytes(b"before")
    url, _ = serve()
    with pytest.raises(ValueError, match="is not it"):
        fetch(tmp_path / "file", url, check=check)
    assert (tmp_path / "file").read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_keeps_what_has_come(serve, tmp_path):
    url, _ = serve()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, limit[1]))
    try:
        with pytest.raises(OSError, match="file.part: File too large: what has come is kept"):
            fetch(tmp_path / "file", url)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    kept = (tmp_path / "file.part").read_bytes()
    assert kept and FILE.startswith(kept)
    assert fetch(tmp_path / "file", url) == FILE


def test_no_room_is_said_before_anything_is_written(serve, tmp_path, monkeypatch):
    url, _ = serve()
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(OSError, match="1,000 bytes free, 3,000,000 are needed"):
        fetch(tmp_path / "file", url)


@pytest.fixture(scope="module")
def mat(tmp_path_factory):
    return fake_nyu.write_mat(tmp_path_factory.mktemp("mat") / nyu.FILE_NAME, 4, ids=[3, 5, 22, 23])


def command(folder, *arguments):
    launch = Path(__file__).parents[1] / "launch" / "prepare_data.py"
    return subprocess.run([sys.executable, launch, "nyu", *arguments], cwd=folder, capture_output=True, text=True)


def test_the_command_downloads_converts_and_sums_up(serve, mat, tmp_path):
    url, _ = serve(content=mat.read_bytes(), sends=mat.stat().st_size // 2 + 1)
    done = command(tmp_path, f"--url={url}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data" / nyu.FILE_NAME).read_bytes() == mat.read_bytes()
    assert "4 frames at 240x320" in done.stdout and "split dev" in done.stdout and "MD5" in done.stderr
    assert "split official not complete" in done.stdout
    taken = command(tmp_path, f"--from={mat}")
    assert taken.stdout.splitlines()[:-1] == done.stdout.splitlines()[:-1]


@pytest.mark.parametrize("spoil", ["cut", "html"])
def test_the_command_refuses_what_is_no_mat_file_in_one_line(serve, mat, tmp_path, monkeypatch, spoil):
    content = mat.read_bytes()[:-5000] if spoil == "cut" else b"<!doctype html><p>moved"
    url, _ = serve(content=content)
    monkeypatch.setattr(nyu, "URL", url)
    with pytest.raises(ValueError, match="not a readable HDF5 .* file, or cut off"):
        nyu.fetch(tmp_path / "data")
    assert not list((tmp_path / "data").iterdir())
