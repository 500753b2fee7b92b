"""Finds raw scenes in a folder: as folders of files, or inside the authors' ZIP archives as they are."""

import dataclasses
import os
import pathlib
import zipfile
import zlib

from jaxdepth.data.sources.pairs import natural
from jaxdepth.errors import InputError
from jaxdepth.paths import shown
from jaxdepth.prepare.nyu_raw import scene


@dataclasses.dataclass(frozen=True)
class Recording:
    """The files of one scene in one place.

    Attributes:
      scene: its name, such as "bedroom_0001".
      place: the folder, or the archive, that holds it.
      prefix: of the members of an archive, such as "bedroom_0001/"; None for a folder.
      names: of the files, without folders.
    """

    scene: str
    place: pathlib.Path
    prefix: str | None
    names: tuple[str, ...]

    def read(self, name):
        """The bytes of a file.

        Raises:
          InputError: if it is a damaged member of an archive.
          OSError: if it cannot be read.
        """
        if self.prefix is None:
            return (self.place / name).read_bytes()
        try:
            with zipfile.ZipFile(self.place) as archive:
                return archive.read(self.prefix + name)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise InputError(f"{shown(self.place)}: {shown(name)}: a damaged member ({error})") from error


def find(folder):
    """Finds the scenes below a folder.

    Args:
      folder: holds folders of scenes, at any depth, and ZIP archives of them.

    Returns:
      ([Recording] in natural order of the scenes, [(what, why)] of what was left out: archives that cannot be read, and
      scenes that are there twice, of which the first is taken).

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: if it holds no scene.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{str(folder)!r}: no such folder: expected raw scenes")
    found, left_out = [], []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders.sort(key=natural)
        if _has_pictures(names):
            found.append(Recording(pathlib.Path(parent).name, pathlib.Path(parent), None, tuple(sorted(names))))
        for name in sorted((name for name in names if name.lower().endswith(".zip")), key=natural):
            archive = pathlib.Path(parent, name)
            try:
                found += _in_archive(archive)
            except (OSError, zipfile.BadZipFile) as error:
                left_out.append((shown(archive), f"an archive that cannot be read ({error})"))
    first = {}
    for recording in found:
        if recording.scene in first:
            where = shown(first[recording.scene].place)
            left_out.append((f"{shown(recording.place)}: {shown(recording.scene)}", f"a scene that {where} has too"))
        first.setdefault(recording.scene, recording)
    if not first:
        told = f"; {left_out[0][0]}: {left_out[0][1]}" if left_out else ""
        raise InputError(f"{str(folder)!r}: no raw scene: expected folders or archives with r-*.ppm and d-*.pgm{told}")
    return sorted(first.values(), key=lambda recording: natural(recording.scene)), left_out


def _in_archive(path):
    """The Recordings of an archive: one for each of its folders with pictures."""
    with zipfile.ZipFile(path) as archive:
        members = {}
        for member in archive.namelist():
            prefix, _, name = member.rpartition("/")
            if name:
                members.setdefault(f"{prefix}/" if prefix else "", []).append(name)
    return [
        Recording(pathlib.PurePosixPath(prefix).name or path.stem, path, prefix, tuple(sorted(names)))
        for prefix, names in members.items()
        if _has_pictures(names)
    ]


def _has_pictures(names):
    return any(scene.timed(names))
