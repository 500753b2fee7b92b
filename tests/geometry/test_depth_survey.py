"""What is found in the depths of a source: values that stand for "nothing seen", and too much beyond the cap."""

import numpy as np
import pytest

from jaxdepth.geometry.depth_survey import FAR_FACTOR, FAR_SHARE, Survey

SIZE = (60, 80)


def room(seed, *, farthest=6.0):
    """Depths without two alike, as a sensor has them."""
    return np.random.default_rng(seed).uniform(1, farthest, SIZE).astype(np.float32)


def surveyed(frames, **settings):
    survey = Survey(**settings)
    masked = [survey.add(np.float32(frame), str(i)) for i, frame in enumerate(frames)]
    return survey, masked


def seen_nothing(value, shares):
    """Frames in which shares of the pixels have a value."""
    frames = [room(i) for i in range(len(shares))]
    for frame, share in zip(frames, shares, strict=True):
        frame.reshape(-1)[: round(share * frame.size)] = value
    return frames


@pytest.mark.parametrize("value", [65.535, 1000.0, 1e10, 20.0])
def test_a_value_at_many_pixels_far_beyond_the_rest_is_found(value):
    survey, masked = surveyed(seen_nothing(value, [0, 0.1, 0.3, 0.0]))
    found = survey.far_value()
    assert found.metres == np.float32(value) and found.count == 0.4 * 60 * 80
    assert (round(found.share, 6), round(found.most, 6), found.name) == (0.1, 0.3, "2")
    (note,) = survey.notes()
    assert note.startswith(f"{value:g} m at 10.0% of the pixels, 30% in frame '2'")
    assert f"--config.data.invalid={found.exactly} masks it" in note and float(found.exactly) == value
    assert survey.unmasked_value() is None and survey.problem() is None
    survey, masked = surveyed(seen_nothing(value, [0, 0.1, 0.3, 0.0]), invalid=(value,))
    assert survey.far_value() is None and not survey.notes() and survey.masked["invalid"] == 0.4 * 60 * 80
    assert not masked[1].reshape(-1)[:480].any() and (masked[1].reshape(-1)[480:] > 0).all()


def test_it_is_found_where_a_stray_pixel_is_farther_and_where_edges_are_blended():
    frames = seen_nothing(65.535, [0.2, 0.2, 0.2])
    frames[0][-1, -1] = 1e30
    for frame in frames:
        frame[-1, :20] = np.linspace(7, 60, 20)
    assert surveyed(frames)[0].far_value().metres == np.float32(65.535)


@pytest.mark.parametrize(
    "frames",
    [
        [np.full(SIZE, 2.0 + i) for i in range(20)],
        [np.minimum(room(i, farthest=15), 9.9955) for i in range(4)],  # a sensor's greatest depth
        [np.where(np.arange(80) < 30, 1.5 * farthest, room(i, farthest=farthest)) for i, farthest in enumerate((4, 6))],
        seen_nothing(65.535, [FAR_SHARE / 2] * 3),
        [np.zeros(SIZE)],
        [np.full(SIZE, np.nan)],
    ],
    ids=["levels", "saturated", "walls", "few", "empty", "nan"],
)
def test_depth_that_is_measured_is_not_taken_for_it(frames):
    assert surveyed(frames)[0].far_value() is None


def test_most_of_a_frame_is_refused_until_the_user_has_decided():
    frames = seen_nothing(65.535, [0.0, 0.6, 0.0])
    problem = surveyed(frames)[0].problem()
    assert problem.startswith("65.535 m at 20.0% of the pixels, 60% in frame '1', far beyond all other depth: give")
    for decided in ((65.535,), (0,)):
        assert surveyed(frames, invalid=decided)[0].problem() is None


def test_a_value_that_no_pixel_has_is_told():
    (note,) = surveyed([room(0)], invalid=(65535,))[0].notes()
    assert note == "config.data.invalid=65535: no pixel has this depth (in metres)"


def test_the_share_beyond_the_cap_is_told_and_nearly_all_of_it_refused():
    frames = [4 * room(i, farthest=5) for i in range(3)]  # 4 to 20 m
    survey, masked = surveyed(frames)
    beyond = np.mean([frame > 10 for frame in frames])
    (note,) = survey.notes()
    assert note.startswith(f"{beyond:.1%} of the measured depth is beyond 10 m") and "max_depth=30 takes" in note
    assert all((m == np.where(np.float32(f) > 10, 0, np.float32(f))).all() for m, f in zip(masked, frames, strict=True))
    assert survey.problem() is None and survey.counts["beyond"] == round(beyond * 3 * 4800)
    assert surveyed(frames, max_depth=30.0)[0].notes() == []
    problem = surveyed(frames, max_depth=5.0)[0].problem()
    assert "of the measured depth is beyond 5 m: give --config.data.max_depth=30" in problem


def test_counts_of_what_was_not_there_are_left_out():
    """Runs of before have four counts in their records, which are compared when a run is continued."""
    assert surveyed([room(0)])[0].counts == {"nan": 0, "inf": 0, "negative": 0, "empty_frames": 0}
    assert FAR_FACTOR > 1
