"""A picture on its way: read for the network, and its depth written as files."""

import dataclasses
import pathlib

import numpy as np

from jaxdepth.data.files import pictures, writing
from jaxdepth.errors import InputError
from jaxdepth.geometry import framing
from jaxdepth.geometry.camera import Intrinsics, nyu_intrinsics
from jaxdepth.geometry.depth import MIN_DEPTH
from jaxdepth.geometry.surface import EDGE
from jaxdepth.output import encode, sidecar, viewer
from jaxdepth.paths import shown
from jaxdepth.runs import lineage


@dataclasses.dataclass(frozen=True)
class Job:
    """A picture to predict.

    Attributes:
      path: of the picture.
      name: the stem of its files, see `picture_paths.find`.
      size: (H, W).
      input: float32 [1, h, w, 3], what the network sees.
      pixels: uint8 [H, W, 3]; None if no format needs them.
      camera: Intrinsics in pixels of the picture.
      origin: where they come from.
    """

    path: pathlib.Path
    name: pathlib.Path
    size: tuple[int, int]
    input: np.ndarray
    pixels: np.ndarray | None
    camera: Intrinsics
    origin: str


@dataclasses.dataclass(frozen=True)
class Work:
    """What is done with each picture.

    Attributes:
      predictor: the Predictor.
      formats: some of `encode.FORMATS`.
      intrinsics: in pixels of the pictures, as far as they are known, see `camera.completed`; or None.
      overwrite: whether files that no earlier prediction has written are replaced.
      workdir: of the network; None for the one of the package.
      edge: degrees; what meshes and recordings leave out, see `geometry.surface`.
      viewer: whether the pictures are shown in Rerun's viewer too, which has been started.
    """

    predictor: object
    formats: tuple[str, ...]
    intrinsics: tuple[float, ...] | None
    overwrite: bool
    workdir: object
    edge: float = EDGE
    viewer: bool = False

    def read(self, path, name):
        """Makes the Job of a picture.

        Raises:
          InputError, OSError: if it cannot be read, or its results may not be written.
        """
        files = [file_of(name, encode.FORMATS[kind]) for kind in self.formats]
        if not self.overwrite and (foreign := sidecar.foreign(file_of(name, sidecar.SUFFIX), files)):
            raise InputError(f"{shown(foreign[0])} is there and not a prediction: --overwrite replaces it")
        picture, into = pictures.read(path), self.predictor.framing
        size = picture.pixels.shape[:2]
        camera, origin = framing.find_camera(size, into, given=self.intrinsics, focal_35mm=picture.focal_35mm)
        name.parent.mkdir(parents=True, exist_ok=True)
        pixels = picture.pixels if self.viewer or set(encode.WITH_PIXELS) & set(self.formats) else None
        return Job(path, name, size, framing.network_input(picture.pixels, into), pixels, camera, origin)

    def write(self, job, log_depth):
        """Writes the files of a picture, from its log depth [h, w]. The sidecar, which makes them ours, appears first.

        Returns:
          What the sidecar says, and why the picture is not in the viewer: None where it is, or none was asked for.

        Raises:
          InputError: if the picture cannot have one of the formats; then no file is written.
          OSError: if a file cannot be written; then none is.
        """
        max_depth = self.predictor.trained.run.max_depth
        placed = [job.size], [job.camera], self.predictor.framing
        depth = framing.picture_depths(log_depth[None], *placed, max_depth=max_depth)[0]
        files = {file_of(job.name, encode.FORMATS[kind]): kind for kind in self.formats}
        others = [file_of(job.name, suffix) for suffix in encode.FORMATS.values()]
        others = [file for file in others if file not in files]
        described = describe(self.predictor, job, depth, files=files, others=others, workdir=self.workdir)
        shows = dict(edge=self.edge, name=shown(job.path))
        encoded = {file: encode.encode(kind, depth, job.pixels, job.camera, **shows) for file, kind in files.items()}
        writing.write_together({file_of(job.name, sidecar.SUFFIX): writing.json_bytes(described), **encoded})
        try:
            if self.viewer:
                viewer.show(depth, job.pixels, job.camera, **shows)
        except InputError as error:
            return described, str(error)
        return described, None


def describe(predictor, job, depth, *, files, others, workdir):
    """Makes the sidecar of a depth map.

    Args:
      predictor: the Predictor.
      job: the Job, or another object with its path, name, size, camera and origin.
      depth: [H, W], metres.
      files: paths of the files with the depth.
      others: paths of further files, of which those that earlier predictions have written are listed too.
      workdir: of the network; None for the one of the package.

    Returns:
      A dict for JSON.
    """
    network, into = predictor.trained, predictor.framing
    return sidecar.describe(
        picture=job.path,
        depth=depth,
        clipped_to=(MIN_DEPTH, network.run.max_depth),
        network=network.run.model["name"],
        step=network.step,
        trained_on=lineage.in_words(network.run.trained_on),
        intrinsics=job.camera,
        intrinsics_from=job.origin,
        training_camera=training_camera(predictor),
        placement=framing.place(job.size, frame_size=into.frame_size),
        framing=into,
        focal_ratio=framing.focal_ratio(job.size, job.camera, into),
        workdir=workdir,
        files=[file.name for file in files],
        earlier_files=[file.name for file in sidecar.ours(file_of(job.name, sidecar.SUFFIX), others)],
    )


def training_camera(predictor):
    """The name of the training's camera."""
    nyu = nyu_intrinsics(predictor.framing.frame_size)
    return "NYU's camera" if np.allclose(predictor.framing.camera, nyu) else "the camera of the training's frames"


def file_of(name, suffix):
    """The path of one of a picture's files: the stem of all, and a suffix."""
    return name.with_name(name.name + suffix)
