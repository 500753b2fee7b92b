"""Reading .npy files, whole and damaged."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from jaxdepth.data.files import arrays
from jaxdepth.errors import InputError


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=">f4").reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.float32(3),
        np.zeros((0, 3), np.uint8),
        np.array(["kitchen", "den"]),
        np.array([True, False]),
    ],
)
def test_arrays_are_read_as_they_were_written(tmp_path, array):
    (tmp_path / "a.npy").write_bytes(npy(array))
    for read in (arrays.read_array(tmp_path / "a.npy", shape=array.shape), arrays.map_array(tmp_path / "a.npy")):
        assert read.dtype == array.dtype
        np.testing.assert_array_equal(read, array)
    assert type(arrays.read_array(tmp_path / "a.npy")) is np.ndarray, "in memory"


GOOD = npy(np.ones((4, 5), np.float32))
BAD = {
    "empty": b"",
    "cut in its values": GOOD[:-1],
    "cut in its header": GOOD[:30],
    "more than its header says": GOOD + b"\0",
    "pickled": npy(np.array([{}], object), allow_pickle=True),
    "complex": npy(np.ones(3, complex)),
    "fields": npy(np.ones(3, [("a", "f4")])),
    "a web page": b"<html>",
    "an unclosed bracket": GOOD.replace(b"(4, 5)", b"((4,5 "),  # numpy's tokenizer has an exception of its own
    "negative": GOOD.replace(b"(4, 5), ", b"(-4, -5)"),
    "code": GOOD.replace(b"(4, 5), }" + b" " * 20, b"exit(), }" + b" " * 20),
    "80 GB": GOOD.replace(b"(4, 5), }" + b" " * 8, b"(20000000000,), }"),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_what_is_not_a_whole_array_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    assert content != GOOD
    tracemalloc.start()
    for read in (arrays.read_array, arrays.map_array):
        with pytest.raises(InputError, match="a.npy': not a whole .npy file") as raised:
            read(path)
        assert "\n" not in str(raised.value)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


def test_shape_values_and_size_are_checked(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(GOOD)
    with pytest.raises(InputError, match=r"a.npy': an array of shape \(4, 5\): expected \(5, 4\)"):
        arrays.read_array(path, shape=(5, 4))
    with pytest.raises(InputError, match="a.npy': an array of 80 bytes: expected at most 79"):
        arrays.read_array(path, max_bytes=79)
    arrays.read_array(path, finite=True)
    for bad in (np.array([1, np.nan]), np.array([np.inf]), np.array(["1"])):
        path.write_bytes(npy(bad))
        with pytest.raises(InputError, match="a.npy': values that are not finite numbers"):
            arrays.read_array(path, finite=True)
    with pytest.raises(FileNotFoundError, match="b.npy"):
        arrays.read_array(tmp_path / "b.npy")


def npz(path, members, *, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def test_an_archive_is_read_after_its_headers_were_checked(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.ones((200, 300), np.float16), **{"b/c": np.asfortranarray(np.eye(3))[1:]})
    headers = {}
    read = arrays.read_archive(tmp_path / "a.npz", headers.update)
    assert headers == {"a": ((200, 300), np.float16), "b/c": ((2, 3), np.float64)}
    np.testing.assert_array_equal(read["a"], np.ones((200, 300)))
    np.testing.assert_array_equal(read["b/c"], np.eye(3)[1:])
    assert read["a"].dtype == np.float16

    def refuse(headers):
        raise InputError("another network")

    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(whole.replace(np.ones(60_000, np.float16).tobytes(), bytes(120_000)))
    with pytest.raises(InputError, match="^another network$"):  # before the damaged values are read
        arrays.read_archive(tmp_path / "a.npz", refuse)
    with pytest.raises(InputError, match="a.npz': not a whole archive of arrays .*CRC"):
        arrays.read_archive(tmp_path / "a.npz", lambda headers: None)
    with pytest.raises(FileNotFoundError, match="b.npz"):
        arrays.read_archive(tmp_path / "b.npz", refuse)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compressed_archive_is_not_unpacked(tmp_path, compression):
    """Python unpacks all that a few kB of bzip2 or lzma hold, at the first byte that is read."""
    path = npz(tmp_path / "a.npz", [("a.npy", npy(np.zeros(10_000_000, np.uint8)))], compression=compression)
    assert path.stat().st_size < 20_000
    tracemalloc.start()
    with pytest.raises(InputError, match="a.npz': not a whole archive of arrays .array 'a' is compressed"):
        arrays.read_archive(path, lambda headers: None)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def test_archives_that_say_too_much_are_refused(tmp_path):
    twice = npz(tmp_path / "twice.npz", [("a.npy", GOOD), ("a", GOOD)])
    with pytest.raises(InputError, match="two arrays of one name"):
        arrays.read_archive(twice, lambda headers: None)
    path = npz(tmp_path / "larger.npz", [("a.npy", GOOD)])
    size, content = len(GOOD).to_bytes(4, "little"), path.read_bytes()
    directory = content.index(b"PK\x01\x02")
    said = content[directory:].replace(size, (1 << 31).to_bytes(4, "little"))
    path.write_bytes(content[:directory] + said)
    with pytest.raises(InputError, match="2,147,483,648 bytes of arrays in a file of"):
        arrays.read_archive(path, lambda headers: None)
