"""Train every objective on the halves of digits, and write what came of it.

    torchrun --nproc-per-node 2 --max-restarts 1 train_in_processes.py FOLDER

The first start ends in a kill of the second process in the midst of a training, which
the second start takes up from its checkpoint.
"""

import os
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from scipy import sparse
from torch import nn

from skcrl import (
    CCALRanker,
    CorrNet,
    DeepCCA,
    MultimodalAutoencoder,
    TiedBidirectional,
)
from skcrl.datasets import load_digits_halves

COMMON = {
    "hidden_layer_sizes": (16,),
    "optimizer": "nesterov",
    "lr": 0.01,
    "max_epochs": 3,
    "batch_size": 101,
    "validation_fraction": 0.2,
    "random_state": 0,
}
DROPPING = COMMON | {"input_dropout": 0.2}
# Its line search makes much of little.
LBFGS = COMMON | {"optimizer": "lbfgs", "lr": 1.0, "max_epochs": 1}


class Mortal(nn.Sequential):
    """An encoder that kills the second process of the first start in its third call."""

    n_calls = 0

    def forward(self, view):
        """Encode, once more or for the last time."""
        self.n_calls += 1
        starts_before = os.environ.get("TORCHELASTIC_RESTART_COUNT")
        if self.training and self.n_calls > 9 and starts_before == "0":
            if os.environ["RANK"] == "1":
                os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(view)


def encoder():
    """An encoder of the user's, whose weights are the same in every process."""
    torch.manual_seed(0)
    return Mortal(nn.Linear(32, 8), nn.Tanh(), nn.Linear(8, 3))


def estimators():
    """Every objective and estimator, by name."""
    return {
        **{
            objective: DeepCCA(3, objective=objective, **DROPPING)
            for objective in ("trace_norm", "correlation_gap", "soft", "noi")
        },
        "reconstructed": DeepCCA(3, reconstruction_weight=0.01, **DROPPING),
        "micro": DeepCCA(3, micro_batch_size=17, **DROPPING),
        "ranking": CCALRanker(3, **DROPPING),
        # At larger rates its training makes much of rounding, in one process as well.
        "infonce": CCALRanker(
            3, objective="infonce", projection="learned", **(DROPPING | {"lr": 1e-3})
        ),
        "corrnet": CorrNet(3, **COMMON),
        "autoencoder": MultimodalAutoencoder(3, noise=0.1, **COMMON),
        "tied": TiedBidirectional(3, **DROPPING),
        "lbfgs": DeepCCA(3, **LBFGS),
        "weighed": DeepCCA(3, **DROPPING),
        "sparse": DeepCCA(3, **DROPPING),
    }


def views(name):
    """The halves in float32, some missing where an estimator trains on such rows."""
    x, y = (view[:500].astype(np.float32) / 16 for view in load_digits_halves()[:2])
    if name in (
        "corrnet",
        "autoencoder",
        "tied",
        "reconstructed",
        "ranking, reconstructed",
    ):
        x[::7] = np.nan
        y[3::7] = np.nan
    if name == "sparse":
        x, y = sparse.csr_array(x), sparse.csr_array(y)
    return x, y


def fitted(name, estimator):
    """Losses of the epochs, and codes of the complete rows of x."""
    x, y = views(name)
    weights = np.linspace(0.5, 2, x.shape[0]) if name == "weighed" else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(x, y, sample_weight=weights)
    losses = [[row["train_loss"], row["valid_loss"]] for row in estimator.history_]
    complete = x if name == "sparse" else x[np.isfinite(x).all(axis=1)]
    codes = estimator.transform(complete)
    return {f"{name} losses": np.array(losses), f"{name} codes": codes}


def refusal(**parameters):
    """What fit says to parameters that differ between the processes."""
    try:
        DeepCCA(3, **(COMMON | parameters)).fit(*views("refused"))
    except ValueError as error:
        return str(error)


def main(folder):
    """Fit, and write what each process has."""
    rank = int(os.environ["RANK"])
    kept = DeepCCA(3, x_encoder=encoder(), checkpoint=folder / "kept.skcrl", **COMMON)
    results = fitted("kept", kept)
    for name, estimator in estimators().items():
        results |= fitted(name, estimator)
    results |= fitted("unseeded", DeepCCA(3, **(COMMON | {"random_state": None})))
    results["other lr"] = refusal(lr=0.01 * (1 + rank))
    np.savez(folder / f"{rank}.npz", **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
