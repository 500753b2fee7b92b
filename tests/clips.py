"""Small videos for the tests, made by PyAV itself."""

from fractions import Fraction

import av
import numpy as np

TICKS = 1000  # of a second


def write(path, frames, times=None, *, codec="mjpeg", damaged=(), sound=False, **options):
    """Writes frames, uint8 [H, W, 3], at times in seconds (30 a second); the packets of `damaged` ones are zeros."""
    times = [i / 30 for i in range(len(frames))] if times is None else times
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=30)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = {"mjpeg": "yuvj420p", "libx264": "yuv420p"}[codec]
        stream.codec_context.time_base = Fraction(1, TICKS)
        stream.codec_context.max_b_frames = 0
        if sound:
            _add_sound(container)
        written = 0
        for frame, seconds in zip([*frames, None], [*times, None], strict=True):
            if frame is not None:
                frame = av.VideoFrame.from_ndarray(frame, format="rgb24")
                frame.pts, frame.time_base = round(seconds * TICKS), Fraction(1, TICKS)
            for packet in stream.encode(frame):
                if written in damaged:
                    zeros = av.Packet(bytes(packet.size))
                    for name in ("pts", "dts", "duration", "time_base", "stream", "is_keyframe"):
                        setattr(zeros, name, getattr(packet, name))
                    packet = zeros
                container.mux(packet)
                written += 1
    return path


def _add_sound(container):
    stream = container.add_stream("aac", rate=48000)
    silence = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
    silence.sample_rate, silence.pts = 48000, 0
    container.mux(stream.encode(silence))
    container.mux(stream.encode(None))


def greys(levels, size=(48, 64)):
    """Frames of one grey level each."""
    return [np.full((*size, 3), level, np.uint8) for level in levels]


def read(path):
    """The frames of a video, uint8 [H, W, 3], and their times."""
    with av.open(str(path)) as container:
        frames = [(frame.to_ndarray(format="rgb24"), frame.time) for frame in container.decode(video=0)]
    return [pixels for pixels, _ in frames], [seconds for _, seconds in frames]
