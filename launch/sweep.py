"""Train and compare a list of settings: `python launch/sweep.py configs/sweeps/structure.py --path=NYU_FILE`.

The same command goes on where it was killed; rows that have a result (in ../results/sweep-NAME, from the file's folder)
are not trained again.
"""

from absl import app, flags

from jaxdepth import cli

_WORKDIR = flags.DEFINE_string("workdir", None, "Where the runs are kept; by default runs/sweep-NAME.")
_PATH = flags.DEFINE_string("path", None, "Where the data lies, as --config.data.path in training.")
_SEEDS = flags.DEFINE_list("seeds", ["0"], "A training of each row with each of these.")
flags.register_validator("seeds", lambda seeds: all(seed.isdecimal() for seed in seeds), "expected whole numbers")
_ROWS = flags.DEFINE_list("rows", [], "Which rows to train; by default all.")
_TABLE = flags.DEFINE_bool("table", False, "Print the table of the results at hand, and train nothing.")


def main(argv):
    from jaxdepth import evaluate
    from jaxdepth.studies import sweep

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
        print(f"{evaluate.heading(first)}\n\n{sweep.table(plan)}", end="")


if __name__ == "__main__":
    cli.run(main)
