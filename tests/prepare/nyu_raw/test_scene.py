"""Files of a raw scene: read byte for byte, paired by time, refused in one line."""

import io

import numpy as np
import pytest
from PIL import Image

from jaxdepth.errors import InputError
from jaxdepth.prepare.nyu_raw import scene

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (480, 640, 3), np.uint8)
CODES = RNG.integers(0, 2048, (480, 640)).astype(np.uint16)
PPM = b"P6 640 480 255\n" + COLOUR.tobytes()
PGM = b"P5 640 480 65535\n" + CODES.astype("<u2").tobytes()


def test_pictures_are_read_as_another_reader_does():
    np.testing.assert_array_equal(scene.read_colour(PPM, "r"), COLOUR)
    np.testing.assert_array_equal(scene.read_depth(PGM, "d"), CODES)
    with Image.open(io.BytesIO(PPM)) as picture:
        np.testing.assert_array_equal(scene.read_colour(PPM, "r"), np.asarray(picture))
    with Image.open(io.BytesIO(PGM)) as picture:  # which takes the bytes as the format's standard has them
        np.testing.assert_array_equal(scene.read_depth(PGM, "d").byteswap(), np.asarray(picture).astype(np.uint16))
    commented = b"P6\n# by the recorder\n640\n480\n255\n" + COLOUR.tobytes() + b"more"
    np.testing.assert_array_equal(scene.read_colour(commented, "r"), COLOUR)


@pytest.mark.parametrize(
    ("read", "content", "message"),
    [
        (scene.read_colour, b"", "r: an empty file: expected P6 of 640x480 with 255"),
        (scene.read_colour, PPM[:-1], "r: cut off after 921599 of 921600 bytes"),
        (scene.read_colour, PPM[:9], "r: no such picture"),
        (scene.read_colour, PGM, "r: P5 of 640x480 with 65535: expected P6"),
        (
            scene.read_depth,
            b"P5 320 240 65535\n" + bytes(1 << 20),
            "r: P5 of 320x240 with 65535: expected P5 of 640x480",
        ),
        (scene.read_depth, b"\x89PNG\r\n" + bytes(99), "r: no such picture"),
    ],
)
def test_damaged_files_are_named(read, content, message):
    with pytest.raises(InputError, match=message):
        read(content, "r")


def test_names_tell_kind_and_time():
    names = [
        "r-1294886360.208451-2996770081.ppm",
        "d-1294886360.166120-2992060289.pgm",
        "a-1294886360.170291-2987894169.dump",
        "r-1294886359.9-1.ppm",
        "INDEX.txt",
        "r-12.ppm",
        "d-1.0-2.ppm",
    ]
    colour, depth = scene.timed(names)
    assert [file.name for file in colour] == [names[3], names[0]] and colour[1].seconds == 1294886360.208451
    assert [file.name for file in depth] == [names[1]]


def independent_pairs(colour, depth, max_gap):
    """All combinations, the nearest first; each colour's own nearest depth only, each depth once."""
    own = {c: min(range(len(depth)), key=lambda i: (abs(depth[i] - c), i)) for c in colour}
    made = {}
    for gap, c, i in sorted((abs(depth[i] - c), c, i) for c, i in own.items()):
        if gap <= max_gap and i not in made:
            made[i] = c
    return sorted((c, depth[i]) for i, c in made.items())


@pytest.mark.parametrize("seed", range(5))
def test_pairs_are_the_nearest_in_time(seed):
    rng = np.random.default_rng(seed)
    times = [np.sort(1e9 + np.cumsum(rng.uniform(0.005, 0.08, 60)) + rng.uniform(0, 0.02)) for _ in range(2)]
    names = [f"{kind}-{t:.6f}-{i}.{end}" for (kind, end), ts in zip((("r", "ppm"), ("d", "pgm")), times, strict=True)
             for i, t in enumerate(ts)]  # fmt: skip
    rng.shuffle(names)
    colour, depth = scene.timed(names)
    pairs, alone = scene.pair(colour, depth, max_gap=0.03)
    expected = independent_pairs([c.seconds for c in colour], [d.seconds for d in depth], 0.03)
    assert [(pair.colour.seconds, pair.depth.seconds) for pair in pairs] == expected
    assert all(pair.gap == pair.depth.seconds - pair.colour.seconds for pair in pairs)
    assert sorted(file.name for file in [*alone, *(pair.colour for pair in pairs)]) == sorted(f.name for f in colour)


def test_a_scene_without_depth_has_no_pair():
    colour, depth = scene.timed(["r-1.0-1.ppm"])
    assert scene.pair(colour, depth) == ([], colour)
