"""Figures of results: depth maps side by side, learning curves, features, depth statistics.

Numpy and matplotlib only.
"""

import io
import math
import os
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from jaxdepth.data.files.writing import PNG_TEXT, write_atomically
from jaxdepth.output.colors import DEPTH_COLORS
from jaxdepth.paths import shown

_BASELINE = "mean_depth"


def panel(
    path: str | os.PathLike,
    images: np.ndarray,
    columns: Mapping[str, np.ndarray],
    *,
    truth: np.ndarray | None = None,
    row_titles: Sequence[str] | None = None,
    title: str | None = None,
) -> None:
    """Writes a PNG with a row for each example: picture, predictions, truth, and a colour bar in metres.

    The depth maps of a row share one colour scale. It spans the row's valid truth, or the predictions if there is none;
    values outside have the colour of the nearer end, and the colour bar then ends in an arrow. Pixels without depth are
    grey.

    Args:
      path: the file, in an existing folder; written atomically.
      images: [N, H, W, 3], uint8, or float in [0, 1].
      columns: {title: depth [N, h, w]} in order, metres; 0 or not finite where there is no depth. Stretched to the
        picture's size, so h and w may differ from H and W.
      truth: depth [N, h, w], metres; 0 or not finite where there is no measurement. None for no such column.
      row_titles: N titles, left of the rows; None for no titles.
      title: above the figure; None for no title.

    Raises:
      ValueError: if there are no examples or no depth maps, or shapes or numbers differ.
      OSError: if the file cannot be written.
    """
    write_atomically(path, png_bytes(panel_figure(images, columns, truth=truth, row_titles=row_titles, title=title)))


def panel_figure(
    images: np.ndarray,
    columns: Mapping[str, np.ndarray],
    *,
    truth: np.ndarray | None = None,
    row_titles: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """The figure of `panel`, with the same arguments, to show in a notebook."""
    images = np.asarray(images)
    maps = {name: metres(depth) for name, depth in columns.items()}
    if truth is not None:
        maps["truth"] = metres(truth)
    count = len(images)
    if images.ndim != 4 or images.shape[-1] != 3 or not count:
        raise ValueError(f"images {images.shape}: expected [N, H, W, 3] with N at least 1")
    if not maps:
        raise ValueError("columns={} and no truth: expected at least one depth map to show")
    for name, depth in maps.items():
        if depth.ndim != 3 or len(depth) != count:
            raise ValueError(f"column {name!r} {depth.shape}: expected [{count}, h, w]")
    if row_titles is not None and len(row_titles) != count:
        raise ValueError(f"row_titles: {len(row_titles)} titles, expected {count}")
    if images.dtype != np.uint8:
        images = np.clip(images.astype(np.float32), 0.0, 1.0)

    height, width = images.shape[1:3]
    cell_width = 2.6  # inches
    cell_height = cell_width * height / width
    margin = 0.35 + (0.35 if title else 0.0)
    figure = Figure(figsize=(cell_width * (len(maps) + 1) + 1.2, cell_height * 1.04 * count + margin), dpi=110)
    figure.set_layout_engine("compressed")
    axes = figure.subplots(count, len(maps) + 1, squeeze=False)
    for row in range(count):
        picture_axis, *map_axes = axes[row]
        picture_axis.imshow(images[row], extent=(0, width, height, 0))
        shown = [depth[row] for depth in maps.values()]
        measured = truth is not None and shown[-1].any()
        low, high = value_range(shown[-1:] if measured else shown)
        for axis, depth in zip(map_axes, shown, strict=True):
            drawn = _draw_depth(axis, depth, low, high, size=(height, width))
        legend = figure.colorbar(drawn, ax=list(axes[row]), extend=_extension(shown, low, high), pad=0.015, aspect=14)
        legend.set_label("depth (m)")
        legend.ax.invert_yaxis()  # near, and bright, at the top
        if row_titles is not None:
            picture_axis.set_ylabel(_text(row_titles[row]))
    for axis, name in zip(axes[0], ["picture", *maps], strict=True):
        axis.set_title(_text(name), fontsize=11)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    if title:
        figure.suptitle(_text(title))
    return figure


def features(path: str | os.PathLike, array: np.ndarray, *, channels: int = 64, title: str | None = None) -> None:
    """Writes a PNG of an intermediate's channels as small grey pictures, each from its least value to its greatest.

    Args:
      path: the file, in an existing folder; written atomically.
      array: [h, w, C]; or [C], shown as one picture of C pixels, row by row.
      channels: the most channels to show, from the first on.
      title: above the figure; None for no title.

    Raises:
      ValueError: if the array has other axes or is empty.
      OSError: if the file cannot be written.
    """
    write_atomically(path, png_bytes(features_figure(array, channels=channels, title=title)))


def features_figure(array: np.ndarray, *, channels: int = 64, title: str | None = None) -> Figure:
    """The figure of `features`, with the same arguments, to show in a notebook."""
    array = np.asarray(array, np.float32)
    if array.ndim not in (1, 3) or not array.size:
        raise ValueError(f"features {array.shape}: expected [h, w, C] or [C]")
    if array.ndim == 1:
        side = math.ceil(math.sqrt(len(array)))
        array = np.pad(array, (0, side * math.ceil(len(array) / side) - len(array)), constant_values=np.nan)
        array = array.reshape(-1, side, 1)
    height, width, count = array.shape
    drawn = min(count, channels)
    columns = math.ceil(math.sqrt(drawn))
    rows = math.ceil(drawn / columns)
    cell = max(1.1, 4.0 / columns)  # inches
    figure = Figure(figsize=(cell * columns + 0.2, cell * rows * height / width + 0.8), dpi=110, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.02, hspace=0.02)
    for channel, axis in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        if channel < drawn:
            axis.imshow(array[..., channel], cmap="gray", interpolation="nearest")
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    if title:
        told = title if drawn == count else f"{title}\nthe first {drawn} of {count} channels"
        figure.suptitle(_text(told), fontsize=9)
    return figure


def curves(path: str | os.PathLike, records: Sequence[Mapping[str, float]], *, title: str | None = None) -> None:
    """Writes a PNG of learning curves: training and validation loss, and delta1 of every output and the baseline.

    The training loss is drawn as recorded (faint) and smoothed. The mean depth baseline is a dashed line at its latest
    value.

    Args:
      path: the file, in an existing folder; written atomically.
      records: the lines of metrics.jsonl in order, each with "step" and any of "SOURCE/train/loss", "SOURCE/val/loss",
        "SOURCE/val/delta1" (the network's final output), "SOURCE/val/OUTPUT/delta1" (another output, such as scale1)
        and "SOURCE/val/mean_depth/delta1". Other names are ignored; values that are not finite leave a gap.
      title: above the figure; None for no title.

    Raises:
      ValueError: if the records are of more than one source.
      OSError: if the file cannot be written.
    """
    write_atomically(path, png_bytes(curves_figure(records, title=title)))


def curves_figure(records: Sequence[Mapping[str, float]], *, title: str | None = None) -> Figure:
    """The figure of `curves`, with the same arguments, to show in a notebook."""
    series = _series(records)
    figure = Figure(figsize=(11.0, 4.2), dpi=110, layout="constrained")
    loss_axis, accuracy_axis = figure.subplots(1, 2, sharex=True)

    if "train/loss" in series:
        steps, values = series["train/loss"]
        loss_axis.plot(steps, values, color="C0", alpha=0.25, linewidth=0.8)
        loss_axis.plot(steps, _smooth(values), color="C0", label="training (smoothed)")
    if "val/loss" in series:
        loss_axis.plot(*series["val/loss"], color="C3", marker="o", markersize=3.5, label="validation")
    losses = [values for line in loss_axis.lines for values in line.get_ydata() if math.isfinite(values)]
    if losses and 0 < 10 * min(losses) < max(losses):
        loss_axis.set_yscale("log")
        loss_axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        loss_axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        loss_axis.yaxis.set_minor_formatter(NullFormatter())
    loss_axis.set(title="loss", xlabel="step", ylabel="scale-invariant loss")

    outputs = sorted(name.split("/")[1] for name in series if name.startswith("val/") and name.count("/") == 2)
    outputs = [name for name in outputs if name != _BASELINE]
    shades = matplotlib.colormaps["viridis"](np.linspace(0.35, 0.9, max(len(outputs), 1)))
    for name, shade in zip(outputs, shades, strict=False):
        label = name.replace("scale", "scale ") if name.startswith("scale") else name
        accuracy_axis.plot(*series[f"val/{name}/delta1"], color=shade, marker="o", markersize=2.5, label=_text(label))
    if "val/delta1" in series:
        label = "final" if outputs else "network"
        accuracy_axis.plot(*series["val/delta1"], color="C3", marker="o", markersize=3.5, linewidth=2, label=label)
    if f"val/{_BASELINE}/delta1" in series:
        value = series[f"val/{_BASELINE}/delta1"][1][-1]
        accuracy_axis.axhline(value, color="0.3", linestyle="--", label=f"mean depth image ({value:.3f})")
    accuracy_axis.set(title="accuracy", xlabel="step", ylabel="delta1 (share of pixels within a factor 1.25)")

    for axis in (loss_axis, accuracy_axis):
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(frameon=False)
    if title:
        figure.suptitle(_text(title))
    return figure


def validation_curves(path: str | os.PathLike, runs: Mapping, *, baseline: float) -> None:
    """Writes a PNG that compares trainings: loss and delta1 on validation frames by epoch.

    Args:
      path: the file, in an existing folder; written atomically.
      runs: {title: (epochs, losses, delta1)}, three sequences of equal length.
      baseline: delta1 of the mean depth image, drawn as a dashed line.

    Raises:
      OSError: if the file cannot be written.
    """
    write_atomically(path, png_bytes(validation_curves_figure(runs, baseline=baseline)))


def validation_curves_figure(runs: Mapping, *, baseline: float) -> Figure:
    """The figure of `validation_curves`, with the same arguments, to show in a notebook."""
    figure = Figure(figsize=(11.0, 4.6), dpi=110, layout="constrained")
    loss_axis, accuracy_axis = figure.subplots(1, 2, sharex=True)
    for title, (epochs, losses, delta1) in runs.items():
        for axis, values in ((loss_axis, losses), (accuracy_axis, delta1)):
            axis.plot(epochs, values, label=_text(title), marker="o", markersize=2.5, linewidth=1.4)
    accuracy_axis.axhline(baseline, color="0.3", linestyle="--", label=f"mean depth image ({baseline:.3f})")
    loss_axis.set(title="loss", xlabel="epoch", ylabel="scale-invariant loss", yscale="log")
    accuracy_axis.set(title="accuracy", xlabel="epoch", ylabel="delta1 (share of pixels within a factor 1.25)")
    for axis in (loss_axis, accuracy_axis):
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    figure.legend(*accuracy_axis.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3)
    return figure


def depth_statistics(path: str | os.PathLike, sources: Mapping) -> None:
    """Writes a PNG that compares the depths of sources.

    Four plots: histograms of all pixels, of the frames' medians and of the spread within a frame; mean depth by row.

    Args:
      path: the file, in an existing folder; written atomically.
      sources: {name: jaxdepth.prepare.statistics.DepthStatistics}.

    Raises:
      OSError: if the file cannot be written.
    """
    write_atomically(path, png_bytes(depth_statistics_figure(sources)))


def depth_statistics_figure(sources: Mapping) -> Figure:
    """The figure of `depth_statistics`, with the same arguments, to show in a notebook."""
    figure = Figure(figsize=(13.0, 3.4), dpi=110, layout="constrained")
    depth_axis, median_axis, spread_axis, rows_axis = figure.subplots(1, 4)
    for i, (name, found) in enumerate(sources.items()):
        style = dict(color=f"C{i}", label=_text(name), linewidth=1.6)
        for axis, values, bins in (
            (depth_axis, found.depths, np.linspace(0, 10, 51)),
            (median_axis, found.medians, np.linspace(0, 10, 26)),
            (spread_axis, found.spread, np.linspace(0, 1, 26)),
        ):
            axis.hist(values, bins, density=True, histtype="step", **style)
        rows_axis.plot(found.rows, (np.arange(len(found.rows)) + 0.5) / len(found.rows), **style)
    depth_axis.set(title="all pixels", xlabel="depth (m)", ylabel="density", yticks=[])
    median_axis.set(title="median of a frame", xlabel="depth (m)", yticks=[])
    spread_axis.set(title="spread within a frame", xlabel="standard deviation of log depth", yticks=[])
    rows_axis.set(title="mean of a row", xlabel="geometric mean depth (m)", ylabel="row, as a share of the height")
    rows_axis.set(ylim=(1, 0))
    for axis in figure.axes:
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    rows_axis.legend(frameon=False)
    return figure


def png_bytes(figure: Figure) -> bytes:
    """Draws a figure as the bytes of a PNG."""
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata=PNG_TEXT)
    return file.getvalue()


def _text(text: str) -> str:
    """Text that matplotlib draws as it is: a $ begins no mathematics, and every character can be drawn."""
    return "\n".join(map(shown, str(text).split("\n"))).replace("$", r"\$")


def metres(depth: np.ndarray) -> np.ndarray:
    """Depth as float32, with invalid values as 0."""
    depth = np.asarray(depth).astype(np.float32)
    return np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(0))


def _draw_depth(axis, depth, low, high, *, size):
    """Draws depth [h, w] in colours from `low` to `high` metres over `size` (H, W), without invalid pixels."""
    return axis.imshow(
        np.ma.masked_equal(depth, 0.0),
        cmap=DEPTH_COLORS,
        vmin=low,
        vmax=high,
        extent=(0, size[1], size[0], 0),
        interpolation="nearest",
    )


def value_range(maps: Sequence[np.ndarray]) -> tuple[float, float]:
    """Least and greatest valid depth of some maps, widened if they are equal; (0, 1) if there is none."""
    values = np.concatenate([depth[depth > 0] for depth in maps])
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    return (low, high) if low < high else (0.9 * low, 1.1 * high)


def _extension(maps: Sequence[np.ndarray], low: float, high: float) -> str:
    """Which ends of the colour bar need an arrow: matplotlib's `extend`."""
    below = any(((depth > 0) & (depth < low)).any() for depth in maps)
    above = any((depth > high).any() for depth in maps)
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[below, above]


def _series(records: Sequence[Mapping[str, float]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The curves to draw: {name without its source: (steps, values)}, with NaN for None (null in JSON)."""
    points, sources = {}, set()
    for record in records:
        for full_name, value in record.items():
            source, _, name = full_name.partition("/")
            if name in ("train/loss", "val/loss") or (name.startswith("val/") and name.endswith("/delta1")):
                sources.add(source)
                points.setdefault(name, []).append((record["step"], math.nan if value is None else value))
    if len(sources) > 1:
        raise ValueError(f"records of sources {', '.join(sorted(sources))}: expected a single one")
    return {name: tuple(np.asarray(pairs, np.float64).T) for name, pairs in points.items()}


def _smooth(values: np.ndarray) -> np.ndarray:
    """Moving average over a twentieth of the curve, without values that are not finite; shorter at the ends."""
    radius = len(values) // 40
    finite = np.isfinite(values)
    window = np.ones(2 * radius + 1)
    total = np.convolve(np.where(finite, values, 0.0), window)
    count = np.convolve(finite.astype(np.float64), window)
    inner = slice(radius, radius + len(values))
    return np.where(finite, total[inner] / np.maximum(count[inner], 1.0), np.nan)
