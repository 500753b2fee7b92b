"""The furniture of the built-in rooms, one entry for each kind.

`jaxdepth.rooms.parts` explains the units. To add a kind, add an entry to KINDS. This changes the furniture of all
rooms, because a room draws its kinds by index.
"""

from jaxdepth.rooms.parts import CM, Bound, Kind, Paint, Part, box, cylinder, ellipsoid, tabulate
from jaxdepth.rooms.texture import Texture

FULL = (-1, 1)  # the whole width or depth
INSIDE = (-1 + 3 * CM, 1 - 3 * CM)  # between side panels of 3 cm


def _legs(*, thickness: Bound, top: Bound) -> tuple[Part, ...]:
    """Four square legs, 2 cm from the edges."""
    near, far = -1 + 2 * CM, 1 - 2 * CM
    ends = ((near, near + thickness), (far - thickness, far))
    return tuple(box(x, y, (0, top), Paint.SECOND) for x in ends for y in ends)


def _body(*, front: Bound = 1.5 * CM) -> Part:
    """A block that leaves room for doors or drawers of thickness `front`."""
    return box(FULL, (-1 + front, 1), (0, 1))


def _fronts(*, rows: int, columns: int) -> tuple[Part, ...]:
    """Doors or drawers before a body, from 8 cm above the floor to 2 cm below the top, with gaps of 12 mm."""
    bottom, top, gap = 8 * CM, 1 - 2 * CM, 0.6 * CM

    def interval(start, end, i, count):
        return start + (end - start) * i / count + gap, start + (end - start) * (i + 1) / count - gap

    return tuple(
        box(interval(-1, 1, column, columns), (-1, -1 + 2 * CM), interval(bottom, top, row, rows), Paint.SECOND)
        for row in range(rows)
        for column in range(columns)
    )


def _pillow(x, y, z) -> Part:
    return box(x, y, z, Paint.OWN, Texture.CLOTH, "pillow")


def _screen(x, y, z) -> Part:
    return box(x, y, z, Paint.OWN, Texture.PLAIN, "television")


def _books(x, y, z) -> Part:
    return box(x, y, z, Paint.OWN, Texture.BOOKS, "books")


KINDS = (
    Kind(
        "table",
        width=(0.8, 1.8),
        depth=(0.6, 1.0),
        height=(0.4, 0.78),
        texture=Texture.WOOD,
        parts=(box(FULL, FULL, (1 - 4 * CM, 1)), *_legs(thickness=6 * CM, top=1 - 4 * CM)),
        holds_things=True,
        at_wall=0.3,
    ),
    Kind(  # round, on one foot
        "table",
        width=(0.7, 1.2),
        depth=(0.7, 1.2),
        height=(0.45, 0.76),
        texture=Texture.WOOD,
        parts=(
            cylinder(FULL, FULL, (1 - 4 * CM, 1)),
            cylinder((-0.2, 0.2), (-0.2, 0.2), (0, 1 - 4 * CM), Paint.SECOND),
        ),
        at_wall=0.1,
    ),
    Kind(
        "desk",
        width=(1.0, 1.8),
        depth=(0.5, 0.8),
        height=(0.7, 0.78),
        texture=Texture.WOOD,
        parts=(
            box(FULL, FULL, (1 - 3 * CM, 1)),
            box((-1, -1 + 3 * CM), FULL, (0, 1 - 3 * CM)),  # side panel
            box((1 - 45 * CM, 1), (-1 + 3 * CM, 1), (10 * CM, 1 - 3 * CM), Paint.SECOND),  # drawers
            _screen((-0.35, 0.25), (0.55, 0.55 + 4 * CM), (1 + 8 * CM, 1 + 42 * CM)),
            box((-0.1, 0), (0.55, 0.55 + 10 * CM), (1, 1 + 10 * CM), Paint.SECOND, Texture.PLAIN, "other prop"),
        ),
        holds_things=True,
        at_wall=0.9,
    ),
    Kind(
        "chair",
        width=(0.4, 0.6),
        depth=(0.4, 0.6),
        height=(0.75, 1.1),
        texture=Texture.WOOD,
        parts=(
            box(FULL, FULL, (42 * CM, 48 * CM), Paint.SECOND, Texture.CLOTH),  # seat
            box(FULL, (1 - 5 * CM, 1), (48 * CM, 1)),  # back
            *_legs(thickness=4 * CM, top=42 * CM),
        ),
        at_wall=0.2,
    ),
    Kind(  # an armchair
        "chair",
        width=(0.6, 0.9),
        depth=(0.6, 0.9),
        height=(0.75, 1.0),
        texture=Texture.CLOTH,
        parts=(
            box(FULL, FULL, (8 * CM, 40 * CM)),  # seat
            box(FULL, (1 - 20 * CM, 1), (40 * CM, 1)),  # back
            box((-1, -1 + 14 * CM), FULL, (40 * CM, 60 * CM)),  # arms
            box((1 - 14 * CM, 1), FULL, (40 * CM, 60 * CM)),
            _pillow((-0.5, 0.4), (1 - 32 * CM, 1 - 18 * CM), (42 * CM, 75 * CM)),
        ),
        at_wall=0.5,
    ),
    Kind(
        "sofa",
        width=(1.4, 2.3),
        depth=(0.8, 1.0),
        height=(0.7, 0.95),
        texture=Texture.CLOTH,
        parts=(
            box(FULL, FULL, (6 * CM, 42 * CM)),  # seat
            box(FULL, (1 - 22 * CM, 1), (42 * CM, 1)),  # back
            box((-1, -1 + 18 * CM), FULL, (42 * CM, 62 * CM)),  # arms
            box((1 - 18 * CM, 1), FULL, (42 * CM, 62 * CM)),
            _pillow((-0.75, -0.3), (1 - 36 * CM, 1 - 20 * CM), (42 * CM, 78 * CM)),
            _pillow((0.2, 0.7), (1 - 36 * CM, 1 - 20 * CM), (42 * CM, 80 * CM)),
        ),
    ),
    Kind(
        "bed",
        width=(0.9, 1.9),
        depth=(1.9, 2.2),
        height=(0.7, 1.2),
        texture=Texture.CLOTH,
        parts=(
            box(FULL, (-1, 1 - 5 * CM), (10 * CM, 30 * CM), Paint.SECOND, Texture.WOOD),  # frame
            box(FULL, (-1, 1 - 5 * CM), (30 * CM, 52 * CM)),  # mattress
            box(FULL, (1 - 5 * CM, 1), (0, 1), Paint.SECOND, Texture.WOOD),  # headboard
            _pillow((-0.9, -0.1), (1 - 55 * CM, 1 - 10 * CM), (52 * CM, 66 * CM)),
            _pillow((0.1, 0.9), (1 - 55 * CM, 1 - 10 * CM), (52 * CM, 64 * CM)),
            box((-1 - 2 * CM, 1 + 2 * CM), (-1 - 2 * CM, 0.3), (25 * CM, 56 * CM), Paint.OWN, Texture.CLOTH),  # blanket
        ),
    ),
    Kind(
        "bookshelf",
        width=(0.6, 1.4),
        depth=(0.25, 0.4),
        height=(1.2, 2.1),
        texture=Texture.WOOD,
        parts=(
            box((-1, -1 + 3 * CM), FULL, (0, 1 - 3 * CM)),  # side panels
            box((1 - 3 * CM, 1), FULL, (0, 1 - 3 * CM)),
            box(FULL, FULL, (1 - 3 * CM, 1)),
            _books(INSIDE, (-0.3, 1), (5 * CM, 1 - 3 * CM)),
            box(INSIDE, (-1 + 1 * CM, 1), (0.33, 0.33 + 3 * CM)),  # boards
            box(INSIDE, (-1 + 1 * CM, 1), (0.66, 0.66 + 3 * CM)),
        ),
        at_wall=1.0,
    ),
    Kind(
        "shelves",
        width=(0.6, 1.4),
        depth=(0.3, 0.45),
        height=(0.8, 1.8),
        texture=Texture.WOOD,
        parts=(
            box((-1, -1 + 3 * CM), FULL, (0, 1 - 3 * CM)),  # side panels
            box((1 - 3 * CM, 1), FULL, (0, 1 - 3 * CM)),
            box(FULL, FULL, (1 - 3 * CM, 1)),
            box(INSIDE, (1 - 2 * CM, 1), (0, 1 - 3 * CM), Paint.SECOND),  # back panel
            box(INSIDE, (-1 + 1 * CM, 1), (0.5, 0.5 + 3 * CM)),
            box((-0.7, 0.1), (-0.4, 0.6), (0.5 + 3 * CM, 0.5 + 25 * CM), Paint.OWN, Texture.PLAIN, "box"),
        ),
        holds_things=True,
        at_wall=0.9,
    ),
    Kind(  # a wardrobe
        "cabinet",
        width=(0.8, 1.8),
        depth=(0.45, 0.65),
        height=(1.7, 2.2),
        texture=Texture.WOOD,
        parts=(_body(), *_fronts(rows=1, columns=3)),
        at_wall=1.0,
    ),
    Kind(  # a sideboard
        "cabinet",
        width=(0.8, 1.6),
        depth=(0.4, 0.55),
        height=(0.7, 1.1),
        texture=Texture.WOOD,
        parts=(_body(), *_fronts(rows=1, columns=4)),
        holds_things=True,
        at_wall=0.9,
    ),
    Kind(
        "dresser",
        width=(0.6, 1.2),
        depth=(0.4, 0.55),
        height=(0.7, 1.2),
        texture=Texture.WOOD,
        parts=(_body(), *_fronts(rows=4, columns=1)),
        holds_things=True,
        at_wall=0.9,
    ),
    Kind(
        "night stand",
        width=(0.4, 0.55),
        depth=(0.35, 0.45),
        height=(0.45, 0.65),
        texture=Texture.WOOD,
        parts=(_body(), *_fronts(rows=2, columns=1)),
        holds_things=True,
        at_wall=0.9,
    ),
    Kind(
        "counter",
        width=(1.2, 2.6),
        depth=(0.6, 0.65),
        height=(0.85, 0.95),
        texture=Texture.PLAIN,
        parts=(
            _body(),
            box((-1 - 1 * CM, 1 + 1 * CM), (-1 - 2 * CM, 1), (1 - 2 * CM, 1 + 2 * CM), Paint.SECOND, Texture.TILES),
            *_fronts(rows=1, columns=3),
            box((0.2, 0.5), (0, 0.5), (1 + 2 * CM, 1 + 24 * CM), Paint.OWN, Texture.PLAIN, "other prop"),
        ),
        holds_things=True,
        at_wall=1.0,
    ),
    Kind(  # with cabinets above
        "counter",
        width=(1.2, 2.6),
        depth=(0.6, 0.65),
        height=(2.0, 2.3),
        texture=Texture.WOOD,
        parts=(
            box(FULL, (-1 + 1.5 * CM, 1), (0, 86 * CM)),
            box((-1 - 1 * CM, 1 + 1 * CM), (-1 - 2 * CM, 1), (86 * CM, 90 * CM), Paint.OWN, Texture.TILES),
            box(FULL, (1 - 33 * CM, 1), (140 * CM, 1), label="cabinet"),
            *(  # doors of the cabinets
                box(x, (1 - 35 * CM, 1 - 33 * CM), (142 * CM, 1 - 2 * CM), Paint.SECOND, label="cabinet")
                for x in ((-0.98, -0.34), (-0.32, 0.32), (0.34, 0.98))
            ),
            cylinder(
                (-0.6, -0.6 + 20 * CM), (-0.4, -0.4 + 20 * CM), (90 * CM, 115 * CM), Paint.OWN, label="other prop"
            ),
            cylinder((0.2, 0.2 + 30 * CM), (-0.5, -0.5 + 30 * CM), (90 * CM, 105 * CM), Paint.OWN, label="other prop"),
        ),
        at_wall=1.0,
    ),
    Kind(
        "bathtub",
        width=(1.4, 1.8),
        depth=(0.7, 0.8),
        height=(0.5, 0.6),
        texture=Texture.PLAIN,
        parts=(
            box(FULL, FULL, (0, 15 * CM)),  # bottom
            box(FULL, (-1, -1 + 7 * CM), (15 * CM, 1)),  # sides
            box(FULL, (1 - 7 * CM, 1), (15 * CM, 1)),
            box((-1, -1 + 10 * CM), (-1 + 7 * CM, 1 - 7 * CM), (15 * CM, 1)),
            box((1 - 10 * CM, 1), (-1 + 7 * CM, 1 - 7 * CM), (15 * CM, 1)),
            box((-0.2, 0.1), (-1 - 2 * CM, -1 + 9 * CM), (20 * CM, 1 + 1 * CM), Paint.OWN, Texture.CLOTH, "towel"),
        ),
        at_wall=1.0,
    ),
    Kind(
        "toilet",
        width=(0.4, 0.45),
        depth=(0.65, 0.75),
        height=(0.75, 0.85),
        texture=Texture.PLAIN,
        parts=(
            box(FULL, (1 - 20 * CM, 1), (35 * CM, 1)),  # tank
            box((-0.5, 0.5), (-0.2, 1 - 2 * CM), (0, 30 * CM)),  # foot
            cylinder((-0.9, 0.9), (-1, 0.6), (30 * CM, 42 * CM)),  # seat
            ellipsoid((-0.7, 0.7), (-0.8, 0.4), (5 * CM, 50 * CM)),  # bowl
        ),
        at_wall=1.0,
    ),
    Kind(  # open on all sides
        "shelves",
        width=(0.8, 2.0),
        depth=(0.4, 0.6),
        height=(1.4, 2.1),
        texture=Texture.PLAIN,
        parts=(
            box(FULL, FULL, (0.3, 0.3 + 3 * CM)),  # boards
            box(FULL, FULL, (0.65, 0.65 + 3 * CM)),
            box(FULL, FULL, (1 - 3 * CM, 1)),
            box((-0.9, 0.2), (-0.8, 0.8), (0.3 + 3 * CM, 0.5), Paint.OWN, Texture.ART, "box"),
            _books((-0.3, 0.8), (-0.7, 0.9), (0.65 + 3 * CM, 0.65 + 30 * CM)),
            box((-0.9, 0.9), (-0.6, 0.8), (0, 0.2), Paint.OWN, Texture.ART, "box"),
        ),
        at_wall=0.9,
    ),
    Kind(
        "refrigerator",
        width=(0.6, 0.8),
        depth=(0.6, 0.7),
        height=(1.4, 1.9),
        texture=Texture.PLAIN,
        parts=(
            _body(front=3 * CM),
            box(FULL, (-1, -1 + 4 * CM), (8 * CM, 0.6)),  # doors
            box(FULL, (-1, -1 + 4 * CM), (0.6 + 1 * CM, 1)),
        ),
        at_wall=1.0,
    ),
    Kind(  # a low cabinet with a television
        "other furniture",
        width=(1.0, 1.8),
        depth=(0.4, 0.5),
        height=(0.4, 0.6),
        texture=Texture.WOOD,
        parts=(
            _body(),
            *_fronts(rows=1, columns=2),
            _screen((-0.7, 0.7), (0.1, 0.1 + 6 * CM), (1 + 6 * CM, 1 + 75 * CM)),
            _screen((-0.2, 0.2), (-0.2, 0.4), (1, 1 + 6 * CM)),  # its foot
        ),
        at_wall=1.0,
    ),
    Kind(  # a pile of three
        "box",
        width=(0.4, 0.7),
        depth=(0.3, 0.7),
        height=(0.4, 1.0),
        texture=Texture.PLAIN,
        parts=(
            box(FULL, FULL, (0, 0.4)),
            box((-0.8, 0.9), (-0.9, 0.6), (0.4, 0.75), Paint.SECOND),
            box((-0.5, 0.6), (-0.3, 0.6), (0.75, 1), Paint.OWN),
        ),
        at_wall=0.4,
    ),
    Kind(
        "lamp",
        width=(0.35, 0.5),
        depth=(0.35, 0.5),
        height=(1.3, 1.8),
        texture=Texture.CLOTH,
        parts=(
            box((-0.6, 0.6), (-0.6, 0.6), (0, 3 * CM), Paint.SECOND, Texture.PLAIN),  # foot
            cylinder((-1.5 * CM, 1.5 * CM), (-1.5 * CM, 1.5 * CM), (0, 1 - 30 * CM), Paint.SECOND, Texture.PLAIN),
            cylinder(FULL, FULL, (1 - 32 * CM, 1)),  # shade
        ),
        at_wall=0.8,
    ),
    Kind(  # a plant in a pot
        "other prop",
        width=(0.3, 0.6),
        depth=(0.3, 0.6),
        height=(0.6, 1.4),
        texture=Texture.PLAIN,
        parts=(
            cylinder((-0.7, 0.7), (-0.7, 0.7), (0, 0.35)),
            ellipsoid(FULL, FULL, (0.3, 1), Paint.OWN, Texture.LEAVES),
        ),
        at_wall=0.6,
    ),
    Kind(
        "bag",
        width=(0.3, 0.8),
        depth=(0.3, 0.8),
        height=(0.3, 0.5),
        texture=Texture.CLOTH,
        parts=(
            ellipsoid(FULL, FULL, (-0.2, 1)),
            ellipsoid((-0.5, 0.3), (-0.4, 0.4), (0.6, 1.15), Paint.OWN),
        ),
        at_wall=0.4,
    ),
)
TABLES = tabulate(KINDS)
