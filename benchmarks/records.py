"""How far do the estimators get on the benchmarks of the sources?

Each row is one estimator, learned from the training set of a task, with several seeds.
Only rows that are named so learn from labels. Rows are measured on test data with which
nothing was chosen: settings were chosen with ``--split validation``, which takes the
last 10,000 training images in place of the test images. Each run has a process of its
own on one thread, and becomes a file in benchmarks/results/records/. What is there, and
has not changed, is not run again.

    SKCRL_DATA=... python benchmarks/records.py
    SKCRL_DATA=... python benchmarks/records.py --rows "NOI, k=50" --seeds 1
    SKCRL_DATA=... python benchmarks/records.py --split validation --seeds 1
    python benchmarks/records.py --stored

Tasks and columns
-----------------
halves        of MNIST. canonical: total correlation of the codes under a CCA fitted on
              training codes. l->r, r->l: accuracy in percent of an SVM trained on codes
              of one half and tested on codes of the other, in five contiguous folds of
              the held-out images. l->l, r->r: the same within one half, the ceiling
left half and labels, right half and labels
              one half of MNIST and the digit that it belongs to. l->l, r->r: as above
noisy digits  as in noisy_mnist.py: accuracy and nmi of clusters, error of an SVM
latents       of two views, mixed by invertible networks. r2: of a linear regression of
              the latents of a view on its codes
minutes       of CPU of a fit on one thread

Of each number the mean over the seeds is printed, half of its 95 % interval, and in the
line below the worst seed. Figures that others published stand below the rows.
"""

import argparse
import json
import sys
import time

from _fresh_process import in_fresh_process
from _record_rows import ROWS
from _record_table import record_table, stored_name
from _record_tasks import TASKS
from _store import ROOT, Store, array_digest, imported_files, imported_versions, where


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=[*ROWS])
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--stored", action="store_true", help="run nothing")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.measure:
        row, seed, split = args.measure
        print(json.dumps(measured(row, int(seed), split)))
        return
    store = Store(ROOT / "benchmarks" / "results")
    if not args.stored:
        for name in args.rows:
            for seed in range(args.seeds):
                print(run(store, name, seed, args.split), flush=True)
    for task in TASKS:
        if table := record_table(store, task, args.split, args.rows):
            print("", *table, sep="\n")


def run(store, name, seed, split):
    """Run a row with one seed, and store what comes out; a line on what was done."""
    stored = stored_name(name, seed, split)
    task = TASKS[ROWS[name].task]
    parameters = {
        "estimator": ROWS[name].make(seed).__repr__(N_CHAR_MAX=sys.maxsize),
        "seed": seed,
        "split": split,
        "task": task.name,
    }
    data = array_digest(task.make(split == "test", seed).arrays())
    if store.holds(stored, parameters, data):
        return f"{stored}: is there"
    begin = time.monotonic()
    found = json.loads(in_fresh_process(__file__, "--measure", name, seed, split))
    files = found.pop("files")
    seconds = {"cpu": found.pop("cpu"), "wall": time.monotonic() - begin}
    result = {"parameters": parameters, "data": data, "seconds": seconds, **found}
    store.write(stored, {**result, **where()}, files)
    return f"{stored}: done, {seconds['wall']:.0f} s"


def measured(name, seed, split):
    """Measures of one run in this process, and what it used."""
    row = ROWS[name]
    task = TASKS[row.task]
    data = task.make(split == "test", seed)
    begin = time.process_time()
    estimator = row.make(seed).fit(*data.train)
    minutes = (time.process_time() - begin) / 60
    values = [*map(float, task.measure(estimator, data)), minutes]
    return {
        "measures": dict(zip((*task.measures, "minutes"), values, strict=True)),
        "cpu": time.process_time(),
        "files": imported_files(),
        "versions": imported_versions(),
    }


if __name__ == "__main__":
    main()
