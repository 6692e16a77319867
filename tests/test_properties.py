"""What holds for any views: the examples are found by hypothesis, not chosen.

HYPOTHESIS_PROFILE=fuzz looks at many more of them, and at new ones each time.
"""

import pickle
import traceback
from contextlib import contextmanager
from functools import partial, wraps
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from strategies import (
    CONTAINERS,
    DENSE,
    KINDS,
    SPARSE,
    Views,
    containers,
    linear,
    mild_views,
    probabilistic,
    snapshot,
    sparse_views,
    tame_views,
    wild_views,
)

from skcrl import (
    CrossViewClassifier,
    CrossViewRetriever,
    KernelCCA,
    LinearCCA,
    TwoView,
    metrics,
)
from skcrl.inspection import (
    bootstrap_intervals,
    held_out_permutation_test,
    multivariate_tests,
    permutation_test,
    select_n_components,
)

# Sparse CCA of few rows of noise may not converge, and then warns.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The weights of a component still:sklearn.exceptions.ConvergenceWarning"
)


def share(of_examples):
    """Settings with that share of the examples of the profile."""
    return settings(max_examples=max(2, round(of_examples * _ALL)))


_ALL = settings.default.max_examples


def over(kinds=KINDS, **strategies):
    """A property of a drawn estimator of each kind, and of what else is drawn."""

    def decorate(check):
        @pytest.mark.parametrize("kind", kinds)
        @wraps(check, assigned=("__name__", "__doc__"), updated=())
        def test(kind):
            estimator, of_examples = KINDS[kind]
            share(of_examples)(given(estimator=estimator, **strategies)(check))()

        del test.__wrapped__  # pytest would ask it for its arguments
        return test

    return decorate


@contextmanager
def refusals():
    """Let what was raised on purpose pass: errors of skcrl, and of its checks of input.

    Gives a list that holds such an error in the end.
    """
    refused = []
    try:
        yield refused
    except (ValueError, TypeError, FloatingPointError, RuntimeWarning) as error:
        place = traceback.extract_tb(error.__traceback__)[-1].filename
        is_named = {
            ValueError: "/skcrl/" in place or "/sklearn/utils/" in place,
            # scikit-learn's way to say so.
            TypeError: str(error).startswith("Sparse data was passed"),
            FloatingPointError: str(error).startswith("Training diverged"),
            # What a step of the user's warns of, as StandardScaler of what overflows.
            RuntimeWarning: any(
                note.startswith("Raised by the steps of ")
                for note in getattr(error, "__notes__", [])
            ),
        }
        if not is_named.get(type(error)):
            raise
        refused.append(error)


def fitted(estimator, X, y):
    """The estimator fitted, or None if it refuses the views by name."""
    before = vars(estimator).copy()
    with refusals() as refused:
        return estimator.fit(X, y)
    assert refused
    assert vars(estimator) == before
    return None


def outputs(estimator, X, y):
    """Codes, joint codes and reconstructed views, by every way to them."""
    yield from estimator.transform_pair(X, y)
    yield estimator.transform_joint(X, y)
    yield estimator.predict(X)
    yield from estimator.reconstruct(X, y, to="both")
    yield estimator.reconstruct(y=y, to="x")
    view = estimator.view("y")
    yield view.inverse_transform(view.transform(y))


def assert_close(found, expected, tol=1e-6):
    """Equal to the rounding of the largest number there is."""
    found, expected = np.asarray(found), np.asarray(expected)
    largest = abs(expected).max(initial=0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tol * (1 + largest))


def through_a_file(estimator):
    """The estimator, saved and loaded."""
    with TemporaryDirectory() as folder:
        estimator.save(f"{folder}/model.skcrl")
        return type(estimator).load(f"{folder}/model.skcrl")


@over(views=wild_views, x_in=containers, y_in=containers)
def test_numbers_are_finite_or_refused_by_name(estimator, views, x_in, y_in):
    views = [
        CONTAINERS[name](view)
        for name, view in zip((x_in, y_in), views.made(), strict=True)
    ]
    before = [snapshot(view) for view in views]
    if fitted(estimator, *views) is not None:
        for value in vars(estimator).values():
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                assert np.isfinite(value).all()
        with refusals():
            for numbers in outputs(estimator, *views):
                assert np.isfinite(numbers).all()
            assert np.isfinite(estimator.score(*views))
    assert [snapshot(view) for view in views] == before


@pytest.mark.parametrize("as_x", [True, False])
def test_uncentred_columns_of_unlike_units_far_from_zero(as_x):
    # Found: their products err by more than the smallest of them.
    pair = Views(3, 1, 6, y_look="in units", y_offset=-1e6).made()
    X, y = pair[::-1] if as_x else pair
    cca = LinearCCA(center=False, scale=True).fit(X, y)
    assert np.isfinite(cca.predict(X)).all()
    assert_close(cca.correlations_, pearson(*cca.transform_pair(X, y)))


@pytest.mark.parametrize("y_scale", [1e-160, 1e-155, 1e-150, 1e-145])
@pytest.mark.parametrize("solver", ["gram", "covariance"])
@pytest.mark.parametrize("reg", [0, 1e-4])
def test_variances_at_the_edge_of_what_floats_hold(y_scale, solver, reg):
    # Found: inverses of subnormal numbers overflowed in "gram".
    X, y = Views(6, 2, 2, y_scale=y_scale).made()
    for views in ((X, y), (y, X)):
        cca = LinearCCA(reg=reg, solver=solver).fit(*views)
        for numbers in outputs(cca, *views):
            assert np.isfinite(numbers).all()
        if y_scale == 1e-160 and reg == 0:
            assert cca.rank_ == 0


def test_uncentred_constants_whose_squares_overflow():
    # Found: their variance about 0 was infinite, and kept.
    X, y = Views(6, 2, 2, x_look="constant", x_scale=1e160).made()
    for solver in ("covariance", "gram"):
        with pytest.raises(ValueError, match="variances of X or y overflow. Scale the"):
            LinearCCA(center=False, solver=solver).fit(X, y)


def test_kernels_whose_squares_overflow():
    # Found: their norms were taken by squares.
    X, y = Views(8, 1, 1, y_scale=1e30).made()
    kcca = KernelCCA(1, kernel="poly").fit(X, y)
    for numbers in kcca.transform_pair(X, y):
        assert np.isfinite(numbers).all()


bad_numbers = st.sampled_from([np.nan, np.inf, -np.inf])


@over(
    views=tame_views,
    bad=bad_numbers,
    in_y=st.booleans(),
    row=st.integers(0, 19),
    container=st.sampled_from([*DENSE, "CSR array"]),
)
def test_what_is_not_finite_is_named_and_changes_nothing(
    estimator, views, bad, in_y, row, container
):
    views = views.made()
    refuses = container in SPARSE and not estimator._accepts_sparse
    is_gap = np.isnan(bad) and estimator._accepts_gaps
    if refuses or is_gap or fitted(estimator, *views) is None:
        return
    codes, state = estimator.transform_pair(*views), vars(estimator).copy()
    spoilt = [view.copy() for view in views]
    # In part: a row of NaN is a missing view to some.
    spoilt[in_y] = np.hstack([spoilt[in_y], np.ones((len(spoilt[in_y]), 1))])
    spoilt[in_y][row, 0] = bad
    name = "y" if in_y else "X"
    spoilt[in_y] = CONTAINERS[container](spoilt[in_y])
    message = rf"{name} (contains|has rows)|Raised by the steps of {name}:"
    with pytest.raises(ValueError, match=message):
        estimator.fit(*spoilt)
    assert vars(estimator) == state
    for a, b in zip(estimator.transform_pair(*views), codes, strict=True):
        np.testing.assert_array_equal(a, b)


@settings(max_examples=2 * _ALL)
@given(
    estimator=probabilistic,
    views=wild_views,
    share_lost=st.sampled_from([0.05, 0.3, 0.6]),
    seed=st.integers(0, 99),
)
@pytest.mark.filterwarnings(
    "ignore:EM did not converge:sklearn.exceptions.ConvergenceWarning"
)
def test_gaps_anywhere_are_filled_with_finite_numbers(
    estimator, views, share_lost, seed
):
    rng = np.random.default_rng(seed)
    X, y = (np.where(rng.random(v.shape) < share_lost, np.nan, v) for v in views.made())
    there = ~np.isnan(np.hstack([X, y])).all(axis=1)
    X, y = X[there], y[there]
    est = fitted(clone(estimator).set_params(max_iter=60), X, y)
    if est is None:
        return
    # Rounding counts where columns are collinear, of which no ridge is left.
    assert (np.diff(est.loglike_) > -1e-4 * (1 + abs(est.loglike_[1:]))).all()
    for filled, view in zip(est.impute(X, y), (X, y), strict=True):
        assert np.isfinite(filled).all()
        np.testing.assert_array_equal(filled[~np.isnan(view)], view[~np.isnan(view)])
    for numbers in (
        est.transform_joint(X, y),
        est.score_samples(X, y),
        *est.posterior(X, y),
        *est.reconstruct(X, y, to="both"),
    ):
        assert np.isfinite(numbers).all()


def hides_digits(estimator):
    """Whether its features are large beside what varies in them, far from 0."""
    if not isinstance(estimator, KernelCCA):
        return False
    # Powers, angles between rows, and cosines of waves in thousands of turns.
    of_kernel = {"poly", "cosine"} & set(np.atleast_1d(estimator.kernel))
    return bool(of_kernel) or estimator.approximation == "rbf_sampler"


@over(views=tame_views, container=containers, seed=st.integers(0, 99))
def test_rows_are_independent(estimator, views, container, seed):
    arrays = views.made()
    X, y = map(CONTAINERS[container], arrays)
    if fitted(estimator, X, y) is None:
        return
    tol = 1e-6 if hides_digits(estimator) else 1e-8
    order = np.random.default_rng(seed).permutation(views.n)
    codes = estimator.transform_pair(X, y)
    reconstructed = estimator.predict(X)
    permuted = [CONTAINERS[container](view[order]) for view in arrays]
    for found, expected in zip(estimator.transform_pair(*permuted), codes, strict=True):
        assert_close(found, expected[order], tol)
    assert_close(estimator.predict(permuted[0]), reconstructed[order], tol)
    alone = [CONTAINERS[container](view[order[:1]]) for view in arrays]
    for found, expected in zip(estimator.transform_pair(*alone), codes, strict=True):
        assert_close(found, expected[order[:1]], tol)
    assert_close(estimator.predict(alone[0]), reconstructed[order[:1]], tol)
    for side, view, expected in zip("xy", (X, y), codes, strict=True):
        np.testing.assert_array_equal(estimator.view(side).transform(view), expected)


@over(views=tame_views, dtype=st.sampled_from([np.float32, np.float64]))
def test_the_seed_alone_decides(estimator, views, dtype):
    X, y = (view.astype(dtype) for view in views.made())
    again = clone(estimator)
    if fitted(estimator, X, y) is None:
        return
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    np.random.seed(1)
    torch.manual_seed(1)
    start = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    codes = again.fit_transform(X, y)
    assert torch.equal(torch.random.get_rng_state(), start[0])
    np.testing.assert_array_equal(np.random.get_state()[1], start[1])
    torch.random.set_rng_state(before[0])
    assert codes.shape == (views.n, estimator.n_components_)
    np.testing.assert_array_equal(codes, estimator.transform(X))
    for a, b in zip(outputs(estimator, X, y), outputs(again, X, y), strict=True):
        assert a.dtype == dtype
        np.testing.assert_array_equal(a, b)


@over(views=tame_views, container=containers, flat=st.booleans())
def test_files_and_pickles_give_the_same_bits(estimator, views, container, flat):
    X, y = views.made()
    X, y = CONTAINERS[container](X), y[:, 0] if flat else CONTAINERS[container](y)
    if fitted(estimator, X, y) is None:
        return
    for copy in (through_a_file(estimator), pickle.loads(pickle.dumps(estimator))):
        assert set(vars(copy)) == set(vars(estimator))
        for a, b in zip(outputs(copy, X, y), outputs(estimator, X, y), strict=True):
            np.testing.assert_array_equal(a, b)


def is_drowned(estimator, views):
    """Whether columns stay so far from 0 that their deviations are near rounding."""
    linear_cca = getattr(estimator, "estimator", estimator)
    is_narrow = views.x_look == "in units" or views.x_scale < 1
    return not getattr(linear_cca, "center", True) and views.x_offset and is_narrow


@over(views=st.one_of(tame_views, sparse_views), x_in=containers, y_in=containers)
def test_containers_hold_the_same_views(estimator, views, x_in, y_in):
    X, y = views.made()
    contained = CONTAINERS[x_in](X), CONTAINERS[y_in](y)
    if is_drowned(estimator, views) or fitted(estimator, *contained) is None:
        return
    if hasattr(estimator, "max_epochs") and {x_in, y_in} & set(SPARSE):
        return  # networks do not standardise sparse views
    plain = clone(estimator).fit(X, y)
    if hasattr(plain, "rank_"):
        assert estimator.rank_ == plain.rank_
    solver = getattr(getattr(estimator, "estimator", estimator), "solver", None)
    # Whose digits are few there, as its docstring says.
    tol = 1e-3 if solver == "gram" and views.x_look == "in units" else 1e-5
    assert_same_components(
        estimator.transform_pair(*contained), plain.transform_pair(X, y), plain, tol
    )


def assert_same_components(codes, expected, estimator, tol=1e-5):
    """Codes equal up to sign, of components that their singular values determine."""
    for a, b in zip(codes, expected, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape
        for i in components_apart(estimator, b.shape[1]):
            sign = np.sign(a[:, i] @ b[:, i])
            assert_close(a[:, i] * sign, b[:, i], tol)


def components_apart(estimator, k):
    """Components whose singular value no other is near, and that is not 0."""
    within = getattr(estimator, "estimator_", estimator)
    values = getattr(within, "singular_values_", None)
    if values is None:
        return range(k)
    below = np.append(values[1:], values[-1] if len(values) > 1 else 0)
    above = np.insert(values[:-1], 0, np.inf)
    apart = (above - values > 1e-3) & (values - below > 1e-3)
    if len(values) > 1:
        apart[-1] = False  # the next one is not known
    return np.flatnonzero(apart)


def pearson(Zx, Zy):
    """Correlation of column with column by NumPy's formula; 0 for a constant."""
    return np.array(
        [
            np.corrcoef(x, y)[0, 1] if np.ptp(x) * np.ptp(y) > 0 else 0.0
            for x, y in zip(np.float64(Zx.T), np.float64(Zy.T), strict=True)
        ]
    )


WITH_CORRELATIONS = ["LinearCCA", "KernelCCA", "ViewPipeline", "DeepCCA", "CCALRanker"]


@over(
    WITH_CORRELATIONS,
    views=mild_views,
    container=containers,
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_correlations_are_pearsons_of_the_training_codes(
    estimator, views, container, dtype
):
    views = [CONTAINERS[container](view.astype(dtype)) for view in views.made()]
    if fitted(estimator, *views) is None:
        return
    expected = pearson(*estimator.transform_pair(*views))
    tol = 1e-7 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(estimator.correlations_, expected, atol=tol)
    assert (abs(estimator.correlations_) <= 1).all()


TWO_KINDS = ["LinearCCA", "KernelCCA"]


def swapped(estimator):
    """The same estimator for the views in the other order."""
    names = ("reg", "shrinkage", "kernel", "gamma", "degree", "coef0")
    pairs = {
        name: value[::-1]
        for name, value in estimator.get_params().items()
        if name in names and isinstance(value, tuple)
    }
    return clone(estimator).set_params(**pairs)


def is_symmetric(estimator):
    """Whether no chance tells the views apart."""
    if isinstance(estimator, LinearCCA):
        return True
    by_rows = estimator.landmarks == "random"
    return estimator.approximation is None or (
        estimator.approximation == "nystroem" and by_rows
    )


@over(TWO_KINDS, views=mild_views)
def test_swapping_the_views_swaps_the_results(estimator, views):
    X, y = views.made()
    if not is_symmetric(estimator) or fitted(estimator, X, y) is None:
        return
    other = swapped(estimator).fit(y, X)
    assert_close(other.singular_values_, estimator.singular_values_)
    assert_close(other.correlations_, estimator.correlations_)
    assert_same_components(
        other.transform_pair(y, X)[::-1], estimator.transform_pair(X, y), estimator
    )


def knows_no_order(estimator):
    """Whether it draws no rows, or all of them."""
    approximation = getattr(estimator, "approximation", None)
    return approximation is None or (
        approximation == "nystroem" and estimator.approximation_size == 500
    )


@over(TWO_KINDS, views=mild_views, seed=st.integers(0, 99))
def test_order_of_rows_and_columns_does_not_matter(estimator, views, seed):
    X, y = views.made()
    rng = np.random.default_rng(seed)
    rows, x, y_columns = map(rng.permutation, (views.n, views.p, views.q))
    if not knows_no_order(estimator) or fitted(estimator, X, y) is None:
        return
    mixed = X[rows][:, x], y[rows][:, y_columns]
    other = clone(estimator).fit(*mixed)
    assert_close(other.singular_values_, estimator.singular_values_)
    expected = [Z[rows] for Z in estimator.transform_pair(X, y)]
    assert_same_components(other.transform_pair(*mixed), expected, estimator)


def rotation(rng, p):
    return np.linalg.qr(rng.standard_normal((p, p)))[0]


@over(["LinearCCA"], views=mild_views, seed=st.integers(0, 99))
def test_unpenalised_cca_knows_no_basis(estimator, views, seed):
    X, y = views.made()
    rng = np.random.default_rng(seed)
    estimator.set_params(reg=0, shrinkage=0.0, center=True)
    if fitted(estimator, X, y) is None:
        return
    mixed = [
        view @ (rotation(rng, p) * 10 ** rng.uniform(-2, 2, p)) + rng.normal(0, 9, p)
        for view, p in ((X, views.p), (y, views.q))
    ]
    other = clone(estimator).fit(*mixed)
    assert other.rank_ == estimator.rank_
    assert_close(other.correlations_, estimator.correlations_)
    assert_same_components(
        other.transform_pair(*mixed), estimator.transform_pair(X, y), estimator
    )
    assert_close(other.score(*mixed), estimator.score(X, y))


def has_ties(estimator, views):
    """Whether rounding decides which of two centres as near a row goes to."""
    return (
        views.x_look == "integers" and getattr(estimator, "landmarks", "") == "kmeans"
    )


@over(TWO_KINDS, views=mild_views, seed=st.integers(0, 99))
def test_penalties_know_no_directions(estimator, views, seed):
    X, y = views.made()
    rng = np.random.default_rng(seed)
    if isinstance(estimator, LinearCCA):
        estimator.set_params(center=True, scale=False)
    elif estimator.approximation is None:
        estimator.set_params(kernel="rbf")
    if getattr(estimator, "approximation", None) == "rbf_sampler":
        return  # draws directions
    if has_ties(estimator, views):
        return
    if getattr(estimator, "kernel", "rbf") != "rbf" or fitted(estimator, X, y) is None:
        return
    turned = [
        view @ rotation(rng, p) + rng.normal(0, 9, p)
        for view, p in ((X, views.p), (y, views.q))
    ]
    other = clone(estimator).fit(*turned)
    assert_close(other.singular_values_, estimator.singular_values_)
    assert_same_components(
        other.transform_pair(*turned), estimator.transform_pair(X, y), estimator
    )


def in_units(estimator, units):
    """The same estimator for views whose columns are so many times as large."""
    if isinstance(estimator, KernelCCA):
        gamma = [(estimator.gamma or 1 / p) / unit**2 for unit, p in units]
        return clone(estimator).set_params(gamma=tuple(gamma))
    if estimator.scale:
        return clone(estimator)
    reg = np.broadcast_to(estimator.reg, 2) * [unit**2 for unit, _ in units]
    return clone(estimator).set_params(reg=tuple(reg))


@over(
    TWO_KINDS,
    views=mild_views,
    x_unit=st.sampled_from([1e-9, 1e-3, 1e3, 1e9]),
    y_unit=st.sampled_from([1e-6, 1, 1e6]),
)
def test_units_do_not_matter(estimator, views, x_unit, y_unit):
    X, y = views.made()
    if isinstance(estimator, KernelCCA):
        estimator.set_params(kernel="rbf", gamma=None)
    if fitted(estimator, X, y) is None:
        return
    # Powers of two, which take no digits away.
    x_unit, y_unit = (2.0 ** round(np.log2(unit)) for unit in (x_unit, y_unit))
    scaled = X * x_unit, y * y_unit
    other = in_units(estimator, [(x_unit, views.p), (y_unit, views.q)]).fit(*scaled)
    assert_close(other.singular_values_, estimator.singular_values_)
    assert_same_components(
        other.transform_pair(*scaled), estimator.transform_pair(X, y), estimator
    )


@over(
    TWO_KINDS,
    views=mild_views,
    offset=st.sampled_from([1e3, 1e6, 1e9]),
    container=st.sampled_from(["array", "CSR array"]),
)
def test_an_offset_does_not_matter(estimator, views, offset, container):
    # Of few bits behind the point, so that the offset takes none of them away.
    X, y = (np.round(view * 2**16) / 2**16 for view in views.made())
    if isinstance(estimator, LinearCCA):
        estimator.set_params(center=True)
    elif estimator.approximation is None:
        estimator.set_params(kernel=("rbf", "linear"))
    if has_ties(estimator, views) or fitted(estimator, X, y) is None:
        return
    far = CONTAINERS[container](X + offset)
    other = clone(estimator).fit(far, y)
    assert_close(other.singular_values_, estimator.singular_values_)
    assert_same_components(
        other.transform_pair(far, y), estimator.transform_pair(X, y), estimator
    )
    for found, expected in (
        (other.predict(far), estimator.predict(X)),
        (other.reconstruct(y=y, to="x") - offset, estimator.reconstruct(y=y, to="x")),
    ):
        assert_close(found, expected, 1e-5)


@over(TWO_KINDS, views=mild_views, seed=st.integers(0, 99))
def test_weights_are_repetitions(estimator, views, seed):
    X, y = views.made()
    counts = np.random.default_rng(seed).integers(0, 4, views.n)
    if getattr(estimator, "approximation", None) is not None:
        return
    repeated = [np.repeat(view, counts, axis=0) for view in (X, y)]
    if fitted(estimator, *repeated) is None:
        return
    other = clone(estimator).fit(X, y, sample_weight=counts)
    assert_close(other.singular_values_, estimator.singular_values_)
    assert_close(other.correlations_, estimator.correlations_)
    assert_same_components(
        other.transform_pair(X, y), estimator.transform_pair(X, y), estimator
    )


@over(["LinearCCA"], views=tame_views, chunk=st.integers(1, 40))
def test_dask_arrays_and_parts_of_the_rows_add_up(estimator, views, chunk):
    import dask
    import dask.array as da

    X, y = views.made()
    if estimator.solver in ("gram", "lanczos"):
        estimator.set_params(solver="auto")
    if "ledoit_wolf" in np.atleast_1d(np.asarray(estimator.shrinkage, object)):
        estimator.set_params(shrinkage="oas")
    if is_drowned(estimator, views) or fitted(estimator, X, y) is None:
        return
    parts, kept = clone(estimator), estimator.n_components_
    for start in range(0, views.n, chunk):
        rows = slice(start, start + chunk)
        parts.partial_fit(X[rows], y[rows])
    with dask.config.set(scheduler="synchronous"):
        lazy = [da.from_array(view, chunks=(chunk, -1)) for view in (X, y)]
        by_dask = clone(estimator).fit(*lazy)
        codes = [np.asarray(Z) for Z in by_dask.transform_pair(*lazy)]
    for other, found in ((parts, parts.transform_pair(X, y)), (by_dask, codes)):
        assert other.n_components_ == kept
        assert_close(other.singular_values_, estimator.singular_values_)
        assert_same_components(found, estimator.transform_pair(X, y), estimator)


@over(views=tame_views, gaps=st.integers(1, 5), container=st.sampled_from(list(DENSE)))
def test_gaps_are_filled_and_left_out(estimator, views, gaps, container):
    X, y = views.made()
    held = CONTAINERS[container]
    if is_drowned(estimator, views) or fitted(estimator, held(X), held(y)) is None:
        return
    gappy_x, gappy_y = X.copy(), y.copy()
    gappy_x[:gaps], gappy_y[gaps : 2 * gaps] = np.nan, np.nan
    gappy = held(gappy_x), held(gappy_y)
    before = [snapshot(view) for view in gappy]
    x_full, y_full = estimator.impute(*gappy)
    assert [snapshot(view) for view in gappy] == before
    np.testing.assert_array_equal(x_full[gaps:], X[gaps:])
    np.testing.assert_array_equal(y_full[:gaps], y[:gaps])
    assert_close(x_full[:gaps], estimator.reconstruct(y=held(y[:gaps]), to="x"), 1e-9)
    rows = slice(gaps, 2 * gaps)
    assert_close(y_full[rows], estimator.predict(held(X[rows])), 1e-9)
    rest = slice(2 * gaps, None)
    whole = held(X[rest]), held(y[rest])
    assert_close(estimator.score(*gappy), estimator.score(*whole), 1e-9)


codes_of_both = st.builds(
    lambda views, k: tuple(view[:, :k] for view in views.made()),
    wild_views.map(lambda v: Views(**{**vars(v), "p": 4, "q": 4, "n": v.n + 1})),
    st.integers(1, 4),
)
tame_codes = st.builds(
    lambda n, k, seed, look: Views(n, k, k, seed, look, look).made(),
    st.integers(3, 30),
    st.integers(1, 4),
    st.integers(0, 10**6),
    st.sampled_from(["ordinary", "integers", "booleans", "repeated rows"]),
)

MEASURES = {
    "pearson_sum": metrics.pearson_sum,
    "canonical_total": lambda Zx, Zy: metrics.canonical_total(Zx, Zy, Zx, Zy),
    "refitted_canonical_total": metrics.refitted_canonical_total,
    "effective_rank": lambda Zx, Zy: metrics.effective_rank(Zx),
    "reconstruction_error": metrics.reconstruction_error,
    "recall_at_k": metrics.recall_at_k,
    "median_rank": metrics.median_rank,
    "mean_reciprocal_rank": metrics.mean_reciprocal_rank,
    "precision_at_k": partial(metrics.precision_at_k, k=1),
    "mean_average_precision": metrics.mean_average_precision,
    "class_codes": lambda Zx, Zy: metrics.class_codes(Zx, np.arange(len(Zx)) % 2)[0],
    "retrieval_report": lambda Zx, Zy: list(_leaves(metrics.retrieval_report(Zx, Zy))),
}
_RANGES = {
    "effective_rank": (0, 4),
    "reconstruction_error": (0, np.inf),
    "recall_at_k": (0, 1),
    "median_rank": (1, np.inf),
    "mean_reciprocal_rank": (0, 1),
    "precision_at_k": (0, 1),
    "mean_average_precision": (0, 1),
    "refitted_canonical_total": (0, 4),
    "pearson_sum": (-4, 4),
    "canonical_total": (-4, 4),
}


def _leaves(result):
    """Numbers in nested dicts."""
    if isinstance(result, dict):
        for part in result.values():
            yield from _leaves(part)
    else:
        yield result


@share(1.0)
@given(codes=codes_of_both, container=st.sampled_from(list(DENSE)))
def test_measures_are_finite_or_refused_by_name(codes, container):
    given_codes = [CONTAINERS[container](Z) for Z in codes]
    before = [snapshot(Z) for Z in given_codes]
    for name, measure in MEASURES.items():
        with refusals():
            value = measure(*given_codes)
            assert np.isfinite(value).all(), name
            low, high = _RANGES.get(name, (-np.inf, np.inf))
            assert np.min(value) >= low - 1e-9, name
            assert np.max(value) <= high + 1e-9, name
    assert [snapshot(Z) for Z in given_codes] == before


def assert_measures(codes, others, names=None):
    """They are the same of both pairs of codes."""
    for name in MEASURES if names is None else names:
        assert_close(MEASURES[name](*others), MEASURES[name](*codes), 1e-7)


BY_CORRELATION = ["pearson_sum", "canonical_total", "refitted_canonical_total"]
BY_COSINE = [
    "recall_at_k",
    "median_rank",
    "mean_reciprocal_rank",
    "precision_at_k",
    "mean_average_precision",
    "retrieval_report",
]


@share(0.25)
@given(codes=tame_codes, seed=st.integers(0, 99))
def test_what_measures_do_not_know(codes, seed):
    Zx, Zy = codes
    n, k = Zx.shape
    rng = np.random.default_rng(seed)
    order, lengths = rng.permutation(n), 10 ** rng.uniform(-3, 3, (n, 1))
    names = [name for name in MEASURES if name != "class_codes"]
    assert_measures(codes, (Zx[order], Zy[order]), names)
    # Positive powers of two, exactly, and whole numbers, all but exactly.
    units, offset = 2.0 ** rng.integers(-20, 20, k), rng.integers(-9, 9, k)
    own = [*BY_CORRELATION, "effective_rank"]
    assert_measures(codes, (Zx * units + offset, Zy / units), own)
    assert_measures(codes, (4 * Zx + offset, 4 * Zy + offset), ["reconstruction_error"])
    turn = rotation(rng, k)
    assert_measures(codes, (Zx @ turn, Zy @ turn), ["reconstruction_error"])
    assert_measures(codes, (Zx * lengths, Zy), BY_COSINE)
    for name in BY_CORRELATION:
        assert_close(MEASURES[name](Zy, Zx), MEASURES[name](Zx, Zy), 1e-7)
    report, back = metrics.retrieval_report(Zx, Zy), metrics.retrieval_report(Zy, Zx)
    assert report["x_to_y"] == pytest.approx(back["y_to_x"])


@share(0.5)
@given(views=mild_views, seed=st.integers(0, 99))
def test_canonical_totals_know_no_basis(views, seed):
    X, y = views.made()
    rng = np.random.default_rng(seed)
    mixed = [
        view @ (rotation(rng, p) * 10 ** rng.uniform(-2, 2, p)) + rng.normal(0, 9, p)
        for view, p in ((X, views.p), (y, views.q))
    ]
    assert_measures((X, y), mixed, BY_CORRELATION[1:])
    found, expected = multivariate_tests(*mixed), multivariate_tests(X, y)
    flat = [np.hstack(list(map(np.ravel, result))) for result in (found, expected)]
    np.testing.assert_allclose(flat[0], flat[1], rtol=1e-4, atol=1e-9)
    settings = {"n_permutations": 9, "random_state": 0}
    found, expected = (permutation_test(*v, **settings) for v in (mixed, (X, y)))
    assert_close(found.correlations, expected.correlations)
    assert_close(found.null_correlations, expected.null_correlations)
    np.testing.assert_array_equal(found.null_weights >= 0, True)


INSPECTIONS = {
    "multivariate_tests": lambda est, X, y: multivariate_tests(X, y),
    "permutation_test": lambda est, X, y: permutation_test(
        X, y, n_permutations=5, random_state=0
    ),
    "select_n_components": lambda est, X, y: select_n_components(
        X, y, n_permutations=5, random_state=0
    ),
    "parallel": lambda est, X, y: select_n_components(
        X, y, method="parallel", n_permutations=5, random_state=0
    ),
    "held_out": lambda est, X, y: select_n_components(
        X, y, method="held_out", estimator=est, cv=2
    ),
    "bootstrap_intervals": lambda est, X, y: bootstrap_intervals(
        est, X, y, n_resamples=2, random_state=0
    ),
    "held_out_permutation_test": lambda est, X, y: held_out_permutation_test(
        est, X, y, cv=2, n_permutations=2, random_state=0
    ),
}


def numbers_of(result):
    """Arrays of numbers of nested named tuples."""
    if isinstance(result, tuple):
        return [part for field in result for part in numbers_of(field)]
    if isinstance(result, str) or result is None:
        return []
    array = np.asarray(result)
    return [array] if array.dtype.kind in "fiub" else []


@pytest.mark.parametrize("name", INSPECTIONS)
@share(0.3)
@given(estimator=linear, views=wild_views, container=st.sampled_from(list(DENSE)))
def test_inspections_are_finite_or_refused_by_name(name, estimator, views, container):
    given_views = [CONTAINERS[container](view) for view in views.made()]
    before = [snapshot(view) for view in given_views]
    parameters, state = repr(estimator.get_params()), set(vars(estimator))
    with refusals():
        result = INSPECTIONS[name](estimator, *given_views)
        for numbers in numbers_of(result):
            # F is infinite, and documented to be, where a correlation is 1.
            assert not np.isnan(numbers).any()
            assert np.isfinite(numbers).all() or name == "multivariate_tests"
        for field in ("pvalue", "pvalues", "adjusted_pvalues"):
            values = np.asarray(getattr(result, field, 0.5))
            assert ((values >= 0) & (values <= 1)).all()
        again = INSPECTIONS[name](estimator, *given_views)
        for a, b in zip(numbers_of(result), numbers_of(again), strict=True):
            np.testing.assert_array_equal(a, b)
    assert [snapshot(view) for view in given_views] == before
    assert (repr(estimator.get_params()), set(vars(estimator))) == (parameters, state)


@share(0.5)
@given(
    estimator=linear,
    views=tame_views,
    power=st.sampled_from([0.0, 1.0, 4.0]),
    container=containers,
    seed=st.integers(0, 99),
)
def test_searches_find_rows_whatever_else_is_asked(
    estimator, views, power, container, seed
):
    X, y = views.made()
    retriever = CrossViewRetriever(estimator, correlation_power=power, n_neighbors=3)
    held = CONTAINERS[container]
    given_views = held(X), held(y)
    before = [snapshot(view) for view in given_views]
    if fitted(retriever, *given_views) is None:
        return
    with refusals() as refused:
        retriever.fit_index(y=given_views[1])
        found = retriever.search(given_views[0])
    if refused:
        return
    order = np.random.default_rng(seed).permutation(views.n)
    permuted = retriever.search(held(X[order]))
    assert_close(permuted.similarities, found.similarities[order], 1e-6)
    assert (np.diff(found.similarities, axis=1) <= 1e-9).all()
    alone = retriever.search(held(X[order[:1]]))
    assert_close(alone.similarities[0], found.similarities[order[0]], 1e-6)
    loaded = through_a_file(retriever)
    for a, b in zip(loaded.search(given_views[0]), found, strict=True):
        np.testing.assert_array_equal(a, b)
    assert [snapshot(view) for view in given_views] == before
    assert 0 < retriever.score(*given_views) <= 1


@share(0.5)
@given(
    estimator=linear,
    views=tame_views,
    container=containers,
    seed=st.integers(0, 99),
    fit_view=st.sampled_from("xy"),
    names=st.sampled_from([[0, 1], ["kalt", "warm"], [False, True], [1.5, 2.5]]),
)
def test_labels_are_predicted_row_by_row(
    estimator, views, container, seed, fit_view, names
):
    X, y = views.made()
    labels = np.array(names)[(X[:, 0] > np.median(X[:, 0])).astype(int)]
    if len(set(labels.tolist())) < 2:
        return
    transfer = CrossViewClassifier(estimator, LogisticRegression(), fit_view=fit_view)
    given_views = [CONTAINERS[container](view) for view in (X, y)]
    before = [snapshot(view) for view in given_views]
    if fitted(transfer, TwoView(*given_views), labels) is None:
        return
    assert [snapshot(view) for view in given_views] == before
    predicted = transfer.predict(TwoView(*given_views))
    assert set(predicted.tolist()) <= set(names)
    assert predicted.dtype == labels.dtype
    alone = [CONTAINERS[container](np.ascontiguousarray(view[:1])) for view in (X, y)]
    assert transfer.predict(TwoView(*alone))[0] == predicted[0]
    loaded = through_a_file(transfer)
    np.testing.assert_array_equal(loaded.predict(TwoView(*given_views)), predicted)
