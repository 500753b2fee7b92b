"""Pairs of picture and depth files: how they are found, and the unit of their depths."""

import numpy as np
import pytest
from PIL import Image

from jaxdepth.data.sources import pairs
from jaxdepth.errors import InputError


def write(folder, *files):
    """Creates empty files."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()


@pytest.mark.parametrize(
    ("image", "depth", "files", "names"),
    [
        (None, None, ["rgb/a.JPG", "depth/a.npy"], ["a"]),
        (None, None, ["color/a.png", "depth/a.pfm"], ["a"]),
        (None, None, ["a_rgb.jpg", "a_depth.png"], ["a"]),
        (None, None, ["1/rgb/a.jpg", "2/rgb/a.jpg", "1/depth/a.png", "2/depth/a.png"], ["1/a", "2/a"]),
        ("left/*.jpg", "left/*.npy", ["left/a.jpg", "left/a.npy", "left/a.png", "right/a.jpg"], ["a"]),
        ("**/*-c.png", "**/*-d.png", ["x/y/a-c.png", "x/y/a-d.png", "b-c.png", "b-d.png"], ["b", "x/y/a"]),
        ("*/photo.jpg", "*/depth.npz", ["a/photo.jpg", "a/depth.npz"], ["a"]),
        ("images/*", "depths/*", ["images/a.jpg", "depths/a.png", "images/.b.jpg", ".c/images/a.jpg"], ["a"]),
        ("images/*", "depths/*", ["images/a (1).tar.jpg", "depths/a (1).tar.png"], ["a (1).tar"]),
    ],
)
def test_patterns_find_pairs(tmp_path, image, depth, files, names):
    write(tmp_path, *files)
    listing = pairs.find(tmp_path, image=image, depth=depth)
    assert not listing.missing() and [pair.name for pair in listing] == names
    for pair in listing:
        assert pair.picture.is_file() and pair.depth.is_file() and pair.picture != pair.depth


@pytest.mark.parametrize(
    ("image", "depth", "message"),
    [
        (
            "images/a.png",
            None,
            r"config.data.folder.image='images/a.png': expected a path inside the folder with one \*",
        ),
        (None, "*/*.png", r"config.data.folder.depth='\*/\*.png': expected a path"),
        ("/images/*", None, "expected a path inside the folder"),
        ("pictures/*", None, r"no pairs among 0 pictures at pictures/\* and 10 depths at depths/\*"),
        ("images/*", "images/*", "at images/.* for pictures and at images/.* for depths"),
    ],
)
def test_malformed_patterns_are_refused(tmp_path, image, depth, message):
    write(tmp_path, *(f"images/{i}.png" for i in range(10)), *(f"depths/{i}.png" for i in range(10)))
    with pytest.raises(InputError, match=message) as raised:
        pairs.find(tmp_path, image=image, depth=depth)
    assert "\n" not in str(raised.value)


def test_two_files_of_one_name_are_refused(tmp_path):
    write(tmp_path, "images/a.png", "images/a.jpg", "depths/a.png")
    with pytest.raises(
        InputError, match=r"two files for 'a' at images/\*, images/a.jpg and images/a.png: give patterns"
    ):
        pairs.find(tmp_path)


def test_predictions_among_the_depths_are_named_as_such(tmp_path):
    """predict.py writes into `depth` beside a picture: here into the pictures' own folder."""
    write(tmp_path, "a/color/0.jpg", "a/depth/0.png", *(f"a/color/depth/0.{end}" for end in ("npy", "png", "json")))
    with pytest.raises(InputError, match="two files for .*: predict.py writes such files, .*: move them out of the"):
        pairs.find(tmp_path)


def test_names_are_in_natural_order(tmp_path):
    names = ["b", "frame9", "frame10", "frame10a", "frame100"]
    write(tmp_path, *(f"{part}/{name}.png" for part in ("images", "depths") for name in sorted(names)))
    assert list(pairs.find(tmp_path).names) == names


def test_files_without_a_partner_are_listed(tmp_path):
    write(tmp_path, "images/a.png", "depths/a.png", *(f"images/b{i}.png" for i in range(7)), "depths/c.png")
    assert pairs.find(tmp_path).missing() == [
        "7 pictures without a depth at depths/*: b0, b1, b2, b3, b4 and 2 more",
        "1 depths without a picture at images/*: c",
    ]


@pytest.mark.parametrize(
    ("depth_shape", "fits"),
    [((96, 128), True), ((48, 64), True), ((49, 64), True), ((50, 64), False), ((64, 48), False)],
)
def test_picture_and_depth_have_one_shape_to_within_a_pixel(tmp_path, depth_shape, fits):
    Image.fromarray(np.zeros((96, 128, 3), np.uint8)).save(tmp_path / "a_rgb.png")
    np.save(tmp_path / "a_depth.npy", np.full(depth_shape, 2.0))
    (pair,) = pairs.find(tmp_path)
    if fits:
        read = pairs.read(pair)
        assert (read.picture.shape, read.depth.shape, read.scale) == ((96, 128, 3), depth_shape, 1.0)
    else:
        with pytest.raises(InputError, match="expected the picture's shape"):
            pairs.read(pair)


@pytest.mark.parametrize(
    ("medians", "scale", "problem"),
    [
        ([2.0, np.nan, 3.0], 1.0, None),
        ([0.11, 0.11, 99.0], 1.0, None),
        ([2500.0], 1.0, "median depth 2500 m: millimetres? give --config.data.folder.depth_scale=0.001 (read with 1)"),
        ([250.0], 1.0, "median depth 250 m: centimetres? give --config.data.folder.depth_scale=0.01 (read with 1)"),
        ([0.003], 0.001, "median depth 0.003 m: metres? give --config.data.folder.depth_scale=1 (read with 0.001)"),
        ([1e-6], 1.0, "median depth 1e-06 m: give --config.data.folder.depth_scale=METRES per unit (read with 1)"),
        ([np.nan], 0.5, "no valid depth: expected metres above 0, and 0 where there is no measurement (unit: 0.5 m)"),
    ],
)
def test_an_implausible_median_gets_a_guess_at_the_unit(medians, scale, problem):
    assert pairs.median_problem(medians, scale) == problem


STORED = {  # Pillow's way from an upright picture to the one that a camera stores with an EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def save(image, path, orientation, *, tag):
    """Saves an upright image as a camera stores it, with the EXIF tag or without."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.transpose(STORED[orientation]).save(path, **({"exif": exif} if tag else {}))


def write_turned(folder, orientation, *, size, depth_kind, depth_stored=True, depth_tag=False):
    """Writes a pair, the picture a ramp of its depth, and returns the upright depth in millimetres."""
    depth = (1000 + 40 * np.arange(size[0])[:, None] + 7 * np.arange(size[1])).astype(np.uint16)
    picture = Image.fromarray(np.repeat(np.uint8(depth // 20)[..., None], 3, -1))
    save(picture, folder / "a_rgb.png", orientation, tag=True)
    if depth_stored:
        save(Image.fromarray(depth), folder / f"a_depth.{depth_kind}", orientation, tag=depth_tag)
    else:
        Image.fromarray(depth).save(folder / f"a_depth.{depth_kind}")
    return depth


@pytest.mark.parametrize("depth_kind", ["png", "tif"])
@pytest.mark.parametrize(
    ("orientation", "size", "depth"),
    [
        *((orientation, (20, 30), dict(depth_tag=True)) for orientation in STORED),
        *((orientation, (30, 30), dict(depth_tag=True)) for orientation in (3, 6)),
        *((orientation, (20, 30), dict()) for orientation in (5, 6, 7, 8)),
        *((orientation, (20, 30), dict(depth_stored=False)) for orientation in (5, 6, 7, 8)),
    ],
)
def test_picture_and_depth_of_a_turned_camera_fit(tmp_path, depth_kind, orientation, size, depth):
    upright = write_turned(tmp_path, orientation, size=size, depth_kind=depth_kind, **depth)
    (pair,) = pairs.find(tmp_path)
    read = pairs.read(pair)
    np.testing.assert_allclose(read.depth, upright / 1000, rtol=1e-6)
    np.testing.assert_array_equal(read.picture[..., 0], upright // 20)
    assert (read.picture_turned, read.depth_turned) == (True, depth.get("depth_stored", True))


@pytest.mark.parametrize(("orientation", "size"), [(2, (20, 30)), (3, (20, 30)), (4, (20, 30)), (6, (30, 30))])
@pytest.mark.parametrize("depth_stored", [True, False])
def test_a_pair_that_would_fit_turned_or_not_is_refused(tmp_path, orientation, size, depth_stored):
    write_turned(tmp_path, orientation, size=size, depth_kind="png", depth_stored=depth_stored)
    (pair,) = pairs.find(tmp_path)
    with pytest.raises(
        InputError, match=f"a_rgb.png': EXIF orientation {orientation}, but its depth has none"
    ) as raised:
        pairs.read(pair)
    assert "\n" not in str(raised.value)


def test_a_depth_with_an_orientation_beside_an_upright_picture_is_turned(tmp_path):
    depth = (1000 + np.arange(600).reshape(20, 30)).astype(np.uint16)
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "a_rgb.png")
    save(Image.fromarray(depth), tmp_path / "a_depth.png", 3, tag=True)
    (pair,) = pairs.find(tmp_path)
    np.testing.assert_allclose(pairs.read(pair).depth, depth / 1000, rtol=1e-6)
