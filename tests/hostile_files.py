"""Files that a stranger may send: `python tests/hostile_files.py` reads each and prints the table of docs/faults.md.

Memory is the peak of the process while the file is read, less what it had before (Linux: VmHWM and VmRSS).
"""

import json
import pathlib
import re
import struct
import sys
import tempfile
import zlib

import h5py
import numpy as np

if __name__ == "__main__":
    sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1])]

import fake_nyu  # noqa: E402
import small  # noqa: E402
import tensorflow as tf  # noqa: E402
from array_record.python.array_record_module import ArrayRecordWriter  # noqa: E402
from PIL import Image  # noqa: E402

import jaxdepth  # noqa: E402
from jaxdepth.data.files import arrays  # noqa: E402
from jaxdepth.data.sources import nyu, tfds_builder  # noqa: E402
from jaxdepth.data.sources.tfds import open_tfds  # noqa: E402
from jaxdepth.errors import InputError  # noqa: E402
from jaxdepth.runs import packed, trained  # noqa: E402

_MB = 1 << 20


def zeros_packed(count, *, start=b""):
    """A raw deflate stream of `start` and `count` x 16 MB of zeros, without making them all."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    begin = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(16 * _MB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return begin + block * count + packer.flush()


def header(shape):
    """The beginning of a float32 .npy file."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def zip_of(name, data, *, size, method=0, crc=0):
    """A .zip file of one member, packed by `method`, that says it has `size` bytes."""
    facts = struct.pack("<HHHHHIIIHH", 20, 0, method, 0, 0, crc, len(data), size, len(name), 0)
    local = b"PK\3\4" + facts + name.encode() + data
    central = b"PK\1\2" + struct.pack("<H", 20) + facts + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name.encode()
    return local + central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)


def network(folder, run, *, weights=None, **settings):
    """A packed network with other weights or settings; its folder."""
    trained.pack(run, folder)
    if weights:
        (folder / packed.FILE).write_bytes(weights)
    content = json.loads((folder / "config.json").read_text())
    for name, value in settings.items():
        group, _, setting = name.partition("_")
        content["config"][group][setting] = value
    (folder / "config.json").write_text(json.dumps(content))
    return folder


def mat(path, change):
    """A .mat file of two frames that `change` was made to."""
    with h5py.File(fake_nyu.write_mat(path, 2), "r+") as file:
        change(file)
    return path


def anew(file, name, *args, **options):
    """Another array of a name, or one more."""
    file.pop(name, None)
    return file.create_dataset(name, *args, **options)


def refer(file, dataset):
    """Makes `dataset` the name of both scenes."""
    anew(file, "scenes", data=np.array([[dataset.ref, dataset.ref]], h5py.ref_dtype))


def bomb(file):
    """Depths whose first chunk unpacks to 1.2 GB."""
    for name, shape, dtype in (("images", (3, 640, 480), "u1"), ("depths", (640, 480), "f4")):
        array = anew(file, name, (2, *shape), dtype, chunks=(1, *shape), compression="gzip")
    array.id.write_direct_chunk((0, 0, 0), b"\x78\xda" + zeros_packed(70) + bytes(4))


def external(file, folder):
    """Pictures that are the bytes of another file."""
    (folder / "secret").write_bytes(bytes(2 * 3 * 640 * 480))
    anew(file, "images", (2, 3, 640, 480), np.uint8, external=str(folder / "secret"))


def tfds(folder, mat_file, *, name="depth", content=b"", change=lambda features: None):
    """A TFDS folder whose only record has another feature."""
    folder = tfds_builder.prepare(mat_file, folder)
    zeros = zlib.compress(bytes(4 * 480 * 640))
    features = {key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[zeros])) for key in ("depth", "image")}
    features["id"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[1]))
    features[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[content]))
    (shard,) = folder.glob("*.array_record*")
    writer = ArrayRecordWriter(str(shard), "group_size:1")
    writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    writer.close()
    (folder / "dataset_info.json").write_text(
        re.sub(r'"shardLengths": \[[^]]*\]', '"shardLengths": ["1"]', (folder / "dataset_info.json").read_text())
    )
    content = json.loads((folder / "features.json").read_text())
    change(content["featuresDict"]["features"])
    (folder / "features.json").write_text(json.dumps(content))
    return folder


def picture(folder, size):
    """The bytes of a black PNG."""
    Image.new("RGB", size).save(folder / "black.png")
    return (folder / "black.png").read_bytes()


def cases(folder):
    """(what, its declared size, path, function of the path) of each file."""
    run = small.random_run(folder / "run")
    many = {"k": 3, "blocks": [20000] * 3}
    gb4 = 255 * 16 * _MB
    (folder / "mean_depth.npy").write_bytes(header((8_000_000_000,)) + bytes(1000))
    yield "`mean_depth.npy` of shape (8e9,)", "32 GB", folder / "mean_depth.npy", arrays.read_array
    for what, weights in {
        "packed": zip_of("step.npy", zeros_packed(255, start=header((gb4 // 4,))), size=gb4 + 128, method=8),
        "of shape (8e9,)": zip_of(
            "step.npy", header((8_000_000_000,)), size=128, crc=zlib.crc32(header((8_000_000_000,)))
        ),
    }.items():
        yield (
            f"`network.npz` {what}",
            "4 GB" if what == "packed" else "32 GB",
            network(folder / what, run, weights=weights),
            jaxdepth.load,
        )
    yield (
        "`config.json`, frames of 45000 x 45000",
        "24 GB",
        network(folder / "f", run, data_frame_size=[45000] * 2, data_crop_size=[45000] * 2),
        jaxdepth.load,
    )
    yield (
        "`config.json`, 20000 blocks",
        "",
        network(folder / "b", run, **{f"model_{n}": v for n, v in many.items()}),
        jaxdepth.load,
    )

    def open_mat(path):
        nyu.open_nyu(path, cache_dir=folder / "cache")

    changes = {
        "`.mat`, `frame_ids` (2e9, 1)": (
            "16 GB",
            lambda f: anew(f, "frame_ids", (2_000_000_000, 1), "f8", chunks=(1000, 1)),
        ),
        "`.mat`, 1e9 scenes": ("8 GB", lambda f: anew(f, "scenes", (1, 10**9), h5py.ref_dtype, chunks=(1, 1000))),
        "`.mat`, a scene of 4e8 letters": (
            "800 MB",
            lambda f: refer(f, anew(f, "a", (4 * 10**8, 1), "u2", chunks=(1000, 1))),
        ),
        "`.mat`, one chunk of all frames": (
            "1.3 GB",
            lambda f: anew(f, "images", (1449, 3, 640, 480), "u1", chunks=(1449, 3, 640, 480), compression="gzip"),
        ),
        "`.mat`, a chunk that unpacks to more": ("1.2 GB", bomb),
        "`.mat`, pictures in another file": ("1.8 MB", lambda f: external(f, folder)),
    }
    for number, (what, (declared, change)) in enumerate(changes.items()):
        yield what, declared, mat(folder / f"{number}.mat", change), open_mat

    def read_tfds(path):
        open_tfds(path).images[0]

    good = fake_nyu.write_mat(folder / "good.mat", 2, ids=[3, 5])
    other = lambda features: features.update(x={"pythonClassName": "stranger.Feature"})  # noqa: E731
    yield "TFDS, a class of its own", "", tfds(folder / "t1", good, change=other), read_tfds
    packed_tensor = b"\x78\xda" + zeros_packed(190) + bytes(4)
    yield "TFDS, a packed tensor", "3 GB", tfds(folder / "t2", good, content=packed_tensor), read_tfds
    large = picture(folder, (13000, 13000))
    yield (
        "TFDS, a picture of 13000 x 13000",
        "507 MB",
        tfds(folder / "t3", good, name="image", content=large),
        read_tfds,
    )
    yield (
        "TFDS, a record of 100 MB",
        "100 MB",
        tfds(folder / "t4", good, name="x", content=bytes(100_000_000)),
        read_tfds,
    )


def memory(name):
    """VmHWM or VmRSS of this process in bytes."""
    return 1024 * int(re.search(rf"{name}:\s+(\d+)", pathlib.Path("/proc/self/status").read_text())[1])


def measure(path, read):
    """What was answered, and the peak of memory while it was."""
    before = memory("VmRSS")
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    try:
        read(path)
        answer = "read"
    except InputError as error:
        answer = str(error)
    return answer, max(memory("VmHWM") - before, 0)


def main():
    """Prints the table; exits with 1 if a file was read, or took more than 500 MB."""
    failed, lines = 0, ["| file | size | declared | memory | answer |", "|---|---:|---:|---:|---|"]
    with tempfile.TemporaryDirectory() as folder:
        open_tfds(
            tfds_builder.prepare(fake_nyu.write_mat(pathlib.Path(folder, "warm.mat"), 1, ids=[3]), folder)
        ).images[0]
        for what, declared, path, read in cases(pathlib.Path(folder)):
            size = sum(file.stat().st_size for file in ([path] if path.is_file() else path.iterdir()))
            answer, peak = measure(path, read)
            failed |= answer == "read" or peak > 500 * _MB
            answer = answer.replace(str(path), "FILE").replace(f"{folder}/", "")
            lines.append(f"| {what} | {size / 1e6:.1f} MB | {declared} | {peak / 1e6:.0f} MB | {answer} |")
    print("\n".join(lines))
    return failed


if __name__ == "__main__":
    sys.exit(main())
