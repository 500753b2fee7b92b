"""Errors by kinds of pixels, against plain loops over the pixels of all frames."""

import collections
import math

import numpy as np
import pytest

from jaxdepth.evaluation import breakdown, metrics

SIZE = (19, 27)  # neither divides by four


def frame(seed, *, size=SIZE):
    """A prediction, truth with an edge and holes, and labels."""
    rng = np.random.default_rng(seed)
    truth = np.full(size, 2.0 + seed)
    truth[:, 14:] = 6.5 - seed
    truth += rng.uniform(0, 0.02, size)
    prediction = np.clip(truth * np.exp(0.3 * rng.standard_normal(size)), 1e-3, 7.5)
    truth[rng.random(size) < 0.05] = 0.0
    return np.float32(prediction), np.float32(truth), rng.integers(0, 4 + seed, size).astype(np.uint16)


def made(*frames, max_depth=7.5, **options):
    whole = breakdown.Breakdown(max_depth=max_depth, **options)
    for of_frame in frames:
        prediction, truth, *labels = of_frame
        edges = np.asarray(metrics.true_edges(truth[None], max_depth=max_depth).levels[0]) > 0
        whole.add("a", whole.parts({"other": truth, "a": prediction}, truth, edges, *labels)["a"])
    return whole.results()["a"]


def by_loops(frames, kind_of):
    """{kind: (pixels, delta1, abs_rel, log_bias)}, where `kind_of` tells a pixel's from (frame, row, column)."""
    errors = collections.defaultdict(list)
    for of_frame in frames:
        prediction, truth = of_frame[:2]
        for i, j in zip(*np.nonzero(truth), strict=True):
            y, t = float(prediction[i, j]), float(truth[i, j])
            errors[kind_of(of_frame, i, j)].append((max(y / t, t / y) < 1.25, abs(y - t) / t, math.log(y / t)))
    return {kind: (len(values), *np.mean(values, axis=0)) for kind, values in errors.items()}


def check(rows, expected):
    """Rows of a result, given as {kind: row}, equal those of loops; kinds without a pixel have no values."""
    assert expected.keys() <= rows.keys() and expected
    for kind, row in rows.items():
        found = [row[name] for name in ("pixels", "delta1", "abs_rel", "log_bias")]
        if kind in expected:
            assert isinstance(row["pixels"], int) and found == pytest.approx(expected[kind], rel=1e-6, abs=1e-7), kind
        else:
            assert found == [0, None, None, None], kind


FRAMES = [frame(0), frame(1)]


def test_distances_are_metres_of_the_truth_up_to_the_cap():
    rows = made(*FRAMES)["distance"]
    assert [(row["from"], row["to"], row["label"]) for row in rows] == [
        (float(i), i + 1.0, f"{i} to {i + 1} m") for i in range(8)
    ]
    check(dict(enumerate(rows)), by_loops(FRAMES, lambda f, i, j: int(f[1][i, j])))


def test_truth_at_the_cap_is_in_the_last_distance():
    truth = np.float32([[0.9, 9.99, 10.0, 0.0]])
    rows = made((truth, truth), max_depth=10.0)["distance"]
    assert [row["pixels"] for row in rows] == [1, *[0] * 8, 2] and rows[-1]["delta1"] == 1.0


@pytest.mark.parametrize("size", [SIZE, (16, 20), (4, 5), (3, 2)])
def test_places_are_sixteen_parts_of_nearly_equal_size(size):
    frames = [frame(0, size=size), frame(1, size=size)]
    rows = made(*frames)["place"]
    assert [(row["row"], row["column"]) for row in rows] == [(r, c) for r in range(4) for c in range(4)]
    assert rows[6]["label"] == "row 2, column 3 of 4x4"
    expected = by_loops(frames, lambda f, i, j: (4 * i // size[0], 4 * j // size[1]))
    check({(row["row"], row["column"]): row for row in rows}, expected)


def slow_edges(truth):
    """Whether the Sobel slope exceeds .05 m a pixel, and all 3x3 neighbours in the picture have truth."""
    (h, w), found = truth.shape, []
    for i, j in np.ndindex(h, w):
        near = [
            [float(truth[min(max(a, 0), h - 1), min(max(b, 0), w - 1)]) for b in (j - 1, j, j + 1)]
            for a in (i - 1, i, i + 1)
        ]
        across = sum(k * (row[2] - row[0]) for k, row in zip((1, 2, 1), near, strict=True))
        down = sum(k * (below - above) for k, above, below in zip((1, 2, 1), near[0], near[2], strict=True))
        if math.hypot(across, down) / 8 > 0.05 and min(map(min, near)) > 0:
            found.append((i, j))
    return found


def test_distances_to_an_edge_equal_plain_loops():
    edges = {id(f): slow_edges(f[1]) for f in FRAMES}

    def kind(f, i, j):
        nearest = min(max(abs(i - a), abs(j - b)) for a, b in edges[id(f)])
        return next((k for k, high in enumerate((2, 5, 10, 20)) if nearest <= high), 4)

    rows = made(*FRAMES)["edge_distance"]
    expected = by_loops(FRAMES, kind)
    assert len(expected) == 4  # the edge is at most 14 columns away
    check(dict(enumerate(rows)), expected)


def test_an_edge_known_by_hand():
    """A step between columns 29 and 30 makes both of them edges; upper ends belong to the nearer kind."""
    truth = np.full((6, 60), 2.0, np.float32)
    truth[:, 30:] = 4.0
    rows = made((truth, truth))["edge_distance"]
    assert [row["label"] for row in rows] == [
        *(f"up to {n} pixels" for n in (2, 5, 10, 20)),
        "more than 20 pixels",
    ]
    assert [row["pixels"] for row in rows] == [6 * n for n in (2 + 4, 6, 10, 20, 18)]


def test_without_an_edge_all_is_far_from_one():
    """A gentle slope; and a hole, whose border is no edge."""
    truth = np.float32(2 + 0.04 * np.arange(20) * np.ones((8, 1)))
    truth[3:5, 6:9] = 0
    rows = made((truth, truth))["edge_distance"]
    assert [row["pixels"] for row in rows] == [0, 0, 0, 0, 8 * 20 - 6]


NAMES = ("unlabelled", "wall", "floor", "table")


def test_classes_are_named_and_the_largest_comes_first():
    """The second frame has a class beyond the names, which are of four."""
    rows = made(*FRAMES, label_names=NAMES)["class"]
    assert {row["label"] for row in rows} == {*NAMES, "class 4"}
    assert [row["pixels"] for row in rows] == sorted((row["pixels"] for row in rows), reverse=True)
    expected = by_loops(FRAMES, lambda f, i, j: (*NAMES, "class 4")[f[2][i, j]])
    check({row["label"]: row for row in rows}, expected)


def test_classes_without_names_have_numbers_and_rare_ones_are_left_out():
    prediction, truth = np.full((2, 40, 50), 2.0, np.float32)
    labels = np.full((40, 50), 7, np.uint16)
    labels[0, :2], labels[1, 0], labels[2, :3] = 3, 5, 0  # .1 %, .05 % and .15 % of the pixels
    rows = made((prediction, truth, labels))["class"]
    assert [(row["label"], row["pixels"]) for row in rows] == [("class 7", 1994), ("unlabelled", 3), ("class 3", 2)]
    named = made((prediction, truth, labels), label_names=("none", "a"))["class"]
    assert [row["label"] for row in named] == ["class 7", "none", "class 3"]


def test_frames_without_truth_or_labels():
    prediction, truth, _ = FRAMES[0]
    empty = (prediction, np.zeros_like(truth))
    found = made(empty, FRAMES[0][:2])
    assert found == made(FRAMES[0][:2]) and found.keys() == {"distance", "place", "edge_distance"}
    assert all(row["pixels"] == 0 for rows in made(empty).values() for row in rows)
