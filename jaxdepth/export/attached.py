"""The description of a program, in its own file: a ZIP archive at the end, which readers of the format ignore."""

import io
import json
import zipfile

NAME = "network.json"


def attach(program, description):
    """The bytes of a file: a program (bytes) and behind it the archive with its description (a dict)."""
    file = io.BytesIO(program)
    with zipfile.ZipFile(file, "a") as archive:
        # A fixed date: the same network gives the same file.
        archive.writestr(zipfile.ZipInfo(NAME, (1980, 1, 1, 0, 0, 0)), json.dumps(description, indent=2))
    return file.getvalue()


def read(path):
    """The description in a file that `attach` made; None if it is another file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(NAME))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None
