"""Finds raw scenes in a folder: as folders of files, or inside the authors' ZIP archives as they are."""

import contextlib
import dataclasses
import os
import pathlib
import zipfile
import zlib
from typing import NamedTuple

from jaxdepth.data.files.writing import naming
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
      files: {name, without folders: bytes}.
    """

    scene: str
    place: pathlib.Path
    prefix: str | None
    files: dict[str, int]

    @contextlib.contextmanager
    def opened(self):
        """Opens the recording: a context whose value is a function, name -> bytes of a file.

        The function raises:
          InputError: if it is a damaged member of an archive.
          OSError: if it cannot be read.
        """
        if self.prefix is None:

            def read(name):
                with naming(path := self.place / name):
                    return path.read_bytes()

            yield read
            return
        with zipfile.ZipFile(self.place) as archive:  # once: a large archive's directory takes a second

            def read(name):
                try:
                    with naming(self.place):
                        return archive.read(self.prefix + name)
                except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
                    raise InputError(f"{shown(self.place)}: {shown(name)}: a damaged member ({error})") from error

            yield read


class Found(NamedTuple):
    """What lies below a folder.

    Attributes:
      recordings: [Recording] in natural order of the scenes.
      unreadable: [(place, why)] of archives and folders that cannot be read.
      twice: [(place, why)] of recordings that are there twice, of which the first is taken.
    """

    recordings: list[Recording]
    unreadable: list[tuple[str, str]]
    twice: list[tuple[str, str]]


def find(folder):
    """Finds the scenes below a folder.

    Args:
      folder: holds folders of scenes, at any depth, and ZIP archives of them.

    Returns:
      A Found.

    Raises:
      FileNotFoundError: if there is no such folder.
      InputError: if it holds no scene.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{str(folder)!r}: no such folder: expected raw scenes")
    found, unreadable, twice = [], [], []

    def cannot_be_read(error):
        unreadable.append((shown(error.filename), f"a folder that cannot be read ({error.strerror})"))

    for parent, folders, names in os.walk(folder.absolute(), followlinks=True, onerror=cannot_be_read):
        folders.sort(key=natural)
        if _has_pictures(names):
            sizes = {name: os.path.getsize(pathlib.Path(parent, name)) for name in sorted(names)}
            found.append(Recording(shown(pathlib.Path(parent).name), pathlib.Path(parent), None, sizes))
        for name in sorted((name for name in names if name.lower().endswith(".zip")), key=natural):
            archive = pathlib.Path(parent, name)
            try:
                found += _in_archive(archive)
            except (OSError, zipfile.BadZipFile) as error:
                unreadable.append((shown(archive), f"an archive that cannot be read ({error})"))
    first = {}
    for recording in found:
        if recording.scene in first:
            count = len(scene.timed(recording.files)[0])
            where = shown(first[recording.scene].place)
            why = f"a recording that {where} has too ({count} pictures)"
            twice.append((f"{shown(recording.place)}: {shown(recording.scene)}", why))
        first.setdefault(recording.scene, recording)
    if not first:
        told = f"; {unreadable[0][0]}: {unreadable[0][1]}" if unreadable else ""
        raise InputError(f"{str(folder)!r}: no raw scene: expected folders or archives with r-*.ppm and d-*.pgm{told}")
    return Found(sorted(first.values(), key=lambda recording: natural(recording.scene)), unreadable, twice)


def _in_archive(path):
    """The Recordings of an archive: one for each of its folders with pictures."""
    with zipfile.ZipFile(path) as archive:
        members = {}
        for member in archive.infolist():
            prefix, _, name = member.filename.rpartition("/")
            if name:
                members.setdefault(f"{prefix}/" if prefix else "", {})[name] = member.file_size
    return [
        Recording(shown(pathlib.PurePosixPath(prefix).name or path.stem), path, prefix, dict(sorted(files.items())))
        for prefix, files in members.items()
        if _has_pictures(files)
    ]


def _has_pictures(names):
    return any(scene.timed(names))
