"""Advice on what to run next, in the form in which the user types commands."""

import pathlib
import re
import shlex
import sys


def command(name, *arguments):
    """A command to copy into a shell: `typed`, and arguments with spaces or signs of the shell in quotes.

    Args:
      name: of the file in `launch`, without extension.
      arguments: such as "--path=my pictures".
    """
    return typed(f"python launch/{name}.py {shlex.join(map(str, arguments))}")


def typed(text):
    """Text with its commands in the form in which the user has typed this one.

    Args:
      text: with commands such as `python launch/train.py --config=configs/kscale.py`.

    Returns:
      The same text if the process is a script in a clone, else with commands such as `jaxdepth train --config=kscale`.
    """
    if pathlib.Path(sys.argv[0]).parent.name == "launch":
        return text
    program = "python -m jaxdepth" if sys.argv[0].startswith("python -m jaxdepth ") else "jaxdepth"
    text = re.sub(r"python launch/(\w+)\.py", lambda match: f"{program} {match[1].replace('_', '-')}", text)
    return re.sub(r"--config=configs/(\w+)\.py", r"--config=\1", text)


def train(*settings, config="kscale.py"):
    """The line that says how to train next.

    Args:
      settings: flags, such as `--config.data.path=FOLDER`; quoted for a shell where that is needed.
      config: file in configs/, with its argument.
    """
    return f"next: {command('train', f'--config=configs/{config}', *settings)}"
