"""Other people's test sets, each read as its authors lay it out."""

import importlib
from typing import Any, NamedTuple

from jaxdepth.data.sources.testsets import testset


class Kind(NamedTuple):
    """A test set, as `data.source` and `check --kind` name it.

    Attributes:
      title: what it is called.
      protocol: name of the protocol that is usual for it, see `protocols`.
      max_depth: metres, the usual cap.
      module: the file here that reads it; its `find(path, **options)` gives a TestSet.
      options: of `find`, where one file reads several kinds.
    """

    title: str
    protocol: str
    max_depth: float
    module: str
    options: dict[str, Any] = {}

    def find(self, path):
        """The TestSet in a folder.

        Raises:
          FileNotFoundError: if there is no such folder.
          InputError: if it has another layout, or no pictures, or a picture twice.
        """
        found = importlib.import_module(f"{__name__}.{self.module}").find(path, **self.options)
        testset.check_names(found)
        return found


KINDS = {
    "ibims": Kind("iBims-1", "full", 50.0, "ibims"),
    "diode_indoor": Kind("DIODE, indoors", "full", 10.0, "diode", {"part": "indoors"}),
    "diode_outdoor": Kind("DIODE, outdoors", "full", 80.0, "diode", {"part": "outdoor"}),
    "sun_rgbd": Kind("SUN RGB-D without NYU's part", "full", 8.0, "sun_rgbd", {"nyu": False}),
    "sun_rgbd_all": Kind("SUN RGB-D", "full", 8.0, "sun_rgbd", {"nyu": True}),
    "hypersim": Kind("Hypersim", "full", 80.0, "hypersim"),
    "kitti": Kind("KITTI, Eigen's test split", "garg_crop", 80.0, "kitti"),
    "kitti_selection": Kind("KITTI, validation selection", "full", 80.0, "kitti_selection"),
    "kitti_velodyne": Kind("KITTI, Eigen's test split by one scan", "garg_crop", 80.0, "kitti_velodyne"),
    "scannet": Kind("ScanNet", "full", 10.0, "scannet"),
    "tum_rgbd": Kind("TUM RGB-D", "full", 10.0, "tum_rgbd"),
}
