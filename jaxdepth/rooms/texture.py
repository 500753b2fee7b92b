"""Procedural textures without aliasing: patterns of two colours, and patches such as posters and papers."""

import enum

import jax
import jax.numpy as jnp


class Texture(enum.IntEnum):
    """The patterns that `pattern` knows."""

    PLAIN = 0
    WOOD = 1  # planks with grain
    CLOTH = 2
    TILES = 3
    STRIPES = 4
    ART = 5  # blots or bands of colour in a border: pictures, rugs, packages
    BOOKS = 6  # rows of spines
    PANES = 7  # a window
    LEAVES = 8


_PLANK = 0.14  # metres, the height of a plank
_SPINE, _BOOK_ROW = 0.035, 0.31  # metres, the width of a book's spine and the height of a row of books
# Patches: the size of a cell in metres, the share of surfaces with such patches, the largest share of their cells.
_PATCHES = ((0.9, 0.5, 0.5), (0.35, 0.4, 0.4), (0.12, 0.12, 0.4))


def pattern(texture, u, v, across, along, *, period, pixel, number):
    """Evaluates the textures of surfaces.

    Args:
      texture: int [H, W], values of Texture.
      u: [H, W], metres along the surface, horizontal on an upright one.
      v: [H, W], metres along the surface, upward on an upright one.
      across: [H, W], the same as u from -1 to 1 over the face.
      along: [H, W], the same as v from -1 to 1 over the face.
      period: [H, W], metres, the size of the pattern.
      pixel: [H, W], metres that a pixel covers.
      number: int [H, W], random number of the surface; gives surfaces of one texture different patterns.

    Returns:
      share: [H, W], the weight of the surface's second colour, in (0, 1).
      brightness: [H, W], a factor for both colours.
    """
    rough = value_noise(u / period, v / period)
    fine_size = jnp.where(texture == Texture.CLOTH, 0.012, 0.05)
    fine = (value_noise(u / fine_size, v / fine_size) - 0.5) * jnp.minimum(1, fine_size / (2 * pixel))
    wood, gaps = _wood(u, v, pixel, number)
    tiles, joints = _tiles(u, v, period, pixel)
    shares = {
        Texture.WOOD: wood,
        Texture.CLOTH: 0.5 + 0.7 * (rough - 0.5) + 0.6 * fine,
        Texture.TILES: tiles,
        Texture.STRIPES: 0.5 + 0.5 * _square_wave(u / period, 2 * pixel / period),
        Texture.ART: _art(across, along, number),
        Texture.BOOKS: _books(u, v, number),
        Texture.PANES: _panes(across, along, rough),
        Texture.LEAVES: value_noise(u / 0.05, v / 0.08) + 0.5 * (value_noise(u / 0.02, v / 0.03) - 0.5),
    }
    share = _select(texture, shares, otherwise=0.15 * rough)
    dark = _select(texture, {Texture.WOOD: gaps, Texture.TILES: joints}, otherwise=jnp.zeros_like(u))
    contrast = jnp.where(texture == Texture.CLOTH, 0.35, jnp.where(texture == Texture.PLAIN, 0.04, 0.12))
    # A sigmoid and an exponential, where clipping and a product would do: XLA on a CPU computes an exponential once,
    # but all that leads to a product again for each colour channel.
    return jax.nn.sigmoid(6 * share - 3), jnp.exp(contrast * fine - 0.7 * dark)


def _select(texture, values, *, otherwise):
    """The value of each pixel's texture, from a dict of textures and arrays."""
    for kind, value in values.items():
        otherwise = jnp.where(texture == kind, value, otherwise)
    return otherwise


def _wood(u, v, pixel, number):
    """Planks of different brightness with grain along u; and the thin gaps between them."""
    plank = jnp.floor(v / _PLANK)
    grain = value_noise(u / 0.35 + 7.3 * plank, v / 0.013) - 0.5
    wood = 0.35 + 0.5 * grain * jnp.minimum(1, 0.02 / pixel) + 0.4 * (_hash(plank.astype(jnp.int32), number) - 0.5)
    return wood, _lines(v / _PLANK, 0.02, pixel / _PLANK)


def _tiles(u, v, period, pixel):
    """Square tiles of slightly different brightness; and the thin joints between them."""
    side = jnp.maximum(period, 0.15)
    tile = _hash(jnp.floor(u / side).astype(jnp.int32), jnp.floor(v / side).astype(jnp.int32)) - 0.5
    joints = jnp.maximum(_lines(u / side, 0.02, pixel / side), _lines(v / side, 0.02, pixel / side))
    return 0.25 + 0.3 * tile, joints


def _art(across, along, number):
    """Blots of colour, on some surfaces bands, in a border."""
    blots = value_noise(3 * across + 11.0 * number, 3 * along) + 0.5 * value_noise(9 * across, 9 * along + number)
    bands = 0.5 + 0.5 * _square_wave(4 * along, 0.05)
    border = jnp.maximum(jnp.abs(across), jnp.abs(along)) > 0.85
    inside = jnp.where(_hash(number, number + 3) < 0.3, bands, jnp.clip(1.4 * blots - 0.6, 0, 1))
    return jnp.where(border, 0.05, inside)


def _books(u, v, number):
    """Rows of spines of random height and brightness."""
    spine, row = jnp.floor(u / _SPINE), jnp.floor(v / _BOOK_ROW)
    random = _hash((spine + 37 * row).astype(jnp.int32), number)
    return jnp.where(v / _BOOK_ROW - row > 0.6 + 0.3 * random, 1.0, random)


def _panes(across, along, rough):
    """Bright panes, darker towards the ground below, in a frame with a cross."""
    rim = jnp.maximum(jnp.abs(across), jnp.abs(along)) > 0.9
    cross = jnp.minimum(jnp.abs(across), jnp.abs(along)) < 0.05
    return jnp.where(jnp.maximum(rim, cross), 0.7, jnp.clip(0.1 - 0.5 * along * rough, 0, 0.5))


def patches(u, v, *, pixel, number):
    """Flat patches on a surface, such as posters, papers and prints.

    A plane is divided into square cells of a few sizes. Some surfaces have patches of a size, one each in some cells.

    Args:
      u: [H, W], metres along the surface.
      v: [H, W], metres along the surface.
      pixel: metres that a pixel covers; patches of a few pixels are left out, because they would flicker.
      number: int [H, W], random number of the surface.

    Returns:
      cover: [H, W], 1 on a patch, else 0.
      colour: three planes [H, W] in [0, 1].
    """

    def add(code, kind):
        size, salt, surfaces, most_cells = kind
        own = number + salt
        share = jnp.maximum(1 - _hash(own, 0) / surfaces, 0) * most_cells
        x, y = u / size, v / size
        column, row = jnp.floor(x), jnp.floor(y)
        i, j = column.astype(jnp.int32) + 7919 * own, row.astype(jnp.int32)
        # The half size is 15 to 48 % of the cell, and the patch lies anywhere in it.
        wide, high = (0.15 + 0.33 * _hash(i + k, j) for k in (1, 2))
        across = jnp.abs(x - column - wide - (1 - 2 * wide) * _hash(i + 3, j))
        along = jnp.abs(y - row - high - (1 - 2 * high) * _hash(i + 4, j))
        inside = (across < wide) & (along < high) & (_hash(i, j) < share) & (size > 4 * pixel)
        return jnp.where(inside, 31 * i + 17 * j, code), None

    sizes, surfaces, most_cells = (jnp.array(values) for values in zip(*_PATCHES, strict=True))
    salts = jnp.array([round(1e5 * size) for size, *_ in _PATCHES])
    none = jnp.iinfo(jnp.int32).min
    # In a loop that carries one array: all that needs the code would compute it again, see `pattern`.
    code = jax.lax.scan(add, jnp.full(u.shape, none), (sizes, salts, surfaces, most_cells))[0]
    level, strong = (_hash(code, k) for k in (1, 2))
    level = 0.03 + 0.87 * level**1.5
    return jnp.where(code == none, 0.0, 1.0), [level * (1 - strong * _hash(code, k)) for k in (3, 4, 5)]


def value_noise(u, v):
    """Smooth noise in [0, 1]: random values at the integer points of the plane, interpolated."""
    left, top = jnp.floor(u), jnp.floor(v)
    a, b = u - left, v - top
    a, b = a * a * (3 - 2 * a), b * b * (3 - 2 * b)
    i, j = left.astype(jnp.int32), top.astype(jnp.int32)
    upper = _hash(i, j) * (1 - a) + _hash(i + 1, j) * a
    lower = _hash(i, j + 1) * (1 - a) + _hash(i + 1, j + 1) * a
    return upper * (1 - b) + lower * b


def _hash(i, j):
    """A random number in [0, 1) for each pair of integers."""
    i, j = (jnp.asarray(x).astype(jnp.uint32) for x in (i, j))
    h = i * jnp.uint32(0x9E3779B1) ^ j * jnp.uint32(0x85EBCA77)
    h = (h ^ (h >> 15)) * jnp.uint32(0x2C1B3C6D)
    h = (h ^ (h >> 13)) * jnp.uint32(0x297A2D39)
    return (h >> 8).astype(jnp.float32) * 2.0**-24


def _square_wave(x, blur):
    """A wave between -1 and 1 with half-period 1 and edges `blur` wide; blur of a pixel's size prevents aliasing."""
    triangle = 1 - 2 * jnp.abs(x * 0.5 - jnp.floor(x * 0.5) - 0.5)
    return jnp.clip((2 * triangle - 1) / blur, -1, 1)


def _lines(x, width, pixel):
    """1 on lines of `width` at the integers, fainter where a line is thinner than a pixel; all in periods."""
    near = jnp.abs(x - jnp.round(x))
    return jnp.clip((jnp.maximum(width, pixel) - near) / jnp.maximum(pixel, 1e-6), 0, 1) * jnp.minimum(1, width / pixel)
