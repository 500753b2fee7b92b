"""Fills the tables of Markdown files from measurements: `python launch/fill_tables.py README.md docs/results.md`.

See jaxdepth/studies/tables.py for the markers of a table.
"""

from absl import app

from jaxdepth import cli


def main(argv):
    from jaxdepth.studies import tables

    if len(argv) < 2:
        raise app.UsageError("expected Markdown files")
    for path in argv[1:]:
        tables.fill(path)


if __name__ == "__main__":
    cli.run(main)
