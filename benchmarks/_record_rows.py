"""Rows of records.py: estimators, each with its task."""

from typing import Any, NamedTuple

import noisy_mnist

from skcrl import DeepCCA, LinearCCA, Restarts
from skcrl.deep.augment import RandomAffine
from skcrl.deep.modules import ConvEncoder

HALF, WHOLE = (28, 14), (28, 28)
# Ten digits span nine directions. A tenth component is noise, which spoils clusters.
DIRECTIONS = 9


class Row(NamedTuple):
    """One estimator on one task."""

    task: str
    make: Any  # seed -> estimator


def iterated(k, seed, **settings):
    """DeepCCA by nonlinear orthogonal iterations, with one cycle of the rate."""
    return DeepCCA(
        k,
        **{
            "objective": "noi",
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


def decayed(k, seed, **settings):
    """The same with weights that decay, which allows to train for longer."""
    longer = {"optimizer": "adamw", "weight_decay": 0.2, "max_epochs": 24}
    return iterated(k, seed, **{**longer, **settings})


def kept(estimator, n_restarts=1):
    """The 50 best components of one or more trainings."""
    return Restarts(
        estimator,
        n_restarts,
        closing_cca=True,
        n_components=50,
        random_state=estimator.random_state,
    )


def deep(seed):
    """Networks of three hidden layers for 100 components."""
    layers = {"hidden_layer_sizes": (600,) * 3, "weight_decay": 0.3}
    return decayed(100, seed, **layers, mixed_precision=True)


def moved(*shapes, **settings):
    """Images of one or both views turned, resized, slanted and shifted a little."""
    changes = {"rotation": 10, "scale": 0.1, "shear": 0.15, "shift": 1.5}
    return RandomAffine(*shapes, **{**changes, **settings})


def convolutions(shape, k, seed):
    """Encoders of both views, which begin with different weights."""
    names = "x_encoder", "y_encoder"
    return {
        name: ConvEncoder(shape, k, random_state=2 * seed + i)
        for i, name in enumerate(names)
    }


def of_conv(k, seed, shape=HALF, **settings):
    """DeepCCA with convolutions, on images that are moved apart."""
    return DeepCCA(
        k,
        **{
            **convolutions(shape, k, seed),
            "augment": moved(shape, shape),
            "batch_size": 1000,
            "lr": 3e-3,
            "lr_schedule": "one_cycle",
            "optimizer": "adamw",
            "weight_decay": 0.1,
            "reg": 1e-4,
            "max_epochs": 20,
            "mixed_precision": True,
            "random_state": seed,
            **settings,
        },
    )


def supervised(seed):
    """Nine directions that tell ten digits apart, learned from one half and labels."""
    return of_conv(
        DIRECTIONS,
        seed,
        augment=moved(HALF),
        y_encoder=None,
        hidden_layer_sizes=(),
    )


def dense_of_noisy(seed):
    """The three hidden layers of the paper, on images that are moved a little."""
    return decayed(
        DIRECTIONS,
        seed,
        hidden_layer_sizes=(1024,) * 3,
        augment=moved(WHOLE, WHOLE, shear=0.1, shift=1.0),
        batch_size=200,
        lr=2e-3,
        max_epochs=20,
        mixed_precision=True,
    )


def conv_of_noisy(seed):
    """Convolutions for the digits, and the dense layers for their noisy partners."""
    moves = moved(WHOLE, WHOLE, scale=0.15, shear=0.2, shift=2)
    return of_conv(
        DIRECTIONS,
        seed,
        WHOLE,
        objective="noi",
        y_encoder=None,
        hidden_layer_sizes=(1024,) * 3,
        augment=moves,
        batch_size=250,
        weight_decay=0.2,
        max_epochs=30,
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
    "trace norm, k=50": Row(
        "halves",
        lambda seed: iterated(
            50,
            seed,
            objective="trace_norm",
            batch_size=500,
            max_epochs=15,
            input_dropout=0.1,
        ),
    ),
    "NOI, k=50": Row("halves", lambda seed: iterated(50, seed)),
    "weight decay, longer": Row("halves", lambda seed: decayed(50, seed)),
    "and moved together": Row(
        "halves",
        lambda seed: decayed(
            50,
            seed,
            augment=moved(
                HALF,
                HALF,
                rotation=3,
                scale=0.03,
                shear=0.03,
                shift=0.3,
                pair="halves",
            ),
        ),
    ),
    "and moved apart": Row(
        "halves", lambda seed: decayed(50, seed, augment=moved(HALF, HALF))
    ),
    "50 best of 100": Row("halves", lambda seed: kept(decayed(100, seed))),
    "three layers": Row("halves", lambda seed: kept(deep(seed))),
    "3 trainings": Row("halves", lambda seed: kept(deep(seed), 3)),
    "NOI, k=200": Row(
        "halves",
        lambda seed: decayed(
            200,
            seed,
            hidden_layer_sizes=(1024, 1024),
            batch_size=400,
            weight_decay=0.1,
            max_epochs=20,
            mixed_precision=True,
        ),
    ),
    "convolutions, k=50": Row("halves", lambda seed: of_conv(50, seed)),
    "labels, left": Row("left half and labels", supervised),
    "labels, right": Row("right half and labels", supervised),
    "LinearCCA, noisy": Row("noisy digits", lambda seed: LinearCCA(DIRECTIONS)),
    "dense, noisy, moved": Row("noisy digits", dense_of_noisy),
    "convolutions, noisy": Row("noisy digits", conv_of_noisy),
}

# Published figures of the test images of a task; on halves with 50 components.
PUBLISHED = {
    "halves": {
        "CorrMCNN (2017)": {"l->r": 90.27, "r->l": 91.16},
        "L0-CCA (2022)": {"canonical": 47.09},
        "dynamic scaling (2022)": {"canonical": 47.49},
    },
    "noisy digits": {
        "DCCAE (2016)": dict(
            zip(
                ("accuracy", "nmi", "error"),
                noisy_mnist.PUBLISHED["DCCAE"],
                strict=True,
            )
        ),
    },
}
