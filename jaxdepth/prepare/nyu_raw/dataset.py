"""From NYU Depth V2's raw recordings to a data set for training, in steps that can be interrupted anywhere."""

import collections
import contextlib
import functools
import hashlib
import io
import json
import math
import os
import pathlib
import shutil
import sys

import filelock
import numpy as np
from PIL import Image

from jaxdepth import advice
from jaxdepth.data.files.writing import check_folder, check_output, is_growing, json_bytes, write_atomically
from jaxdepth.data.sources import nyu, tfds_shards
from jaxdepth.data.splits import scene_of
from jaxdepth.errors import InputError
from jaxdepth.geometry.camera import NYU_SIZE
from jaxdepth.output import figures
from jaxdepth.paths import shown
from jaxdepth.prepare.nyu_raw import parallel, parts, recordings, shards
from jaxdepth.runs import lock

_SHOWN = 12  # frames of the contact sheet
_TOLD = 10  # failures that are named
_MOST_FRAMES = 1_000_000  # of a scene
_PREPARED = "prepared.json"
_DESCRIPTION = (
    "Training frames of NYU Depth V2's raw recordings (Silberman 2012): pictures and projected depth of the Kinect, "
    "undistorted, as its colour camera sees them."
)


def prepare(raw, to, settings, *, labeled=None, all_scenes=False, workers=1, options="", sheet=None):
    """Makes the data set nyu_depth_v2_raw (nyu_depth_v2_raw_filled, where holes are filled) from raw recordings.

    The same command goes on where an earlier one ended, and the result is the same, bit for bit.

    Args:
      raw: the folder of the recordings, see `recordings.find`.
      to: where the data set's own folder is created.
      settings: a parts.Settings.
      labeled: the labelled .mat file, which says what the scenes of the official test frames are: they are left out.
      all_scenes: whether they are not.
      workers, options: see `parallel.each`.
      sheet: a PNG to write, with some pictures beside their depths; None for no file.

    Returns:
      The exit code of the command: 1 if some recordings or shards could not be made, which are named.

    Raises:
      InputError: for settings out of range or other than those of the data set that is there.
      OSError: if files cannot be read or written, or a worker is lost.
    """
    _check(settings, workers)
    if (labeled is None) == (not all_scenes):
        raise InputError(
            "--labeled=nyu_depth_v2_labeled.mat or --all_scenes: expected one of them: that file says which scenes the "
            "official test frames are from, and these are left out"
        )
    parallel.check_options(options)
    dataset = "nyu_depth_v2_raw_filled" if settings.fill else "nyu_depth_v2_raw"
    folder = pathlib.Path(to, dataset)
    check_folder(folder, advice="give another --to")
    check_output(sheet)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        final, work = folder / tfds_shards.VERSION, folder / f"{tfds_shards.VERSION}.incomplete"
        decided = {"settings": settings._asdict(), "all_scenes": all_scenes}
        if os.path.lexists(final):
            _check_same(final, decided)
            print(f"{final} is there and kept")
        else:
            run = functools.partial(_run, workers=workers, options=options, folder=folder)
            failed = _make(raw, folder / "parts", work, settings, dataset, labeled, sheet, decided, run)
            if failed:
                return _tell(failed)
            work.rename(final)
        for part in ("parts", parallel.LOG, parallel.ELEMENTS):
            _remove(folder / part)
    print(advice.train("--config.data.source=tfds", f"--config.data.path={folder}"))
    return 0


def _check(settings, workers):
    """Raises InputError for settings out of range."""
    for name, value in (("count", settings.count), ("workers", workers)):
        if value < 1:
            raise InputError(f"--{name}={value}: expected 1 or more")
    if settings.count > _MOST_FRAMES:
        raise InputError(f"--count={settings.count}: expected at most {_MOST_FRAMES}")
    h, w = settings.size
    if not (1 <= h <= NYU_SIZE[0] and 1 <= w <= NYU_SIZE[1]):
        raise InputError(f"--size={w}x{h}: expected WIDTHxHEIGHT from 1x1 to {NYU_SIZE[1]}x{NYU_SIZE[0]}")
    if not 0 < settings.max_gap < math.inf:
        raise InputError(f"--max_gap={settings.max_gap}: expected seconds above 0")


@contextlib.contextmanager
def _alone(folder):
    """Makes this process the only one that writes into a folder, while the context lasts. Left empty, it is removed."""
    try:
        held = lock.acquire(folder)
    except filelock.Timeout:
        raise InputError(f"{folder} is being written by another process: wait for its end or stop it") from None
    try:
        yield
    finally:
        if held is not None:
            _remove(folder / lock.NAME)
            held.release()
            with contextlib.suppress(OSError):  # it holds something
                folder.rmdir()


def _check_same(final, decided):
    """Raises InputError unless the data set that is there is one of these settings."""
    try:
        there = json.loads((final / _PREPARED).read_text())
        settings, all_scenes = dict(there["settings"]), there["all_scenes"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{final} is there, but not from this command: give another --to") from error
    there = {"settings": settings, "all_scenes": all_scenes}
    if there != json.loads(json.dumps(decided)):
        raise InputError(f"{final} is there, of other settings ({_in_words(there)}): remove it, or give another --to")


def _in_words(decided):
    settings = decided["settings"] | {"all_scenes": decided["all_scenes"]}
    return ", ".join(f"{name}={value}" for name, value in settings.items())


def _make(raw, parts_folder, work, settings, dataset, labeled, sheet, decided, run):
    """Makes the data set in the folder `work`; returns [(what, why)] of what failed, and then it is not complete."""
    tests = frozenset() if labeled is None else nyu.official_test_scenes(labeled)
    found = recordings.find(raw)
    for what, why in found.twice:
        print(f"left out: {what}: {why}")
    wanted = _without(found.recordings, tests)
    if not wanted:
        raise InputError(f"{raw}: all {len(found.recordings)} recordings are of scenes of the official test frames")
    planned = parts.planned(wanted, parts_folder, settings)
    failed = run(functools.partial(parts.make, settings), planned, parts.is_complete, what="part")
    if failed := found.unreadable + failed:
        return failed
    told = {part.path: parts.read(part) for part in planned}
    cut = shards.planned(told, work, dataset=dataset, size=settings.size)
    if not cut[0].frames:
        raise InputError(f"{raw}: no frame: {_left_out(told) or 'no picture'}")
    _begin(work, decided | {"parts": hashlib.sha256("".join(path.name for path in told).encode()).hexdigest()})
    failed = run(functools.partial(shards.make, settings.size), cut, shards.is_complete, what="shard")
    if failed:
        return failed
    frames = [frame for shard in cut for frame in shard.frames]
    for path in set(work.iterdir()) - {work / _PREPARED, *(work / shard.path.name for shard in cut)}:
        _remove(path)  # of an earlier end
    tfds_shards.write_table(
        work / "frames.csv", [(frame.full_name, frame.scene, frame.seconds, frame.gap) for frame in frames]
    )
    size = sum(shard.path.stat().st_size for shard in cut)
    tfds_shards.write_metadata(
        work,
        dataset=dataset,
        size=settings.size,
        shard_lengths=[len(shard.frames) for shard in cut],
        shard_bytes=size,
        description=_DESCRIPTION,
        homepage=nyu.PAGE,
    )
    if sheet is not None:
        _draw(sheet, frames, title=dataset)
    scenes = {scene_of(part["scene"]) for part in told.values() if part["frames"]}
    print(f"{len(frames)} frames of {len(scenes)} scenes, {size / 1e9:.3g} GB, shards: {len(cut)}")
    if labeled is not None:
        print(f"left out: {len(found.recordings) - len(wanted)} recordings of scenes of the official test frames")
    if left_out := _left_out(told):
        print(f"left out{' of the others' if labeled else ''}: {left_out}")
    each = [frame for part in told.values() for frame in part["frames"]]
    print(
        f"depth: median of the frames' medians {np.median([frame['median'] for frame in each]):.2f} m, "
        f"{np.mean([frame['without_depth'] for frame in each]):.1%} of the pixels without depth"
    )
    if sheet is not None:
        print(f"contact sheet: {sheet}")
    return []


def _without(found, tests):
    """The recordings of scenes other than those of the test frames."""
    tests = {scene_of(name) for name in tests}
    return [recording for recording in found if scene_of(recording.scene) not in tests]


def _left_out(told):
    """How many colour pictures were left out of the parts, and why, in words."""
    counts = sum((collections.Counter(part["left_out"]) for part in told.values()), collections.Counter())
    return ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))


def _run(function, items, is_complete, *, what, workers, options, folder):
    """Makes items, see `parallel.each`, that have a path each, in one place; returns [(name, why)] of the failures."""
    place = items[0].path.parent
    place.mkdir(exist_ok=True)
    for path in place.iterdir():
        if is_growing(path) or parts.is_note(path):
            path.unlink()
    missing = [item for item in items if not is_complete(item)]
    names = {item.path.name for item in items}
    parallel.each(
        function,
        missing,
        workers=min(workers, len(missing)),
        options=options,
        done=lambda: len(names.intersection(os.listdir(place))),
        total=len(items),
        what=what,
        folder=folder,
    )
    return [
        (item.path.name, parts.failure(item.path) or f"no {what} was written; {folder / parallel.LOG} may tell why")
        for item in missing
        if not is_complete(item)
    ]


def _tell(failed):
    """Prints what failed, and why."""
    for what, why in failed[:_TOLD]:
        print(f"error: {shown(what)}: {why}", file=sys.stderr)
    if len(failed) > _TOLD:
        print(f"error: ... and {len(failed) - _TOLD} more", file=sys.stderr)
    print(f"{len(failed)} failed, all else is done: the same command goes on from there", file=sys.stderr)
    return 1


def _begin(work, prepared):
    """Makes the folder in which the data set grows; what is there stays if it is of the same parts and settings."""
    content = json_bytes(prepared)
    with contextlib.suppress(OSError):
        if (work / _PREPARED).read_bytes() == content:
            return
    _remove(work)
    work.mkdir()
    write_atomically(work / _PREPARED, content)


def _remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _draw(sheet, frames, *, title):
    """Writes the contact sheet: frames evenly chosen, in their order."""
    chosen = [frames[i] for i in np.unique(np.linspace(0, len(frames) - 1, _SHOWN).astype(int))]
    pictures, depths = [], []
    for frame in chosen:
        ((_, png, depth),) = parts.read_frames(frame.part, [frame.name])
        with Image.open(io.BytesIO(png)) as picture:
            pictures.append(np.asarray(picture))
        depths.append(depth.astype(np.float32))
    titles = [frame.scene for frame in chosen]
    figures.panel(sheet, np.stack(pictures), {"depth": np.stack(depths)}, row_titles=titles, title=title)
