"""The HTML page of a result and of a comparison: well-formed, complete, safe with any names, without parts too."""

import html.parser
import json
import re

import numpy as np
import pytest
import result_example
import small

from jaxdepth.evaluation.page import breakdown, frames
from jaxdepth.evaluation.page import report as pages

_VOID = {"meta", "img"}
_HOSTILE = "<script>alert('a')</script>\"&\udcff\x1b"


class Parsed(html.parser.HTMLParser):
    """Checks that every element is closed in order, and collects text, rows of tables, attributes and pictures."""

    def __init__(self, page):
        super().__init__()
        self.open, self.text, self.tags, self.attributes, self.rows = [], [], [], [], {}
        self.feed(page.decode("utf-8"))
        self.close()
        assert not self.open, f"never closed: {self.open}"
        self.all_text = " ".join(self.text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "table":
            self._caption, self._rows = None, []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "table":
            self.rows[self._caption] = self._rows

    def handle_data(self, data):
        self.text.append(data)
        if "caption" in self.open and "small" not in self.open:
            self._caption = data
        elif "td" in self.open or "th" in self.open:
            separator = " | " if self._rows[-1][-1] and "small" in self.open else ""
            self._rows[-1][-1] += separator + data


def parsed(result=None, pictures=()):
    return Parsed(pages.page(result or result_example.result(), pictures))


@pytest.fixture(scope="module")
def whole():
    page = pages.page(result_example.result(), result_example.pictures(count=3))
    return page, Parsed(page)


def row(parsed, caption, heading):
    """The cells of the row whose heading begins so."""
    (found,) = [cells for cells in parsed.rows[caption] if cells[0].split(" | ")[0] == heading]
    return found[1:]


def test_page_refers_to_nothing_outside(whole):
    page, parsed = whole
    assert not re.search(rb"https?:|url\(|@import|<script|<link", page)
    for name, value in parsed.attributes:
        if name in ("src", "href"):
            assert value.startswith(("data:image/", "#")), (name, value)
        assert not name.startswith("on")
    names = {value for name, value in parsed.attributes if name == "id"}
    links = {value[1:] for name, value in parsed.attributes if name == "href"}
    assert links == names and len(names) == 8
    assert ("content", "jaxdepth") in parsed.attributes and ("lang", "en") in parsed.attributes


def test_tables_have_captions_and_scopes_and_pictures_words(whole):
    _, parsed = whole
    assert parsed.tags.count("table") == parsed.tags.count("caption") == len(parsed.rows)
    scopes = [value for name, value in parsed.attributes if name == "scope"]
    assert len(scopes) == parsed.tags.count("th")
    alts = [value for name, value in parsed.attributes if name == "alt"]
    assert len(alts) == parsed.tags.count("img") == 12 and "truth of frame 1" in alts


def test_metrics_have_interval_and_floor(whole):
    _, parsed = whole
    assert row(parsed, "All metrics", "delta1 ↑") == ["0.7810 | 0.7442 to 0.8192", "0.4392"]
    assert row(parsed, "All metrics", "SILog ↓") == ["14.63 | 13.95 to 15.35", "28.94"]
    assert len(parsed.rows["All metrics"]) == 12
    for headline in ("0.781", "95 %: 0.744 to 0.819", "mean depth image: 0.439", "0.538 m"):
        assert headline in parsed.text


def test_alignment_edges_measures_and_outputs(whole):
    _, parsed = whole
    aligned = "Each prediction aligned to its truth"
    assert row(parsed, aligned, "none") == ["0.7810 | 0.7442 to 0.8192", "0.4392", "0.1523", "0.5379"]
    assert row(parsed, aligned, "median") == ["0.8528 | 0.8377 to 0.8691", "0.6226", "0.1182", "0.4481"]
    assert [cells[0] for cells in parsed.rows[aligned][3:]] == [
        "scale | least squares",
        "scale and shift | least squares",
        "scale and shift | of the disparity",
    ]
    # .78095 of delta1, .85281 with the median: .07186 of the missing .21905 are the size
    assert "Of the 0.219 that delta1 lacks, 0.072 are the size and 0.147 the shape" in parsed.all_text
    edges = row(parsed, "Edges of the depth", "0.05 m per pixel")
    assert edges == ["0.4284 | 0.3613 to 0.4079", "0.0000", "0.3400", "0.3842"]
    measures = {cells[0]: cells[1:] for cells in parsed.rows["Measures beyond the standard ones"]}
    assert measures["mean | degrees ↓"] == ["23.14 | 21.56 to 24.83", "28.54"]
    assert measures["median | degrees ↓, 97 frames"] == ["17.28", "17.28"]  # its interval is null
    assert measures["within 11.25 | share ↑"] == ["0.3127", "0.3127"] and measures["within 30 | share ↑"][0] == "–"
    assert measures["chamfer | metres ↓"] == ["0.1382", "0.1382"] and measures["some error"][0] == "1.6180"
    assert row(parsed, "Each output by itself", "scale2")[:4] == ["0.7677", "0.9331", "0.9701", "0.1497"]


def test_breakdowns(whole):
    _, parsed = whole
    # 90000, 45000, 30000, 22500, 18000, 15000 pixels and none
    assert row(parsed, "By true distance", "1 to 2 m") == ["20.4 %", "0.871", "0.122", "+3.0 %", "0.392"]
    assert row(parsed, "By true distance", "7 to 10 m") == ["0.0 %", "–", "–", "–", "–"]
    assert row(parsed, "By place in the picture", "row 2")[0] == "0.183 | 0.748 | −3.4 %"
    assert len(parsed.rows["By place in the picture"]) == 4
    assert row(parsed, "By distance to an edge of the truth", "8 to 32 pixels")[2] == "0.142"
    assert row(parsed, "By class", "ceiling")[0] == "16.0 %"
    assert "true distance, metres" in parsed.text and "41 %" in parsed.text


def test_plot_draws_what_it_says():
    bins = [
        {"label": "a", "from": 0.0, "to": 1.0, "pixels": 30, "abs_rel": 0.2},
        {"label": "b", "from": 1.0, "to": 2.0, "pixels": 0, "abs_rel": None},
        {"label": "c", "from": 2.0, "to": None, "pixels": 60, "abs_rel": 0.4},
    ]
    svg = breakdown.error_by_distance(bins, None)
    # x: 50 to 430 for 0 to 3 m; y: 200 to 30 for 0 to .4; a gap where there is no pixel
    assert 'd="M50.0 115.0H176.7M303.3 30.0H430.0"' in svg
    heights = re.findall(r'<rect [^>]*height="([\d.]+)"', svg)
    assert heights == ["20.0", "0.0", "40.0"] and svg.count("<path") == 1
    assert "a: 0.200; b: –; c: 0.400" in svg
    assert breakdown.error_by_distance(bins, bins).count("<path") == 2


@pytest.mark.parametrize("greatest", [0.0, 0.004, 0.21, 0.5, 0.51, 1.0, 37.0])
def test_plot_reaches_its_greatest_value(greatest):
    bins = [{"label": "a", "from": 0.0, "to": 1.0, "pixels": 1, "abs_rel": greatest}]
    svg = breakdown.error_by_distance(bins, None)
    (y,) = re.findall(r'd="M50.0 ([\d.]+)H', svg)
    ticks = [float(tick) for tick in re.findall(r'x="44"[^>]*>([\d.]+)<', svg)]
    assert 30 <= float(y) <= 200 and ticks[0] == 0 and ticks[-1] >= greatest and 2 <= len(ticks) <= 6


def test_protocol_is_told_in_words(whole):
    _, parsed = whole
    for sentence in (
        "Frames: 109 of nyu, split dev, 105 of them scored; hash of the list: 68cd3869d4a9.",
        "Truth: filled depth. Pixels count whose truth is above 0.001 and at most 10 m.",
        "Window: prediction and truth are compared at 480 x 640 (rows x columns), inside rows 45 to 470 and columns 41 "
        "to 600, counted from 0: 426 x 560 pixels.",
        "Resize: border replicated to the frame, then bilinear depth.",
        "Clipping: predictions are clipped to the depth range.",
        "Pooling: mean over images of per-image values.",
        "None of these frames was seen in training.",
        "95 % intervals: bootstrap over 23 runs of neighbouring frames.",
    ):
        assert sentence in parsed.text
    (told,) = [text for text in parsed.text if text.startswith("{\n")]
    assert json.loads(told) == result_example.result()["protocol"]


def test_warnings_stand_before_the_numbers():
    result = result_example.result()
    result["protocol"]["frames_seen_in_training"] = 17
    page = pages.page(result).decode()
    warnings = page[page.index("Read this first") : page.index("<dl")]
    for words in (
        "trained on 17 of these frames or of their scenes",
        "frames without a prediction, not scored: 3",
        "0022, 0023, 0024",
        "12 times",
    ):
        assert words in warnings
    assert "not scored: 1 of 109" in warnings  # 105 scored, 3 without a prediction
    clean = result_example.result() | {
        "frames_scored": 109,
        "predictions": {"folder": "a", "files": 109, "kind": "depth"},
    }
    assert "Read this first" not in parsed(clean).text


def test_names_are_text_and_nothing_else():
    result = result_example.result()
    result["protocol"] |= {"source": _HOSTILE, "split": _HOSTILE, "trained_on": _HOSTILE, "resize": _HOSTILE}
    result["predictions"] |= {"folder": _HOSTILE, "missing": [_HOSTILE], "warnings": [_HOSTILE]}
    result["predictions"]["made_by"] = {_HOSTILE: _HOSTILE}
    result["breakdown"]["class"][0]["label"] = _HOSTILE
    result["breakdown"]["distance"][0]["label"] = _HOSTILE
    result["outputs"] = {_HOSTILE: result["metrics"]}
    result["measures"][_HOSTILE] = {_HOSTILE: 1.0}
    result["interval_over"] = _HOSTILE
    shown = result_example.pictures(count=1)[0]._replace(title=_HOSTILE)
    for page in (
        pages.page(result, [shown]),
        pages.comparison_page({"a": result, _HOSTILE: result}, {_HOSTILE: {"delta1": [0.1, 0.0, 0.2]}}),
    ):
        found = Parsed(page)
        assert "script" not in found.tags and b"\x1b" not in page
        assert any(r"<script>alert('a')</script>" in text and r"\udcff\x1b" in text for text in found.text)


@pytest.mark.parametrize(
    "absent",
    [
        ("baseline", "mean_depth_baseline"),
        ("baseline",),
        ("measures", "breakdown", "aligned", "edges", "intervals", "interval_over", "outputs"),
        ("frames_scored", "per_frame"),
    ],
)
@pytest.mark.parametrize("form", ["missing", "null"])
def test_parts_may_be_missing(absent, form):
    result = result_example.result()
    for name in absent:
        if form == "null" and name not in ("frames_scored", "interval_over"):
            result[name] = None
        else:
            result.pop(name)
    found = parsed(result)
    assert "0.781" in found.text
    assert ("0.4392" in found.all_text) == ("mean_depth_baseline" not in absent)
    if "mean_depth_baseline" in absent:
        assert "mean depth image" not in found.all_text and "floor" not in found.rows["All metrics"][0]
    comparison = Parsed(pages.comparison_page({"a": result, "b": result}, {}))
    assert row(comparison, "All numbers", "delta1 ↑")[:2] == ["0.7810", "0.7810"]


def test_values_may_be_missing():
    result = result_example.result()
    result["breakdown"].pop("class")
    for bins in result["breakdown"].values():
        for x in bins:
            x.update(pixels=0, delta1=None, abs_rel=None, log_bias=None)
    result["breakdown"]["distance"] = result["breakdown"]["distance"][:1]
    result["baseline"]["breakdown"].pop("distance")
    result["intervals"] = dict.fromkeys(result["intervals"])
    result["aligned"]["median"]["delta1"] = float("nan")
    result["measures"]["new_measure"] = {"some_error": None}
    result["frames"] = result["protocol"]["frames"] = result["frames_scored"] = 1
    found = parsed(result)
    assert row(found, "By true distance", "0 to 1 m") == ["0.0 %", "–", "–", "–"]
    assert "95 % intervals: none; 23 runs of neighbouring frames are too few." in found.text
    assert "its 95 % interval" not in found.all_text
    assert "Not defined for any of these frames: New measure." in found.text and "some error" not in found.all_text
    assert "By class" not in found.rows and row(found, "All metrics", "delta1 ↑") == ["0.7810", "0.4392"]


def test_disparity_says_that_it_is_fitted():
    result = result_example.result()
    result["protocol"] |= {"fitted": "scale and shift of the disparity", "scale_shift_in": "disparity"}
    found = parsed(result)
    assert "all numbers are of predictions fitted to the truth: scale and shift of the disparity" in found.text
    assert "Each prediction aligned to its truth" not in found.rows


@pytest.mark.parametrize("name", ["best-dev-eigen_crop", "pyramid-dev-eigen_crop"])
def test_kept_results_of_earlier_versions(name):
    found = parsed(json.loads((small.ROOT / "configs" / "results" / f"{name}.json").read_text()))
    assert "The protocol as in the JSON" in found.text and "Read this first" not in found.text
    assert ("Edges of the depth" in found.rows) == name.startswith("best")


def test_frames_show_depth_and_error_in_colours():
    shown = result_example.pictures(count=1, size=(30, 40))[0]
    truth = np.full((30, 40), 2.0, np.float32)
    truth[:, :10], truth[:, -10:] = 0.0, 1.0
    prediction = np.full((30, 40), 4.0, np.float32)
    drawn = {}

    def image(pixels, alt):
        drawn[alt.partition(" of ")[0]] = pixels
        return ""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "_image", image)
        figure = frames.frame(shown._replace(prediction=prediction, truth=truth))
    assert ">1.00 m<" in figure and ">2.00 m<" in figure
    near, far = drawn["truth"][0, -1].astype(int), drawn["truth"][0, 20].astype(int)
    assert near.sum() > 600 > 100 > far.sum()  # near is bright
    assert (drawn["prediction"] == drawn["truth"][0, 20]).all()  # beyond the scale: as its end
    assert (drawn["truth"][:, :10] == 153).all() and (drawn["error"][:, :10] == 153).all()  # grey without truth
    red, green, blue = drawn["error"][0, 20].astype(int)  # twice as far
    assert red > 90 and green < 10 and blue < 40
    exact = np.where(truth > 0, truth, 1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "_image", image)
        frames.frame(shown._replace(prediction=exact, truth=truth))
    assert (drawn["error"][:, 10:] > 240).all()


def test_frames_without_truth_or_prediction():
    shown = result_example.pictures(count=1)[0]
    empty = np.zeros_like(shown.truth)
    for changed in (shown._replace(truth=empty), shown._replace(truth=empty, prediction=empty * np.nan)):
        found = parsed(pictures=[changed._replace(best=False)])
        assert found.tags.count("img") == 4 and "Worst" in found.text and "Best" not in found.text


def test_page_of_eight_frames_is_small_whatever_they_show():
    noise = np.random.default_rng(0).integers(1, 256, (2, 480, 480, 3), np.uint8)
    shown = result_example.pictures(count=1)[0]._replace(image=noise[0])
    shown = shown._replace(prediction=noise[1, ..., 0] / np.float32(25), truth=noise[1, ..., 1] / np.float32(25))
    less, more = (len(pages.page(result_example.result(), [shown] * count)) for count in (0, 1))
    assert less + 8 * (more - less) < 3_000_000


def test_comparison_pairs_each_with_the_first():
    first, other = result_example.result(), result_example.better()
    differences = {
        "b": {
            "delta1": [-0.0781, -0.0902, -0.0663],
            "abs_rel": [-0.0012, -0.0043, 0.0018],
            "measures.surface_normals.mean": [1.25, None, None],
        }
    }
    page = pages.comparison_page({"a": first, "b": other}, differences)
    found = Parsed(page)
    numbers = "All numbers"
    assert found.rows[numbers][0] == ["", "a", "b", "mean depth image"]
    assert row(found, numbers, "delta1 ↑") == ["0.7810", "0.7029 | −0.0781 | −0.0902 to −0.0663", "0.4392"]
    assert b"<b>\xe2\x88\x920.0781</b>" in page and b"<b>\xe2\x88\x920.0012</b>" not in page  # bold: does not hold 0
    assert [cells for cells in found.rows[numbers] if cells[0] == "mean | degrees ↓"][0][2] == "23.14 | +1.2500"
    aligned = [cells[0] for cells in found.rows[numbers]].index("delta1 ↑, aligned")
    assert found.rows[numbers][aligned + 1] == ["median", "0.8528", "0.8528", "0.6226"]
    assert row(found, numbers, "0.25: F1 ↑") == ["0.0985", "0.0985", "0.0000"]
    assert "b: 1 predictions are constant: 0022" in found.text
    assert not re.search(rb"https?:", page)


def test_comparison_tells_protocols_that_differ():
    other = result_example.better()
    other["protocol"] |= {"truth": "raw depth", "trained_on": "something else", "fitted": "scale and shift"}
    found = Parsed(pages.comparison_page({"a": result_example.result(), "b": other}, {}))
    assert "the protocols differ in truth: a filled depth, b raw depth" in found.text
    assert sum("the protocols differ" in text for text in found.text) == 1
    assert "b: all numbers are of predictions fitted to the truth: scale and shift" in found.text
