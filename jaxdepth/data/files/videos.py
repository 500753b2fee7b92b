"""Reads videos as upright RGB frames, one at a time, and writes them as mp4. Sound is left out.

Needs PyAV, the extra `video`.
"""

import contextlib
import os
import pathlib
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from jaxdepth.data.files import pictures, writing
from jaxdepth.errors import InputError

SUFFIXES = tuple(".3gp .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .webm .wmv".split())
# FFmpeg's names of their containers. Others, such as playlists, would open further files and addresses.
_CONTAINERS = "mov,matroska,avi,flv,mpeg,mpegts,mpegvideo,ogg,asf"
_TICKS = 90_000  # of a second: times that are written
_MATRIX = "DISPLAYMATRIX"
_ASPECTS = (1 / 4, 4)  # of pixels that are believed
_BT709 = 1  # FFmpeg's number, of the colours that players assume in large videos


class Frame(NamedTuple):
    """A frame of a video.

    Attributes:
      pixels: uint8 [H, W, 3], RGB, upright.
      seconds: from the first frame; grows from frame to frame.
    """

    pixels: np.ndarray
    seconds: float


def is_video(path) -> bool:
    """Whether a path has a video's suffix."""
    return os.fspath(path).lower().endswith(SUFFIXES)


class Video:
    """A video file.

    Attributes:
      path: the file.
      rate: frames per second on average, a Fraction.
      seconds: how long it lasts by its header; None if unknown.
      expected: number of frames by its header, for a progress bar; None if unknown.
      skipped: damaged frames that the last `frames` has left out so far.
    """

    def __init__(self, path):
        """Opens a video.

        Args:
          path: the file.

        Raises:
          OSError: if the file cannot be opened.
          InputError: if it is no video of a common kind (see SUFFIXES), has no pictures, is in a codec that this build
            of PyAV lacks, or PyAV is missing. One line that names the file.
        """
        self.path, self.skipped = path, 0
        with self._opened() as (container, stream):
            self.rate = stream.average_rate or Fraction(30)
            if stream.duration:
                self.seconds = float(stream.duration * stream.time_base)
            else:
                self.seconds = container.duration / 1e6 if container.duration else None  # microseconds
            self.expected = stream.frames or (round(self.seconds * self.rate) if self.seconds else None)

    def frames(self):
        """Iterates over the frames as a Frame each, decoded one at a time.

        Frames keep their times: only one that is missing, or does not grow, is 1 / rate after the frame before. Frames
        of another size than the first are resized to it. What cannot be decoded is left out, and counted in `skipped`.

        Raises:
          OSError: if the file cannot be read.
          InputError: if no frame can be decoded. One line that names the file.
        """
        self.skipped, size, matrix, first, seconds = 0, None, None, None, None
        with self._opened() as (_, stream):
            aspect = float(stream.sample_aspect_ratio or 1)
            for decoded in self._decoded(stream):
                if size is None:
                    wide = aspect if _ASPECTS[0] <= aspect <= _ASPECTS[1] else 1  # pixels need not be square
                    size = decoded.height, round(decoded.width * wide)
                    if size[0] * size[1] > pictures.MAX_PIXELS or min(size) < 2:
                        expected = f"expected from 2x2 to {pictures.MAX_PIXELS // 10**6} million pixels"
                        raise InputError(f"{str(self.path)!r}: a video of {size[1]}x{size[0]}: {expected}")
                    # Of the first frame only: one that is asked for it stays in memory until cycles are collected.
                    matrix = decoded.side_data.get(_MATRIX)
                pixels = decoded.to_ndarray(format="rgb24", height=size[0], width=size[1])
                first = decoded.time if first is None else first
                after = 0.0 if seconds is None else seconds + float(1 / self.rate)
                told = after if decoded.time is None or first is None else decoded.time - first
                seconds = told if seconds is None or told > seconds else after
                yield Frame(_upright(pixels, matrix), seconds)
        if size is None:
            damaged = f" ({self.skipped} are damaged)" if self.skipped else ""
            raise InputError(f"{str(self.path)!r}: a video without a frame that can be decoded{damaged}")

    def _decoded(self, stream):
        """The frames of a stream as PyAV decodes them, without damaged ones."""
        import av

        packets = stream.container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError:  # a damaged container, in which nothing is found any more
                self.skipped += 1
                return
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                self.skipped += 1
                continue
            self.skipped += sum(frame.is_corrupt for frame in frames)
            yield from (frame for frame in frames if not frame.is_corrupt)

    @contextlib.contextmanager
    def _opened(self):
        """The open container and its stream of pictures. Raises as __init__."""
        av, named = _pyav(self.path), repr(str(self.path))
        with open(self.path, "rb") as file:  # FFmpeg would take some names for addresses
            if not file.read(1):
                raise InputError(f"{named}: an empty file: expected a video")
            file.seek(0)
            try:
                # PyAV 19 takes odd bytes in metadata by itself.
                odd = {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}
                container = av.open(file, options={"format_whitelist": _CONTAINERS}, **odd)
            except av.error.FFmpegError as error:
                told = pictures.one_line(error.strerror)
                raise InputError(f"{named}: not a video that can be read, or one that is cut off ({told})") from error
            with container:
                cover = av.stream.Disposition.attached_pic  # the picture of a song
                streams = [stream for stream in container.streams.video if not stream.disposition & cover]
                if not streams:
                    raise InputError(f"{named}: a file without moving pictures: expected a video")
                if (codec := streams[0].codec_context) is None:
                    raise InputError(f"{named}: a video in a codec that this build of PyAV lacks: convert it to H.264")
                # Decoding frames in parallel would lose some before a damaged end.
                codec.thread_type, codec.options = "SLICE", {"max_pixels": str(pictures.MAX_PIXELS)}
                yield container, streams[0]


class Writer:
    """Writes frames as mp4: H.264, 4:2:0, of even size (the last row and column are repeated), with their times.

    A context manager. The file appears when the block ends without an error; until then, and if it ends with one, the
    path keeps its old content and no part of the new file is left. Without a frame, there is no file.
    """

    def __init__(self, path, *, rate=30):
        """Names the file; raises InputError if PyAV, or H.264 in this build of it, is missing.

        Args:
          path: the file, in an existing folder.
          rate: frames per second on average: the last frame is shown for 1 / rate, and it guides compression.
        """
        av = _pyav(path)
        if "libx264" not in av.codecs_available:
            raise InputError(f"{str(path)!r}: this build of PyAV cannot write H.264: expected one with libx264")
        self.path, self._rate = pathlib.Path(path), Fraction(rate).limit_denominator(1001)
        self._temporary, self._container, self._stream = writing.temporary(self.path), None, None

    def write(self, pixels, seconds):
        """Writes the next frame.

        Args:
          pixels: uint8 [H, W, 3], RGB; all frames have one size.
          seconds: its time, after that of the frame before.

        Raises:
          OSError: if it cannot be written, such as to a full disk. The error names the path.
        """
        import av

        pixels = np.pad(pixels, ((0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0)), mode="edge")
        with writing.naming(self.path):
            if self._container is None:
                self._open(av, pixels.shape)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709")
            frame.pts, frame.time_base = round(seconds * _TICKS), Fraction(1, _TICKS)
            self._container.mux(self._stream.encode(frame))

    def _open(self, av, shape):
        # The index goes to the front, so that a browser starts at once.
        path = str(self._temporary.absolute())  # which FFmpeg takes for no address
        self._container = av.open(path, "w", format="mp4", options={"movflags": "+faststart"})
        options = {"preset": "veryfast", "crf": "20"}
        self._stream = self._container.add_stream("libx264", rate=self._rate, options=options)
        self._stream.height, self._stream.width, self._stream.pix_fmt = shape[0], shape[1], "yuv420p"
        codec = self._stream.codec_context
        codec.time_base, codec.max_b_frames = Fraction(1, _TICKS), 0  # with B-frames, the duration would be wrong
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        try:
            with writing.naming(self.path):
                if self._container is not None and kind is None:
                    self._container.mux(self._stream.encode(None))
                    self._container.close()
                    self._temporary.replace(self.path)
        finally:
            with contextlib.suppress(OSError, ValueError):  # the first error is the one to report
                if self._container is not None:
                    self._container.close()
            with contextlib.suppress(OSError):
                self._temporary.unlink(missing_ok=True)


def _pyav(path):
    """The module `av`; raises InputError if it is missing."""
    try:
        import av
    except ImportError as error:
        raise InputError(f"{str(path)!r}: a video needs the extra video: pip install 'jaxdepth[video]'") from error
    return av


def _upright(pixels, matrix):
    """Turns and mirrors pixels [H, W, 3] by whole right angles as a display matrix (FFmpeg's side data) says."""
    if matrix is None:
        return pixels
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5]  # to the right: a x + c y, down: b x + d y
    if abs(c) > abs(a):
        pixels, right, down = pixels.swapaxes(0, 1), c, b
    else:
        right, down = a, d
    return np.ascontiguousarray(pixels[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1])
