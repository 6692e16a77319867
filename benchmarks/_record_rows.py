"""Rows of records.py: estimators, each with its task."""

from typing import Any, NamedTuple

from skcrl import DeepCCA, LinearCCA


class Row(NamedTuple):
    """One estimator on one task."""

    task: str
    make: Any  # seed -> estimator


def iterated(k, seed, **settings):
    """DeepCCA by nonlinear orthogonal iterations, with one cycle of the rate."""
    return DeepCCA(
        k,
        objective="noi",
        **{
            "lr": 3e-3,
            "lr_schedule": "one_cycle",
            "reg": 1e-4,
            "input_dropout": 0.0,
            "standardize": False,
            "batch_size": 100,
            "max_epochs": 12,
            "random_state": seed,
            **settings,
        },
    )


ROWS = {
    "LinearCCA, latents": Row("latents", lambda seed: LinearCCA(4)),
    "DeepCCA, latents": Row(
        "latents",
        lambda seed: iterated(
            4, seed, hidden_layer_sizes=(128, 128), batch_size=500, max_epochs=15
        ),
    ),
    "LinearCCA, k=50": Row("halves", lambda seed: LinearCCA(50)),
    "DeepCCA, k=50": Row("halves", lambda seed: iterated(50, seed)),
}
