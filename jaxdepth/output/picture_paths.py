"""Which pictures a command line means, and where what is made of each goes."""

import collections
import glob
import pathlib

from PIL import Image


def find(arguments, *, output=None):
    """The pictures that a command line means, and where what is made of each goes.

    An argument is a file, a folder (the files directly in it with a picture's suffix), or a glob. NAME, the path that
    all files made of a picture begin with, lies in `output`, or in a folder `depth` beside the picture. It ends with
    the picture's name without its suffix; where several pictures of one folder would share that, with the suffix
    (a.jpg, a.png); where they still would, with their folder's name in front (left-a.jpg), and a number at last. What
    earlier runs have put into such a folder `depth` is not taken for pictures.

    Returns:
      [(picture's path, NAME)] in the order of the arguments, each file once, and [(argument, why it is skipped)].

    Raises:
      ValueError: `output` is a folder that pictures are read from, which could be overwritten.
    """
    paths, skipped = {}, []  # path -> whether it was named itself
    for argument in map(pathlib.Path, arguments):
        if argument.is_dir():
            found = _in_folder(argument)
        elif not argument.exists() and glob.has_magic(str(argument)):
            found = []
            for match in sorted(map(pathlib.Path, glob.glob(str(argument), recursive=True))):
                found += _in_folder(match) if match.is_dir() else [match]
        else:
            found = [argument]
        if not found:
            skipped.append((str(argument), "no picture in it" if argument.is_dir() else "no such file"))
        for path in found:
            paths.setdefault(path.resolve(), (path, argument == path))

    parents = {path.parent for path in paths}
    if output is not None and pathlib.Path(output).resolve() in parents:
        raise ValueError(f"output {str(output)!r}: pictures are read from it: expected another folder")
    kept = []
    for resolved, (path, named) in paths.items():
        if output is None and resolved.parent.name == "depth" and resolved.parent.parent in parents:
            if named:
                skipped.append((str(path), "lies in the folder for the depth of other pictures"))
            continue
        kept.append(path)
    folders = [pathlib.Path(output) if output is not None else path.parent / "depth" for path in kept]
    return list(zip(kept, _names(kept, folders), strict=True)), skipped


def _in_folder(folder):
    suffixes = Image.registered_extensions()
    return [path for path in sorted(folder.iterdir()) if path.suffix.lower() in suffixes and path.is_file()]


def _names(paths, folders):
    """A path for each picture that no other has, as `find` says."""
    # Of a.color.jpg the name a.color would write over the colours of a.jpg.
    names = [path.name if path.stem.lower().endswith(".color") else path.stem for path in paths]
    for longer in (lambda path: path.name, lambda path: f"{path.resolve().parent.name}-{path.name}"):
        shared = _shared(names, folders)
        names = [longer(path) if again else name for path, name, again in zip(paths, names, shared, strict=True)]
    taken = set()
    for i, folder in enumerate(folders):
        name, number = names[i], 1
        while (folder.resolve(), names[i].lower()) in taken:
            number += 1
            names[i] = f"{name}-{number}"
        taken.add((folder.resolve(), names[i].lower()))
    return [folder / name for folder, name in zip(folders, names, strict=True)]


def _shared(names, folders):
    """Of each name, whether another in its folder is the same but for capitals, which not every disk tells apart."""
    keys = [(folder.resolve(), name.lower()) for folder, name in zip(folders, names, strict=True)]
    counts = collections.Counter(keys)
    return [counts[key] > 1 for key in keys]
