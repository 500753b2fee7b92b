"""What can stand in a room, as tables: each kind of furniture is a few boxes and round bodies in a frame of its own.

In that frame x runs along the width, from -1 to 1 times half of it, y along the depth, with the back at +1, and z up
from the floor at 0 to the height at 1. A bound is written as one complex number: the real part counts in half widths,
half depths or heights, the imaginary part in metres. So `1 - .04j` is 4 cm before the end.
"""

from typing import NamedTuple

import numpy as np

# The 40 classes of NYU Depth V2 (Gupta 2013); a label is a place in this list.
LABELS = (
    *("unlabelled", "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf"),
    *("picture", "counter", "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor mat"),
    *("clothes", "ceiling", "books", "refrigerator", "television", "paper", "towel", "shower curtain", "box"),
    *("whiteboard", "person", "night stand", "toilet", "sink", "lamp", "bathtub", "bag", "other structure"),
    *("other furniture", "other prop"),
)
BOXES, ROUNDS = 6, 2  # parts of one piece, at most

# Textures, by what `jaxdepth.rooms.texture` makes of them.
PLAIN, WOOD, CLOTH, TILES, STRIPES, ART, BOOKS, PANES, LEAVES = range(9)
# The parts of one colour: the first two are the piece's own, the last one is drawn anew for each part.
BODY, OTHER, FREE = range(3)


class Box(NamedTuple):
    """x, y, z from and to; whose colour, which texture, and a label where it is not the piece's."""

    x: tuple
    y: tuple
    z: tuple
    colour: int = BODY
    texture: int | None = None
    label: str | None = None


class Round(NamedTuple):
    """The upright cylinder or the ellipsoid that fills a box."""

    x: tuple
    y: tuple
    z: tuple
    ellipsoid: bool = False
    colour: int = BODY
    texture: int | None = None
    label: str | None = None


class Kind(NamedTuple):
    """Least and greatest width, depth and height; parts; the height on which things may lie (None: nothing does)."""

    label: str
    least: tuple
    greatest: tuple
    texture: int
    boxes: tuple = ()
    rounds: tuple = ()
    top: complex | None = None
    at_wall: float = 0.7  # the probability that its back is to a wall


_ALL = (-1, 1)
_INNER = (-1 + 0.03j, 1 - 0.03j)  # between side panels; no two parts share a face, which would flicker


def _legs(*, thick, top, inset=0.02):
    near, far = -1 + inset * 1j, 1 - inset * 1j
    ends = ((near, near + thick * 1j), (far - thick * 1j, far))
    return tuple(Box(x, y, (0, top), OTHER) for x in ends for y in ends)


def _fronts(*, rows, columns, low=0.08, texture=None):
    """Doors or drawers, a centimetre and a half before the body, with gaps between them."""
    heights = [low * 1j + (1 - 0.02j - low * 1j) * np.array([i, i + 1]) / rows for i in range(rows)]
    widths = [2 * np.array([i, i + 1]) / columns - 1 for i in range(columns)]
    gap = 0.006j
    return tuple(
        Box((w[0] + gap, w[1] - gap), (-1, -1 + 0.02j), (h[0] + gap, h[1] - gap), OTHER, texture)
        for h in heights
        for w in widths
    )


def _body(front=0.015):
    return Box(_ALL, (-1 + front * 1j, 1), (0, 1))


KINDS = (
    Kind(
        "table",
        (0.8, 0.6, 0.4),
        (1.8, 1.0, 0.78),
        WOOD,
        (Box(_ALL, _ALL, (1 - 0.04j, 1)), *_legs(thick=0.06, top=1 - 0.04j)),
        top=1,
        at_wall=0.3,
    ),
    Kind(
        "table",
        (0.7, 0.7, 0.45),
        (1.2, 1.2, 0.76),
        WOOD,
        (),
        (Round(_ALL, _ALL, (1 - 0.04j, 1)), Round((-0.2, 0.2), (-0.2, 0.2), (0, 1 - 0.04j), colour=OTHER)),
        at_wall=0.1,
    ),
    Kind(
        "desk",
        (1.0, 0.5, 0.7),
        (1.8, 0.8, 0.78),
        WOOD,
        (
            Box(_ALL, _ALL, (1 - 0.03j, 1)),
            Box((-1, -1 + 0.03j), _ALL, (0, 1 - 0.03j)),
            Box((1 - 0.45j, 1), (-1 + 0.03j, 1), (0.1j, 1 - 0.03j), OTHER),
            Box((-0.35, 0.25), (0.55, 0.55 + 0.04j), (1 + 0.08j, 1 + 0.42j), FREE, PLAIN, "television"),
            Box((-0.1, 0), (0.55, 0.55 + 0.1j), (1, 1 + 0.1j), OTHER, PLAIN, "other prop"),
        ),
        top=1,
        at_wall=0.9,
    ),
    Kind(
        "chair",
        (0.4, 0.4, 0.75),
        (0.6, 0.6, 1.1),
        WOOD,
        (
            Box(_ALL, _ALL, (0.42j, 0.48j), OTHER, CLOTH),
            Box(_ALL, (1 - 0.05j, 1), (0.48j, 1), BODY),
            *_legs(thick=0.04, top=0.42j),
        ),
        at_wall=0.2,
    ),
    Kind(
        "chair",
        (0.6, 0.6, 0.75),
        (0.9, 0.9, 1.0),
        CLOTH,
        (
            Box(_ALL, _ALL, (0.08j, 0.4j)),
            Box(_ALL, (1 - 0.2j, 1), (0.4j, 1)),
            Box((-1, -1 + 0.14j), _ALL, (0.4j, 0.6j)),
            Box((1 - 0.14j, 1), _ALL, (0.4j, 0.6j)),
            Box((-0.5, 0.4), (1 - 0.32j, 1 - 0.18j), (0.42j, 0.75j), FREE, CLOTH, "pillow"),
        ),
        at_wall=0.5,
    ),
    Kind(
        "sofa",
        (1.4, 0.8, 0.7),
        (2.3, 1.0, 0.95),
        CLOTH,
        (
            Box(_ALL, _ALL, (0.06j, 0.42j)),
            Box(_ALL, (1 - 0.22j, 1), (0.42j, 1)),
            Box((-1, -1 + 0.18j), _ALL, (0.42j, 0.62j)),
            Box((1 - 0.18j, 1), _ALL, (0.42j, 0.62j)),
            Box((-0.75, -0.3), (1 - 0.36j, 1 - 0.2j), (0.42j, 0.78j), FREE, CLOTH, "pillow"),
            Box((0.2, 0.7), (1 - 0.36j, 1 - 0.2j), (0.42j, 0.8j), FREE, CLOTH, "pillow"),
        ),
    ),
    Kind(
        "bed",
        (0.9, 1.9, 0.7),
        (1.9, 2.2, 1.2),
        CLOTH,
        (
            Box(_ALL, (-1, 1 - 0.05j), (0.1j, 0.3j), OTHER, WOOD),
            Box(_ALL, (-1, 1 - 0.05j), (0.3j, 0.52j)),
            Box(_ALL, (1 - 0.05j, 1), (0, 1), OTHER, WOOD),
            Box((-0.9, -0.1), (1 - 0.55j, 1 - 0.1j), (0.52j, 0.66j), FREE, CLOTH, "pillow"),
            Box((0.1, 0.9), (1 - 0.55j, 1 - 0.1j), (0.52j, 0.64j), FREE, CLOTH, "pillow"),
            Box((-1 - 0.02j, 1 + 0.02j), (-1 - 0.02j, 0.3), (0.25j, 0.56j), FREE, CLOTH),
        ),
    ),
    Kind(
        "bookshelf",
        (0.6, 0.25, 1.2),
        (1.4, 0.4, 2.1),
        WOOD,
        (
            Box((-1, -1 + 0.03j), _ALL, (0, 1 - 0.03j)),
            Box((1 - 0.03j, 1), _ALL, (0, 1 - 0.03j)),
            Box(_ALL, _ALL, (1 - 0.03j, 1)),
            Box(_INNER, (-0.3, 1), (0.05j, 1 - 0.03j), FREE, BOOKS, "books"),
            Box(_INNER, (-1 + 0.01j, 1), (0.33, 0.33 + 0.03j)),
            Box(_INNER, (-1 + 0.01j, 1), (0.66, 0.66 + 0.03j)),
        ),
        at_wall=1.0,
    ),
    Kind(
        "shelves",
        (0.6, 0.3, 0.8),
        (1.4, 0.45, 1.8),
        WOOD,
        (
            Box((-1, -1 + 0.03j), _ALL, (0, 1 - 0.03j)),
            Box((1 - 0.03j, 1), _ALL, (0, 1 - 0.03j)),
            Box(_ALL, _ALL, (1 - 0.03j, 1)),
            Box(_INNER, (1 - 0.02j, 1), (0, 1 - 0.03j), OTHER),
            Box(_INNER, (-1 + 0.01j, 1), (0.5, 0.5 + 0.03j)),
            Box((-0.7, 0.1), (-0.4, 0.6), (0.5 + 0.03j, 0.5 + 0.25j), FREE, PLAIN, "box"),
        ),
        top=1,
        at_wall=0.9,
    ),
    Kind("cabinet", (0.8, 0.45, 1.7), (1.8, 0.65, 2.2), WOOD, (_body(), *_fronts(rows=1, columns=3)), at_wall=1.0),
    Kind(
        "cabinet", (0.8, 0.4, 0.7), (1.6, 0.55, 1.1), WOOD, (_body(), *_fronts(rows=1, columns=4)), top=1, at_wall=0.9
    ),
    Kind(
        "dresser", (0.6, 0.4, 0.7), (1.2, 0.55, 1.2), WOOD, (_body(), *_fronts(rows=4, columns=1)), top=1, at_wall=0.9
    ),
    Kind(
        "night stand",
        (0.4, 0.35, 0.45),
        (0.55, 0.45, 0.65),
        WOOD,
        (_body(), *_fronts(rows=2, columns=1)),
        top=1,
        at_wall=0.9,
    ),
    Kind(
        "counter",
        (1.2, 0.6, 0.85),
        (2.6, 0.65, 0.95),
        PLAIN,
        (
            _body(),
            Box((-1 - 0.01j, 1 + 0.01j), (-1 - 0.02j, 1), (1 - 0.02j, 1 + 0.02j), OTHER, TILES),
            *_fronts(rows=1, columns=3),
            Box((0.2, 0.5), (0, 0.5), (1 + 0.02j, 1 + 0.24j), FREE, PLAIN, "other prop"),
        ),
        top=1,
        at_wall=1.0,
    ),
    Kind(
        "counter",
        (1.2, 0.6, 2.0),
        (2.6, 0.65, 2.3),
        WOOD,
        (
            Box(_ALL, (-1 + 0.015j, 1), (0, 0.86j)),
            Box((-1 - 0.01j, 1 + 0.01j), (-1 - 0.02j, 1), (0.86j, 0.9j), FREE, TILES),
            Box(_ALL, (1 - 0.33j, 1), (1.4j, 1), label="cabinet"),
            Box((-0.98, -0.34), (1 - 0.35j, 1 - 0.33j), (1.42j, 1 - 0.02j), OTHER, label="cabinet"),
            Box((-0.32, 0.32), (1 - 0.35j, 1 - 0.33j), (1.42j, 1 - 0.02j), OTHER, label="cabinet"),
            Box((0.34, 0.98), (1 - 0.35j, 1 - 0.33j), (1.42j, 1 - 0.02j), OTHER, label="cabinet"),
        ),
        (
            Round((-0.6, -0.6 + 0.2j), (-0.4, -0.4 + 0.2j), (0.9j, 1.15j), colour=FREE, label="other prop"),
            Round((0.2, 0.2 + 0.3j), (-0.5, -0.5 + 0.3j), (0.9j, 1.05j), colour=FREE, label="other prop"),
        ),
        at_wall=1.0,
    ),
    Kind(
        "bathtub",
        (1.4, 0.7, 0.5),
        (1.8, 0.8, 0.6),
        PLAIN,
        (
            Box(_ALL, _ALL, (0, 0.15j)),
            Box(_ALL, (-1, -1 + 0.07j), (0.15j, 1)),
            Box(_ALL, (1 - 0.07j, 1), (0.15j, 1)),
            Box((-1, -1 + 0.1j), (-1 + 0.07j, 1 - 0.07j), (0.15j, 1)),
            Box((1 - 0.1j, 1), (-1 + 0.07j, 1 - 0.07j), (0.15j, 1)),
            Box((-0.2, 0.1), (-1 - 0.02j, -1 + 0.09j), (0.2j, 1 + 0.01j), FREE, CLOTH, "towel"),
        ),
        at_wall=1.0,
    ),
    Kind(
        "toilet",
        (0.4, 0.65, 0.75),
        (0.45, 0.75, 0.85),
        PLAIN,
        (Box(_ALL, (1 - 0.2j, 1), (0.35j, 1)), Box((-0.5, 0.5), (-0.2, 1 - 0.02j), (0, 0.3j))),
        (Round((-0.9, 0.9), (-1, 0.6), (0.3j, 0.42j)), Round((-0.7, 0.7), (-0.8, 0.4), (0.05j, 0.5j), ellipsoid=True)),
        at_wall=1.0,
    ),
    Kind(
        "shelves",
        (0.8, 0.4, 1.4),
        (2.0, 0.6, 2.1),
        PLAIN,
        (
            Box(_ALL, _ALL, (0.3, 0.3 + 0.03j)),
            Box(_ALL, _ALL, (0.65, 0.65 + 0.03j)),
            Box(_ALL, _ALL, (1 - 0.03j, 1)),
            Box((-0.9, 0.2), (-0.8, 0.8), (0.3 + 0.03j, 0.5), FREE, ART, "box"),
            Box((-0.3, 0.8), (-0.7, 0.9), (0.65 + 0.03j, 0.65 + 0.3j), FREE, BOOKS, "books"),
            Box((-0.9, 0.9), (-0.6, 0.8), (0, 0.2), FREE, ART, "box"),
        ),
        at_wall=0.9,
    ),
    Kind(
        "refrigerator",
        (0.6, 0.6, 1.4),
        (0.8, 0.7, 1.9),
        PLAIN,
        (_body(0.03), Box(_ALL, (-1, -1 + 0.04j), (0.08j, 0.6)), Box(_ALL, (-1, -1 + 0.04j), (0.6 + 0.01j, 1))),
        at_wall=1.0,
    ),
    Kind(
        "other furniture",
        (1.0, 0.4, 0.4),
        (1.8, 0.5, 0.6),
        WOOD,
        (
            _body(),
            *_fronts(rows=1, columns=2),
            Box((-0.7, 0.7), (0.1, 0.1 + 0.06j), (1 + 0.06j, 1 + 0.75j), FREE, PLAIN, "television"),
            Box((-0.2, 0.2), (-0.2, 0.4), (1, 1 + 0.06j), FREE, PLAIN, "television"),
        ),
        at_wall=1.0,
    ),
    Kind(
        "box",
        (0.4, 0.3, 0.4),
        (0.7, 0.7, 1.0),
        PLAIN,
        (
            Box(_ALL, _ALL, (0, 0.4)),
            Box((-0.8, 0.9), (-0.9, 0.6), (0.4, 0.75), OTHER),
            Box((-0.5, 0.6), (-0.3, 0.6), (0.75, 1), FREE),
        ),
        at_wall=0.4,
    ),
    Kind(
        "lamp",
        (0.35, 0.35, 1.3),
        (0.5, 0.5, 1.8),
        CLOTH,
        (Box((-0.6, 0.6), (-0.6, 0.6), (0, 0.03j), OTHER, PLAIN),),
        (
            Round((-0.015j, 0.015j), (-0.015j, 0.015j), (0, 1 - 0.3j), colour=OTHER, texture=PLAIN),
            Round(_ALL, _ALL, (1 - 0.32j, 1)),
        ),
        at_wall=0.8,
    ),
    Kind(
        "other prop",
        (0.3, 0.3, 0.6),
        (0.6, 0.6, 1.4),
        PLAIN,
        (),
        (
            Round((-0.7, 0.7), (-0.7, 0.7), (0, 0.35)),
            Round(_ALL, _ALL, (0.3, 1), ellipsoid=True, colour=FREE, texture=LEAVES),
        ),
        at_wall=0.6,
    ),
    Kind(
        "bag",
        (0.3, 0.3, 0.3),
        (0.8, 0.8, 0.5),
        CLOTH,
        (),
        (
            Round(_ALL, _ALL, (-0.2, 1), ellipsoid=True),
            Round((-0.5, 0.3), (-0.4, 0.4), (0.6, 1.15), ellipsoid=True, colour=FREE),
        ),
        at_wall=0.4,
    ),
)


class Tables(NamedTuple):
    """The kinds as arrays; K kinds, parts in the order boxes, rounds."""

    least: np.ndarray  # [K, 3]
    greatest: np.ndarray  # [K, 3]
    at_wall: np.ndarray  # [K]
    top: np.ndarray  # [K] complex, 0 where nothing lies on it
    bounds: np.ndarray  # [K, BOXES + ROUNDS, 3, 2] complex
    present: np.ndarray  # [K, BOXES + ROUNDS] bool
    ellipsoid: np.ndarray  # [K, BOXES + ROUNDS] bool
    colour: np.ndarray  # [K, BOXES + ROUNDS]
    texture: np.ndarray  # [K, BOXES + ROUNDS]
    label: np.ndarray  # [K, BOXES + ROUNDS]


def _tables():
    count, parts = len(KINDS), BOXES + ROUNDS
    bounds = np.zeros((count, parts, 3, 2), complex)
    present, ellipsoid = np.zeros((2, count, parts), bool)
    colour, texture, label = np.zeros((3, count, parts), int)
    for k, kind in enumerate(KINDS):
        placed = [*enumerate(kind.boxes), *enumerate(kind.rounds, start=BOXES)]
        for i, part in placed:
            bounds[k, i], present[k, i] = (part.x, part.y, part.z), True
            ellipsoid[k, i] = getattr(part, "ellipsoid", False)
            colour[k, i] = part.colour
            texture[k, i] = kind.texture if part.texture is None else part.texture
            label[k, i] = LABELS.index(part.label or kind.label)
    return Tables(
        least=np.array([kind.least for kind in KINDS], np.float32),
        greatest=np.array([kind.greatest for kind in KINDS], np.float32),
        at_wall=np.array([kind.at_wall for kind in KINDS], np.float32),
        top=np.array([kind.top or 0 for kind in KINDS], np.complex64),
        bounds=bounds.astype(np.complex64),
        present=present,
        ellipsoid=ellipsoid,
        colour=colour,
        texture=texture,
        label=label,
    )


TABLES = _tables()
