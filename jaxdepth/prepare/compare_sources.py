"""Compares the depths of sources."""

from jaxdepth.data.files.writing import check_output
from jaxdepth.data.sources import selection
from jaxdepth.output import figures
from jaxdepth.prepare.statistics import DepthStatistics, depth_statistics

FRAMES = 300  # of each source, roughly, evenly spaced


def compare(names, *, plot) -> dict[str, DepthStatistics]:
    """Computes the statistics of sources and plots them side by side.

    Args:
      names: sources as SOURCE or SOURCE:PATH, such as "nyu" or "folder:mine".
      plot: a PNG to write.

    Returns:
      {name: DepthStatistics}.

    Raises:
      InputError, FileNotFoundError: as `selection.open_frames` and `depth_statistics`.
      OSError: if the plot cannot be written.
    """
    check_output(plot)
    found = {}
    for name in names:
        source, _, path = name.partition(":")
        frames = selection.open_frames(source, path=path, rooms_frames=(FRAMES, 1))
        found[name] = depth_statistics(frames.depths[:: max(1, len(frames) // FRAMES)])
    figures.depth_statistics(plot, found)
    return found
