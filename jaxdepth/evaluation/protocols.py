"""Evaluation protocols: at which size and inside which window a prediction is scored."""

import dataclasses

from jaxdepth.geometry.camera import NYU_SIZE
from jaxdepth.geometry.depth import MIN_DEPTH
from jaxdepth.geometry.framing import to_nyu_size


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How predictions are scored.

    Attributes:
      name: what `--protocol` takes.
      full_size: whether they are scored at 480x640; otherwise at the network's size, inside the centre crop.
      rows: (first, past the last) row of the window, or None for all.
      columns: (first, past the last) column of the window, or None for all.
    """

    name: str
    full_size: bool
    rows: tuple | None = None
    columns: tuple | None = None

    def window(self, log_depth, truth, *, frame_size, crop_size):
        """Brings predictions of the centre crop to the protocol's size, and cuts them and the truth to its window.

        Args:
          log_depth: [B, h, w] of the centre crop.
          truth: [B, H, W] metres at the protocol's size.
          frame_size: (H, W) of the frames that were cropped.
          crop_size: (h, w).

        Returns:
          Log depth and truth of the window, [B, rows, columns], whose pixels are scored.
        """
        if self.full_size:
            log_depth = to_nyu_size(log_depth, frame_size=frame_size, crop_size=crop_size)
        rows, columns = (slice(*part) if part else slice(None) for part in (self.rows, self.columns))
        return log_depth[:, rows, columns], truth[:, rows, columns]

    def describe(self, frames, split, *, crop_size):
        """Everything that a number needs beside it, for JSON.

        Args:
          frames: a Frames.
          split: a Split, whose `val` frames are scored.
          crop_size: (h, w) of the network's input.
        """
        size = NYU_SIZE if self.full_size else tuple(crop_size)
        (h, w), (height, width) = crop_size, frames.size
        return {
            "name": self.name,
            "source": frames.name,
            "split": split.name,
            "split_hash": split.hash,
            "frames": len(split.val),
            "truth": frames.truth,
            "network_input": f"centre {h}x{w} of {height}x{width} (rows x columns)",
            "scored_at": list(size),
            "resize": "border replicated to the frame, then bilinear depth" if self.full_size else "none",
            "rows": list(self.rows or (0, size[0])),
            "columns": list(self.columns or (0, size[1])),
            "min_depth": MIN_DEPTH,
            "max_depth": frames.max_depth,
            **({"invalid": list(frames.invalid)} if frames.invalid else {}),
            "pooling": "mean over images of per-image values",
        }


PROTOCOLS = {
    p.name: p
    for p in (
        Protocol("paper", full_size=False),
        Protocol("eigen_crop", full_size=True, rows=(45, 471), columns=(41, 601)),
        Protocol("full", full_size=True),
    )
}
