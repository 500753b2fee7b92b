"""The network that comes with the package: its predictions have not drifted, and it is accurate.

After shipping another network, `python tests/runs/test_trained.py` writes the expected predictions again.
"""

import pathlib

import numpy as np
import pytest
import small
from PIL import Image

import jaxdepth
from jaxdepth import config, models, paths, rooms
from jaxdepth.data import splits
from jaxdepth.runs import lineage, packed
from jaxdepth.training import state

EXPECTED = pathlib.Path(__file__).with_name("trained_outputs.npy")  # float16 [4, H, W], metres


@pytest.fixture(scope="module")
def trained():
    return jaxdepth.load()


def predictions(trained):
    """The network's depth of four rooms, every second pixel: [4, H, W]."""
    frames = rooms.frames(0, 0, count=4, size=trained.framing.frame_size)
    return np.stack([trained.predict(image).depth for image in frames["image"]])[:, ::2, ::2]


def delta1(depth, truth):
    return (np.maximum(depth / truth, truth / depth) < 1.25).mean()


def test_its_depth_of_rendered_rooms_has_not_drifted(trained):
    error = np.abs(np.log(predictions(trained) / np.load(EXPECTED).astype(np.float32)))
    assert np.median(error) < 2e-3 and error.mean() < 1e-2  # compilers round, and an edge may move by a pixel


def test_it_is_small_and_has_a_model_card():
    assert (paths.network_folder("package") / packed.FILE).stat().st_size < 20e6
    card = (paths.network_folder("package") / "README.md").read_text()
    assert "research" in card and "eigen_crop" in card


def test_fine_tuning_takes_all_of_it():
    settings = config.load(small.CONFIGS / "best.py", "finetune")
    assert settings.init_from == "package" and lineage.of_init("nowhere", "package")[-1].source == "nyu"
    network = models.build(**settings.model.to_dict())
    shapes = state.shapes(network, tuple(settings.data.crop_size))
    packed.read(paths.network_folder(settings.init_from), shapes)  # raises for any other name or shape


def test_its_accuracy_on_real_frames(trained, nyu_frames):
    found = []
    for i in splits.nyu_lists()["dev"][1][::9]:
        code = np.asarray(Image.open(nyu_frames / "depths" / f"{i:04d}.png").resize((640, 480), 0))
        depth = trained.predict(nyu_frames / "images" / f"{i:04d}.jpg").depth
        truth = (code.astype(np.float64) + 0.5) * 9.99547 / 255
        found.append(delta1(depth[45:471, 41:601], truth[45:471, 41:601]))
    assert np.mean(found) > 0.9  # it was trained on these frames: this checks the file, not the network


if __name__ == "__main__":
    np.save(EXPECTED, predictions(jaxdepth.load()).astype(np.float16))
