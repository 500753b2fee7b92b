"""Evaluation protocols: at which size and inside which window a prediction is scored, and how the scores are pooled."""

import dataclasses

from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import NYU_SIZE
from jaxdepth.geometry.depth import MIN_DEPTH
from jaxdepth.geometry.framing import RESIZES, to_nyu_size

POOLINGS = {
    "images": "mean over images of per-image values",
    "pixels": "over all pixels of all images (edges and further measures: mean over images)",
}


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How predictions are scored.

    Attributes:
      name: what `--protocol` takes.
      full_size: whether they are scored at 480x640, or at sizes of the pictures' own; otherwise at the network's
        size, inside the centre crop.
      rows: (first, past the last) row of the window, or None for all.
      columns: (first, past the last) column of the window, or None for all.
      shares: (top, bottom, left, right) of the window in shares of the height and width, rounded down to pixels; for
        pictures of several sizes.
      origin: who scores so, for the docs.
      resize: what is interpolated where a prediction has another size: "depth" or "log_depth".
      pooling: one of POOLINGS.
    """

    name: str
    full_size: bool
    rows: tuple | None = None
    columns: tuple | None = None
    shares: tuple[float, float, float, float] | None = None
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

    def _several_sizes(self, frames, split):
        """What `describe` says of pictures that differ in size."""
        if frames.own_sizes is None:
            return {}
        sizes = {tuple(size) for size in frames.own_sizes.sizes[split.val].tolist()}
        return {"sizes": [list(size) for size in sorted(sizes)]} if len(sizes) > 1 else {}

    def part(self, size):
        """The window of a picture of `size` (height, width): slices of its rows and columns."""
        if self.shares is None:
            return tuple(slice(*part) if part else slice(None) for part in (self.rows, self.columns))
        top, bottom, left, right = self.shares
        return slice(int(top * size[0]), int(bottom * size[0])), slice(int(left * size[1]), int(right * size[1]))

    def describe(self, frames, split, *, crop_size):
        """Everything that a number needs beside it, for JSON.

        Args:
          frames: a Frames.
          split: a Split, whose `val` frames are scored.
          crop_size: (h, w) of the network's input.
        """
        size = NYU_SIZE if self.full_size else tuple(crop_size)
        what = self.resize.replace("_", " ")
        resize = f"border replicated to the frame, then bilinear {what}" if self.full_size else "none"
        if frames.own_sizes is not None:
            largest = frames.own_sizes.sizes[split.val].max(0)
            size = tuple(largest.tolist())
            resize = f"the picture's part of the frame, then bilinear {what}"
        return {
            "name": self.name,
            "source": frames.name,
            "split": split.name,
            "split_hash": split.hash,
            "frames": len(split.val),
            "truth": frames.truth,
            "scored_at": list(size),
            **self._several_sizes(frames, split),
            "resize": resize,
            "rows": list(self.rows or (0, size[0])),
            "columns": list(self.columns or (0, size[1])),
            **({"shares": list(self.shares)} if self.shares else {}),
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
        Protocol("full", full_size=True, origin="the whole frame, NYU's white border too; usual for test sets"),
        Protocol(
            "garg_crop",
            full_size=True,
            shares=(0.40810811, 0.99189189, 0.03594771, 0.96405229),
            origin="Garg 2016, for KITTI: most numbers since",
        ),
        Protocol(
            "kitti_eigen_crop",
            full_size=True,
            shares=(0.3324324, 0.91351351, 0.0359477, 0.96405229),
            origin="Eigen 2014, for KITTI, as the authors of Garg's crop have it",
        ),
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
