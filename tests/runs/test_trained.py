"""The network that comes with the package: what it says has not drifted, and is worth something.

After shipping another one: `python tests/test_trained.py` writes anew what it says of some rooms.
"""

import pathlib

import numpy as np
import pytest
from PIL import Image

import jaxdepth
from jaxdepth import predict, rooms
from jaxdepth.data import splits
from jaxdepth.runs import packed

SAID = pathlib.Path(__file__).with_name("trained_outputs.npy")  # float16 [4, H, W], metres


@pytest.fixture(scope="module")
def trained():
    return jaxdepth.load()


def seen(trained):
    """The depth [4, H, W] that the network sees in four rooms."""
    frames = rooms.frames(0, 0, count=4, size=trained.frame_size)
    return np.stack([trained.predict(image) for image in frames["image"]])


def delta1(depth, truth):
    return (np.maximum(depth / truth, truth / depth) < 1.25).mean()


def test_its_depth_of_rendered_rooms_has_not_drifted(trained):
    error = np.abs(np.log(seen(trained) / np.load(SAID).astype(np.float32)))
    assert np.median(error) < 2e-3 and error.mean() < 1e-2  # compilers round, and an edge may move by a pixel


def test_it_is_small_and_its_card_is_with_it():
    assert (predict.PACKAGED / packed.FILE).stat().st_size < 15e6
    card = (predict.PACKAGED / "README.md").read_text()
    assert "research" in card and "eigen_crop" in card


def test_its_accuracy_on_real_frames(trained, nyu_frames):
    found = []
    for i in splits.nyu_lists()["dev"][1][::9]:
        code = np.asarray(Image.open(nyu_frames / "depths" / f"{i:04d}.png").resize((640, 480), 0))
        depth = trained.predict(nyu_frames / "images" / f"{i:04d}.jpg")
        truth = (code.astype(np.float64) + 0.5) * 9.99547 / 255
        found.append(delta1(depth[45:471, 41:601], truth[45:471, 41:601]))
    assert np.mean(found) > 0.7  # it was trained on these: a check of the file, not of the network


if __name__ == "__main__":
    np.save(SAID, seen(jaxdepth.load()).astype(np.float16))
