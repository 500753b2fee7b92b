"""Pictures of every mode, upright and in colour."""

import numpy as np
from PIL import Image

from jaxdepth.data.files import pictures


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
