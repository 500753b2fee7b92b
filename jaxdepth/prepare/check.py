"""A look at a folder of pictures and depths before it is trained on. No jax, no tensorflow."""

import collections
import pathlib
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from jaxdepth.data.files import depth_maps
from jaxdepth.data.frames import METRES, mask_invalid
from jaxdepth.data.sources import pairs
from jaxdepth.data.splits import folder_lists
from jaxdepth.geometry import resize
from jaxdepth.output import figures

SHEET_PAIRS = 12
SHEET_SIZE = (240, 320)


@dataclass(frozen=True)
class Report:
    """What was found: `lines` to read, and `errors`, for each of which training refuses the folder."""

    lines: list[str]
    errors: list[str]

    def __str__(self) -> str:
        last = f"{len(self.errors)} errors: training would refuse this folder" if self.errors else "no errors"
        return "\n".join([*self.lines, *(f"error: {error}" for error in self.errors), last])


def check(folder, *, image=None, depth=None, depth_scale=None, sheet=None) -> Report:
    """Read every pair of a folder as training would, and report all that is wrong, not the first thing alone.

    Args:
      folder: the folder; image, depth: patterns, see `jaxdepth.data.sources.pairs.find`.
      depth_scale: metres of one unit of the depths, see `jaxdepth.data.files.depth_maps.read_depth`.
      sheet: a PNG to write, with up to 12 pairs: the picture beside its depth in colour and metres, cut as in training.
        None: no such picture.

    Raises:
      FileNotFoundError, ValueError: no such folder, patterns that give not one pair, or a scale that is none.
      OSError: a sheet that cannot be written.
    """
    depth_maps.check_scale(depth_scale)
    listing = pairs.find(folder, image=image, depth=depth)
    every = listing.pairs
    errors = listing.missing()
    lines = [f"{len(every)} pairs in {listing.folder}: pictures {listing.image}, depths {listing.depth}"]
    if sheet is not None:
        pathlib.Path(sheet).parent.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    chosen = set(np.linspace(0, len(every) - 1, SHEET_PAIRS).astype(int))
    sizes, scales, kinds = collections.Counter(), collections.Counter(), collections.Counter()
    medians, pixels, worst, shown = {}, 0, (0.0, None), []
    for i, pair in enumerate(tqdm(every, desc=listing.folder.name, unit="pair", disable=None)):
        try:
            picture, metres, scale = pairs.read(pair, depth_scale=depth_scale)
        except (OSError, ValueError) as error:
            errors.append(str(error))
            continue
        valid, masked = mask_invalid(metres)
        sizes[(picture.shape[:2], metres.shape)] += 1
        scales[scale] += 1
        kinds.update(masked | {"zero": int((metres == 0).sum())})
        pixels += metres.size
        medians[pair.name] = pairs.median(valid)
        worst = max(worst, (float((valid == 0).mean()), pair.name), key=lambda item: item[0])
        if i in chosen:
            shown.append((pair.name, *_small(picture, valid)))
    if medians:
        lines += _about_depths(medians, scales, kinds, pixels, worst)
        if problem := pairs.median_problem(list(medians.values()), max(scales)):
            errors.append(problem)
    lines[1:1] = [f"sizes: {n} pictures {p[0]}x{p[1]} with depths {d[0]}x{d[1]}" for (p, d), n in sizes.most_common(5)]
    try:
        ((name, (train, val)),) = folder_lists(folder, [pair.name for pair in every], listing.ids).items()
        lines.append(f"split: {name}, {len(train)} to train on, {len(val)} to validate")
    except ValueError as error:
        errors.append(str(error))
    if sheet is not None and shown:
        names, pictures, depths = zip(*shown, strict=True)
        figures.panel(sheet, np.stack(pictures), {"depth": np.stack(depths)}, row_titles=names, title=str(folder))
        lines.append(f"contact sheet: {sheet}")
    return Report(lines, errors)


def _small(picture, valid):
    """A pair as training cuts it, at SHEET_SIZE."""
    pitch = resize.central_pitch(picture.shape[:2], SHEET_SIZE)
    depth = resize.central_nearest(valid, frame_size=SHEET_SIZE, out_size=SHEET_SIZE)
    return resize.shrink(picture, SHEET_SIZE, pitch=pitch), depth


def _about_depths(medians, scales, kinds, pixels, worst) -> list[str]:
    """Lines on the unit and on what is no measurement."""
    values = np.array([value for value in medians.values() if not np.isnan(value)])
    lines = []
    if values.size:
        units = " and ".join(f"{scale:g} m" for scale in sorted(scales))
        lines.append(
            f"depth: median {np.median(values):.3g} m, of single frames {values.min():.3g} to {values.max():.3g} m, "
            f"one unit is {units}"
        )
        low, high = METRES
        odd = [name for name, value in medians.items() if value < low or value > high]
        if odd and len(odd) < len(values):
            lines.append(
                f"warning: the median is outside {low:g} to {high:g} m in {len(odd)} frames, {odd[0]} the first"
            )
    invalid = sum(kinds[name] for name in ("zero", "nan", "inf", "negative"))
    shares = ", ".join(f"{text} {kinds[name] / pixels:.1%}" for name, text in _KINDS.items())
    lines.append(f"invalid: {invalid / pixels:.1%} of the pixels ({shares}), at most {worst[0]:.1%} in a frame")
    if kinds["empty_frames"]:
        lines.append(f"warning: {kinds['empty_frames']} frames have no depth at all")
    return lines


_KINDS = {"zero": "0", "nan": "NaN", "inf": "infinite", "negative": "negative"}
