"""The page's files and its server, without a browser."""

import base64
import hashlib
import http.client
import json
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import sys

import browsers
import pytest
import small

import jaxdepth
from jaxdepth import page
from jaxdepth.errors import InputError
from jaxdepth.page import server

STATIC = server.FOLDER / "static"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return small.random_run(tmp_path_factory.mktemp("run"))


def get(address, path, method="GET"):
    """(status, headers, body) of a request, whose path is sent as it is."""
    connection = http.client.HTTPConnection(address.split("//")[1].rstrip("/"))
    connection.request(method, path)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def test_a_site_has_page_network_and_examples(run, tmp_path):
    size = page.write(run, tmp_path / "site")
    files = [file for file in (tmp_path / "site").rglob("*") if file.is_file()]
    assert size == sum(file.stat().st_size for file in files)
    about = json.loads((tmp_path / "site/network/network.json").read_text())
    assert about["outputs"] == list(jaxdepth.load(run).groups) and about["flip"] == "outside"
    assert (tmp_path / "site/network/network.tflite").read_bytes()[4:8] == b"TFL3"
    assert (tmp_path / "site/index.html").read_bytes() == (STATIC / "index.html").read_bytes()
    assert {file.name for file in (tmp_path / "site/examples").iterdir()} == {"1.jpg", "2.jpg", "3.jpg"}
    with pytest.raises(FileExistsError, match="is not empty: expected a new folder, or an empty one"):
        page.write(run, tmp_path / "site")


def test_the_network_is_kept_and_a_part_of_one_is_made_anew(run):
    folder = page.network_files(run)
    written = (folder / "network.tflite").stat().st_mtime_ns
    assert page.network_files(run) == folder and (folder / "network.tflite").stat().st_mtime_ns == written
    (folder / "network.json").unlink()
    assert page.network_files(run) == folder and (folder / "network.json").is_file()


def test_no_address_of_another_host_and_a_policy_that_admits_none():
    text = (STATIC / "index.html").read_text()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    (imports,) = re.findall(r'<script type="importmap">(.*?)</script>', text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(imports.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy and policy.startswith("default-src 'none';") and "http" not in policy
    for place in json.loads(imports)["imports"].values():
        assert place.startswith("./") and (server.FOLDER / place).is_file()
    for file in STATIC.iterdir():
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", file.read_text()), file


def test_vendored_files_have_their_licences():
    folders = [folder for folder in (server.FOLDER / "vendor").iterdir() if folder.is_dir()]
    told = (server.FOLDER / "vendor" / "README.md").read_text()
    assert folders
    for folder in folders:
        assert (folder / "LICENSE").is_file() and folder.name in told.lower()


def test_the_server_gives_its_files_and_no_others(tmp_path):
    (tmp_path / "network").mkdir()
    (tmp_path / "network" / "network.json").write_text("{}")
    (tmp_path / "secret").write_text("mine")
    with browsers.serving(server.make(tmp_path / "network", port=0)) as address:
        status, headers, body = get(address, "/")
        assert status == 200 and b"<h1" in body and headers["Cache-Control"] == "no-cache"
        assert get(address, "/network/network.json")[2] == b"{}"
        assert get(address, "/main.js")[1]["Content-Type"] == "text/javascript"
        assert get(address, "/vendor/litert/LICENSE")[0] == 200
        for path in ("/network/../secret", "/network/%2e%2e/secret", "/../server.py", "//etc/passwd", "/network/"):
            assert get(address, path)[0] == 404, path
        assert get(address, "/network/network.json", "POST")[0] == 501


def test_a_browser_that_leaves_and_a_name_with_a_zero_are_no_faults(tmp_path, capfd):
    (tmp_path / "network.tflite").write_bytes(bytes(50_000_000))
    with browsers.serving(server.make(tmp_path, port=0)) as address:
        with socket.create_connection(("127.0.0.1", int(address.rstrip("/").rpartition(":")[2]))) as leaving:
            leaving.sendall(b"GET /network/network.tflite HTTP/1.0\r\n\r\n")
            leaving.recv(100)
        assert get(address, "/network/a%00b")[0] == 404
    assert capfd.readouterr().err == ""


def test_a_site_in_the_current_folder_and_at_a_link(run, tmp_path, monkeypatch):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    page.write(run, ".")
    assert (tmp_path / "here" / "index.html").is_file()
    (tmp_path / "link").symlink_to("there")
    page.write(run, tmp_path / "link")
    assert (tmp_path / "there" / "index.html").is_file() and (tmp_path / "link").is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"here", "there", "link"}


def test_a_full_disk_is_one_error_that_names_the_site(run, tmp_path):
    page.network_files(run)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
    try:
        with pytest.raises(OSError, match=rf"Errno .*'{re.escape(str(tmp_path / 'site'))}'"):
            page.write(run, tmp_path / "site")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert not list(tmp_path.iterdir())


def test_a_port_in_use_and_a_wrong_one_are_one_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match=r"--port=\d+ is in use: expected another one"):
            server.make(tmp_path, port=taken.getsockname()[1])
    with pytest.raises(InputError, match="--port=70000: expected 0 to 65535"):
        server.make(tmp_path, port=70000)


def test_the_scripts_pass_their_linter():
    linter = shutil.which("oxlint", path=pathlib.Path(sys.executable).parent)
    if linter is None:
        pytest.skip("no oxlint: pip install -e '.[test]'")
    linted = subprocess.run([linter, "--deny-warnings", STATIC], capture_output=True, text=True)
    assert linted.returncode == 0, linted.stdout
