"""Depth for the viewer of Rerun, as files or shown at once: the one file that imports rerun.

Each picture is a recording with its name, of the entities `camera/picture`, `camera/depth` in metres and `points`, in
colour and in the camera's frame: x right, y down, z forward. The viewer lists the recordings and shows one.
"""

import os
import socket
import subprocess
import sys
import time

import numpy as np

from jaxdepth.errors import InputError
from jaxdepth.geometry.surface import EDGE, pixel_grid, surface

_PORT = 9876  # Rerun's
_WAIT = 15.0  # seconds for the viewer to open
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET")


def rrd(depth, pixels, intrinsics, *, edge=EDGE, name="picture"):
    """Encodes a picture with its depth as a recording.

    Of a large picture it holds the pixels of `geometry.surface.pixel_grid`.

    Args:
      depth: [H, W], metres; 0 where there is none.
      pixels: uint8 [H, W, 3], the picture.
      intrinsics: Intrinsics in pixels of the depth map.
      edge: degrees; points at jumps of depth are left out, see `geometry.surface`.
      name: the picture's.

    Returns:
      The file's bytes.

    Raises:
      InputError: without rerun-sdk, or if `edge` is out of range.
    """
    stream = library().RecordingStream("jaxdepth")
    messages = stream.binary_stream()
    _log(stream, depth, pixels, intrinsics, edge=edge, name=name)
    return messages.read()


def show(depth, pixels, intrinsics, *, edge=EDGE, name="picture"):
    """Shows what `rrd` encodes in the viewer that `start` has opened; InputError if it was closed."""
    stream = library().RecordingStream("jaxdepth")
    stream.connect_grpc(f"rerun+http://127.0.0.1:{_PORT}/proxy")
    _log(stream, depth, pixels, intrinsics, edge=edge, name=name)
    try:
        stream.flush(timeout_sec=_WAIT)
    except RuntimeError as error:
        raise InputError(f"the viewer does not answer: {error}") from error


def start():
    """Opens the viewer, unless one is open. It stays open.

    Nothing leaves the machine: it runs without its usage statistics and listens to this machine only.

    Raises:
      InputError: without rerun-sdk or a display, or if it does not open.
    """
    library()
    if _is_open():
        return
    if sys.platform == "linux" and not any(map(os.environ.get, _DISPLAYS)):
        raise InputError("the viewer needs a display: write files with --formats=rrd, and open them where there is one")
    command = [sys.executable, "-m", "rerun", "--bind=127.0.0.1", f"--port={_PORT}", "--expect-data-soon"]
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    # CI turns its statistics off for this process; `rerun analytics disable` would for the user.
    process = subprocess.Popen(command, env={**os.environ, "CI": "1"}, start_new_session=True, **quiet)
    deadline = time.monotonic() + _WAIT
    while not _is_open():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise InputError("the viewer does not open: `python -m rerun` tells why")
        time.sleep(0.1)


def library():
    """The module rerun; raises InputError if it is not installed."""
    try:
        import rerun
    except ImportError as error:
        raise InputError("the viewer and formats=rrd need the extra viewer: pip install 'jaxdepth[viewer]'") from error
    return rerun


def _is_open():
    """Whether something listens where the viewer does."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", _PORT)) == 0


def _log(stream, depth, pixels, intrinsics, *, edge, name):
    """Sends a picture's entities, and how they are laid out."""
    import rerun
    from rerun import blueprint

    rows, columns, camera = pixel_grid(depth.shape, intrinsics)
    grid, shown = np.ix_(rows, columns), surface(depth, intrinsics, edge=edge)
    pinhole = rerun.Pinhole(
        resolution=[len(columns), len(rows)],
        focal_length=[camera.fx, camera.fy],
        principal_point=[camera.cx + 0.5, camera.cy + 0.5],  # counted from the pixel's corner
        camera_xyz=rerun.ViewCoordinates.RDF,
    )
    entities = {
        "/": rerun.ViewCoordinates.RDF,
        "camera": pinhole,
        "camera/picture": rerun.Image(pixels[grid]),
        "camera/depth": rerun.DepthImage(np.float32(depth[grid]), meter=1.0),
        "points": rerun.Points3D(shown.points, colors=pixels[shown.rows, shown.columns]),
    }
    stream.send_recording_name(name)
    for path, entity in entities.items():
        stream.log(path, entity, static=True)
    flat = [blueprint.Spatial2DView(origin=f"camera/{part}", name=part) for part in ("picture", "depth")]
    # The depth image would be a second cloud, with the pixels at jumps of depth.
    solid = blueprint.Spatial3DView(origin="/", contents=["/points", "/camera", "/camera/picture"], name="points")
    views = blueprint.Horizontal(solid, blueprint.Vertical(*flat), column_shares=[2, 1])
    panels = blueprint.SelectionPanel(state="collapsed"), blueprint.TimePanel(state="hidden")
    stream.send_blueprint(blueprint.Blueprint(views, *panels))
