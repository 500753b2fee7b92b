"""The main job without TensorFlow, which has no wheel for the newest versions of Python."""

import os
import subprocess
import sys

import numpy as np
import small
from PIL import Image

SCRIPT = """
import pathlib
import sys

for name in ("tensorflow", "tensorflow_datasets"):
    sys.modules[name] = None  # as if it were not installed: an import fails, and importlib.util.find_spec finds nothing

import numpy as np
import small
from jaxdepth import evaluate, predict, rooms, train
from jaxdepth.errors import InputError


def flat_rooms(seed, start, count, **options):  # room i is a wall at 2 (1 + i) m
    frames = small.blank_rooms(seed, start, count, **options)
    return frames | {"depth": frames["depth"] * np.float32(1 + np.arange(start, start + count))[:, None, None]}


rooms.frames = flat_rooms
folder = pathlib.Path(sys.argv[1])


def settings(**changes):
    model = {"model.k": 1, "model.blocks": (1,)}
    return small.settings(None, steps=2, **{"data.path": None, "data.rooms_frames": (3, 1), **model, **changes})


def refused(**changes):
    try:
        train.train_and_evaluate(settings(**changes), folder / "refused")
    except InputError as error:
        print("refused:", error)


scores = train.train_and_evaluate(settings(**{"data.source": "rooms"}), folder / "run")
print("trained:", scores["fusion"]["rmse"])
result = evaluate.evaluate_checkpoint(folder / "run", protocol="paper")
print("evaluated:", result["metrics"]["rmse"])
print("predicted:", predict.predict_files(folder / "run", [folder / "a.png"]).lines[-1])
refused(**{"data.source": "rooms", "data.batches": "tfdata"})
refused(**{"data.source": "tfds", "data.path": str(folder)})
print("imported:", sorted(name for name in sys.modules if name.startswith("tensorflow") and sys.modules[name]))
"""


def test_train_evaluate_and_predict_work_and_what_needs_it_is_refused_in_one_line(tmp_path):
    Image.fromarray(np.full((40, 56, 3), 90, np.uint8)).save(tmp_path / "a.png")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, (small.ROOT, small.ROOT / "tests"))),
        "JAXDEPTH_CACHE": str(tmp_path / "cache"),
    }
    line = [sys.executable, "-c", SCRIPT, tmp_path]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    said = dict(told.split(": ", 1) for told in done.stdout.splitlines() if ": " in told)
    refusals = [told.partition(": ")[2] for told in done.stdout.splitlines() if told.startswith("refused: ")]
    np.testing.assert_allclose(float(said["trained"]), float(said["evaluated"]), rtol=1e-5)
    assert float(said["trained"]) > 0.1
    assert said["predicted"].startswith("1 picture, ") and (tmp_path / "depth/a.npy").is_file()
    assert np.load(tmp_path / "depth/a.npy").shape == (40, 56)
    assert refusals[0].startswith("config.data.batches='tfdata' needs TensorFlow, which is not installed")
    assert refusals[1].startswith("config.data.source='tfds' needs tensorflow and tensorflow-datasets")
    assert len(refusals) == 2 and said["imported"] == "[]"
