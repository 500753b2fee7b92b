"""What the depths of a source hold, frame by frame: what is masked, and what makes training on them pointless."""

import collections
import math
from dataclasses import dataclass

import numpy as np

from jaxdepth.geometry.depth import MAX_DEPTH, MIN_DEPTH, PLAUSIBLE_MEDIAN, mask_invalid

FAR_SHARE = 0.01  # of a frame's pixels
FAR_FACTOR = 2.0  # times as far as 99 % of all other depth
NEARLY_ALL = 0.9  # of the measured depth

_ALWAYS_COUNTED = ("nan", "inf", "negative", "empty_frames")  # the records of earlier runs have these, 0 or not
_PER_OCTAVE, _FIRST_OCTAVE, _OCTAVES = 8, -10, 140  # of the histogram
_SAMPLED = 1 << 14  # pixels of a frame in the histogram, about


@dataclass(frozen=True)
class FarValue:
    """One depth at many pixels, far beyond all other depth: most likely it means that nothing was seen there.

    Attributes:
      metres: the depth.
      count: of its pixels.
      share: of the pixels of all frames.
      most: largest share of a frame's pixels.
      name: of that frame.
    """

    metres: float
    count: int
    share: float
    most: float
    name: str

    @property
    def exactly(self) -> str:
        """The depth in the fewest digits that tell a float32 apart."""
        return str(np.float32(self.metres)).removesuffix(".0")

    def __str__(self) -> str:
        return (
            f"{self.exactly} m at {self.share:.1%} of the pixels, {self.most:.0%} in frame {self.name!r}, "
            "far beyond all other depth"
        )


class Survey:
    """Masks the frames of a source one after the other, and keeps what was found.

    Args:
      invalid: see `depth.mask_invalid`.
      max_depth: see `depth.mask_invalid`.

    Attributes:
      pixels: number of all pixels.
      measured: number of pixels with a measurement, whether or not it is in range.
      masked: {name: count}, as from `depth.mask_invalid`.
      medians: {name of a frame: median of the measured depth in metres, NaN without any}.
    """

    def __init__(self, *, invalid=(), max_depth=MAX_DEPTH):
        self.pixels, self.measured = 0, 0
        self.masked, self.medians = collections.Counter(), {}
        self._invalid, self._max_depth = tuple(invalid), max_depth
        self._histogram = np.zeros(_OCTAVES * _PER_OCTAVE, np.int64)
        self._farthest = {}  # {farthest depth of some frames: [its pixels, (largest share of a frame, the frame)]}

    def add(self, depth, name):
        """Masks a frame.

        Args:
          depth: float32 [H, W], metres.
          name: of the frame.

        Returns:
          float32 [H, W], metres, 0 where there is no valid depth.
        """
        measured, counts = mask_invalid(depth, invalid=self._invalid)
        valid, capped = mask_invalid(measured, max_depth=self._max_depth)
        self.masked.update(counts | {key: capped[key] for key in ("near", "beyond", "empty_frames")})
        self.pixels += depth.size
        values = measured[measured > 0]
        self.measured += values.size
        self.medians[name] = float(np.median(values)) if values.size else math.nan
        if values.size:
            farthest = float(values.max())
            count = int((values == farthest).sum())
            seen = self._farthest.setdefault(farthest, [0, (0.0, name)])
            self._farthest[farthest] = [seen[0] + count, max(seen[1], (count / depth.size, name))]
            sample = values[:: max(1, values.size // _SAMPLED)]
            self._histogram += np.bincount(_bin(sample), minlength=len(self._histogram))
        return valid

    @property
    def counts(self) -> dict[str, int]:
        """What was masked, for `Frames.counts`."""
        return {name: n for name, n in self.masked.items() if n or name in _ALWAYS_COUNTED}

    def far_value(self) -> FarValue | None:
        """Depth that is probably no measurement.

        It is the farthest of a frame, at FAR_SHARE of its pixels or more, and FAR_FACTOR times as far as 99 % of all
        other depth.
        """
        for metres, (count, (most, name)) in sorted(self._farthest.items(), reverse=True):
            others = self._percentile(without=metres)
            if most >= FAR_SHARE and others is not None and metres >= FAR_FACTOR * others:
                return FarValue(metres, count, count / self.pixels, most, name)
        return None

    def notes(self) -> list[str]:
        """What the user should know though training is possible: a few lines."""
        notes, far = [], self.far_value()
        if any(self._invalid) and not self.masked["invalid"]:
            values = ", ".join(f"{value:g}" for value in self._invalid)
            notes.append(f"config.data.invalid={values}: no pixel has this depth (in metres)")
        if far:
            notes.append(f"{far}: is it a measurement? --config.data.invalid={far.exactly} masks it")
        beyond = self.masked["beyond"] - (far.count if far and far.metres > self._max_depth else 0)
        if beyond > 0:
            share, better = f"{beyond / self.measured:.1%} of the measured depth", self._better_cap(far)
            advice = f": --config.data.max_depth={better:g} takes nearly all of it" if better > self._max_depth else ""
            notes.append(f"{share} is beyond {self._max_depth:g} m and counts nowhere{advice}")
        return notes

    def problem(self) -> str | None:
        """Why nothing can be trained on these depths; None if something can."""
        return self.unmasked_value() or self._unit_problem() or self.nearly_all_beyond()

    def unmasked_value(self) -> str | None:
        """Why training is refused because of `far_value`: it is most of a frame. None if data.invalid has a 0."""
        far = self.far_value()
        if far is None or far.most <= 0.5 or 0 in self._invalid:
            return None
        return (
            f"{far}: give --config.data.invalid={far.exactly} if nothing was measured there, and "
            "--config.data.invalid=0 if it was"
        )

    def nearly_all_beyond(self) -> str | None:
        """Why training is refused if nearly all of the depth is beyond the cap; None if it is not."""
        if not self.measured or self.masked["beyond"] < NEARLY_ALL * self.measured:
            return None
        return (
            f"{self.masked['beyond'] / self.measured:.1%} of the measured depth is beyond {self._max_depth:g} m: give "
            f"--config.data.max_depth={self._better_cap(self.far_value()):g}"
        )

    def _unit_problem(self):
        (low, high), medians = PLAUSIBLE_MEDIAN, [value for value in self.medians.values() if not math.isnan(value)]
        if not medians or low <= (median := float(np.median(medians))) <= high:
            return None
        return f"median depth {median:.4g}; expected metres, {low:g} to {high:g}"

    def _better_cap(self, far):
        """Metres up to which 99 % of the depth lies, rounded up to one digit."""
        metres = self._percentile(without=far and far.metres)
        unit = 10.0 ** math.floor(math.log10(metres))
        return math.ceil(metres / unit) * unit

    def _percentile(self, *, without=None):
        """Metres up to which 99 % of the depth lies, but for the depths of about `without` metres; None if none is."""
        histogram = self._histogram.copy()
        if without is not None:
            histogram[_bin(without)] = 0
        cumulative = np.cumsum(histogram)
        index = int(np.searchsorted(cumulative, 0.99 * cumulative[-1]))
        return 2.0 ** (_FIRST_OCTAVE + (index + 1) / _PER_OCTAVE) if cumulative[-1] else None


def in_words(counts) -> str:
    """The counts of masked pixels and frames, for a log."""
    names = {"inf": "infinite", "near": f"up to {MIN_DEPTH:g} m", "beyond": "beyond the cap", "nan": "NaN"}
    pixels = ", ".join(f"{n} {names.get(name, name)}" for name, n in counts.items() if name != "empty_frames")
    return f"masked depths: {pixels} pixels; {counts['empty_frames']} frames without valid depth"


def _bin(metres):
    """The bins of depths in the histogram."""
    return np.clip((np.log2(metres) - _FIRST_OCTAVE) * _PER_OCTAVE, 0, _OCTAVES * _PER_OCTAVE - 1).astype(np.int64)
