"""Finds the pictures and clips of a command line, and the output path of each."""

import collections
import glob
import os
import pathlib

from PIL import Image

from jaxdepth.data.files import pictures, videos
from jaxdepth.errors import InputError
from jaxdepth.output import encode

# Of files with two suffixes, the first: .color of .color.png.
_INNER_SUFFIXES = tuple(pathlib.Path(suffix).stem for suffix in encode.FORMATS.values() if suffix.count(".") > 1)


def find(arguments, *, output=None):
    """Finds the pictures of a command line, and chooses a different output path for each.

    All files made from a picture begin with its output path, whose name is the picture's without suffix. If two output
    paths would be equal, their names keep the suffix (a.jpg, a.png); if they still are, the picture's folder is put in
    front (left-a.jpg), and then a number is added (left-a.jpg-2). Upper and lower case count as equal.

    Without `output`, files in the folder `depth` beside a picture are results of earlier runs and are not read.

    Args:
      arguments: files, folders (the files directly in them that have a picture's suffix, also one of a kind that
        cannot be read, which is named later), and glob patterns.
      output: folder of the output paths; None for a folder `depth` beside each picture.

    Returns:
      [(path, output path)] in the order of the arguments, each picture once, and [(argument, why it is skipped)].

    Raises:
      InputError: if pictures are read from the folder `output`, where they could be overwritten.
    """
    found, skipped = _expand(arguments)
    folders = {path.parent for path in found}
    if output is not None and pathlib.Path(output).resolve() in folders:
        raise InputError(f"output {str(output)!r}: pictures are read from it: expected another folder")
    kept = []
    for resolved, (path, is_argument) in found.items():
        if output is None and resolved.parent.name == "depth" and resolved.parent.parent in folders:
            if is_argument:
                skipped.append((str(path), "lies in the folder for the depth of other pictures"))
            continue
        kept.append(path)
    outputs = [pathlib.Path(output) if output is not None else path.parent / "depth" for path in kept]
    return list(zip(kept, _output_paths(kept, outputs), strict=True)), skipped


def _expand(arguments):
    """Expands folders and patterns: {resolved path: (path, whether it is itself an argument)}, and what is skipped."""
    found, skipped = {}, []
    for argument in map(pathlib.Path, arguments):
        try:
            paths = _matches(argument)
        except OSError as error:  # a folder that may not be read, a name that is too long
            skipped.append((str(argument), error.strerror or str(error)))
            continue
        if not paths:
            skipped.append((str(argument), "no picture in it" if argument.is_dir() else "no such file"))
        for path, resolved in paths:
            if resolved is None and path.is_symlink() and not path.exists():
                skipped.append((str(path), "a link to a file that is missing"))
            else:
                found.setdefault(resolved or path.resolve(), (path, argument == path))
    return found, skipped


def _matches(argument):
    """[(path, resolved path if it is known)] of what an argument stands for."""
    if argument.is_dir():
        return _in_folder(argument)
    if argument.exists() or not glob.has_magic(str(argument)):
        return [(argument, None)]
    paths = []
    for match in sorted(map(pathlib.Path, glob.glob(str(argument), recursive=True))):
        paths += _in_folder(match) if match.is_dir() else [(match, None)]
    return paths


def _in_folder(folder):
    """As `_matches`: what lies directly in a folder and has a picture's suffix, without folders."""
    suffixes = {*Image.registered_extensions(), *pictures.HEIF_SUFFIXES, *pictures.RAW_SUFFIXES, *videos.SUFFIXES}
    resolved = folder.resolve()
    with os.scandir(folder) as entries:  # tells a file from a folder and a link without another look: there may be many
        kept = [(entry.name, entry.is_symlink()) for entry in entries if _suffix(entry) in suffixes]
    return [(folder / name, None if is_link else resolved / name) for name, is_link in sorted(kept)]


def _suffix(entry):
    """The suffix of an entry of a folder in lower case; none of a folder."""
    is_folder = os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()
    return None if is_folder else os.path.splitext(entry.name)[1].lower()


def _output_paths(paths, folders):
    """The output path of each picture in its output folder, all different."""
    resolved = {folder: folder.resolve() for folder in {*folders, *(path.parent for path in paths)}}
    places = [resolved[folder] for folder in folders]
    # a.color.jpg keeps its suffix: depth of a.color would overwrite a.color.png, the colours of a.jpg.
    names = [path.name if path.stem.lower().endswith(_INNER_SUFFIXES) else path.stem for path in paths]
    for longer in (lambda path: path.name, lambda path: f"{resolved[path.parent].name}-{path.name}"):
        shared = _shared(names, places)
        names = [longer(path) if equal else name for path, name, equal in zip(paths, names, shared, strict=True)]
    taken = set()
    for i, place in enumerate(places):
        name, number = names[i], 1
        while (place, names[i].lower()) in taken:
            number += 1
            names[i] = f"{name}-{number}"
        taken.add((place, names[i].lower()))
    return [folder / name for folder, name in zip(folders, names, strict=True)]


def _shared(names, places):
    """Whether each name equals another in the same place, ignoring case as some file systems do."""
    keys = [(place, name.lower()) for place, name in zip(places, names, strict=True)]
    counts = collections.Counter(keys)
    return [counts[key] > 1 for key in keys]
