"""The JSON sidecar of a predicted depth map: what its numbers mean, where they come from, and which files are ours."""

import json
import os

import numpy as np

from jaxdepth.paths import shown

SUFFIX = ".json"
_KEYS = {"picture", "unit", "clipped_to", "network", "files"}  # by which a sidecar is known
_EARLIER = "files_of_earlier_runs"


def describe(
    *,
    picture,
    depth,
    clipped_to,
    network,
    step,
    trained_on,
    intrinsics,
    intrinsics_from,
    training_camera,
    placement,
    framing,
    focal_ratio,
    workdir,
    files,
    earlier_files=(),
):
    """Describes a predicted depth map.

    Args:
      picture: path of the picture.
      depth: [H, W], metres, at the picture's size.
      clipped_to: (least, greatest) depth of any prediction, metres.
      network: the network's name.
      step: of the checkpoint.
      trained_on: the frames of the training, in words.
      intrinsics: Intrinsics of the picture, in its pixels.
      intrinsics_from: where they come from, as `jaxdepth.geometry.framing.find_camera` returns it.
      training_camera: the camera of the training, in words.
      placement: Placement of the picture in the network's frame.
      framing: the network's Framing.
      focal_ratio: ratio of the picture's focal length to the training camera's, the factor of the predicted depth.
      workdir: of the network; None for the packaged one.
      files: names of the depth map's files.
      earlier_files: names of files of earlier predictions that remain beside them, such as in other formats.

    Returns:
      A dict for JSON.
    """
    height, width = depth.shape
    least, greatest = map(np.float32, clipped_to)
    return {
        "picture": shown(picture),
        "height": height,
        "width": width,
        "unit": "metres along z (png: millimetres)",
        "range": [float(depth.min()), float(depth.max())],
        "clipped_to": list(clipped_to),
        "share_clipped": [round(float(share), 4) for share in ((depth <= least).mean(), (depth >= greatest).mean())],
        "network": network,
        "step": step,
        "trained_on": trained_on,
        "intrinsics": intrinsics._asdict(),
        "intrinsics_from": {
            "given": "given",
            "exif": "EXIF: focal length on 35 mm film, principal point in the middle",
            "training": f"assumed: {training_camera}",
            "training, not exif": f"assumed: {training_camera}; EXIF's focal length is no camera's",
        }[intrinsics_from],
        "pixel_centres": "at whole numbers, from 0",
        "network_input": "resized to {}x{}, border continued to {}x{}, its centre {}x{} (rows x columns)".format(
            placement.height, placement.width, *framing.frame_size, *framing.crop_size
        ),
        "depth_factor": focal_ratio,
        "workdir": None if workdir is None else shown(workdir),
        "files": list(map(shown, files)),
        _EARLIER: list(map(shown, earlier_files)),
    }


def earlier_files(path):
    """Names of the files of predictions, out of the sidecar at `path`; None if there is none."""
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > 1 << 20:
            return None
        with open(path, "rb") as file:
            content = json.loads(file.read())
        if not _KEYS <= content.keys():
            return None
        return [str(name) for key in ("files", _EARLIER) for name in content.get(key, ())]
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def ours(path, files):
    """Those of `files` (paths) that exist and that the sidecar at `path` lists."""
    earlier = earlier_files(path) or ()
    return [file for file in files if shown(file.name) in earlier and os.path.lexists(file)]


def foreign(path, files):
    """The files that a prediction would replace and that no earlier one has written.

    Args:
      path: the prediction's sidecar, NAME.json.
      files: paths of its other files.

    Returns:
      A list of paths; a sidecar that is not one of ours is among them.
    """
    known = ours(path, files) + ([path] if earlier_files(path) is not None else [])
    return [file for file in (path, *files) if file not in known and os.path.lexists(file)]
