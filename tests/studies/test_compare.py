"""Networks side by side on the same frames."""

import fake_nyu
import numpy as np
import pytest
import small
from PIL import Image

from jaxdepth import evaluate
from jaxdepth.data import splits
from jaxdepth.errors import InputError
from jaxdepth.output import figures
from jaxdepth.studies import compare


def test_frames_run_from_the_best_to_the_worst(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXDEPTH_CACHE", str(tmp_path / "cache"))
    train_ids, val_ids = splits.nyu_lists()["dev"]
    mat, others = (
        fake_nyu.write_mat(tmp_path / name, 4, ids=sorted([train_ids[0], *val_ids[part]]))
        for name, part in (("a.mat", slice(3)), ("b.mat", slice(4, 7)))
    )
    runs, drawn, panel = {}, [], figures.panel
    for seed, name in enumerate(("one", "two")):
        file = {"one": others, "two": mat}[name]  # both are scored on the last one's frames
        settings = {"data.source": "nyu", "data.path": str(file), "data.split": "dev"}
        runs[name] = small.random_run(tmp_path / name, seed=seed, **settings)

    def spy(*arguments, **named):
        drawn.append((arguments, named))
        panel(*arguments, **named)

    monkeypatch.setattr(figures, "panel", spy)
    ids = compare.compare(tmp_path / "a.png", runs, count=2)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size[0] > picture.size[1] > 300
    (_, images, columns), named = drawn[0]
    assert images.shape == (2, 240, 320, 3) and list(columns) == ["one", "two"]
    assert all(depth.shape == (2, 240, 320) for depth in (*columns.values(), named["truth"]))
    assert not np.array_equal(columns["one"], columns["two"])

    per_frame = evaluate.evaluate_checkpoint(runs["two"])["per_frame"]
    delta1 = dict(zip(per_frame["id"], per_frame["delta1"], strict=True))
    assert [delta1[i] for i in ids] == [max(delta1.values()), min(delta1.values())]
    assert [title.rpartition(" / ")[2] for title in named["row_titles"]] == [f"{delta1[i]:.2f}" for i in ids]
    settings["data.split"] = "final"  # with dev's validation frames among those that it trains on
    runs = {"all": small.random_run(tmp_path / "all", **settings), "two": runs["two"]}
    compare.compare(tmp_path / "b.png", runs, count=2)
    assert list(drawn[1][0][2]) == ["all (trained on 3 of 3)", "two"]
    with pytest.raises(InputError, match="count=4: the split has 3 frames"):
        compare.compare(tmp_path / "a.png", {"two": runs["two"]}, count=4)


def test_no_network_and_no_frame(tmp_path):
    with pytest.raises(InputError, match="no workdir"):
        compare.compare(tmp_path / "a.png", {})
    with pytest.raises(InputError, match="count=0: expected 1"):
        compare.compare(tmp_path / "a.png", {"one": tmp_path}, count=0)
