"""Pictures of every mode, upright and in colour."""

import os
import struct
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image
from PIL.PngImagePlugin import PngImageFile

from jaxdepth.data.files import pictures
from jaxdepth.errors import InputError


def test_pictures_of_every_mode_are_read_upright(tmp_path):
    grey = Image.new("L", (4, 2), 10)
    grey.putpixel((0, 0), 200)
    exif = Image.Exif()
    exif[0x0112] = 6  # the stored picture is turned by a quarter
    exif.get_ifd(0x8769)[0xA405] = 26
    grey.save(tmp_path / "turned.jpg", exif=exif, quality=100)
    picture = pictures.read(tmp_path / "turned.jpg")
    assert picture.pixels.shape == (4, 2, 3) and picture.focal_35mm == 26
    np.testing.assert_allclose(np.int64(picture.pixels[0, 1]), 200, atol=3)

    def back(picture, name):
        picture.save(tmp_path / name)
        return pictures.read(tmp_path / name).pixels

    levels = np.uint16([[0, 65535], [257 * 100, 257 * 7]])
    np.testing.assert_array_equal(back(Image.fromarray(levels), "deep.png")[..., 0], [[0, 255], [100, 7]])
    np.testing.assert_array_equal(
        back(Image.fromarray(np.int32([[0, 131072], [65536, 0]])), "i.tiff")[..., 1], [[0, 255], [128, 0]]
    )
    rgba = Image.new("RGBA", (2, 2), (10, 20, 30, 255))
    rgba.putpixel((1, 0), (10, 20, 30, 0))
    np.testing.assert_array_equal(back(rgba, "alpha.png"), [[[10, 20, 30], [255] * 3], [[10, 20, 30]] * 2])
    palette = Image.new("RGB", (2, 2), (200, 10, 10)).quantize()
    palette.info["transparency"] = bytes([255] * 4)
    np.testing.assert_array_equal(back(palette, "palette.png")[0, 0], [200, 10, 10])
    np.testing.assert_array_equal(back(Image.new("CMYK", (2, 2), (0, 0, 0, 0)), "cmyk.tiff"), np.full((2, 2, 3), 255))


def png_header(width, height, path):
    """A PNG of 16-bit grey levels that says how large it is, and holds nothing of it."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 1 << 20) + b"IDAT")
    return path


@pytest.mark.parametrize("size", [(13300, 13300), (80_000_000, 1), (2, 80_000_000)])
def test_too_large_a_picture_is_refused_before_it_is_decoded(tmp_path, size):
    path = png_header(*size, tmp_path / "a.png")
    with pytest.raises(
        InputError, match="^'.*a.png': a picture of too many pixels: expected at most 120 million, 65535"
    ):
        pictures.read(path)


def test_deep_levels_take_no_more_memory_than_colours():
    deep = Image.fromarray(np.arange(1 << 22, dtype=np.uint32).astype(np.uint16).reshape(2048, 2048))
    tracemalloc.start()
    try:
        pixels = pictures.from_pil(deep).pixels
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * pixels.nbytes
    assert pixels[31, 2047].tolist() == [255] * 3 and pixels[0, 257 * 7].tolist() == [7] * 3


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("a decoder"), RecursionError("deep"), AssertionError("x")]
)
def test_whatever_a_decoder_raises_is_one_line(tmp_path, monkeypatch, error):
    def load(_):
        raise error

    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    monkeypatch.setattr(PngImageFile, "load", load)
    with pytest.raises(InputError, match="^'.*a.png': a damaged picture") as raised:
        pictures.read(tmp_path / "a.png")
    assert "\n" not in str(raised.value)


def test_a_program_in_a_picture_is_not_run(tmp_path, monkeypatch):
    """Pillow would start Ghostscript for it."""
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("Ghostscript is started"))
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(/etc/passwd) (r) file\n%%EOF\n"
    (tmp_path / "a.png").write_bytes(program)
    with pytest.raises(InputError, match="a.png': not a picture that Pillow can read"):
        pictures.read(tmp_path / "a.png")


def test_what_is_not_a_picture_file_is_named(tmp_path):
    os.mkfifo(tmp_path / "a.png")  # reading it would never end
    Image.new("RGB", (64, 48)).save(tmp_path / "b.tiff")
    (tmp_path / "b.tiff").rename(tmp_path / "b.DNG")  # raw photos are TIFF files with a small preview
    for name, why in (("a.png", "not a file"), ("b.DNG", "a raw photo: expected one that is developed")):
        with pytest.raises(InputError, match=f"^'.*{name}': {why}"):
            pictures.read(tmp_path / name)


def turned(path):
    """A picture of 64x32 with a light corner, which is to be turned by a quarter, taken with 26 mm."""
    picture, exif = Image.new("RGB", (64, 32), (10, 10, 10)), Image.Exif()
    picture.paste((240, 240, 240), (0, 0, 16, 16))
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0xA405] = 26
    writer = picture if path.suffix == ".jpg" else sys.modules["pillow_heif"].from_pillow(picture)
    writer.save(path, exif=exif.tobytes(), quality=95)
    return path


def test_heic_is_turned_once_and_keeps_its_focal_length(tmp_path):
    pytest.importorskip("pillow_heif", reason="HEIC needs pillow-heif, the extra heif")
    assert b"irot" in turned(tmp_path / "a.heic").read_bytes()  # HEIC's own mark, which pillow-heif follows
    picture, jpeg = pictures.read(tmp_path / "a.heic"), pictures.read(turned(tmp_path / "a.jpg"))
    assert picture.focal_35mm == 26
    np.testing.assert_allclose(np.int64(picture.pixels), jpeg.pixels, atol=40)
    (tmp_path / "a.heic").rename(tmp_path / "b.jpg")  # as phones and messengers name them
    np.testing.assert_array_equal(pictures.read(tmp_path / "b.jpg").pixels, picture.pixels)


def test_heic_names_the_extra_that_it_needs(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.HEIC").write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf")
    with pytest.raises(
        InputError, match=r"a.HEIC': a HEIC picture, which needs the extra heif: pip install 'jaxdepth\[heif\]'"
    ):
        pictures.read(tmp_path / "a.HEIC")
