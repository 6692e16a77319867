"""Which method does best on which task, and what do the tables of the documents hold?

Runs a grid of tasks and methods with three seeds, each run in a process of its own on
one thread, and the scripts whose output the documents show. Each result becomes a file
in benchmarks/results/; what has not changed since is not run again. Then the pages in
docs/results/, and the tables in README.md and docs/, are written from these files.

    python benchmarks/results_book.py --jobs 2
    python benchmarks/results_book.py --missing
    python benchmarks/results_book.py --tables --tasks "digits halves" --methods DeepCCA

Tasks that need files which are not in $SKCRL_DATA are left out with a word, and so are
methods whose package is not installed (`pip install skcrl[peers]`), and scripts that
last longer than --longest says. A run that fails, or takes longer than its task allows,
is a result, too.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

from _book_methods import METHODS
from _book_tasks import TASKS
from _documents import rewrite_documents
from _fresh_process import NOTES, ONE_THREAD, in_fresh_process
from _pages import SEEDS, grid_name, write_pages
from _store import (
    PACKAGES,
    ROOT,
    Store,
    array_digest,
    file_digests,
    imported_files,
    imported_versions,
    leave_note,
    versions,
    where,
)
from _tables import TABLES

LIMIT = 120  # seconds of a run of the grid


def parse(argv):
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="*", choices=TASKS, default=[*TASKS])
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=[*METHODS])
    parser.add_argument("--seeds", nargs="*", type=int, default=[*SEEDS])
    parser.add_argument("--tables", nargs="*", choices=TABLES, default=[*TABLES])
    parser.add_argument(
        "--longest", type=float, default=10, help="minutes of a script that is run"
    )
    parser.add_argument("--jobs", type=int, default=1, help="runs at once")
    parser.add_argument("--again", action="store_true", help="run what is there, too")
    parser.add_argument("--missing", action="store_true", help="say what would be run")
    parser.add_argument("--pages", action="store_true", help="write the pages alone")
    parser.add_argument(
        "--root", type=Path, default=ROOT, help="folder of the documents and results"
    )
    parser.add_argument("--plan", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--print", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv=None):
    """Run what is missing, and write the pages."""
    args = parse(argv)
    if args.plan:
        print(json.dumps(plan(args.tasks, args.methods, args.seeds)))
        return
    if args.measure:
        print(json.dumps(measured(*args.measure)))
        return
    if args.print:
        print_script(*args.print)
        return
    store = Store(args.root / "benchmarks" / "results")
    if not args.pages:
        runs = missing_runs(store, args)
        tables = missing_tables(store, args)
        for name in [*runs, *tables]:
            print("missing:", name)
        if args.missing:
            return
        with ThreadPoolExecutor(args.jobs) as pool:
            for line in pool.map(lambda run: run_one(store, *run), runs.items()):
                print(line, flush=True)
            for line in pool.map(lambda name: run_table(store, name), tables):
                print(line, flush=True)
        store.prune()
    write_pages(store, args.root / "docs" / "results")
    rewrite_documents(store, args.root)


def missing_runs(store, args):
    """What the grid lacks: task, method, seed, parameters and digest by name."""
    tasks = []
    for name in args.tasks:
        lacks = [
            file
            for file, digest in file_digests(TASKS[name].needs).items()
            if not digest
        ]
        if lacks:
            print(f"left out: {name}, as there is no {lacks[0]} in SKCRL_DATA")
        else:
            tasks.append(name)
    methods = []
    for name in args.methods:
        reason = METHODS[name].not_installed()
        print(f"left out: {name}, as {reason}") if reason else methods.append(name)
    if not (tasks and methods and args.seeds):
        return {}
    chosen = ["--tasks", *tasks, "--methods", *methods, "--seeds", *args.seeds]
    planned = json.loads(in_fresh_process(__file__, "--plan", *chosen))
    return {
        name: run
        for name, run in planned.items()
        if args.again or not store.holds(name, run["parameters"], run["data"])
    }


def plan(tasks, methods, seeds):
    """All that a run depends on but code and versions, by the name of the run."""
    found = {}
    for task_name in tasks:
        task = TASKS[task_name]
        for seed in seeds:
            data = task.make(seed)
            digest = array_digest(data.arrays())
            for name in methods:
                method = METHODS[name]
                if method.only not in task_name:
                    continue
                found[grid_name(task_name, name, seed)] = {
                    "task": task_name,
                    "method": name,
                    "data": digest,
                    "parameters": {
                        "estimator": repr(method.make(task.n_components, seed, data)),
                        "limit": LIMIT,
                        "n_components": task.n_components,
                        "search": task.search,
                        "seed": seed,
                        "takes_gaps": method.takes_gaps,
                    },
                }
    return found


def run_one(store, name, run):
    """Run and store one cell of the grid; a line on what came out."""
    parameters = run["parameters"]
    argv = [sys.executable, __file__, "--measure"]
    argv += [run["task"], run["method"], str(parameters["seed"])]
    begin = time.monotonic()
    try:
        done = subprocess.run(
            argv,
            env=os.environ | ONE_THREAD,
            capture_output=True,
            text=True,
            timeout=parameters["limit"],
        )
        if done.returncode:
            words = done.stderr.strip().splitlines() or ["no word"]
            found = {"failed": f"the process ended with {done.returncode}: {words[-1]}"}
        else:
            found = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        found = {"failed": f"took longer than {parameters['limit']} s"}
    files = found.pop("files", None) or every_file()
    found.setdefault("versions", versions(["python", "skcrl", *PACKAGES.values()]))
    wall = time.monotonic() - begin
    seconds = {"cpu": found.pop("cpu", None), "wall": wall}
    store.write(name, {**run, **found, **where(), "seconds": seconds}, files)
    return f"{name}: {found.get('failed', 'done')}, {wall:.0f} s"


def every_file():
    """All of skcrl, for a run that did not live to say what it imported."""
    return sorted(
        p.relative_to(ROOT).as_posix() for p in (ROOT / "skcrl").rglob("*.py")
    )


def measured(task_name, method_name, seed):
    """Measures of one run in this process, or how it failed, and what it used."""
    from _book_measures import measure

    task = TASKS[task_name]
    try:
        data = task.make(int(seed))
        found, cannot = measure(METHODS[method_name], task, data, int(seed))
        result = {"measures": found, "cannot": cannot}
    except Exception as error:
        words = str(error).replace(str(ROOT), ".").strip().splitlines() or [""]
        result = {"failed": f"{type(error).__name__}: {words[0]}"}
    return {
        **result,
        "cpu": time.process_time(),
        "files": imported_files(),
        "versions": imported_versions(),
    }


def missing_tables(store, args):
    """Names of scripts' outputs that are missing or have changed, quick ones first."""
    found = {}
    for name in args.tables:
        table = TABLES[name]
        data = file_digests(table.needs)
        if not args.again and store.holds(table.result, table.parameters(), data):
            continue
        minutes = minutes_of(store, table)
        if minutes > args.longest:
            print(f"left out: {name}, as it takes {minutes:.0f} minutes")
        elif None in data.values():
            print(f"left out: {name}, as its data are not in SKCRL_DATA")
        else:
            found[name] = minutes
    return sorted(found, key=found.get)


def minutes_of(store, table):
    """What the last run took, or what is expected."""
    result = store.read(table.result)
    return result["seconds"]["wall"] / 60 if result else table.minutes


def run_table(store, name):
    """Run the commands of a table one after the other, and store what they print."""
    table = TABLES[name]
    lines, files, used, cpu = [], set(), {}, 0.0
    begin = time.monotonic()
    for argv in table.command_lines():
        with tempfile.TemporaryDirectory() as folder:
            try:
                text = in_fresh_process(__file__, "--print", folder, *argv)
            except RuntimeError as error:
                return f"{name}: failed: {str(error).splitlines()[-1]}"
            if text.startswith("Skipped: "):
                return f"{name}: {text.strip()}"
            notes = [json.loads(p.read_text()) for p in Path(folder).glob("*.json")]
        lines += [""] * bool(lines) + text.strip("\n").splitlines()
        files |= {file for note in notes for file in note["files"]}
        used |= {p: v for note in notes for p, v in note["versions"].items()}
        cpu += max(note["cpu"] for note in notes)  # of the first process, and all of it
    seconds = {"cpu": cpu, "wall": time.monotonic() - begin}
    result = {
        "parameters": table.parameters(),
        "data": file_digests(table.needs),
        "output": lines,
        "seconds": seconds,
        "versions": used,
        **where(),
    }
    store.write(table.result, result, sorted(files))
    return f"{name}: done, {seconds['wall']:.0f} s"


def print_script(folder, script, *argv):
    """Run a script of this folder in this process; it and its processes leave notes."""
    os.environ[NOTES] = folder
    import_module(script).main([*argv])
    leave_note(folder)


if __name__ == "__main__":
    main()
