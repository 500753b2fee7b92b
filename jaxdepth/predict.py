"""From a picture to its depth: `load()` a network, then `predict()`; and `predict_files()` for the command line."""

import collections
import dataclasses
import pathlib
import time

import numpy as np
from tqdm import tqdm

from jaxdepth.data.batches import evaluation
from jaxdepth.data.files import videos, writing
from jaxdepth.errors import InputError
from jaxdepth.evaluation import predictions
from jaxdepth.evaluation.protocols import PROTOCOLS
from jaxdepth.evaluation.windows import make_windows
from jaxdepth.geometry import framing
from jaxdepth.geometry.surface import EDGE, check_edge
from jaxdepth.output import encode, picture_paths
from jaxdepth.output import viewer as rerun_viewer
from jaxdepth.paths import PACKAGE, shown
from jaxdepth.prediction import clip, pipeline
from jaxdepth.prediction.job import Work, training_camera
from jaxdepth.prediction.predictor import Prediction, Predictor
from jaxdepth.runs import lineage, trained
from jaxdepth.training import sharding

__all__ = ["Prediction", "Predictor", "Report", "load", "predict_files", "predict_frames"]

_MOSTLY = 0.5  # share of a picture's pixels at an end of the range, from which it is told


def load(folder=PACKAGE, *, step="last"):
    """Loads a trained network.

    Args:
      folder: workdir of a training run, or a packed network; "package" for the network that comes with the package.
      step: a step, "last" or "best".

    Returns:
      A Predictor.

    Raises:
      FileNotFoundError: if there is no run or no such checkpoint.
      InputError: if a file is damaged.
    """
    return Predictor(trained.read(folder, step=step))


@dataclasses.dataclass(frozen=True)
class Report:
    """What `predict_files` did.

    Attributes:
      lines: to print.
      skipped: [(path, why)] of the pictures without a result.
    """

    lines: list[str]
    skipped: list[tuple[str, str]]


def predict_files(
    folder,
    arguments,
    *,
    output=None,
    formats=("npy", "png", "color"),
    step="last",
    batch=8,
    intrinsics=None,
    overwrite=False,
    depth_frames=False,
    smoothing=clip.SMOOTHING,
    edge=EDGE,
    viewer=False,
):
    """Writes the depth of pictures and clips, folders of them, and globs; see `picture_paths.find` for the names.

    NAME.json is written beside the files of each picture. They appear together or not at all. What is there and not
    listed in such a NAME.json is not replaced: the picture is skipped.

    Args:
      folder: workdir of the network, "package" for the one that comes with the package; or a Predictor.
      arguments: paths, folders and globs.
      output: folder for all files; None for `depth` beside each picture.
      formats: some of `encode.FORMATS`.
      step: a step, "last" or "best".
      batch: pictures that go through the network together, at most; fewer if they are large.
      intrinsics: in pixels of the pictures, as far as they are known, see `camera.completed`; None for those of their
        EXIF, or else the training's.
      overwrite: whether to replace files that no earlier prediction has written.
      depth_frames, smoothing: of clips, which come before the pictures: see `clip.predict_clip`.
      edge: degrees; what meshes and recordings leave out, see `geometry.surface`.
      viewer: whether the pictures are shown in Rerun's viewer too.

    Returns:
      A Report.

    Raises:
      InputError: for an unknown format, one whose library is missing, settings out of range, a viewer that does not
        open, or a network whose predictions are not finite.
      OSError: if the workdir cannot be read, `output` cannot be made, or the disk is full; the text then says what is
        done, and what is left.
      KeyboardInterrupt: likewise. What is being written is finished first.
    """
    encode.check(formats)
    check_edge(edge)
    if batch < 1:
        raise InputError(f"batch={batch}: expected 1 or more")
    found, skipped = picture_paths.find(arguments, output=output)
    if output is not None and any(path.is_file() for path, _ in found):
        pathlib.Path(output).mkdir(parents=True, exist_ok=True)
    predictor = folder if isinstance(folder, Predictor) else load(folder, step=step)
    workdir = None if isinstance(folder, Predictor) or folder == PACKAGE else folder
    clips = [item for item in found if videos.is_video(item[0])]
    found = [item for item in found if not videos.is_video(item[0])]
    of_clips = dict(intrinsics=intrinsics, overwrite=overwrite, depth_frames=depth_frames, smoothing=smoothing)
    lines, skipped_clips = _predict_clips(predictor, clips, found, batch=batch, workdir=workdir, **of_clips)
    skipped += skipped_clips
    if clips and not found:
        return Report([*lines, *([_skipped(skipped)] if skipped else [])], skipped)
    devices = sharding.make_mesh().size
    batch = -(-max(1, min(batch, len(found))) // devices) * devices
    start = time.monotonic()
    if viewer and found:
        rerun_viewer.start()
    work = Work(predictor, tuple(formats), intrinsics, overwrite, workdir=workdir, edge=edge, viewer=viewer)
    outcome = pipeline.run(work, found, batch=batch)
    folders = list(dict.fromkeys(pathlib.Path(found[number][1]).parent for number in sorted(outcome.done)))
    report = _report(predictor, outcome, skipped, folders, seconds=time.monotonic() - start)
    return dataclasses.replace(report, lines=lines + report.lines)


def predict_frames(folder, *, output, step="last", batch=8, frames_of=None, **data):
    """Writes the depth of a source's frames as a folder of predictions, which `evaluate.py --predictions` scores.

    Each frame's depth is a file NAME.npy, float32 [H, W] metres at the size of the network's frames, of a test set at
    the size of its truth, named by the frame's id or name. A file predictions.json tells how they were made.

    Args:
      folder: workdir of the network, "package" for the one that comes with the package; or a Predictor.
      output: the folder to write: a new one, an empty one, or one of the same predictions, finished or not.
      step: a step, "last" or "best".
      batch: frames that go through the network together.
      frames_of: another workdir, whose frames are taken where `data` names no others.
      data: which frames, fields of `evaluate.Data`.

    Returns:
      The number of frames.

    Raises:
      InputError: for settings out of range, a damaged file, or a network whose predictions are not finite.
      OSError: if `output` holds something else, cannot be written, or the disk is full.
    """
    from jaxdepth import evaluate  # which draws pages

    if batch < 1:
        raise InputError(f"batch={batch}: expected 1 or more")
    output = pathlib.Path(output)
    writing.check_folder(output)
    earlier = predictions.read_record(output)
    if earlier is None and output.is_dir() and any(output.iterdir()):
        raise FileExistsError(f"output {str(output)!r}: expected a new folder, or one of the same predictions")
    predictor = folder if isinstance(folder, Predictor) else load(folder, step=step)
    run = predictor.trained.run
    frames, split, seen = evaluate.frames_of_run(run, frames_of=frames_of, data=evaluate.Data(**data))
    focal_ratio = framing.frames_focal_ratio(frames.size, frames.intrinsics, predictor.framing)
    record = {
        "network": run.model["name"],
        "workdir": None if isinstance(folder, Predictor) else str(folder),
        "step": predictor.trained.step,
        "trained_on": lineage.in_words(run.trained_on),
        "source": frames.name,
        "split": split.name,
        "split_hash": split.hash,
        "frames_seen_in_training": seen,
        "flip_tta": run.flip_tta,
        "focal_ratio": focal_ratio,
        "frame_size": list(run.frame_size),
        "crop_size": list(run.crop_size),
    }
    if earlier is not None and (other := [name for name in record if earlier.get(name) != record[name]]):
        told = f"{other[0]} {earlier.get(other[0])}, not {record[other[0]]}"
        raise FileExistsError(f"output {str(output)!r}: predictions of {told}: expected a new folder")
    output.mkdir(parents=True, exist_ok=True)
    writing.write_json(output / predictions.RECORD, record | {"complete": False})
    mesh = sharding.make_mesh()
    batch = -(-batch // mesh.size) * mesh.size
    sizes = dict(frame_size=run.frame_size, crop_size=run.crop_size)
    with tqdm(total=len(split.val), unit="frame", disable=None) as bar:
        for examples in evaluation.eval_batches(frames, split.val, batch_size=batch, crop_size=run.crop_size):
            image = sharding.put({"x": examples["image"]}, sharding.batched(mesh))["x"]
            log_depth = predictor.finite(predictor.log_depths(image)[predictor.groups[0]])
            if frames.own_sizes is None:
                depths = np.asarray(framing.extend_to_frame(focal_ratio * np.exp(log_depth), **sizes), np.float32)
            else:
                depths = _own_sizes(frames, examples["index"].tolist(), log_depth, predictor)
            for index, depth, weight in zip(examples["index"], depths, examples["weight"], strict=True):
                if weight:
                    file = output / f"{frames.file_name(int(index))}.npy"
                    file.parent.mkdir(parents=True, exist_ok=True)
                    writing.write_array(file, depth)
                    bar.update(1)
    writing.write_json(output / predictions.RECORD, record | {"complete": True})
    return len(split.val)


def _predict_clips(predictor, clips, pictures, **options):
    """Predicts clips; lines to print, and [(path, why)] of those without a result. `pictures` come after them."""
    lines, skipped = [], []
    for i, (path, name) in enumerate(clips):
        try:
            done = clip.predict_clip(predictor, path, name, **options)
        except (InputError, OSError, KeyboardInterrupt) as error:
            told = [f"clips done: {len(lines)}"]
            if rest := [other for other, _ in (*clips[i + 1 :], *pictures)]:
                told.append(f"files not begun: {len(rest)} ({pipeline.some(rest)})")
            if isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt("; ".join([str(error), *told])) from None
            try:
                skipped.append((str(path), pipeline.reason(error, path)))
            except OSError:  # the disk is full
                raise OSError(error.errno, f"{error.strerror} ({'; '.join(told)})", error.filename) from error
            continue
        line = f"{done.frames} frames of {shown(path)}, {done.frames / done.seconds:.1f} frames/s"
        line += f", {done.skipped} damaged frames left out" if done.skipped else ""
        if done.cut_off:
            line += ", which ends after {:.1f} of {:.1f} s".format(*done.cut_off)
        if done.origin.startswith("training"):
            line += f"; {training_camera(predictor)} is assumed: for another one, give --fx to get metres"
        if done.clipped > _MOSTLY:
            line += "; most of the depth is at an end of its range: is the focal length right?"
        lines.append(line)
    return lines, skipped


def _own_sizes(frames, indices, log_depth, predictor):
    """Depths of pictures with sizes of their own, float32 [h, w] metres each; log depth is [B, h, w] of their crops."""
    windows = make_windows(frames, protocol=PROTOCOLS["full"], crop_size=predictor.framing.crop_size)
    made = windows.of_outputs({"final": np.asarray(log_depth)}, indices, camera=predictor.framing.camera)["final"]
    return [np.exp(windows.own(index, x)) for index, x in zip(indices, made, strict=True)]


def _skipped(skipped):
    """What is skipped and why, in words."""
    paths = collections.defaultdict(list)
    for path, why in skipped:
        paths[why].append(path)
    return f"{len(skipped)} skipped: " + "; ".join(f"{pipeline.some(of_one)} ({why})" for why, of_one in paths.items())


def _report(predictor, outcome, skipped, folders, *, seconds):
    """The Report: whose camera is assumed or doubtful, what was done and in which folders, and what was not."""
    lines, done = [], [outcome.done[number] for number in sorted(outcome.done)]
    skipped = skipped + [outcome.skipped[number] for number in sorted(outcome.skipped)]

    def of_all(found):
        return f"{len(found)} of {len(done)} picture{'s' * (len(done) != 1)}"

    if assumed := [picture for picture in done if picture.origin.startswith("training")]:
        lines.append(
            f"{training_camera(predictor)} is assumed for {of_all(assumed)}: for another camera, "
            "give --fx to get metres"
        )
    if ignored := [picture for picture in assumed if picture.origin != "training"]:
        lines.append(
            f"warning: EXIF's focal length is no camera's in {of_all(ignored)}, first {shown(ignored[0].path)}"
        )
    if clipped := [picture for picture in done if picture.clipped > _MOSTLY]:
        lines.append(
            f"warning: most of the depth is at an end of its range in {of_all(clipped)}, first "
            f"{shown(clipped[0].path)}: is the focal length right?"
        )
    if unseen := [picture for picture in done if picture.not_shown]:
        lines.append(f"warning: {of_all(unseen)} not shown, whose files are written: {unseen[0].not_shown}")
    told = f", in {pipeline.some(folders)}" if folders else ""
    told += f", {_skipped(skipped)}" if skipped else ""
    lines.append(f"{len(done)} picture{'s' * (len(done) != 1)}, {len(done) / seconds:.1f} images/s{told}")
    return Report(lines, skipped)
