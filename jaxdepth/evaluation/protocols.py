"""Evaluation protocols: at which size and inside which window a prediction is scored, and how the scores are pooled."""

import dataclasses

from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import NYU_SIZE, Intrinsics, crop_intrinsics, resize_intrinsics
from jaxdepth.geometry.depth import MIN_DEPTH
from jaxdepth.geometry.framing import RESIZES, centre_corner, to_nyu_size

POOLINGS = {
    "images": "mean over images of per-image values",
    "pixels": "over all pixels of all images (edges and further measures: mean over images)",
}


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How predictions are scored.

    Attributes:
      name: what `--protocol` takes.
      full_size: whether they are scored at 480x640; otherwise at the network's size, inside the centre crop.
      rows: (first, past the last) row of the window, or None for all.
      columns: (first, past the last) column of the window, or None for all.
      origin: who scores so, for the docs.
      resize: what is interpolated where a prediction has another size: "depth" or "log_depth".
      pooling: one of POOLINGS.
    """

    name: str
    full_size: bool
    rows: tuple | None = None
    columns: tuple | None = None
    origin: str = ""
    resize: str = "depth"
    pooling: str = "images"

    def enlarge(self, log_depth, *, frame_size, crop_size):
        """Brings a network's prediction of the centre crop to the size that is scored.

        Args:
          log_depth: [B, h, w] of the centre crop.
          frame_size: (H, W) of the frames that were cropped.
          crop_size: (h, w).

        Returns:
          Log depth [B, H, W].
        """
        if not self.full_size:
            return log_depth
        return to_nyu_size(log_depth, frame_size=frame_size, crop_size=crop_size, resize=self.resize)

    def cut(self, array):
        """The protocol's window of [B, H, W]."""
        rows, columns = (slice(*part) if part else slice(None) for part in (self.rows, self.columns))
        return array[:, rows, columns]

    def camera(self, intrinsics, *, frame_size, crop_size):
        """Intrinsics in pixels of the window, from those in pixels of the frame; None of None."""
        if intrinsics is None:
            return None
        if self.full_size:
            full = resize_intrinsics(Intrinsics(*intrinsics), from_size=frame_size, to_size=NYU_SIZE)
        else:
            top, left = centre_corner(frame_size, crop_size=crop_size)
            full = crop_intrinsics(Intrinsics(*intrinsics), top=top, left=left)
        return crop_intrinsics(full, top=(self.rows or (0,))[0], left=(self.columns or (0,))[0])

    def describe(self, frames, split, *, crop_size):
        """Everything that a number needs beside it, for JSON.

        Args:
          frames: a Frames.
          split: a Split, whose `val` frames are scored.
          crop_size: (h, w) of the network's input.
        """
        size = NYU_SIZE if self.full_size else tuple(crop_size)
        what = self.resize.replace("_", " ")
        return {
            "name": self.name,
            "source": frames.name,
            "split": split.name,
            "split_hash": split.hash,
            "frames": len(split.val),
            "truth": frames.truth,
            "scored_at": list(size),
            "resize": f"border replicated to the frame, then bilinear {what}" if self.full_size else "none",
            "rows": list(self.rows or (0, size[0])),
            "columns": list(self.columns or (0, size[1])),
            "min_depth": MIN_DEPTH,
            "max_depth": frames.max_depth,
            "clipping": "predictions are clipped to the depth range",
            **({"invalid": list(frames.invalid)} if frames.invalid else {}),
            "pooling": POOLINGS[self.pooling],
        }


PROTOCOLS = {
    p.name: p
    for p in (
        Protocol("paper", full_size=False, origin="the paper, section 3.2"),
        Protocol(
            "eigen_crop",
            full_size=True,
            rows=(45, 471),
            columns=(41, 601),
            origin="Eigen 2014, as everybody's Python has it: most published numbers",
        ),
        Protocol(
            "silberman_crop",
            full_size=True,
            rows=(44, 471),
            columns=(40, 601),
            origin="the mask of NYU's MATLAB toolbox, which counts from 1: a row and a column more",
        ),
        Protocol("full", full_size=True, origin="the whole frame, its white border too"),
    )
}


def network_input(frame_size, *, crop_size):
    """What a network sees of a frame, in words."""
    (h, w), (height, width) = crop_size, frame_size
    return f"centre {h}x{w} of {height}x{width} (rows x columns)"


def choose(name, *, resize="depth", pooling="images"):
    """The Protocol of a name, with a choice of what is interpolated and how the scores are pooled.

    Raises:
      InputError: for an unknown name, resize or pooling.
    """
    given = dict(protocol=(name, PROTOCOLS), resize=(resize, RESIZES), pooling=(pooling, POOLINGS))
    for what, (value, known) in given.items():
        if value not in known:
            raise InputError(f"{what}={value!r}: expected one of {', '.join(known)}")
    return dataclasses.replace(PROTOCOLS[name], resize=resize, pooling=pooling)
