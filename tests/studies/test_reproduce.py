"""The job that reproduces the paper: small networks of every kind, from the training to the report."""

import json
import types

import fake_nyu
import numpy as np
import pytest
import small

from jaxdepth import models, rooms
from jaxdepth.data import splits
from jaxdepth.errors import InputError
from jaxdepth.runs import record
from jaxdepth.studies import experiment, reproduce, tables
from jaxdepth.studies.reproduce import figures, job, report, scores

_SMALL = {
    "kscale": f"config.model.update({small.MODEL!r})",
    "pyramid": "config.model.update(width=4, max_width=8, own_width=4, blocks=(1, 1, 1, 1))",
}


@pytest.fixture(autouse=True)
def blank_rooms(request, monkeypatch):
    if "slow" not in request.keywords:
        monkeypatch.setattr(rooms, "frames", small.blank_rooms)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXDEPTH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield {
            "data.source": "rooms",
            "data.rooms_frames": (8, 4),
            "batch_size": 4,
            "log_every": 1,
            "panel_frames": 1,
            "data.frame_size": (72, 88),
            "data.crop_size": small.EIGENS_SIZE,
        }


@pytest.fixture(scope="module")
def configs(tmp_path_factory):
    """The files of configs/ with few channels."""
    folder = tmp_path_factory.mktemp("configs")
    for name in ("eigen", "autoencoder", "residual_coarse", "kscale", "pyramid"):
        change = _SMALL.get(name, "config.model.width = 1 / 32")
        size = "config.data.frame_size = config.data.crop_size = (32, 64)" if name == "pyramid" else ""
        (folder / f"{name}.py").write_text(
            "import runpy\n\n\n"
            'def get_config(arg=""):\n'
            f"    config = runpy.run_path({str(small.CONFIGS / name)!r} + '.py')['get_config'](arg)\n"
            f"    {change}\n    {size}\n    return config\n"
        )
    return folder


@pytest.fixture(scope="module")
def of_nyu(configs, given, tmp_path_factory):
    """The plan of a job on twelve of NYU's frames, and results of it, each with other numbers."""
    folder = tmp_path_factory.mktemp("nyu")
    train_ids, val_ids = splits.nyu_lists()["dev"]
    fake_nyu.write_mat(folder / "nyu_depth_v2_labeled.mat", 12, ids=sorted([*train_ids[:8], *val_ids[:4]]))
    plan = job.plan(configs, given=given | {"data.source": "nyu", "data.path": str(folder)}, steps=3)

    def metrics(i):
        return {"delta1": 0.5 + i / 1000, "abs_rel": 0.3 + i / 1000, "rmse": 1.0, "log10": 0.1, "loss": 0.2 + i / 1000}

    results = {}
    for i, training in enumerate(plan):
        protocol = {
            "network_input": "centre 64x80 of 72x88",
            "truth": "depth",
            "max_depth": 10.0,
            "source": "nyu",
            "split_hash": f"hash of {training.split}",
            "frames": 4,
            "scored_at": [480, 640],
            "rows": [45, 471],
            "columns": [41, 601],
        }
        scored = {"metrics": metrics(i), "mean_depth_baseline": metrics(105), "protocol": protocol}
        results[training.name, training.split] = {
            "name": training.name,
            "title": training.title,
            "published": training.published,
            "split": training.split,
            "paper": scored,
            "eigen_crop": scored | {"metrics": metrics(100 + i)},
            "third": metrics(200 + i),
            "steps": 3,
            "steps_per_epoch": 2,
            "batch_size": 4,
            "machine": {"devices": 1, "device": "one", "cpu": "CPU", "jax": "0", "date": "today"},
            "multiply_adds": 1e9,
            "parameters": 2e6,
            "images_per_second": 7.0,
            "seconds": 3600.0,
        }
    (folder / "results").mkdir()
    for (name, split), kept in results.items():
        (folder / "results" / f"{split}-{name}.json").write_text(json.dumps(kept))
    read = scores.read(folder / "results")
    assert list(read) == list(results) and read == results
    return plan, results


def test_nyus_frames_are_split_twice_and_the_report_says_which_split_to_trust(of_nyu):
    plan, results = of_nyu
    assert [(t.name, t.split) for t in plan[:3]] == [("eigen", "paper"), ("eigen", "dev"), ("autoencoder", "paper")]
    assert len(plan) == 13 and plan[-1].split == "dev" and plan[-3].name == "pyramid-rooms"
    text = report.as_markdown(results, [], given={"data.path": "there", "batch_size": 4, "data.crop_size": [64, 80]})
    command = (
        "`python launch/reproduce.py --workdir=DIR --steps=3 --config.batch_size=4 '--config.data.crop_size=(64, 80)'`"
    )
    assert command in text and "Its numbers are too high; trust those of `dev`" in text


def rows_of(text, header):
    """The cells of the Markdown table with a header."""
    lines = text[text.index(header) :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_network_is_in_the_tables_beside_the_papers_numbers_and_the_baseline(of_nyu):
    drawn = [figures.Drawn("A figure", "What it shows.", "figures/a.png")]
    text = report.as_markdown(of_nyu[1], drawn, given={})
    assert (
        "on the paper's random split and `dev`. Protocol `paper`; the network sees the centre 64x80 of 72x88.\n\n"
        in text
    )
    assert rows_of(text, "| network | paper's own | random split, delta1 | dev split, delta1 |") == [
        ["Eigen 2014", "", "0.500", "0.501"],
        ["Model 1, auto-encoder refine network", "0.356", "0.502", "0.503"],
        ["Model 2, residual coarse prediction", "0.430", "0.504", "0.505"],
        ["Model 3, multi-scale residual network", "0.406", "0.506", "0.507"],
        ["Model 3, up-convolution", "", "0.508", "0.509"],
        ["mean depth image (ignores the picture)", "", "0.605", "0.605"],
    ]
    assert "Protocol `eigen_crop`: rows 45 to 471, columns 41 to 601 of 480x640.\n\n" in text
    field = (
        "| network | random split, delta1 | dev split, delta1 | dev split, abs_rel | dev split, rmse | dev split, log"
    )
    assert rows_of(text, field) == [
        ["Eigen 2014", "0.600", "0.601", "0.401", "1.000", "0.100"],
        ["Model 1, auto-encoder refine network", "0.602", "0.603", "0.403", "1.000", "0.100"],
        ["Model 2, residual coarse prediction", "0.604", "0.605", "0.405", "1.000", "0.100"],
        ["Model 3, multi-scale residual network", "0.606", "0.607", "0.407", "1.000", "0.100"],
        ["Model 3, up-convolution", "0.608", "0.609", "0.409", "1.000", "0.100"],
        ["the pyramid, cut short", "0.611", "0.612", "0.412", "1.000", "0.100"],
        ["mean depth image (ignores the picture)", "0.605", "0.605", "0.405", "1.000", "0.100"],
    ]
    assert "\nBetter than the mean depth image on the dev split (`eigen_crop`): Model 3, multi" in text
    assert text.count("\nNot better: Eigen 2014; Model 1") == 2
    for split in ("random", "dev"):
        assert f"\nBetter than the paper's own number on the {split} split (`paper`): Model 1" in text
    model_1 = rows_of(text, "| Model 1 | epoch | loss | delta1 |")
    assert ["paper's own", "150", "0.2916", "0.3506"] in model_1
    assert ["ours, dev split", "0.5", "0.4030", "0.7030"] in model_1
    assert ["ours, dev split", "1.5", "0.2030", "0.5030"] in model_1
    assert "| the pyramid, first on rooms | 2 | 2 | 7 | 1 |" in text
    assert text.rstrip().endswith("![A figure](figures/a.png)")


def test_the_page_contains_its_pictures_and_scrolls_its_tables(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a.png").write_bytes(b"a picture")
    page = report.as_html("# Title\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n![A](figures/a.png)\n", tmp_path)
    assert 'src="data:image/png;base64,YSBwaWN0dXJl"' in page and "figures/a.png" not in page
    assert page.count('<div class="wide"><table>') == 1 and "<title>Title</title>" in page and "viewport" in page


def test_each_figure_shows_the_networks_that_it_names(of_nyu, tmp_path, monkeypatch):
    """Networks whose depth is their name, step and output."""
    plan, _ = of_nyu
    for training in plan:
        folder = job.run_folder(tmp_path, training)
        folder.mkdir(parents=True)
        (folder / record.NAME).write_text(json.dumps(record.RunRecord(training.config.to_dict()).to_json()))
        lines = [{"step": 1, "nyu/train/loss": 9.0}, {"step": 2, "nyu/val/loss": 0.5, "nyu/val/delta1": 0.25}]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def load(folder, *, step):
        groups = models.build(**record.read(folder).config["model"]).groups
        depths = {group: f"{folder.parent.name} {folder.name} {step} {group}" for group in groups}
        return types.SimpleNamespace(groups=groups, predict_outputs=lambda image, *, intrinsics: depths)

    panels, curves = {}, {}

    def panel(path, images, columns, *, truth, row_titles):
        panels[path.stem] = {title: set(depth) for title, depth in columns.items()}
        assert images.shape == (4, 240, 320, 3) and truth.shape == (4, 240, 320) and len(row_titles) == 4

    monkeypatch.setattr(figures.predict, "load", load)
    monkeypatch.setattr(figures.figures, "panel", panel)
    monkeypatch.setattr(
        figures.figures,
        "validation_curves",
        lambda path, runs, *, baseline: curves.update({path.stem: (runs, baseline)}),
    )
    kept = {"steps_per_epoch": 2, "paper": {"mean_depth_baseline": {"delta1": 0.125}}}
    monkeypatch.setattr(job, "result", lambda folder, training: kept)
    drawn = figures.draw(tmp_path, plan)
    assert [figure.path for figure in drawn] == [f"figures/{name}.png" for name in (*panels, *curves)]
    assert all("Split `dev`" in figure.text for figure in drawn[:4])
    assert panels["networks"] == {
        "Eigen 2014": {"dev eigen last fine"},
        "Model 1": {"dev autoencoder last autoencoder"},
        "Model 2": {"dev residual_coarse last fine"},
        "Model 3": {"dev kscale last fusion"},
        "pyramid": {"dev pyramid last fusion"},
    }
    assert panels["model-1"] == {
        "after a third": {"dev autoencoder 1 autoencoder"},
        "at the end": {"dev autoencoder last autoencoder"},
        "coarse map alone": {"dev autoencoder last coarse"},
    }
    both = {"up-convolution": {"dev up_convolution last fusion"}, "bilinear": {"dev kscale last fusion"}}
    assert panels["upscaling"] == both
    scales = {f"scale {i}": {f"dev kscale last scale{i}"} for i in (3, 2, 1)}
    assert list(panels["scales"].items()) == [*scales.items(), ("final", {"dev kscale last fusion"})]
    assert list(curves) == ["curves-paper", "curves-dev"]
    for runs, baseline in curves.values():
        assert len(runs) == 5 and "the pyramid, cut short" not in runs and baseline == 0.125
        assert all(points.tolist() == [[1.0], [0.5], [0.25]] for points in runs.values())


@pytest.mark.slow
def test_a_whole_job_and_that_it_is_not_done_twice(configs, given, tmp_path, monkeypatch):
    assert reproduce.reproduce(tmp_path, configs=configs, given=given, steps=3)
    text = (tmp_path / "report.md").read_text()
    of = {name: tmp_path / "results" / f"rooms-{name}.json" for name in ("pyramid", "kscale")}
    kept = {name: json.loads(file.read_text()) for name, file in of.items()}
    for result in kept.values():
        assert f"{result['eigen_crop']['metrics']['delta1']:.3f}" in text
        assert result["third"]["loss"] != result["paper"]["metrics"]["loss"] and result["images_per_second"] > 0
    assert "random split" not in text  # rooms have one split
    pictures = {path.name for path in (tmp_path / "figures").iterdir()}
    assert pictures == {"networks.png", "model-1.png", "upscaling.png", "scales.png", "curves-rooms.png"}
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(pictures)

    def refuse(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(experiment, "train_and_evaluate", refuse)
    (tmp_path / "report.html").unlink()
    assert reproduce.reproduce(tmp_path, configs=configs, given=given, steps=3)
    assert (tmp_path / "report.html").is_file()


@pytest.fixture
def trainings(monkeypatch):
    """Stands in for the trainings and their scores.

    `calls` has the calls; SIGTERM comes in call number `stopped_at`.
    """
    seen = types.SimpleNamespace(calls=[], stopped_at=None)

    def train(config, folder, *, title):
        seen.calls.append((folder.parent.name, folder.name, config.init_from, title))
        folder.mkdir(parents=True, exist_ok=True)
        if len(seen.calls) == seen.stopped_at:
            lines = [{"step": step, "wall_time": float(10 * step), "rooms/train/loss": 1.0} for step in (1, 2)]
            (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
            return None
        run = record.RunRecord(config.to_dict(), train_frames=8)
        (folder / record.NAME).write_text(json.dumps(run.to_json()))
        return {}

    monkeypatch.setattr(experiment, "train_and_evaluate", train)
    monkeypatch.setattr(experiment, "score", lambda *_, **__: {"metrics": {}})
    monkeypatch.setattr(report, "write", lambda folder, plan: seen.calls.append("report"))
    return seen


def test_a_stopped_job_is_continued(configs, given, tmp_path, trainings):
    trainings.stopped_at = 2
    assert not reproduce.reproduce(tmp_path, configs=configs, given=given, steps=4)
    assert [name for _, name, *_ in trainings.calls] == ["eigen", "autoencoder"]
    assert [file.name for file in (tmp_path / "results").iterdir()] == ["rooms-eigen.json"]
    assert reproduce.reproduce(tmp_path, configs=configs, given=given, steps=4)
    names = [name for _, name, *_ in trainings.calls[2:-1]]
    assert names == ["autoencoder", "residual_coarse", "kscale", "up_convolution", "pyramid-rooms", "pyramid"]
    assert trainings.calls[-1] == "report"
    *_, (split, _, init_from, title) = trainings.calls[:-1]
    assert split == "rooms" and init_from == str(tmp_path / "runs" / "rooms" / "pyramid-rooms")
    assert title.startswith("7/7 pyramid (rooms), ") and "h left" in title


@pytest.mark.parametrize(("ids", "trusted"), [(range(1, 1450), "official"), (splits.nyu_lists()["official"][0], "dev")])
def test_the_official_split_is_used_if_its_test_frames_are_there(configs, given, monkeypatch, ids, trusted):
    frames = types.SimpleNamespace(name="nyu", ids=np.array(ids), splits=splits.nyu_lists())
    monkeypatch.setattr(job.selection, "open_frames", lambda **_: frames)
    assert {t.split for t in job.plan(configs, given=given, steps=3)} == {"paper", trusted, "rooms"}


def test_the_pyramid_is_scored_on_rooms_that_it_has_not_seen(configs, given):
    *_, kscale, _, on_rooms, pyramid = job.plan(configs, given=given, steps=3)
    assert pyramid.config.seed == kscale.config.seed != on_rooms.config.seed
    assert on_rooms.config.data.sensor and not pyramid.config.data.sensor


def test_the_time_left_is_estimated_from_the_work_done(configs, given, tmp_path):
    """One training is done, and a quarter of another, with a pause of a day in it."""
    plan = job.plan(configs, given=given, steps=8)
    job.open_job(tmp_path, given=given, steps=8)
    assert job.progress(tmp_path, plan) == (0, None)
    (tmp_path / "results" / "rooms-eigen.json").write_text(json.dumps({"seconds": 60.0}))
    folder = job.run_folder(tmp_path, plan[1])
    folder.mkdir(parents=True)
    lines = [{"step": step, "wall_time": 10.0 * step + 86400 * (step > 5), "rooms/train/loss": 1.0} for step in (1, 2)]
    lines += [{"step": 2, "wall_time": 86420.0, "rooms/val/loss": 1.0}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done, left = job.progress(tmp_path, plan)
    total = sum(t.work for t in plan)
    assert done == pytest.approx((plan[0].work + plan[1].work / 4) / total)
    assert left == pytest.approx((60 + 10 + 60) * (1 - done) / done)


def test_another_job_in_the_folder_and_settings_that_the_job_sets(configs, given, tmp_path):
    job.open_job(tmp_path, given=given, steps=3)
    job.open_job(tmp_path, given=given | {"data.path": "elsewhere"}, steps=3)
    with pytest.raises(InputError, match="holds another job"):
        job.open_job(tmp_path, given=given, steps=4)
    with pytest.raises(InputError, match="config.steps: the job sets it itself"):
        job.plan(configs, given=given | {"steps": 5}, steps=3)
    with pytest.raises(InputError, match="steps=2: expected 3"):
        job.plan(configs, given=given, steps=2)
    with pytest.raises(InputError, match="kscale.py"):
        job.plan(configs, given=given | {"data.nonsense": 1}, steps=3)


def test_a_markdown_file_takes_the_jobs_tables(of_nyu, tmp_path):
    (tmp_path / "results").mkdir()
    for (name, split), kept in of_nyu[1].items():
        (tmp_path / "results" / f"{split}-{name}.json").write_text(json.dumps(kept))
    text = tables.filled("<!-- reproduction results model_1, costs -->\n<!-- end -->", tmp_path)
    assert "| ours, dev split | 1.5 | 0.2030 | 0.5030 |" in text and "| Eigen 2014 | 2 | 2 | 7 | 1 |" in text
    text = tables.filled("<!-- reproduction results accuracy -->\n<!-- end -->", tmp_path)
    assert text.count("\n\n| network |") == 2 and "-->\nAs in the paper, inside the network's centre crop" in text
    with pytest.raises(InputError, match="no table 'speed': expected some of accuracy, model_1, costs"):
        tables.filled("<!-- reproduction results speed -->\n<!-- end -->", tmp_path)
    with pytest.raises(FileNotFoundError, match="no results of a job"):
        scores.read(tmp_path)
