"""Downloads from a local server that breaks connections, lies, ignores ranges or stops early."""

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

from jaxdepth.data.files.download import download
from jaxdepth.data.sources import nyu
from jaxdepth.errors import InputError

FILE = np.random.default_rng(0).bytes(3_000_000)


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `content` from any path; the other attributes make things go wrong."""

    content, etag = FILE, '"one"'
    ranges = True  # whether it supports range requests
    compares = True  # whether it respects If-Range
    sends = None  # closes the connection after so many bytes of an answer
    piece = None  # answers with ranges of at most so many bytes
    claims = None  # a wrong Content-Length; 0 for none
    says_end = True  # whether an answer 416 tells the file's length
    kind, encoding = "application/octet-stream", None
    asked = ()

    def do_GET(self):
        asked = self.headers["Range"]
        type(self).asked = (*self.asked, asked)
        start = 0
        if asked and self.ranges and (self.headers["If-Range"] == self.etag or not self.compares):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start and start >= len(self.content):
            self.send_response(416)
            if self.says_end:
                self.send_header("Content-Range", f"bytes */{len(self.content)}")
            self.end_headers()
            return
        total = len(self.content) if self.claims is None else self.claims
        end = min(total, start + self.piece) if self.piece and self.ranges else total
        self.send_response(206 if start or end < total else 200)
        self.send_header("Content-Type", self.kind)
        if self.encoding:
            self.send_header("Content-Encoding", self.encoding)
        if total:
            self.send_header("Content-Length", str(end - start))
        if self.etag:
            self.send_header("ETag", self.etag)
        if start or end < total:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{total}")
        self.end_headers()
        body = self.content[start : end or None]
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body[: self.sends])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    """Function that starts a server with these attributes: its address, and its handler to change them later."""
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


def test_only_the_complete_file_is_left(serve, tmp_path, caplog):
    url, _ = serve()
    assert fetch(tmp_path / "new" / "file", url, md5=hashlib.md5(FILE).hexdigest()) == FILE
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]
    assert "MD5" not in caplog.text


def test_a_broken_connection_is_resumed(serve, tmp_path):
    url, handler = serve(sends=1_250_000)
    assert fetch(tmp_path / "file", url) == FILE
    assert handler.asked == (None, "bytes=1250000-", "bytes=2500000-")


def test_a_server_without_ranges_starts_over(serve, tmp_path):
    url, handler = serve(sends=1_250_000, ranges=False)
    with pytest.raises(ConnectionError, match=r"the connection ended .*\(1,250,000 bytes are kept in .*part\)"):
        fetch(tmp_path / "file", url)
    assert len(handler.asked) == 6 and not (tmp_path / "file").exists()
    handler.sends = None
    assert fetch(tmp_path / "file", url) == FILE


def test_a_length_that_is_too_long_is_corrected_by_an_answer_416(serve, tmp_path, caplog):
    url, _ = serve(claims=3_500_000)
    assert fetch(tmp_path / "file", url, md5="0" * 32) == FILE
    assert "MD5" in caplog.text and "(3000000 bytes); the published file has 0000" in caplog.text


def test_a_server_that_sends_nothing_is_given_up_for_the_next(serve, tmp_path):
    poor, handler = serve(sends=0)
    rich, _ = serve()
    with pytest.raises(ConnectionError, match="the connection ended before the file did"):
        fetch(tmp_path / "file", poor)
    assert len(handler.asked) == 5
    assert fetch(tmp_path / "file", poor, rich) == FILE


def stopped_halfway(serve, folder):
    """A download that has stopped after 1,250,000 bytes: its address, handler and partial file."""
    url, handler = serve(sends=1_250_000, ranges=False)
    with pytest.raises(ConnectionError):
        fetch(folder / "file", url)
    handler.sends, handler.ranges, handler.asked = None, True, ()
    (part,) = folder.glob("*.part")
    return url, handler, part


@pytest.mark.parametrize("compares", [True, False])
def test_a_changed_file_is_not_appended_to_the_old_part(serve, tmp_path, compares):
    url, handler, _ = stopped_halfway(serve, tmp_path)
    handler.content, handler.etag, handler.compares = FILE[::-1], '"two"', compares
    assert fetch(tmp_path / "file", url) == FILE[::-1]


def test_a_changed_file_without_disk_space_is_not_appended_to_the_old_part(serve, tmp_path, monkeypatch):
    url, handler, _ = stopped_halfway(serve, tmp_path)
    handler.content, handler.etag = FILE[::-1], '"two"'
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
        with pytest.raises(OSError, match="the download needs"):
            fetch(tmp_path / "file", url)
    assert fetch(tmp_path / "file", url) == FILE[::-1]


@pytest.mark.parametrize("info", ["", "[]", '{"version"'])
def test_damaged_info_of_a_partial_file_starts_over(serve, tmp_path, info):
    url, handler, part = stopped_halfway(serve, tmp_path)
    part.with_name(f"{part.name}.json").write_text(info)
    assert fetch(tmp_path / "file", url) == FILE and handler.asked == (None,)


def test_a_file_in_several_ranges_is_put_together(serve, tmp_path):
    url, handler, _ = stopped_halfway(serve, tmp_path)
    handler.piece = 700_000
    assert fetch(tmp_path / "file", url) == FILE
    assert handler.asked == ("bytes=1250000-", "bytes=1950000-", "bytes=2650000-")


def test_an_answer_416_without_the_length_starts_over(serve, tmp_path):
    url, handler = serve(claims=3_500_000, says_end=False)
    with pytest.raises(ConnectionError, match="416"):
        fetch(tmp_path / "file", url)
    handler.claims = None
    assert fetch(tmp_path / "file", url) == FILE


def test_a_file_of_unknown_length_is_downloaded(serve, tmp_path):
    url, _ = serve(claims=0)
    assert fetch(tmp_path / "file", url) == FILE


def test_a_complete_partial_file_is_not_requested_again(serve, tmp_path):
    """As after a kill between the last byte and the renaming."""
    url, handler, part = stopped_halfway(serve, tmp_path)
    part.write_bytes(FILE)
    assert fetch(tmp_path / "file", url) == FILE and handler.asked == ()


def longer_than(size):
    def check(path):
        if path.stat().st_size <= size:
            raise ValueError(f"{path.name}: cut off")

    return check


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"claims": 2_000_000}, "cut off"),
        ({"content": b"Moved. Ask the librarian.", "kind": "text/plain"}, "cut off"),
        ({"encoding": "gzip"}, "encoded as gzip"),
        ({"kind": "text/html"}, "a web page"),
    ],
)
def test_a_wrong_file_leads_to_the_next_address(serve, tmp_path, wrong, reason):
    """A length that is too short looks like a short file: only `check` finds out."""
    poor, _ = serve(**wrong)
    rich, handler, _ = stopped_halfway(serve, tmp_path)
    check = longer_than(2_000_000)
    with pytest.raises(ConnectionError, match=f"could not be downloaded: {poor}: .*{reason}"):
        fetch(tmp_path / "file", poor, check=check)
    assert fetch(tmp_path / "file", poor, rich, check=check) == FILE
    assert handler.asked == ("bytes=1250000-",)  # its partial file was kept
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_invalid_address_is_refused(tmp_path):
    for url in ("file", "ftp://host/file", "http://"):
        with pytest.raises(InputError, match=f"address '{url}': expected one that begins with http"):
            fetch(tmp_path / "new" / "file", url)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("etag", ["", 'W/"one"'])
def test_a_file_without_a_strong_etag_is_not_resumed(serve, tmp_path, etag):
    url, handler = serve(etag=etag, sends=1_250_000)
    with pytest.raises(ConnectionError):
        fetch(tmp_path / "file", url)
    handler.sends = None
    assert fetch(tmp_path / "file", url) == FILE and set(handler.asked) == {None}


def test_a_web_page_a_missing_file_and_no_server(serve, tmp_path):
    page, _ = serve(kind="text/html", content=b"<html>moved</html>")
    with pytest.raises(ConnectionError, match="could not be downloaded: http.*: a web page, not the file"):
        fetch(tmp_path / "file", page)
    with pytest.raises(ConnectionError, match="refused"):
        fetch(tmp_path / "file", "http://127.0.0.1:9/file")
    assert not list(tmp_path.iterdir())


def test_a_refused_file_keeps_the_old_one(serve, tmp_path):
    def check(path):
        raise ValueError(f"{path.name} is not it")

    (tmp_path / "file").write_bytes(b"before")
    url, _ = serve()
    with pytest.raises(ConnectionError, match="is not it"):
        fetch(tmp_path / "file", url, check=check)
    assert (tmp_path / "file").read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_keeps_the_partial_file(serve, tmp_path):
    url, _ = serve()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, limit[1]))
    try:
        with pytest.raises(OSError, match="file.*part: File too large; run the same command again to resume"):
            fetch(tmp_path / "file", url)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    kept = next(tmp_path.glob("*.part")).read_bytes()
    assert kept and FILE.startswith(kept)
    assert fetch(tmp_path / "file", url) == FILE


def test_missing_disk_space_is_an_error_before_writing(serve, tmp_path, monkeypatch):
    url, _ = serve()
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(OSError, match="1,000 bytes free; the download needs 3,000,000"):
        fetch(tmp_path / "file", url)


@pytest.fixture(scope="module")
def mat(tmp_path_factory):
    return fake_nyu.write_mat(tmp_path_factory.mktemp("mat") / nyu.FILE_NAME, 4, ids=[3, 5, 22, 23])


def command(folder, *arguments):
    launch = Path(__file__).parents[3] / "launch" / "prepare_data.py"
    return subprocess.run([sys.executable, launch, "nyu", *arguments], cwd=folder, capture_output=True, text=True)


def test_the_command_downloads_converts_and_reports(serve, mat, tmp_path):
    url, _ = serve(content=mat.read_bytes(), sends=mat.stat().st_size // 2 + 1)
    done = command(tmp_path, f"--url={url}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data" / nyu.FILE_NAME).read_bytes() == mat.read_bytes()
    assert "4 frames at 240x320" in done.stdout and "split dev" in done.stdout and "MD5" in done.stderr
    assert "split official not complete" in done.stdout
    taken = command(tmp_path, f"--from={mat}")
    assert taken.stdout.splitlines()[:-1] == done.stdout.splitlines()[:-1]


@pytest.mark.parametrize("spoil", ["cut", "page"])
def test_the_command_refuses_an_invalid_mat_file_in_one_line(serve, mat, tmp_path, spoil):
    content = mat.read_bytes()[:-5000] if spoil == "cut" else b"<!doctype html><p>moved"
    url, _ = serve(content=content)
    script = (
        "import sys; from jaxdepth.data.sources import nyu; nyu.URL = sys.argv.pop(); "
        "import runpy; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    launch = Path(__file__).parents[3] / "launch" / "prepare_data.py"
    script = f"import sys; sys.argv[0] = {str(launch)!r}; {script}"
    done = subprocess.run([sys.executable, "-c", script, "nyu", url], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    error = done.stderr.splitlines()[-1]
    assert error.startswith(f"error: {nyu.FILE_NAME} could not be downloaded: {url}: ") and "or cut off" in error
    assert not list((tmp_path / "data").iterdir())
