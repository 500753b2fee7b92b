"""One file over HTTP: what a broken connection has left is gone on with, and the name is given only to the whole."""

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

_BLOCK = 1 << 20
_PATIENCE = 5  # attempts that bring nothing new
_TIMEOUT = 60  # seconds without a byte


def download(target, urls, *, check, md5=None, pause=2.0):
    """Fetch `target` from the first of `urls` that has it.

    Bytes gather in `target`.HASH.part beside it, a file for each address, so that no two are ever mixed. Where the
    connection breaks, the rest is asked for by an HTTP range, `pause` seconds later, and by the same call after a kill;
    a server without ranges, or with another file than before (by its ETag or Last-Modified), starts anew. An address
    that brings nothing new in five attempts is given up.

    Args:
      target: the file; its folder is made.
      urls: http and https addresses of the same file.
      check: `check(path)` raises ValueError for a file that is not what it should be; what came from that address is
        then removed, and the next one is asked.
      md5: hex digits, as published; where the file's differ a warning says so.

    Raises:
      ValueError: an address that is none.
      OSError: no address has the file (each one's reason is named), or the disk has no room. What has come is kept, and
        `target` stays as it was.
    """
    target = pathlib.Path(target)
    for url in urls:
        if not re.match(r"https?://[^/]", url):
            raise ValueError(f"address {url!r}: expected one that begins with http:// or https://")
    target.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for url in urls:
        part = target.with_name(f"{target.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part")
        try:
            _fetch(url, part, pause=pause)
            _compare(part, target, md5)
            check(part)
        except _Failed as error:
            kept = f" ({part.stat().st_size:,} bytes are kept in {part})" if part.is_file() else ""
            failures.append(f"{url}: {error}{kept}")
        except ValueError as error:
            _forget(part)
            failures.append(f"{url}: {error}")
        else:
            part.replace(target)
            for left in target.parent.glob(f"{target.name}.????????.part*"):
                left.unlink()
            logging.info("%s: %d bytes", target, target.stat().st_size)
            return
        logging.warning("%s", failures[-1])
    raise ConnectionError(f"{target.name} could not be downloaded: {'; '.join(failures)}")


class _Failed(Exception):
    """The connection, or the server: not the disk."""


class _Refused(_Failed):
    """An answer that will not change: no such file, a web page."""


def _fetch(url, part, *, pause):
    """Bring `part` to its full length. Raises _Failed once patience is at an end, OSError where the disk is full."""
    left, most = _PATIENCE, _size(part)
    while True:
        try:
            if _attempt(url, part):
                return
            error = _Failed("the connection ended before the file did")
        except _Refused:
            raise
        except _Failed as failed:
            error = failed
        left = _PATIENCE if _size(part) > most else left - 1
        most = max(most, _size(part))
        if not left:
            raise error
        logging.warning("%s: %s; %d bytes are there, going on", url, error, _size(part))
        time.sleep(pause)


def _attempt(url, part):
    """One request for what `part` lacks. Returns whether it has all now."""
    facts = _read_facts(part)
    have = _size(part) if facts.get("version") else 0  # otherwise nothing says that it is a part of the same file
    if have and have == facts.get("total"):
        return True
    headers = {"User-Agent": "jaxdepth", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": facts["version"]}
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # nothing behind what is there: the length that was told before was not true
            if have and (error.headers.get("Content-Range") or "").rpartition("/")[2] == str(have):
                return True
            _forget(part)
        kind = _Failed if error.code == 416 or error.code >= 500 else _Refused
        raise kind(str(error)) from error
    except (OSError, http.client.HTTPException) as error:
        raise _Failed(str(getattr(error, "reason", None) or error)) from error
    with answer:
        if answer.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
            raise _Refused("a web page, not the file")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise _Refused(f"encoded as {answer.headers['Content-Encoding']}, which was not asked for")
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        if version.startswith("W/"):
            version = ""  # a weak one does not promise the same bytes
        start, total = 0, answer.length  # None where it is not told
        if answer.status == 206:
            start, total = _range(answer.headers.get("Content-Range"))
            if start != have or version != facts.get("version"):
                _forget(part)
                raise _Failed("another part, or a part of another file, than was asked for")
        _make_room(part, total, start=start)
        if not start:
            _forget(part)  # before its facts become those of another file
        _facts(part).write_text(json.dumps({"version": version, "total": total}))
        _receive(answer, part, start=start, total=total)
    return total is None or _size(part) >= total


def _range(text):
    """(first byte, length of the whole file or None) of a Content-Range; (-1, None) where it is not of that form."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", text or "")
    return (int(match[1]), None if match[2] == "*" else int(match[2])) if match else (-1, None)


def _make_room(part, total, *, start):
    free = shutil.disk_usage(part.parent).free + (0 if start else _size(part))
    if total and total - start > free:
        raise OSError(f"{part.parent}: {free:,} bytes free, {total - start:,} are needed for the download")


def _receive(answer, part, *, start, total):
    """Write the answer's bytes into `part` from byte `start` on."""

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
                raise OSError(f"{part}: {error.strerror}: what has come is kept, the same command goes on") from error
            bar.update(len(block))


def _compare(part, target, md5):
    """Warn where the file is not the published one."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(part, "rb") as file:
        while md5 and (block := file.read(_BLOCK)):
            digest.update(block)
    if md5 and digest.hexdigest() != md5:
        found = (target.name, digest.hexdigest(), _size(part))
        logging.warning("%s: MD5 %s of %d bytes; the published file has %s", *found, md5)


def _size(part):
    return part.stat().st_size if part.is_file() else 0


def _facts(part):
    return part.with_name(f"{part.name}.json")


def _read_facts(part):
    """{"version", "total"} of what `part` is a part of, as far as is known."""
    try:
        facts = json.loads(_facts(part).read_text())
    except (OSError, ValueError):  # none, or a kill has cut them off
        return {}
    return facts if isinstance(facts, dict) else {}


def _forget(part):
    for file in (part, _facts(part)):
        if file.is_file():
            os.remove(file)
