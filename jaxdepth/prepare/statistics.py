"""Statistics of a source's depths, to compare sources. Numpy only."""

from dataclasses import dataclass

import numpy as np

from jaxdepth.errors import InputError

ROWS = 48  # bands of a frame's rows


@dataclass(frozen=True)
class DepthStatistics:
    """Statistics of the valid depths of N frames, in metres except for `spread`.

    Attributes:
      depths: float32 [n], every 16th valid depth.
      medians: float32 [N], median of each frame.
      spread: float32 [N], standard deviation of the natural log of depth within each frame.
      rows: float32 [ROWS], geometric mean of each band of rows, from the top; NaN for a band without depth.
    """

    depths: np.ndarray
    medians: np.ndarray
    spread: np.ndarray
    rows: np.ndarray

    def summary(self) -> str:
        """The main numbers in one line."""
        low, middle, high = np.percentile(self.depths, (10, 50, 90))
        top, centre, bottom = (float(part.mean()) for part in np.array_split(self.rows, 3))
        return (
            f"{len(self.medians)} frames: median {middle:.2f} m, 80 % within {low:.2f} to {high:.2f} m, "
            f"spread within a frame {self.spread.mean():.2f}, "
            f"upper, middle, lower third {top:.2f}, {centre:.2f}, {bottom:.2f} m"
        )


def depth_statistics(depths) -> DepthStatistics:
    """Computes the statistics of some frames' depths.

    Args:
      depths: [M, H, W], metres, 0 where there is no measurement; frames without a valid depth are left out.

    Returns:
      A DepthStatistics.

    Raises:
      InputError: if no frame has a valid depth.
    """
    valid = [depth for depth in depths if (depth > 0).any()]
    if not valid:
        raise InputError(f"none of {len(depths)} frames has a valid depth")
    logs = [np.log(depth[depth > 0]) for depth in valid]
    bands = [np.array_split(depth, ROWS) for depth in valid]
    rows = [np.concatenate([bands_of[i][bands_of[i] > 0] for bands_of in bands]) for i in range(ROWS)]
    return DepthStatistics(
        depths=np.float32(np.exp(np.concatenate(logs)[::16])),
        medians=np.float32([np.exp(np.median(log)) for log in logs]),
        spread=np.float32([log.std() for log in logs]),
        rows=np.float32([np.exp(np.log(row).mean()) if row.size else np.nan for row in rows]),
    )
