"""One file over HTTP: what a broken connection has left is gone on with, and the name is given only to the whole."""

import hashlib
import http.client
import json
import os
import pathlib
import shutil
import time
import urllib.error
import urllib.request

from absl import logging
from tqdm import tqdm

_BLOCK = 1 << 20
_PATIENCE = 5  # attempts that bring nothing new
_TIMEOUT = 60  # seconds without a byte


def download(target, urls, *, check, md5=None, pause=2.0):
    """Fetch `target` from the first of `urls` that has it.

    Bytes gather in `target`.part beside it. Where the connection breaks, the rest is asked for by an HTTP range,
    `pause` seconds later, and by the same call after a kill; a server without ranges, or with another file than before
    (by its ETag or Last-Modified), starts anew. An address that brings nothing new in five attempts is given up.

    Args:
      target: the file; its folder is made.
      urls: addresses of the same file.
      check: `check(path)` raises ValueError for a file that is not what it should be; it is then removed, and `target`
        stays as it was.
      md5: hex digits, as published; where the file's differ a warning says so.

    Raises:
      OSError: no address answers with the file (but with a web page, or not at all), or the disk has no room. What has
        come is kept in `target`.part.
      ValueError: `check` refuses it.
    """
    target = pathlib.Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    failures = []
    for url in urls:
        try:
            _fetch(url, part, pause=pause)
            break
        except (http.client.HTTPException, urllib.error.URLError, ConnectionError, TimeoutError, _NotIt) as error:
            failures.append(f"{url}: {getattr(error, 'reason', None) or error}")
            logging.warning("%s", failures[-1])
    else:
        kept = f" ({part.stat().st_size:,} bytes are kept in {part})" if part.is_file() else ""
        raise ConnectionError(f"{target.name} could not be downloaded{kept}: {'; '.join(failures)}")
    _compare(part, md5)
    try:
        check(part)
    except ValueError:
        _forget(part)
        raise
    part.replace(target)
    _facts(part).unlink(missing_ok=True)
    logging.info("%s: %d bytes", target, target.stat().st_size)


class _NotIt(Exception):
    """The address answers, and not with the file."""


def _fetch(url, part, *, pause):
    """Bring `part` to its full length; raises what `download` catches once patience is at an end."""
    left = _PATIENCE
    while True:
        before = part.stat().st_size if part.is_file() else 0
        try:
            if _attempt(url, part):
                return
            error = ConnectionError("the connection ended before the file did")
        except urllib.error.HTTPError as refused:
            if refused.code < 500:
                raise
            error = refused
        except (http.client.HTTPException, urllib.error.URLError, ConnectionError, TimeoutError) as broken:
            error = broken
        after = part.stat().st_size if part.is_file() else 0
        left = _PATIENCE if after > before else left - 1
        if not left:
            raise error
        logging.warning("%s: %s; %d bytes are there, going on", url, error, after)
        time.sleep(pause)


def _attempt(url, part):
    """One request for what `part` lacks. Returns whether it has all now."""
    have = part.stat().st_size if part.is_file() else 0
    known = json.loads(_facts(part).read_text()) if have and _facts(part).is_file() else {}
    if have and not known.get("version"):
        have = 0  # nothing says that it is a part of the same file
    headers = {"User-Agent": "jaxdepth", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": known["version"]}
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        total = (error.headers.get("Content-Range") or "").rpartition("/")[2]
        if error.code == 416 and have and total == str(have):
            return True  # the length that was told before was not true
        if error.code == 416:
            _forget(part)
        raise
    with answer:
        if answer.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
            raise _NotIt("a web page, not the file")
        start = have if answer.status == 206 else 0
        if start and not (answer.headers.get("Content-Range") or "").startswith(f"bytes {start}-"):
            _forget(part)
            raise ConnectionError(f"another range than was asked for: {answer.headers.get('Content-Range')}")
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length else None
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        if version.startswith("W/"):
            version = ""  # a weak one does not promise the same bytes
        _facts(part).write_text(json.dumps({"url": url, "version": version}))
        _receive(answer, part, start=start, total=total)
    return total is None or part.stat().st_size >= total


def _receive(answer, part, *, start, total):
    """Write the answer's bytes into `part` from byte `start` on."""
    free = shutil.disk_usage(part.parent).free
    if total and total - start > free + (part.stat().st_size if part.is_file() and not start else 0):
        raise OSError(f"{part.parent}: {free:,} bytes free, {total - start:,} are needed for the download")
    bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=part.stem, disable=None)
    with bar, open(part, "r+b" if start else "wb") as file:
        file.seek(start)
        while block := answer.read(_BLOCK):
            try:
                file.write(block)
                file.flush()
            except OSError as error:
                raise OSError(f"{part}: {error.strerror}: what has come is kept, the same command goes on") from error
            bar.update(len(block))


def _compare(part, md5):
    """Warn where the file is not the published one."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(part, "rb") as file:
        while md5 and (block := file.read(_BLOCK)):
            digest.update(block)
    if md5 and digest.hexdigest() != md5:
        size = part.stat().st_size
        logging.warning("%s: MD5 %s of %d bytes; the published file has %s", part.name, digest.hexdigest(), size, md5)


def _facts(part):
    return part.with_name(f"{part.name}.json")


def _forget(part):
    for file in (part, _facts(part)):
        if file.is_file():
            os.remove(file)
