"""Nets and settings of the CCA layer's paper for images and texts, for retrieval.py.

Dorfer et al. (2018), sections 5.1 and 1.4.1 of the appendix, Flickr30k. What the paper
leaves open is as in the code that goes with it.
"""

from sklearn.base import clone

from skcrl import CCALRanker, DeepCCA, LinearCCA

CODE, BATCH = 128, 1000


def make_methods(n_train, max_epochs):
    """The three methods, with ranking losses of one direction and of both."""
    training = {
        # One view goes through a linear layer, the other through two hidden ones.
        "hidden_layer_sizes": ((), (1024, 1024)),
        "batch_norm": True,
        "activation": "elu",
        "input_dropout": 0.0,
        "standardize": False,
        "reg": 1e-3,
        "batch_size": min(BATCH, n_train),
        "lr": 2e-3,
        # The loss has 1e-4 times the squared weights, of which this is the gradient.
        "weight_decay": 2e-4,
        # A patience of 50 epochs, then three times a tenth of the rate and one of 10.
        "lr_schedule": "refine",
        "n_iter_no_change": 50,
        "tol": 0.0,
        "max_epochs": max_epochs,
    }
    ranker = CCALRanker(CODE, margin=0.5, **training)
    learned = clone(ranker).set_params(projection="learned", lr=1e-3)
    return {
        "LinearCCA": LinearCCA(CODE, reg=1.0),
        "DeepCCA": DeepCCA(CODE, monitor="score", **training),
        "Learned, one direction": clone(learned).set_params(symmetric=False),
        "Learned, both": learned,
        "CCALRanker, one direction": clone(ranker).set_params(symmetric=False),
        "CCALRanker, both": ranker,
    }
