"""From pictures of any size to depth of the same size, and the command."""

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
from jaxdepth.geometry.camera import nyu_intrinsics
from jaxdepth.geometry.framing import network_input

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
    depth = trained.predict(noise(*size))
    assert depth.shape == size and depth.dtype == np.float32
    assert 1e-3 <= depth.min() and depth.max() <= 10
    assert network_input(noise(*size), trained.framing).shape == (1, *small.SIZE, 3)


def test_a_longer_lens_sees_a_room_farther_away(trained):
    image = noise(80, 112)
    near = trained.predict(image, intrinsics=(50.0, 50.0, 55.5, 39.5))
    far = trained.predict(image, intrinsics=(100.0, 100.0, 55.5, 39.5))
    inside = far < 10
    np.testing.assert_allclose(far[inside], 2 * near[inside], rtol=1e-5)
    with pytest.raises(ValueError, match="expected fx and fy above 0"):
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
    depth = nyus.predict(image, **given)
    np.testing.assert_allclose(own.predict(image)[depth < 10], depth[depth < 10] * factor, rtol=1e-4)
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
    formats = ("npy", "png", "ply")
    report = predict.predict_files(run, [tmp_path, tmp_path / "gone.png"], formats=formats, batch=2)
    assert len(report.skipped) == 6
    lines = report.lines
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
