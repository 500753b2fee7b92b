"""From a picture to its depth: `load()` a network, then `predict()`; and `predict_files()` for the command line."""

import dataclasses
import errno
import functools
import os
import pathlib
import time
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from jaxdepth import models
from jaxdepth.data.batches import evaluation
from jaxdepth.data.files import pictures, writing
from jaxdepth.errors import InputError
from jaxdepth.evaluation import predictions
from jaxdepth.geometry import framing
from jaxdepth.geometry.camera import Intrinsics, nyu_intrinsics
from jaxdepth.geometry.depth import MIN_DEPTH
from jaxdepth.models import compiled
from jaxdepth.output import encode, picture_paths, sidecar
from jaxdepth.paths import shown
from jaxdepth.runs import lineage, trained
from jaxdepth.training import sharding

PACKAGED = pathlib.Path(__file__).parent / "trained"  # the network that comes with the package
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # which no further picture would find either
_MOSTLY = 0.5  # share of a picture's pixels at an end of the range, from which it is told


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
          intrinsics: (fx, fy, cx, cy) in pixels of the picture; by default from its EXIF if that is plausible, else the
            training's camera.

        Returns:
          float32 [H, W], metres along z from .001 to the run's `data.max_depth`, upright and of the picture's size.

        Raises:
          InputError: for something other than a picture, see `data.files.pictures`, intrinsics that no camera has, or a
            network whose predictions are not finite.
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
        to_picture = functools.partial(framing.picture_depths, max_depth=self.trained.run.max_depth)
        return {
            output: to_picture(self.finite(log_depth), [size], [camera], self.framing)[0]
            for output, log_depth in log_depths.items()
        }

    def finite(self, log_depth):
        """Log depths as they are; raises InputError if one is not finite, which is the network's fault."""
        if not np.isfinite(log_depth).all():
            network = f"network {self.trained.run.model['name']} of step {self.trained.step}"
            raise InputError(f"{network} predicts values that are not finite: expected weights of a sound training")
        return log_depth


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
    folder,
    arguments,
    *,
    output=None,
    formats=("npy", "png", "color"),
    step="last",
    batch=8,
    intrinsics=None,
    overwrite=False,
):
    """Writes the depth of picture files, folders of them, and globs; see `picture_paths.find` for the names.

    NAME.json is written beside the files of each picture. They appear together or not at all. What is there and not
    listed in such a NAME.json is not replaced: the picture is skipped.

    Args:
      folder: workdir of the network; None for the network that comes with the package.
      arguments: paths, folders and globs.
      output: folder for all files; None for `depth` beside each picture.
      formats: some of `encode.FORMATS`.
      step: a step, "last" or "best".
      batch: pictures that go through the network together, at most; fewer if they are large.
      intrinsics: {"fx", "fy", "cx", "cy"} in pixels of the pictures, as far as they are known. One focal length stands
        for both; the principal point is by default in the middle.
      overwrite: whether to replace files that no earlier prediction has written.

    Returns:
      A Report.

    Raises:
      InputError: for an unknown format, settings out of range, or a network whose predictions are not finite.
      OSError: if the workdir cannot be read, `output` cannot be made, or the disk is full.
    """
    if unknown := [name for name in formats if name not in encode.FORMATS]:
        raise InputError(f"formats={unknown[0]!r}: expected some of {', '.join(encode.FORMATS)}")
    if batch < 1:
        raise InputError(f"batch={batch}: expected 1 or more")
    intrinsics = {name: value for name, value in (intrinsics or {}).items() if value is not None}
    if intrinsics and not {"fx", "fy"} & set(intrinsics):
        raise InputError("cx or cy without a focal length: expected fx or fy too")
    found, skipped = picture_paths.find(arguments, output=output)
    if output is not None and any(path.is_file() for path, _ in found):
        pathlib.Path(output).mkdir(parents=True, exist_ok=True)
    predictor = load(PACKAGED if folder is None else folder, step=step)
    mesh = sharding.make_mesh()
    batch = -(-max(1, min(batch, len(found))) // mesh.size) * mesh.size
    start, waiting, done = time.monotonic(), [], []

    def write():
        for job, depth in zip(waiting, _depths(predictor, waiting, batch=batch, mesh=mesh), strict=True):
            try:
                described = _write(predictor, job, depth, formats=formats, workdir=folder)
            except (OSError, MemoryError) as error:
                skipped.append((str(job.path), _reason(error, job.path)))
            else:
                done.append(_Done(str(job.path), job.origin, max(described["share_clipped"])))
        waiting.clear()

    for path, name in tqdm(found, unit="picture", disable=None):
        try:
            job = _read(path, name, predictor, formats=formats, intrinsics=intrinsics, overwrite=overwrite)
        except (InputError, OSError) as error:
            skipped.append((str(path), _reason(error, path)))
            continue
        held = sum(other.pixels.size for other in waiting)
        if waiting and (len(waiting) == batch or held + job.pixels.size > 3 * pictures.MAX_PIXELS):
            write()
        waiting.append(job)
    if waiting:
        write()
    return _report(predictor, done, skipped, seconds=time.monotonic() - start)


def predict_frames(folder, *, output, step="last", batch=8, frames_of=None, **data):
    """Writes the depth of a source's frames as a folder of predictions, which `evaluate.py --predictions` scores.

    Each frame's depth is a file NAME.npy, float32 [H, W] metres at the size of the network's frames, named by the
    frame's id or name. A file predictions.json tells how they were made.

    Args:
      folder: workdir of the network; None for the network that comes with the package.
      output: the folder to write: a new one, an empty one, or one of the same predictions, finished or not.
      step: a step, "last" or "best".
      batch: frames that go through the network together.
      frames_of: another workdir, whose frames are taken where `data` names no others.
      data: which frames, fields of `evaluate.Data`.

    Returns:
      The number of frames.

    Raises:
      InputError: for settings out of range, a damaged file, or a network whose predictions are not finite.
      OSError: if `output` holds something else, cannot be written, or the disk is full.
    """
    from jaxdepth import evaluate  # which draws pages

    if batch < 1:
        raise InputError(f"batch={batch}: expected 1 or more")
    folder, output = PACKAGED if folder is None else folder, pathlib.Path(output)
    writing.check_folder(output)
    earlier = predictions.read_record(output)
    if earlier is None and output.is_dir() and any(output.iterdir()):
        raise FileExistsError(f"output {str(output)!r}: expected a new folder, or one of the same predictions")
    predictor = load(folder, step=step)
    run = predictor.trained.run
    frames, split, seen = evaluate.frames_of_run(run, frames_of=frames_of, data=evaluate.Data(**data))
    record = {
        "network": run.model["name"],
        "workdir": str(folder),
        "step": predictor.trained.step,
        "trained_on": lineage.in_words(run.trained_on),
        "source": frames.name,
        "split": split.name,
        "split_hash": split.hash,
        "frames_seen_in_training": seen,
        "flip_tta": run.flip_tta,
        "frame_size": list(run.frame_size),
        "crop_size": list(run.crop_size),
    }
    if earlier is not None and (other := [name for name in record if earlier.get(name) != record[name]]):
        told = f"{other[0]} {earlier.get(other[0])}, not {record[other[0]]}"
        raise FileExistsError(f"output {str(output)!r}: predictions of {told}: expected a new folder")
    output.mkdir(parents=True, exist_ok=True)
    writing.write_json(output / predictions.RECORD, record | {"complete": False})
    mesh = sharding.make_mesh()
    batch = -(-batch // mesh.size) * mesh.size
    sizes = dict(frame_size=run.frame_size, crop_size=run.crop_size)
    with tqdm(total=len(split.val), unit="frame", disable=None) as bar:
        for examples in evaluation.eval_batches(frames, split.val, batch_size=batch, crop_size=run.crop_size):
            image = sharding.put({"x": examples["image"]}, sharding.batched(mesh))["x"]
            log_depth = predictor.finite(predictor.log_depths(image)[predictor.groups[0]])
            depths = np.asarray(framing.extend_to_frame(np.exp(log_depth), **sizes), np.float32)
            for index, depth, weight in zip(examples["index"], depths, examples["weight"], strict=True):
                if weight:
                    file = output / f"{frames.file_name(int(index))}.npy"
                    file.parent.mkdir(parents=True, exist_ok=True)
                    writing.write_array(file, depth)
                    bar.update(1)
    writing.write_json(output / predictions.RECORD, record | {"complete": True})
    return len(split.val)


@dataclasses.dataclass(frozen=True)
class _Job:
    """A picture to predict: its path, the stem of its files, its pixels, its camera and where that comes from."""

    path: pathlib.Path
    name: pathlib.Path
    pixels: np.ndarray
    camera: Intrinsics
    origin: str


class _Done(NamedTuple):
    """A picture with a result: its path, where its camera comes from, and the share of its depth at one end."""

    path: str
    origin: str
    clipped: float


def _file(name, suffix):
    """The path of one of a picture's files: the stem of all, and a suffix."""
    return name.with_name(name.name + suffix)


def _read(path, name, predictor, *, formats, intrinsics, overwrite):
    """The _Job of a picture; raises InputError or OSError for one that cannot be read or whose results may not."""
    files = [_file(name, encode.FORMATS[kind]) for kind in formats]
    if not overwrite and (foreign := sidecar.foreign(_file(name, sidecar.SUFFIX), files)):
        raise InputError(f"{shown(foreign[0])} is there and not a prediction: --overwrite replaces it")
    picture = pictures.read(path)
    size = picture.pixels.shape[:2]
    given = _complete(intrinsics, size)
    camera, origin = framing.find_camera(size, predictor.framing, given=given, focal_35mm=picture.focal_35mm)
    name.parent.mkdir(parents=True, exist_ok=True)
    return _Job(path, name, picture.pixels, camera, origin)


def _depths(predictor, jobs, *, batch, mesh):
    """Predicts up to `batch` pictures together: a list of float32 [H, W]."""
    x = np.concatenate([framing.network_input(job.pixels, predictor.framing) for job in jobs])
    x = np.pad(x, ((0, batch - len(x)), (0, 0), (0, 0), (0, 0)))
    log_depth = predictor.log_depths(sharding.put({"x": x}, sharding.batched(mesh))["x"])[predictor.groups[0]]
    sizes, cameras = [job.pixels.shape[:2] for job in jobs], [job.camera for job in jobs]
    max_depth = predictor.trained.run.max_depth
    return framing.picture_depths(predictor.finite(log_depth), sizes, cameras, predictor.framing, max_depth=max_depth)


def _write(predictor, job, depth, *, formats, workdir):
    """Writes the files of a picture. The sidecar, by which they are known as ours, appears first and is returned."""
    files = {_file(job.name, encode.FORMATS[kind]): kind for kind in formats}
    path = _file(job.name, sidecar.SUFFIX)
    described = _describe(predictor, job, depth, workdir=workdir, files=files)
    encoded = {file: encode.encode(kind, depth, job.pixels, job.camera) for file, kind in files.items()}
    writing.write_together({path: writing.json_bytes(described), **encoded})
    return described


def _describe(predictor, job, depth, *, workdir, files):
    others = [_file(job.name, suffix) for suffix in encode.FORMATS.values() if _file(job.name, suffix) not in files]
    earlier = sidecar.ours(_file(job.name, sidecar.SUFFIX), others)
    size, network = depth.shape, predictor.trained
    return sidecar.describe(
        picture=job.path,
        depth=depth,
        clipped_to=(MIN_DEPTH, network.run.max_depth),
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
        earlier_files=[file.name for file in earlier],
    )


def _report(predictor, done, skipped, *, seconds):
    """The Report: whose camera is assumed or doubtful, what was done, and what was not."""
    lines = []

    def of_all(found):
        return f"{len(found)} of {len(done)} picture{'s' * (len(done) != 1)}"

    if assumed := [picture for picture in done if picture.origin.startswith("training")]:
        lines.append(
            f"{_training_camera(predictor)} is assumed for {of_all(assumed)}: for another camera, "
            "give --fx to get metres"
        )
    if ignored := [picture for picture in assumed if picture.origin != "training"]:
        lines.append(
            f"warning: EXIF's focal length is no camera's in {of_all(ignored)}, first {shown(ignored[0].path)}"
        )
    if clipped := [picture for picture in done if picture.clipped > _MOSTLY]:
        lines.append(
            f"warning: most of the depth is at an end of its range in {of_all(clipped)}, first "
            f"{shown(clipped[0].path)}: is the focal length right?"
        )
    paths = {why: [shown(path) for path, reason in skipped if reason == why] for _, why in skipped}
    told = "; ".join(f"{', '.join(of_one)} ({why})" for why, of_one in paths.items())
    told = f", {len(skipped)} skipped: {told}" if skipped else ""
    lines.append(f"{len(done)} picture{'s' * (len(done) != 1)}, {len(done) / seconds:.1f} images/s{told}")
    return Report(lines, skipped)


def _reason(error, path):
    """What is wrong with a picture or its results, without its path; raises the error if the disk is full."""
    if not isinstance(error, OSError):
        return str(error).removeprefix(f"{str(path)!r}: ")
    if error.errno in _NO_SPACE:
        raise error
    elsewhere = error.filename is not None and str(error.filename) != str(path)
    return (error.strerror or str(error)) + (f": {shown(error.filename)}" if elsewhere else "")


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
