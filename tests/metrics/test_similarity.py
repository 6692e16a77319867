"""Similarities against the papers' formulas, by Gram matrices and by rows."""

import warnings

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from skcrl.exceptions import DegenerateFitWarning
from skcrl.metrics import (
    RepresentationSimilarity,
    cka,
    procrustes_distance,
    pwcca,
    svcca,
)

MEASURES = {
    "cka": cka,
    "debiased": lambda X, y: cka(X, y, debiased=True),
    "svcca": svcca,
    "pwcca": pwcca,
    "procrustes": procrustes_distance,
}
STREAMED = {
    "cka": lambda s: s.cka(),
    "debiased": lambda s: s.cka(debiased=True),
    "svcca": lambda s: s.svcca(),
    "pwcca": lambda s: s.pwcca(),
    "procrustes": lambda s: s.procrustes_distance(),
}


def gram_cka(X, y):
    """Kornblith et al. (2019), equations 3 and 4, with the centring matrix."""
    n = len(X)
    H = np.eye(n) - 1 / n
    K, L = (H @ Z @ Z.T @ H for Z in (X, y))
    return np.sum(K * L) / np.sqrt(np.sum(K * K) * np.sum(L * L))


def unbiased_hsic(K, L):
    """Song et al. (2012), of Gram matrices without their diagonals."""
    n, one = len(K), np.ones(len(K))
    K, L = (G - np.diag(np.diag(G)) for G in (K, L))
    middle = (one @ K @ one) * (one @ L @ one) / ((n - 1) * (n - 2))
    total = np.trace(K @ L) + middle - 2 / (n - 2) * (one @ K @ L @ one)
    return total / (n * (n - 3))


def gram_debiased(X, y):
    K, L = X @ X.T, y @ y.T
    squares = unbiased_hsic(K, K) * unbiased_hsic(L, L)
    return unbiased_hsic(K, L) / np.sqrt(squares)


def left_vectors(Z, variance):
    """Left singular vectors of the leading components of the centred rows."""
    left, singular, _ = np.linalg.svd(Z - Z.mean(axis=0), full_matrices=False)
    share = np.cumsum(singular**2) / np.sum(singular**2)
    k = np.flatnonzero(share >= variance - 1e-12)[0] + 1
    return left[:, :k]


def row_svcca(X, y, variance=0.99):
    left = left_vectors(X, variance).T @ left_vectors(y, variance)
    return np.linalg.svd(left, compute_uv=False).mean()


def row_pwcca(X, y):
    """Morcos et al. (2018), with each inner product taken."""
    U, V = left_vectors(X, 1), left_vectors(y, 1)
    left, rho, _ = np.linalg.svd(U.T @ V, full_matrices=False)
    h = U @ left
    alpha = [sum(abs(h[:, i] @ z) for z in X.T) for i in range(len(rho))]
    return np.average(rho, weights=alpha)


def row_procrustes(X, y):
    """Squared distance to the best rotation, which is made."""
    width = max(X.shape[1], y.shape[1])
    A, B = (
        np.pad(Z - Z.mean(axis=0), ((0, 0), (0, width - Z.shape[1]))) for Z in (X, y)
    )
    A, B = A / np.linalg.norm(A), B / np.linalg.norm(B)
    rotation, _ = orthogonal_procrustes(B, A)
    return np.sum((A - B @ rotation) ** 2)


REFERENCES = {
    "cka": gram_cka,
    "debiased": gram_debiased,
    "svcca": row_svcca,
    "pwcca": row_pwcca,
    "procrustes": row_procrustes,
}


def representations(rng, n, p, q):
    z = rng.standard_normal((n, 4))
    X = z @ rng.standard_normal((4, p)) + rng.standard_normal((n, p))
    return X + 5, np.tanh(z @ rng.standard_normal((4, q))) + rng.random((n, q))


@pytest.mark.parametrize(
    "shape", [(120, 7, 5), (120, 5, 30), (40, 60, 3), (30, 50, 70)]
)
@pytest.mark.parametrize("name", MEASURES)
def test_formula_of_the_paper(rng, name, shape):
    X, y = representations(rng, *shape)
    assert MEASURES[name](X, y) == pytest.approx(REFERENCES[name](X, y), abs=1e-10)


@pytest.mark.parametrize(
    "sizes", [(1, 2, 297), (64,) * 4 + (44,), (1,) * 30, (10,) * 3]
)
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_batches_give_what_all_rows_give(rng, sizes, offset):
    X, y = representations(rng, sum(sizes), 20, 35)
    X += offset
    similarity = RepresentationSimilarity()
    for stop, size in zip(np.cumsum(sizes), sizes, strict=True):
        similarity.update(X[stop - size : stop], y[stop - size : stop])
        if similarity.n_samples >= 4:
            similarity.cka(debiased=True)  # looking on the way changes nothing
    assert similarity.n_samples == len(X)
    for name, measure in MEASURES.items():
        assert STREAMED[name](similarity) == pytest.approx(measure(X, y), abs=1e-10)


def test_many_rows_go_block_by_block(rng):
    """Song's estimator with its sums over pairs of rows written out."""
    X, y = representations(rng, 20_000, 4, 3)
    # Means that move make every term of a merge count.
    X, y = (Z + np.linspace(0, 50, len(Z))[:, None] for Z in (X, y))
    centred = [Z - Z.mean(axis=0) for Z in (X, y)]
    n, hsic = len(X), np.empty((2, 2))
    for i, A in enumerate(centred):
        for j, B in enumerate(centred):
            a, b = np.sum(A**2, axis=1), np.sum(B**2, axis=1)
            trace = np.sum((A.T @ B) ** 2) - a @ b
            middle = a.sum() * b.sum() / ((n - 1) * (n - 2))
            hsic[i, j] = trace + middle - 2 / (n - 2) * (a @ b)
    expected = hsic[0, 1] / np.sqrt(hsic[0, 0] * hsic[1, 1])
    assert cka(X, y, debiased=True) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("shape", [(80, 6, 6), (25, 40, 40)])
def test_what_does_not_matter(rng, shape):
    X, y = representations(rng, *shape)
    rotation = np.linalg.qr(rng.standard_normal(2 * X.shape[1:]))[0]
    turned = 3 * X @ rotation - 7
    for name in ("cka", "debiased", "svcca", "procrustes"):
        measure = MEASURES[name]
        assert measure(turned, y) == pytest.approx(measure(X, y), abs=1e-10)
    for name, same in (("cka", 1), ("debiased", 1), ("procrustes", 0)):
        assert MEASURES[name](X, turned) == pytest.approx(same, abs=1e-10)
        assert MEASURES[name](X, y) == pytest.approx(MEASURES[name](y, X), abs=1e-10)


def test_maps_that_can_be_inverted_leave_correlations(rng):
    X, y = representations(rng, 200, 6, 5)
    mapped = y @ rng.standard_normal((5, 5)) * [1e-6, 1, 1e3, 1, 10]
    assert pwcca(X, mapped) == pytest.approx(pwcca(X, y), abs=1e-8)
    expected = svcca(X, y, variance=1.0)
    mapped = X @ rng.standard_normal((6, 6))
    assert svcca(mapped, y, variance=1.0) == pytest.approx(expected, abs=1e-8)


def test_only_the_debiased_one_sees_that_wide_noise_has_nothing_in_common(rng):
    found = []
    for _ in range(20):
        X, y = rng.standard_normal((2, 20, 3000))
        assert cka(X, y) > 0.98
        found.append(cka(X, y, debiased=True))
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(20) < 0.1


@pytest.mark.parametrize("scale", [1e-200, 1e200])
@pytest.mark.parametrize("shape", [(60, 5, 4), (20, 30, 4)])
def test_tiny_and_huge_numbers(rng, scale, shape):
    X, y = representations(rng, *shape)
    for measure in MEASURES.values():
        assert measure(X * scale, y) == pytest.approx(measure(X, y), abs=1e-10)


@pytest.mark.parametrize(
    "scales", [(0, 1e-200), (1, 1e250), (1e-250, 1), (1e100, 1e-100)]
)
@pytest.mark.parametrize("n_first", [1, 30])
def test_batches_of_other_units(rng, scales, n_first):
    """The units of the sums are those of the largest rows, whenever these come."""
    X, y = representations(rng, 60, 5, 4)
    X *= np.repeat(scales, (n_first, 60 - n_first))[:, None]
    similarity = RepresentationSimilarity()
    for rows in (slice(n_first), slice(n_first, None)):
        similarity.update(X[rows], y[rows])
    for name, measure in MEASURES.items():
        assert STREAMED[name](similarity) == pytest.approx(measure(X, y), abs=1e-10)
    expected = REFERENCES["cka"](X / max(scales), y)
    assert similarity.cka() == pytest.approx(expected, abs=1e-10)


def test_far_from_zero_and_in_single_precision(rng):
    X, y = representations(rng, 500, 6, 5)
    far = X + 1e8
    near = far - 1e8  # as far as the digits of the far ones go
    single = X.astype(np.float32)
    for measure in MEASURES.values():
        assert measure(far, y) == pytest.approx(measure(near, y), abs=1e-10)
        assert measure(single, y) == measure(single.astype(np.float64), y)


@pytest.mark.parametrize("shape", [(30, 3), (5, 9)])
def test_constant_representations_are_like_nothing(rng, shape):
    X, constant = rng.standard_normal(shape), np.full(shape, 0.1)
    for name, measure in MEASURES.items():
        with pytest.warns(DegenerateFitWarning, match="y is constant"):
            assert measure(X, constant) == (2 if name == "procrustes" else 0)
    with pytest.warns(DegenerateFitWarning, match="All pairs of rows of X are equally"):
        assert cka(np.eye(5), X[:5], debiased=True) == 0


def test_a_dead_column_counts_for_nothing(rng):
    X, y = representations(rng, 50, 4, 3)
    dead = np.column_stack([np.full(50, 0.3), X, X[:, 0]])
    assert pwcca(y, dead) == pytest.approx(pwcca(y, X), abs=1e-10)


def test_too_few_rows_for_canonical_correlations(rng):
    X, y = rng.standard_normal((2, 20, 30))
    with pytest.warns(DegenerateFitWarning, match="19 degrees of freedom"):
        assert pwcca(X, y) == pytest.approx(1, abs=1e-8)
    with pytest.warns(DegenerateFitWarning, match="are 1 for any data"):
        assert svcca(X, y) > 0.9
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svcca(*rng.standard_normal((2, 20, 9)))


def test_unusable_rows(rng):
    X = rng.standard_normal((10, 3))
    with pytest.raises(ValueError, match="Rows of X and y must be paired"):
        cka(X, X[:5])
    with pytest.raises(ValueError, match="contains NaN"):
        pwcca(X, np.where(X > 0, X, np.nan))
    with pytest.raises(ValueError, match="at least 4 rows, got 3"):
        cka(X[:3], X[:3], debiased=True)
    with pytest.raises(ValueError, match="at least 2 rows, got 0"):
        RepresentationSimilarity().svcca()
    with pytest.raises(ValueError, match="'variance' parameter"):
        svcca(X, X, variance=0)
    similarity = RepresentationSimilarity().update(X, X)
    with pytest.raises(ValueError, match="y has 2 columns, but had 3"):
        similarity.update(X, X[:, :2])
    with pytest.raises(ValueError, match="Scale y down"):
        cka(X, np.sign(X) * 1e308)


def test_rows_that_are_refused_leave_what_was(rng):
    X, y = representations(rng, 50, 4, 3)
    similarity = RepresentationSimilarity().update(X, y)
    before = similarity.cka()
    with pytest.raises(ValueError, match="NaN"):
        similarity.update(X * np.nan, y)
    assert similarity.cka() == before
    assert similarity.n_samples == 50


def test_frames_keep_the_order_of_their_columns(rng):
    pd = pytest.importorskip("pandas")
    X, y = representations(rng, 50, 3, 2)
    frame = pd.DataFrame(X, columns=list("abc"))
    similarity = RepresentationSimilarity().update(X[:10], y[:10])
    similarity.update(frame[10:30], y[10:30])
    with pytest.raises(ValueError, match="Column 0 of X is 'c', but was 'a'"):
        similarity.update(frame[["c", "a", "b"]][30:], y[30:])
    similarity.update(frame[30:], y[30:])
    assert similarity.cka() == pytest.approx(cka(X, y), abs=1e-12)


def test_a_column_and_tensors(rng):
    torch = pytest.importorskip("torch")
    X, y = representations(rng, 50, 4, 1)
    expected = cka(X, y)
    assert cka(X, y.ravel()) == expected
    assert cka(torch.tensor(X), torch.tensor(y, requires_grad=True)) == expected
