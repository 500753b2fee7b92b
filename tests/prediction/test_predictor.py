"""What a Prediction offers beside its depth."""

import io

import jax
import numpy as np
import pytest
import small
from PIL import Image

import jaxdepth
from jaxdepth.errors import InputError


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return jaxdepth.load(small.random_run(tmp_path_factory.mktemp("run")))


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_points_lie_on_the_pixels_rays(predictor):
    found = predictor.predict(noise(20, 30), intrinsics=(25.0, 26.0, 14.0, 9.5))
    points = found.points()
    assert points.shape == (20, 30, 3) and found.intrinsics == (25, 26, 14, 9.5) and found.intrinsics_from == "given"
    np.testing.assert_array_equal(points[..., 2], found.depth)
    np.testing.assert_allclose(25 * points[..., 0] / points[..., 2] + 14, np.arange(30) * np.ones((20, 1)), atol=1e-4)
    np.testing.assert_allclose(
        26 * points[..., 1] / points[..., 2] + 9.5, np.arange(20)[:, None] * np.ones(30), atol=1e-4
    )
    np.testing.assert_array_equal(np.asarray(found), found.depth)
    np.testing.assert_array_equal(found.image, noise(20, 30))


def test_a_name_tells_the_format(predictor, tmp_path):
    found = predictor.predict(noise(20, 30))
    for name in ("a.npy", "b.png", "b.color.png", "c.ply", "c.glb", "c.normals.png", "c.rrd"):
        found.save(tmp_path / name)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), found.depth)
    with Image.open(tmp_path / "b.png") as millimetres, Image.open(tmp_path / "b.color.png") as colours:
        millimetres, mode = np.asarray(millimetres), colours.mode
    np.testing.assert_allclose(millimetres / 1000, found.depth, atol=6e-4)
    assert mode == "P"
    starts = {"c.ply": b"ply\n", "c.glb": b"glTF", "c.normals.png": b"\x89PNG", "c.rrd": b"RRF2"}
    for name, start in starts.items():
        assert (tmp_path / name).read_bytes().startswith(start)
    with pytest.raises(InputError, match=r"d\.jpg.: expected a name that ends in one of \.npy, \.png, \.color\.png"):
        found.save(tmp_path / "d.jpg")
    assert not (tmp_path / "d.jpg").exists()


def test_a_batch_may_differ_in_size_and_stay_on_its_device(predictor):
    images = [noise(20, 30), noise(41, 33, 1), noise(40, 56, 2)]
    alone = [predictor.predict(image) for image in images]
    for on_device in (False, True):
        together = predictor.predict_batch(images, on_device=on_device)
        for one, other in zip(alone, together, strict=True):
            assert isinstance(other.depth, jax.Array) == on_device
            assert isinstance(other.points(), jax.Array) == on_device
            np.testing.assert_allclose(other, one.depth, rtol=2e-5)
    assert predictor.predict_batch([]) == []


def test_a_photo_may_be_turned_by_its_exif(predictor, tmp_path):
    """As Pillow turns it; the picture that was given is not changed."""
    turned = Image.Exif()
    turned[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(noise(24, 40)).save(file, "PNG", exif=turned)
    picture = Image.open(file)
    found = predictor.predict(picture)
    assert found.depth.shape == (40, 24) and picture.size == (40, 24)
    np.testing.assert_array_equal(found.image, np.rot90(noise(24, 40), -1))


def test_the_example_of_the_docs_runs(predictor, tmp_path, monkeypatch):
    text = (small.ROOT / "docs" / "prediction.md").read_text()
    (example,) = [block for block in text.split("```python\n")[1:] if "predictor.predict(" in block]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jaxdepth, "load", lambda: predictor)
    Image.fromarray(noise(30, 40)).save("photo.jpg")
    names = {}
    exec(compile(example.partition("```")[0], "docs/prediction.md", "exec"), names)
    assert names["points"].shape == (30, 40, 3) and (tmp_path / "room.color.png").is_file()
    np.testing.assert_allclose(
        names["second"].depth, names["on_device"], rtol=2e-2
    )  # from the pixels, without JPEG's EXIF
