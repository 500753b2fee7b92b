"""Finds raw scenes in a folder: as folders of files, or inside the authors' ZIP archives as they are."""

import contextlib
import dataclasses
import errno
import pathlib
import stat
import zipfile
from typing import NamedTuple

from jaxdepth.data.files import walking
from jaxdepth.data.files.writing import naming
from jaxdepth.data.sources.pairs import natural
from jaxdepth.errors import InputError
from jaxdepth.paths import shown
from jaxdepth.prepare.nyu_raw import scene

_MAX_BYTES = 1 << 22  # of a file that is read; a picture has a megabyte


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
          InputError: if it is a damaged member of an archive, or has more than _MAX_BYTES.
          OSError: if it cannot be read.
        """
        if self.prefix is None:

            def read(name):
                self._check_size(name)
                with naming(path := self.place / name):
                    return path.read_bytes()

            yield read
            return
        with damage(f"{shown(self.place)}: a damaged archive"):
            archive = zipfile.ZipFile(self.place)  # once: a large archive's directory takes a second
        with archive:

            def read(name):
                self._check_size(name)
                with naming(self.place), damage(f"{shown(self.place)}: {shown(name)}: a damaged member"):
                    return archive.read(self.prefix + name)

            yield read

    def _check_size(self, name):
        if (size := self.files[name]) > _MAX_BYTES:
            raise InputError(f"{shown(name)}: {size:,} bytes: expected at most {_MAX_BYTES:,}")


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


@contextlib.contextmanager
def damage(what):
    """Turns what zipfile and its decoders raise for a damaged archive into an InputError that begins with `what`."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # BadZipFile, KeyError, RuntimeError, UnicodeDecodeError, LZMAError, ...
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # of a decoder, of a wrong offset
            raise
        raise InputError(f"{what} ({error})") from error


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

    for parent, folders, names in walking.walk(folder.absolute(), onerror=cannot_be_read):
        folders.sort(key=natural)
        if _has_pictures(names):
            sizes = {name: _size(pathlib.Path(parent, name)) for name in sorted(names)}
            files = {name: size for name, size in sizes.items() if size is not None}
            found.append(Recording(_scene_name(pathlib.Path(parent).name), pathlib.Path(parent), None, files))
        for name in sorted((name for name in names if name.lower().endswith(".zip")), key=natural):
            archive = pathlib.Path(parent, name)
            if _size(archive) is None:
                continue
            try:
                with damage(why := "an archive that cannot be read"):
                    found += _in_archive(archive)
            except InputError as error:
                unreadable.append((shown(archive), str(error)))
            except OSError as error:
                unreadable.append((shown(archive), f"{why} ({error})"))
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
        Recording(_scene_name(pathlib.PurePosixPath(prefix).name, path.stem), path, prefix, dict(sorted(files.items())))
        for prefix, files in members.items()
        if _has_pictures(files)
    ]


def _scene_name(folder, otherwise="scene"):
    """The name of a scene, of what is allowed in `frames_csv`: that of its folder, unless it has none."""
    return shown(folder if folder.strip(".") else otherwise).replace("\\", "_")


def _size(path):
    """The bytes of a file; 0 if they cannot be told, as of a link to nothing, and None of what is no file."""
    try:
        status = path.stat()
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _has_pictures(names):
    return any(scene.timed(names))
