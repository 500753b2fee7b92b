"""Files that a stranger may send, and small files with damage anywhere: each is read, or refused in one line.

The long form: `pytest -m faults tests/test_hostile_files.py`.
"""

import copy
import json
import pathlib
import struct
import sys

import fake_nyu
import numpy as np
import pytest
import small
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from jaxdepth import config
from jaxdepth.data.files import arrays, depth_maps, pictures
from jaxdepth.data.sources import nyu
from jaxdepth.errors import InputError
from jaxdepth.runs import packed, record

DEPTH = np.linspace(0.5, 4, 48, dtype=np.float32).reshape(6, 8)
WEIGHTS = {"params/a/kernel": DEPTH.astype(np.float16), "params/a/bias": DEPTH[0]}
SHAPES = {"params": {"a": {"kernel": DEPTH, "bias": DEPTH[0]}}, "batch_stats": {}}
SETTINGS = config.load(small.CONFIGS / "kscale.py", "quick").to_dict()


def read_mat(path):
    nyu.frame_ids(path)
    nyu.full_depth(path, 0)


def read_record(path):
    run = record.read(path.parent)
    config.source_arguments(run.config)
    assert run.trained_on and run.frame_size and run.crop_size


READERS = {
    "a.npy": arrays.read_array,
    "depth.npy": depth_maps.read_depth,
    "depth.npz": depth_maps.read_depth,
    "depth.png": depth_maps.read_depth,
    "depth.tif": depth_maps.read_depth,
    "depth.pfm": depth_maps.read_depth,
    "picture.png": pictures.read,
    "picture.jpg": pictures.read,
    "a.mat": read_mat,
    "network.npz": lambda path: packed.read(path.parent, SHAPES),
    "config.json": read_record,
}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A folder with a small whole file for each reader."""
    folder = tmp_path_factory.mktemp("good")
    for name in ("a.npy", "depth.npy"):
        np.save(folder / name, DEPTH)
    np.savez(folder / "depth.npz", depth=DEPTH)
    millimetres = Image.fromarray(np.uint16(1000 * DEPTH))
    for name in ("depth.png", "depth.tif"):
        millimetres.save(folder / name)
    (folder / "depth.pfm").write_bytes(b"Pf\n8 6\n-1.0\n" + DEPTH.tobytes())
    for name in ("picture.png", "picture.jpg"):
        Image.fromarray(fake_nyu.frame(1, (12, 16))[0]).save(folder / name)
    fake_nyu.write_mat(folder / "a.mat", 1)
    np.savez(folder / "network.npz", **WEIGHTS, step=3)
    (folder / "config.json").write_text(json.dumps(record.RunRecord(SETTINGS).to_json()))
    for name, read in READERS.items():
        read(folder / name)
    return folder


damages = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),  # where in the file
        st.booleans(),  # near its beginning, where most headers are
        st.integers(0, 4),  # how many bytes are left out
        st.one_of(
            st.binary(max_size=6),
            st.sampled_from([struct.pack("<I", 2**31 - 1), b"\xff" * 8, struct.pack("<Q", 8 * 10**9), b"9999999999"]),
        ),
    ),
    min_size=1,
    max_size=4,
)


def damage(content, changes, cut):
    """The bytes of a file with changes, and cut off at a part of its length."""
    for where, early, removed, added in changes:
        at = int(where * min(len(content), 400 if early else len(content)))
        content = content[:at] + added + content[at + removed :]
    return content[: max(int(cut * len(content)), 0)]


def peak():
    """The most memory that the process had, in bytes; 0 where it is not known."""
    if not sys.platform.startswith("linux"):
        return 0
    import resource

    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def refused_or_read(name, path):
    try:
        READERS[name](path)
    except (InputError, OSError) as error:
        assert "\n" not in str(error) and name in str(error), error


def check_damage(good, folder, name, examples, **options):
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), **options)
    @given(damages, st.one_of(st.just(1.0), st.floats(0, 1)))
    def check(changes, cut):
        path = folder / name
        path.write_bytes(damage((good / name).read_bytes(), changes, cut))
        refused_or_read(name, path)

    before = peak()
    check()
    assert peak() - before < 1 << 29


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused_in_one_line(good, tmp_path, name):
    check_damage(good, tmp_path, name, 20, derandomize=True, database=None)


@pytest.mark.faults
@pytest.mark.parametrize("name", READERS)
def test_a_thousand_damaged_files_are_read_or_refused_in_one_line(good, tmp_path, name):
    check_damage(good, tmp_path, name, 1000)


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=9)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=2)),
    max_leaves=4,
)


def paths(tree, *before):
    """The keys to every value in nested dicts and lists."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield (*before, key)
        yield from paths(value, *before, key)


RECORD = json.loads(json.dumps(record.RunRecord(SETTINGS, intrinsics=None).to_json()))


def check_records(folder, examples, **options):
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), **options)
    @given(st.sampled_from(list(paths(RECORD))), values, st.booleans())
    def check(keys, value, gone):
        content = inner = copy.deepcopy(RECORD)
        for key in keys[:-1]:
            inner = inner[key]
        if gone:
            del inner[keys[-1]]
        else:
            inner[keys[-1]] = value
        (folder / "config.json").write_text(json.dumps(content))
        refused_or_read("config.json", folder / "config.json")

    check()


def test_a_record_with_any_other_value_is_read_or_refused_in_one_line(tmp_path):
    check_records(tmp_path, 30, derandomize=True, database=None)


@pytest.mark.faults
def test_three_thousand_records_with_other_values_are_read_or_refused_in_one_line(tmp_path):
    check_records(tmp_path, 3000)


@pytest.mark.faults
@pytest.mark.skipif(not pathlib.Path("/proc/self/clear_refs").exists(), reason="the peak of memory is Linux's")
def test_the_memory_of_hostile_files(capsys):
    """The table of docs/faults.md."""
    import hostile_files

    failed = hostile_files.main()
    table = capsys.readouterr().out
    assert not failed, table
    with capsys.disabled():
        print("\n" + "\n".join(line for line in table.splitlines() if line.startswith("|")))
