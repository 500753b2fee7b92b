"""Trains the rows of a sweep and compares them: `python launch/sweep.py configs/sweeps/structure.py --path=NYU_FILE`.

Results are kept in ../results/sweep-NAME, seen from the sweep's file. Rows that have a result are not trained again.
The same command continues a sweep that was stopped.
"""

from absl import app, flags

from jaxdepth import cli

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the runs; default: runs/sweep-NAME.")
_PATH = flags.DEFINE_string("path", None, "Where the data is, as --config.data.path of train.")
_SEEDS = flags.DEFINE_list("seeds", ["0"], "Seeds; each row is trained with each.")
flags.register_validator("seeds", lambda seeds: all(seed.isdecimal() for seed in seeds), "expected whole numbers")
_ROWS = flags.DEFINE_list("rows", [], "Rows to train; default: all.")
_TABLE = flags.DEFINE_bool("table", False, "Print the table of the results so far, and train nothing.")


def main(argv):
    from jaxdepth.evaluation import report
    from jaxdepth.studies import sweep, sweep_table

    if len(argv) != 2:
        raise app.UsageError("expected one file, such as configs/sweeps/structure.py")
    plan = sweep.load(argv[1])
    if not _TABLE.value:
        folder = _WORKDIR.value or f"runs/sweep-{plan.name}"
        seeds = [int(seed) for seed in _SEEDS.value]
        if not sweep.run(plan, folder=folder, seeds=seeds, path=_PATH.value, names=_ROWS.value):
            return
    if found := sweep.read(plan):
        first, *_ = next(iter(found.values()))
        print(f"{report.heading(first)}\n\n{sweep_table.table(plan)}", end="")


if __name__ == "__main__":
    cli.run(main)
