"""Write the files of ``data``: models of version 1, and what they compute.

Later versions of skcrl are to load those that are there, which are never written again.
It was run once, for version 1 of the format; copy it for a new version, or to add
estimators in a folder of their own.

    PYTHONPATH=tests/persistence python tests/persistence/write_data.py
"""

from pathlib import Path

import numpy as np
from saved_models import CLASSIFIERS, TWO_VIEWS, X, Y, fitted, outputs
from scipy import sparse
from sklearn.base import clone

FOLDER = Path(__file__).parent / "data" / "v1"
# The files of kernels grow with the square of the rows.
KERNELS = ("kernel", "kernel nystroem", "kernel fourier")
NAMES = (
    *("linear", "linear frames", "linear sparse", "linear 1-D"),
    *("deep", "deep soft", "deep autoencoder", "corrnet", "corrnet tied"),
    *("autoencoder", "tied", "ranker", "ranker learned"),
    *("pipeline", "pipeline texts", "pipeline table"),
    *("classifier svc", "classifier calibrated", "classifier columns"),
    *("retriever named",),
    *KERNELS,
)


def main():
    """Write a file for each model, and one of the first rows of what they compute."""
    computed = {}
    for name in NAMES:
        path = FOLDER / f"{name.replace(' ', '_')}.skcrl"
        if path.exists():
            raise FileExistsError(path)
        model = fitted(name)
        if name in KERNELS:
            model = clone(TWO_VIEWS[name][0]).fit(X[:9], Y[:9])
        model.save(path)
        computed |= {f"{name}: {kind}": a for kind, a in joined(name, model).items()}
    np.savez_compressed(FOLDER / "computed.npz", **computed)


def joined(name, model):
    """First rows of all that a model computes, numbers and texts each in one array."""
    arrays = {"numbers": [], "texts": []}
    # Classifiers may come to offer more than predict.
    computed = outputs(name, model)[: 1 if name in CLASSIFIERS else None]
    for output in computed:
        rows = output[:3].toarray() if sparse.issparse(output) else output[:3]
        kind = "texts" if rows.dtype.kind in "OU" else "numbers"
        arrays[kind].append(np.ravel(rows))
    return {
        kind: np.concatenate(parts).astype("f4" if kind == "numbers" else "U")
        for kind, parts in arrays.items()
        if parts
    }


if __name__ == "__main__":
    main()
