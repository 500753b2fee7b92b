"""Exports: equal to the network, described, loaded by the lines in the docs, and refused in one line."""

import json
import re
import resource
import zipfile

import jax.numpy as jnp
import numpy as np
import onnx
import pytest
import small
from PIL import Image

import jaxdepth
from jaxdepth import export, models
from jaxdepth.errors import InputError
from jaxdepth.export import attached, check, onnx_format, program, stablehlo, tensorflow_formats
from jaxdepth.models import conv

FILES = {
    "stablehlo": "depth.stablehlo",
    "saved_model": "depth_model",
    "tflite": "depth.tflite",
    "onnx": "depth.onnx",
}
DOCS = (small.ROOT / "docs" / "export.md").read_text()
LOADS = {
    "stablehlo": stablehlo.load,
    "saved_model": tensorflow_formats.load_saved_model,
    "tflite": tensorflow_formats.load_tflite,
    "onnx": onnx_format.load,
}


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    """A network whose crop is its frame."""
    return jaxdepth.load(small.random_run(tmp_path_factory.mktemp("run"), **{"data.frame_size": small.SIZE}))


@pytest.fixture(scope="module", params=FILES)
def exported(request, predictor, tmp_path_factory):
    """(format, file, Report) of each format."""
    output = tmp_path_factory.mktemp("exported") / FILES[request.param]
    return request.param, output, export.export(predictor, output, format=request.param)


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def description(format, output):
    if format == "saved_model":
        return json.loads((output / "assets.extra" / "network.json").read_text())
    if format == "onnx":
        (prop,) = onnx.load(output).metadata_props
        return json.loads(prop.value)
    with zipfile.ZipFile(output) as archive:
        return json.loads(archive.read("network.json"))


def test_an_export_equals_the_network_and_says_what_it_is(exported, predictor):
    format, output, report = exported
    assert report.difference < 1e-4 and report.milliseconds > 0 and report.own_milliseconds > 0
    assert report.size == sum(file.stat().st_size for file in (output, *output.rglob("*")) if file.is_file())
    batch = 1 if format in ("tflite", "onnx") else 3
    image = np.random.default_rng(1).random((batch, *small.SIZE, 3), np.float32)
    metres = LOADS[format](output)(image)
    expected = np.exp(predictor.log_depths(image)[predictor.groups[0]])
    np.testing.assert_allclose(metres, expected, rtol=1e-4)
    about = description(format, output)
    assert about["outputs"] == ["fusion"] and about["flip"] == "none" and about["depth_range"] == [0.001, 10.0]
    assert about["input"]["shape"] == [1 if batch == 1 else None, *small.SIZE, 3]
    assert about["camera"] == pytest.approx(predictor.framing.camera._asdict())
    assert about["frame_size"] == about["crop_size"] == list(small.SIZE)


def test_the_lines_of_the_docs_give_what_predict_gives(exported, predictor, tmp_path, monkeypatch):
    format, output, _ = exported
    blocks = [part.partition("```")[0] for part in DOCS.split("```python\n")[1:]]
    (load,) = [block for block in blocks if f'"{FILES[format]}' in block]
    assert len([line for line in (load + blocks[-1]).splitlines() if line]) <= 14
    for size in ((60, 50), (20, 70), (12, 16)):
        Image.fromarray(noise(*size)).save(tmp_path / "photo.png")
        monkeypatch.chdir(output.parent)
        names = {}
        exec(load + blocks[-1].replace("photo.jpg", str(tmp_path / "photo.png")), names)
        np.testing.assert_allclose(names["metres"], predictor.predict(noise(*size)).depth, rtol=2e-4)


def test_all_outputs_and_who_averages_with_the_mirror_image(predictor):
    image = np.random.default_rng(1).random((2, *small.SIZE, 3), np.float32)
    every = program.build(predictor, outputs="all", flip="outside")
    plain = np.asarray(every.metres(every.variables, image))
    expected = predictor.log_depths(image)
    assert every.outputs == tuple(expected) and plain.shape == (2, len(expected), *small.SIZE)
    for i, name in enumerate(every.outputs):
        np.testing.assert_allclose(plain[:, i], np.exp(expected[name]), rtol=1e-5)
    inside = program.build(predictor, flip="inside")
    mirrored = np.asarray(every.metres(every.variables, image[:, :, ::-1]))[:, 0, :, ::-1]
    averaged = np.sqrt(plain[:, 0] * mirrored)
    np.testing.assert_allclose(inside.metres(inside.variables, image), averaged, rtol=1e-5)
    outside = check.Exported(predictor.trained, lambda x: np.asarray(every.metres(every.variables, x)), "outside")
    np.testing.assert_allclose(np.exp(outside.log_depths(image)["fusion"]), averaged, rtol=1e-5)


@pytest.mark.parametrize("dtype", [pytest.param("float16", marks=pytest.mark.slow), "int8"])
def test_fewer_bits_are_scored_beside_the_network(predictor, dtype, tmp_path):
    for part in ("images", "depths"):
        (tmp_path / "own" / part).mkdir(parents=True)
    for i in range(5):
        Image.fromarray(noise(*small.SIZE)).save(tmp_path / f"own/images/{i}.png")
        np.save(tmp_path / f"own/depths/{i}.npy", np.full(small.SIZE, 2 + i / 4, np.float32))
    frames = dict(source="folder", path=str(tmp_path / "own"), split="all")
    report = export.export(predictor, tmp_path / "a.tflite", format="tflite", dtype=dtype, **frames)
    assert 0 < report.difference < 0.1 and report.frames == 5
    for name in check.METRICS:
        assert report.scores[name] == pytest.approx(report.own_scores[name], abs=0.02)
    assert report.scores != report.own_scores
    with zipfile.ZipFile(tmp_path / "a.tflite") as archive:
        assert json.loads(archive.read("network.json"))["dtype"] == dtype


def test_without_a_source_float16_is_scored_on_rooms(predictor, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    made = {"image": rng.integers(0, 256, (32, *small.SIZE, 3), np.uint8)}
    made["depth"] = rng.uniform(0, 11, (32, *small.SIZE)).astype(np.float32)  # some beyond 10 m
    monkeypatch.setattr(check.rooms, "frames", lambda seed, start, count, size, sensor: made)
    report = export.export(predictor, tmp_path / "a.tflite", format="tflite", dtype="float16")
    assert report.frames == 32
    expected = []
    for image, truth in zip(made["image"], made["depth"], strict=True):
        metres = np.exp(np.asarray(predictor.log_depths(np.float32(image[None]) / 255)["fusion"], np.float64)[0])
        seen = (truth > 0) & (truth <= 10)
        ratio = metres[seen] / truth[seen]
        expected.append([((ratio < 1.25) & (ratio > 0.8)).mean(), np.abs(ratio - 1).mean()])
    delta1, abs_rel = np.mean(expected, 0)
    assert report.own_scores == pytest.approx({"delta1": delta1, "abs_rel": abs_rel}, rel=1e-3)
    assert report.scores == pytest.approx(report.own_scores, rel=0.02)


def test_a_program_that_differs_is_not_written(predictor, tmp_path, monkeypatch):
    monkeypatch.setattr(stablehlo, "load", lambda path: lambda image: np.full(image.shape[:3], 2.0))
    with pytest.raises(InputError, match=r"stablehlo differs from the network by .*: expected 0.0001 at most"):
        export.export(predictor, tmp_path / "a", format="stablehlo")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["eigen", "residual_coarse", "autoencoder"])
@pytest.mark.parametrize("any_batch", [True, False])
def test_the_other_networks_have_programs_of_any_batch_and_for_tflite(name, any_batch):
    network = small.eigens(name)
    variables = small.fresh(network, small.EIGENS_SIZE)

    def metres(variables, image):
        with conv.xla_gradients():
            return jnp.exp(models.outputs(network, variables, image, flip_tta=False)[network.groups[0]])

    made = program.Program(metres, variables, small.EIGENS_SIZE, network.groups[:1], "none", True)
    assert stablehlo.program_bytes(made) if any_batch else tensorflow_formats.tflite_bytes(made)


@pytest.mark.parametrize("format", ["stablehlo", "saved_model"])
def test_a_full_disk_is_one_error_that_names_the_output(predictor, tmp_path, format):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limit[1]))
    try:
        with pytest.raises(OSError, match=rf"'{re.escape(str(tmp_path / 'a'))}'"):
            export.export(predictor, tmp_path / "a", format=format)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert not list(tmp_path.iterdir())


def test_only_an_export_is_replaced(exported, predictor, tmp_path):
    format, output, _ = exported
    assert output.is_dir() or attached.is_ours(output)
    with pytest.raises(FileExistsError, match="is there and no export of ours"):
        (tmp_path / "a").write_text("mine")
        export.export(predictor, tmp_path / "a", format=format)
    assert (tmp_path / "a").read_text() == "mine"
    if format == "stablehlo":
        export.export(predictor, output, format=format)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(format="mlmodel"), "format='mlmodel': expected one of stablehlo, saved_model, tflite, onnx"),
        (dict(format="tflite", dtype="int4"), "dtype='int4': expected one of float32, float16, int8"),
        (dict(format="onnx", dtype="float16"), "dtype='float16': only for format='tflite'; onnx has float32"),
        (dict(format="tflite", dtype="int8"), "dtype='int8': its ranges are measured on frames"),
        (dict(format="stablehlo", flip="both"), "flip='both': expected one of inside, outside"),
        (dict(format="stablehlo", outputs="two"), "outputs='two': expected one of final, all"),
    ],
)
def test_bad_options_are_one_line(predictor, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        export.export(predictor, tmp_path / "a", **options)
    assert not list(tmp_path.iterdir())


def test_onnx_without_its_extra(predictor, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_format, "_NEEDED", ("onnx", "no_such_module"))
    with pytest.raises(InputError, match=r"format='onnx' needs the extra onnx: pip install 'jaxdepth\[onnx\]'"):
        export.export(predictor, tmp_path / "a.onnx", format="onnx")
