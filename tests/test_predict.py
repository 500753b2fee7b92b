"""From pictures of any size to depth of the same size, and the command."""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys

import clips
import jax
import numpy as np
import pytest
import small
import trimesh
from PIL import Image

import jaxdepth
from jaxdepth import predict
from jaxdepth.data.files import pictures
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import nyu_intrinsics
from jaxdepth.geometry.framing import network_input
from jaxdepth.output import viewer

CAMERA = nyu_intrinsics((40, 56))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return small.random_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def trained(run):
    return jaxdepth.load(run)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(40, 56), (91, 67), (500, 4000), (2, 2), (33, 2)])
def test_depth_has_the_pictures_own_size(trained, size):
    depth = trained.predict(noise(*size)).depth
    assert depth.shape == size and depth.dtype == np.float32
    assert 1e-3 <= depth.min() and depth.max() <= 10
    assert network_input(noise(*size), trained.framing).shape == (1, *small.SIZE, 3)


def test_a_longer_lens_sees_a_room_farther_away(trained):
    image = noise(80, 112)
    near = trained.predict(image, intrinsics=(50.0, 50.0, 55.5, 39.5)).depth
    far = trained.predict(image, intrinsics=(100.0, 100.0, 55.5, 39.5)).depth
    inside = far < 10
    np.testing.assert_allclose(far[inside], 2 * near[inside], rtol=1e-5)
    with pytest.raises(ValueError, match=r"expected \(f,\), \(fx, fy\) or"):
        trained.predict(image, intrinsics=(0.0, 1.0, 1.0, 1.0))


def test_a_run_on_another_camera_keeps_it(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    record = json.loads((run / "config.json").read_text())
    record["data"]["intrinsics"] = [100.0, 100.0, 27.5, 19.5]
    (tmp_path / "run/config.json").write_text(json.dumps(record))
    own, image = jaxdepth.load(tmp_path / "run"), noise(40, 56)
    assert own.framing.camera == (100, 100, 27.5, 19.5)
    np.testing.assert_array_equal(own.predict(image), own.predict(image, intrinsics=own.framing.camera))
    nyus = jaxdepth.load(run)
    np.testing.assert_allclose(nyus.framing.camera, CAMERA)
    factor = np.sqrt(CAMERA.fx * CAMERA.fy) / 100
    given = dict(intrinsics=(100.0, 100.0, 27.5, 19.5))
    depth = nyus.predict(image, **given).depth
    np.testing.assert_allclose(own.predict(image).depth[depth < 10], depth[depth < 10] * factor, rtol=1e-4)
    Image.fromarray(image).save(tmp_path / "a.png")
    report = predict.predict_files(tmp_path / "run", [tmp_path / "a.png"], formats=())
    assert report.lines[0].startswith("the camera of the training's frames is assumed for 1 of 1")


def test_paths_images_and_arrays_give_the_same(trained, tmp_path):
    image = noise(50, 60)
    Image.fromarray(image).save(tmp_path / "a.png")
    expected = trained.predict(image)
    for same in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(image), np.float64(image) / 255):
        np.testing.assert_allclose(trained.predict(same), expected, rtol=1e-6)
    for wrong in (image[..., 0], np.float32(image), np.int64(image)):
        with pytest.raises(ValueError, match="^image of "):
            trained.predict(wrong)


def test_every_output_has_its_own_depth(trained):
    image = noise(50, 60)
    depths = trained.predict_outputs(image)
    assert list(depths) == ["fusion", "scale1", "scale2", "scale3"]
    np.testing.assert_array_equal(depths["fusion"], trained.predict(image))
    assert all(depth.shape == (50, 60) and depth.dtype == np.float32 for depth in depths.values())
    assert not np.allclose(depths["scale1"], depths["scale3"])


def command(*arguments, limit="unlimited", **options):
    """Runs the command; `limit` is the largest size of a file, in the 512 or 1024 bytes of the shell."""
    launch = pathlib.Path(__file__).parents[1] / "launch" / "predict.py"
    return subprocess.run(
        ["sh", "-c", f'ulimit -f {limit}; exec "$@"', "sh", sys.executable, launch, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


def test_bad_pictures_are_skipped_and_named_and_the_rest_done(run, tmp_path, monkeypatch):
    Image.fromarray(noise(30, 50)).save(tmp_path / "good.png")
    (tmp_path / "empty.png").touch()
    (tmp_path / "note.png").write_text("no picture")
    (tmp_path / "half.png").write_bytes((tmp_path / "good.png").read_bytes()[:900])
    Image.new("RGB", (1, 1)).save(tmp_path / "one.png")
    Image.new("L", (300, 300)).save(tmp_path / "bomb.png")
    Image.new("L", (150, 150)).save(tmp_path / "large.png")  # only a warning of Pillow
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20_000)
    formats = ("npy", "png", "ply", "glb", "normals")
    report = predict.predict_files(run, [tmp_path, tmp_path / "gone.png"], formats=formats, batch=2)
    assert len(report.skipped) == 6
    lines = report.lines
    assert lines[0].startswith("NYU's camera is assumed for 2 of 2")
    assert lines[1].startswith("2 pictures, ") and f"images/s, in {tmp_path / 'depth'}, 6 skipped: " in lines[1]
    for name, why in dict(
        empty="an empty", note="not a picture", half="not a picture", one="a picture of 1x1",
        bomb="a picture of too many pixels",
        gone="No such file",
    ).items():  # fmt: skip
        assert f"{name}.png ({why}" in lines[1] or f"{name}.png (not a picture that Pillow can read ({why}" in lines[1]
    out = tmp_path / "depth"
    assert {path.name for path in out.iterdir()} == {
        f"{name}.{kind}" for name in ("good", "large") for kind in ("npy", "png", "ply", "glb", "normals.png", "json")
    }
    depth = np.load(out / "good.npy")
    assert depth.shape == (30, 50)
    np.testing.assert_allclose(depth, jaxdepth.load(run).predict(tmp_path / "good.png"), rtol=1e-5)
    described = json.loads((out / "good.json").read_text())
    assert described["intrinsics_from"] == "assumed: NYU's camera" and described["network"] == "kscale"
    np.testing.assert_allclose(described["range"], [depth.min(), depth.max()])


def test_edge_and_viewer_reach_what_is_shown(run, tmp_path, monkeypatch):
    for name in ("a", "b"):
        Image.fromarray(noise(30, 50)).save(tmp_path / f"{name}.png")
    shown = {}

    def show(depth, pixels, camera, *, edge, name):
        shown[pathlib.Path(name).name] = depth, pixels, camera, edge

    monkeypatch.setattr(viewer, "start", lambda: shown.setdefault("started", True))
    monkeypatch.setattr(viewer, "show", show)
    report = predict.predict_files(run, [tmp_path], formats=("npy", "glb"), edge=0.0, viewer=True)
    assert not report.skipped and shown.pop("started") and sorted(shown) == ["a.png", "b.png"]
    depth, pixels, camera, edge = shown["a.png"]
    np.testing.assert_array_equal(depth, np.load(tmp_path / "depth/a.npy"))
    np.testing.assert_array_equal(pixels, noise(30, 50))
    assert edge == 0 and camera.cx == pytest.approx(24.5, abs=2)
    with_all = trimesh.load(tmp_path / "depth/a.glb", force="mesh")
    assert len(with_all.faces) == 2 * 29 * 49  # 0 degrees cut nothing
    predict.predict_files(run, [tmp_path / "a.png"], formats=("glb",), edge=89.0)
    assert len(trimesh.load(tmp_path / "depth/a.glb", force="mesh").faces) < 2 * 29 * 49


def test_pictures_of_a_closed_viewer_are_written_and_told(run, tmp_path, monkeypatch):
    def closed(*_, **__):
        raise InputError("the viewer does not answer: closed")

    for name in ("a", "b"):
        Image.fromarray(noise(30, 50)).save(tmp_path / f"{name}.png")
    monkeypatch.setattr(viewer, "start", lambda: None)
    monkeypatch.setattr(viewer, "show", closed)
    report = predict.predict_files(run, [tmp_path], formats=("npy",), viewer=True)
    assert not report.skipped and (tmp_path / "depth/b.npy").is_file()
    told = "warning: 2 of 2 pictures not shown, whose files are written: the viewer does not answer: closed"
    assert told in report.lines
    with pytest.raises(InputError, match="edge=90: expected degrees from 0 to below 90"):
        predict.predict_files(run, [tmp_path], edge=90.0)
    with pytest.raises(InputError, match="formats='obj': expected some of npy, png, color, normals, ply, glb, rrd"):
        predict.predict_files(run, [tmp_path], formats=("obj",))


def test_the_command_reports_what_it_did(run, tmp_path):
    Image.fromarray(noise(30, 50)).save(tmp_path / "good.png")
    ended = command(f"--workdir={run}", tmp_path / "good.png", tmp_path / "gone.png", "--fx=60")
    assert ended.returncode == 1 and "1 picture, " in ended.stdout and "gone.png (No such file" in ended.stdout
    assert {p.name for p in (tmp_path / "depth").iterdir()} == {"good.npy", "good.png", "good.color.png", "good.json"}
    described = json.loads((tmp_path / "depth/good.json").read_text())
    assert described["intrinsics"] == {"fx": 60, "fy": 60, "cx": 24.5, "cy": 14.5}


def test_an_output_that_cannot_be_written_and_a_full_disk_are_one_line(run, tmp_path):
    Image.fromarray(noise(300, 300)).save(tmp_path / "good.png")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        predict.predict_files(run, [tmp_path / "good.png"], output=tmp_path / "file" / "below")
    out = tmp_path / "out"
    out.mkdir()
    (out / "good.npy").write_bytes(b"old")

    environment = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    ended = command(
        f"--workdir={run}", tmp_path / "good.png", f"--output={out}", "--overwrite", env=environment, limit=300
    )  # depth takes 360 kB
    errors = [line for line in ended.stderr.splitlines() if "error" in line.lower()]
    assert ended.returncode == 1 and len(errors) == 1 and "good.npy" in errors[0] and "Traceback" not in ended.stderr
    assert [p.name for p in out.iterdir()] == ["good.npy"] and (out / "good.npy").read_bytes() == b"old"


def test_importing_the_package_imports_no_jax():
    told = subprocess.run(
        [sys.executable, "-c", "import jaxdepth, sys; print('jax' in sys.modules)"], capture_output=True, text=True
    )
    assert told.stdout == "False\n"


@pytest.fixture
def loaded(trained, monkeypatch):
    """The command's function takes the network that is loaded already, and compiled for batches of 4."""
    monkeypatch.setattr(predict, "load", lambda folder, step: trained)


def save(path, *size, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(*size or (30, 50))).save(path, **options)
    return path


def run_files(*arguments, formats=("npy", "png"), **options):
    return predict.predict_files("run", arguments, formats=formats, **options)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_that_predict_has_not_written_stay(loaded, tmp_path):
    for name in "abc":
        save(tmp_path / f"{name}.jpg")
    out = tmp_path / "depth"
    out.mkdir()
    theirs = {"a.png": b"truth", "b.json": b'{"files": ["b.npy"]}', "c.ply": b"a scan"}
    for name, data in theirs.items():
        (out / name).write_bytes(data)
    report = run_files(tmp_path)
    told = "is there and not a prediction: --overwrite replaces it"
    assert dict(report.skipped) == {
        str(tmp_path / "a.jpg"): f"{out}/a.png {told}",
        str(tmp_path / "b.jpg"): f"{out}/b.json {told}",
    }
    assert contents(out).keys() == theirs.keys() | {"c.json", "c.npy", "c.png"}
    assert theirs.items() <= contents(out).items()
    assert not run_files(tmp_path / "c.jpg", formats=["npy"]).skipped  # its own; it keeps c.png, which stays its own
    assert json.loads((out / "c.json").read_text())["files_of_earlier_runs"] == ["c.png"]
    assert not run_files(tmp_path / "c.jpg").skipped
    assert [path for path, _ in run_files(tmp_path / "c.jpg", formats=["npy", "ply"]).skipped] == [f"{tmp_path}/c.jpg"]
    assert not run_files(tmp_path, overwrite=True).skipped
    assert np.load(out / "a.npy").shape == pictures.read(out / "a.png").pixels.shape[:2] == (30, 50)
    assert "picture" in json.loads((out / "b.json").read_text()) and (out / "c.ply").read_bytes() == b"a scan"


def test_files_of_a_killed_run_are_not_foreign_to_the_next(loaded, tmp_path, monkeypatch):
    picture, replace, renamed = save(tmp_path / "a.jpg"), pathlib.Path.replace, []

    def killed(self, target):
        if len(renamed) == 2:
            raise KeyboardInterrupt
        renamed.append(pathlib.Path(target).name)
        return replace(self, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pathlib.Path, "replace", killed)
        run_files(picture)
    assert renamed == ["a.json", "a.npy"] and contents(tmp_path / "depth").keys() == {"a.json", "a.npy"}
    assert not run_files(picture).skipped and (tmp_path / "depth/a.png").exists()


def test_a_network_that_is_not_finite_is_an_error_by_name(trained, tmp_path, monkeypatch):
    broken = jax.tree.map(lambda x: x * np.float32(np.nan), trained.trained.variables)
    broken = predict.Predictor(dataclasses.replace(trained.trained, variables=broken))
    monkeypatch.setattr(predict, "load", lambda folder, step: broken)
    message = "^network kscale of step 0 predicts values that are not finite"
    with pytest.raises(InputError, match=message):
        run_files(save(tmp_path / "a.png"))
    assert not list((tmp_path / "depth").iterdir())
    with pytest.raises(InputError, match=message):
        broken.predict(noise(30, 50))


def test_cameras_that_do_not_exist_are_told(loaded, tmp_path):
    def exif(focal):
        made = Image.Exif()
        made.get_ifd(0x8769)[0xA405] = focal
        return made

    photos = [save(tmp_path / f"{name}.jpg", 30, 40, exif=exif(focal)) for name, focal in (("a", 4), ("b", 600))]
    report = run_files(*photos)
    assert report.lines[0].startswith("NYU's camera is assumed for 1 of 2 pictures")
    assert report.lines[1] == f"warning: EXIF's focal length is no camera's in 1 of 2 pictures, first {photos[0]}"
    far = np.load(tmp_path / "depth/b.npy") == 10  # 600 mm see a room as if it were far away
    assert far.mean() > 0.5
    assert report.lines[2] == (
        f"warning: most of the depth is at an end of its range in 1 of 2 pictures, first {photos[1]}: "
        "is the focal length right?"
    )
    described = [json.loads((tmp_path / f"depth/{name}.json").read_text()) for name in "ab"]
    assert described[0]["intrinsics_from"] == "assumed: NYU's camera; EXIF's focal length is no camera's"
    assert described[1]["share_clipped"] == [0, round(far.mean(), 4)]
    report = run_files(*photos, intrinsics=(3.0,), output=tmp_path / "out")  # 4 mm, mistaken for pixels
    assert len(report.lines) == 1 and report.lines[0].startswith("0 pictures") and not list(tmp_path.glob("out/*"))
    assert f"2 skipped: {photos[0]}, {photos[1]} (intrinsics: fx=3, fy=3 is a field of view of" in report.lines[0]


def test_what_a_folder_holds_and_cannot_be_read_is_named(loaded, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    save(tmp_path / "a.png")
    (tmp_path / "b.heic").write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf")
    save(tmp_path / "c.tiff").rename(tmp_path / "c.dng")
    (tmp_path / "d.jpg").symlink_to(tmp_path / "gone.jpg")
    report = run_files(tmp_path)
    assert report.lines[-1].startswith("1 picture, ") and "3 skipped: " in report.lines[-1]
    for name, why in {"b.heic": "a HEIC picture", "c.dng": "a raw photo", "d.jpg": "a link to a file"}.items():
        assert f"{tmp_path}/{name} ({why}" in report.lines[-1]


def test_a_name_that_is_not_text_is_predicted_and_shown(loaded, tmp_path):
    picture = tmp_path / os.fsdecode(b"caf\xe9 $x_{$.png")
    save(tmp_path / "a.png").rename(picture)
    for _ in range(2):  # its own files are known again
        report = run_files(tmp_path, tmp_path / os.fsdecode(b"\xff.png"), formats=["npy", "color"])
        assert (
            report.lines[-1]
            .encode()
            .endswith(rb"1 skipped: %b/\udcff.png (No such file or directory)" % os.fsencode(tmp_path))
        )
    described = json.loads((tmp_path / "depth" / os.fsdecode(b"caf\xe9 $x_{$.json")).read_text())
    assert described["picture"] == rf"{tmp_path}/caf\udce9 $x_{{$.png"
    json.dumps(described, ensure_ascii=False).encode()


def test_one_bad_file_ends_no_job(loaded, tmp_path, monkeypatch):
    """Two pictures that ask for too much, and a folder that cannot hold results, beside two good ones."""
    good = [save(tmp_path / f"good/{name}.png") for name in "ab"]
    save(tmp_path / "blocked/c.png")
    (tmp_path / "blocked/depth").write_text("a file")
    hungry = save(tmp_path / "good/d.png", 31, 50)
    from_pil = pictures.from_pil

    def limited(picture):
        if picture.height == 31:
            raise MemoryError
        return from_pil(picture)

    monkeypatch.setattr(pictures, "from_pil", limited)
    report = run_files(hungry, tmp_path / "blocked", *good)
    assert report.lines[-1].startswith("2 pictures, ")
    assert dict(report.skipped) == {
        str(hungry): "a damaged picture (MemoryError)",
        str(tmp_path / "blocked/c.png"): f"File exists: {tmp_path}/blocked/depth",
    }
    assert {path.name for path in (tmp_path / "good/depth").iterdir()} == {
        f"{name}.{kind}" for name in "ab" for kind in ("npy", "png", "json")
    }


def test_clips_and_pictures_of_a_folder_are_done(loaded, tmp_path):
    (tmp_path / "in").mkdir()
    clips.write(tmp_path / "in" / "a.mkv", [noise(32, 48, i) for i in range(5)], damaged=[2])
    (tmp_path / "in" / "b.mp4").write_text("no video")
    save(tmp_path / "in" / "c.png")
    report = run_files(tmp_path / "in", output=tmp_path / "out", depth_frames=True, smoothing=0.0, batch=2)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "a.depth.mp4", "a.depth", "a.json", "c.npy", "c.png", "c.json"
    }  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "out/a.depth").iterdir()) == [f"00000{i}.png" for i in range(4)]
    assert report.lines[0].startswith(f"4 frames of {tmp_path}/in/a.mkv, ")
    assert "1 damaged frames left out; NYU's camera is assumed" in report.lines[0]
    assert report.lines[-1].startswith("1 picture, ") and f"1 skipped: {tmp_path}/in/b.mp4 (" in report.lines[-1]
    alone = run_files(tmp_path / "in" / "a.mkv", output=tmp_path / "out")
    assert len(alone.lines) == 1 and not alone.skipped


def test_a_full_disk_or_ctrl_c_in_a_clip_names_what_is_left(loaded, tmp_path, monkeypatch):
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    save(tmp_path / "c.png")

    def full(predictor, path, name, **_):
        raise OSError(28, "No space left on device", f"{name}.depth.mp4")

    monkeypatch.setattr(predict.clip, "predict_clip", full)
    with pytest.raises(OSError, match=r"clips done: 0; files not begun: 2 \(\S+b\.mp4, \S+c\.png\).*a\.depth\.mp4"):
        run_files(tmp_path)

    def interrupted(*_, **__):
        raise KeyboardInterrupt("interrupted after 3 of 9 frames")

    monkeypatch.setattr(predict.clip, "predict_clip", interrupted)
    with pytest.raises(
        KeyboardInterrupt, match=r"interrupted after 3 of 9 frames; clips done: 0; files not begun: 2 \("
    ):
        run_files(tmp_path)
    assert not (tmp_path / "depth").exists()
