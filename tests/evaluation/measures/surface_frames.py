"""Hard frames for the measures of surfaces and points, and their geometry in float64, one pixel at a time."""

import functools
import math

import numpy as np

from jaxdepth import rooms
from jaxdepth.evaluation.measures.frame import ScoredFrame
from jaxdepth.geometry.camera import Intrinsics, nyu_intrinsics

SIZE = (24, 32)
CAMERA = Intrinsics(fx=26.0, fy=25.0, cx=15.25, cy=12.5)
NAMES = ("none", "wall", "chair", "floor", "table", "ceiling")
FRAMES = ("boxes", "holes", "one pixel", "border", "plane", "two planes", "constant", "perfect", "room 1", "room 2")


def ray(i, j, camera=CAMERA):
    """The point at depth 1 that the pixel in row i and column j sees."""
    return np.array([(j - camera.cx) / camera.fx, (i - camera.cy) / camera.fy, 1.0])


def plane_depth(normal, distance, *, size=SIZE, camera=CAMERA):
    """Depth of the plane normal . (X, Y, Z) = distance, float64 [H, W]."""
    return np.array([[distance / (ray(i, j, camera) @ normal) for j in range(size[1])] for i in range(size[0])])


def scored(prediction, truth, *, valid=None, **attributes):
    """A ScoredFrame of depths [H, W] or numbers; truth is valid where it is above 0, or as `valid` says."""
    prediction, truth = (np.array(np.broadcast_to(depth, SIZE), np.float64) for depth in (prediction, truth))
    valid = truth > 0 if valid is None else valid
    return ScoredFrame(prediction, np.where(valid, truth, 0), valid, **{"camera": CAMERA, "seed": 7} | attributes)


@functools.cache
def hard_frame(name):
    """The frame of a name of FRAMES."""
    if name.startswith("room"):
        return room(int(name.split()[1]))
    rng = np.random.default_rng(FRAMES.index(name))
    truth, labels = boxes(rng)
    prediction = np.clip(1.05 * boxes(rng)[0] * np.exp(0.05 * rng.standard_normal(SIZE)), 0.001, 10)
    valid = np.ones(SIZE, bool)
    if name == "holes":
        valid = rng.random(SIZE) > 0.01
        valid[3:9, 20:26] = False
    elif name == "one pixel":
        valid = np.zeros(SIZE, bool)
        valid[8, 12] = True
    elif name == "border":
        truth[0], truth[:, -1], truth[-2:] = 1.0, 6.0, 9.0
        prediction[:2], prediction[:, 0] = 7.0, 0.5
        labels[0], labels[:, -1], labels[-2:] = 2, 2, 2
    elif name == "plane":
        truth, labels = plane_depth((0.4, -0.3, 0.8), 2.0), np.full(SIZE, 1, np.uint16)
    elif name == "two planes":
        sides = plane_depth((0.6, 0.0, 0.8), 2.5), plane_depth((-0.6, 0.1, 0.8), 2.0)
        truth, labels = np.maximum(*sides), np.where(sides[0] > sides[1], 1, 3).astype(np.uint16)
    elif name == "constant":
        prediction[:] = 2.5
    elif name == "perfect":
        prediction = truth.copy()
    return scored(prediction, truth, valid=valid, labels=labels, label_names=NAMES, seed=int(rng.integers(1 << 30)))


def boxes(rng):
    """Depth of a floor and a wall with boxes and noise, and its labels."""
    depth, labels = plane_depth((0.0, 0.8, 0.6), 1.5), np.full(SIZE, 3, np.uint16)
    depth[:15], labels[:15] = plane_depth((0.2, 0.0, 1.0), 4.0)[:15], 1
    for label in (1, 2, 3, 4, 0):
        top, left = rng.integers(0, SIZE[0] - 8), rng.integers(0, SIZE[1] - 8)
        there = np.s_[top : top + rng.integers(4, 12), left : left + rng.integers(4, 12)]
        depth[there], labels[there] = depth[there] * rng.uniform(0.4, 1.2), label
    return depth * np.exp(0.003 * rng.standard_normal(SIZE)), labels


@functools.cache
def room(index):
    """A rendered room; its prediction is blurred and too far. Odd ones have a sensor's steps and holes in the truth."""
    size = (48, 64)
    frame = {name: np.asarray(value)[0] for name, value in rooms.frames(5, index, 1, size=size).items()}
    truth, camera = np.float64(frame["depth"]), nyu_intrinsics(size)
    if index % 2:
        truth = 348 / np.round(348 / truth) * (np.random.default_rng(index).random(size) > 0.005)
    blurred = np.where(truth > 0, truth, 3.0)
    for axis in (0, 1, 0, 1):
        blurred = (np.roll(blurred, 1, axis) + 2 * blurred + np.roll(blurred, -1, axis)) / 4
    labels = frame["label"].astype(np.uint16)
    return ScoredFrame(1.1 * blurred**1.05, truth, truth > 0, camera, labels, rooms.LABELS, seed=index)


def angle(a, b):
    """Degrees between two vectors, from the chord between unit vectors; exact where they are nearly the same."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return math.degrees(2 * math.asin(min(np.linalg.norm(a - b) / 2, 1.0)))
