"""Checks a folder of pictures and depths before training. No jax, no tensorflow."""

import collections
import pathlib
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from jaxdepth.data.files import depth_maps
from jaxdepth.data.files.writing import check_output
from jaxdepth.data.sources import pairs
from jaxdepth.data.splits import folder_lists
from jaxdepth.errors import InputError
from jaxdepth.geometry import resize
from jaxdepth.geometry.depth import PLAUSIBLE_MEDIAN, mask_invalid
from jaxdepth.output import figures

SHEET_PAIRS = 12
SHEET_SIZE = (240, 320)

_INVALID = {"zero": "0", "nan": "NaN", "inf": "infinite", "negative": "negative"}


@dataclass(frozen=True)
class Report:
    """The result of a check.

    Attributes:
      lines: what was found, to print.
      errors: the reasons for which training would refuse the folder; empty if it would not.
    """

    lines: list[str]
    errors: list[str]

    def __str__(self) -> str:
        last = f"{len(self.errors)} errors: training would refuse this folder" if self.errors else "no errors"
        return "\n".join([*self.lines, *(f"error: {error}" for error in self.errors), last])


def check(folder, *, image=None, depth=None, depth_scale=None, sheet=None) -> Report:
    """Reads every pair of a folder as training would, and reports all errors, not only the first.

    Args:
      folder: the folder.
      image: pattern of the pictures, see `pairs.find`.
      depth: pattern of the depths, see `pairs.find`.
      depth_scale: metres per unit, see `depth_maps.read_depth`.
      sheet: a PNG to write: up to SHEET_PAIRS pictures beside their depths, cropped as in training. None for no file.

    Returns:
      A Report.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: for malformed patterns, a folder without pairs, or a depth_scale out of range.
      OSError: if the sheet cannot be written.
    """
    depth_maps.check_scale(depth_scale)
    listing = pairs.find(folder, image=image, depth=depth)
    errors = listing.missing()
    lines = [f"{len(listing.pairs)} pairs in {listing.folder}: pictures {listing.image}, depths {listing.depth}"]
    if sheet is not None:
        pathlib.Path(sheet).parent.mkdir(parents=True, exist_ok=True)  # fails before the work, not after it
        check_output(sheet)
    found = _read_all(listing, errors, depth_scale=depth_scale)
    lines += [
        f"sizes: {n} pictures {p[0]}x{p[1]} with depths {d[0]}x{d[1]}" for (p, d), n in found.sizes.most_common(5)
    ]
    if found.medians:
        lines += _depth_lines(found)
        if problem := pairs.median_problem(list(found.medians.values()), max(found.scales)):
            errors.append(problem)
    try:
        names = [pair.name for pair in listing.pairs]
        ((name, (train, val)),) = folder_lists(listing.folder, names, listing.ids).items()
        lines.append(f"split: {name}, {len(train)} to train on, {len(val)} to validate")
    except InputError as error:
        errors.append(str(error))
    if sheet is not None and found.shown:
        names, pictures, depths = zip(*found.shown, strict=True)
        figures.panel(sheet, np.stack(pictures), {"depth": np.stack(depths)}, row_titles=names, title=str(folder))
        lines.append(f"contact sheet: {sheet}")
    return Report(lines, errors)


@dataclass
class _Found:
    """What the pairs of a folder hold.

    Attributes:
      sizes: number of pairs by (size of the picture, size of the depth).
      scales: the metres per unit of the files.
      medians: {name: median depth in metres, NaN without a valid depth}.
      invalid: number of pixels "zero", "nan", "inf" and "negative", and of "empty_frames".
      pixels: number of depth pixels.
      worst: largest share of invalid pixels in a frame.
      shown: [(name, picture, depth)] for the contact sheet.
    """

    sizes: collections.Counter = field(default_factory=collections.Counter)
    scales: set[float] = field(default_factory=set)
    medians: dict[str, float] = field(default_factory=dict)
    invalid: collections.Counter = field(default_factory=collections.Counter)
    pixels: int = 0
    worst: float = 0.0
    shown: list[tuple[str, np.ndarray, np.ndarray]] = field(default_factory=list)


def _read_all(listing, errors, *, depth_scale) -> _Found:
    """Reads all pairs; appends what cannot be read to `errors`."""
    found = _Found()
    chosen = set(np.linspace(0, len(listing.pairs) - 1, SHEET_PAIRS).astype(int))
    for i, pair in enumerate(tqdm(listing.pairs, desc=listing.folder.name, unit="pair", disable=None)):
        try:
            picture, metres, scale = pairs.read(pair, depth_scale=depth_scale)
        except (OSError, InputError) as error:
            errors.append(str(error))
            continue
        valid, masked = mask_invalid(metres)
        found.sizes[(picture.shape[:2], metres.shape)] += 1
        found.scales.add(scale)
        found.invalid.update(masked | {"zero": int((metres == 0).sum())})
        found.pixels += metres.size
        found.medians[pair.name] = pairs.median(valid)
        found.worst = max(found.worst, float((valid == 0).mean()))
        if i in chosen:
            found.shown.append((pair.name, *_small(picture, valid)))
    return found


def _small(picture, valid):
    """A pair at SHEET_SIZE, cropped as in training."""
    pitch = resize.central_pitch(picture.shape[:2], SHEET_SIZE)
    depth = resize.central_nearest(valid, frame_size=SHEET_SIZE, out_size=SHEET_SIZE)
    return resize.shrink(picture, SHEET_SIZE, pitch=pitch), depth


def _depth_lines(found) -> list[str]:
    """Lines about the unit and the invalid depths."""
    values = np.array([value for value in found.medians.values() if not np.isnan(value)])
    lines = []
    if values.size:
        units = " and ".join(f"{scale:g} m" for scale in sorted(found.scales))
        lines.append(
            f"depth: median {np.median(values):.3g} m, of single frames {values.min():.3g} to {values.max():.3g} m, "
            f"one unit is {units}"
        )
        low, high = PLAUSIBLE_MEDIAN
        odd = [name for name, value in found.medians.items() if value < low or value > high]
        if odd and len(odd) < len(values):
            lines.append(
                f"warning: the median is outside {low:g} to {high:g} m in {len(odd)} frames, first in {odd[0]}"
            )
    counts = {text: found.invalid[name] for name, text in _INVALID.items()}
    shares = ", ".join(f"{text} {count / found.pixels:.1%}" for text, count in counts.items())
    share = sum(counts.values()) / found.pixels
    lines.append(f"invalid: {share:.1%} of the pixels ({shares}), at most {found.worst:.1%} in a frame")
    if found.invalid["empty_frames"]:
        lines.append(f"warning: {found.invalid['empty_frames']} frames have no valid depth")
    return lines
