"""Get data and look at it before training: `python launch/prepare_data.py nyu`, `.. tfds`, `.. check FOLDER`,
`.. rooms`, `.. compare nyu rooms`."""

import inspect

from absl import app, flags

from jaxdepth import cli

_IMAGE = flags.DEFINE_string("image", None, "check: pictures, such as images/*.jpg; by default the usual places.")
_DEPTH = flags.DEFINE_string("depth", None, "check: depths, such as depths/*.png; by default the usual places.")
_DEPTH_SCALE = flags.DEFINE_float(
    "depth_scale", None, "check: metres of one unit; by default .001 for whole numbers, 1 for floating point."
)
_FROM = flags.DEFINE_string("from", None, "nyu, tfds: the file or its folder, instead of a download.")
_TO = flags.DEFINE_string("to", "data", "nyu, tfds: the folder that the file is downloaded into; and the dataset's.")
_URL = flags.DEFINE_multi_string("url", [], "nyu, tfds: a mirror to be tried before the authors' address.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "The picture, a PNG; by default contact_sheet.png of some frames, depths.png of a comparison."
)
_SHEET = "contact_sheet.png"


def _nyu():
    from jaxdepth.data.sources import nyu, selection
    from jaxdepth.prepare import summary

    place = _FROM.value or nyu.fetch(_TO.value, _URL.value)
    print(summary.summary(selection.open_frames("nyu", path=place)))
    print(f"train with: --config.data.path={place}")


def _tfds():
    from jaxdepth.data.sources import nyu, selection, tfds_builder
    from jaxdepth.prepare import summary

    file, _ = selection.find_nyu(_FROM.value or nyu.fetch(_TO.value, _URL.value))
    folder = tfds_builder.prepare(file, _TO.value)
    print(summary.summary(selection.open_frames("tfds", path=folder)))
    print(f"train with: --config.data.source=tfds --config.data.path={folder}")


def _check(folder):
    from jaxdepth.prepare import check

    report = check.check(
        folder,
        image=_IMAGE.value,
        depth=_DEPTH.value,
        depth_scale=_DEPTH_SCALE.value,
        sheet=_OUTPUT.value or _SHEET,
    )
    print(report)
    return 1 if report.errors else 0


def _rooms():
    from jaxdepth.data.sources import rooms

    rooms.contact_sheet(path := _OUTPUT.value or _SHEET)
    print(f"twelve rooms: {path}")


def _compare(first, *others):
    from jaxdepth.data.sources import selection
    from jaxdepth.output import figures
    from jaxdepth.prepare.statistics import depth_statistics

    found = {}
    for name in (first, *others):
        source, _, path = name.partition(":")
        frames = selection.open_frames(source, path=path, rooms_frames=(300, 1))
        found[name] = depth_statistics(frames.depths[:: max(1, len(frames) // 300)])
        print(f"{name}: {found[name].summary()}")
    figures.depth_statistics(path := _OUTPUT.value or "depths.png", found)
    print(f"plot: {path}")


_COMMANDS = {
    "nyu": (_nyu,),
    "tfds": (_tfds,),
    "check": (_check, "FOLDER"),
    "rooms": (_rooms,),
    "compare": (_compare, "SOURCE[:PATH]", "..."),
}


def main(argv):
    try:
        function, *_ = _COMMANDS[argv[1]]
        inspect.signature(function).bind(*argv[2:])
    except (IndexError, KeyError, TypeError):
        raise app.UsageError(f"expected {', '.join(' '.join([n, *u]) for n, (_, *u) in _COMMANDS.items())}") from None
    return function(*argv[2:])


if __name__ == "__main__":
    cli.run(main)
