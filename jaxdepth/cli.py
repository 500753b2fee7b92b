"""What the commands share: flags, --help, the default workdir, kept compilations, and errors in one line."""

import contextlib
import functools
import logging as stdlib_logging
import os
import pathlib
import re
import select
import shutil
import signal
import sys
import textwrap
import traceback

from absl import app, flags, logging

from jaxdepth import advice, paths
from jaxdepth.errors import InputError, tell
from jaxdepth.runs.upgrade import RENAMED

_SEE_HELP = "(--help lists the flags)"
flags.disclaim_key_flags()  # what is defined here for a command is in its --help


def run(main):
    """Runs a command: `absl.app.run`, where an error that answers the user's input is one line and exit code 1.

    These are InputError, and OSError: what the system answers. Any other exception is a defect and keeps its traceback.

    Args:
      main: a function of the arguments that remain after the flags.
    """

    def reporting(argv):
        try:
            with unread_output():
                return main(argv)
        except app.UsageError as error:
            return tell(InputError(f"{error} {_SEE_HELP}"))
        except (InputError, OSError) as error:
            return tell(error, in_own_flags(str(error)))
        except KeyboardInterrupt as error:  # of a command that finishes what it has begun
            print(error, file=sys.stderr)
            return 130

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as SIGTERM: at once, also while jax compiles, without a traceback
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that is not UTF-8 ends no command
    # jax reads these on import. With them, a second start compiles nothing again.
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        with _early_errors():
            os.environ["JAX_COMPILATION_CACHE_DIR"] = str(paths.cache_folder() / "compiled")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
    logging.get_absl_handler().python_handler.addFilter(_is_for_users)
    sys.unraisablehook = _without_late_callbacks
    app.run(reporting, flags_parser=functools.partial(_parse_flags, main))


def _without_late_callbacks(unraisable):
    """Prints an exception that nobody can catch; drops "Event loop is closed" after a failed read or write."""
    if str(unraisable.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(unraisable)


def _is_for_users(record):
    """Whether a log record is worth a user's time."""
    if "orbax" in record.pathname or record.name == "asyncio":
        return False  # every file that is written; and what fails is raised, too
    return "xla_bridge" not in record.pathname or record.levelno >= stdlib_logging.ERROR  # each missing kind of device


@contextlib.contextmanager
def unread_output():
    """Ends the command quietly if nobody reads its output any more, as in `jaxdepth predict --help | head`."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        if not _has_no_reader(sys.stdout):  # of another pipe
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is written at the exit
        sys.exit(128 + signal.SIGPIPE)  # as the shell has it


def _has_no_reader(file):
    """Whether a file is a pipe that is closed at its other end."""
    watched = select.poll()
    watched.register(file.fileno(), 0)
    return any(event & select.POLLERR for _, event in watched.poll(0))


def _parse_flags(main, argv):
    if not {"-h", "-help", "--help"}.isdisjoint(argv):
        with unread_output():
            print(_help(sys.modules[main.__module__]))
        sys.exit()
    with _early_errors():
        # ml_collections looks for settings in sys.argv.
        sys.argv[:] = _with_config_file([paths.with_home(_renamed(argument)) for argument in argv])
    with setting_errors():
        try:
            return flags.FLAGS(sys.argv)
        except flags.Error as error:
            sys.exit(f"error: {' '.join(str(_own_error(error)).split())} {_SEE_HELP}")


def _own_error(error):
    """The InputError that a config file has raised, from which the error of the flag comes; else that of the flag."""
    cause = error
    while cause.__context__ is not None:
        cause = cause.__context__
    return cause if isinstance(cause, InputError) else error


def _help(script):
    """The page of a command: its docstring, and its own flags with their defaults."""
    width = min(shutil.get_terminal_size().columns, 100)
    wrapped = functools.partial(textwrap.fill, width=width, break_on_hyphens=False)
    paragraphs = advice.typed(script.__doc__.strip("\n")).split("\n\n")
    lines = ["\n\n".join(p if p.startswith(" ") else wrapped(p) for p in paragraphs), "", "Flags:"]
    for flag in flags.FLAGS.get_key_flags_for_module(script):
        text, _, _ = flag.help.partition(";\n")  # what absl adds for a flag that may be repeated
        if isinstance(flag.default, str | int | float | list) and flag.default not in (False, []):
            text += " (default: {})".format(flag.default_as_str.strip("'[]"))
        lines.append(wrapped(f"  {'--' + flag.name:<20} {text}", subsequent_indent=" " * 23))
    return "\n".join(lines)


def _with_config_file(arguments):
    """Arguments in which --config=NAME, of a config that comes with the package, is --config=FILE."""
    found = []
    for argument in arguments:
        flag, value = re.fullmatch(r"(--?config=)?(.*)", argument, re.DOTALL).groups()
        if flag or found and found[-1] in ("-config", "--config"):
            argument = (flag or "") + paths.config_file(value)
        found.append(argument)
    return found


@contextlib.contextmanager
def _early_errors():
    """Ends the command with one line at an InputError before `main` runs."""
    try:
        yield
    except InputError as error:
        sys.exit(f"error: {error}")


def _renamed(argument):
    """A flag such as --config.initial=DIR of an earlier version by today's name."""
    match = re.fullmatch(r"(--?config\.)(\w+)(=.*)?", argument, re.DOTALL)
    return f"{match[1]}{RENAMED[match[2]]}{match[3] or ''}" if match and match[2] in RENAMED else argument


@contextlib.contextmanager
def setting_errors():
    """Ends the command with one line if a flag --config.NAME names a setting that does not exist."""
    try:
        yield
    except (AttributeError, KeyError) as error:  # raised by ml_collections
        if "ml_collections" not in traceback.extract_tb(error.__traceback__)[-1].filename:
            raise
        told = error.args[0].args[0] if isinstance(error.args[0], KeyError) else error.args[0]
        sys.exit(f"error: no such setting of --config: {' '.join(told.split())}")


def default_workdir(config_filename):
    """The default workdir of a config: `runs/kscale-quick` for `configs/kscale.py:quick`."""
    file, _, argument = config_filename.partition(":")
    return str(pathlib.Path("runs", "-".join(filter(None, [pathlib.Path(file).stem, argument]))))


def in_own_flags(text):
    """A message in which --config.data.NAME=VALUE is the command's own flag --NAME=VALUE, if it has that instead."""

    def own(match):
        has_config, has_own = ("config" in flags.FLAGS, match["name"] in flags.FLAGS)
        return f"--{match['name']}" if has_own and not has_config else match[0]

    return re.sub(r"--config\.data\.(?:folder\.)?(?P<name>\w+)(?==)", own, text)


def only_with(modes, names):
    """Refuses flags that say nothing beside the others.

    Args:
      modes: what they belong to, in words.
      names: of the flags.

    Raises:
      InputError: if one of them is given.
    """
    if given := [flags.FLAGS[name] for name in names if flags.FLAGS[name].present]:
        raise InputError(f"{given[0].serialize()}: only with {modes}")


def numbers(name, values):
    """The value of a flag --NAME with a list of numbers, as a tuple of floats; None if it is None.

    Raises:
      InputError: for anything else.
    """
    try:
        return None if values is None else tuple(float(value) for value in values)
    except ValueError:
        raise InputError(f"--{name}={','.join(values)}: expected numbers, such as 65.535 or 65.535,1e10") from None


def size(name, value):
    """The value of a flag --NAME such as 320x240: (width, height).

    Raises:
      InputError: for anything else.
    """
    if not (match := re.fullmatch(r"(\d{1,5})x(\d{1,5})", value)):
        raise InputError(f"--{name}={value}: expected WIDTHxHEIGHT, such as 320x240")
    return int(match[1]), int(match[2])


def define_intrinsics(what, default):
    """Defines the flags --fx, --fy, --cx and --cy of a camera.

    Args:
      what: the pictures whose pixels are meant, in words.
      default: in words.

    Returns:
      {name: flag}.
    """
    meanings = dict(
        fx="Focal length", fy="Vertical focal length", cx="Principal point's column", cy="Principal point's row"
    )
    return {
        name: flags.DEFINE_float(name, None, f"{meaning} in pixels of {what}; default: {default}.")
        for name, meaning in meanings.items()
    }


def intrinsics(defined):
    """The values of `define_intrinsics` as `camera.completed` takes them, None if there are none.

    Raises:
      InputError: without a focal length, or with one half of the principal point.
    """
    fx, fy, cx, cy = (defined[name].value for name in ("fx", "fy", "cx", "cy"))
    if fx is None and fy is None and cx is None and cy is None:
        return None
    if (fx is None and fy is None) or (cx is None) != (cy is None):
        raise InputError("--fx, --fy, --cx, --cy: expected a focal length, and both or none of --cx and --cy")
    focal = (fx if fx is not None else fy, fy if fy is not None else fx)
    return focal if cx is None else (*focal, cx, cy)


def step(value):
    """The value of a flag --step: an int, or "last" or "best".

    Raises:
      InputError: for anything else.
    """
    if value in ("last", "best"):
        return value
    try:
        return int(value)
    except ValueError:
        raise InputError(f"--step={value}: expected a number, last or best") from None
