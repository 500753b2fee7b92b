"""From a picture to its depth: `load()` a network, then `predict()`; and `predict_files()` for the command line."""

import collections
import dataclasses
import functools
import os
import pathlib
import time

import numpy as np
from PIL import Image
from tqdm import tqdm

from jaxdepth import models
from jaxdepth.data.files import pictures, writing
from jaxdepth.errors import InputError
from jaxdepth.geometry import framing
from jaxdepth.geometry.camera import Intrinsics, nyu_intrinsics
from jaxdepth.geometry.depth import MAX_DEPTH, MIN_DEPTH
from jaxdepth.models import compiled
from jaxdepth.output import encode, picture_paths, sidecar
from jaxdepth.runs import lineage, trained
from jaxdepth.training import sharding

PACKAGED = pathlib.Path(__file__).parent / "trained"  # the network that comes with the package


def load(folder=PACKAGED, *, step="last"):
    """Loads a trained network.

    Args:
      folder: workdir of a training run, or a packed network; by default the network that comes with the package.
      step: a step, "last" or "best".

    Returns:
      A Predictor.

    Raises:
      FileNotFoundError: if there is no run or no such checkpoint.
      InputError: if a file is damaged.
    """
    return Predictor(trained.read(folder, step=step))


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A trained network that predicts the depth of pictures.

    Attributes:
      trained: a `runs.trained.Trained`.
    """

    trained: trained.Trained

    @property
    def groups(self):
        """Names of the network's outputs, the final one first."""
        return self.trained.network.groups

    @property
    def framing(self):
        """The frames of the training, see `geometry.framing.Framing`."""
        return self.trained.framing

    @functools.cached_property
    def log_depths(self):
        """The compiled network: float32 [B, h, w, 3] in [0, 1] -> {output: log depth [B, h, w]}, final first."""
        network, variables = self.trained.network, self.trained.variables
        outputs = compiled.jit(functools.partial(models.outputs, network, flip_tta=self.trained.run.flip_tta))

        def log_depths(image):
            predicted = outputs(variables, image)
            return {group: predicted[group] for group in network.groups}

        return log_depths

    def predict(self, image, *, intrinsics=None):
        """Predicts the depth of a picture.

        Args:
          image: a picture file, a PIL image, or an array [H, W, 3], uint8 or floating point in [0, 1].
          intrinsics: (fx, fy, cx, cy) in pixels of the picture; by default from its EXIF, else the training's camera.

        Returns:
          float32 [H, W], metres along z in [1e-3, 10], upright and of the picture's size.

        Raises:
          InputError: for something other than a picture, see `data.files.pictures`, or intrinsics out of range.
          OSError: if a file cannot be opened.
        """
        return self.predict_outputs(image, intrinsics=intrinsics)[self.groups[0]]

    def predict_outputs(self, image, *, intrinsics=None):
        """Like `predict`, but by each output: {output: float32 [H, W]}, the final one first."""
        if isinstance(image, str | os.PathLike):
            picture = pictures.read(image)
        else:
            picture = pictures.from_pil(image) if isinstance(image, Image.Image) else pictures.from_array(image)
        size = picture.pixels.shape[:2]
        camera, _ = framing.find_camera(size, self.framing, given=intrinsics, focal_35mm=picture.focal_35mm)
        log_depths = self.log_depths(framing.network_input(picture.pixels, self.framing))
        return {
            output: framing.picture_depths(log_depth, [size], [camera], self.framing)[0]
            for output, log_depth in log_depths.items()
        }


@dataclasses.dataclass(frozen=True)
class Report:
    """What `predict_files` did.

    Attributes:
      lines: to print.
      skipped: [(path, why)] of the pictures without a result.
    """

    lines: list[str]
    skipped: list[tuple[str, str]]


def predict_files(
    folder, arguments, *, output=None, formats=("npy", "png", "color"), step="last", batch=8, intrinsics=None
):
    """Writes the depth of picture files, folders of them, and globs; see `picture_paths.find` for the names.

    NAME.json is written beside the files of each picture. They appear together or not at all.

    Args:
      folder: workdir of the network; None for the network that comes with the package.
      arguments: paths, folders and globs.
      output: folder for all files; None for `depth` beside each picture.
      formats: some of `encode.FORMATS`.
      step: a step, "last" or "best".
      batch: pictures that go through the network together.
      intrinsics: {"fx", "fy", "cx", "cy"} in pixels of the pictures, as far as they are known. One focal length stands
        for both; the principal point is by default in the middle.

    Returns:
      A Report.

    Raises:
      InputError: for an unknown format, or settings out of range.
      OSError: if the workdir cannot be read or a file cannot be written.
    """
    if unknown := [name for name in formats if name not in encode.FORMATS]:
        raise InputError(f"formats={unknown[0]!r}: expected some of {', '.join(encode.FORMATS)}")
    if batch < 1:
        raise InputError(f"batch={batch}: expected 1 or more")
    intrinsics = {name: value for name, value in (intrinsics or {}).items() if value is not None}
    if intrinsics and not {"fx", "fy"} & set(intrinsics):
        raise InputError("cx or cy without a focal length: expected fx or fy too")
    found, skipped = picture_paths.find(arguments, output=output)
    for target in dict.fromkeys(name.parent for path, name in found if path.is_file()):
        target.mkdir(parents=True, exist_ok=True)
    predictor = load(PACKAGED if folder is None else folder, step=step)
    mesh = sharding.make_mesh()
    batch = -(-max(1, min(batch, len(found))) // mesh.size) * mesh.size
    write = functools.partial(_write_batch, predictor, formats=formats, batch=batch, mesh=mesh, workdir=folder)
    start, waiting, origins = time.monotonic(), [], collections.Counter()
    for path, name in tqdm(found, unit="picture", disable=None):
        try:
            picture = pictures.read(path)
        except (InputError, OSError) as error:
            skipped.append((str(path), _reason(error, path)))
            continue
        size = picture.pixels.shape[:2]
        given = _complete(intrinsics, size)
        camera, origin = framing.find_camera(size, predictor.framing, given=given, focal_35mm=picture.focal_35mm)
        waiting.append(_Job(path, name, picture.pixels, camera, origin))
        origins[origin] += 1
        if len(waiting) == batch:
            write(waiting)
            waiting.clear()
    if waiting:
        write(waiting)
    return _report(predictor, origins, skipped, seconds=time.monotonic() - start)


@dataclasses.dataclass(frozen=True)
class _Job:
    """A picture to predict: its path, the stem of its files, its pixels, its camera and where that comes from."""

    path: pathlib.Path
    name: pathlib.Path
    pixels: np.ndarray
    camera: Intrinsics
    origin: str


def _write_batch(predictor, jobs, *, formats, batch, mesh, workdir):
    """Predicts up to `batch` pictures together and writes their files."""
    x = np.concatenate([framing.network_input(job.pixels, predictor.framing) for job in jobs])
    x = np.pad(x, ((0, batch - len(x)), (0, 0), (0, 0), (0, 0)))
    log_depth = predictor.log_depths(sharding.put({"x": x}, sharding.batched(mesh))["x"])[predictor.groups[0]]
    sizes, cameras = [job.pixels.shape[:2] for job in jobs], [job.camera for job in jobs]
    depths = framing.picture_depths(log_depth, sizes, cameras, predictor.framing)
    for job, depth in zip(jobs, depths, strict=True):
        files = {
            job.name.with_name(job.name.name + encode.FORMATS[kind]): encode.encode(kind, depth, job.pixels, job.camera)
            for kind in formats
        }
        described = _describe(predictor, job, depth, workdir=workdir, files=files)
        files[job.name.with_name(job.name.name + ".json")] = writing.json_bytes(described)
        writing.write_together(files)


def _describe(predictor, job, depth, *, workdir, files):
    size, network = depth.shape, predictor.trained
    return sidecar.describe(
        picture=job.path,
        depth=depth,
        clipped_to=(MIN_DEPTH, MAX_DEPTH),
        network=network.run.model["name"],
        step=network.step,
        trained_on=lineage.in_words(network.run.trained_on),
        intrinsics=job.camera,
        intrinsics_from=job.origin,
        training_camera=_training_camera(predictor),
        placement=framing.place(size, frame_size=predictor.framing.frame_size),
        framing=predictor.framing,
        focal_ratio=framing.focal_ratio(size, job.camera, predictor.framing),
        workdir=workdir,
        files=[file.name for file in files],
    )


def _report(predictor, origins, skipped, *, seconds):
    done, assumed, lines = sum(origins.values()), origins["training"], []
    if assumed:
        lines.append(
            f"{_training_camera(predictor)} is assumed for {assumed} of {done} pictures: for another camera, "
            "give --fx to get metres"
        )
    told = f", {len(skipped)} skipped: " + "; ".join(f"{path} ({why})" for path, why in skipped) if skipped else ""
    lines.append(f"{done} picture{'s' * (done != 1)}, {done / seconds:.1f} images/s{told}")
    return Report(lines, skipped)


def _reason(error, path):
    """What is wrong with a picture, without its path."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error).removeprefix(f"{str(path)!r}: ")


def _complete(intrinsics, size):
    """Partly known intrinsics of a picture of `size` (H, W) as all four; None if none is known."""
    if not intrinsics:
        return None
    fx, fy = intrinsics.get("fx", intrinsics.get("fy")), intrinsics.get("fy", intrinsics.get("fx"))
    return Intrinsics(fx, fy, intrinsics.get("cx", (size[1] - 1) / 2), intrinsics.get("cy", (size[0] - 1) / 2))


def _training_camera(predictor):
    """The name of the training's camera."""
    nyu = nyu_intrinsics(predictor.framing.frame_size)
    return "NYU's camera" if np.allclose(predictor.framing.camera, nyu) else "the camera of the training's frames"
