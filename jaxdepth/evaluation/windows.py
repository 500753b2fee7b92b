"""Where a prediction meets its truth: at the size, and inside the window, that a protocol scores."""

import math

import numpy as np
from PIL import Image

from jaxdepth.errors import InputError
from jaxdepth.geometry import framing, resize
from jaxdepth.geometry.camera import NYU_SIZE, crop_intrinsics, resize_intrinsics
from jaxdepth.geometry.framing import central_bilinear, centre_corner, centre_crop


def make_windows(frames, *, protocol, crop_size):
    """The windows of a source's frames under a protocol.

    Args:
      frames: a Frames.
      protocol: a Protocol.
      crop_size: (h, w) of the frames' centre crop, the network's input.

    Returns:
      PictureWindows if the frames have sizes of their own, else FrameWindows.

    Raises:
      InputError: if the protocol is not for such frames.
    """
    made = FrameWindows if frames.own_sizes is None else PictureWindows
    return made(frames, protocol=protocol, crop_size=crop_size)


class FrameWindows:
    """Windows of one size, of 480x640 or of the network's input; see `make_windows`."""

    def __init__(self, frames, *, protocol, crop_size):
        if protocol.shares:
            raise InputError(f"protocol={protocol.name!r}: only for pictures that are scored at sizes of their own")
        self._frames, self._protocol, self._crop_size = frames, protocol, tuple(crop_size)
        self._camera = self._camera_of_all()

    def of_crops(self, log_depth):
        """The windows [B, H, W] of log depth [B, h, w] of the centre crop; to be compiled."""
        enlarged = self._protocol.enlarge(log_depth, frame_size=self._frames.size, crop_size=self._crop_size)
        return self._protocol.cut(enlarged)

    def truth(self, index, crop):
        """The true depth in a window, float32 [H, W] metres; `crop` is that of the frame's centre crop, [h, w]."""
        full = self._frames.full_depth(index) if self._protocol.full_size else crop
        return self._protocol.cut(full[None])[0]

    def resized(self, index, values, picture_size):
        """Values [h, w] of a frame's picture at the scored size, bilinearly, float32."""
        del index  # all are alike
        size = self._frames.size
        out_size = NYU_SIZE if self._protocol.full_size else size
        resized = np.asarray(central_bilinear(values, size=picture_size, frame_size=size, out_size=out_size))
        if self._protocol.full_size:
            return resized
        return centre_crop(resized[..., None], resized, crop_size=self._crop_size)[1]

    def cut(self, values):
        """The window of values at the scored size."""
        return self._protocol.cut(values[None])[0]

    def own(self, index, window):
        """The part of a window that is the frame's: all of it."""
        del index
        return window

    def camera(self, index):
        """Intrinsics in pixels of a window; None if they are unknown."""
        del index
        return self._camera

    def image(self, index):
        """The picture in a window, uint8 [H, W, 3], by nearest pixels."""
        return self._nearest(self._frames.images[index])

    def known(self, index):
        """What is known of a frame beside its depth: the further fields of a ScoredFrame."""
        labels = self._frames.labels
        named = dict(label_names=self._frames.label_names)
        return named | dict(labels=None if labels is None else self._nearest(labels[index]))

    def _camera_of_all(self):
        intrinsics, size = self._frames.intrinsics, self._frames.size
        if intrinsics is None:
            return None
        if self._protocol.full_size:
            camera = resize_intrinsics(intrinsics, from_size=size, to_size=NYU_SIZE)
        else:
            top, left = centre_corner(size, crop_size=self._crop_size)
            camera = crop_intrinsics(intrinsics, top=top, left=left)
        (top, *_), (left, *_) = self._protocol.rows or (0,), self._protocol.columns or (0,)
        return crop_intrinsics(camera, top=top, left=left)

    def _nearest(self, array):
        """The window of an array [H, W, ...] at the frame's size, by nearest pixels."""
        if self._protocol.full_size:
            rows, columns = (resize.nearest_index(n, out) for n, out in zip(array.shape[:2], NYU_SIZE, strict=True))
            return self._protocol.cut(resize.take_nearest(array, rows, columns)[None])[0]
        image, flat = (array, array[..., 0]) if array.ndim == 3 else (array[..., None], array)
        image, flat = centre_crop(image, flat, crop_size=self._crop_size)
        return self._protocol.cut((image if array.ndim == 3 else flat)[None])[0]


class PictureWindows:
    """Windows of whole pictures, each at the size of its truth and with its own camera; see `make_windows`.

    Arrays of several are filled up, below and to the right, to the size of the largest: with the values of the border,
    and these negative in the truth. So they are not scored, and edges at the border are those of the picture by itself,
    see `metrics.true_edges`. The truth outside of the protocol's part of the picture is 0.
    """

    of_crops = None  # differs from picture to picture, so it is not compiled: see `of_outputs`

    def __init__(self, frames, *, protocol, crop_size):
        self._frames, self._protocol, self._crop_size = frames, protocol, tuple(crop_size)
        self._sizes = [tuple(size) for size in frames.own_sizes.sizes.tolist()]
        other = next((size for size in self._sizes if size != NYU_SIZE), None)
        if not protocol.full_size or (other and (protocol.rows or protocol.columns)):
            what = "of 480x640 pixels" if protocol.full_size else "of the network's input"
            told = f"{other[0]}x{other[1]}" if other else "480x640"
            raise InputError(
                f"protocol={protocol.name!r}: its window is {what}, and {frames.name} is scored at the size of each "
                f"truth, such as {told}: expected full, garg_crop or kitti_eigen_crop"
            )
        self._largest = tuple(frames.own_sizes.sizes.max(0).tolist())

    def of_outputs(self, log_depths, indices, *, camera):
        """The windows of a network's outputs: of all of them, float32 [B, H, W] log depth.

        Each picture takes the part of the frame in which it was placed, as `predict` does, and its depths are
        multiplied by the ratio of its focal length to the training's.

        Args:
          log_depths: {output: float32 [B, h, w]} of the centre crop.
          indices: int64 [B], of the frames.
          camera: Intrinsics of the training, in pixels of the frame; None leaves depths as they are.
        """
        return {
            name: np.stack([self.cut(self._of_output(*pair, camera=camera)) for pair in zip(x, indices, strict=True)])
            for name, x in log_depths.items()
        }

    def truth(self, index, crop):
        """The true depth of a picture, float32 [H, W] metres, negative beyond it."""
        del crop
        depth = self._frames.full_depth(index)
        if depth.shape != self._sizes[index]:
            raise InputError(f"{self._frames.name_of(index)}: depth {depth.shape}: expected {self._sizes[index]}")
        (h, w), kept = depth.shape, np.zeros_like(depth)
        part = self._protocol.part(depth.shape)
        kept[part] = depth[part]
        filled = -self.cut(kept)
        filled[:h, :w] = kept
        return filled

    def resized(self, index, values, picture_size):
        """Values [h, w] of a picture at the size of its truth, bilinearly, float32."""
        del picture_size  # the same field of view
        size = self._sizes[index]
        return np.asarray(central_bilinear(values, size=size, frame_size=size, out_size=size))

    def cut(self, values):
        """Values [h, w] of a picture, filled up to the size of the largest with those of its border."""
        (height, width), (h, w) = self._largest, values.shape
        return np.pad(values, ((0, height - h), (0, width - w)), mode="edge")

    def own(self, index, window):
        """The part of a window [H, W] that is the picture's, [h, w]."""
        h, w = self._sizes[index]
        return window[:h, :w]

    def camera(self, index):
        """Intrinsics in pixels of the picture's truth; None if they are unknown."""
        return self._frames.own_sizes.cameras[index]

    def image(self, index):
        """The picture at the size of its truth, uint8 [h, w, 3], from its frame: for looking at."""
        frame, (h, w) = self._frames.images[index], self._sizes[index]
        at = framing.place(self._frames.picture_size(index), frame_size=self._frames.size)
        inner = frame[at.top : at.top + at.height, at.left : at.left + at.width]
        return np.asarray(Image.fromarray(inner).resize((w, h), Image.Resampling.BILINEAR))

    def known(self, index):
        """What is known of a picture beside its depth: the further fields of a ScoredFrame."""
        read = self._frames.own_sizes.annotations
        return {} if read is None else read(index)._asdict()

    def _of_output(self, log_depth, index, *, camera):
        """Log depth [h, w] of the centre crop at the size of a picture's truth."""
        frame_size, size = self._frames.size, self._sizes[index]
        picture_size = self._frames.picture_size(index)
        in_depth = self._protocol.resize == "depth"
        values = np.exp(log_depth) if in_depth else np.asarray(log_depth)
        frame = framing.extend_to_frame(values[None], frame_size=frame_size, crop_size=self._crop_size)[0]
        at = framing.place(picture_size, frame_size=frame_size)
        inner = frame[at.top : at.top + at.height, at.left : at.left + at.width]
        ratio, own = 1.0, self._frames.own_sizes.cameras[index]
        if camera is not None and own is not None:
            own = resize_intrinsics(own, from_size=size, to_size=picture_size)
            trained = framing.Framing(frame_size, self._crop_size, camera)
            ratio = framing.focal_ratio(picture_size, own, trained)
        inner = inner * np.float32(ratio) if in_depth else inner + np.float32(math.log(ratio))
        resized = np.asarray(Image.fromarray(inner).resize(size[::-1], Image.Resampling.BILINEAR))
        return np.log(resized) if in_depth else resized
