"""HDF5 files of strangers."""

import tracemalloc
import zlib

import h5py
import numpy as np
import pytest

from jaxdepth.data.files import hdf5
from jaxdepth.errors import InputError

SIZE = 200_000


def external_link(file, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["secret"] = np.ones(3)
    file["a"] = h5py.ExternalLink(str(folder / "other.h5"), "secret")


def link_through_a_group(file, folder):
    external_link(file, folder)
    file["b"] = h5py.ExternalLink(str(folder / "other.h5"), "/")
    del file["a"]
    file["a"] = h5py.SoftLink("/b/secret")


def raw_file(file, folder):
    (folder / "secret").write_bytes(b"secret")
    file.create_dataset("a", (6,), np.uint8, external=str(folder / "secret"))


def virtual(file, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["secret"] = np.ones(3)
    layout = h5py.VirtualLayout((3,), float)
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "secret", (3,))
    file.create_virtual_dataset("a", layout)


def large_chunks(file, folder):
    file.create_dataset("a", (1 << 28,), np.uint8, chunks=(1 << 28,), compression="gzip")


def other_filter(file, folder):
    file.create_dataset("a", (10,), chunks=(10,), compression="lzf")


STORAGE = {
    external_link: "array 'a' is a link: expected it in the file itself",
    link_through_a_group: "array 'a' is a link: expected it in the file itself",
    raw_file: "array 'a' is kept in other files: expected it in the file itself",
    virtual: "array 'a' is kept in other files: expected it in the file itself",
    large_chunks: "array 'a' has chunks of 268,435,456 bytes: expected at most 134,217,728",
    other_filter: "array 'a' has filters .32000.: expected gzip, shuffle, fletcher32, each at most once",
}


@pytest.mark.parametrize("make, message", STORAGE.items(), ids=lambda x: getattr(x, "__name__", ""))
def test_arrays_outside_the_file_or_in_large_parts_are_refused(tmp_path, make, message):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        make(file, tmp_path)
    for other in (tmp_path / "other.h5", tmp_path / "secret"):
        other.unlink(missing_ok=True)  # refused before it is looked for
    with hdf5.open_file(path) as file, pytest.raises(InputError, match=f"a.h5: {message}"):
        hdf5.find(file, path, "a")
    with hdf5.open_file(path) as file:
        assert hdf5.has(file, "a") and not hdf5.has(file, "c") and hdf5.find(file, path, "c") is None


def test_a_folder_is_one_line(tmp_path):
    with pytest.raises(InputError, match="a folder: expected an HDF5"), hdf5.open_file(tmp_path):
        pass


@pytest.mark.parametrize("filters", [{}, {"compression": "gzip"}, {"compression": "gzip", "shuffle": True}])
def test_what_is_stored_in_the_file_is_read(tmp_path, filters):
    expected = np.random.default_rng(0).integers(0, 1 << 16, (5, SIZE), np.uint16)  # not to be packed
    expected[0] = 0
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("a", data=expected, chunks=(2, 70_000) if filters else None, **filters)
    with hdf5.open_file(tmp_path / "a.h5") as file:
        found = hdf5.find(file, "a.h5", "a")
        np.testing.assert_array_equal(hdf5.read(found, "a.h5", "a"), expected)
        np.testing.assert_array_equal(hdf5.read(found, "a.h5", "a", slice(3, 4)), expected[3:4])


def test_a_chunk_that_unpacks_to_more_than_its_size_is_not_unpacked(tmp_path):
    """HDF5 unpacks all of it, and hands over the beginning."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, data in (("bomb", zlib.compress(bytes(200_000_000), 9)), ("large", bytes(2 * SIZE))):
            bomb = file.create_dataset(name, (1, SIZE), np.uint8, chunks=(1, SIZE), compression="gzip")
            bomb.id.write_direct_chunk((0, 0), data)
    with hdf5.open_file(tmp_path / "a.h5") as file:
        tracemalloc.start()
        for name, message in (
            ("bomb", "unpacks to more than its 200,000 bytes"),
            ("large", "a chunk of 400,000"),
        ):
            with pytest.raises(InputError, match=f"a.h5: array '{name}' is damaged; .*{message}"):
                hdf5.read(hdf5.find(file, "a.h5", name), "a.h5", name)
        assert tracemalloc.get_traced_memory()[1] < 2e6
        tracemalloc.stop()
