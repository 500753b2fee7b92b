"""Paired differences of results, by hand, and what is refused."""

import json

import numpy as np
import pytest
import small

from jaxdepth import evaluate
from jaxdepth.errors import InputError
from jaxdepth.evaluation import comparison, protocols

RESULTS = small.ROOT / "configs" / "results"


def write(path, *, group=(0, 0, 1, 2, 3, 4), ids=(3, 4, 8, 10, 12, 14), protocol=(), drop=(), **values):
    """A result of six frames in five scenes, as a file."""
    described = dict(name="full", source="nyu", split_hash="ab", truth="filled depth", scored_at=[480, 640])
    described |= dict(resize="bilinear depth, averaged where it shrinks")
    described |= dict(rows=[0, 480], columns=[0, 640], max_depth=10.0, pooling=protocols.POOLINGS["images"])
    per_frame = dict(id=list(ids), name=[f"{i:04d}" for i in ids], order=list(ids), group=list(group))
    per_frame |= {"delta1": [0.5] * 6, "pixels": [9.0] * 6} | values
    per_frame = {name: x for name, x in per_frame.items() if name not in drop}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"protocol": described | dict(protocol), "metrics": {}, "per_frame": per_frame}))
    return path


def test_differences_are_paired_and_drawn_by_scene(tmp_path):
    """Frames without a value in either result are left out."""
    first = write(tmp_path / "a.json", delta1=[0.5, 0.6, 0.7, 0.8, 0.9, 0.4], abs_rel=[0.1] * 6)
    other = write(tmp_path / "b.json", delta1=[0.7, 0.6, 0.8, 0.9, 0.6, 0.4], rmse=[1] * 6, abs_rel=[None, *[0.2] * 5])
    third = write(tmp_path / "c.json", delta1=[0.25, 0.35, None, None, None, None])
    compared = evaluate.compare([first, other, third])
    assert list(compared.results) == ["a", "b", "c"] and list(compared.differences) == ["b", "c"]
    found = compared.differences["b"]
    assert found.keys() == {"delta1", "abs_rel"}  # what both have, and no names
    of_scenes = [(0.2, 2), (0.1, 1), (0.1, 1), (-0.3, 1), (0.0, 1)]  # sum and number of frames of each
    drawn = np.random.default_rng(0).integers(5, size=(2000, 5))
    means = [sum(of_scenes[i][0] for i in row) / sum(of_scenes[i][1] for i in row) for row in drawn]
    expected = (0.1 / 6, *np.quantile(means, (0.025, 0.975)))
    assert found["delta1"] == pytest.approx(expected)
    assert found["abs_rel"] == pytest.approx((0.1, 0.1, 0.1))
    mean, *interval = compared.differences["c"]["delta1"]
    assert mean == pytest.approx(-0.25) and interval == [None, None]  # one scene
    text = comparison.text(compared)
    low, high = expected[1:]
    assert "b less a" in text and f"{'delta1':<44}+0.0167  ({low:+.4f} to {high:+.4f})" in text
    assert f"{'delta1':<44}-0.2500\n" in text + "\n"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(protocol={"name": "eigen_crop"}), "name full and eigen_crop"),
        (dict(protocol={"max_depth": 80.0, "truth": "raw depth"}), r"truth filled depth and raw depth; max_depth 10"),
        (dict(protocol={"pooling": protocols.POOLINGS["pixels"]}), "pooling mean over images"),
        (dict(protocol={"split_hash": "cd"}), "split_hash ab and cd"),
        (dict(protocol={"resize": "bilinear log depth"}), "resize in depth and in log depth"),
        (dict(ids=(3, 4, 8, 10, 12, 15)), "other frames are scored"),
        (dict(ids=(4, 3, 8, 10, 12, 14)), "other frames are scored"),
        (dict(pixels=[9.0] * 5 + [8.0]), "other pixels have a truth"),
    ],
)
def test_results_of_other_frames_or_protocols_are_refused(tmp_path, changes, said):
    first, same = write(tmp_path / "a.json"), write(tmp_path / "b.json")
    with pytest.raises(InputError, match=f"^a and c are results of different frames or protocols: {said}"):
        comparison.compare([first, same, write(tmp_path / "c.json", **changes)])


def test_one_file_or_the_same_twice_is_no_comparison(tmp_path):
    first, other = write(tmp_path / "a.json"), write(tmp_path / "b.json")
    with pytest.raises(InputError, match=r"compare=\S+a\.json: expected two results or more"):
        comparison.compare([first])
    with pytest.raises(InputError, match=r"a\.json twice: expected different files"):
        comparison.compare([first, other, first])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '{"metrics": {}}',
        '{"protocol": {}, "metrics": {}, "per_frame": null}',
        '{"protocol": 3, "metrics": {}, "per_frame": {"id": []}}',
        '{"protocol": {}, "metrics": {}, "per_frame": {"delta1": [0.5]}}',
        '{"protocol": {}, "metrics": {}, "per_frame": ["id"]}',
        '{"protocol": {}, "metrics": {}, "per_frame": {"id": [1, 2], "delta1": [0.5]}}',
        '{"protocol": {}, "metrics": {}, "per_frame": {"id": [1], "delta1": ["0.5"]}}',
        '{"protocol": {}, "metrics": {}, "per_frame": {"id": [1], "delta1": 0.5}}',
        '{"protocol": {}, "metrics": {}, "per_frame": {"id": [1], "group": [null], "delta1": [0.5]}}',
    ],
)
def test_a_file_that_is_no_result_is_named(tmp_path, text):
    bad = tmp_path / "bad.json"
    bad.write_text(text)
    with pytest.raises(InputError, match=r"bad\.json.: not a result of evaluate\.py"):
        comparison.compare([write(tmp_path / "a.json"), bad])
    with pytest.raises(InputError, match=r"bad\.json.: not a result of evaluate\.py"):
        comparison.compare([bad, write(tmp_path / "a.json")])
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        comparison.compare([tmp_path / "none.json", bad])


def test_earlier_results_have_no_groups_and_few_values(tmp_path):
    """Neighbours by `order` are one group; where there is no order, by NYU's ids, which count on."""
    now = write(tmp_path / "now.json", delta1=[0.6, 0.7, 0.6, 0.6, 0.6, 0.5], abs_rel=[0.1] * 6)
    for drop in (("group",), ("group", "order"), ("group", "order", "pixels", "name")):
        old = write(tmp_path / "old.json", drop=drop)
        expected = comparison.compare([write(tmp_path / "new.json"), now]).differences["now"]["delta1"]
        found = comparison.compare([old, now]).differences["now"]
        assert found["delta1"] == expected and "abs_rel" not in found and expected[1] is not None


def test_results_kept_by_earlier_versions_compare_with_each_other():
    """The first one has ids, delta1 and abs_rel alone; 109 frames of NYU's split dev."""
    paths = [RESULTS / f"{name}-dev-eigen_crop.json" for name in ("pyramid", "best")]
    (found,) = comparison.compare(paths).differences.values()
    assert found.keys() == {"delta1", "abs_rel"}
    first, other = (json.loads(path.read_text())["metrics"]["delta1"] for path in paths)
    mean, low, high = found["delta1"]
    assert mean == pytest.approx(other - first, abs=1e-5) and low < mean < high


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (("one/a.json", "two/b.json"), ["a", "b"]),
        (("one/e.json", "two/e.json"), ["one", "two"]),
        (("one/e.json", "two/e.json", "two/f.json"), ["one/e", "two/e", "two/f"]),
        (("x/one/e.json", "y/one/e.json"), ["x/one/e.json", "y/one/e.json"]),
    ],
)
def test_names_of_files_differ(tmp_path, monkeypatch, paths, names):
    monkeypatch.chdir(tmp_path)
    for path in paths:
        write(tmp_path / path)
    assert list(comparison.compare(list(paths)).results) == names
