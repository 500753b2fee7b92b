"""Checks a folder of pictures and depths before training. No jax, no tensorflow."""

import collections
import pathlib
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from jaxdepth.data import splits
from jaxdepth.data.files import depth_maps
from jaxdepth.data.files.writing import check_output
from jaxdepth.data.sources import folder_splits, pairs
from jaxdepth.errors import InputError
from jaxdepth.geometry import resize
from jaxdepth.geometry.depth import MAX_DEPTH, MIN_DEPTH, PLAUSIBLE_MEDIAN, check_range
from jaxdepth.geometry.depth_survey import Survey
from jaxdepth.output import figures
from jaxdepth.paths import shown

SHEET_PAIRS = 12
SHEET_SIZE = (240, 320)

_INVALID = {"nan": "NaN", "inf": "infinite", "negative": "negative"}


@dataclass(frozen=True)
class Report:
    """The result of a check.

    Attributes:
      lines: what was found, to print.
      errors: the reasons for which training would refuse the folder; empty if it would not.
      refused: what the errors mean.
    """

    lines: list[str]
    errors: list[str]
    refused: str = "training would refuse this folder"

    def __str__(self) -> str:
        last = f"{len(self.errors)} errors: {self.refused}" if self.errors else "no errors"
        return "\n".join([*self.lines, *(f"error: {error}" for error in self.errors), last])


def check(
    folder,
    *,
    image=None,
    depth=None,
    depth_scale=None,
    intrinsics=None,
    invalid=(),
    max_depth=MAX_DEPTH,
    sheet=None,
) -> Report:
    """Reads every pair of a folder as training would, and reports all errors, not only the first.

    Args:
      folder: the folder.
      image: pattern of the pictures, see `pairs.find`.
      depth: pattern of the depths, see `pairs.find`.
      depth_scale: metres per unit, see `depth_maps.read_depth`.
      intrinsics: of the pictures, see `open_folder`.
      invalid: depths in metres that are no measurement.
      max_depth: metres; depth beyond it is masked.
      sheet: a PNG to write: up to SHEET_PAIRS pictures beside their depths, cropped as in training. None for no file.

    Returns:
      A Report.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: for malformed patterns, a folder without pairs, or a setting out of range.
      OSError: if the sheet cannot be written.
    """
    depth_maps.check_scale(depth_scale)
    check_range(invalid=invalid, max_depth=max_depth)
    listing = pairs.find(folder, image=image, depth=depth)
    errors = listing.missing()
    lines = [f"{len(listing)} pairs in {shown(listing.folder)}: pictures {listing.image}, depths {listing.depth}"]
    if sheet is not None:
        pathlib.Path(sheet).parent.mkdir(parents=True, exist_ok=True)  # fails before the work, not after it
        check_output(sheet)
    survey = Survey(invalid=invalid, max_depth=max_depth)
    found = _read_all(listing, errors, survey, depth_scale=depth_scale)
    lines += [
        f"sizes: {n} pictures {p[0]}x{p[1]} with depths {d[0]}x{d[1]} (height x width)"
        for (p, d), n in found.sizes.most_common(5)
    ]
    lines += pairs.turned_notes(*found.turned)
    lines += pairs.view_notes(sum(n for (p, d), n in found.sizes.items() if not pairs.same_shape(p, d)))
    if survey.medians:
        lines += _depth_lines(found, survey, max_depth)
    problem = survey.medians and pairs.depth_problem(survey, max(found.scales))
    if problem:
        errors.append(problem)
    if found.sizes:
        try:
            lines.append(_camera_line(intrinsics, sorted({size for size, _ in found.sizes})))
        except InputError as error:
            errors.append(str(error))
    try:
        lists, ids = folder_splits.folder_lists(listing), listing.ids
        split = splits.split(next(iter(lists)), ids, lists=lists)
        lines.append(folder_splits.in_words(lists, folder_splits.scenes_of(listing.names), ids))
        if not problem:
            splits.check_depths(lambda index: index not in found.empty, split, source="folder", max_depth=max_depth)
    except InputError as error:
        errors.append(str(error))
    if sheet is not None and found.shown:
        names, pictures, depths = zip(*found.shown, strict=True)
        figures.panel(sheet, np.stack(pictures), {"depth": np.stack(depths)}, row_titles=names, title=str(folder))
        lines.append(f"contact sheet: {sheet}")
    return Report(lines, errors)


@dataclass
class _Found:
    """What the pairs of a folder hold, besides the depths' survey.

    Attributes:
      sizes: number of pairs by (size of the picture, size of the depth).
      scales: the metres per unit of the files.
      turned: numbers of pictures and of depths that were turned upright.
      zero: number of pixels that are 0 in the files.
      worst: largest share of invalid pixels in a frame.
      empty: indices of the frames without valid depth.
      shown: [(name, picture, depth)] for the contact sheet.
    """

    sizes: collections.Counter = field(default_factory=collections.Counter)
    scales: set[float] = field(default_factory=set)
    turned: np.ndarray = field(default_factory=lambda: np.zeros(2, int))
    zero: int = 0
    worst: float = 0.0
    empty: set[int] = field(default_factory=set)
    shown: list[tuple[str, np.ndarray, np.ndarray]] = field(default_factory=list)


def _read_all(listing, errors, survey, *, depth_scale) -> _Found:
    """Reads all pairs; appends what cannot be read to `errors`."""
    found = _Found()
    chosen = set(np.linspace(0, len(listing) - 1, SHEET_PAIRS).astype(int))
    for i, pair in enumerate(tqdm(listing, desc=listing.folder.name, unit="pair", disable=None)):
        try:
            read = pairs.read(pair, depth_scale=depth_scale)
        except (OSError, InputError) as error:
            errors.append(str(error))
            continue
        valid = survey.add(read.depth, pair.name)
        found.sizes[(read.picture.shape[:2], read.depth.shape)] += 1
        found.scales.add(read.scale)
        found.turned += read.picture_turned, read.depth_turned
        found.zero += int((read.depth == 0).sum())
        found.worst = max(found.worst, float((valid == 0).mean()))
        picture, depth = _small(read.picture, valid)
        if not depth.any():
            found.empty.add(i)
        if i in chosen:
            found.shown.append((pair.name, picture, depth))
    return found


def _small(picture, valid):
    """A pair at SHEET_SIZE, cropped as in training."""
    pitch = resize.central_pitch(picture.shape[:2], SHEET_SIZE)
    sizes = dict(frame_size=SHEET_SIZE, picture_size=picture.shape[:2])
    depth = resize.central_nearest(valid, out_size=SHEET_SIZE, **sizes)
    return resize.shrink(picture, SHEET_SIZE, pitch=pitch), depth


def _camera_line(intrinsics, sizes) -> str:
    """A line about the camera; raises InputError where training would refuse it."""
    if not intrinsics:
        return "camera: not given, so NYU's is assumed, and metres may be wrong: give --fx=PIXELS"
    from jaxdepth.data.sources import folder  # imports jax, for seconds
    from jaxdepth.geometry import camera, framing

    of_frames = framing.frame_intrinsics(folder.camera_of(intrinsics, sizes), size=sizes[0], frame_size=SHEET_SIZE)
    (h, w), (fx, fy) = SHEET_SIZE, of_frames[:2]
    across, down = (camera.field_of_view((f, f), (0, n)) for f, n in ((fx, w), (fy, h)))
    return f"camera: the frames' field of view is {across:.1f} x {down:.1f} degrees at {w}x{h}"


def _depth_lines(found, survey, max_depth) -> list[str]:
    """Lines about the unit and the invalid depths."""
    values = np.array([value for value in survey.medians.values() if not np.isnan(value)])
    lines = []
    if values.size:
        units = " and ".join(f"{scale:g} m" for scale in sorted(found.scales))
        lines.append(
            f"depth: median {np.median(values):.3g} m, of single frames {values.min():.3g} to {values.max():.3g} m, "
            f"one unit is {units}"
        )
        low, high = PLAUSIBLE_MEDIAN
        odd = [name for name, value in survey.medians.items() if value < low or value > high]
        if odd and len(odd) < len(values):
            lines.append(
                f"warning: the median is outside {low:g} to {high:g} m in {len(odd)} frames, first in {shown(odd[0])}"
            )
    counts = {"zero": found.zero} | {text: survey.masked[name] for name, text in _INVALID.items()}
    rarer = {"listed": "invalid", f"up to {MIN_DEPTH:g} m": "near", f"beyond {max_depth:g} m": "beyond"}
    counts |= {text: survey.masked[name] for text, name in rarer.items() if survey.masked[name]}
    shares = ", ".join(f"{text} {count / survey.pixels:.1%}" for text, count in counts.items())
    share = sum(counts.values()) / survey.pixels
    lines.append(f"invalid: {share:.1%} of the pixels ({shares}), at most {found.worst:.1%} in a frame")
    lines += [f"warning: {note}" for note in survey.notes()]
    if survey.masked["empty_frames"]:
        lines.append(f"warning: frames without valid depth: {survey.masked['empty_frames']}")
    return lines
