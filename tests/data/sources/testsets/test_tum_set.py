"""TUM RGB-D as a test set: which pictures and depths are pairs, depths, and cameras."""

import itertools

import numpy as np
import pytest
from PIL import Image
from tiny_sets import tum_set

from jaxdepth.data.sources import testsets
from jaxdepth.data.sources.testsets import tum_rgbd
from jaxdepth.errors import InputError

FIRST = "rgbd_dataset_freiburg1_desk"


@pytest.fixture
def written(tmp_path):
    return tum_set.write(tmp_path)


def check(found, expected):
    """Every frame against an independent reading of its depth and what was written."""
    assert [example.name for example in found.examples] == list(expected)
    for example in found.examples:
        picture, depth, camera = expected[example.name]
        assert np.array_equal(found.read_image(example), picture)
        with Image.open(example.depth) as png:
            codes = np.asarray(png)
        read = found.read_depth(example)
        assert read.dtype == np.float32 and read.shape == example.size == (480, 640)
        np.testing.assert_allclose(read, depth, rtol=1e-6)
        np.testing.assert_allclose(read, codes / 5000, rtol=1e-6)
        assert np.array_equal(read == 0, codes == 0) and (codes == 0).any()
        assert example.camera == camera and example.scene == example.name.partition("/")[0]


def test_reads_the_pairs_of_every_sequence(tmp_path, written):
    found = testsets.KINDS["tum_rgbd"].find(tmp_path)
    check(found, written)
    assert found.notes == ("4 pictures left out: no depth within 0.02 s of their own",)


def test_reads_one_sequence(tmp_path, written):
    found = testsets.KINDS["tum_rgbd"].find(tmp_path / FIRST)
    check(found, {name: value for name, value in written.items() if name.startswith(FIRST)})


def brute_force(first, second):
    """All pairs in the order of their difference, as the authors' tool has it."""
    pairs, used = [], set()
    for _, a, b in sorted((abs(a - b), a, b) for a, b in itertools.product(first, second) if abs(a - b) < 0.02):
        if ("a", a) not in used and ("b", b) not in used:
            used |= {("a", a), ("b", b)}
            pairs.append((a, b))
    return sorted(pairs)


def test_pairs_are_one_to_one_and_the_closest_first():
    # 1.006 is nearest to 1.010, so that 1.000 gets .990, though 1.006 is nearer to it.
    assert tum_rgbd.associate([1.000, 1.010], [0.990, 1.006]) == [(1.000, 0.990), (1.010, 1.006)]
    assert tum_rgbd.associate([1.0, 2.0], [1.03, 1.99]) == [(2.0, 1.99)]
    assert tum_rgbd.associate([], [1.0]) == []


@pytest.mark.parametrize("seed", range(5))
def test_pairs_are_those_of_a_search_over_all(seed):
    rng = np.random.default_rng(seed)
    first, second = (list(1.3e9 + np.cumsum(rng.uniform(0, 0.04, n))) for n in (120, 100))
    pairs = tum_rgbd.associate(first, second)
    assert pairs == brute_force(first, second) and len(pairs) > 50


def test_a_sequence_of_another_name_has_no_camera(tmp_path, written):
    (tmp_path / FIRST).rename(tmp_path / "office")
    found = testsets.KINDS["tum_rgbd"].find(tmp_path / "office")
    assert [example.camera for example in found.examples] == [None, None]
    assert found.notes[0] == "office: no camera is known: expected a name with freiburg1, freiburg2 or freiburg3"


def change_list(name, text):
    return lambda folder: (folder / FIRST / name).write_text(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: [(folder / name / "depth.txt").unlink() for name in tum_set.CAMERAS],
         "no rgb.txt with depth.txt in it or in a folder of it: expected a sequence"),
        (change_list("rgb.txt", "1305031453.085 a.png b"), "rgb.txt, line 1: .*: expected TIME FILE"),
        (change_list("depth.txt", "# comment\nnow a.png"), "depth.txt: 'now' is not a time: expected TIME FILE"),
        (change_list("depth.txt", "nan a.png"), "depth.txt: 'nan' is not a time"),
        (change_list("rgb.txt", "1305031453.1 /a.png"), "rgb.txt: /a.png: expected a path inside"),
        (change_list("rgb.txt", "1305031453.1 ../a.png"), "rgb.txt: ../a.png: expected a path inside"),
        (change_list("rgb.txt", "1305031453.1 rgb/a.png"), r"no .*freiburg1_desk/rgb/a.png \(1 files are missing\)"),
        (lambda folder: (folder / FIRST / "depth" / "1305031453.100000.png").unlink(),
         r"no .*freiburg1_desk/depth/1305031453.100000.png \(1 files are missing\)"),
        (lambda folder: [(folder / name / "rgb.txt").write_text("1.0 rgb/a.png") for name in tum_set.CAMERAS],
         "no picture has a depth within 0.02 s"),
    ],
)  # fmt: skip
def test_another_layout_is_refused(tmp_path, written, change, message):
    change(tmp_path)
    with pytest.raises(InputError, match=message) as raised:
        testsets.KINDS["tum_rgbd"].find(tmp_path)
    assert "\n" not in str(raised.value)


def test_a_damaged_depth_names_its_file(tmp_path, written):
    found = testsets.KINDS["tum_rgbd"].find(tmp_path)
    example = found.examples[0]
    example.depth.write_bytes(example.depth.read_bytes()[: example.depth.stat().st_size // 2])
    with pytest.raises(InputError, match="depth/1305031453.100000.png"):
        found.read_depth(example)
