"""The description of a source."""

import dataclasses
import re

import numpy as np
import pytest
from small_frames import make_frames

from jaxdepth.data import splits
from jaxdepth.errors import InputError
from jaxdepth.prepare.summary import summary


def split_bar(line):
    """The interval, share and bar of a line of the histogram."""
    return re.fullmatch(r" *(.*?(?:m|more)) +([\d.]+%) ?(#*)", line).groups()


def test_frames_depths_and_splits_are_described():
    frames = make_frames(100)
    depths = np.full(frames.depths.shape, 2.25, np.float32)  # between 2 and 2.5 m
    depths[90:], depths[0] = 12, 0
    ids = np.array(splits.nyu_lists()["dev"][0][:60] + splits.nyu_lists()["dev"][1][:40])
    frames = dataclasses.replace(frames, depths=depths, ids=ids, truth="test depth", splits=splits.nyu_lists())
    first, *lines = summary(frames).splitlines()
    about = "100 frames at 24x32 (height x width), 2.25 to 12.00 m"
    assert first == f"{about}, 1.00% of the pixels without depth (test depth)"
    shares = {interval.strip(): (share, bar) for interval, share, bar in (split_bar(line) for line in lines[:11])}
    assert len(shares) == 11
    assert shares["2 to 2.5 m"] == ("89.9%", "#" * 54) and shares["10 m and more"] == ("10.1%", "#" * 6)
    assert shares["3 to   4 m"] == ("0.0%", "")
    assert "split official not complete in this source" in lines
    (dev,) = (line for line in lines if line.startswith("split dev"))
    assert "60 to train on" in dev and "40 to validate" in dev
    assert dev.endswith(splits.split("dev", ids, lists=splits.nyu_lists()).hash)


def test_a_source_without_depth_is_refused():
    frames = dataclasses.replace(make_frames(3), depths=np.zeros((3, 24, 32), np.float32), description="a source")
    with pytest.raises(InputError, match="a source: none of 3 frames has a valid depth"):
        summary(frames)
