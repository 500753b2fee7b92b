"""Evaluates a checkpoint, or a folder of any network's predictions, under a protocol; compares results."""

import dataclasses
import hashlib
import pathlib

import numpy as np

from jaxdepth import config as settings
from jaxdepth.data import splits
from jaxdepth.data.files.writing import check_output, json_bytes, write_together
from jaxdepth.data.sources import selection, testsets
from jaxdepth.errors import InputError
from jaxdepth.evaluation import comparison, mean_depth, measures, protocols, report, scorer
from jaxdepth.evaluation import predictions as files
from jaxdepth.evaluation.examination import Examination
from jaxdepth.evaluation.page import report as pages
from jaxdepth.geometry import framing
from jaxdepth.paths import PACKAGE, expanded, network_folder
from jaxdepth.runs import lineage, record, trained, workdir
from jaxdepth.training import sharding

_PAPER_SIZES = dict(frame_size=(240, 320), crop_size=(228, 304))  # of frames for predictions that name no other
_BATCH = 8  # frames of predictions that are scored together
_OF_NETWORK = ("flip_tta", "focal_ratio", "trained_on", "frames_seen_in_training")


@dataclasses.dataclass(frozen=True)
class Rules:
    """How predictions are scored; see `protocols`.

    Attributes:
      protocol: name of a protocol; None for the usual one of the source.
      truth: "filled" or "raw" depth of NYU's file; None for the run's, or filled.
      resize: what is interpolated where a prediction has another size, one of `framing.RESIZES`.
      pooling: one of `protocols.POOLINGS`.
      max_depth: metres; truth beyond it is not scored, predictions are clipped to it. None for a test set's usual cap,
        else the run's, or 10 m.
      measures: names of the further measures, see `measures.chosen`.
    """

    protocol: str | None = None
    truth: str | None = None
    resize: str = "depth"
    pooling: str = "images"
    max_depth: float | None = None
    measures: tuple[str, ...] = (measures.STANDARD,)

    def chosen(self, source):
        """The Protocol for a source, and the names of the further measures; raises InputError for an unknown name."""
        if self.truth not in (None, "filled", "raw"):
            raise InputError(f"truth={self.truth!r}: expected filled or raw")
        name = self.protocol or usual_protocol(source)
        chosen = protocols.choose(name, resize=self.resize, pooling=self.pooling)
        return chosen, measures.chosen(self.measures)


@dataclasses.dataclass(frozen=True)
class Data:
    """Which frames are scored.

    Attributes:
      source: of the frames; None for the run's.
      path: where the source lies; None for the run's path.
      split: whose validation frames, or "all" for every frame; None for the run's.
      image, depth: patterns of a folder's files, see `pairs.find`; None for the run's.
      depth_scale: metres per unit of a folder's depths; None for the run's.
      intrinsics: of a folder's pictures, see `camera.completed`; None for the run's.
      invalid: depths in metres that are no measurement; None for the run's, if the source is.
    """

    source: str | None = None
    path: str | None = None
    split: str | None = None
    image: str | None = None
    depth: str | None = None
    depth_scale: float | None = None
    intrinsics: tuple[float, ...] | None = None
    invalid: tuple[float, ...] | None = None

    def __post_init__(self):
        if self.split is not None:
            splits.check_name(self.split)

    def open(self, arguments, rules):
        """Opens the frames; `arguments` are those of `selection.open_frames` where nothing is given."""
        of_folders = dict(image=self.image, depth_files=self.depth, depth_scale=self.depth_scale)
        of_folders |= dict(intrinsics=self.intrinsics)
        if arguments["source"] != "folder" and (wrong := [k for k, value in of_folders.items() if value is not None]):
            told = f"{wrong[0].removesuffix('_files')}={of_folders[wrong[0]]}"
            raise InputError(f"{told}: only for source=folder; the source is {arguments['source']}")
        cap = rules.max_depth
        if cap is None and arguments["source"] in testsets.KINDS:
            cap = testsets.KINDS[arguments["source"]].max_depth
        given = of_folders | dict(invalid=self.invalid, max_depth=cap, depth=rules.truth)
        return selection.open_frames(**arguments | {k: value for k, value in given.items() if value is not None})


def usual_protocol(source):
    """The name of the protocol that is usual for a source, or for a run's where it is None."""
    return testsets.KINDS[source].protocol if source in testsets.KINDS else "eigen_crop"


def options_of(options):
    """Keyword arguments as the (Data, Rules) whose fields they are; raises TypeError for any other."""
    parts = [{field.name for field in dataclasses.fields(of)} for of in (Data, Rules)]
    if unknown := options.keys() - parts[0] - parts[1]:
        raise TypeError(f"{min(unknown)}: expected fields of Data and Rules")
    return tuple(
        of(**{name: options[name] for name in names & options.keys()})
        for of, names in zip((Data, Rules), parts, strict=True)
    )


def evaluate_checkpoint(folder, *, step="last", frames_of=None, output=None, **options):
    """Evaluates a checkpoint of a run.

    Args:
      folder: workdir of the run, or a packed network.
      step: a step, "last" or "best".
      frames_of: another workdir, whose frames are taken where `options` name no others.
      output: a JSON file to write, beside it a page to read (.html) and a table of the frames (.csv); or None.
      options: which frames, and how they are scored: fields of `Data` and `Rules`.

    Returns:
      The result, see `report.result`, with "checkpoint".

    Raises:
      InputError: for an unknown protocol, measure, source or split, a damaged file, or predictions that are not finite.
      FileNotFoundError: for a workdir without a run or checkpoint, or an output in a missing folder.
    """
    data, rules = options_of(options)
    protocol, names = rules.chosen(data.source)
    _check_outputs(output)
    run = record.read(network_folder(folder))
    frames, split, seen = frames_of_run(run, frames_of=frames_of, data=data, rules=rules)
    network = trained.read(folder, step=step)
    focal_ratio = framing.frames_focal_ratio(frames.size, frames.intrinsics, network.framing)
    crop_size = network.framing.crop_size
    mesh = sharding.make_mesh()
    made = _score(
        frames,
        split.val,
        protocol=protocol,
        names=names,
        mesh=mesh,
        outputs=scorer.network_outputs(network.network, flip_tta=run.flip_tta, focal_ratio=focal_ratio),
        groups=network.network.groups,
        variables=network.variables,
        mean_depth_image=workdir.read_mean_depth(network_folder(folder), size=run.frame_size),
        batch_size=-(-run.config["batch_size"] // mesh.size) * mesh.size,  # the last batch is padded anyway
        crop_size=crop_size,
        camera=network.framing.camera,
    )
    groups = network.network.groups
    if bad := [name for name in groups if not np.isfinite(made.per_frame[name]["mean_log_depth"]).all()]:
        raise InputError(
            f"{folder}: output {bad[0]} of step {network.step} is not finite: expected weights of a sound training"
        )
    described = protocol.describe(frames, split, crop_size=crop_size) | {
        "network_input": protocols.network_input(frames.size, crop_size=crop_size),
        "flip_tta": run.flip_tta,
        "focal_ratio": focal_ratio,
        "trained_on": lineage.in_words(run.trained_on),
        "frames_seen_in_training": seen,
    }
    if frames.own_sizes is not None:
        described |= {"cameras": _cameras(frames, split.val)}
    if run.mean_depth_frames:
        described["mean_depth_image"] = f"of {run.mean_depth_frames} of {run.train_frames} training frames"
    judged = {"checkpoint": {"workdir": str(folder), "step": network.step}}
    return _finish(made, frames, split.val, described, judged, rules=rules, output=output)


def frames_of_run(run, *, frames_of=None, data=Data(), rules=Rules()):
    """Opens the frames that a run's network is evaluated on.

    Args:
      run: its RunRecord.
      frames_of: another workdir, whose frames are taken where `data` names no others.
      data, rules: see `Data` and `Rules`.

    Returns:
      A Frames, a Split, whose `val` are the frames, and how many of them the network has seen in training, see
      `lineage.count_seen`.
    """
    other = record.read(network_folder(frames_of)).config if frames_of else run.config
    there = dict(source=data.source, path=data.path, frame_size=run.config["data"]["frame_size"])
    frames = data.open(settings.source_arguments(other, **there), rules)
    split = splits.split(data.split or other["data"]["split"], frames.ids, lists=frames.splits, parts=("val",))
    return frames, split, lineage.count_seen(run, frames, split.val, path=data.path or other["data"]["path"])


def evaluate_predictions(folder, *, kind="depth", scale=None, key=None, allow_missing=False, output=None, **options):
    """Evaluates a folder of depth maps, of any network.

    Args:
      folder: the folder, or a pattern of files in it; see `predictions.find` for their names.
      kind, scale, key: what the files hold, see `predictions.Reader`.
      allow_missing: whether frames may be without a file; they are counted and not scored.
      output: as for `evaluate_checkpoint`.
      options: as for `evaluate_checkpoint`. By default the source is "nyu", and the split "official" for NYU.

    Returns:
      The result, see `report.result`, with "predictions". There is no baseline where the split has no training frames.

    Raises:
      InputError: for an unknown protocol, measure, source, split or kind; predictions that are missing, not readable or
        of another shape; an unwritable output.
      FileNotFoundError: if there is no such folder.
    """
    data, rules = options_of(options)
    protocol, names = rules.chosen(data.source)
    files.check_kind(kind, scale)
    made_by = files.record_of(folder)
    _check_outputs(output)
    sizes = {name: tuple((made_by or _PAPER_SIZES)[name]) for name in _PAPER_SIZES}
    arguments = dict(source=data.source or "nyu", path=data.path, frame_size=sizes["frame_size"])
    frames = data.open(arguments, rules)
    wanted = data.split or (made_by["split"] if made_by else "official")
    split = splits.split(wanted, frames.ids, lists=frames.splits, parts=("val",))
    listing = files.find(folder, frames, split.val, allow_missing=allow_missing)
    indices = np.array([index for index in split.val if int(index) in listing.files])
    mesh = sharding.make_mesh()
    held = dict(kind=kind, scale=scale, key=key)
    reader = files.Reader(listing, frames, **held, protocol=protocol, crop_size=sizes["crop_size"])
    made = _score(
        frames,
        indices,
        protocol=protocol,
        names=names,
        mesh=mesh,
        load=reader,
        is_disparity=kind == "disparity",
        groups=(scorer.FINAL,),
        mean_depth_image=mean_depth.mean_depth_image(frames, split.train) if len(split.train) else None,
        batch_size=-(-_BATCH // mesh.size) * mesh.size,
        crop_size=sizes["crop_size"],
    )
    described = protocol.describe(frames, split, crop_size=sizes["crop_size"])
    described["resize"] = f"bilinear {rules.resize.replace('_', ' ')}, averaged where it shrinks"
    if made_by and made_by.get("split_hash") == split.hash:
        described |= {name: made_by[name] for name in _OF_NETWORK if name in made_by}
    if kind != "depth":
        described["scale_shift_in"] = "disparity"
    if kind == "disparity":
        described["fitted"] = "scale and shift of the disparity, to each frame's truth by least squares in 1 / metres"
    judged = {"predictions": reader.describe() | {"warnings": reader.warnings(made.per_frame[scorer.FINAL])}}
    return _finish(made, frames, indices, described, judged, rules=rules, output=output)


def compare(paths, *, output=None):
    """Compares results of the same frames under the same protocol: each with the first, frame by frame.

    Args:
      paths: JSON files of `evaluate_checkpoint` or `evaluate_predictions`, two or more.
      output: a page to write (.html), or None.

    Returns:
      A comparison.Comparison.

    Raises:
      InputError: for results of other frames or protocols, files that are no results, or a page not called .html.
      OSError: if a file cannot be read, or the page not be written.
    """
    if output is not None and pathlib.Path(output).suffix != ".html":  # the JSON of a result must not become a page
        raise InputError(f"output {str(output)!r}: expected a page, such as compared.html")
    check_output(output)
    compared = comparison.compare(paths)
    if output is not None:
        write_together({output: pages.comparison_page(compared.results, compared.differences)})
    return compared


def default_output(folder, *, step="last", **options):
    """The file for a result in the run's workdir, or the folder of predictions; its name tells what was evaluated.

    Args:
      folder: workdir of the run; or folder of predictions, or a pattern of files in it.
      step, options: as for `evaluate_checkpoint`.

    Returns:
      A pathlib.Path, such as WORKDIR/evaluation-full-folder-kitchen-1b2c3d.json; of "package" in the present folder.
    """
    data, rules = options_of(options)
    folder = files.folder_of(folder) if files.is_pattern(folder) else folder
    parts = [PACKAGE if folder == PACKAGE else None, rules.protocol or usual_protocol(data.source), data.source]
    folder = "" if folder == PACKAGE else folder
    if data.path is not None:
        resolved = expanded(data.path).resolve()
        parts += [resolved.stem, hashlib.sha256(str(resolved).encode()).hexdigest()[:6]]
    parts += [data.split, None if step == "last" else step, rules.truth]
    parts += [None if rules.max_depth is None else f"max{rules.max_depth:g}"]
    parts += [f"without{value:g}" for value in data.invalid or ()]
    parts += [f"camera{'x'.join(f'{value:g}' for value in data.intrinsics)}" if data.intrinsics else None]
    parts += [value for value, usual in ((rules.resize, "depth"), (rules.pooling, "images")) if value != usual]
    return pathlib.Path(folder, "-".join(["evaluation", *(str(part) for part in parts if part is not None)]) + ".json")


@dataclasses.dataclass(frozen=True)
class _Made:
    """What scoring gives: values of each frame, and what `Examination.finish` returns."""

    per_frame: dict
    groups: tuple
    breakdown: dict
    best: list
    worst: list


def _score(frames, indices, *, protocol, names, crop_size, groups, outputs=None, variables=None, **options):
    """Scores and examines all frames."""
    sizes = dict(protocol=protocol, crop_size=crop_size)
    examination = Examination(frames, indices, names=names, final=groups[0], **sizes)
    with examination:
        score = scorer.make_scorer(
            outputs, frames, indices=indices, groups=groups, examine=examination, progress=True, **sizes, **options
        )
        per_frame = score(variables)
        further, breakdown, best, worst = examination.finish()
    per_frame = {name: values | further.get(name, {}) for name, values in per_frame.items()}
    return _Made(per_frame, groups, breakdown, best, worst)


def _cameras(frames, indices):
    """In words, whether the cameras of pictures with sizes of their own are known."""
    known = sum(frames.own_sizes.cameras[index] is not None for index in indices)
    if not known:
        return "unknown: depths are as for the camera of the training"
    rest = f", of {len(indices) - known} unknown" if known < len(indices) else ""
    return f"each picture's own{rest}: depths are multiplied by the ratio of its focal length to that of the training"


def _finish(made, frames, indices, described, judged, *, rules, output):
    """Makes the result, and writes its files."""
    result = report.result(
        made.per_frame,
        made.groups,
        described,
        judged=judged,
        pooling=rules.pooling,
        breakdown=made.breakdown,
        frames=report.names_and_groups(frames, indices),
    )
    if output is not None and sharding.is_main_process():
        shown = report.shown(made.best, made.worst, result)
        contents = report.csv_bytes(result), pages.page(result, shown), json_bytes(result)
        write_together(dict(zip(_outputs(output), contents, strict=True)))
    return result


def _outputs(output):
    """The table, the page and the JSON of a result, which appears last: it is never there without the others."""
    path = pathlib.Path(output)
    return [path.with_suffix(".csv"), path.with_suffix(".html"), path]


def _check_outputs(output):
    """Raises InputError or OSError, before the work, for an output that cannot be written."""
    if output is None:
        return
    if not pathlib.Path(output).name or pathlib.Path(output).suffix in (".csv", ".html"):
        raise InputError(f"output {str(output)!r}: expected a JSON file, such as evaluation.json")
    for path in reversed(_outputs(output)):
        check_output(path)
