"""Paths: how one is shown, what comes with the package, and what lies in the user's home folder.

Light: `cli` imports it before jax.
"""

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


def packaged(name) -> pathlib.Path:
    """The folder `launch` or `configs`: within the package where that is installed, beside it in a clone."""
    package = pathlib.Path(__file__).parent
    return package / name if (package / name).is_dir() else package.parent / name


PACKAGE = "package"  # what stands for the network that comes with the package


def network_folder(given) -> pathlib.Path:
    """The folder of a network: `given`, or the one within the package for "package"."""
    return pathlib.Path(__file__).parent / "trained" if str(given) == PACKAGE else pathlib.Path(given)


def config_names() -> list[str]:
    """Names of the config files that come with the package, such as "kscale"."""
    return sorted(file.stem for file in packaged("configs").glob("*.py"))


def config_file(given: str) -> str:
    """The config file that a value of --config stands for.

    Args:
      given: path of a file, or the name of one that comes with the package; each may be followed by :ARGUMENT.

    Returns:
      The file's path, followed by :ARGUMENT as in `given`.

    Raises:
      InputError: if there is no such file.
    """
    name, *argument = given.split(":", 1)
    if not pathlib.Path(name).is_file():
        if name not in (names := config_names()):
            raise InputError(f"--config={given}: no such file: expected a path or one of {', '.join(names)}")
        name = str(packaged("configs") / f"{name}.py")
    return ":".join([name, *argument])


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
