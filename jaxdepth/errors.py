"""Errors that answer the user's input. Commands print these in one line; any other exception is a defect."""


class InputError(ValueError):
    """A setting, a file or an argument is not as it has to be."""


class DivergedError(InputError, FloatingPointError):
    """The training loss is not finite."""
