"""Picture files: which ones a command line means, and their pixels upright and in colour, of whatever mode they are."""

import glob
import pathlib
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

_EXIF_FOLDER, _FOCAL_LENGTH_35MM = 0x8769, 0xA405


class Picture(NamedTuple):
    """Pixels uint8 [H, W, 3] RGB, upright, and the focal length in mm on 35 mm film from its EXIF, or None."""

    pixels: np.ndarray
    focal_35mm: float | None = None


def read(path):
    """A picture file as a Picture, see `decode`.

    Raises OSError for a file that cannot be opened, ValueError for one that is not a picture, not a whole one, or one
    that `decode` refuses.
    """
    with open(path, "rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large pictures and odd EXIF; what is too large is an error below
        try:
            with Image.open(file) as picture:
                return decode(picture)
        except _Refused as error:
            raise ValueError(f"{str(path)!r}: {error}") from error
        except Image.DecompressionBombError as error:
            raise ValueError(f"{str(path)!r}: a decompression bomb ({error})") from error
        except Exception as error:  # Pillow's decoders raise whatever they meet in a broken file
            told = "an empty file" if not pathlib.Path(path).stat().st_size else str(error).replace("\n", " ")
            raise ValueError(f"{str(path)!r}: not a picture that Pillow can read ({told})") from error


class _Refused(ValueError):
    """A whole picture that has no use here."""


def decode(picture):
    """A PIL image as a Picture: turned as its EXIF says, transparent parts over white.

    Grey levels of 16 or 32 bits count as shares of 65535, or of their own maximum where that is larger. Raises
    ValueError for floating-point levels, which have no white, and for fewer than 2x2 pixels.
    """
    if picture.mode.startswith("F"):
        raise _Refused(f"a picture of mode {picture.mode}: expected channels of 8 or 16 bits")
    if min(picture.size) < 2:
        raise _Refused(f"a picture of {picture.width}x{picture.height} pixels: expected at least 2x2")
    focal = picture.getexif().get_ifd(_EXIF_FOLDER).get(_FOCAL_LENGTH_35MM)
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):
        levels = np.maximum(np.asarray(picture).astype(np.float64), 0)
        grey = np.uint8(np.round(255 * levels / max(65535, levels.max())))
        return Picture(np.repeat(grey[..., None], 3, axis=-1), _positive(focal))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return Picture(np.asarray(picture.convert("RGB")), _positive(focal))


def _positive(focal):
    try:
        return float(focal) if float(focal) > 0 else None  # 0 stands for unknown
    except (TypeError, ValueError, ZeroDivisionError):
        return None


def from_array(array):
    """An array [H, W, 3], uint8, or floating point in [0, 1], as a Picture. Raises ValueError for another one."""
    array = np.asarray(array)
    if array.ndim != 3 or array.shape[-1] != 3 or min(array.shape) < 2:
        raise ValueError(f"image of shape {array.shape}: expected [H, W, 3] with H and W at least 2")
    if np.issubdtype(array.dtype, np.floating):
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise ValueError(f"image of {array.dtype}: expected values in [0, 1]")
        array = np.uint8(np.round(255 * np.float32(array)))
    if array.dtype != np.uint8:
        raise ValueError(f"image of {array.dtype}: expected uint8, or floating point in [0, 1]")
    return Picture(array)


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
    return [keys.count(key) > 1 for key in keys]
