"""Methods of the results book: estimators at their defaults.

Where a penalty must be chosen, its name ends in "cv": three folds of the training rows
choose it in the run, and its seconds are in those of `fit`.
"""

from importlib.util import find_spec
from typing import NamedTuple

from sklearn.model_selection import GridSearchCV, KFold

FOLDS = KFold(3)


class Method(NamedTuple):
    """A row of the book."""

    make: object  # from the number of components, the seed and the data to an estimator
    takes_gaps: bool = False
    package: str = "skcrl"
    only: str = ""  # what is in the names of the tasks that it is meant for

    def not_installed(self):
        """Why the method cannot be run here, or nothing."""
        return "" if find_spec(self.package) else f"{self.package} is not installed"


def chosen(estimator, grid):
    """The estimator with the parameters that three folds of training rows like best."""
    return GridSearchCV(estimator, grid, cv=FOLDS)


def widths(data):
    """Columns of both views."""
    return [view.shape[1] for view in data.train]


def linear(k, seed, data):
    """LinearCCA."""
    from skcrl import LinearCCA

    return LinearCCA(k)


def linear_cv(k, seed, data):
    """LinearCCA with a shrinkage by its own cross-validation."""
    from skcrl import LinearCCA

    return LinearCCA(k, shrinkage="cv")


def sparse_cv(k, seed, data):
    """SparseCCA of as many columns as cross-validation says."""
    from skcrl import SparseCCA

    sizes = sorted({min(size, *widths(data)) for size in (3, 10, 30)})
    return chosen(SparseCCA(k), {"n_nonzero": sizes})


def probabilistic(k, seed, data):
    """ProbabilisticCCA."""
    from skcrl import ProbabilisticCCA

    return ProbabilisticCCA(k)


def common_individual(k, seed, data):
    """LinearCommonIndividual of k common components."""
    from skcrl import LinearCommonIndividual

    return LinearCommonIndividual(k)


def kernel(k, seed, data, **parameters):
    """KernelCCA."""
    from skcrl import KernelCCA

    return KernelCCA(k, random_state=seed, **parameters)


def kernel_cv(k, seed, data):
    """KernelCCA with a width and a ridge by cross-validation."""
    grid = {
        "gamma": [
            tuple(size / width for width in widths(data)) for size in (0.3, 1, 3)
        ],
        "reg": [1e-3, 1e-2, 1e-1],
    }
    return chosen(kernel(k, seed, data), grid)


def deep(name, **parameters):
    """A deep estimator by name."""

    def make(k, seed, data):
        import skcrl

        return getattr(skcrl, name)(k, random_state=seed, **parameters)

    return make


def self_learning(k, seed, data):
    """LinearCCA that finds more pairs among rows of one view."""
    from skcrl import LinearCCA, SelfLearning

    return SelfLearning(LinearCCA(k, shrinkage="cv"), random_state=seed)


def scikit_learn(name):
    """An estimator of scikit-learn."""

    def make(k, seed, data):
        from _book_peers import ScikitLearn
        from sklearn import cross_decomposition

        return ScikitLearn(getattr(cross_decomposition, name)(k))

    return make


def cca_zoo(name, penalties=None):
    """A class of cca-zoo, with a penalty by cross-validation."""

    def make(k, seed, data):
        from _book_peers import CcaZoo

        model = CcaZoo(name, k)
        return chosen(model, {"penalty": penalties}) if penalties else model

    return make


def procrustes(k, seed, data):
    """Principal components, turned."""
    from _book_peers import Procrustes

    return Procrustes(k)


def single_view(k, seed, data):
    """No common space."""
    from _book_peers import SingleView

    return SingleView()


SHARES = [0.01, 0.1, 0.3, 0.5, 0.7, 0.9]
METHODS = {
    "LinearCCA": Method(linear),
    "LinearCCA, cv": Method(linear_cv),
    "SparseCCA, cv": Method(sparse_cv),
    "ProbabilisticCCA": Method(probabilistic, takes_gaps=True),
    "LinearCommonIndividual": Method(common_individual),
    "KernelCCA": Method(kernel),
    "KernelCCA, cv": Method(kernel_cv),
    "DeepCCA": Method(deep("DeepCCA")),
    "CorrNet": Method(deep("CorrNet"), takes_gaps=True),
    "MultimodalAutoencoder": Method(deep("MultimodalAutoencoder"), takes_gaps=True),
    "TiedBidirectional": Method(deep("TiedBidirectional"), takes_gaps=True),
    "CCALRanker": Method(deep("CCALRanker")),
    "CCALRanker, InfoNCE": Method(
        deep("CCALRanker", projection="learned", objective="infonce")
    ),
    "SelfLearning": Method(self_learning, takes_gaps=True, only="missing"),
    "scikit-learn CCA": Method(scikit_learn("CCA"), package="sklearn"),
    "scikit-learn PLSCanonical": Method(
        scikit_learn("PLSCanonical"), package="sklearn"
    ),
    "cca-zoo CCA": Method(cca_zoo("CCA"), package="cca_zoo"),
    "cca-zoo RidgeCCA, cv": Method(cca_zoo("RidgeCCA", SHARES), package="cca_zoo"),
    "cca-zoo PMDCCA, cv": Method(
        cca_zoo("PMDCCA", [0.1, 0.3, 0.5, 0.7]), package="cca_zoo"
    ),
    "PCA, Procrustes": Method(procrustes),
    "single view": Method(single_view),
}
