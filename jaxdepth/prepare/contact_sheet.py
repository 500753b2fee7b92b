"""Shows the built-in rooms in one picture."""

import io
import pathlib

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from jaxdepth import rooms
from jaxdepth.data.files.writing import PNG_TEXT, check_output, write_atomically
from jaxdepth.errors import InputError


def contact_sheet(path, *, seed=0, rows=3, columns=4, size=(240, 320)):
    """Writes the first rooms of a seed as one picture, row by row.

    Args:
      path: the file, in an existing folder; its extension says the format.
      seed: of the rooms.
      rows: number of rows.
      columns: rooms in a row.
      size: (h, w) of each room.

    Raises:
      InputError: if Pillow writes no format of this extension.
      OSError: if the file cannot be written, or is there and no result of ours.
    """
    suffix = pathlib.Path(path).suffix.lower()
    if Image.registered_extensions().get(suffix) not in Image.SAVE:
        raise InputError(f"output {str(path)!r}: expected a picture such as contact_sheet.png")
    check_output(path)
    pictures = rooms.frames(seed, 0, count=rows * columns, size=size)["image"]
    sheet = pictures.reshape(rows, columns, *size, 3).swapaxes(1, 2).reshape(rows * size[0], columns * size[1], 3)
    encoded, text = io.BytesIO(), PngInfo()
    for key, value in PNG_TEXT.items():
        text.add_text(key, value)
    Image.fromarray(sheet).save(encoded, Image.registered_extensions()[suffix], pnginfo=text)
    write_atomically(path, encoded.getvalue())
