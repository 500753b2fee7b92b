"""Surface normals of a depth map, by planes that are fitted to windows of it.

A plane a X + b Y + c Z = 1 in the camera frame is a x + b y + c = 1 / Z on the ray (x, y, 1): inverse depth is affine
in the pixel, so a plane is fitted exactly. (a, b, c) is normal to the plane and points away from the camera.
"""

import numpy as np

from jaxdepth.geometry.camera import Intrinsics, crop_intrinsics, rays64

WINDOW = 5  # pixels, of `normals`


def window_planes(inverse: np.ndarray, camera: Intrinsics, *, window: int) -> list[np.ndarray]:
    """The plane of each pixel's window, by least squares in inverse depth.

    Args:
      inverse: float64 [H, W], 1 / depth. A NaN makes the planes of all windows NaN that it lies in.
      camera: in pixels of the depth map.
      window: its side in pixels, odd.

    Returns:
      a, b and c, float64 [H, W] each. A window that reaches outside the map sees it mirrored there.
    """
    from scipy import ndimage  # a third of a second, which only these wait for

    # With the origin in the window's centre, least squares are sums of products: a = sum(x / Z) / sum(x^2), likewise b,
    # and 1 / Z has its mean at 0.
    steps = np.arange(window) - window // 2
    mean, slope = np.full(window, 1 / window), steps / np.sum(steps**2)

    def filtered(down, across):
        return ndimage.correlate1d(ndimage.correlate1d(inverse, down, axis=0), across, axis=1)

    height, width = inverse.shape
    x, y = rays64(camera, (1, width))[..., 0], rays64(camera, (height, 1))[..., 1]
    a, b = camera.fx * filtered(mean, slope), camera.fy * filtered(slope, mean)
    return [a, b, filtered(mean, mean) - a * x - b * y]


def normals(depth: np.ndarray, camera: Intrinsics, *, rows: slice = slice(None), window: int = WINDOW) -> np.ndarray:
    """Unit normals of a depth map, towards the camera.

    At the map's border its inverse depth is continued as a plane, so a plane's normals are exact there too.

    Args:
      depth: [H, W], metres; 0 or not finite where there is none.
      camera: in pixels of the depth map.
      rows: those to return, without a step. Memory is for these only, and their normals do not depend on the choice.
      window: the side in pixels of the window that a plane is fitted to, odd.

    Returns:
      float64 [rows, W, 3] in the camera frame: x right, y down, z forward. (0, 0, 0) where the window has a pixel
      without depth.
    """
    half = window // 2
    top, bottom, _ = rows.indices(len(depth))
    first, last = max(0, top - half), min(len(depth), bottom + half)
    part = np.float64(depth[first:last])
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where((part > 0) & (part < np.inf), 1 / part, np.nan)
        beyond = (half - (top - first), half - (last - bottom))
        inverse = np.pad(inverse, (beyond, (half, half)), mode="reflect", reflect_type="odd")
        planes = window_planes(inverse, crop_intrinsics(camera, top=top - half, left=-half), window=window)
        inside = [plane[half : len(plane) - half, half:-half] for plane in planes]
        away = np.stack(inside, axis=-1) / np.sqrt(sum(plane**2 for plane in inside))[..., None]
    return np.where(np.isfinite(away), -away, 0.0)
