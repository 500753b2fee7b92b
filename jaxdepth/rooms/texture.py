"""Procedural textures: the share of a surface's second colour at a place on it, without aliasing."""

import jax
import jax.numpy as jnp

from jaxdepth.rooms import furniture

# Metres of a cell, the share of surfaces that have such things, and the greatest share of their cells.
_PATCHES = ((0.9, 0.5, 0.5), (0.35, 0.4, 0.4), (0.12, 0.12, 0.4))


def mix(texture, u, v, across, along, *, period, pixel, number):
    """The share of the second colour, and a factor of brightness, [H, W] each.

    Args:
      texture: int [H, W], one of the textures of `jaxdepth.rooms.furniture`.
      u, v: metres on the surface, v up where it stands.
      across, along: the same from -1 to 1 over the face.
      period: metres, the size of the pattern; pixel: metres that a pixel covers; number: of the surface, for variety.
    """
    rough = value_noise(u / period, v / period)
    fine_size = jnp.where(texture == furniture.CLOTH, 0.012, 0.05)
    fine = (value_noise(u / fine_size, v / fine_size) - 0.5) * jnp.minimum(1, fine_size / (2 * pixel))
    # Wood: grain along the longer way of a plank, planks of different brightness with thin gaps.
    plank = jnp.floor(v / 0.14)
    grain = value_noise(u / 0.35 + 7.3 * plank, v / 0.013) - 0.5
    wood = 0.35 + 0.5 * grain * jnp.minimum(1, 0.02 / pixel) + 0.4 * (_hash(plank.astype(jnp.int32), number) - 0.5)
    gap = _lines(v / 0.14, 0.02, pixel / 0.14)
    # Tiles: thin joints, each tile a little different.
    side = jnp.maximum(period, 0.15)
    tile = _hash(jnp.floor(u / side).astype(jnp.int32), jnp.floor(v / side).astype(jnp.int32)) - 0.5
    joints = jnp.maximum(_lines(u / side, 0.02, pixel / side), _lines(v / side, 0.02, pixel / side))
    stripes = 0.5 + 0.5 * _square_wave(u / period, 2 * pixel / period)
    cloth = 0.5 + 0.7 * (rough - 0.5) + 0.6 * fine
    # Pictures, rugs, packages: blots of colour, some in bands, with a border.
    blots = value_noise(3 * across + 11.0 * number, 3 * along) + 0.5 * value_noise(9 * across, 9 * along + number)
    bands = 0.5 + 0.5 * _square_wave(4 * along, 0.05)
    border = jnp.maximum(jnp.abs(across), jnp.abs(along)) > 0.85
    art = jnp.where(border, 0.05, jnp.where(_hash(number, number + 3) < 0.3, bands, jnp.clip(1.4 * blots - 0.6, 0, 1)))
    # Books: spines of random width, height and brightness.
    spine = jnp.floor(u / 0.035)
    row = jnp.floor(v / 0.31)
    of_spine = _hash((spine + 37 * row).astype(jnp.int32), number)
    books = jnp.where(v / 0.31 - row > 0.6 + 0.3 * of_spine, 1.0, of_spine)
    # Windows: bright panes, darker below where ground begins, in a frame with a cross.
    frame = jnp.maximum(
        jnp.maximum(jnp.abs(across), jnp.abs(along)) > 0.9, jnp.minimum(jnp.abs(across), jnp.abs(along)) < 0.05
    )
    panes = jnp.where(frame, 0.7, jnp.clip(0.1 - 0.5 * along * rough, 0, 0.5))
    leaves = value_noise(u / 0.05, v / 0.08) + 0.5 * (value_noise(u / 0.02, v / 0.03) - 0.5)

    def choose(values, otherwise):
        for kind, value in values:
            otherwise = jnp.where(texture == kind, value, otherwise)
        return otherwise

    share = choose(
        (
            (furniture.WOOD, wood),
            (furniture.CLOTH, cloth),
            (furniture.TILES, 0.25 + 0.3 * tile),
            (furniture.STRIPES, stripes),
            (furniture.ART, art),
            (furniture.BOOKS, books),
            (furniture.PANES, panes),
            (furniture.LEAVES, leaves),
        ),
        0.15 * rough,
    )
    dark = choose(((furniture.WOOD, gap), (furniture.TILES, joints)), jnp.zeros_like(u))
    rough_surface = jnp.where(texture == furniture.CLOTH, 0.35, jnp.where(texture == furniture.PLAIN, 0.04, 0.12))
    # Not clipped and multiplied: XLA has a CPU compute an exponential once, and all else anew for each colour channel.
    return jax.nn.sigmoid(6 * share - 3), jnp.exp(rough_surface * fine - 0.7 * dark)


def patches(u, v, *, pixel, number):
    """Flat things on a surface, such as posters, papers and prints: their cover, 0 or 1, and colour, three planes.

    A surface has none of a size, or one in some of its cells. u, v, pixel and number as in `mix`.
    """
    cover, code = jnp.zeros_like(u), number
    for size, having, most in _PATCHES:
        own = number + round(1e5 * size)
        share = jnp.maximum(1 - _hash(own, 0) / having, 0) * most
        x, y = u / size, v / size
        column, row = jnp.floor(x), jnp.floor(y)
        i, j = column.astype(jnp.int32) + 7919 * own, row.astype(jnp.int32)
        # Half sizes of 15 to 48 % of the cell, anywhere in it.
        wide, high = (0.15 + 0.33 * _hash(i + k, j) for k in (1, 2))
        across = jnp.abs(x - column - wide - (1 - 2 * wide) * _hash(i + 3, j))
        along = jnp.abs(y - row - high - (1 - 2 * high) * _hash(i + 4, j))
        there = (across < wide) & (along < high) & (_hash(i, j) < share) & (size > 4 * pixel)
        cover, code = jnp.where(there, 1.0, cover), jnp.where(there, 31 * i + 17 * j, code)
    level, strong = (_hash(code, k) for k in (1, 2))
    level = 0.03 + 0.87 * level**1.5
    return cover, [level * (1 - strong * _hash(code, k)) for k in (3, 4, 5)]


def value_noise(u, v):
    """Smooth noise in [0, 1] with one random value at each integer point of the plane."""
    left, top = jnp.floor(u), jnp.floor(v)
    a, b = u - left, v - top
    a, b = a * a * (3 - 2 * a), b * b * (3 - 2 * b)
    i, j = left.astype(jnp.int32), top.astype(jnp.int32)
    upper = _hash(i, j) * (1 - a) + _hash(i + 1, j) * a
    lower = _hash(i, j + 1) * (1 - a) + _hash(i + 1, j + 1) * a
    return upper * (1 - b) + lower * b


def _hash(i, j):
    """A number in [0, 1) for each pair of integers."""
    i, j = (jnp.asarray(x).astype(jnp.uint32) for x in (i, j))
    h = i * jnp.uint32(0x9E3779B1) ^ j * jnp.uint32(0x85EBCA77)
    h = (h ^ (h >> 15)) * jnp.uint32(0x2C1B3C6D)
    h = (h ^ (h >> 13)) * jnp.uint32(0x297A2D39)
    return (h >> 8).astype(jnp.float32) * 2.0**-24


def _square_wave(x, blur):
    """A wave between -1 and 1 with half-period 1, its edges `blur` wide: blur of a pixel's size prevents aliasing."""
    triangle = 1 - 2 * jnp.abs(x * 0.5 - jnp.floor(x * 0.5) - 0.5)
    return jnp.clip((2 * triangle - 1) / blur, -1, 1)


def _lines(x, width, pixel):
    """1 on lines of `width` at the integers, fading where they are thinner than a pixel; all in periods."""
    near = jnp.abs(x - jnp.round(x))
    return jnp.clip((jnp.maximum(width, pixel) - near) / jnp.maximum(pixel, 1e-6), 0, 1) * jnp.minimum(1, width / pixel)
