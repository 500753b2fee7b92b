"""Evaluation of a folder of predictions: the scores of the network that made them, and what bad input gets."""

import json
import shutil
import subprocess
import sys
import types

import caused
import fake_nyu
import jax
import numpy as np
import pytest
import small
from PIL import Image

from jaxdepth import evaluate, predict
from jaxdepth.data.files import writing
from jaxdepth.errors import InputError
from jaxdepth.evaluation import mean_depth, predictions, report
from jaxdepth.runs import record
from jaxdepth.training import sharding

VAL = ("b/1", "b/3", "c/4")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A source, a run and the predictions of its validation frames; `score` evaluates others of the frames' size.

    One device and batches of two frames keep the programs small, and all predictions under `paper` share one.
    """
    folder = tmp_path_factory.mktemp("made")
    data, run, written = (folder / name for name in ("data", "run", "predictions"))
    for name in ("a/0", "b/1", "a/2", "b/3", "c/4"):
        inner, stem = name.split("/")
        image, depth, _ = fake_nyu.frame(int(stem), (80, 112))
        for part in ("images", "depths"):
            (data / inner / part).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(data / inner / "images" / f"{stem}.png")
        np.save(data / inner / "depths" / f"{stem}.npy", depth)
    (data / "val.txt").write_text("\n".join(VAL))
    with pytest.MonkeyPatch.context() as patch:
        mesh = sharding.make_mesh(jax.devices()[:1])
        patch.setattr(sharding, "make_mesh", lambda: mesh)
        patch.setattr(evaluate, "_BATCH", 2)
        patch.setenv("JAXDEPTH_CACHE", str(folder / "cache"))
        small.random_run(run, **{"data.source": "folder", "data.path": str(data), "data.split": "lists"})
        content = json.loads((run / "config.json").read_text())
        content["config"]["batch_size"] = 2
        (run / "config.json").write_text(json.dumps(content))
        frames, split, _ = evaluate.frames_of_run(record.read(run))
        writing.write_array(run / "mean_depth.npy", mean_depth.mean_depth_image(frames, split.train))
        assert predict.predict_frames(run, output=written, batch=2, source="folder", path=data) == 3

        def score(folder, **options):
            shutil.copy(written / predictions.RECORD, folder)  # of the run's frames, at their size
            return evaluate.evaluate_predictions(folder, source="folder", path=data, protocol="paper", **options)

        truth = {name: frames.depths[i] for i, name in enumerate(frames.names) if name in VAL}
        yield types.SimpleNamespace(data=data, run=run, written=written, score=score, truth=truth)


def flat(tree):
    """The leaves of nested dicts and lists by name."""
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def assert_same(here, there, *, rel, pixel=0.0):
    """Nested numbers are equal to `rel`, shares of pixels to a pixel that rounding has moved over the threshold."""
    here, there = flat(here), flat(there)
    assert here.keys() == there.keys()
    for name, value in there.items():
        if isinstance(value, float):
            value = pytest.approx(value, rel=rel, abs=pixel if "delta" in name else 1e-12)
        assert here[name] == value, name


@pytest.mark.parametrize(("protocol", "pooling"), [("paper", "pixels"), ("eigen_crop", "images")])
def test_files_have_the_result_of_the_network_that_wrote_them(made, protocol, pooling):
    rules = dict(protocol=protocol, pooling=pooling)
    of_network = evaluate.evaluate_checkpoint(made.run, **rules)
    of_files = evaluate.evaluate_predictions(made.written, source="folder", path=made.data, **rules)
    pixel = {"paper": 0.0, "eigen_crop": 1.01 / (426 * 560)}[protocol]
    for part in ("metrics", "aligned", "edges", "baseline", "mean_depth_baseline", "intervals", "breakdown"):
        assert_same(of_files[part], of_network[part], rel=1e-6, pixel=pixel)
    assert_same(of_files["per_frame"], of_network["per_frame"], rel=1e-5, pixel=pixel + 1e-6)  # of 6 digits
    for part in ("frames", "frames_scored", "interval_over"):
        assert of_files[part] == of_network[part]
    of_files["protocol"].pop("resize")  # files may be larger than what is scored, which is said
    told, other = of_network["protocol"], of_files["protocol"]
    assert other == {name: told[name] for name in other}
    assert told.keys() - other <= {"resize", "network_input", "mean_depth_image"}
    assert of_files["predictions"]["files"] == 3 and of_files["predictions"]["made_by"]["step"] == 0


def save_png(path, array):
    Image.fromarray(np.uint16(np.round(array))).save(path)


def save_pfm(path, array):
    height, width = array.shape  # its rows are stored from the bottom, -1 is for little-endian
    path.write_bytes(b"Pf\n%d %d\n-1.0\n" % (width, height) + array[::-1].astype("<f4").tobytes())


def save_exr(path, array):
    exr = pytest.importorskip("OpenEXR", reason="OpenEXR is not installed: pip install 'jaxdepth[exr]'")
    with exr.File({"compression": exr.ZIP_COMPRESSION}, {"Z": np.float32(array)}) as file:
        file.write(str(path))


SAVE = {
    ".npy": np.save,
    ".npz": lambda path, array: np.savez(path, depth=array),
    ".png": save_png,
    ".tif": save_png,
    ".pfm": save_pfm,
    ".exr": save_exr,
}


def write(folder, arrays, *, suffix=".npy", convert=lambda x: x):
    """Writes predictions by name, converted, as files of a kind; returns the folder."""
    for name, array in arrays.items():
        path = folder / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        SAVE[suffix](path, convert(array))
    return folder


@pytest.fixture(scope="module")
def depths(made):
    """Predictions of other rooms than the truth, in whole 4096ths of a metre."""
    waves = 1 + 0.3 * np.sin(np.arange(40)[:, None] / 5) * np.cos(np.arange(56) / 7)
    return {name: np.round(4096 * np.clip(waves * x**0.8, 0.5, 9)) / 4096 for name, x in made.truth.items()}


@pytest.fixture(scope="module")
def of_depths(made, depths, tmp_path_factory):
    return made.score(write(tmp_path_factory.mktemp("depths"), depths, convert=np.float32))


@pytest.mark.parametrize("suffix", SAVE)
def test_every_kind_of_file_has_the_same_result(made, depths, of_depths, tmp_path, suffix):
    units = 4096 if suffix in (".png", ".tif") else 1
    written = write(tmp_path, depths, suffix=suffix, convert=lambda x: np.float32(units * x))
    found = made.score(written, scale=1 / units)
    assert found["metrics"] == of_depths["metrics"] and found["aligned"] == of_depths["aligned"]
    assert found["predictions"]["warnings"] == []


def test_depth_inverse_depth_and_disparity_have_the_result_of_the_depth(made, depths, of_depths, tmp_path):
    inverse = made.score(write(tmp_path / "inverse", depths, convert=lambda x: 1 / x), kind="inverse_depth")
    assert_same(inverse["metrics"], of_depths["metrics"], rel=1e-6)
    # 16 bits of 1 / depth, of a scale and a shift that nobody tells
    disparity = write(tmp_path / "disparity", depths, suffix=".png", convert=lambda x: 9000 + 28000 / x)
    fitted = made.score(disparity, kind="disparity")
    assert fitted["aligned"].keys() == {"scale_shift"} and fitted["metrics"] == pytest.approx(
        {name: fitted["aligned"]["scale_shift"][name] for name in fitted["metrics"]}
    )
    expected = of_depths["aligned"]["scale_shift_disparity"]
    for name, value in fitted["aligned"]["scale_shift"].items():
        assert value == pytest.approx(expected[name], rel=1e-3, abs=1e-3 if name.startswith("delta") else 1e-5), name
    for result in (of_depths, inverse, fitted):
        assert result["predictions"]["warnings"] == []
    told = made.score(write(tmp_path / "mistaken", depths), kind="disparity")["predictions"]["warnings"]
    assert told == ["the prediction rises with the truth in 100% of the frames: is it depth (--prediction_kind)?"]


@pytest.mark.parametrize(
    ("convert", "options", "told"),
    [
        (lambda x: 1000 * x, {}, "times that of the truth: are they millimetres (--prediction_scale=0.001)?"),
        (
            lambda x: 200 * x,
            {"scale": 0.5},
            "times that of the truth: are they centimetres (--prediction_scale=0.005)?",
        ),
        (lambda x: 9 - x, {}, "falls where the truth rises in 100% of the frames: is it inverse depth or disparity"),
    ],
)
def test_a_unit_or_kind_that_is_mistaken_is_suspected(made, depths, tmp_path, convert, options, told):
    (warning,) = made.score(write(tmp_path, depths, convert=convert), **options)["predictions"]["warnings"]
    assert told in warning


def test_missing_extra_odd_and_constant_predictions_are_counted(made, depths, tmp_path):
    broken = depths["b/1"].astype(np.float32)
    broken[10, 10:21] = [np.nan] * 5 + [np.inf, -np.inf, 0, 0, 0, -1]
    write(tmp_path, {"b/1": broken, "b/3": np.full((40, 56), 2.5), "a/0": broken, "x/5": broken})
    with pytest.raises(InputError, match=r"frames without one: 1 of 3 \(c/4\); --allow_missing scores the others"):
        made.score(tmp_path)
    result = made.score(tmp_path, allow_missing=True)
    said = result["predictions"]
    assert (result["frames"], result["frames_scored"]) == (3, 2)
    assert said["missing_count"] == 1 and said["missing"] == ["c/4"]
    assert "3 frames, of which 2 were scored: the others have no prediction\n" in report.text(result)
    assert said["extra_count"] == 2 and said["extra"] == ["a/0.npy", "x/5.npy"]
    assert said["not_finite"] == {"pixels": 11, "frames": 1}
    for part in ("c/4", "a/0.npy, x/5.npy", "11 values in 1 files are no finite number above 0 (b/1)", "constant: b/3"):
        assert any(part in line for line in said["warnings"]), part
    truth = np.float64(made.truth["b/1"])
    farther = np.where(np.log(truth / 1e-3) > np.log(10 / truth), 1e-3, 10)
    predicted = np.where(np.isfinite(broken) & (broken > 0), broken, farther)[4:36, 4:52]
    ratio = np.maximum(predicted / truth[4:36, 4:52], truth[4:36, 4:52] / predicted)
    assert result["per_frame"]["delta1"][0] == pytest.approx((ratio < 1.25).mean(), abs=1e-6)
    assert result["per_frame"]["rmse_log"][0] == pytest.approx(np.sqrt(np.mean(np.log(ratio) ** 2)), rel=1e-4)


def test_nothing_is_half_written(made, depths, tmp_path, monkeypatch):
    write(tmp_path / "given", depths)
    with caused.disk(tmp_path / "disk", megabytes=0.04) as full:
        with pytest.raises(OSError, match=rf"No space left on device: '{full}/a\.\w+'"):
            made.score(tmp_path / "given", output=full / "a.json")
        assert list(full.iterdir()) == []
    read = predictions.Reader.__call__

    def interrupted(reader, index):
        if reader._frames.file_name(index) == "c/4":
            raise KeyboardInterrupt
        return read(reader, index)

    with monkeypatch.context() as patch:
        patch.setattr(predictions.Reader, "__call__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            made.score(tmp_path / "given", output=tmp_path / "a.json")
    assert not list(tmp_path.glob("*.*"))
    appeared = []
    replace = type(tmp_path).replace
    monkeypatch.setattr(type(tmp_path), "replace", lambda a, b: (appeared.append(b.name), replace(a, b))[1])
    for name in ("a.json", "b.json"):
        made.score(tmp_path / "given", output=tmp_path / name)
    assert appeared == ["a.csv", "a.html", "a.json", "b.csv", "b.html", "b.json"]  # no JSON without the others
    results = [tmp_path / "a.json", tmp_path / "b.json"]
    with pytest.raises(InputError, match=r"output '.*b\.json': expected a page, such as compared.html"):
        evaluate.compare(results, output=results[1])
    assert evaluate.compare(results, output=tmp_path / "c.html").differences["b"]["delta1"][0] == 0
    assert (tmp_path / "c.html").stat().st_size > 1000 and json.loads(results[1].read_text())["frames"] == 3


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"protocol": "eigen"}, "protocol='eigen': expected one of paper, eigen_crop, silberman_crop, full"),
        ({"measures": ("edges",)}, "measures='edges': expected some of standard, all, edges_hu,"),
        ({"kind": "disp"}, "prediction_kind='disp': expected one of depth, inverse_depth, disparity"),
        ({"scale": 0.0}, "prediction_scale=0.0: expected metres per unit, finite and above 0"),
        ({"resize": "area"}, "resize='area': expected one of depth, log_depth"),
        ({"pooling": "frames"}, "pooling='frames': expected one of images, pixels"),
        ({"truth": "dense"}, "truth='dense': expected filled or raw"),
        ({"split": "vals"}, "config.data.split='vals': expected one of paper, official,"),
        ({"output": "gone/a.json"}, "output 'gone/a.json': expected a file in a folder that exists"),
        ({"output": "a.html"}, "output 'a.html': expected a JSON file, such as evaluation.json"),
        ({"output": "."}, "output '.': expected a JSON file, such as evaluation.json"),
        ({"output": "page.json"}, "output 'page.html' is there and no result of ours"),
        ({"output": "table.json"}, "output 'table.csv' is there and no result of ours"),
    ],
)
def test_a_setting_that_is_none_is_told_before_any_work(tmp_path, monkeypatch, options, told):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluate.Data, "open", None)  # of the frames, which may take minutes
    for foreign in ("page.html", "table.csv"):
        (tmp_path / foreign).write_text("not ours")
    with pytest.raises((InputError, OSError)) as error:
        evaluate.evaluate_predictions(tmp_path, source="folder", path="x", **options)
    assert str(error.value).startswith(told) and "\n" not in str(error.value)


def test_a_read_only_output_is_told_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate.Data, "open", None)
    monkeypatch.setattr(predict, "load", None)
    with caused.disk(tmp_path / "disk", megabytes=1, options=",ro") as folder:
        with pytest.raises(PermissionError, match=f"output '{folder}/a.json': nothing can be written into '{folder}'"):
            evaluate.evaluate_predictions(tmp_path, output=folder / "a.json")
        with pytest.raises(PermissionError, match=f"output '{folder}/new': nothing can be written into '{folder}'"):
            predict.predict_frames(None, output=folder / "new", source="rooms")


def npz(**arrays):
    return lambda path: np.savez(path, **arrays)


def png(array):
    return lambda path: Image.fromarray(array).save(path)


GOOD = np.full((80, 112), 3.0, np.float32)


@pytest.mark.parametrize(
    ("suffix", "save", "options", "told"),
    [
        (".npy", GOOD.T, {}, "112x80 (rows x columns): expected the frame's shape, as 80x112, axes swapped?"),
        (".npy", GOOD[:, :80], {}, "80x80 (rows x columns): expected the frame's shape, as 80x112"),
        (".npy", np.stack([GOOD] * 3, -1), {}, "an array of shape (80, 112, 3): expected [H, W]"),
        (".npy", GOOD[:0], {}, "an array of shape (0, 112): expected [H, W]"),
        (".npy", GOOD.astype(complex), {}, "not a whole .npy file (an array of shape (80, 112)"),
        (
            ".npy",
            lambda path: path.write_bytes(b"".join(writing.array_buffers(GOOD))[:500]),
            {},
            "not a whole .npy file",
        ),
        (".png", lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\nabc"), {}, "not a picture that Pillow can read"),
        (".png", png(np.full((80, 112), 99, np.uint8)), {}, "8-bit values: expected 16 bits"),
        (".png", png(np.full((80, 112, 3), 99, np.uint8)), {}, "a picture of mode RGB: expected one channel"),
        (".tif", png(np.full((80, 112), 9, np.uint16)), {"kind": "inverse_depth"}, "inverse depth in integers"),
        (".npy", np.full((80, 112), 9, np.uint16), {"kind": "inverse_depth"}, "inverse depth in integers"),
        (
            ".npz",
            npz(a=GOOD, b=GOOD),
            {},
            "not a valid .npz file (arrays: a, b; expected one array, or one named depth)",
        ),
        (
            ".npz",
            npz(a=GOOD, b=GOOD),
            {"key": "c"},
            "not a valid .npz file (arrays: a, b; expected one array, or one named c)",
        ),
        (".pfm", lambda path: path.write_bytes(b"PF\n112 80\n-1\n"), {}, "not a valid greyscale .pfm (Pf)"),
        (".exr", lambda path: path.write_bytes(b"\x76\x2f\x31\x01"), {}, ""),
    ],
)
def test_a_file_that_is_no_prediction_is_named(made, tmp_path, suffix, save, options, told):
    file = tmp_path / "b" / f"1{suffix}"
    file.parent.mkdir()
    save(file) if callable(save) else np.save(file, save)
    with pytest.raises(InputError) as error:
        evaluate.evaluate_predictions(tmp_path, source="folder", path=made.data, allow_missing=True, **options)
    assert str(error.value).startswith(f"{str(file)!r}: {told}") and "\n" not in str(error.value)


def test_predictions_that_were_not_finished_are_not_scored(made, tmp_path, monkeypatch):
    output, written, data = tmp_path / "p", [], dict(source="folder", path=made.data)

    def interrupted(path, array):
        if written:
            raise KeyboardInterrupt
        written.append(path)
        writing.write_atomically(path, b"".join(writing.array_buffers(array)))

    with monkeypatch.context() as patch:
        patch.setattr(writing, "write_array", interrupted)
        with pytest.raises(KeyboardInterrupt):
            predict.predict_frames(made.run, output=output, batch=2, **data)
    with pytest.raises(InputError, match="predict.py did not finish them: run it once more"):
        evaluate.evaluate_predictions(output, allow_missing=True, **data)
    with pytest.raises(
        FileExistsError, match=f"'{output}': predictions of split lists, not all: expected a new folder"
    ):
        predict.predict_frames(made.run, output=output, batch=2, split="all", **data)
    assert predict.predict_frames(made.run, output=output, batch=2, **data) == 3
    assert {file.relative_to(output).as_posix() for file in output.rglob("*.npy")} == {f"{name}.npy" for name in VAL}
    for there, told in ((made.data, "expected a new folder"), (made.data / "val.txt", "is no folder: expected one")):
        with pytest.raises(OSError, match=f"output '{there}'.*{told}"):
            predict.predict_frames(made.run, output=there, **data)


@pytest.mark.parametrize(
    ("script", "arguments", "told"),
    [
        ("evaluate", ["--workdir=run", "--prediction_kind=disparity"], "--prediction_kind=disparity: only with"),
        ("evaluate", ["--workdir=run", "--allow_missing"], "--allow_missing: only with --predictions"),
        ("evaluate", ["--predictions=p", "--step=best"], "--step=best: only with --workdir"),
        ("evaluate", [], "expected one of --workdir, --predictions and --compare: none is given"),
        (
            "evaluate",
            ["--workdir=run", "--predictions=p"],
            "expected one of --workdir, --predictions and --compare: --",
        ),
        (
            "evaluate",
            ["--predictions=one/b/1.npy", "--source=folder", "--path=data"],
            "predictions='one/b/1.npy': a file",
        ),
        ("evaluate", ["--predictions=one", "--path=gone"], "config.data.path='gone': no such file or folder; get nyu_"),
        ("evaluate", ["--compare=a,b", "--key=x"], "--key=x: only with --predictions"),
        ("evaluate", ["--compare=a,b", "--protocol=full"], "--protocol=full: only with --workdir or --predictions"),
        ("predict", ["a.png", "--split=all"], "--split=all: only with --source"),
        ("predict", ["--source=nyu", "--output=p", "--fx=5"], "intrinsics=(5.0, 5.0): only for source=folder; the"),
        ("evaluate", ["--predictions=p", "--cx=5"], "--fx, --fy, --cx, --cy: expected a focal length, and both"),
        ("predict", ["--source=nyu", "--output=p", "--edge=5"], "--edge=5.0: only with pictures, not with --source"),
        (
            "evaluate",
            ["--predictions=one", "--source=folder", "--path=data"],
            "predictions='one': frames without one: 2 of 3",
        ),
    ],
)
def test_the_command_line_answers_in_one_line(made, script, arguments, told):
    write(made.data.parent / "one", {"b/1": GOOD})
    command = [sys.executable, small.ROOT / "launch" / f"{script}.py", *arguments]
    done = subprocess.run(command, cwd=made.data.parent, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.splitlines()[-1].startswith(f"error: {told}"), done.stderr
    assert "Traceback" not in done.stderr and not list(made.data.parent.glob("one/*.*"))
