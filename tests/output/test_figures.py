"""What the figures show, read from the written PNG or from the figure's artists."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from jaxdepth.output import figures
from jaxdepth.prepare.statistics import DepthStatistics

GREY = (153, 153, 153)  # "0.6"


def example(count=2, height=24, width=32):
    rng = np.random.default_rng(0)
    truth = rng.uniform(1.0, 6.0, (count, height, width)).astype(np.float32)
    images = rng.integers(0, 256, (count, height, width, 3), np.uint8)
    return images, truth * 1.1, truth


def legends(figure):
    return [axis for axis in figure.axes if axis.get_ylabel() == "depth (m)"]


def drawn_maps(figure):
    """The depth maps of a panel, row by row (pictures have a third axis)."""
    artists = [axis.images[0] for axis in figure.axes if axis.images]
    return [artist for artist in artists if artist.get_array().ndim == 2]


def test_panel_writes_a_readable_png(tmp_path):
    images, prediction, truth = example()
    path = tmp_path / "panel.png"
    figures.panel(path, images, {"scale 1": prediction[:, ::4, ::4], "fused": prediction}, truth=truth, title="rooms")
    with Image.open(path) as picture:
        picture.load()
        assert picture.format == "PNG"
        assert 600 < picture.width < 3000 and 300 < picture.height < 2000
    assert list(tmp_path.iterdir()) == [path]


def test_panel_has_a_row_for_each_example_and_a_column_for_each_map():
    images, prediction, truth = example(count=3)
    columns = {"scale 1": prediction, "fused": prediction}
    figure = figures.panel_figure(images, columns, truth=truth, row_titles=["a", "b", "c"])
    pictures = [axis for axis in figure.axes if axis.images and axis.images[0].get_array().ndim == 3]
    assert [axis.get_ylabel() for axis in pictures] == ["a", "b", "c"]
    np.testing.assert_array_equal(pictures[2].images[0].get_array(), images[2])
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert titles == ["picture", "scale 1", "fused", "truth"]
    maps = drawn_maps(figure)
    assert len(maps) == 9
    np.testing.assert_array_equal(maps[5].get_array(), truth[1])


def test_the_colour_scale_of_a_row_spans_its_truth():
    images, prediction, truth = example()
    truth[1] += 3
    prediction[0, 0, 0] = 50.0
    prediction[0, 0, 1] = 0.1
    figure = figures.panel_figure(images, {"fused": prediction}, truth=truth)
    bars = legends(figure)
    assert len(bars) == 2
    for row, bar in enumerate(bars):
        low, high = sorted(bar.get_ylim())
        assert low <= truth[row].min() + 1e-6 and truth[row].max() - 1e-6 <= high
        assert high < 50
        for artist in drawn_maps(figure)[2 * row : 2 * row + 2]:
            assert artist.get_clim() == pytest.approx((low, high))
            assert artist.cmap == figures.DEPTH_COLORS
    assert legends(figure)[0]._colorbar.extend == "both"


@pytest.mark.parametrize("with_truth", [False, True])
def test_without_truth_the_colour_scale_spans_the_predictions(with_truth):
    images, prediction, truth = example(count=1)
    figure = figures.panel_figure(images, {"fused": prediction}, truth=0 * truth if with_truth else None)
    assert len(drawn_maps(figure)) == 1 + with_truth
    low, high = sorted(legends(figure)[0].get_ylim())
    assert (low, high) == pytest.approx((prediction.min(), prediction.max()))


def test_near_is_bright():
    near, middle, far = (sum(figures.DEPTH_COLORS(value)[:3]) for value in (0.0, 0.5, 1.0))
    assert near > middle > far


def test_invalid_truth_is_grey(tmp_path):
    images, prediction, truth = example(count=1)
    grey = {}
    for name, holes in {"none": (), "half": (0.0, np.nan, np.inf, -1.0)}.items():
        for k, value in enumerate(holes):
            truth[0, 12 + 3 * k : 15 + 3 * k] = value
        figures.panel(tmp_path / "panel.png", np.zeros_like(images), {"fused": prediction}, truth=truth)
        with Image.open(tmp_path / "panel.png") as picture:
            pixels = np.asarray(picture.convert("RGB"))
        grey[name] = np.all(pixels == GREY, axis=-1)
    # A cell is 2.6 inches wide at 110 dots per inch; half of its height has no measurement.
    assert grey["half"].sum() > 0.8 * (2.6 * 110) ** 2 * 24 / 32 / 2
    assert grey["none"].sum() < 0.02 * grey["half"].sum()
    assert not grey["half"][:, : pixels.shape[1] // 2].any()  # the prediction is complete


@pytest.mark.parametrize("holes", ["all", "constant"])
def test_empty_and_constant_maps_are_drawn(tmp_path, holes):
    images, _, truth = example(count=1)
    truth[:] = 0.0 if holes == "all" else 2.0
    figures.panel(tmp_path / "panel.png", images.astype(np.float32) / 255, {"fused": truth}, truth=truth)
    assert (tmp_path / "panel.png").stat().st_size > 1000


def test_panel_errors_name_the_thing(tmp_path):
    images, prediction, truth = example()
    path = tmp_path / "panel.png"
    with pytest.raises(ValueError, match=r"images \(2, 24, 32\)"):
        figures.panel(path, images[..., 0], {"fused": prediction})
    with pytest.raises(ValueError, match="expected at least one depth map"):
        figures.panel(path, images, {})
    with pytest.raises(ValueError, match=r"column 'fused' \(1, 24, 32\): expected \[2, h, w\]"):
        figures.panel(path, images, {"fused": prediction[:1]}, truth=truth)
    with pytest.raises(ValueError, match="row_titles: 1 titles, expected 2"):
        figures.panel(path, images, {"fused": prediction}, row_titles=["a"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fails", ["drawing", "writing"])
def test_a_failure_keeps_the_old_file(tmp_path, monkeypatch, fails):
    path = tmp_path / "curves.png"
    path.write_bytes(b"old")

    def half_a_picture(self, target, **_):
        target.write(b"half")
        raise RuntimeError("drawing failed")

    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    if fails == "drawing":
        monkeypatch.setattr(Figure, "savefig", half_a_picture)
    else:  # as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limit[1]))
    try:
        with pytest.raises((RuntimeError, OSError), match=f"drawing failed|File too large: '{path}'"):
            figures.curves(path, [])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def records():
    lines = []
    for step in range(1, 201):
        noise = 0.3 if step % 2 else -0.3
        lines.append({"step": step, "time": 0.1 * step, "rooms/train/loss": 1.0 + noise, "rooms/train/grad_norm": 9.0})
        if step % 50 == 0:
            line = {"step": step, "rooms/val/loss": 0.5, "rooms/val/delta1": step / 400, "rooms/val/rmse": 1.0}
            line |= {f"rooms/val/scale{k}/delta1": step / 400 - 0.01 * k for k in (1, 2)}
            line |= {"rooms/val/scale1/rmse": 1.0, "rooms/val/mean_depth/delta1": 0.4, "rooms/val/mean_depth/rmse": 1.2}
            lines.append(line)
    return lines


def lines_of(axis):
    return {line.get_label(): line for line in axis.lines}


def test_curves_writes_a_readable_png(tmp_path):
    path = tmp_path / "curves.png"
    path.write_bytes(b"old")
    figures.curves(path, records(), title="kscale on rooms")
    with Image.open(path) as picture:
        picture.load()
        assert picture.format == "PNG"
        assert 800 < picture.width < 2500 and 300 < picture.height < 1200
    assert list(tmp_path.iterdir()) == [path]


def test_curves_show_the_records():
    loss_axis, accuracy_axis = figures.curves_figure(records()).axes
    loss = lines_of(loss_axis)
    np.testing.assert_array_equal(loss["validation"].get_xydata(), [[step, 0.5] for step in (50, 100, 150, 200)])
    assert loss_axis.get_yscale() == "linear"
    accuracy = lines_of(accuracy_axis)
    assert set(accuracy) == {"final", "scale 1", "scale 2", "mean depth image (0.400)"}
    np.testing.assert_allclose(accuracy["final"].get_ydata(), [0.125, 0.25, 0.375, 0.5])
    np.testing.assert_allclose(accuracy["scale 2"].get_ydata(), [0.105, 0.23, 0.355, 0.48])
    baseline = accuracy["mean depth image (0.400)"]
    assert baseline.get_linestyle() == "--" and set(baseline.get_ydata()) == {0.4}


def test_training_loss_is_smoothed_over_neighbours():
    lines = records()
    next(line for line in lines if line["step"] == 100)["rooms/train/loss"] = None  # null in JSON
    axis = figures.curves_figure(lines).axes[0]
    raw, smooth = axis.lines[0].get_ydata(), lines_of(axis)["training (smoothed)"].get_ydata()
    assert raw.shape == smooth.shape == (200,)
    assert np.isnan(raw[99]) and np.isnan(smooth[99])  # the gap does not spread
    good = np.delete(np.arange(200), 99)
    assert np.isfinite(smooth[good]).all()
    for k in good:  # mean over up to five neighbours on each side
        window = raw[max(k - 5, 0) : k + 6]
        assert smooth[k] == pytest.approx(np.nanmean(window))
    assert np.std(smooth[good]) < 0.2 * np.std(raw[good])


def test_a_loss_over_a_decade_has_a_logarithmic_axis():
    lines = [{"step": step, "rooms/train/loss": 10.0 / step} for step in range(1, 60)]
    assert figures.curves_figure(lines).axes[0].get_yscale() == "log"
    lines.append({"step": 60, "rooms/train/loss": 0.0})
    assert figures.curves_figure(lines).axes[0].get_yscale() == "linear"


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [{"step": 1, "rooms/train/loss": 1.0}],
        [{"step": 1, "rooms/val/delta1": float("nan"), "rooms/val/loss": 0.2}],
    ],
)
def test_short_runs_are_drawn(tmp_path, lines):
    figures.curves(tmp_path / "curves.png", lines)
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_a_single_output_is_called_network():
    axis = figures.curves_figure([{"step": 1, "rooms/val/delta1": 0.3}]).axes[1]
    assert set(lines_of(axis)) == {"network"}


def test_sources_are_not_mixed():
    lines = [{"step": 1, "rooms/train/loss": 1.0}, {"step": 2, "nyu/train/loss": 1.0}]
    with pytest.raises(ValueError, match="records of sources nyu, rooms: expected a single one"):
        figures.curves_figure(lines)


def test_validation_curves_compare_trainings(tmp_path):
    epochs = np.array([1.0, 2.0])
    runs = {"a": (epochs, np.array([0.2, 0.1]), np.array([0.4, 0.5])), "b": (epochs, epochs / 3, epochs / 5)}
    loss, accuracy = figures.validation_curves_figure(runs, baseline=0.44).axes
    assert [list(line.get_ydata()) for line in loss.lines] == [[0.2, 0.1], [1 / 3, 2 / 3]]
    assert [line.get_label() for line in accuracy.lines] == ["a", "b", "mean depth image (0.440)"]
    assert list(accuracy.lines[0].get_xdata()) == [1, 2] and set(accuracy.lines[2].get_ydata()) == {0.44}
    figures.validation_curves(tmp_path / "curves.png", runs, baseline=0.44)
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size[0] > 600


def test_neither_pyplot_nor_jax_is_imported():
    code = "import sys, jaxdepth.output.figures; print({'matplotlib.pyplot', 'jax', 'tensorflow'} & set(sys.modules))"
    root = Path(figures.__file__).parents[2]
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert result.stdout.strip() == "set()"


def test_titles_are_drawn_as_they_are():
    """A $ begins no mathematics, and a name that is not UTF-8 can be drawn."""
    images, prediction, _ = example()
    odd = "$x_{$ \udcff"
    figures.png_bytes(figures.panel_figure(images, {odd: prediction}, row_titles=[odd] * 2, title=odd))
    records = [{"step": 1, "nyu/val/delta1": 0.5, f"nyu/val/{odd}/delta1": 0.5}]
    sources = {odd: DepthStatistics(*(np.ones(n, np.float32) for n in (4, 4, 4, 48)))}
    for figure in (
        figures.panel_figure(images, {odd: prediction}, row_titles=[odd] * 2, title=f"{odd}\nsecond line"),
        figures.features_figure(np.ones((2, 2, 3)), channels=2, title=odd),
        figures.curves_figure(records, title=odd),
        figures.validation_curves_figure({odd: ([1], [2.0], [0.5])}, baseline=0.4),
        figures.depth_statistics_figure(sources),
    ):
        drawn = [text.get_text() for text in figure.findobj(Text)]
        assert any(text.startswith(r"\$x_{\$ \udcff") for text in drawn)
