"""What the results book measures of one fitted method: each number under its name."""

import time
import warnings

import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_score
from sklearn.svm import LinearSVC

from skcrl.metrics import (
    canonical_total,
    effective_rank,
    mean_reciprocal_rank,
    pearson_sum,
    reconstruction_error,
)


def measure(method, task, data, seed):
    """Measures of one method, and what it cannot do with the reason."""
    estimator = method.make(task.n_components, seed, data)
    begin = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the measures show what was learned
        model = estimator.fit(*rows_for(method, data))
        model = getattr(model, "best_estimator_", model)
        seconds = time.process_time() - begin
        found, cannot = numbers(model, task, data)
    found["fit_seconds"] = seconds
    for name in ("accuracy", "mrr"):
        if f"{name}_x_to_y" in found:
            both = found[f"{name}_x_to_y"], found[f"{name}_y_to_x"]
            found[name] = float(np.mean(both))
    return found, cannot


def rows_for(method, data):
    """Training rows that the method can take: all, or those with both views."""
    X, y = data.train
    both = whole(X, y)
    return (X, y) if method.takes_gaps or both.all() else (X[both], y[both])


def numbers(model, task, data):
    """Measures that the task has and the method can do, and reasons for the others."""
    found, cannot = {}, {}
    test = codes(model, data.test)
    if data.labels is not None:
        for side, view in zip("xy", test, strict=True):
            found[f"accuracy_within_{side}"] = accuracy(view, view, data.labels)
    if not getattr(model, "common", True):
        cannot["other measure"] = "its codes of the two views are not comparable"
        return found, cannot
    X, y = data.train
    both = whole(X, y)
    train = codes(model, (X[both], y[both]))
    found["canonical_total"] = canonical_total(*test, *train)
    found["pearson_sum"] = pearson_sum(*test)
    found["effective_rank"] = effective_rank(test[0])
    if data.labels is not None:
        found["accuracy_x_to_y"] = accuracy(*test, data.labels)
        found["accuracy_y_to_x"] = accuracy(*test[::-1], data.labels)
    if task.search:
        found["mrr_x_to_y"] = mean_reciprocal_rank(*test)
        found["mrr_y_to_x"] = mean_reciprocal_rank(*test[::-1])
    views = dict(zip("xy", data.test, strict=True))
    for side, given in (("x", {"X": None, "y": views["y"]}), ("y", {"X": views["x"]})):
        if side in getattr(model, "reconstructs", "xy"):
            reconstructed = model.reconstruct(**given, to=side)
            found[f"error_{side}"] = reconstruction_error(views[side], reconstructed)
        else:
            cannot[f"error_{side}"] = "it does not reconstruct this view from the other"
    if data.truth is not None:
        learned, true = data.truth[0][both], data.truth[1]
        found["recovery"] = float(
            np.mean(
                [
                    r2_score(true, LinearRegression().fit(a, learned).predict(b))
                    for a, b in zip(train, test, strict=True)
                ]
            )
        )
    return found, cannot


def whole(X, y):
    """Which rows have both views."""
    return ~(np.isnan(X).any(axis=1) | np.isnan(y).any(axis=1))


def codes(model, views):
    """Codes of both views as float64."""
    return [np.asarray(Z, dtype=np.float64) for Z in model.transform_pair(*views)]


def accuracy(learned, read, labels):
    """The protocol of transfer_score, on codes."""
    svc = LinearSVC(random_state=0)
    if learned is read:
        return float(cross_val_score(svc, read, labels, cv=KFold(5)).mean())
    return float(
        np.mean(
            [
                svc.fit(learned[train], labels[train]).score(read[test], labels[test])
                for train, test in KFold(5).split(read)
            ]
        )
    )
