"""The feature probe: what it shows of a trained network."""

import jax
import numpy as np
import pytest
import small
from PIL import Image

from jaxdepth.data.files import pictures
from jaxdepth.errors import InputError
from jaxdepth.geometry.framing import centre_crop
from jaxdepth.output import figures
from jaxdepth.runs import workdir
from jaxdepth.runs.record import RunRecord
from jaxdepth.studies import probe
from jaxdepth.training import setup, sharding
from jaxdepth.training.checkpoint import Checkpoints

NAMES = {"coarse/conv1", "coarse/full6", "coarse/map", "fine/conv1", "fine/joined", "fine/map"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The workdir of an `eigen` network with random weights, the network, and its variables."""
    folder = tmp_path_factory.mktemp("run")
    settings = small.settings(None, name="eigen")
    network, size = small.eigens("eigen"), small.EIGENS_SIZE
    made = setup.make(settings, network, sharding.make_mesh(), steps=10)
    train_state = made.create_state(small.log_depth(size))
    mean_depth = np.full(settings.data.frame_size, 2.5, np.float32)
    workdir.open_run(folder, RunRecord(settings.to_dict()), at_step=None, compute_mean_depth=lambda: mean_depth)
    with Checkpoints(folder / "checkpoints") as checkpoints:
        checkpoints.save(train_state)
    return folder, network, train_state.variables


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("picture") / "desk.png"
    means = np.random.default_rng(0).integers(4, 252, (72, 88, 3))
    checks = 4 * (-1) ** np.add.outer(np.arange(144), np.arange(176))  # the mean of 2x2 pixels removes them
    Image.fromarray(np.uint8(means.repeat(2, 0).repeat(2, 1) + checks[..., None])).save(path)
    return path


def test_grids_and_the_depth_of_each_output_are_those_of_the_network(run, picture, monkeypatch):
    folder, network, variables = run
    shown = {}
    features, panel = figures.features, figures.panel
    monkeypatch.setattr(
        figures, "features", lambda path, array, **k: (shown.update({path.name: array}), features(path, array, **k))
    )
    monkeypatch.setattr(figures, "panel", lambda path, x, maps, **k: (shown.update(maps), panel(path, x, maps, **k)))
    inside, paths = probe.probe(folder, picture, names=("coarse/conv1", "coarse/full6", "coarse/map"))
    assert set(inside) >= NAMES and inside["coarse/conv1"] == (7, 9, 3)
    assert [path.relative_to(folder).as_posix() for path in paths] == [
        f"probe/desk/{name}.png" for name in ("depth", "coarse-conv1", "coarse-full6", "coarse-map")
    ]
    assert all(pictures.read(path).pixels.shape[1] > 100 for path in paths)

    image = np.float32(pictures.read(picture).pixels)
    frame = image.reshape(72, 2, 88, 2, 3).mean((1, 3))  # what a camera of half the pixels would see
    crop, _ = centre_crop(frame, frame[..., 0], crop_size=small.EIGENS_SIZE)
    _, expected = jax.jit(network.apply)(variables, crop[None] / 255)
    np.testing.assert_allclose(shown["coarse-conv1.png"], expected["coarse/conv1"][0], atol=1e-4)
    np.testing.assert_allclose(shown["coarse"], np.exp(expected["coarse"]), atol=1e-4)
    np.testing.assert_allclose(shown["fine"], np.exp(expected["fine"]), atol=1e-4)


def test_all_shows_every_intermediate(run, picture, tmp_path):
    inside, paths = probe.probe(run[0], picture, names=("all",), channels=2, output=tmp_path / "out")
    assert {path.name for path in paths} == {"depth.png", *(f"{name.replace('/', '-')}.png" for name in inside)}
    assert {path.parent for path in paths} == {tmp_path / "out"}
    (tmp_path / "out/depth.png").write_text("mine")
    with pytest.raises(FileExistsError, match="out/depth.png' is there and no result of ours"):
        probe.probe(run[0], picture, output=tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(names=("coarse/conv9",)), "intermediate 'coarse/conv9': expected one of coarse/conv1, "),
        (dict(channels=0), "channels=0: expected 1 or more"),
        (dict(step=3), "no checkpoint"),
        (dict(folder="/nowhere"), "workdir '/nowhere' has no config.json"),
        (dict(picture="/nowhere.png"), "No such file.*nowhere.png"),
    ],
)
def test_bad_arguments_are_errors_and_write_nothing(run, picture, tmp_path, change, message):
    arguments = dict(folder=run[0], picture=picture, output=tmp_path / "out") | change
    with pytest.raises((InputError, OSError), match=message):
        probe.probe(**arguments)
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_a_picture(run, picture, tmp_path):
    (tmp_path / "note.txt").write_text("not a picture")
    (tmp_path / "half.png").write_bytes(picture.read_bytes()[:2000])
    for name in ("note.txt", "half.png"):
        with pytest.raises(InputError, match=f"{name}': not a picture"):
            probe.probe(run[0], tmp_path / name)
    Image.fromarray(np.full((9, 9), 0.5, np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(InputError, match="float.tiff': a picture of mode F: expected channels of 8 or 16 bits"):
        probe.probe(run[0], tmp_path / "float.tiff")
