"""How large are the files of fitted models, and how long do they take, beside joblib's?

Of each model: the bytes of its weights, those of all its fitted arrays (a closing CCA
and linear decoders come on top of a network's weights), and the sizes of its files as
multiples of the former: by ``save``, by joblib as it was trained, and by joblib once it
was saved and loaded, which leaves the optimizer's state behind. Times are CPU
milliseconds, the least of several, of writing and of reading.

    python benchmarks/model_files.py
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np

from skcrl import (
    CCALRanker,
    CorrNet,
    DeepCCA,
    KernelCCA,
    LinearCCA,
    MultimodalAutoencoder,
    TiedBidirectional,
)
from skcrl.persistence._estimators import EstimatorWriter

# Halves of MNIST's images, and the encoders of the papers.
WIDTH, HIDDEN = 392, (500, 300)


def models(n_rows, width, hidden, n_components):
    """Fitted models by name."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((2, n_rows, width), dtype=np.float32)
    settings = {
        "hidden_layer_sizes": hidden,
        "optimizer": "adam",
        "lr": 1e-3,
        "batch_size": n_rows,
        "max_epochs": 1,
        "random_state": 0,
    }
    deep = DeepCCA, CorrNet, MultimodalAutoencoder, TiedBidirectional, CCALRanker
    estimators = [
        LinearCCA(n_components),
        KernelCCA(n_components, reg=1e-2),
        DeepCCA(max(1, n_components // 5), **settings),
        *(kind(n_components, **settings) for kind in deep),
    ]
    for estimator in estimators:
        yield (
            f"{type(estimator).__name__}({estimator.n_components})",
            estimator.fit(X, y),
        )


def measure(name, model, repeats, folder):
    """Print sizes and times of one model."""
    path, pickled = folder / "model.skcrl", folder / "model.joblib"
    kind = type(model)
    seconds = [
        _least(repeats, lambda: model.save(path)),
        _least(repeats, lambda: kind.load(path)),
        _least(repeats, lambda: joblib.dump(model, pickled)),
        _least(repeats, lambda: joblib.load(pickled)),
    ]
    arrays = _bytes_of_arrays(model)
    net = getattr(model, "net_", None)
    weights = arrays
    if net is not None:
        weights = sum(w.nbytes for w in net.module_.state_dict().values())
    sizes = [os.path.getsize(path), os.path.getsize(pickled)]
    joblib.dump(kind.load(path), pickled)
    sizes.append(os.path.getsize(pickled))
    print(
        f"{name:26}{weights / 2**20:8.2f}{arrays / weights:8.3f}"
        + "".join(f"{size / weights:8.3f}" for size in sizes)
        + "".join(f"{1e3 * s:8.1f}" for s in seconds)
    )


def _bytes_of_arrays(model):
    writer = EstimatorWriter()
    writer.write(model, "")
    return sum(array.nbytes for array in writer.arrays.values())


def _least(repeats, function):
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        function()
        times.append(time.process_time() - begin)
    return min(times)


def main(arguments=None):
    """Measure all models."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(arguments)
    size = (60, 12, (8,), 5) if options.quick else (1000, WIDTH, HIDDEN, 50)
    print(
        f"{'':26}{'weights':>8}{'arrays':>8}{'save':>8}{'joblib':>8}{'again':>8}",
        end="",
    )
    print(f"{'save':>8}{'load':>8}{'dump':>8}{'load':>8}")
    print(f"{'':26}{'MiB':>8}" + f"{'x':>8}" * 4 + f"{'ms':>8}" * 4)
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models(*size):
            measure(name, model, options.repeats, Path(folder))


if __name__ == "__main__":
    main()
