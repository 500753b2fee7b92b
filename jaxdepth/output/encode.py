"""Depth of pictures as files: from trained network and pictures to .npy, PNG, PLY and their JSON."""

import io
import json
import time

import numpy as np
from PIL import Image
from tqdm import tqdm

from jaxdepth import predict
from jaxdepth.data.files import pictures
from jaxdepth.geometry.camera import NYU_INTRINSICS, Intrinsics, back_project, resize_intrinsics
from jaxdepth.output import figures, picture_paths
from jaxdepth.runs import workdir
from jaxdepth.training import sharding

FORMATS = {"npy": ".npy", "png": ".png", "color": ".color.png", "ply": ".ply"}  # and what follows NAME


def npy(depth):
    """Depth [H, W] as a .npy file's bytes, float32 metres."""
    return _bytes(lambda file: np.save(file, np.float32(depth)))


def png(depth):
    """Depth [H, W] in metres as a 16-bit PNG's bytes, millimetres, at most 65535."""
    millimetres = np.clip(np.round(np.float64(depth) * 1000), 0, 65535).astype(np.uint16)
    return _bytes(lambda file: Image.fromarray(millimetres).save(file, "PNG"))


def color(depth):
    """Depth [H, W] in metres as a PNG in colours with a legend in metres."""
    return _bytes(lambda file: figures.depth_figure(depth).savefig(file, format="png"))


def ply(depth, pixels, intrinsics):
    """The points of depth [H, W] in metres with the colours uint8 [H, W, 3], as a binary PLY's bytes.

    One vertex a pixel with depth, row by row, in the frame of the camera of `intrinsics`.
    """
    points = np.asarray(back_project(np.float32(depth), intrinsics))
    there = np.asarray(depth) > 0
    fields = [(name, "<f4") for name in "xyz"] + [(name, "u1") for name in ("red", "green", "blue")]
    vertices = np.empty(int(there.sum()), fields)
    for i, (name, kind) in enumerate(fields):
        vertices[name] = points[there, i] if kind == "<f4" else pixels[there, i - 3]
    properties = [f"property {'float' if kind == '<f4' else 'uchar'} {name}" for name, kind in fields]
    header = [
        "ply",
        "format binary_little_endian 1.0",
        "comment metres in the camera's frame: x right, y down, z forward",
        f"element vertex {len(vertices)}",
        *properties,
        "end_header\n",
    ]
    return "\n".join(header).encode() + vertices.tobytes()


def encode(kind, depth, pixels, intrinsics):
    """The bytes of one of FORMATS."""
    if kind == "ply":
        return ply(depth, pixels, intrinsics)
    return {"npy": npy, "png": png, "color": color}[kind](depth)


def _bytes(write):
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def predict_files(folder, arguments, *, output=None, formats=("npy", "png", "color"), step=None, batch=8, given=None):
    """Write the depth of picture files, of folders of them and of globs; for the names see `picture_paths.find`.

    Beside NAME with the suffixes of FORMATS stands NAME.json. A picture's files appear together or not at all.

    Args:
      folder: the network's workdir, None for the network that comes with the package.
      step: which checkpoint, None for the last.
      arguments: what to read; output: a folder, None for `depth` beside each picture.
      formats: out of FORMATS; batch: pictures that go through the network together.
      given: {"fx", "fy", "cx", "cy"} in pixels of the pictures, those that are known. One focal length stands for both,
        the middle of the picture for the principal point.

    Returns:
      The report as lines, and how many were skipped.

    Raises:
      ValueError, OSError: settings, a workdir or an output folder that are of no use; a full disk.
    """
    if unknown := [name for name in formats if name not in FORMATS]:
        raise ValueError(f"formats={unknown[0]!r}: expected some of {', '.join(FORMATS)}")
    if batch < 1:
        raise ValueError(f"batch={batch}: expected 1 or more")
    given = {name: value for name, value in (given or {}).items() if value is not None}
    if given and not {"fx", "fy"} & set(given):
        raise ValueError("cx or cy without a focal length: expected fx or fy too")
    found, skipped = picture_paths.find(arguments, output=output)
    for target in dict.fromkeys(name.parent for path, name in found if path.is_file()):
        target.mkdir(parents=True, exist_ok=True)
    trained = predict.load(predict.PACKAGED if folder is None else folder, step=step)
    mesh = sharding.make_mesh()
    batch = -(-max(1, min(batch, len(found))) // mesh.size) * mesh.size
    sizes = dict(frame_size=trained.frame_size, crop_size=trained.crop_size)
    frame = dict(frame_size=trained.frame_size, frame_camera=trained.frame_camera)
    start, done, assumed, waiting = time.monotonic(), 0, 0, []

    def flush():
        x = np.concatenate([predict.network_input(picture.pixels, **sizes) for _, _, picture, _ in waiting])
        x = np.pad(x, ((0, batch - len(x)), (0, 0), (0, 0), (0, 0)))
        log_depth = trained.log_depth(sharding.put({"x": x}, sharding.batched(mesh))["x"])
        shapes = [picture.pixels.shape[:2] for _, _, picture, _ in waiting]
        cameras = [camera for *_, (camera, _) in waiting]
        depths = predict.picture_depth(log_depth, shapes, cameras, crop_size=trained.crop_size, **frame)
        for (path, name, picture, (camera, origin)), depth in zip(waiting, depths, strict=True):
            files = {
                name.with_name(name.name + FORMATS[kind]): encode(kind, depth, picture.pixels, camera)
                for kind in formats
            }
            described = describe(trained, path, depth, camera, origin) | {"workdir": folder and str(folder)}
            described["files"] = [file.name for file in files]
            files[name.with_name(name.name + ".json")] = (json.dumps(described, indent=2) + "\n").encode()
            workdir.write_together(files)
        waiting.clear()

    with tqdm(found, unit="picture", disable=None) as progress:
        for path, name in progress:
            try:
                picture = pictures.read(path)
            except (ValueError, OSError) as error:
                told = (
                    error.strerror or str(error)
                    if isinstance(error, OSError)
                    else str(error).removeprefix(f"{str(path)!r}: ")
                )
                skipped.append((str(path), told))
                continue
            camera = predict.find_camera(picture, given=_complete(given, picture.pixels.shape[:2]), **frame)
            waiting.append((path, name, picture, camera))
            done += 1
            assumed += camera[1] == "training"
            if len(waiting) == batch:
                flush()
        if waiting:
            flush()
    rate = done / (time.monotonic() - start)
    lines = []
    if assumed:
        lines.append(
            f"{_training_camera(trained)} is assumed for {assumed} of {done} pictures: metres are right for another "
            "with --fx"
        )
    told = "; ".join(f"{path} ({why})" for path, why in skipped)
    last = f"{done} picture{'s' * (done != 1)}, {rate:.1f} images/s" + (
        f", {len(skipped)} skipped: {told}" if skipped else ""
    )
    return [*lines, last], len(skipped)


def _complete(given, size):
    if not given:
        return None
    fx, fy = given.get("fx", given.get("fy")), given.get("fy", given.get("fx"))
    return Intrinsics(fx, fy, given.get("cx", (size[1] - 1) / 2), given.get("cy", (size[0] - 1) / 2))


def describe(trained, path, depth, camera, origin):
    """What a depth map needs beside it, for JSON."""
    size = depth.shape
    at = predict.place(size, frame_size=trained.frame_size)
    return {
        "picture": str(path),
        "height": size[0],
        "width": size[1],
        "unit": "metres along z (png: millimetres)",
        "range": [float(depth.min()), float(depth.max())],
        "clipped_to": [predict.MIN_DEPTH, predict.MAX_DEPTH],
        "network": trained.config["model"]["name"],
        "step": trained.step,
        "trained_on": trained.trained_on,
        "intrinsics": camera._asdict(),
        "intrinsics_from": {
            "given": "given",
            "exif": "EXIF: focal length on 35 mm film, principal point in the middle",
            "training": f"assumed: {_training_camera(trained)}",
        }[origin],
        "pixel_centres": "at whole numbers, from 0",
        "network_input": f"resized to {at.height}x{at.width}, border continued to {trained.frame_size[0]}x"
        f"{trained.frame_size[1]}, its centre {trained.crop_size[0]}x{trained.crop_size[1]} (rows x columns)",
        "depth_factor": predict.depth_factor(
            size, camera, frame_size=trained.frame_size, frame_camera=trained.frame_camera
        ),
    }


def _training_camera(trained):
    nyu = resize_intrinsics(NYU_INTRINSICS, from_size=(480, 640), to_size=trained.frame_size)
    return "NYU's camera" if np.allclose(trained.frame_camera, nyu) else "the camera of the training's frames"
