"""The table of records.py, made of stored runs."""

import numpy as np
from _record_rows import PUBLISHED, ROWS
from _record_tasks import TASKS
from scipy import stats

SHARES = frozenset({"r2 of x", "r2 of y"})  # of 1, which need more decimals
LESS_IS_BETTER = frozenset({"error", "minutes"})


def stored_name(row, seed, split):
    """Name of the result of a run."""
    return f"records/{split}/{row} {seed}"


def record_table(store, task, split="test", names=(*ROWS,)):
    """Lines of the table of a task: what is stored, and what was published."""
    if task not in TASKS:
        return []
    measures = (*TASKS[task].measures, "minutes")
    titles = f"{task:34}" + "".join(f"{title:>15}" for title in measures)
    rows = [
        line
        for name in names
        if ROWS[name].task == task
        for line in lines(name, stored_measures(store, name, split), measures)
    ]
    if not rows:
        return []
    published = PUBLISHED.get(task, {}) if split == "test" else {}
    rows += [published_line(*item, measures) for item in published.items()]
    return [titles, *rows]


def stored_measures(store, name, split):
    """Measures of each seed that is stored, from 0 on."""
    found = []
    while result := store.read(stored_name(name, len(found), split)):
        found.append(result["measures"])
    return found


def lines(name, results, measures):
    """A row of means with half their intervals, and one of the worst seeds."""
    values = np.array([[result[m] for m in measures] for result in results])
    n = len(values)
    if n == 0:
        return
    decimals = [4 if m in SHARES else 2 for m in measures]
    cells = list(map(figure, values.mean(axis=0), decimals))
    if n > 1:
        halves = stats.t.ppf(0.975, n - 1) * stats.sem(values, axis=0)
        cells = map("{} ±{}".format, cells, map(figure, halves, decimals))
    yield f"{name:34}" + "".join(f"{cell:>15}" for cell in cells)
    if n > 1:
        worst = (
            column.max() if m in LESS_IS_BETTER else column.min()
            for m, column in zip(measures, values.T, strict=True)
        )
        worst_of = f"  worst of {n}"
        cells = map(figure, worst, decimals)
        yield f"{worst_of:34}" + "".join(f"{cell:>15}" for cell in cells)


def published_line(name, values, measures):
    """Figures that a paper has, as they stand there."""
    cells = (str(values.get(measure, "-")) for measure in measures)
    label = f"published: {name}"
    return f"{label:34}" + "".join(f"{cell:>15}" for cell in cells)


def figure(value, decimals):
    """A number as text."""
    return f"{value:.{decimals}f}"
