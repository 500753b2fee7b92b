"""The command `prepare_data.py`, in its own process."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]
LAUNCH = ROOT / "launch/prepare_data.py"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def prepare(*arguments, **options):
    """Runs the command, and returns its CompletedProcess."""
    line = [sys.executable, LAUNCH, *arguments]
    return subprocess.run(line, capture_output=True, text=True, **{"env": ENVIRONMENT, **options})
