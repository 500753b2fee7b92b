"""The contact sheet of the built-in rooms."""

import numpy as np
import pytest
from PIL import Image

from jaxdepth import rooms
from jaxdepth.errors import InputError
from jaxdepth.prepare.contact_sheet import contact_sheet

SIZE = (4, 6)


@pytest.fixture(autouse=True)
def numbered_rooms(monkeypatch):
    """Room i is grey level 10 i."""

    def frames(seed, start, count, *, size, sensor=False):
        levels = 10 * np.arange(start, start + count, dtype=np.uint8)
        return {"image": np.broadcast_to(levels[:, None, None, None], (count, *size, 3))}

    monkeypatch.setattr(rooms, "frames", frames)


def test_rooms_are_in_order_row_by_row(tmp_path):
    contact_sheet(tmp_path / "rooms.png", rows=2, columns=3, size=SIZE)
    with Image.open(tmp_path / "rooms.png") as file:
        sheet = np.asarray(file)
    assert sheet.shape == (8, 18, 3)
    for i in range(6):
        row, column = divmod(i, 3)
        assert (sheet[4 * row : 4 * row + 4, 6 * column : 6 * column + 6] == 10 * i).all()
    assert [path.name for path in tmp_path.iterdir()] == ["rooms.png"]
    contact_sheet(tmp_path / "rooms.png", rows=2, columns=3, size=SIZE)  # its own may be replaced


def test_the_extension_says_the_format(tmp_path):
    contact_sheet(tmp_path / "rooms.JPG", rows=1, columns=2, size=SIZE)
    with Image.open(tmp_path / "rooms.JPG") as file:
        assert file.format == "JPEG"
    for name in ("rooms", "rooms.txt"):
        with pytest.raises(InputError, match=f"output '.*{name}': expected a picture such as contact_sheet.png"):
            contact_sheet(tmp_path / name)


def test_a_missing_folder_is_an_os_error_that_names_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere/rooms.png"):
        contact_sheet(tmp_path / "nowhere/rooms.png", rows=1, columns=1, size=SIZE)
