"""The vocabulary of furniture: lengths, parts, kinds, and their tables as arrays.

A piece of furniture has a frame of its own. x runs along its width and y along its depth, each from -1 to 1, with the
back at y = 1. z runs upwards from 0 on the floor to 1 at the piece's height. A bound of a part is a number in these
units, or a number plus a fixed length: `1 - 4 * CM` is 4 cm before the end, however large the piece is.
"""

import dataclasses
import enum
from functools import partial
from typing import NamedTuple

import numpy as np

from jaxdepth.rooms.labels import label_index
from jaxdepth.rooms.texture import Texture

BOXES, ROUNDS = 6, 2  # the most boxes and round parts of one piece
PARTS = BOXES + ROUNDS


@dataclasses.dataclass(frozen=True)
class Length:
    """A length that grows with the piece, plus a fixed one.

    Attributes:
      relative: in half widths (x), half depths (y) or heights (z) of the piece.
      metres: the fixed length.
    """

    relative: float = 0.0
    metres: float = 0.0

    def __add__(self, other):
        other = as_length(other)
        return Length(self.relative + other.relative, self.metres + other.metres)

    def __sub__(self, other):
        return self + -1 * as_length(other)

    def __mul__(self, factor):
        return Length(self.relative * factor, self.metres * factor)

    def __truediv__(self, divisor):
        return Length(self.relative / divisor, self.metres / divisor)

    def __rsub__(self, other):
        return as_length(other) - self

    __radd__ = __add__
    __rmul__ = __mul__


CM = Length(metres=0.01)

Bound = float | Length
Interval = tuple[Bound, Bound]


def as_length(bound: Bound) -> Length:
    """A bound as a Length; a plain number is relative."""
    return bound if isinstance(bound, Length) else Length(relative=bound)


class Shape(enum.Enum):
    """The body that fills the bounds of a part."""

    BOX = enum.auto()
    CYLINDER = enum.auto()  # upright, elliptic
    ELLIPSOID = enum.auto()


class Paint(enum.IntEnum):
    """Where a part takes its colour from."""

    MAIN = 0  # the first colour of its piece
    SECOND = 1  # the second colour of its piece
    OWN = 2  # a colour that no other part has


class Part(NamedTuple):
    """One body of a piece of furniture.

    Attributes:
      shape: the body.
      x: from and to, along the width.
      y: from and to, along the depth.
      z: from and to, upwards.
      paint: where its colour comes from.
      texture: None takes the piece's.
      label: None takes the piece's.
    """

    shape: Shape
    x: Interval
    y: Interval
    z: Interval
    paint: Paint = Paint.MAIN
    texture: Texture | None = None
    label: str | None = None


box = partial(Part, Shape.BOX)
cylinder = partial(Part, Shape.CYLINDER)
ellipsoid = partial(Part, Shape.ELLIPSOID)


class Kind(NamedTuple):
    """A kind of furniture; the pieces of a kind differ in size, texture and colour.

    Attributes:
      label: a name in LABELS.
      width: least and greatest, metres.
      depth: least and greatest, metres.
      height: least and greatest, metres.
      texture: of all parts without one of their own.
      parts: at most BOXES boxes and ROUNDS round parts. Parts must not share a face, which would flicker.
      holds_things: whether small things may lie on it, at its height.
      at_wall: the probability that its back is to a wall.
    """

    label: str
    width: tuple[float, float]
    depth: tuple[float, float]
    height: tuple[float, float]
    texture: Texture
    parts: tuple[Part, ...]
    holds_things: bool = False
    at_wall: float = 0.7


class Tables(NamedTuple):
    """K kinds of furniture as arrays. The slots of a piece are BOXES boxes, then ROUNDS round parts.

    A bound of a part in metres is `relative` times the half width, half depth or height of the piece, plus `metres`.
    """

    least: np.ndarray  # [K, 3] width, depth, height in metres
    greatest: np.ndarray  # [K, 3]
    at_wall: np.ndarray  # [K]
    holds_things: np.ndarray  # [K] bool
    relative: np.ndarray  # [K, PARTS, 3, 2] from and to, of x, y and z
    metres: np.ndarray  # [K, PARTS, 3, 2]
    present: np.ndarray  # [K, PARTS] bool; False in a slot without a part
    ellipsoid: np.ndarray  # [K, PARTS] bool; a round part without it is a cylinder
    paint: np.ndarray  # [K, PARTS] values of Paint
    texture: np.ndarray  # [K, PARTS] values of Texture
    label: np.ndarray  # [K, PARTS] indices in LABELS


def tabulate(kinds: tuple[Kind, ...]) -> Tables:
    """Kinds of furniture as arrays.

    Raises:
      ValueError: if a kind has too many parts or an unknown label.
    """
    slots = len(kinds), PARTS
    tables = Tables(
        least=np.array([(kind.width[0], kind.depth[0], kind.height[0]) for kind in kinds], np.float32),
        greatest=np.array([(kind.width[1], kind.depth[1], kind.height[1]) for kind in kinds], np.float32),
        at_wall=np.array([kind.at_wall for kind in kinds], np.float32),
        holds_things=np.array([kind.holds_things for kind in kinds]),
        relative=np.zeros((*slots, 3, 2), np.float32),
        metres=np.zeros((*slots, 3, 2), np.float32),
        present=np.zeros(slots, bool),
        ellipsoid=np.zeros(slots, bool),
        paint=np.zeros(slots, int),
        texture=np.zeros(slots, int),
        label=np.zeros(slots, int),
    )
    for k, kind in enumerate(kinds):
        for slot, part in _slots(kind):
            bounds = [[as_length(bound) for bound in interval] for interval in (part.x, part.y, part.z)]
            tables.relative[k, slot] = [[bound.relative for bound in interval] for interval in bounds]
            tables.metres[k, slot] = [[bound.metres for bound in interval] for interval in bounds]
            tables.present[k, slot] = True
            tables.ellipsoid[k, slot] = part.shape is Shape.ELLIPSOID
            tables.paint[k, slot] = part.paint
            tables.texture[k, slot] = kind.texture if part.texture is None else part.texture
            tables.label[k, slot] = label_index(part.label or kind.label)
    return tables


def _slots(kind):
    """(slot, part) for each part of a kind: boxes from slot 0, round parts from slot BOXES."""
    boxes = [part for part in kind.parts if part.shape is Shape.BOX]
    rounds = [part for part in kind.parts if part.shape is not Shape.BOX]
    if len(boxes) > BOXES or len(rounds) > ROUNDS:
        raise ValueError(
            f"furniture {kind.label!r} has {len(boxes)} boxes and {len(rounds)} round parts: "
            f"expected at most {BOXES} and {ROUNDS}"
        )
    return [*enumerate(boxes), *enumerate(rounds, start=BOXES)]
