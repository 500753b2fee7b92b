"""What the commands share: where a run lives by default, kept compilations, and errors that fit on one line."""

import contextlib
import os
import pathlib
import sys
import traceback

from absl import app, logging

_HERE = pathlib.Path(__file__).resolve().parent


def run(main):
    """`absl.app.run`, with an error that this package raises, or the system, in one line and exit code 1.

    Any other exception keeps its traceback: it is a defect and not an answer to the input.
    """

    def reporting(argv):
        try:
            return main(argv)
        except (ValueError, OSError, FloatingPointError) as error:
            raised_in = pathlib.Path(traceback.extract_tb(error.__traceback__)[-1].filename).resolve()
            answers = isinstance(error, OSError) and error.errno is not None  # no such folder, no space, not allowed
            if not answers and _HERE not in raised_in.parents:
                raise
            print(f"error: {error}", file=sys.stderr)
            return 1

    # jax reads these when it is imported. A second start then compiles nothing anew.
    cache = pathlib.Path(os.environ.get("JAXDEPTH_CACHE") or "~/.cache/jaxdepth").expanduser()
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache / "compiled"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
    # Orbax tells of every file that it writes and every checkpoint without a score, jax of devices that are not there.
    logging.get_absl_handler().python_handler.addFilter(
        lambda record: (
            record.levelno >= logging.converter.STANDARD_ERROR
            or not any(name in record.pathname for name in ("orbax", "xla_bridge"))
        )
    )
    app.run(reporting, flags_parser=_parse_flags)


def _parse_flags(argv):
    with setting_errors():
        return app.parse_flags_with_usage(argv)


@contextlib.contextmanager
def setting_errors():
    """Around what reads `--config.NAME` from the command line: a setting that is not there is told in one line."""
    try:
        yield
    except (AttributeError, KeyError) as error:  # what ml_collections raises for it
        if "ml_collections" not in traceback.extract_tb(error.__traceback__)[-1].filename:
            raise
        told = error.args[0].args[0] if isinstance(error.args[0], KeyError) else error.args[0]
        sys.exit(f"error: no such setting of --config: {' '.join(told.split())}")


def default_workdir(config_filename):
    """`runs/kscale` for `configs/kscale.py`, `runs/kscale-quick` for `configs/kscale.py:quick`.

    Raises FileNotFoundError where the file is not there: the flag's own answer to that is a traceback.
    """
    file, _, argument = config_filename.partition(":")
    if not pathlib.Path(file).is_file():
        raise FileNotFoundError(f"--config={config_filename}: no such file: expected a path such as configs/kscale.py")
    return str(pathlib.Path("runs", "-".join(filter(None, [pathlib.Path(file).stem, argument]))))
