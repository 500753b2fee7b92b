"""Videos as frames, and frames as videos: sizes, times, rotation, damage."""

import errno
import os
import struct
import sys

import caused
import clips
import numpy as np
import pytest

from jaxdepth.data.files import videos
from jaxdepth.errors import InputError

TIMES = [0.0, 0.05, 0.1, 1.0, 1.5, 3.25]
CORNERS = np.uint8([[[250, 250, 250], [10, 10, 10]], [[180, 180, 180], [90, 90, 90]]])  # each another grey


def corners(height=48, width=64):
    return CORNERS.repeat(height // 2, axis=0).repeat(width // 2, axis=1)


def levels(pixels):
    """The grey in the middle of each quarter."""
    rows, columns = ([n // 4, 3 * n // 4] for n in pixels.shape[:2])
    return pixels[rows][:, columns].mean(-1)


def close(found, expected):
    np.testing.assert_allclose(np.float32(found), np.float32(expected), atol=4)


@pytest.mark.parametrize(("suffix", "codec"), [(".mkv", "mjpeg"), (".mp4", "libx264")])
def test_frames_have_their_content_size_and_number(tmp_path, suffix, codec):
    grey = [20, 90, 160, 230]
    path = clips.write(tmp_path / f"a{suffix}", clips.greys(grey), codec=codec, sound=suffix == ".mp4")
    video = videos.Video(path)
    frames = list(video.frames())
    assert all(frame.pixels.shape == (48, 64, 3) and frame.pixels.dtype == np.uint8 for frame in frames)
    close([frame.pixels.mean() for frame in frames], grey)
    assert video.expected == 4 and video.skipped == 0
    np.testing.assert_allclose([frame.seconds for frame in frames], [0, 1 / 30, 2 / 30, 3 / 30], atol=1e-3)
    assert len(list(video.frames())) == 4  # again from the start


def test_times_are_kept_and_count_from_the_first_frame(tmp_path):
    path = clips.write(tmp_path / "a.mkv", clips.greys(range(0, 240, 40)), [5 + seconds for seconds in TIMES])
    found = [frame.seconds for frame in videos.Video(path).frames()]
    np.testing.assert_allclose(found, TIMES, atol=2e-3)


MATRICES = {  # of a tkhd box: a, b, c, d; and what numpy does to the frame
    "as it is": ((1, 0, 0, 1), lambda x: x),
    "clockwise": ((0, 1, -1, 0), lambda x: np.rot90(x, -1)),
    "half a turn": ((-1, 0, 0, -1), lambda x: np.rot90(x, 2)),
    "counterclockwise": ((0, -1, 1, 0), lambda x: np.rot90(x)),
    "mirrored": ((-1, 0, 0, 1), lambda x: x[:, ::-1]),
}


@pytest.mark.parametrize("turn", MATRICES)
def test_a_phones_rotation_is_heeded(tmp_path, turn):
    matrix, expected = MATRICES[turn]
    path = clips.write(tmp_path / "a.mp4", [corners()] * 2, codec="libx264")
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd") + 44
    a, b, c, d = (65536 * value for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    frame = next(videos.Video(path).frames())
    assert frame.pixels.shape == (*expected(corners()).shape[:2], 3) and frame.pixels.flags.c_contiguous
    close(levels(frame.pixels), levels(expected(corners())))


def test_damaged_frames_are_left_out_and_counted(tmp_path):
    grey = list(range(20, 220, 20))
    path = clips.write(tmp_path / "a.mkv", clips.greys(grey), damaged=(0, 4, 5, 9))
    video = videos.Video(path)
    frames = list(video.frames())
    close([frame.pixels.mean() for frame in frames], [grey[i] for i in (1, 2, 3, 6, 7, 8)])
    assert video.skipped == 4
    np.testing.assert_allclose([frame.seconds for frame in frames], np.array([0, 1, 2, 5, 6, 7]) / 30, atol=2e-3)


def test_a_video_that_is_cut_off_gives_what_is_there(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (20, 48, 64, 3), np.uint8)
    path = clips.write(tmp_path / "a.mp4", list(noise), codec="libx264", movflags="+faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    video = videos.Video(path)
    assert 3 < len(list(video.frames())) < 17 and video.skipped <= 1 and video.expected == 20


def no_video(path):
    import av

    with av.open(str(path), "w") as container:
        clips._add_sound(container)


def unknown_codec(path):
    clips.write(path, clips.greys([0, 99]), codec="libx264")
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))


def without_index(path):
    clips.write(path, clips.greys([0, 99]), codec="libx264")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


def playlist(path):
    clips.write(path.with_name("other.ts"), clips.greys([0, 99]), codec="libx264")
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n")


BAD = {
    "empty": (lambda path: path.touch(), "an empty file"),
    "text": (lambda path: path.write_text("no video\n" * 500), "not a video that can be read"),
    "cut off": (without_index, "not a video that can be read, or one that is cut off"),
    "sound only": (no_video, "a file without moving pictures"),
    "no codec": (unknown_codec, "a codec that this build of PyAV lacks"),
    "all damaged": (
        lambda path: clips.write(path.with_name("a.mkv"), clips.greys([9] * 3), damaged=range(3)).rename(path),
        r"without a frame that can be decoded \(3 are damaged\)",
    ),
    "playlist": (playlist, "not a video that can be read"),  # of which FFmpeg would open the other files
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_video_is_one_line_that_names_the_file(tmp_path, kind):
    make, told = BAD[kind]
    make(tmp_path / "bad.mp4")
    with pytest.raises(InputError, match=told) as raised:
        list(videos.Video(tmp_path / "bad.mp4").frames())
    assert "bad.mp4" in str(raised.value) and "\n" not in str(raised.value)


def test_a_missing_file_and_a_missing_package_are_named(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="gone.mp4"):
        videos.Video(tmp_path / "gone.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    for use in (videos.Video, videos.Writer):
        with pytest.raises(InputError, match=r"a.mp4'.*pip install 'jaxdepth\[video\]'"):
            use(tmp_path / "a.mp4")


def test_videos_are_known_by_their_suffix():
    assert all(map(videos.is_video, ["a.mp4", "b/C.MOV", "d.webm"]))
    assert not any(map(videos.is_video, ["a.gif", "b.jpg", "mp4", "c.mp4.json"]))


def test_a_written_video_has_even_sizes_and_the_times_given(tmp_path):
    frame = np.concatenate([corners(46, 64), np.full((1, 64, 3), 200, np.uint8)])
    frame = np.concatenate([frame, np.full((47, 1, 3), 200, np.uint8)], axis=1)
    with videos.Writer(tmp_path / "a.mp4", rate=4) as writer:
        for seconds in TIMES:
            writer.write(frame, seconds)
        assert not (tmp_path / "a.mp4").exists()
    found, times = clips.read(tmp_path / "a.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert found[0].shape == (48, 66, 3)
    np.testing.assert_allclose(times, TIMES, atol=1e-4)
    np.testing.assert_allclose(videos.Video(tmp_path / "a.mp4").seconds, 3.5, atol=1e-3)
    close(levels(found[-1][:46, :64]), CORNERS[..., 0])
    np.testing.assert_allclose(np.float32(found[-1][-1, 8:24]).mean(), 200, atol=12)


def test_colours_survive_writing_and_reading(tmp_path):
    red, blue = np.zeros((2, 48, 64, 3), np.uint8)
    red[:], blue[:] = (200, 60, 30), (20, 60, 230)
    with videos.Writer(tmp_path / "a.mp4") as writer:
        writer.write(red, 0)
        writer.write(blue, 1)
    found = [frame.pixels[24, 32] for frame in videos.Video(tmp_path / "a.mp4").frames()]
    close(found, [(200, 60, 30), (20, 60, 230)])


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_video_leaves_what_was_there(tmp_path, error):
    (tmp_path / "a.mp4").write_bytes(b"old")
    with pytest.raises(error), videos.Writer(tmp_path / "a.mp4") as writer:
        for i, frame in enumerate(clips.greys([0, 50, 100])):
            writer.write(frame, i)
        raise error
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.mp4": b"old"}


def test_a_full_disk_names_the_video_and_leaves_nothing(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (30, 96, 128, 3), np.uint8)
    with caused.disk(tmp_path / "disk", megabytes=0.1) as disk:
        with pytest.raises(OSError, match=r"disk/a\.mp4'") as raised, videos.Writer(disk / "a.mp4") as writer:
            for i, frame in enumerate(noise):
                writer.write(frame, i)
        assert raised.value.errno == errno.ENOSPC and not list(disk.iterdir())


def test_a_name_that_is_not_utf8(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff.mp4")
    with videos.Writer(path) as writer:
        writer.write(corners(), 0)
    assert len(list(videos.Video(path).frames())) == 1
