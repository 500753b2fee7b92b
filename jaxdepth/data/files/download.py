"""Downloads a file over HTTP: resumes after a broken connection, and names the file only when it is complete."""

import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import time
import urllib.error
import urllib.request

from absl import logging
from tqdm import tqdm

from jaxdepth.errors import InputError

_BLOCK = 1 << 20
_ATTEMPTS = 5  # in a row without new bytes
_TIMEOUT = 60  # seconds without a byte


def download(target, urls, *, check, md5=None, pause=2.0):
    """Downloads a file from the first of several addresses that has it.

    The bytes are collected in a partial file beside `target`, one for each address (`TARGET.HASH.part`), so that two
    addresses are never mixed. After a broken connection, and when the same call is repeated after a kill, an HTTP range
    request asks for the rest. The download starts over if the server has no ranges, or if its file has changed (by ETag
    or Last-Modified). An address is given up after five attempts in a row without new bytes.

    Args:
      target: the file to write; its folder is created if missing.
      urls: http and https addresses of the same file, tried in order.
      check: function of a path that raises ValueError if the file there is not the expected one. The partial file is
        then removed, and the next address is tried.
      md5: published MD5 in hex digits; another one is logged as a warning. None to skip.
      pause: seconds between attempts.

    Raises:
      InputError: if an address is not http or https.
      OSError: if no address has the file (the error lists the reasons), or the disk is full. Partial files are kept,
        and `target` keeps its old content.
    """
    target = pathlib.Path(target)
    for url in urls:
        if not re.match(r"https?://[^/]", url):
            raise InputError(f"address {url!r}: expected one that begins with http:// or https://")
    target.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for url in urls:
        part = target.with_name(f"{target.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part")
        try:
            _fetch(url, part, pause=pause)
            _check_md5(part, target, md5)
            check(part)
        except _Failed as error:
            kept = f" ({_size(part):,} bytes are kept in {part})" if part.is_file() else ""
            failures.append(f"{url}: {error}{kept}")
        except ValueError as error:
            _remove(part)
            failures.append(f"{url}: {error}")
        else:
            part.replace(target)
            for leftover in target.parent.glob(f"{target.name}.????????.part*"):
                leftover.unlink()
            logging.info("%s: %d bytes", target, target.stat().st_size)
            return
        logging.warning("%s", failures[-1])
    raise ConnectionError(f"{target.name} could not be downloaded: {'; '.join(failures)}")


class _Failed(Exception):
    """The connection or the server failed."""


class _Refused(_Failed):
    """The server's answer will not change with another attempt: no such file, a web page."""


def _fetch(url, part, *, pause):
    """Completes a partial file. Raises _Failed after too many attempts, OSError if the disk is full."""
    left, most = _ATTEMPTS, _size(part)
    while True:
        try:
            if _attempt(url, part):
                return
            error = _Failed("the connection ended before the file did")
        except _Refused:
            raise
        except _Failed as failed:
            error = failed
        left = _ATTEMPTS if _size(part) > most else left - 1
        most = max(most, _size(part))
        if not left:
            raise error
        logging.warning("%s: %s; resuming after %d bytes", url, error, _size(part))
        time.sleep(pause)


def _attempt(url, part):
    """Sends one request for the rest of a partial file. Returns whether the file is complete."""
    known = _read_info(part)
    have = _size(part) if known.get("version") else 0  # without a version, the file may have changed
    if have and have == known.get("total"):
        return True
    headers = {"User-Agent": "jaxdepth", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": known["version"]}
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # no bytes after these: the length in an earlier answer was wrong
            if have and (error.headers.get("Content-Range") or "").rpartition("/")[2] == str(have):
                return True
            _remove(part)
        kind = _Failed if error.code == 416 or error.code >= 500 else _Refused
        raise kind(str(error)) from error
    except (OSError, http.client.HTTPException) as error:
        raise _Failed(str(getattr(error, "reason", None) or error)) from error
    with answer:
        if answer.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
            raise _Refused("a web page, not the file")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise _Refused(f"encoded as {answer.headers['Content-Encoding']}, which was not requested")
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        if version.startswith("W/"):
            version = ""  # a weak ETag does not promise the same bytes
        start, total = 0, answer.length  # None if the server does not tell it
        if answer.status == 206:
            start, total = _range(answer.headers.get("Content-Range"))
            if start != have or version != known.get("version"):
                _remove(part)
                raise _Failed("the answer is not the requested range of the same file")
        _check_space(part, total, start=start)
        if not start:
            _remove(part)  # before its info becomes that of another file
        _info_path(part).write_text(json.dumps({"version": version, "total": total}))
        _receive(answer, part, start=start, total=total)
    return total is None or _size(part) >= total


def _range(text):
    """Parses a Content-Range: first byte and length of the file (None if unknown), or (-1, None) if it is malformed."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", text or "")
    return (int(match[1]), None if match[2] == "*" else int(match[2])) if match else (-1, None)


def _check_space(part, total, *, start):
    """Raises OSError if the disk has no space for the rest of the file."""
    free = shutil.disk_usage(part.parent).free + (0 if start else _size(part))
    if total and total - start > free:
        raise OSError(f"{part.parent}: {free:,} bytes free; the download needs {total - start:,}")


def _receive(answer, part, *, start, total):
    """Writes the answer's bytes into a partial file from byte `start` on."""

    def read():
        try:
            return answer.read(_BLOCK)
        except (OSError, http.client.HTTPException) as error:
            raise _Failed(str(error) or type(error).__name__) from error

    bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=part.stem, disable=None)
    with bar, open(part, "r+b" if start else "wb") as file:
        file.seek(start)
        while block := read():
            try:
                file.write(block)
                file.flush()
            except OSError as error:
                raise OSError(f"{part}: {error.strerror}; run the same command again to resume") from error
            bar.update(len(block))


def _check_md5(part, target, md5):
    """Logs a warning if the MD5 is not the published one."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(part, "rb") as file:
        while md5 and (block := file.read(_BLOCK)):
            digest.update(block)
    if md5 and digest.hexdigest() != md5:
        logging.warning(
            "%s: MD5 %s (%d bytes); the published file has %s", target.name, digest.hexdigest(), _size(part), md5
        )


def _size(part):
    """Bytes of a file; 0 if it does not exist."""
    return part.stat().st_size if part.is_file() else 0


def _info_path(part):
    """The file beside a partial file with what is known of the complete one."""
    return part.with_name(f"{part.name}.json")


def _read_info(part):
    """{"version": ETag or Last-Modified, "total": bytes} of the complete file; {} if unknown."""
    try:
        info = json.loads(_info_path(part).read_text())
    except (OSError, ValueError):  # missing, or cut off by a kill
        return {}
    return info if isinstance(info, dict) else {}


def _remove(part):
    """Removes a partial file and its info."""
    for file in (part, _info_path(part)):
        if file.is_file():
            os.remove(file)
