"""The data set of raw recordings, made in this process."""

import hashlib

from jaxdepth.prepare.nyu_raw import dataset, parts

SETTINGS = parts.Settings(count=4, size=(120, 160), max_gap=0.05, fill=False)


def prepare(raw, to, settings=SETTINGS, **options):
    """Calls `dataset.prepare`, by default for all scenes."""
    return dataset.prepare(raw, to, settings, **({"all_scenes": True} | options))


def content(folder):
    """{relative path: hash of its bytes} of all files."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
