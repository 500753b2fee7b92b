"""Faults caused on purpose, in the real commands: `pytest -m faults`. A table of them is printed at the end."""

import collections
import os

import caused
import fake_nyu
import pytest
import small

_TALLY = collections.defaultdict(collections.Counter)


class Tally:
    """Counts faults of one kind.

    Args:
      kind: what is caused, in words.
    """

    def __init__(self, kind):
        self._counts = _TALLY[kind]

    def caused(self, *, lost=0):
        """Counts a fault, and the bytes that differ from those of the undisturbed command after it."""
        self._counts["caused"] += 1
        self._counts["survived"] += not lost
        self._counts["lost"] += lost


def pytest_terminal_summary(terminalreporter):
    if not _TALLY:
        return
    terminalreporter.section("faults")
    terminalreporter.write_line(f"{'fault':58} {'caused':>6} {'survived':>8} {'bytes lost':>10}")
    total = sum(_TALLY.values(), collections.Counter())
    for kind, counts in [*_TALLY.items(), ("all", total)]:
        terminalreporter.write_line(f"{kind:58} {counts['caused']:6} {counts['survived']:8} {counts['lost']:10}")


@pytest.fixture
def tally():
    return Tally


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A folder with a small file in NYU's layout, and a cache folder."""
    with fake_nyu.dev_folder(tmp_path_factory.mktemp("data"), train=9, val=3) as folder:
        caused.ENVIRONMENT["JAXDEPTH_CACHE"] = os.environ["JAXDEPTH_CACHE"]
        yield folder


@pytest.fixture(scope="session")
def settings(data):
    return small.settings(data, steps=12)


@pytest.fixture(scope="session")
def unbroken(settings, tmp_path_factory):
    """A run without a fault."""
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    caused.train(settings, folder).check_returncode()
    return folder
