"""ScanNet (Dai 2017): frames of video of indoor scenes with the depth of a structured-light sensor.

Layout, either the authors' subset `scannet_frames_25k` (or `scannet_frames_test`), every 100th frame of a scan:
sceneXXXX_YY with color/000000.jpg, depth/000000.png and intrinsics_depth.txt; or the export of whole scans by the
authors' SensReader: sceneXXXX_YY with color/0.jpg, depth/0.png and intrinsic/intrinsic_depth.txt, of which every 100th
frame is taken too. Depth is in 16-bit millimetres, 0 where there is none, at 640x480; pictures have 1296x968. It is
registered to the colour camera: in calibrated scans, intrinsic_depth is intrinsic_color at the size of the depth.
Scores are those of 640x480, with the depth's camera. Poses play no part, nor whether they are lost.

Which frames: those of `scannet_val_sampled_list_800_1.txt` (Marigold and those after it: 800 of the validation scenes;
lines of a picture and a depth, relative to the folder) where that lies in the folder; else the scenes of the official
`scannetv2_val.txt` (312), else `scannetv2_test.txt` (100); else every scene there is. Public readers differ in this:
others take other samples of the test scenes. They agree on millimetres and, nearly all, on a cap of 10 m.
"""

import pathlib
import re

from jaxdepth.data.sources.testsets import codes, testset
from jaxdepth.errors import InputError
from jaxdepth.paths import shown

SIZE = (480, 640)
METRES = 1e-3  # per code
STEP = 100  # frames, of whole scans
SAMPLE = "scannet_val_sampled_list_800_1.txt"
LISTS = ("scannetv2_val.txt", "scannetv2_test.txt")
_CAMERAS = ("intrinsics_depth.txt", "intrinsic/intrinsic_depth.txt")
_SCENE = re.compile(r"scene\d{4}_\d\d")
_EXPECTED = f"sceneXXXX_YY with color/*.jpg, depth/*.png and {' or '.join(_CAMERAS)}"


def find(path) -> testset.TestSet:
    """Finds the set in a folder of scenes, or the one that holds it; a list may lie in either.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: if it has another layout, a list names what is not there, or a file is missing or damaged.
    """
    path = pathlib.Path(path)
    if not path.is_dir():
        raise FileNotFoundError(f"{str(path)!r}: no such folder: expected {_EXPECTED}")
    if (path / SAMPLE).is_file():
        return _from_sample(path)
    folder = _folder(path)
    scenes, notes = _scenes(path, folder)
    examples, between = [], 0
    for scene in scenes:
        camera = _camera(scene)
        if camera is None:
            raise testset.wrong_layout(folder, f"no {scene.name}/{_CAMERAS[0]}", _EXPECTED)
        names = testset.stems(scene / "color", ".jpg")
        if not names:
            raise testset.wrong_layout(folder, f"no {scene.name}/color/*.jpg", _EXPECTED)
        if not (scene / _CAMERAS[0]).is_file():  # a whole scan
            taken = [name for name in names if not name.isdecimal() or int(name) % STEP == 0]
            names, between = taken, between + len(names) - len(taken)
        for name in names:
            picture, depth = scene / "color" / f"{name}.jpg", scene / "depth" / f"{name}.png"
            examples.append(testset.Example(f"{scene.name}/color/{name}", picture, depth, SIZE, camera, scene.name))
    if not examples:
        raise testset.wrong_layout(folder, f"no frame whose number is a multiple of {STEP}", _EXPECTED)
    testset.missing_files(folder, [example.depth for example in examples])
    if between:
        notes.append(f"{between} frames of whole scans left out: every {STEP}th is taken, as scannet_frames_25k has")
    return testset.TestSet(folder, tuple(examples), read_depth, "structured light", tuple(notes))


def read_depth(example):
    """Depth of an Example; raises as `codes.read_depth`."""
    return codes.read_depth(example.depth, METRES, SIZE)


def _folder(path):
    """The folder of the scenes: `path` or the only folder in it that has some."""
    folders = [path, *sorted(entry for entry in path.iterdir() if entry.is_dir())]
    found = [folder for folder in folders if _all_scenes(folder)]
    if not found:
        raise testset.wrong_layout(path, "no folder sceneXXXX_YY", _EXPECTED)
    if found[0] != path and len(found) > 1:
        raise testset.wrong_layout(
            path, f"several sets, {found[0].name} and {found[1].name}", "one of them as the path"
        )
    return found[0]


def _all_scenes(folder):
    return sorted(entry for entry in folder.iterdir() if _SCENE.fullmatch(entry.name) and entry.is_dir())


def _scenes(path, folder):
    """The folders of the scenes of a list, and what it leaves out; all without a list."""
    lists = [place / name for name in LISTS for place in (path, folder) if (place / name).is_file()]
    scenes = _all_scenes(folder)
    if not lists:
        return scenes, [f"no {' or '.join(LISTS)} in the folder: all {len(scenes)} scenes count"]
    wanted = dict.fromkeys(
        scene for (scene,) in testset.lines_of(lists[0], columns=1, expected="the name of a scene, as scene0011_00")
    )
    if not wanted:
        raise InputError(f"{shown(lists[0])}: no lines: expected names of scenes, as scene0011_00")
    there = {scene.name: scene for scene in scenes}
    if absent := [scene for scene in wanted if scene not in there]:
        raise InputError(
            f"{shown(lists[0])}: {shown(absent[0])} is not in {shown(folder)} ({len(absent)} scenes are missing): "
            "expected all scenes of the list"
        )
    notes = [f"{len(scenes) - len(wanted)} of {len(scenes)} scenes left out: not in {lists[0].name}"]
    return [there[scene] for scene in wanted], notes if len(scenes) > len(wanted) else []


def _camera(scene):
    """The depth's camera of a scene; None without its file."""
    files = [scene / name for name in _CAMERAS if (scene / name).is_file()]
    return codes.matrix_file(files[0], (4, 4)) if files else None


def _from_sample(path):
    """The frames of SAMPLE."""
    lines = testset.lines_of(path / SAMPLE, columns=2, expected="a picture and its depth")
    files = [tuple(codes.listed_path(path / SAMPLE, path, name) for name in line) for line in lines]
    testset.missing_files(path, [file for pair in files for file in pair])
    cameras = {folder: _camera(folder) for folder in {picture.parent.parent for picture, _ in files}}
    examples = []
    for picture, depth in files:
        name = picture.relative_to(path).with_suffix("").as_posix()
        scene = _SCENE.search(name)
        camera = cameras[picture.parent.parent]
        examples.append(testset.Example(name, picture, depth, SIZE, camera, scene and scene[0]))
    unknown = sum(example.camera is None for example in examples)
    notes = (f"{unknown} pictures without a camera: no {_CAMERAS[0]} in their scene",) if unknown else ()
    return testset.TestSet(path, tuple(examples), read_depth, "structured light", notes)
