"""Pages of the results book, written from stored results and nothing else."""

from typing import NamedTuple

import numpy as np
from _book_methods import METHODS
from _book_tasks import TASKS
from scipy.stats import rankdata

# Columns of a table of their own, where it is not that methods are ranked by them.
EACH_WAY = {
    "accuracy_x_to_y",
    "accuracy_y_to_x",
    "accuracy_within_x",
    "accuracy_within_y",
    "mrr_x_to_y",
    "mrr_y_to_x",
}
SEEDS = range(3)


class Measure(NamedTuple):
    """A column of the tables."""

    heading: str
    decimals: int
    more_is_better: bool
    meaning: str


MEASURES = {
    "canonical_total": Measure(
        "canonical", 3, True,
        "Total correlation of the codes of test rows, under a CCA that was fitted to "
        "the codes of training rows (`skcrl.metrics.canonical_total`). At most the "
        "number of components.",
    ),
    "pearson_sum": Measure(
        "pearson", 3, True,
        "Sum over dimensions of the correlation of test codes "
        "(`skcrl.metrics.pearson_sum`). Dimensions that repeat each other are counted "
        "more than once.",
    ),
    "effective_rank": Measure(
        "rank", 2, True,
        "How many different dimensions the test codes of the first view have "
        "(`skcrl.metrics.effective_rank`).",
    ),
    "accuracy_x_to_y": Measure(
        "x->y", 3, True,
        "Share of right answers of a linear classifier that is trained on codes of x "
        "and tested on codes of y (`skcrl.transfer_score`, five folds of the test "
        "rows).",
    ),
    "accuracy_y_to_x": Measure("y->x", 3, True, "The same from y to x."),
    "accuracy": Measure("accuracy", 3, True, "The mean of `x->y` and `y->x`."),
    "accuracy_within_x": Measure(
        "within x", 3, True, "The same classifier, trained and tested on codes of x.",
    ),
    "accuracy_within_y": Measure("within y", 3, True, "The same of y."),
    "mrr_x_to_y": Measure(
        "mrr x->y", 3, True,
        "Mean reciprocal rank of the right partner among all test rows of y, searched "
        "by the cosine of codes (`skcrl.metrics.mean_reciprocal_rank`). It is 1 if "
        "each partner is found first.",
    ),
    "mrr_y_to_x": Measure("mrr y->x", 3, True, "The same from y to x."),
    "mrr": Measure("mrr", 3, True, "The mean of `mrr x->y` and `mrr y->x`."),
    "error_x": Measure(
        "error x", 3, False,
        "Squared error of x reconstructed from y alone, as a share of its variance "
        "(`skcrl.metrics.reconstruction_error`). The mean of x has the error 1.",
    ),
    "error_y": Measure("error y", 3, False, "The same of y reconstructed from x."),
    "recovery": Measure(
        "recovery", 3, True,
        "Share of the variance of the true common factors that a linear map predicts "
        "from the codes of test rows. The map is fitted to training rows. This is the "
        "mean of both views, and 1 means that all factors are found.",
    ),
    "fit_seconds": Measure("seconds", 2, False, "CPU time of `fit`, on one thread."),
}  # fmt: skip
NOTE = "<!-- Written by `make results`. Do not edit. -->"


def grid_name(task, method, seed):
    """Name of the result of one run."""
    return f"grid/{task}/{method} {seed}"


def page_name(task):
    """File of the page of a task."""
    return f"{task.replace(' ', '-')}.md"


def pages(store):
    """Text of each page by the name of its file."""
    read = {name: read_task(store, name) for name in TASKS}
    done = {name: rows for name, rows in read.items() if complete(name, rows)}
    texts = {page_name(name): task_page(name, rows) for name, rows in done.items()}
    return {"index.md": index_page(done), **texts}


def write_pages(store, folder):
    """Write all pages, and remove those that no result is left for."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = pages(store)
    for path in folder.glob("*.md"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")


def read_task(store, task):
    """Results of the seeds of each method."""
    return {
        method: [store.read(grid_name(task, method, seed)) for seed in SEEDS]
        for method in METHODS
    }


def complete(task, rows):
    """Whether all is there that can be run."""
    expected = [rows[name] for name, m in METHODS.items() if m.only in task]
    return all(None not in runs for runs in expected)


def values(runs, measure):
    """Values of a measure, one a seed; none where a run failed or does not have it."""
    found = [run and run.get("measures", {}).get(measure) for run in runs]
    return [] if None in found else found


def cell(runs, measure, spread=False):
    """Mean over the seeds, with their standard deviation if it is asked for."""
    found = values(runs, measure)
    if not found:
        return "-"
    decimals = MEASURES[measure].decimals
    mean = f"{np.mean(found):.{decimals}f}"
    return f"{mean} ±{np.std(found, ddof=1):.{decimals}f}" if spread else mean


def standing(task, rows):
    """Rank of each method on the main measure of a task, as the page rounds it."""
    main = TASKS[task].main
    sign = -1 if MEASURES[main].more_is_better else 1
    means = {name: cell(runs, main) for name, runs in rows.items()}
    names = [name for name, mean in means.items() if mean != "-"]
    ranks = rankdata([sign * float(means[name]) for name in names])
    return dict(zip(names, ranks, strict=True))


def index_page(done):
    """What the book holds, and how methods stand over all tasks."""
    ranks = {task: standing(task, rows) for task, rows in done.items()}
    lines = [
        NOTE,
        "",
        "# The results book",
        "",
        "Each page of this book is one task: two views of the same samples, divided "
        "into rows to learn from and rows to be tested on. Every method learns from "
        "the same rows, with the same number of components and its default settings. "
        'If the name of a method ends in "cv", cross-validation with three folds of '
        "the training rows chose its penalty. Each method is run with three seeds. A "
        "seed decides how the rows are divided, or simulates the data, and decides "
        "the random numbers of the method. The names of methods of other packages "
        "begin with the name of the package.",
        "",
        "The numbers come from files in `benchmarks/results/`, one for each run. Such "
        "a file also names the versions, the commit, the machine and the time. `make "
        "results` runs what is missing or has changed, and writes these pages. Each "
        "page names the command that repeats one of its rows.",
        "",
        "Two other pages show results. [The tables of the sources, measured "
        "here](../sources.md) says what was reproduced of the documents that skcrl was "
        "built after. [Longer tables](../numbers.md) shows what single benchmarks "
        "print.",
        "",
        "## How methods stand",
        "",
        "The table shows the rank of each method on each task. The list of tasks "
        "below it names the measure. The best method has rank 1, and methods whose "
        "printed means are equal share a rank. A dash means that the method failed, "
        "or cannot do the task. A method that is meant for one kind of task is only on "
        "the pages of such tasks. `mean` is the mean rank over the tasks that a method "
        "can do. Default settings suit some data better than others, so look at the "
        "task that is most like yours.",
        "",
        *code(rank_table(ranks)),
        "",
        "## Tasks",
        "",
        "| | task | ranked by | best | |",
        "|---|---|---|---|---|",
    ]
    for number, (task, rows) in enumerate(done.items(), 1):
        main = TASKS[task].main
        best = min(ranks[task], key=ranks[task].get)
        link, measure = f"[{task}]({page_name(task)})", f"`{MEASURES[main].heading}`"
        value = cell(rows[best], main)
        lines.append(f"| {number} | {link} | {measure} | {best} | {value} |")
    waiting = ", ".join(task for task in TASKS if task not in done)
    if waiting:
        lines += ["", f"Not yet run with every method and seed: {waiting}."]
    lines += ["", *settings(done)]
    lines += ["", "```{toctree}", ":hidden:", "", *(page_name(t)[:-3] for t in done)]
    return "\n".join([*lines, "../numbers", "```", ""])


def settings(done):
    """What each method is, as a list."""
    if not done:
        return []
    task = next(reversed(done))
    lines = ["## Methods", "", f'The estimators, for the task "{task}" and seed 0:', ""]
    for name, runs in done[task].items():
        if runs[0]:
            estimator = " ".join(runs[0]["parameters"]["estimator"].split())
            lines.append(f"- {name}: `{estimator}`")
    return lines


def rank_table(ranks):
    """Lines of a table: methods by their mean rank, one column a task."""
    found = {
        name: [of.get(name, np.nan) for of in ranks.values()]
        for name, method in METHODS.items()
        if not method.only and any(name in of for of in ranks.values())
    }
    means = {name: np.nanmean(row) for name, row in found.items()}
    heads = "".join(f"{number:>5}" for number in range(1, len(ranks) + 1))
    lines = [f"{'':26}{'mean':>6} {heads}"]
    for name in sorted(found, key=means.get):
        row = "".join(f"{'-' if np.isnan(r) else f'{r:g}':>5}" for r in found[name])
        lines.append(f"{name:26}{means[name]:6.1f} {row}")
    return lines


def task_page(task, rows):
    """One task: what it is, its table and what misses in it, and how it is repeated."""
    about = TASKS[task]
    shown = [m for m in MEASURES if any(values(runs, m) for runs in rows.values())]
    shown.remove(about.main)
    shown.insert(0, about.main)
    ranks = standing(task, rows)
    there = [name for name, runs in rows.items() if None not in runs]
    order = sorted(there, key=lambda name: ranks.get(name, np.inf))
    first = [m for m in shown[1:] if m not in EACH_WAY]
    each_way = [m for m in shown[1:] if m in EACH_WAY]
    tables = [*columns(rows, order, first, about.main)]
    if each_way:
        tables += ["", *columns(rows, order, each_way)]
    repeat = f'--again --tables --tasks "{task}" --methods "{order[0]}"'
    return "\n".join(
        [
            NOTE,
            "",
            f"# {task[0].upper()}{task[1:]}",
            "",
            about.about,
            "",
            f"Codes have {about.n_components} component"
            f"{'s' * (about.n_components > 1)}. All numbers are means over three "
            f"seeds. Methods are sorted by `{MEASURES[about.main].heading}`, and the "
            "number after ± is its standard deviation over the seeds.",
            "",
            *code(tables),
            "",
            *failures(task, rows),
            "What the columns are:",
            "",
            *(f"- `{MEASURES[m].heading}` ({m}): {MEASURES[m].meaning}" for m in shown),
            "",
            "To run a row again:",
            "",
            "```sh",
            f"python benchmarks/results_book.py {repeat}",
            "```",
            "",
            provenance(rows),
            "",
        ]
    )


def columns(rows, order, measures, main=None):
    """Lines of a table of means; the main measure stands first, with its spread."""
    heads = [f"{MEASURES[m].heading:>11}" for m in measures]
    yield (
        f"{'':26}" + (f"{MEASURES[main].heading:>14}" if main else "") + "".join(heads)
    )
    for name in order:
        cells = [f"{cell(rows[name], m):>11}" for m in measures]
        if main:
            cells.insert(0, f"{cell(rows[name], main, spread=True):>14}")
        if any(text.strip() != "-" for text in cells):
            yield f"{name:26}" + "".join(cells)


def failures(task, rows):
    """What methods could not do, by name."""
    found = {}
    for name, runs in rows.items():
        for run in filter(None, runs):
            if "failed" in run:
                words = f'failed with the words "{run["failed"]}"'
                found.setdefault(words, []).append(name)
            for measure, reason in run.get("cannot", {}).items():
                what = (
                    f"`{MEASURES[measure].heading}`" if measure in MEASURES else measure
                )
                found.setdefault(f"no {what}, as {reason}", []).append(name)
    if "missing" in task:
        unable = [name for name, method in METHODS.items() if not method.takes_gaps]
        found["learned only from the rows that have both views"] = unable
    if not found:
        return []
    lines = ["What methods could not do:", ""]
    for what, names in found.items():
        seeds = {
            name: f" ({names.count(name)} of {len(SEEDS)} seeds)" for name in names
        }
        counted = "failed" in what
        listed = ", ".join(f"{n}{seeds[n] if counted else ''}" for n in seeds)
        lines.append(f"- {listed}: {what}.")
    return [*lines, ""]


def provenance(rows):
    """Where the numbers of a page come from: all machines, commits and versions."""
    runs = [run for of_one in rows.values() for run in of_one if run]
    minutes = sum(run["seconds"]["wall"] for run in runs) / 60
    cpus = sorted({run["machine"]["cpu"] for run in runs})
    commits = sorted({run["commit"] or "unknown" for run in runs})
    packages = sorted(
        {f"{name} {v}" for run in runs for name, v in run["versions"].items() if v}
    )
    return (
        f"All runs together took {minutes:.0f} minutes, on one thread each of "
        f"{', '.join(cpus)}. Commit {', '.join(commits)}; {', '.join(packages)}."
    )


def code(lines):
    """A literal block."""
    return [f"    {line}".rstrip() for line in lines]


README_TASK = "digits halves"
README_METHODS = {
    "DeepCCA",
    "CCALRanker",
    "KernelCCA, cv",
    "LinearCCA, cv",
    "SparseCCA, cv",
    "CorrNet",
    "MultimodalAutoencoder",
    "cca-zoo RidgeCCA, cv",
    "scikit-learn CCA",
    "scikit-learn PLSCanonical",
}
README_COLUMNS = ("accuracy_x_to_y", "accuracy_y_to_x", "canonical_total", "mrr")


def readme_table(store):
    """The small table of README: one task, some methods, from best to worst."""
    rows = read_task(store, README_TASK)
    if not complete(README_TASK, rows):
        return None
    ranks = standing(README_TASK, rows)
    chosen = sorted(README_METHODS & ranks.keys(), key=ranks.get)
    return [*columns(rows, chosen, README_COLUMNS)]
