"""The job that redoes the paper: small networks of every kind, through to the report."""

import json

import fake_nyu
import pytest
import small

from jaxdepth import reproduce
from jaxdepth.data import splits
from jaxdepth.reproduce import job, report

_SMALL = {
    "kscale": f"config.model.update({small.MODEL!r})",
    "best": "config.model.update(width=4, max_width=8, own_width=4, blocks=(1, 1, 1, 1))",
}


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
    """The settings of configs/ with channels by the handful."""
    folder = tmp_path_factory.mktemp("configs")
    for name in ("eigen", "autoencoder", "residual_coarse", "kscale", "best"):
        change = _SMALL.get(name, "config.model.width = 1 / 32")
        size = "config.data.frame_size = config.data.crop_size = (32, 64)" if name == "best" else ""
        (folder / f"{name}.py").write_text(
            "import runpy\n\n\n"
            'def get_config(arg=""):\n'
            f"    config = runpy.run_path({str(small.CONFIGS / name)!r} + '.py')['get_config'](arg)\n"
            f"    {change}\n    {size}\n    return config\n"
        )
    return folder


@pytest.fixture(scope="module")
def of_nyu(configs, given, tmp_path_factory):
    """The plan of a job on twelve of NYU's frames, and results of it with numbers that tell them apart."""
    folder = tmp_path_factory.mktemp("nyu")
    train_ids, val_ids = splits.nyu_lists()["dev"]
    fake_nyu.write_mat(folder / "nyu_depth_v2_labeled.mat", 12, ids=sorted([*train_ids[:8], *val_ids[:4]]))
    plan = job.plan(configs, given=given | {"data.source": "nyu", "data.path": str(folder)}, steps=3)

    def metrics(i):
        return {"delta1": 0.5 + i / 1000, "abs_rel": 0.3 + i / 1000, "rmse": 1.0, "log10": 0.1, "loss": 0.2 + i / 1000}

    results = {}
    for i, training in enumerate(plan):
        protocol = {
            "network_input": "centre",
            "truth": "depth",
            "max_depth": 10.0,
            "source": "nyu",
            "split_hash": f"hash of {training.split}",
            "frames": 4,
        }
        judged = {"metrics": metrics(i), "mean_depth_baseline": metrics(400), "protocol": protocol}
        results[training.name, training.split] = {
            "paper": judged,
            "eigen_crop": judged | {"metrics": metrics(100 + i)},
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
    return plan, results


def test_nyus_frames_are_split_twice_and_the_flattering_split_is_named(of_nyu):
    plan, results = of_nyu
    assert [(t.name, t.split) for t in plan[:3]] == [("eigen", "paper"), ("eigen", "dev"), ("autoencoder", "paper")]
    assert len(plan) == 13 and plan[-1].split == "dev" and plan[-3].name == "best-rooms"
    text = report.as_markdown(plan, results, [])
    assert "| paper: delta1 | dev: delta1 |" in text and "numbers flatter, and `dev`" in text


def test_every_network_is_in_the_tables_beside_the_papers_numbers_and_the_floor(of_nyu):
    text = report.as_markdown(*of_nyu, [("A figure", "what it shows.", "figures/a.png")])
    table = text[text.index("## Table 2") : text.index("## Table 1")].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table if line.startswith("|")][2:]
    assert [row[:5] for row in rows] == [
        ["Eigen 2014", "", "0.500", "0.501", "0.601"],
        ["Model 1, auto-encoder refine network", "0.356", "0.502", "0.503", "0.603"],
        ["Model 2, residual coarse prediction", "0.430", "0.504", "0.505", "0.605"],
        ["Model 3, multi-scale residual network", "0.406", "0.506", "0.507", "0.607"],
        ["Model 3, up-convolution", "", "0.508", "0.509", "0.609"],
        ["the best recipe", "", "0.511", "0.512", "0.612"],
        ["mean depth image, which looks at no picture", "", "0.900", "0.900", "0.900"],
    ]
    model_1 = text[text.index("## Table 1") : text.index("## What")]
    assert "| the paper's | 150 | 0.2916 | 0.3506 |" in model_1
    assert "| ours, dev | 0.5 | 0.4030 | 0.7030 |" in model_1 and "| ours, dev | 1.5 | 0.2030 | 0.5030 |" in model_1
    assert "| the best recipe, first on rooms | 2 | 2 | 7 | 1 |" in text
    assert text.rstrip().endswith("![A figure](figures/a.png)")


def test_the_page_holds_its_pictures_and_scrolls_its_tables(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a.png").write_bytes(b"a picture")
    page = report.as_html("# Title\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n![A](figures/a.png)\n", tmp_path)
    assert 'src="data:image/png;base64,YSBwaWN0dXJl"' in page and "figures/a.png" not in page
    assert page.count('<div class="wide"><table>') == 1 and "<title>Title</title>" in page and "viewport" in page


@pytest.mark.slow
def test_a_whole_job_and_that_what_is_done_is_not_done_again(configs, given, tmp_path, monkeypatch):
    assert reproduce.reproduce(tmp_path, configs=configs, given=given, steps=3)
    text = (tmp_path / "report.md").read_text()
    kept = {name: json.loads((tmp_path / "results" / f"rooms-{name}.json").read_text()) for name in ("best", "kscale")}
    for result in kept.values():
        assert f"{result['eigen_crop']['metrics']['delta1']:.3f}" in text
        assert result["third"]["loss"] != result["paper"]["metrics"]["loss"] and result["images_per_second"] > 0
    assert "flatter" not in text  # frames that bring one split
    pictures = {path.name for path in (tmp_path / "figures").iterdir()}
    assert pictures == {"networks.png", "model-1.png", "upscaling.png", "scales.png", "curves-rooms.png"}
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(pictures)

    def refuse(*_):
        raise AssertionError("trained once more")

    monkeypatch.setattr(job, "train_and_evaluate", refuse)
    (tmp_path / "report.html").unlink()
    assert reproduce.reproduce(tmp_path, configs=configs, given=given, steps=3)
    assert (tmp_path / "report.html").is_file()


def test_a_stopped_job_says_so_and_goes_on(configs, given, tmp_path, monkeypatch):
    trained = []

    def stopped(config, place):
        trained.append(place)

    monkeypatch.setattr(job, "train_and_evaluate", stopped)
    assert not reproduce.reproduce(tmp_path, configs=configs, given=given, steps=3)
    assert len(trained) == 1 and not list((tmp_path / "results").iterdir())


def test_the_time_left_is_guessed_from_the_work_done(configs, given, tmp_path):
    plan = job.plan(configs, given=given, steps=3)
    job.open_job(tmp_path, given=given, steps=3)
    assert job.seconds_left(tmp_path, plan) is None
    (tmp_path / "results" / "rooms-eigen.json").write_text(json.dumps({"seconds": 60.0}))
    rest = sum(t.work for t in plan[1:])
    assert job.seconds_left(tmp_path, plan) == pytest.approx(60 * rest / plan[0].work)


def test_another_job_in_the_folder_and_settings_that_are_the_jobs_own(configs, given, tmp_path):
    job.open_job(tmp_path, given=given, steps=3)
    job.open_job(tmp_path, given=given | {"data.path": "elsewhere"}, steps=3)
    with pytest.raises(ValueError, match="holds another job"):
        job.open_job(tmp_path, given=given, steps=4)
    with pytest.raises(ValueError, match="config.steps: the job sets it"):
        job.plan(configs, given=given | {"steps": 5}, steps=3)
    with pytest.raises(ValueError, match="steps=2: expected 3"):
        job.plan(configs, given=given, steps=2)
    with pytest.raises(ValueError, match="kscale.py"):
        job.plan(configs, given=given | {"data.nonsense": 1}, steps=3)


def test_a_table_of_markdown():
    assert report._table([["a", "b"], ["1", "2"]]) == ["| a | b |", "| --- | --- |", "| 1 | 2 |", ""]
