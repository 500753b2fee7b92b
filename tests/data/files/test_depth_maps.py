"""Depth maps read from every kind of file; damaged depth and picture files."""

import io
import os
import sys
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from jaxdepth.data.files import depth_maps, pictures
from jaxdepth.data.files.depth_maps import read_depth
from jaxdepth.errors import InputError

UNITS = (1000 + 7 * np.arange(20)[:, None] + np.arange(30)).astype(np.uint16)  # differs along both axes
METRES = UNITS / 1000


def write_pfm(path, depth, *, order="<", kind=b"Pf"):
    header = b"%s\n%d %d\n%s\n" % (kind, *depth.shape[::-1], b"-1.0" if order == "<" else b"1.0")
    path.write_bytes(header + depth[::-1].astype(f"{order}f4").tobytes())


def write_npz(path, **arrays):
    np.savez_compressed(path, **arrays)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.png", lambda path: Image.fromarray(UNITS).save(path)),
        ("a.tif", lambda path: Image.fromarray(UNITS).save(path)),
        ("float.tiff", lambda path: Image.fromarray(METRES.astype(np.float32)).save(path)),
        ("a.npy", lambda path: np.save(path, METRES.astype(np.float32))),
        ("a.NPY", lambda path: path.write_bytes(npy_bytes(UNITS))),
        ("double.npy", lambda path: np.save(path, METRES)),
        ("fortran.npy", lambda path: np.save(path, np.asfortranarray(METRES))),
        ("int.npy", lambda path: np.save(path, UNITS.astype(np.int32))),
        ("channel.npy", lambda path: np.save(path, UNITS[..., None])),
        ("first.npy", lambda path: np.save(path, METRES[None])),
        ("a.npz", lambda path: write_npz(path, anything=METRES)),
        ("named.npz", lambda path: write_npz(path, mask=UNITS > 0, depth=METRES, more=UNITS)),
        ("little.pfm", lambda path: write_pfm(path, METRES)),
        ("big.pfm", lambda path: write_pfm(path, METRES, order=">")),
    ],
)
def test_every_kind_is_read_in_metres_with_rows_from_the_top(tmp_path, name, write):
    write(tmp_path / name)
    depth, scale = read_depth(tmp_path / name)
    np.testing.assert_allclose(depth, METRES, rtol=1e-6)
    assert depth.dtype == np.float32 and depth.shape == (20, 30)
    integers = name in ("a.png", "a.tif", "a.NPY", "int.npy", "channel.npy")
    assert scale == (1e-3 if integers else 1.0)
    doubled, scale = read_depth(tmp_path / name, scale=0.002)
    np.testing.assert_allclose(doubled, (UNITS if integers else METRES) * 0.002, rtol=1e-6)
    assert scale == 0.002


def npy_bytes(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_scaling_rounds_once(tmp_path):
    units = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(units).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_depth(tmp_path / "a.png")[0], np.float32(units.astype(np.float64) * 0.001))


def test_invalid_values_are_kept(tmp_path):
    values = np.array([[np.nan, np.inf, -np.inf], [-1.0, 0.0, 1e300]])
    np.save(tmp_path / "a.npy", values)
    np.testing.assert_array_equal(read_depth(tmp_path / "a.npy")[0], [[np.nan, np.inf, -np.inf], [-1, 0, np.inf]])


def test_eight_bits_need_a_scale(tmp_path):
    codes = np.full((20, 30), 128, np.uint8)
    Image.fromarray(codes).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", codes)
    np.savez(tmp_path / "c.npz", codes)
    for name in ("a.png", "b.npy", "c.npz"):
        with pytest.raises(InputError, match=rf"{name}': 8-bit values: expected 16 bits.*depth_scale=METRES"):
            read_depth(tmp_path / name)
        assert (read_depth(tmp_path / name, scale=0.03)[0] == np.float32(3.84)).all()


@pytest.mark.parametrize("scale", [0, -1.0, np.nan, np.inf])
def test_scale_out_of_range(tmp_path, scale):
    with pytest.raises(InputError, match="folder.depth_scale=.*: expected metres per unit, finite and above 0"):
        read_depth(tmp_path / "a.npy", scale=scale)


def open_exr():
    """Imports OpenEXR; skips the test if it is not installed."""
    return pytest.importorskip("OpenEXR", reason="OpenEXR is not installed: pip install 'jaxdepth[exr]'")


@pytest.mark.parametrize("channels", [("Z",), ("Y",), ("R", "G", "B", "View.Depth.Z")])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_exr(tmp_path, channels, dtype):
    exr, depth = open_exr(), METRES.astype(dtype)
    arrays = {name: depth if name == channels[-1] else depth * 0 for name in channels}
    with exr.File({"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}, arrays) as file:
        file.write(str(tmp_path / "a.exr"))
    read, scale = read_depth(tmp_path / "a.exr")
    np.testing.assert_array_equal(read, depth.astype(np.float32))
    assert scale == 1.0


def test_broken_exr(tmp_path):
    exr = open_exr()
    with exr.File({}, {name: METRES.astype(np.float32) for name in "RGB"}) as file:
        file.write(str(tmp_path / "colours.exr"))
    data = (tmp_path / "colours.exr").read_bytes()
    (tmp_path / "cut.exr").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.exr").write_text("no picture")
    for name, message in (("colours", "channels: .*; expected one"), ("cut", "cut.exr"), ("text", "text.exr")):
        with pytest.raises(
            InputError, match=f"not a valid .exr with depth.*{message}|{message}.*not a valid"
        ) as raised:
            read_depth(tmp_path / f"{name}.exr")
        assert "\n" not in str(raised.value)


def test_exr_without_its_package_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    (tmp_path / "a.exr").write_bytes(b"v/1\x01")
    with pytest.raises(InputError, match=r"a.exr': .exr needs the extra exr: pip install 'jaxdepth\[exr\]'"):
        read_depth(tmp_path / "a.exr")


def npz_bomb(path, method=zipfile.ZIP_STORED):
    """A valid archive of a few bytes whose array's header claims 10^12 pixels."""
    header = io.BytesIO()
    description = {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6)}
    np.lib.format.write_array_header_1_0(header, description)
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("depth.npy", header.getvalue())


def sparse_npy(path, shape):
    """A .npy whose values take no space on the disk."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    path.write_bytes(header.getvalue())
    os.truncate(path, len(header.getvalue()) + int(np.prod(shape)))


def long_header(path):
    """An archive of 60 kB whose array has a header of 60 MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("depth.npy", b"\x93NUMPY\x02\x00" + (60_000_000).to_bytes(4, "little") + b" " * 60_000_000)


def flipped(path):
    write_npz(path, depth=np.random.default_rng(0).random((50, 50)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def cut(path, write):
    write(path)
    path.write_bytes(path.read_bytes()[:-100])


def bomb(path, side=30000):
    """A PNG of a kilobyte with side x side pixels."""

    def chunk(kind, data):
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    header = chunk(b"IHDR", side.to_bytes(4) * 2 + bytes([16, 0, 0, 0, 0]))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))


BAD_FILES = {
    "empty.png": (lambda p: p.write_bytes(b""), "an empty file: expected depth"),
    "empty.npy": (lambda p: p.write_bytes(b""), "an empty file: expected depth"),
    "text.png": (lambda p: p.write_text("<html>404"), "not a picture that Pillow can read"),
    "text.npy": (lambda p: p.write_text("<html>404"), "not a whole .npy file"),
    "text.npz": (lambda p: p.write_text("<html>404"), "not a valid .npz file"),
    "text.pfm": (lambda p: p.write_text("<html>404"), "not a valid greyscale .pfm"),
    "text.pfm2": (lambda p: p.write_text("<html>404"), "expected depth as one of .png, .tif"),
    "cut.png": (lambda p: cut(p, lambda q: Image.fromarray(UNITS).save(q)), "not a picture that Pillow can read"),
    "cut.npy": (lambda p: cut(p, lambda q: np.save(q, METRES)), "not a whole .npy file"),
    "cut.npz": (lambda p: cut(p, lambda q: write_npz(q, depth=METRES)), "not a valid .npz file"),
    "cut.pfm": (lambda p: cut(p, lambda q: write_pfm(q, METRES)), "2300 bytes of data; expected 4 bytes .* of 20x30"),
    "flipped.npz": (flipped, "not a valid .npz file"),
    "bomb.png": (bomb, "a picture of too many pixels"),
    "large.png": (lambda p: bomb(p, 10001), "10001x10001 pixels: expected at most 100000000"),
    "large.pfm": (lambda p: p.write_bytes(b"Pf\n10001 10001\n-1\n"), "10001x10001 values: expected at most 100000000"),
    "large.npy": (lambda p: sparse_npy(p, (10001, 10001)), "10001x10001 values: expected at most 100000000"),
    "header.npz": (long_header, "not a valid .npz file"),
    "text_values.npz": (lambda p: write_npz(p, depth=np.full((2, 2), "x" * 9)), "an array of <U9: expected integers"),
    "bzip2.npz": (lambda p: npz_bomb(p, zipfile.ZIP_BZIP2), "depth.npy: expected it plain or deflated"),
    "bomb.npz": (npz_bomb, "not a valid .npz file .1000000x1000000 values: expected at most"),
    "colours.pfm": (lambda p: write_pfm(p, METRES, kind=b"PF"), "valid greyscale .pfm .Pf. .header begins with b'PF'"),
    "colours.png": (
        lambda p: Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(p),
        "a picture of mode RGB: expected one channel of 16 bits",
    ),
    "channels.npy": (
        lambda p: np.save(p, np.zeros((20, 30, 3))),
        r"an array of shape \(20, 30, 3\): expected \[H, W\]",
    ),
    "row.npy": (lambda p: np.save(p, np.zeros(30)), r"an array of shape \(30,\): expected \[H, W\]"),
    "mask.npy": (lambda p: np.save(p, METRES > 1), "an array of bool: expected integers or floating-point"),
    "complex.npy": (lambda p: np.save(p, METRES * 1j), "complex128: expected numbers"),
    "objects.npy": (lambda p: np.save(p, np.array([{}], object), allow_pickle=True), "not a whole .npy file"),
    "two.npz": (lambda p: write_npz(p, a=METRES, b=METRES), "arrays: a, b; expected one array, or one named depth"),
    "none.npz": (lambda p: write_npz(p), "arrays: none; expected one array"),
    "archive.npy": (lambda p: p.write_bytes(b"PK\x05\x06" + bytes(18)), "not a whole .npy file"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_depth_file_is_a_one_line_error_with_its_path(tmp_path, name):
    write, message = BAD_FILES[name]
    write(tmp_path / name)
    with pytest.raises(InputError, match=message) as raised:
        read_depth(tmp_path / name)
    assert str(tmp_path / name) in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.pfm", "a.png", "a.tif"])
def test_any_changed_byte_is_read_or_a_one_line_error(tmp_path, name):
    """Also those that make numpy's parser, zlib or Pillow raise something of their own."""
    path, rng = tmp_path / name, np.random.default_rng(0)
    write = {".npy": np.save, ".pfm": write_pfm, ".npz": lambda p, x: write_npz(p, depth=x)}
    write.get(path.suffix, lambda p, x: Image.fromarray(np.uint16(1000 * x)).save(p))(path, METRES)
    data, refused = path.read_bytes(), 0
    head = range(min(128, len(data)))  # .npy's header
    for place in (*head, *head, *rng.integers(0, len(data), 100)):
        changed = bytearray(data)
        changed[place] ^= int(rng.integers(1, 256))
        path.write_bytes(changed)
        try:
            assert read_depth(path)[0].dtype == np.float32
        except InputError as error:
            refused += 1
            assert str(path) in str(error) and "\n" not in str(error)
    assert refused > 20


def test_whatever_a_reader_raises_names_the_file(tmp_path, monkeypatch):
    def out_of_memory(_):
        raise MemoryError

    np.save(tmp_path / "a.npy", METRES)
    monkeypatch.setitem(depth_maps._READERS, ".npy", (out_of_memory, ".npy file"))
    with pytest.raises(InputError, match=r"a.npy': not a valid .npy file \(MemoryError\)"):
        read_depth(tmp_path / "a.npy")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.npy"):
        read_depth(tmp_path / "nowhere.npy")


def damaged_chunk(path):
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(path)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"IDAT", b"I\x00AT"))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda p: p.write_bytes(b""), "an empty file: expected a picture"),
        (lambda p: p.write_text("no picture"), "not a picture that Pillow can read"),
        (lambda p: Image.new("F", (9, 9)).save(p, "TIFF"), "a picture of mode F: expected channels of 8 or 16 bits"),
        (lambda p: cut(p, lambda q: Image.effect_noise((99, 99), 50).save(q)), "not a picture that Pillow can read"),
        (bomb, "a picture of too many pixels"),
        (damaged_chunk, "picture"),
    ],
    ids=["empty", "text", "floats", "cut", "bomb", "chunk"],
)
def test_a_bad_picture_file_is_a_one_line_error_with_its_path(tmp_path, write, message):
    path = tmp_path / "a.png"
    write(path)
    with pytest.raises(InputError, match=message) as raised:
        pictures.read(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)
