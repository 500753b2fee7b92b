"""Measures that experts read beyond the standard metrics: each is a function of a ScoredFrame, in float64 numpy."""

from jaxdepth.errors import InputError
from jaxdepth.evaluation.measures.boundaries import boundary_f1, depth_boundary_error, edges_hu
from jaxdepth.evaluation.measures.frame import ScoredFrame
from jaxdepth.evaluation.measures.normals import surface_normals
from jaxdepth.evaluation.measures.order import directed_depth_error, ordinal
from jaxdepth.evaluation.measures.planes import planarity
from jaxdepth.evaluation.measures.points import point_cloud

MEASURES = {
    function.__name__: function
    for function in (
        *(edges_hu, depth_boundary_error, boundary_f1),
        *(planarity, surface_normals, point_cloud, directed_depth_error, ordinal),
    )
}
STANDARD, ALL = "standard", "all"


def chosen(names):
    """The names of the measures that a list of names stands for.

    Args:
      names: some of MEASURES, or "standard" for none, or "all".

    Raises:
      InputError: for an unknown name.
    """
    known = (STANDARD, ALL, *MEASURES)
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"measures={unknown[0]!r}: expected some of {', '.join(known)}")
    return tuple(name for name in MEASURES if name in names or ALL in names)


def measure(names, **of_frame):
    """Some measures of a frame.

    Args:
      names: of the measures.
      of_frame: the fields of a ScoredFrame.

    Returns:
      {"measure.metric": float}, NaN where a measure is not defined for this frame.
    """
    frame = ScoredFrame(**of_frame)
    return {f"{name}.{metric}": value for name in names for metric, value in MEASURES[name](frame).items()}
