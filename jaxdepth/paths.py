"""Paths: how one is shown, and what lies in the user's home folder. Light: `cli` imports it before jax."""

import os
import pathlib
import re
import unicodedata

from jaxdepth.errors import InputError


def shown(path) -> str:
    """A path or name as text on one line that every terminal, figure and JSON reader can take.

    Control characters, line breaks, and the bytes of a name that is not UTF-8 become escapes as in `repr`: `\\udcff`
    is the byte 255.
    """
    text = str(path)
    if text.isprintable():  # at once, even for a picture as text
        return text
    return "".join(c.encode("unicode_escape").decode() if _is_odd(c) else c for c in text)


def cache_folder(given=None) -> pathlib.Path:
    """The folder for what is kept between runs: `given`, else $JAXDEPTH_CACHE, else ~/.cache/jaxdepth.

    Raises:
      InputError: if it lies in a home folder and none is known.
    """
    try:
        return pathlib.Path(given or os.environ.get("JAXDEPTH_CACHE") or "~/.cache/jaxdepth").expanduser()
    except RuntimeError as error:
        raise InputError("no home folder is known for the cache: set HOME, or JAXDEPTH_CACHE to a folder") from error


def expanded(path) -> pathlib.Path:
    """A path with the home folder that its ~ or ~USER stands for; raises InputError if there is none."""
    try:
        return pathlib.Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{str(path)!r}: no home folder is known for it: give the whole path") from error


def with_home(argument: str) -> str:
    """An argument such as --output=~/depth or TITLE=~/run with the home folder, which shells put in for ~/ alone.

    Raises:
      InputError: if no home folder is known.
    """
    name, path = re.fullmatch(r"([^=~]*=)?(.*)", argument, re.DOTALL).groups(default="")
    expanded = os.path.expanduser(path)
    if path == expanded and re.match("~(/|$)", path):
        raise InputError(f"{argument}: no home folder is known: set HOME, or give the whole path")
    return name + expanded


def _is_odd(character):
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")  # control, surrogate, line, paragraph
