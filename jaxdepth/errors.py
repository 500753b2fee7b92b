"""Errors that answer the user's input. Commands print these in one line; any other exception is a defect."""

import sys
import traceback


class InputError(ValueError):
    """A setting, a file or an argument is not as it has to be."""


class DivergedError(InputError, FloatingPointError):
    """Loss, gradients, updates or validation scores of a training are not finite."""


def tell(error, message=None) -> int:
    """Prints an error: what answers the user's input (InputError, OSError) in one line, a defect with its traceback.

    Args:
      error: the exception.
      message: other words than its own for the line.

    Returns:
      The exit code of the command.
    """
    if isinstance(error, InputError | OSError):
        print(f"error: {message or error}", file=sys.stderr, flush=True)
    else:
        traceback.print_exception(error)
    return 1
