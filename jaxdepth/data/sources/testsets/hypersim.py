"""Hypersim (Roberts 2021): rendered rooms, 1024x768; the test partition of the authors' split v1.

Layout (README of ml-hypersim): scenes ai_VVV_NNN, in each images/scene_cam_XX_final_preview/frame.IIII.tonemap.jpg and
images/scene_cam_XX_geometry_hdf5/frame.IIII.depth_meters.hdf5 (array `dataset`). metadata_images_split_scene_v1.csv,
of ml-hypersim's evermotion_dataset/analysis, names the images: 7,690 of the test partition are public. Scenes that are
not on the disk are left out and counted.

The picture is the authors' tone-mapped JPEG as it is, like ZoeDepth's; Marigold tone maps the HDR image by itself.

The files hold the Euclidean distance r to the camera's centre. With the camera matrix K, depth along z at a pixel is
r / |K^-1 (x, y, 1)|. NaN, infinite and zero distances are masked; Marigold masks by the entity ids instead.

Most scenes have the default camera: 60 degrees wide, square pixels, f 886.81. Others are shifted or tilted, each in
its own way; metadata_camera_parameters.csv, of ml-hypersim's contrib/mikeroberts3000, has their matrices. Where that
file is there, they are used; ZoeDepth, Marigold and most others take the default for all. `M_cam_from_uv` maps
(u, v, 1), u to the right and v up from -1 to 1 over the image, to a ray of a camera that looks along -z. A tilted
image plane is not at a right angle to that axis. It is what a pinhole camera sees that looks along the plane's normal,
so K is taken from the QR decomposition of the matrix, and z is along that normal. (Some readers drop the tilt instead.)
Where a plane is tilted both ways, K has shear: depth is still exact, but the scene has no Intrinsics.

Caps: ZoeDepth 80 m, Marigold 65 m, UniDepth 50 m. Taken: 80 m, whole pictures.
"""

import csv
import functools
import io
import pathlib
import re

import numpy as np

from jaxdepth.data.files import hdf5
from jaxdepth.data.sources.testsets import testset
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import Intrinsics
from jaxdepth.paths import shown

SIZE = (768, 1024)
CAMERA = Intrinsics(fx=886.81, fy=886.81, cx=511.5, cy=383.5)
SPLIT, CAMERAS = "metadata_images_split_scene_v1.csv", "metadata_camera_parameters.csv"
_EXPECTED = (
    "ai_VVV_NNN/images with scene_cam_XX_final_preview/frame.IIII.tonemap.jpg and "
    "scene_cam_XX_geometry_hdf5/frame.IIII.depth_meters.hdf5"
)
_SPLIT_COLUMNS = ("scene_name", "camera_name", "frame_id", "included_in_public_release", "split_partition_name")
_FORMS = {
    "scene_name": (re.compile("ai_[0-9]{3}_[0-9]{3}"), "a name such as ai_003_010"),
    "camera_name": (re.compile("cam_[0-9]{2}"), "a name such as cam_00"),
    "frame_id": (re.compile("[0-9]{1,4}"), "a number, such as 12"),
}
_MATRIX_COLUMNS = tuple(f"M_cam_from_uv_{i}{j}" for i in range(3) for j in range(3))
_MAX_SHEAR = 0.5  # pixels at the image's border, up to which a sheared camera passes for a pinhole
_MAX_ENTRY = 1e6  # of a matrix, far above that of any camera
_DEFAULT = np.array([[CAMERA.fx, 0, CAMERA.cx], [0, CAMERA.fy, CAMERA.cy], [0, 0, 1]])


def find(path) -> testset.TestSet:
    """Finds the set in a folder: the scenes', or one that has it as `scenes` or `evermotion_dataset/scenes`.

    The two .csv files are looked for in both of these, in their `analysis`, and beside the scenes' folder.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: if it has another layout, a file of a scene that is there is missing, or a .csv file is damaged.
    """
    path = pathlib.Path(path)
    if not path.is_dir():
        raise FileNotFoundError(f"{str(path)!r}: no such folder: expected {_EXPECTED}")
    candidates = (path / "evermotion_dataset/scenes", path / "scenes", path)
    folder = next(candidate for candidate in candidates if candidate.is_dir())
    split = _beside(path, folder, SPLIT)
    if split is None:
        raise testset.wrong_layout(path, f"no {SPLIT} in it", "the file of ml-hypersim's evermotion_dataset/analysis")
    images = _test_images(split)
    present = {scene for scene in {image[0] for image in images} if (folder / scene).is_dir()}
    if not present:
        raise testset.wrong_layout(folder, f"no scene of the test partition, such as {images[0][0]}", _EXPECTED)
    missing = [image for image in images if image[0] not in present]
    notes = []
    if missing:
        scenes = len({image[0] for image in missing})
        notes.append(f"{len(missing)} of {len(images)} images left out: of scenes that are not there ({scenes})")
    cameras = _cameras(_beside(path, folder, CAMERAS), present)
    notes.append(
        f"cameras of {CAMERAS}; others score with the default camera"
        if cameras
        else f"no {CAMERAS}: the default camera for every scene"
    )
    examples = tuple(
        _example(folder, *image, _intrinsics(cameras[image[0]]) if cameras else CAMERA)
        for image in images
        if image[0] in present
    )
    testset.missing_files(folder, [file for example in examples for file in (example.picture, example.depth)])
    if sheared := sum(example.camera is None for example in examples):
        notes.append(f"{sheared} images without a pinhole camera: their scenes' image planes are sheared")
    return testset.TestSet(folder, examples, functools.partial(_read_depth, cameras), "rendered", tuple(notes))


def _example(folder, scene, camera, frame, intrinsics):
    stem = f"{scene}/images/scene_{camera}"
    name = f"{stem}_final_preview/frame.{frame:04d}.tonemap"
    depth = folder / f"{stem}_geometry_hdf5/frame.{frame:04d}.depth_meters.hdf5"
    return testset.Example(name, folder / f"{name}.jpg", depth, SIZE, intrinsics, scene)


def _beside(path, folder, name):
    """The file of a name in the folder that was given, or near the scenes' folder; None if there is none."""
    places = (path, path / "analysis", folder, folder.parent, folder.parent / "analysis")
    return next((place / name for place in places if (place / name).is_file()), None)


def _rows(file, columns):
    """(number of the line, row as a dict) of a .csv file; InputError if it is none or lacks one of `columns`."""
    expected = f"expected columns {', '.join(columns)}"
    try:
        reader = csv.DictReader(io.StringIO(file.read_text("utf-8-sig"), newline=""))
        if absent := [name for name in columns if name not in (reader.fieldnames or ())]:
            raise InputError(f"{shown(file)}: no column {absent[0]}: {expected}")
        for row in reader:
            if any(row[name] is None for name in columns):
                raise InputError(f"{shown(file)}, line {reader.line_num}: cut off: {expected}")
            yield reader.line_num, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{shown(file)}: not a table of text: {expected}") from error


def _test_images(file):
    """(scene, camera, frame) of the public images of the test partition, in the file's order."""
    found = []
    for line, row in _rows(file, _SPLIT_COLUMNS):
        if row["split_partition_name"] == "test" and row["included_in_public_release"] == "True":
            for name, (form, expected) in _FORMS.items():
                if not form.fullmatch(row[name]):
                    raise InputError(f"{shown(file)}, line {line}: {name}={row[name][:40]!r}: expected {expected}")
            found.append((row["scene_name"], row["camera_name"], int(row["frame_id"])))
    if not found:
        raise InputError(f"{shown(file)}: no image of the test partition: expected 7,690")
    return found


def _cameras(file, scenes):
    """The camera matrix K [3, 3] in pixels of each scene; none without the file.

    Raises:
      InputError: if a scene is not in the file, or its matrix is none of a camera.
    """
    if file is None:
        return {}
    found = {}
    for line, row in _rows(file, ("scene_name", *_MATRIX_COLUMNS)):
        if row["scene_name"] in scenes:
            try:
                matrix = np.array([float(row[name]) for name in _MATRIX_COLUMNS]).reshape(3, 3)
                found[row["scene_name"]] = _camera_matrix(matrix)
            except ValueError as error:
                what = f"{shown(file)}, line {line}: M_cam_from_uv is no camera ({error})"
                raise InputError(f"{what}: expected an invertible matrix, such as the default camera's") from error
    if absent := sorted(scenes - found.keys()):
        raise InputError(f"{shown(file)}: no camera of {absent[0]}: expected one for each scene")
    return found


def _camera_matrix(cam_from_uv):
    """K [3, 3] in pixels counted from 0, of a pinhole camera that looks along the normal of the image plane.

    Raises:
      ValueError: if the matrix is not finite, or so large that K is not, not invertible, or mirrors.
    """
    if not np.isfinite(cam_from_uv).all() or np.abs(cam_from_uv).max() > _MAX_ENTRY:
        raise ValueError(f"not finite, or above {_MAX_ENTRY:g}")
    height, width = SIZE
    uv_from_pixel = np.array([[2 / width, 0, 1 / width - 1], [0, -2 / height, 1 - 1 / height], [0, 0, 1]])
    ray_from_pixel = np.diag([1.0, -1.0, -1.0]) @ cam_from_uv @ uv_from_pixel  # y down, z forward
    if np.linalg.det(ray_from_pixel) <= 0:
        raise ValueError("not invertible")
    _, upper = np.linalg.qr(ray_from_pixel)  # a rotation times K^-1, but for signs
    camera = np.linalg.inv(np.sign(np.diag(upper))[:, None] * upper)
    return camera / camera[2, 2]


def _intrinsics(camera):
    """The Intrinsics of K; None if it is sheared."""
    shear = abs(camera[0, 1]) * SIZE[0] / 2 / camera[1, 1]  # pixels, half the image above or below the middle
    return None if shear > _MAX_SHEAR else Intrinsics(*map(float, camera[[0, 1, 0, 1], [0, 1, 2, 2]]))


def _read_depth(cameras, example):
    file = example.depth
    with hdf5.open_file(file) as opened:
        found = hdf5.find(opened, file, "dataset")
        if found is None or found.shape != SIZE or found.dtype.kind != "f":
            got = "no such array" if found is None else f"shape {found.shape} and {found.dtype}"
            raise InputError(f"{shown(file)}: array 'dataset': {got}: expected distances {SIZE}")
        distance = hdf5.read(found, file, "dataset").astype(np.float64)
    x, y = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]))
    rays = np.stack([x, y, np.ones(SIZE)], axis=-1) @ np.linalg.inv(cameras.get(example.scene, _DEFAULT)).T
    valid = np.isfinite(distance) & (distance > 0)
    with np.errstate(over="ignore"):  # of doubles that are infinite, and so beyond every cap
        return (np.where(valid, distance, 0) / np.linalg.norm(rays, axis=-1)).astype(np.float32)
