"""From pictures of any size and mode to depth of their own size, and the command."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import small
from PIL import Image

import jaxdepth
from jaxdepth import predict
from jaxdepth.data.files import pictures
from jaxdepth.geometry.camera import NYU_INTRINSICS, Intrinsics, resize_intrinsics
from jaxdepth.output import encode as export
from jaxdepth.output import picture_paths

SIZES = dict(frame_size=(40, 56), crop_size=small.SIZE)
CAMERA = resize_intrinsics(NYU_INTRINSICS, from_size=(480, 640), to_size=(40, 56))
FRAME = dict(frame_size=(40, 56), frame_camera=CAMERA)


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
    depth = trained.predict(noise(*size))
    assert depth.shape == size and depth.dtype == np.float32
    assert 1e-3 <= depth.min() and depth.max() <= 10
    assert predict.network_input(noise(*size), **SIZES).shape == (1, *small.SIZE, 3)


def test_depth_lies_where_the_picture_was(monkeypatch):
    """Of a portrait the frame's part that it covered comes back, its corners included."""
    ramp = np.broadcast_to(np.arange(1, 41, dtype=np.float32)[:, None] / 8, (40, 56))
    crop = ramp[4:36, 4:52]
    camera, _ = predict.find_camera(pictures.Picture(noise(160, 112)), **FRAME)
    (depth,) = predict.picture_depth(np.log(crop)[None], [(160, 112)], [camera], crop_size=small.SIZE, **FRAME)
    rows = np.clip((np.arange(160) + 0.5) / 4 - 0.5, 4, 35)  # the crop's border is continued
    assert predict.depth_factor((160, 112), camera, **FRAME) == pytest.approx(1)
    expected = (rows + 1) / 8
    np.testing.assert_allclose(depth, np.broadcast_to(expected[:, None], (160, 112)), rtol=1e-3)


def test_a_longer_lens_sees_a_room_farther_away(trained):
    image = noise(80, 112)
    near = trained.predict(image, intrinsics=(50.0, 50.0, 55.5, 39.5))
    far = trained.predict(image, intrinsics=(100.0, 100.0, 55.5, 39.5))
    inside = far < 10
    np.testing.assert_allclose(far[inside], 2 * near[inside], rtol=1e-5)
    with pytest.raises(ValueError, match="expected fx and fy above 0"):
        trained.predict(image, intrinsics=(0.0, 1.0, 1.0, 1.0))


def test_the_training_camera_is_its_own_and_exif_compares_diagonals():
    frame = dict(frame_size=(240, 320), frame_camera=Intrinsics(259, 260, 162.0, 126.0))
    camera, origin = predict.find_camera(pictures.Picture(noise(480, 640)), **frame)
    assert origin == "training"
    np.testing.assert_allclose(camera, (518, 520, 324.5, 252.5))  # the middle is at 159.5 and 319.5
    np.testing.assert_allclose(predict.depth_factor((480, 640), camera, **frame), 1)
    camera, origin = predict.find_camera(pictures.Picture(noise(240, 360), 50.0), **frame)
    assert origin == "exif"
    np.testing.assert_allclose(camera, (500, 500, 179.5, 119.5))  # 36x24 mm on 360x240 pixels


def test_a_run_on_ones_own_folder_keeps_its_camera(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    record = json.loads((run / "config.json").read_text())
    record["data"]["intrinsics"] = [100.0, 100.0, 27.5, 19.5]
    (tmp_path / "run/config.json").write_text(json.dumps(record))
    own, image = jaxdepth.load(tmp_path / "run"), noise(40, 56)
    assert own.frame_camera == (100, 100, 27.5, 19.5)
    np.testing.assert_array_equal(own.predict(image), own.predict(image, intrinsics=own.frame_camera))
    nyus = jaxdepth.load(run)
    np.testing.assert_allclose(nyus.frame_camera, CAMERA)
    factor = np.sqrt(CAMERA.fx * CAMERA.fy) / 100
    given = dict(intrinsics=(100.0, 100.0, 27.5, 19.5))
    depth = nyus.predict(image, **given)
    np.testing.assert_allclose(own.predict(image)[depth < 10], depth[depth < 10] * factor, rtol=1e-4)
    Image.fromarray(image).save(tmp_path / "a.png")
    lines, _ = export.predict_files(tmp_path / "run", [tmp_path / "a.png"], formats=())
    assert lines[0].startswith("the camera of the training's frames is assumed for 1 of 1")


def test_paths_images_and_arrays_give_the_same(trained, tmp_path):
    image = noise(50, 60)
    Image.fromarray(image).save(tmp_path / "a.png")
    expected = trained.predict(image)
    for same in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(image), np.float64(image) / 255):
        np.testing.assert_allclose(trained.predict(same), expected, rtol=1e-6)
    for wrong in (image[..., 0], np.float32(image), np.int64(image)):
        with pytest.raises(ValueError, match="^image of "):
            trained.predict(wrong)


def test_every_output_has_a_depth_of_its_own(trained):
    image = noise(50, 60)
    depths = trained.predict_outputs(image)
    assert list(depths) == ["fusion", "scale1", "scale2", "scale3"]
    np.testing.assert_array_equal(depths["fusion"], trained.predict(image))
    assert all(depth.shape == (50, 60) and depth.dtype == np.float32 for depth in depths.values())
    assert not np.allclose(depths["scale1"], depths["scale3"])


def test_pictures_of_every_mode_are_read_upright(tmp_path):
    grey = Image.new("L", (4, 2), 10)
    grey.putpixel((0, 0), 200)
    exif = Image.Exif()
    exif[0x0112] = 6  # the stored picture is turned by a quarter
    exif.get_ifd(0x8769)[0xA405] = 26
    grey.save(tmp_path / "turned.jpg", exif=exif, quality=100)
    picture = pictures.read(tmp_path / "turned.jpg")
    assert picture.pixels.shape == (4, 2, 3) and picture.focal_35mm == 26
    np.testing.assert_allclose(np.int64(picture.pixels[0, 1]), 200, atol=3)

    def back(picture, name):
        picture.save(tmp_path / name)
        return pictures.read(tmp_path / name).pixels

    levels = np.uint16([[0, 65535], [257 * 100, 257 * 7]])
    np.testing.assert_array_equal(back(Image.fromarray(levels), "deep.png")[..., 0], [[0, 255], [100, 7]])
    np.testing.assert_array_equal(
        back(Image.fromarray(np.int32([[0, 131072], [65536, 0]])), "i.tiff")[..., 1], [[0, 255], [128, 0]]
    )
    rgba = Image.new("RGBA", (2, 2), (10, 20, 30, 255))
    rgba.putpixel((1, 0), (10, 20, 30, 0))
    np.testing.assert_array_equal(back(rgba, "alpha.png"), [[[10, 20, 30], [255] * 3], [[10, 20, 30]] * 2])
    palette = Image.new("RGB", (2, 2), (200, 10, 10)).quantize()
    palette.info["transparency"] = bytes([255] * 4)
    np.testing.assert_array_equal(back(palette, "palette.png")[0, 0], [200, 10, 10])
    np.testing.assert_array_equal(back(Image.new("CMYK", (2, 2), (0, 0, 0, 0)), "cmyk.tiff"), np.full((2, 2, 3), 255))


def test_names_never_collide(tmp_path):
    for name in ("one/a.jpg", "one/a.png", "one/b.png", "one/b.color.png", "two/a.jpg", "one/note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    arguments = [tmp_path / "one", tmp_path / "two", tmp_path / "one/b.png"]
    found, skipped = picture_paths.find(arguments, output=tmp_path / "out")
    assert [name.name for _, name in found] == ["one-a.jpg", "a.png", "b.color.png", "b", "two-a.jpg"] and not skipped
    found, _ = picture_paths.find(arguments)
    assert [name.relative_to(tmp_path).as_posix() for _, name in found] == [
        "one/depth/a.jpg", "one/depth/a.png", "one/depth/b.color.png", "one/depth/b", "two/depth/a",
    ]  # fmt: skip
    (tmp_path / "one/depth").mkdir()
    (tmp_path / "one/depth/b.color.png").touch()
    assert len(picture_paths.find([tmp_path / "one", f"{tmp_path}/one/*"])[0]) == 5  # the depth folder, and note.txt
    with pytest.raises(ValueError, match="pictures are read from it"):
        picture_paths.find([tmp_path / "one"], output=tmp_path / "one")


def command(*arguments, limit="unlimited", **options):
    """The command's end; `limit` is of the size of a file, in the 512 or 1024 bytes of the shell."""
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
    lines, skipped = export.predict_files(
        run, [tmp_path, tmp_path / "gone.png"], formats=("npy", "png", "ply"), batch=2
    )
    assert skipped == 6
    assert lines[0].startswith("NYU's camera is assumed for 2 of 2")
    assert lines[1].startswith("2 pictures, ") and "6 skipped: " in lines[1]
    for name, why in dict(
        empty="an empty", note="not a picture", half="not a picture", one="a picture of 1x1",
        bomb="a picture of too many pixels",
        gone="No such file",
    ).items():  # fmt: skip
        assert f"{name}.png ({why}" in lines[1] or f"{name}.png (not a picture that Pillow can read ({why}" in lines[1]
    out = tmp_path / "depth"
    assert {path.name for path in out.iterdir()} == {
        f"{name}.{kind}" for name in ("good", "large") for kind in ("npy", "png", "ply", "json")
    }
    depth = np.load(out / "good.npy")
    assert depth.shape == (30, 50)
    np.testing.assert_allclose(depth, jaxdepth.load(run).predict(tmp_path / "good.png"), rtol=1e-5)
    described = json.loads((out / "good.json").read_text())
    assert described["intrinsics_from"] == "assumed: NYU's camera" and described["network"] == "kscale"
    np.testing.assert_allclose(described["range"], [depth.min(), depth.max()])


def test_the_command_says_how_it_ended(run, tmp_path):
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
        export.predict_files(run, [tmp_path / "good.png"], output=tmp_path / "file" / "below")
    out = tmp_path / "out"
    out.mkdir()
    (out / "good.npy").write_bytes(b"old")

    environment = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    ended = command(
        f"--workdir={run}", tmp_path / "good.png", f"--output={out}", env=environment, limit=300
    )  # depth takes 360 kB
    errors = [line for line in ended.stderr.splitlines() if "error" in line.lower()]
    assert ended.returncode == 1 and len(errors) == 1 and "good.npy" in errors[0] and "Traceback" not in ended.stderr
    assert [p.name for p in out.iterdir()] == ["good.npy"] and (out / "good.npy").read_bytes() == b"old"


def test_importing_the_package_imports_no_jax():
    told = subprocess.run(
        [sys.executable, "-c", "import jaxdepth, sys; print('jax' in sys.modules)"], capture_output=True, text=True
    )
    assert told.stdout == "False\n"
