"""Checks a test set on the disk before it is used for evaluation. No jax, no tensorflow."""

import collections
import math
import pathlib

import numpy as np
from PIL import Image
from tqdm import tqdm

from jaxdepth import paths
from jaxdepth.data.files.writing import check_output
from jaxdepth.data.sources import testsets
from jaxdepth.errors import InputError
from jaxdepth.geometry.depth import check_range
from jaxdepth.geometry.depth_survey import Survey
from jaxdepth.geometry.resize import nearest_index, take_nearest
from jaxdepth.output import figures
from jaxdepth.prepare.check import SHEET_PAIRS, SHEET_SIZE, Report


def check(kind, path, *, max_depth=None, sheet=None) -> Report:
    """Reads every picture of a test set and its truth as evaluation would, and reports all errors.

    Args:
      kind: one of `testsets.KINDS`.
      path: its folder.
      max_depth: metres up to which depth counts; None for the set's usual cap.
      sheet: a PNG to write: up to SHEET_PAIRS pictures beside their truth. None for no file.

    Returns:
      A Report.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: for an unknown kind, another layout, or a cap out of range.
      OSError: if the sheet cannot be written.
    """
    if kind not in testsets.KINDS:
        raise InputError(f"kind={kind!r}: expected one of {', '.join(testsets.KINDS)}")
    of_kind = testsets.KINDS[kind]
    max_depth = of_kind.max_depth if max_depth is None else max_depth
    check_range(invalid=(), max_depth=max_depth)
    found = of_kind.find(path)
    if sheet is not None:
        pathlib.Path(sheet).parent.mkdir(parents=True, exist_ok=True)  # fails before the work, not after it
        check_output(sheet)
    survey, errors, shown, sizes = Survey(max_depth=max_depth), [], [], collections.Counter()
    chosen = set(np.linspace(0, len(found.examples) - 1, SHEET_PAIRS).astype(int).tolist())
    for i, example in enumerate(tqdm(found.examples, desc=kind, unit="picture", disable=None)):
        try:
            picture, depth = found.image(example), found.read_depth(example)
            if depth.shape != tuple(example.size):
                raise InputError(f"{example.name}: depth of {depth.shape}: expected {tuple(example.size)}")
            if found.read_annotations is not None:
                found.read_annotations(example)
        except (OSError, InputError) as error:
            errors.append(paths.shown(error))
            continue
        valid = survey.add(depth, example.name)
        sizes[picture.shape[:2], depth.shape] += 1
        if i in chosen:
            shown.append((example.name, _small(picture), _nearest(valid)))
    lines = [f"{of_kind.title}: {len(found.examples)} pictures in {found.folder}", *found.notes]
    lines += [
        f"sizes: {n} pictures {p[0]}x{p[1]} with truth {d[0]}x{d[1]} (height x width)"
        for (p, d), n in sizes.most_common(5)
    ]
    lines += _camera_lines(found.examples) + _depth_lines(survey, max_depth)
    lines.append(f"usual protocol: {of_kind.protocol}, up to {of_kind.max_depth:g} m")
    if sheet is not None and shown:
        names, pictures, depths = zip(*shown, strict=True)
        figures.panel(sheet, np.stack(pictures), {"truth": np.stack(depths)}, row_titles=names, title=of_kind.title)
        lines.append(f"contact sheet: {sheet}")
    return Report([paths.shown(line) for line in lines], errors, refused="evaluation would fail at these pictures")


def _camera_lines(examples):
    known = [example.camera for example in examples if example.camera is not None]
    if not known:
        return ["camera: unknown, so that of the training is assumed"]
    focal = [camera.fx for camera in known]
    rest = f", of {len(examples) - len(known)} pictures unknown" if len(known) < len(examples) else ""
    return [f"camera: fx {min(focal):.1f} to {max(focal):.1f} pixels of the truth{rest}"]


def _depth_lines(survey, max_depth):
    medians = np.array([value for value in survey.medians.values() if not math.isnan(value)])
    if not medians.size:
        return ["warning: no picture has valid depth"] if survey.medians else []
    low, middle, high = medians.min(), np.median(medians), medians.max()
    beyond = survey.masked["beyond"]
    lines = [
        f"depth: median {middle:.3g} m, of single pictures {low:.3g} to {high:.3g} m; "
        f"{1 - survey.measured / survey.pixels:.1%} of the pixels without a measurement, "
        f"{beyond / survey.pixels:.1%} beyond {max_depth:g} m"
    ]
    if empty := survey.masked["empty_frames"]:
        lines.append(f"warning: pictures without valid depth: {empty}")
    return lines


def _small(picture):
    return np.asarray(Image.fromarray(picture).resize(SHEET_SIZE[::-1], Image.Resampling.BOX))


def _nearest(depth):
    rows, columns = (nearest_index(n, out) for n, out in zip(depth.shape, SHEET_SIZE, strict=True))
    return take_nearest(depth, rows, columns)
