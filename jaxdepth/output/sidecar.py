"""The JSON sidecar of a predicted depth map: what its numbers mean and where they come from."""


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
      intrinsics_from: "given", "exif" or "training", as `jaxdepth.geometry.framing.find_camera` returns.
      training_camera: the camera of the training, in words.
      placement: Placement of the picture in the network's frame.
      framing: the network's Framing.
      focal_ratio: ratio of the picture's focal length to the training camera's, the factor of the predicted depth.
      workdir: of the network; None for the packaged one.
      files: names of the depth map's files.

    Returns:
      A dict for JSON.
    """
    height, width = depth.shape
    return {
        "picture": str(picture),
        "height": height,
        "width": width,
        "unit": "metres along z (png: millimetres)",
        "range": [float(depth.min()), float(depth.max())],
        "clipped_to": list(clipped_to),
        "network": network,
        "step": step,
        "trained_on": trained_on,
        "intrinsics": intrinsics._asdict(),
        "intrinsics_from": {
            "given": "given",
            "exif": "EXIF: focal length on 35 mm film, principal point in the middle",
            "training": f"assumed: {training_camera}",
        }[intrinsics_from],
        "pixel_centres": "at whole numbers, from 0",
        "network_input": "resized to {}x{}, border continued to {}x{}, its centre {}x{} (rows x columns)".format(
            placement.height, placement.width, *framing.frame_size, *framing.crop_size
        ),
        "depth_factor": focal_ratio,
        "workdir": None if workdir is None else str(workdir),
        "files": list(files),
    }
