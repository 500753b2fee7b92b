"""A folder of pictures and depths as a source: the same frames as NYU's file, and the folders that it refuses."""

import errno
import logging
import os
import pathlib
import shutil

import fake_nyu
import jax
import numpy as np
import pytest
import small
from PIL import Image

from jaxdepth import evaluate, train
from jaxdepth.data import splits
from jaxdepth.data.batches import inputs, tfdata
from jaxdepth.data.batches.evaluation import eval_batches
from jaxdepth.data.sources import pairs, selection
from jaxdepth.data.sources.folder import open_folder
from jaxdepth.data.sources.nyu import open_nyu
from jaxdepth.errors import InputError
from jaxdepth.evaluation import report
from jaxdepth.evaluation.page import words
from jaxdepth.training import sharding

SIZE = (60, 80)
QUANTUM = 0.001  # metres per unit of a 16-bit PNG


def write_pair(folder, name, picture, depth):
    """Writes a lossless picture, and depth in metres as 16-bit millimetres."""
    for part in ("images", "depths"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(folder / f"images/{name}.png")
    Image.fromarray(np.round(depth / QUANTUM).astype(np.uint16)).save(folder / f"depths/{name}.png")


def write_folder(folder, count, *, size=(96, 128)):
    for i in range(count):
        picture, depth, _ = fake_nyu.frame(i, size)
        write_pair(folder, f"{i:03d}", picture, depth)
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("written"), 10)


@pytest.fixture
def own(written, tmp_path):
    """A folder of ten pairs to change."""
    return pathlib.Path(shutil.copytree(written, tmp_path / "own"))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXDEPTH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def assert_same_batches(nyu, folder, *, quantum, split):
    """Both pipelines give the same images bit for bit, and the same depths to the precision of the files."""
    assert len(nyu) == len(folder) and nyu.size == folder.size
    np.testing.assert_array_equal(nyu.images, folder.images)
    np.testing.assert_allclose(nyu.depths, folder.depths, atol=0.51 * quantum)
    mesh = sharding.make_mesh(jax.devices()[:1])
    settings = dict(
        batch_size=4, seed=3, start_step=0, process_index=0, process_count=1, crop_size=(48, 64),
        scale=(0.75, 1.25), rotation=5.0, flip=True, colour=0.1, light=0.1,
    )  # fmt: skip
    streams = [tfdata.train_batches(frames, split.train, **settings) for frames in (nyu, folder)]
    for _ in range(3):
        one, other = (next(stream) for stream in streams)
        np.testing.assert_array_equal(one["index"], other["index"])
        np.testing.assert_array_equal(one["image"], other["image"])
        np.testing.assert_allclose(one["depth"], other["depth"], atol=0.51 * quantum / 0.75)
    drawn = []
    for frames in (nyu, folder):
        stream, draw = inputs.make_inputs("device", frames, split.train, mesh=mesh, **settings)
        drawn.append([jax.device_get(draw(next(stream), step)) for step in range(3)])
    for one, other in zip(*drawn, strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])
        np.testing.assert_allclose(one["depth"], other["depth"], atol=0.51 * quantum / 0.75)
        assert (one["depth"] > 0).mean() > 0.5
    evaluated = [list(eval_batches(f, split.val, batch_size=2, crop_size=(48, 64))) for f in (nyu, folder)]
    for one, other in zip(*evaluated, strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])
    for index in split.val:
        np.testing.assert_allclose(nyu.full_depth(index), folder.full_depth(index), atol=0.51 * quantum)


def test_nyus_frames_as_a_folder_give_the_same_batches(tmp_path):
    ids = [3, 5, 9, 14, 200, 1449]
    mat = fake_nyu.write_mat(tmp_path / "nyu.mat", len(ids), ids=ids)
    for i in ids:
        picture, depth, _ = fake_nyu.frame(i)
        write_pair(tmp_path / "own", f"{i:04d}", picture, depth)
    nyu, folder = open_nyu(mat, frame_size=SIZE), open_folder(tmp_path / "own", frame_size=SIZE)
    split = splits.split("paper", folder.ids, lists=folder.splits)
    assert (split.name, len(split.train), len(split.val)) == ("blocks", 5, 1)
    assert_same_batches(nyu, folder, quantum=QUANTUM, split=split)


def test_real_frames_give_the_same_batches(tmp_path, nyu_frames):
    quantum = 1 / 6000
    names = sorted(path.stem for path in (nyu_frames / "images").glob("*.jpg"))[::200]
    pictures, depths = [], []
    for part in ("images", "depths"):
        (tmp_path / "own" / part).mkdir(parents=True)
    for name in names:
        shutil.copy(nyu_frames / "images" / f"{name}.jpg", tmp_path / "own/images")
        pictures.append(np.asarray(Image.open(nyu_frames / "images" / f"{name}.jpg").convert("RGB")))
        code = np.asarray(Image.open(nyu_frames / "depths" / f"{name}.png").resize((640, 480), 0))
        depths.append(((code.astype(np.float64) + 0.5) * 9.99547 / 255).astype(np.float32))
        Image.fromarray(np.round(depths[-1] / quantum).astype(np.uint16)).save(tmp_path / f"own/depths/{name}.png")
    mat = fake_nyu.write_mat(
        tmp_path / "nyu.mat",
        len(names),
        ids=[int(name) for name in names],
        images=np.stack(pictures).transpose(0, 3, 2, 1),
        depths=np.stack(depths).swapaxes(1, 2),
    )
    nyu = open_nyu(mat)
    folder = open_folder(tmp_path / "own", depth_scale=quantum)
    assert_same_batches(nyu, folder, quantum=quantum, split=splits.split("paper", folder.ids, lists=folder.splits))


def test_frames_are_in_the_natural_order_of_their_names(own):
    frames = selection.open_frames("folder", path=own, frame_size=SIZE)
    assert (frames.name, len(frames), frames.size, frames.intrinsics) == ("folder", 10, SIZE, None)
    assert frames.labels is None
    assert str(own) in frames.description and "96x128" in frames.description
    for i in (0, 9):  # parts of 96 / 60 = 1.6 pixels: the centre of part i is in pixel floor((i + .5) 1.6)
        depth = np.round(fake_nyu.frame(i, (96, 128))[1] / QUANTUM) * QUANTUM
        rows, columns = (np.floor((np.arange(n) + 0.5) * 1.6).astype(int) for n in SIZE)
        np.testing.assert_allclose(frames.depths[i], depth[np.ix_(rows, columns)], rtol=1e-6)


def test_the_centre_in_the_frames_shape_is_cut_from_picture_and_depth(tmp_path):
    """Frames of 20x30 show columns 20 to 79 of a picture of 40x100, and 10 to 39 of a depth of half the size."""
    columns = np.arange(100)
    picture = np.broadcast_to((2 * columns)[None, :, None], (40, 100, 3)).astype(np.uint8)
    depth = np.broadcast_to(1 + np.arange(50) / 10, (20, 50))
    write_pair(tmp_path / "own", "a", picture, depth)
    write_pair(tmp_path / "own", "b", picture, depth)
    camera = (50.0, 52.0, 49.5, 19.5)  # the principal point in the middle
    frames = open_folder(tmp_path / "own", frame_size=(20, 30), intrinsics=camera)
    expected = 2 * (20 + 2 * np.arange(30) + 0.5)  # means of two columns
    np.testing.assert_allclose(frames.images[0][:, :, 0], np.broadcast_to(expected, (20, 30)), atol=1)
    np.testing.assert_allclose(frames.depths[0], np.broadcast_to(1 + (10 + np.arange(30)) / 10, (20, 30)), rtol=1e-6)
    np.testing.assert_allclose(frames.intrinsics, (25, 26, 14.5, 9.5))
    full = frames.full_depth(0)
    assert full.shape == (480, 640) and full.dtype == np.float32
    expected = 1 + (10 + np.floor((np.arange(640) + 0.5) * 30 / 640)) / 10
    np.testing.assert_allclose(full, np.broadcast_to(expected, (480, 640)), rtol=1e-6)


def test_a_depth_of_another_size_and_shape_has_the_pictures_field_of_view(tmp_path, caplog):
    """Both are ramps over the same view, across and down."""
    (h, w), (height, width) = (60, 80), (600, 814)
    across, down = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    picture = np.stack([200 * across, 200 * down, 0 * down], -1).astype(np.uint8)
    across, down = np.meshgrid((np.arange(w) + 0.5) / w, (np.arange(h) + 0.5) / h)
    write_pair(tmp_path / "across", "a", picture, 1 + 2 * across)
    write_pair(tmp_path / "across", "b", picture, 1 + 2 * across)
    write_pair(tmp_path / "down", "a", picture, 1 + 2 * down)
    write_pair(tmp_path / "down", "b", picture, 1 + 2 * down)
    for size in ((20, 30), (40, 20), (24, 32)):
        for channel, name in enumerate(("across", "down")):
            with caplog.at_level(logging.WARNING):
                frames = open_folder(tmp_path / name, frame_size=size)
            seen = 1 + 2 * np.float64(frames.images[0][..., channel]) / 200
            np.testing.assert_allclose(frames.depths[0], seen, atol=2 / min(h, w) + 0.01)  # a pixel of the depth
            assert abs(frames.depths[0] - seen).mean() < 0.02
            assert frames.full_depth(0).mean() == pytest.approx(frames.depths[0].mean(), abs=0.02)
    assert "2 depths differ in shape from their pictures, by up to 2%: taken as the same view" in caplog.text


def test_odd_sizes_show_the_same_part(tmp_path):
    """With colour a ramp of depth, the two agree in every pixel, whatever is cut and enlarged."""
    for name, size in (("a", (97, 211)), ("b", (150, 90)), ("c", (40, 61))):
        x = (np.arange(size[1]) + 0.5) / size[1]
        picture = np.broadcast_to(np.round(200 * x)[None, :, None], (*size, 3)).astype(np.uint8)
        write_pair(tmp_path / "own", name, picture, np.broadcast_to(1 + 2 * x, size))
    frames = open_folder(tmp_path / "own", frame_size=(48, 64))
    x = (frames.depths - 1) / 2
    np.testing.assert_allclose(frames.images[..., 1], 200 * x, atol=200 * 0.51 / 61 + 1.6)


def test_invalid_depths_are_masked_and_counted(own):
    (own / "depths/003.png").unlink()
    depth = np.full((96, 128), 2.0)
    depth[0, :3], depth[1, :4], depth[2, :5], depth[3, :6] = np.nan, np.inf, -1, 0
    np.save(own / "depths/003.npy", depth)
    (own / "depths/004.png").unlink()
    np.save(own / "depths/004.npy", depth * np.nan)
    frames = open_folder(own, frame_size=(96, 128))
    assert frames.counts == {"nan": 3 + depth.size, "inf": 4, "negative": 5, "empty_frames": 1}
    expected = np.where(depth > 0, np.where(np.isfinite(depth), depth, 0), 0)
    np.testing.assert_array_equal(frames.depths[3], expected)
    assert not frames.depths[4].any() and not frames.full_depth(4).any()
    assert np.isfinite(frames.full_depth(3)).all()


def test_ids_and_hash_depend_on_the_names_only(own, tmp_path):
    def opened(folder):
        frames = open_folder(folder, frame_size=SIZE)
        return frames.ids.tolist(), splits.split("blocks", frames.ids, lists=frames.splits).hash

    ids, digest = opened(own)
    assert len(set(ids)) == 10 and min(ids) >= 0
    own.rename(tmp_path / "moved")
    assert opened(tmp_path / "moved") == (ids, digest)
    for part in ("images", "depths"):
        (tmp_path / "moved" / part / "004.png").rename(tmp_path / "moved" / part / "004b.png")
    renamed, other = opened(tmp_path / "moved")
    assert other != digest and [a == b for a, b in zip(ids, renamed, strict=True)].count(False) == 1


def test_a_folder_is_converted_once_until_a_file_changes(own, cache, monkeypatch):
    reads, read = [], pairs.read
    monkeypatch.setattr(pairs, "read", lambda pair, **settings: reads.append(pair.name) or read(pair, **settings))
    first, again = (open_folder(own, frame_size=SIZE) for _ in range(2))
    assert len(reads) == 10 and len(os.listdir(cache)) == 1
    np.testing.assert_array_equal(first.depths, again.depths)
    assert isinstance(again.depths.base, np.memmap)
    os.utime(own / "depths/005.png", ns=(0, 1))
    open_folder(own, frame_size=SIZE)
    assert len(reads) == 20
    open_folder(own, frame_size=SIZE, depth_scale=0.002)
    assert len(reads) == 30


def one_pixel(own):
    write_pair(own, "004", np.zeros((1, 1, 3), np.uint8), np.ones((1, 1)))


def metres_as(factor):
    def change(own):
        for file in sorted((own / "depths").iterdir()):
            np.save(file.with_suffix(".npy"), np.asarray(Image.open(file)) * QUANTUM * factor)
            file.unlink()

    return change


def transposed(own):
    depth = np.asarray(Image.open(own / "depths/004.png"))
    Image.fromarray(np.ascontiguousarray(depth.T)).save(own / "depths/004.png")


def of_another_shape(own):
    Image.fromarray(np.ones((96, 96), np.uint16)).save(own / "depths/004.png")


def nothing_measured(own):
    for file in (own / "depths").iterdir():
        Image.fromarray(np.zeros((96, 128), np.uint16)).save(file)


BAD = {
    "text": (lambda f: (f / "images/004.png").write_text("no picture"), "images/004.png': not a picture"),
    "empty": (lambda f: (f / "images/004.png").write_bytes(b""), "images/004.png': an empty file"),
    "empty depth": (lambda f: (f / "depths/004.png").write_bytes(b""), "depths/004.png': an empty file"),
    "one pixel": (one_pixel, "images/004.png': a picture of 1x1 pixels: expected at least"),
    "no depth": (lambda f: (f / "depths/004.png").unlink(), r"1 pictures without a depth at depths/\*: 004$"),
    "no picture": (lambda f: (f / "images/004.png").unlink(), r"1 depths without a picture at images/\*: 004$"),
    "two": (lambda f: shutil.copy(f / "images/004.png", f / "images/004.jpg"), "two files for '004' at images/"),
    "millimetres": (metres_as(1000.0), "median depth .* m: millimetres. give .*folder.depth_scale=0.001"),
    "metres": (metres_as(0.001), r"median depth 0.00\d* m: give --config.data.folder.depth_scale=METRES"),
    "transposed": (transposed, "depths/004.png': 128x96 .rows x columns.* is 96x128: .*, axes swapped"),
    "shape": (of_another_shape, "depths/004.png': 96x96 .*images/004.png' is 96x128: expected the picture's shape$"),
    "nothing": (nothing_measured, "no valid depth"),
    "train.txt": (
        lambda f: (f / "train.txt").write_text("000\n0001\n"),
        "train.txt, line 2: '0001': expected the name",
    ),
}


@pytest.mark.parametrize("change, message", BAD.values(), ids=BAD.keys())
def test_a_bad_folder_is_named_in_one_line_and_leaves_nothing(own, cache, change, message):
    change(own)
    with pytest.raises(InputError, match=message) as raised:
        selection.open_frames("folder", path=own, frame_size=SIZE)
    assert str(own) in str(raised.value) and "\n" not in str(raised.value)
    assert not cache.exists() or os.listdir(cache) == []


def test_the_right_scale_is_accepted(own):
    metres_as(1000.0)(own)
    frames = open_folder(own, depth_scale=0.001, frame_size=SIZE)
    assert 1 < np.median(frames.depths) < 8


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="config.data.path=None: expected a folder with pictures and depths"):
        selection.open_frames("folder")
    with pytest.raises(FileNotFoundError, match="config.data.path='.*nowhere': no such folder"):
        selection.open_frames("folder", path=tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match="config.data.path='.*file': a file: expected a folder"):
        selection.open_frames("folder", path=tmp_path / "file")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(intrinsics=(1.0, 2.0, 3.0)), r"config.data.folder.intrinsics=\(1.0, 2.0, 3.0\): expected \(f,\), "),
        (dict(intrinsics=(0.0, 1.0, 1.0, 1.0)), "config.data.folder.intrinsics"),
        (dict(intrinsics=("(f,)",)), r"config.data.folder.intrinsics=.*: expected \(f,\), .* such as \(525,\)"),
        (dict(intrinsics=(4.0, 4.0, 40.0, 30.0)), "config.data.folder.intrinsics: .* field of view .*millimetres"),
        (dict(frame_size=(0, 80)), r"frame_size=\(0, 80\)"),
        (dict(depth_scale=-1.0), "config.data.folder.depth_scale=-1.0"),
    ],
)
def test_settings_out_of_range_are_refused(own, settings, message):
    with pytest.raises(InputError, match=message):
        open_folder(own, **settings)


def test_intrinsics_need_pictures_of_one_size(own):
    write_pair(own, "004", *fake_nyu.frame(4, (48, 64))[:2])
    assert len(open_folder(own, frame_size=SIZE)) == 10
    with pytest.raises(InputError, match="intrinsics: pictures of sizes 48x64, 96x128: expected one size"):
        open_folder(own, frame_size=SIZE, intrinsics=(1.0, 1.0, 0.0, 0.0))


def test_a_single_pair_is_refused(tmp_path):
    with pytest.raises(InputError, match="1 pair: expected two or more"):
        open_folder(write_folder(tmp_path / "own", 1), frame_size=SIZE)


def test_a_full_disk_leaves_nothing(own, cache, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(OSError, match="cache/folder-.*: could not be written: .*No space left on device"):
            open_folder(own, frame_size=SIZE)
    assert os.listdir(cache) == []
    resource = pytest.importorskip("resource")  # not on Windows
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match="cache/folder-.*: could not be written"):
            open_folder(own, frame_size=SIZE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(cache) == []


def test_a_cache_that_cannot_be_written_is_an_os_error(own, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        open_folder(own, frame_size=SIZE, cache_dir=tmp_path / "file")


def test_train_and_evaluate_on_a_folder(own, tmp_path, capsys):
    settings = small.settings(own, name="mean_depth", steps=2, **{"data.source": "folder", "data.split": "paper"})
    scores = train.train_and_evaluate(settings, tmp_path / "run")
    assert "--protocol=full" in capsys.readouterr().out
    result = evaluate.evaluate_checkpoint(tmp_path / "run", protocol="paper")
    protocol = result["protocol"]
    assert (protocol["source"], protocol["split"], result["frames"]) == ("folder", "blocks", 2)
    assert result["per_frame"]["order"] == [8, 9], "neighbours, whatever their ids"
    assert result["metrics"] == pytest.approx(scores["stored"], rel=1e-6)
    full = evaluate.evaluate_checkpoint(tmp_path / "run", protocol="full", split="all")
    assert full["frames"] == 10 and full["protocol"]["frames_seen_in_training"] == 8
    other = write_folder(tmp_path / "other", 12)  # other frames under the same names
    unseen = evaluate.evaluate_checkpoint(tmp_path / "run", protocol="paper", path=other, split="all")
    assert unseen["frames"] == 12 and unseen["protocol"]["frames_seen_in_training"] == 0
    shutil.copytree(own, tmp_path / "moved")  # the same frames
    moved = evaluate.evaluate_checkpoint(tmp_path / "run", protocol="paper", path=tmp_path / "moved", split="all")
    assert moved["protocol"]["frames_seen_in_training"] == 8
    with pytest.raises(InputError, match="holds another run.*config.data.folder.depth_scale: None there, 0.002 now"):
        settings.data.folder.depth_scale = 0.002
        train.train_and_evaluate(settings, tmp_path / "run")


def test_a_run_on_scenes_is_scored_by_scenes_and_test_frames_alone(tmp_path):
    """A run of an earlier version, whose split was `blocks`, goes on with it, and with no other."""
    for scene in "abcde":
        for i in range(4):
            write_pair(tmp_path / "own" / scene, str(i), *fake_nyu.frame(i, (96, 128))[:2])
    settings = small.settings(tmp_path / "own", name="mean_depth", steps=2, **{"data.source": "folder"})
    train.train_and_evaluate(settings, tmp_path / "run")
    held_back = evaluate.evaluate_checkpoint(tmp_path / "run", protocol="paper")["per_frame"]["name"]
    result = evaluate.evaluate_checkpoint(tmp_path / "run", protocol="paper", split="all")
    assert result["protocol"]["frames_seen_in_training"] == 16 and result["interval_over"] == "5 scenes"
    assert result["per_frame"]["group"] == [i // 4 for i in range(20)]
    settings.data.split = "blocks"
    train.train_and_evaluate(settings, tmp_path / "blocks")
    result = evaluate.evaluate_checkpoint(tmp_path / "blocks", protocol="paper")
    assert (result["protocol"]["split"], result["frames"]) == ("blocks", 4)
    settings.data.split = "official"
    with pytest.raises(InputError, match="holds another run .config.data.split: 'blocks' there, 'scenes' now"):
        train.train_and_evaluate(settings, tmp_path / "blocks")
    trained_on = next(scene for scene in "abcde" if f"{scene}/0" not in held_back)
    (tmp_path / "own/test.txt").write_text("S/images/1.png S/depths/1.png\nS/2\n".replace("S", trained_on))
    tested = evaluate.evaluate_checkpoint(tmp_path / "run", protocol="paper", split="test")
    assert (tested["protocol"]["split"], tested["per_frame"]["name"]) == (
        "test",
        [f"{trained_on}/1", f"{trained_on}/2"],
    )
    assert tested["protocol"]["frames_seen_in_training"] == 2, "test.txt came later"
    (tmp_path / "own/e/images/0.png").unlink()
    (tmp_path / "own/e/depths/0.png").unlink()
    changed = evaluate.evaluate_checkpoint(tmp_path / "run", protocol="paper", split="test")
    assert changed["protocol"]["frames_seen_in_training"] is None and report.SEEN_UNKNOWN in report.text(changed)
    assert report.SEEN_UNKNOWN in words.warnings(changed) and not any(
        "None of these" in s for s in words.protocol(changed)
    )
    (tmp_path / "own/test.txt").unlink()
    with pytest.raises(InputError, match="split='test': this source has scenes, blocks, all"):
        evaluate.evaluate_checkpoint(tmp_path / "run", protocol="paper", split="test")
