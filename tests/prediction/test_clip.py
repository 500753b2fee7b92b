"""From a clip to a video of its depth, by a network whose depth is known."""

import dataclasses
import errno
import json
import signal
import subprocess
import sys

import caused
import clips
import jax.numpy as jnp
import numpy as np
import pytest
import small
from PIL import Image

import jaxdepth
from jaxdepth.errors import InputError
from jaxdepth.output import colors
from jaxdepth.prediction.clip import predict_clip
from jaxdepth.prediction.predictor import Predictor

TIMES = [0.0, 0.05, 0.1, 1.0, 1.5, 3.25]
GREYS = [20, 60, 100, 140, 180, 220]


@dataclasses.dataclass(frozen=True)
class Brightness(Predictor):
    """Predicts 1 m for black to 5 m for white; `before` is called ahead of each batch."""

    before: object = None

    def log_depths(self, image):
        if self.before is not None:
            self.before()
        return {group: jnp.log(1 + 4 * image.mean(-1)) for group in self.groups}


@pytest.fixture(scope="module")
def trained():
    return jaxdepth.load().trained


@pytest.fixture
def predictor(trained):
    return Brightness(trained)


def predict(predictor, path, **options):
    options = dict(smoothing=0, batch=4) | options
    return predict_clip(predictor, path, path.parent / "depth" / path.stem, **options)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def metres(grey):
    return 1 + 4 * np.asarray(grey) / 255


def at_call(number, act):
    """A function that acts at its call of this number."""
    left = iter(range(1, 1000))
    return lambda: act() if next(left) == number else None


def test_a_clip_becomes_a_video_depth_frames_and_a_sidecar(predictor, tmp_path):
    path = clips.write(tmp_path / "a.mkv", clips.greys(GREYS, size=(120, 160)), TIMES)
    report = predict(predictor, path, depth_frames=True)
    out = tmp_path / "depth"
    assert (report.frames, report.skipped, report.cut_off) == (6, 0, None)
    assert report.files == [out / "a.json", out / "a.depth.mp4", out / "a.depth"]
    assert sorted(path.name for path in out.iterdir()) == ["a.depth", "a.depth.mp4", "a.json"]

    assert sorted(path.name for path in (out / "a.depth").iterdir()) == [f"00000{i}.png" for i in range(6)]
    for i, grey in enumerate(GREYS):
        millimetres = np.asarray(Image.open(out / f"a.depth/00000{i}.png"))
        assert millimetres.shape == (120, 160) and millimetres.dtype == np.uint16
        np.testing.assert_allclose(millimetres, 1000 * metres(grey), atol=40)  # JPEG's greys

    described = json.loads((out / "a.json").read_text())
    assert described["files"] == ["a.depth.mp4", "a.depth"] and described["intrinsics_from"] == "assumed: NYU's camera"
    assert (described["height"], described["width"]) == (120, 160)
    np.testing.assert_allclose(described["range"], [metres(20), metres(220)], atol=0.04)
    low, high = described["clip"].pop("colours")
    assert metres(20) - 0.15 < low < metres(25) and metres(215) < high < metres(220) + 0.15
    assert described["clip"] == {
        "frames": 6,
        "skipped": 0,
        "seconds": 3.25,
        "frames_per_second": described["clip"]["frames_per_second"],
        "colours_from": "percentiles 1 and 99 of 6 frames, evenly spread",
        "smoothing_seconds": 0,
    }

    frames, times = clips.read(out / "a.depth.mp4")
    np.testing.assert_allclose(times, TIMES, atol=2e-3)
    for frame, grey in zip(frames, GREYS, strict=True):
        assert frame.shape[0] == 120 and 320 < frame.shape[1] < 420
        np.testing.assert_allclose(frame[20:100, 10:150].mean(), grey, atol=4)
        expected = colors.colored(np.float32([[metres(grey)]]), low=low, high=high)[0, 0]  # one range for all
        np.testing.assert_allclose(frame[20:100, 170:310].mean((0, 1)), expected, atol=12)


def test_damaged_frames_are_left_out_and_counted(predictor, tmp_path):
    path = clips.write(tmp_path / "a.mkv", clips.greys(GREYS), damaged=(2, 3))
    report = predict(predictor, path, depth_frames=True)
    assert (report.frames, report.skipped) == (4, 2)
    assert json.loads((tmp_path / "depth/a.json").read_text())["clip"]["skipped"] == 2
    depths = [np.asarray(Image.open(tmp_path / f"depth/a.depth/00000{i}.png")).mean() for i in range(4)]
    np.testing.assert_allclose(depths, 1000 * metres(np.array(GREYS)[[0, 1, 4, 5]]), atol=40)


def test_a_clip_that_ends_before_its_header_says_is_told(predictor, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (20, 48, 64, 3), np.uint8)
    path = clips.write(tmp_path / "a.mp4", list(noise), range(20), codec="libx264", movflags="+faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    read, stated = predict(predictor, path).cut_off
    assert 3 < read < 17 and 19 <= stated <= 20


def test_a_turned_portrait_clip_and_given_intrinsics(predictor, tmp_path):
    path = clips.write(tmp_path / "a.mkv", clips.greys(GREYS, size=(160, 120)))
    first = predict(predictor, path, depth_frames=True)
    own = json.loads((tmp_path / "depth/a.json").read_text())["intrinsics"]
    near = np.asarray(Image.open(tmp_path / "depth/a.depth/000000.png"))
    predict(predictor, path, depth_frames=True, intrinsics=(2 * own["fx"], 2 * own["fy"]))
    far = np.asarray(Image.open(tmp_path / "depth/a.depth/000000.png"))
    assert first.origin == "training" and near.shape == (160, 120)
    np.testing.assert_allclose(far, 2.0 * near, atol=2)


def test_smoothing_lags_and_none_does_not(predictor, tmp_path):
    path = clips.write(tmp_path / "a.mkv", clips.greys([100] * 4 + [120] * 4))
    last = {}
    for smoothing in (0, 0.1):
        predict(predictor, path, depth_frames=True, smoothing=smoothing)
        last[smoothing] = [np.asarray(Image.open(tmp_path / f"depth/a.depth/00000{i}.png")).mean() for i in (3, 4)]
    (before, after), (same, smooth) = last[0], last[0.1]
    assert abs(same - before) < 2
    share = np.log(smooth / before) / np.log(after / before)
    np.testing.assert_allclose(share, 1 - np.exp(-1 / 3), atol=0.03)


def test_an_earlier_prediction_is_replaced_with_all_its_frames(predictor, tmp_path):
    predict(predictor, clips.write(tmp_path / "a.mkv", clips.greys(GREYS)), depth_frames=True)
    predict(predictor, clips.write(tmp_path / "a.mkv", clips.greys(GREYS[:2])), depth_frames=True)
    assert len(list((tmp_path / "depth/a.depth").iterdir())) == 2
    predict(predictor, clips.write(tmp_path / "a.mkv", clips.greys(GREYS[:3])))
    described = json.loads((tmp_path / "depth/a.json").read_text())
    assert described["files_of_earlier_runs"] == ["a.depth"]
    assert sorted(path.name for path in (tmp_path / "depth").iterdir()) == ["a.depth", "a.depth.mp4", "a.json"]


@pytest.mark.parametrize("foreign", ["a.json", "a.depth.mp4", "a.depth/000000.png"])
def test_files_that_predict_has_not_written_stay(predictor, tmp_path, foreign):
    path, file = clips.write(tmp_path / "a.mkv", clips.greys(GREYS[:2])), tmp_path / "depth" / foreign
    file.parent.mkdir(parents=True)
    file.write_bytes(b"mine")
    with pytest.raises(InputError, match="is there and not a prediction: --overwrite replaces it"):
        predict(predictor, path, depth_frames=True)
    assert contents(tmp_path / "depth") == {foreign: b"mine"}
    predict(predictor, path, depth_frames=True, overwrite=True)
    assert file.read_bytes() != b"mine" and len(contents(tmp_path / "depth")) == 4


def test_a_folder_with_other_files_stays_even_so(predictor, tmp_path):
    path, file = clips.write(tmp_path / "a.mkv", clips.greys(GREYS[:2])), tmp_path / "depth/a.depth/letter.txt"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"mine")
    with pytest.raises(InputError, match="letter.txt is there and no depth frame"):
        predict(predictor, path, depth_frames=True, overwrite=True)
    assert contents(tmp_path / "depth") == {"a.depth/letter.txt": b"mine"}


def test_ctrl_c_leaves_only_what_was_there(trained, predictor, tmp_path):
    path = clips.write(tmp_path / "a.mkv", clips.greys(GREYS * 4))
    predict(predictor, path, depth_frames=True)
    before = contents(tmp_path)
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a command lets Ctrl-C end it, but without the end
    try:
        stopped = Brightness(trained, at_call(9, lambda: signal.raise_signal(signal.SIGINT)))  # six for the range
        with pytest.raises(KeyboardInterrupt, match=r"interrupted after \d+ of 24 frames of .*a.mkv"):
            predict(stopped, path, depth_frames=True)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, handler)
    assert contents(tmp_path) == before and not list((tmp_path / "depth").glob(".*"))


def test_a_full_disk_names_the_file_and_leaves_only_what_was_there(predictor, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (24, 96, 128, 3), np.uint8)
    path = clips.write(tmp_path / "a.mkv", list(noise))
    with caused.disk(tmp_path / "disk", megabytes=0.2) as disk:
        (disk / "old").write_bytes(b"old")
        for depth_frames, named in ((False, r"disk/a\.depth\.mp4'"), (True, r"disk/a\.depth(/\d+\.png|\.mp4)'")):
            with pytest.raises(OSError, match=named) as raised:
                predict_clip(predictor, path, disk / "a", depth_frames=depth_frames, batch=4)
            assert raised.value.errno == errno.ENOSPC and contents(disk) == {"old": b"old"}
            assert [file.name for file in disk.iterdir()] == ["old"]


def test_bad_input_leaves_nothing(trained, predictor, tmp_path):
    (tmp_path / "text.mp4").write_text("no video\n" * 100)
    with pytest.raises(InputError, match="text.mp4': not a video"):
        predict(predictor, tmp_path / "text.mp4")
    good = clips.write(tmp_path / "a.mkv", clips.greys(GREYS))
    for wrong in ({"batch": 0}, {"smoothing": -1}, {"smoothing": float("nan")}):
        with pytest.raises(InputError, match=f"^{next(iter(wrong))}="):
            predict(predictor, good, **wrong)
    broken = Brightness(trained)
    object.__setattr__(broken, "log_depths", lambda x: {name: jnp.log(x.mean(-1) * 0 - 1) for name in broken.groups})
    with pytest.raises(InputError, match="not finite"):
        predict(broken, good)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "text.mp4"]


PROGRAM = """
import resource, sys, jaxdepth
from jaxdepth.prediction.clip import predict_clip
run, path, output = sys.argv[1:]
predict_clip(jaxdepth.load(run), path, output, depth_frames=True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_clip(tmp_path):
    small.random_run(tmp_path / "run")
    peaks = {}
    for count in (200, 2000):
        noise = np.random.default_rng(0).integers(0, 255, (8, 240, 320, 3), np.uint8)
        path = clips.write(tmp_path / f"{count}.mkv", [noise[i % 8] for i in range(count)])
        paths = [str(tmp_path / "run"), str(path), str(path.with_suffix(""))]
        ended = subprocess.run([sys.executable, "-c", PROGRAM, *paths], capture_output=True, text=True, check=True)
        peaks[count] = int(ended.stdout)
    assert peaks[2000] < 1.1 * peaks[200], peaks
