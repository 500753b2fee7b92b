"""Tables of Markdown files, filled from JSON."""

import json

import pytest
import small

from jaxdepth.benchmark import record
from jaxdepth.errors import InputError
from jaxdepth.studies import tables

MARKDOWN = [*small.ROOT.glob("*.md"), *small.ROOT.glob("docs/*.md"), small.ROOT / "jaxdepth" / "trained" / "README.md"]


def test_a_file_takes_its_tables_from_the_json(tmp_path):
    rows = [
        record.row(
            "train_step",
            network="kscale",
            batch=8,
            dtype="bfloat16",
            unit="ms",
            ours=1234.5,
            peer=1000.0,
            peer_name="torch",
        ),
        record.row("profile: loss", unit="%", ours=12.34, quartiles=[11.0, 13.0]),
        record.row("forward", network="kscale", batch=8, unit="ms", ours=300.0),
    ]
    rows.append(record.row("rate", unit="images/s", ours=30.0, peer=10.0, peer_name="torch"))
    (tmp_path / "n.json").write_text(json.dumps({"rows": rows}))
    text = "Text\n<!-- table n.json train_step, rate, profile* -->\nold\n<!-- end -->\nrest\n"
    (tmp_path / "B.md").write_text(text)
    tables.fill(tmp_path / "B.md")
    assert (tmp_path / "B.md").read_text() == (
        "Text\n<!-- table n.json train_step, rate, profile* -->\n"
        "| what | network | batch | type | ours | quartiles | other | speed-up | which other |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        "| train_step | kscale | 8 | bfloat16 | 1234 ms |  | 1000 ms | **0.81x** | torch |\n"
        "| profile: loss |  |  |  | 12.3 % | 11 to 13 |  |  |  |\n"
        "| rate |  |  |  | 30 images/s |  | 10 images/s | **3.0x** | torch |\n"
        "<!-- end -->\nrest\n"
    )
    record_with_machine = {"machine": {"cpu": "fast", "cpu_cores": 2, "GLIBC_TUNABLES": ""}, "rows": rows}
    (tmp_path / "n.json").write_text(json.dumps(record_with_machine))
    text = (
        "<!-- machine n.json -->\n<!-- end -->\nKept.\n<!-- wide n.json train_step, forward, profile* -->\n<!-- end -->"
    )
    assert tables.filled(text, tmp_path) == (
        "<!-- machine n.json -->\ncpu fast; cpu_cores 2\n<!-- end -->\nKept.\n"
        "<!-- wide n.json train_step, forward, profile* -->\n"
        "| network | batch | train_step | loss | forward |\n| --- | --- | --- | --- | --- |\n"
        "| kscale | 8 | 1234 ms |  | 300 ms |\n|  |  |  | 12.3 % |  |\n<!-- end -->"
    )
    with pytest.raises(InputError, match="n.json: no rows of speed"):
        tables.filled("<!-- table n.json speed -->\n<!-- end -->", tmp_path)


def test_a_file_is_found_from_the_markdown_files_folder(tmp_path):
    rows = [record.row("forward", unit="ms", ours=3.0)]
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "n.json").write_text(json.dumps({"rows": rows}))
    (tmp_path / "docs").mkdir()
    path = tmp_path / "docs" / "speed.md"
    path.write_text("<!-- table ../results/n.json forward -->\n<!-- end -->\n")
    tables.fill(path)
    assert "| forward | 3 ms |" in path.read_text()


def test_scores_of_an_evaluation(tmp_path):
    metrics = dict.fromkeys(("delta1", "delta2", "delta3", "abs_rel", "rmse", "log10", "silog"), 0.25)
    result = {"metrics": metrics, "outputs": {"scale1": metrics | {"silog": 21.5}}, "mean_depth_baseline": metrics}
    (tmp_path / "r.json").write_text(json.dumps(result))
    lines = tables.filled("<!-- scores r.json -->\n<!-- end -->", tmp_path).splitlines()
    assert [line.split(" | ")[0] for line in lines[3:-1]] == ["| **prediction**", "| scale1", "| mean depth image"]
    assert lines[4] == "| scale1 | 0.250 | 0.250 | 0.250 | 0.250 | 0.250 | 0.250 | 21.500 |"


def test_edges_and_aligned_scores_of_an_evaluation(tmp_path):
    metrics = dict.fromkeys(("delta1", "delta2", "delta3", "abs_rel", "rmse", "log10", "silog"), 0.25)
    further = {"aligned": {"median": metrics}, "edges": {"0.05": {"f1": 0.4, "precision": 0.5, "recall": 0.3}}}
    result = {"metrics": metrics, "outputs": {}, "mean_depth_baseline": metrics, "baseline": further} | further
    (tmp_path / "r.json").write_text(json.dumps(result))
    lines = tables.filled("<!-- scores r.json -->\n<!-- end -->", tmp_path).splitlines()
    assert [line.split(" | ")[0] for line in lines[-3:-1]] == [
        "| prediction, median aligned",
        "| mean depth image, median aligned",
    ]
    lines = tables.filled("<!-- edges r.json -->\n<!-- end -->", tmp_path).splitlines()
    assert lines[3] == "| prediction | 0.05 m | 0.500 | 0.300 | 0.400 |"


def test_networks_beside_one_of_an_earlier_version(tmp_path):
    metrics = {"delta1": 0.5, "abs_rel": 0.25, "rmse": 0.75, "log10": 0.125}
    edges = {threshold: {"f1": 0.1 + i} for i, threshold in enumerate(("0.05", "0.125", "0.25"))}
    further = {"aligned": {"median": {"delta1": 0.625, "abs_rel": 0.375}}, "edges": edges}
    old = {"metrics": metrics, "mean_depth_baseline": metrics | {"delta1": 0.0}}
    (tmp_path / "old.json").write_text(json.dumps(old))
    (tmp_path / "new.json").write_text(json.dumps(old | further | {"baseline": {"aligned": {}, "edges": edges}}))
    text = "<!-- networks . the old = old, new one = new -->\n<!-- end -->"
    assert tables.filled(text, tmp_path).splitlines()[1:-1] == [
        "|  | delta1 | abs_rel | rmse | log10 | delta1, median aligned | abs_rel, median aligned "
        "| edges F1, 0.05 m | edges F1, 0.125 m | edges F1, 0.25 m |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        "| the old | 0.500 | 0.250 | 0.750 | 0.125 |  |  |  |  |  |",
        "| new one | 0.500 | 0.250 | 0.750 | 0.125 | 0.625 | 0.375 | 0.100 | 1.100 | 2.100 |",
        "| mean depth image | 0.000 | 0.250 | 0.750 | 0.125 |  |  | 0.100 | 1.100 | 2.100 |",
    ]


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.relative_to(small.ROOT).as_posix())
def test_the_tables_of_the_repository_are_filled(path):
    assert tables.filled(path.read_text(), path.parent) == path.read_text()
