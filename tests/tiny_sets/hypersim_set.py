"""A few images in the layout of Hypersim, at the set's size, with scenes of the default and of other cameras."""

import csv

import h5py
import numpy as np
from PIL import Image

from jaxdepth.geometry.camera import Intrinsics

CAMERA = Intrinsics(886.81, 886.81, 511.5, 383.5)
# M_cam_from_uv of the authors' metadata_camera_parameters.csv: plain, shifted to the side, tilted up
MATRICES = {
    "ai_003_010": (0.5773502886169104, 0, 0, 0, 0.4330127164626828, 0, 0, 0, -1),
    "ai_044_002": (0.5782227289369345, 0, -0.03469336296, 0, 0.4336670467027, 0.05782227375531, 0, 0, -1.00151111185),
    "ai_045_005": (0.5814480447394523, 0, 0, 0, 0.4330198853776347, 0, 0, 0.05162177378698352, -1.0070975225161076),
}
IMAGES = (
    ("ai_003_010", "cam_00", 0, "True", "", "test"),
    ("ai_003_010", "cam_00", 2, "False", "CONTENT FLAGGED FOR REMOVAL", ""),
    ("ai_001_001", "cam_00", 0, "True", "", "train"),
    ("ai_003_010", "cam_01", 12, "True", "", "test"),
    ("ai_044_002", "cam_00", 99, "True", "", "test"),
    ("ai_045_005", "cam_00", 7, "True", "", "test"),
)


def write(folder, cameras=False):
    """Writes four test images, with the file of the scenes' cameras or without it.

    Returns {name: (picture, metres along z with 0 where they do not count, camera)}, by rays of float64.
    """
    expected = {}
    for seed, (scene, camera, frame, *_, part) in enumerate(IMAGES):
        if part != "test":
            continue
        rng = np.random.default_rng(seed)
        images = folder / scene / "images"
        stem = f"frame.{frame:04d}"
        picture = images / f"scene_{camera}_final_preview" / f"{stem}.tonemap.jpg"
        distances = images / f"scene_{camera}_geometry_hdf5" / f"{stem}.depth_meters.hdf5"
        for file in (picture, distances):
            file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (768, 1024, 3), np.uint8)).save(picture)
        metres = rng.uniform(0.5, 40, (768, 1024)).astype(np.float16)
        metres[3, 5:9] = np.nan, np.inf, 0, -np.inf
        with h5py.File(distances, "w") as opened:
            opened.create_dataset("dataset", data=metres, compression="gzip", compression_opts=1, shuffle=True)
        z, intrinsics = depth(metres, MATRICES[scene] if cameras else MATRICES["ai_003_010"])
        name = f"{scene}/images/scene_{camera}_final_preview/{stem}.tonemap"
        expected[name] = np.asarray(Image.open(picture)), z, intrinsics
    write_split(folder / "metadata_images_split_scene_v1.csv", IMAGES)
    if cameras:
        write_cameras(folder / "metadata_camera_parameters.csv", MATRICES)
    return expected


def depth(metres, matrix):
    """Metres along the normal of the image plane by its two sides, and the camera of it, without a decomposition."""
    u, v = (np.arange(1024) + 0.5) / 512 - 1, 1 - (np.arange(768) + 0.5) / 384
    across, up, towards = np.float64(matrix).reshape(3, 3).T  # a ray is u across + v up + towards
    normal = np.cross(across, up)
    normal *= np.sign(normal @ towards) / np.linalg.norm(normal)
    rays = u[None, :, None] * across + v[:, None, None] * up + towards
    valid = np.isfinite(metres) & (metres > 0)
    z = np.where(valid, metres.astype(np.float64), 0) * (rays @ normal) / np.linalg.norm(rays, axis=-1)
    scale = towards @ normal  # the image plane's distance
    fx, fy = 512 * scale / np.linalg.norm(across), 384 * scale / np.linalg.norm(up)
    foot = [(scale * normal - towards) @ side / (side @ side) for side in (across, up)]  # where the normal meets it
    return z.astype(np.float32), Intrinsics(fx, fy, 512 * (foot[0] + 1) - 0.5, 384 * (1 - foot[1]) - 0.5)


def write_split(file, images):
    """Writes the file of the split."""
    with open(file, "w", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(
            "scene_name camera_name frame_id included_in_public_release exclude_reason split_partition_name".split()
        )
        writer.writerows(images)


def write_cameras(file, matrices):
    """Writes the file of the cameras, with a few of the columns before the matrix."""
    with open(file, "w", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        columns = [f"M_cam_from_uv_{i}{j}" for i in range(3) for j in range(3)]
        writer.writerow(["scene_name", "settings_output_img_height", "camera_physical_white_balance", *columns])
        writer.writerows([scene, 768.0, "Color(1, 1, 1)", *matrix] for scene, matrix in matrices.items())
