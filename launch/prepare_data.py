"""Gets data, looks at it before training, and manages the cache: `python launch/prepare_data.py COMMAND`.

COMMAND is nyu, nyu_raw RAW_FOLDER, tfds, check FOLDER, rooms [FOLDER], compare SOURCE[:PATH] ..., cache, or cache
remove NAME ...|all.
"""

import inspect
import os
from collections.abc import Callable
from typing import NamedTuple

from absl import app, flags

from jaxdepth import advice, cli

_IMAGE = flags.DEFINE_string(
    "image", None, "check: pattern of the pictures, such as images/*.jpg; default: the usual layouts."
)
_DEPTH = flags.DEFINE_string(
    "depth", None, "check: pattern of the depths, such as depths/*.png; default: the usual layouts."
)
_DEPTH_SCALE = flags.DEFINE_float(
    "depth_scale", None, "check: metres per unit; default: .001 for integers, 1 for floating point."
)
_INTRINSICS = cli.define_intrinsics("check's pictures", "unknown")
_INVALID = flags.DEFINE_list("invalid", [], "check: depths in metres that are no measurement, such as 65.535.")
_MAX_DEPTH = flags.DEFINE_float(
    "max_depth", None, "check: metres up to which depth counts; default: 10, or what is usual for the test set."
)
_KIND = flags.DEFINE_string(
    "kind", None, "check: a test set's name (--source of evaluate.py), such as ibims; default: a folder of your own."
)
_FROM = flags.DEFINE_string("from", None, "nyu, tfds: the .mat file or its folder; default: download it.")
_TO = flags.DEFINE_string("to", "data", "nyu, nyu_raw, tfds: folder for the download and the dataset.")
_URL = flags.DEFINE_multi_string(
    "url", [], "nyu, tfds: mirrors to try before the authors' address; give it again for each."
)
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "The picture to write; default: contact_sheet.png for check, nyu_raw and rooms, depths.png for compare.",
)
_COUNT = flags.DEFINE_integer(
    "count", None, "rooms FOLDER: number of pictures; default: 250. nyu_raw: frames of a scene, at most; default: 100."
)
_ZOOM = flags.DEFINE_float("zoom", 1.5, "rooms FOLDER: focal length, as a multiple of NYU's; 1 to 4.")
_SIZE = flags.DEFINE_string(
    "size", "320x240", "nyu_raw: WIDTHxHEIGHT of the frames: the largest central part of that shape."
)
_MAX_GAP = flags.DEFINE_float("max_gap", 0.05, "nyu_raw: seconds between a picture and its depth, at most.")
_FILL = flags.DEFINE_bool("fill", False, "nyu_raw: fill the holes in the depth, as NYU's toolbox does.")
_LABELED = flags.DEFINE_string(
    "labeled", None, "nyu_raw: nyu_depth_v2_labeled.mat, to leave out the scenes of the official test frames."
)
_ALL_SCENES = flags.DEFINE_bool("all_scenes", False, "nyu_raw: keep the scenes of the official test frames too.")
_WORKERS = flags.DEFINE_integer("workers", None, "nyu_raw: processes; default: one for each core.")
_BEAM_OPTIONS = flags.DEFINE_string(
    "beam_pipeline_options",
    None,
    "nyu_raw: options of Apache Beam, such as '--runner=FlinkRunner ...'; default: this machine.",
)
_SHEET = "contact_sheet.png"


def _nyu():
    from jaxdepth.data.sources import nyu, selection
    from jaxdepth.prepare import summary

    path = _FROM.value or nyu.fetch(_TO.value, _URL.value)
    print(summary.summary(selection.open_frames("nyu", path=path)))
    print(advice.train(f"--config.data.path={path}"))


def _tfds():
    from jaxdepth.data.sources import nyu, selection, tfds_builder
    from jaxdepth.prepare import summary

    file, _ = selection.find_nyu(_FROM.value or nyu.fetch(_TO.value, _URL.value))
    folder = tfds_builder.prepare(file, _TO.value)
    print(summary.summary(selection.open_frames("tfds", path=folder)))
    print(advice.train("--config.data.source=tfds", f"--config.data.path={folder}"))


def _nyu_raw(folder):
    from jaxdepth.prepare.nyu_raw import dataset, parts

    width, height = cli.size("size", _SIZE.value)
    return dataset.prepare(
        folder,
        _TO.value,
        parts.Settings(100 if _COUNT.value is None else _COUNT.value, (height, width), _MAX_GAP.value, _FILL.value),
        labeled=_LABELED.value or None,
        all_scenes=_ALL_SCENES.value,
        workers=os.cpu_count() if _WORKERS.value is None else _WORKERS.value,
        options=_BEAM_OPTIONS.value or "",
        sheet=_OUTPUT.value or _SHEET,
    )


def _check(folder):
    if _KIND.value is not None:
        return _check_testset(folder)
    from jaxdepth.prepare import check

    report = check.check(
        folder,
        image=_IMAGE.value,
        depth=_DEPTH.value,
        depth_scale=_DEPTH_SCALE.value,
        intrinsics=cli.intrinsics(_INTRINSICS),
        invalid=cli.numbers("invalid", _INVALID.value),
        max_depth=10.0 if _MAX_DEPTH.value is None else _MAX_DEPTH.value,
        sheet=_OUTPUT.value or _SHEET,
    )
    print(cli.in_own_flags(str(report)))
    if report.errors:
        return 1
    settings = {"image": _IMAGE.value, "depth": _DEPTH.value, "depth_scale": _DEPTH_SCALE.value}
    settings = {f"folder.{name}": value for name, value in settings.items()}
    if camera := cli.intrinsics(_INTRINSICS):
        settings["folder.intrinsics"] = f"({','.join(map(str, camera))})"
    settings |= {"invalid": ",".join(_INVALID.value) or None, "max_depth": _MAX_DEPTH.value}
    given = [f"--config.data.{name}={value}" for name, value in settings.items() if value is not None]
    print(advice.train(f"--config.data.path={folder}", *given, config="best.py:finetune"))
    return 0


def _check_testset(folder):
    cli.only_with("a folder of your own, not with --kind", ("image", "depth", "depth_scale", "invalid", *_INTRINSICS))
    from jaxdepth.prepare import check_testset

    report = check_testset.check(_KIND.value, folder, max_depth=_MAX_DEPTH.value, sheet=_OUTPUT.value or _SHEET)
    print(report)
    if report.errors:
        return 1
    command = advice.command("evaluate", "--workdir=package", f"--source={_KIND.value}", f"--path={folder}")
    print(f"next: {command}")
    return 0


def _rooms(folder=None):
    if folder is not None:
        return _rooms_folder(folder)
    from jaxdepth.prepare.contact_sheet import contact_sheet

    contact_sheet(path := _OUTPUT.value or _SHEET)
    print(f"twelve rooms: {path}")


def _rooms_folder(folder):
    from jaxdepth.prepare import rooms_folder

    count = 250 if _COUNT.value is None else _COUNT.value
    camera = rooms_folder.write(folder, count=count, zoom=_ZOOM.value)
    print(f"{count} pictures and depths: {folder}")
    values = ",".join(f"{value:.1f}" for value in camera)
    print(f"their camera: '--config.data.folder.intrinsics=({values})'")
    given = [f"--{name}={value:.1f}" for name, value in camera._asdict().items()]
    print(f"next: {advice.command('prepare_data', 'check', folder, *given)}")


def _compare(first, *others):
    from jaxdepth.prepare import compare_sources

    found = compare_sources.compare([first, *others], plot=(path := _OUTPUT.value or "depths.png"))
    for name, statistics in found.items():
        print(f"{name}: {statistics.summary()}")
    print(f"plot: {path}")


def _cache(*arguments):
    from jaxdepth.data import cache

    match arguments:
        case ():
            entries, verb = cache.entries(), "kept in"
        case ("remove", _, *_):
            entries, verb = cache.remove(arguments[1:]), "removed from"
        case _:
            raise _usage()
    for entry in entries:
        print(entry)
    print(f"{len(entries)} entries, {sum(entry.size for entry in entries) / 1e6:.1f} MB, {verb} {cache.root()}")


class _Command(NamedTuple):
    run: Callable
    arguments: str = ""


_COMMANDS = {
    "nyu": _Command(_nyu),
    "nyu_raw": _Command(_nyu_raw, "RAW_FOLDER"),
    "tfds": _Command(_tfds),
    "check": _Command(_check, "FOLDER"),
    "rooms": _Command(_rooms, "[FOLDER]"),
    "compare": _Command(_compare, "SOURCE[:PATH] ..."),
    "cache": _Command(_cache, "[remove NAME ...|all]"),
}


def _usage(command=None):
    commands = ", ".join(f"{name} {command.arguments}".strip() for name, command in _COMMANDS.items())
    given = "" if command in (None, *_COMMANDS) else f"{command}: no such command: "
    return app.UsageError(f"{given}expected {commands}")


def main(argv):
    try:
        command = _COMMANDS[argv[1]]
        inspect.signature(command.run).bind(*argv[2:])
    except (IndexError, KeyError, TypeError):
        raise _usage(*argv[1:2]) from None
    return command.run(*argv[2:])


if __name__ == "__main__":
    cli.run(main)
