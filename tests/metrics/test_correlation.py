"""Measures against NumPy, scikit-learn and their defining properties."""

import numpy as np
import pytest
from sklearn.cross_decomposition import CCA

from skcrl.datasets import make_correlated_views
from skcrl.metrics import (
    canonical_total,
    effective_rank,
    pearson_sum,
    reconstruction_error,
    refitted_canonical_total,
)


def test_pearson_sum_is_the_sum_of_corrcoef(rng):
    Zx = rng.normal(1e3, 1, (50, 3))
    Zy = Zx @ np.diag([1, -1, 0.5]) + rng.standard_normal((50, 3))
    expected = sum(np.corrcoef(Zx[:, j], Zy[:, j])[0, 1] for j in range(3))
    assert pearson_sum(Zx, Zy) == pytest.approx(expected, abs=1e-12)


def test_constant_dimensions_count_as_zero(rng):
    Z = rng.standard_normal((50, 2))
    constant = np.full((50, 1), 0.1)
    assert pearson_sum(np.hstack([Z, constant]), np.hstack([Z, Z[:, :1]])) == (
        pytest.approx(2)
    )
    assert effective_rank(np.hstack([Z[:, :1], constant])) == pytest.approx(1)
    assert effective_rank(constant) == 0


def test_canonical_total_is_held_out_cca():
    X, Y = make_correlated_views(600, 4, 3, random_state=0)
    train, test = slice(400), slice(400, None)
    cca = CCA(n_components=3, tol=1e-12, max_iter=5000).fit(X[train], Y[train])
    codes = cca.transform(X[test], Y[test])
    total = canonical_total(X[test], Y[test], X[train], Y[train])
    assert total == pytest.approx(pearson_sum(*codes), abs=1e-6)


def test_redundancy_raises_pearson_sum_alone(rng):
    z = rng.standard_normal((500, 1))
    Zx, Zy = (z + 0.3 * rng.standard_normal((500, 1)) for _ in range(2))
    repeated = np.repeat(Zx, 5, axis=1), np.repeat(Zy, 5, axis=1)
    assert pearson_sum(*repeated) == pytest.approx(5 * pearson_sum(Zx, Zy))
    once = refitted_canonical_total(Zx, Zy)
    assert refitted_canonical_total(*repeated) == pytest.approx(once, abs=1e-4)
    assert canonical_total(*repeated, *repeated) == pytest.approx(once, abs=1e-4)
    assert effective_rank(repeated[0]) == pytest.approx(1)


def test_effective_rank_of_orthogonal_codes_is_their_number(rng):
    Q = np.linalg.qr(rng.standard_normal((50, 4)) - 0.0)[0]
    Q = np.linalg.qr(Q - Q.mean(0))[0]
    assert effective_rank(Q * [1, 10, 100, 1e4] + 7) == pytest.approx(4)
    few_samples = rng.standard_normal((4, 30))
    assert 1 < effective_rank(few_samples) <= 3


def test_reconstruction_error():
    X = np.arange(6.0).reshape(3, 2)
    assert reconstruction_error(X, X) == 0
    assert reconstruction_error(X, np.tile(X.mean(0), (3, 1))) == pytest.approx(1)
    assert reconstruction_error(X, X + 1) == pytest.approx(6 / 16)
    constant = np.ones((3, 2))
    assert reconstruction_error(constant, constant) == 0
    assert reconstruction_error(constant, constant + 1) == 1


def test_constant_dimensions_among_many_samples():
    # Adding up 0.1 ten thousand times errs in the last three digits.
    Z = np.full((10_000, 2), 0.1)
    assert pearson_sum(Z, Z) == 0
    assert pearson_sum(Z, np.full_like(Z, 0.7)) == 0
    assert effective_rank(Z) == 0
    assert canonical_total(Z, Z, Z, Z) == refitted_canonical_total(Z, Z) == 0
    assert reconstruction_error(Z, Z + 1) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda Z: pearson_sum(Z, Z[:, :1]), "same number of dimensions, got 2 and 1"),
        (lambda Z: pearson_sum(Z, Z[:-1]), "inconsistent numbers of samples"),
        (lambda Z: pearson_sum(Z[:1], Z[:1]), "minimum of 2 is required"),
        (lambda Z: pearson_sum(Z, Z * np.nan), "Zy contains NaN"),
        (lambda Z: canonical_total(Z, Z, Z[:, :1], Z), "got 2 and 1"),
        (lambda Z: refitted_canonical_total(Z, Z[:-1]), "inconsistent numbers"),
        (lambda Z: effective_rank(Z[0]), "Expected 2D array"),
        (lambda Z: reconstruction_error(Z, Z[:-1]), r"got \(5, 2\) and \(4, 2\)"),
    ],
)
def test_bad_codes(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(rng.standard_normal((5, 2)))


# Sums of such columns may overflow too, to infinity or, of both signs, to NaN.
@pytest.mark.parametrize("scale", [1e155, 1e200, 1e308])
def test_squares_that_overflow_are_named(rng, scale):
    Z = np.sign(rng.standard_normal((20, 2)))
    huge = Z * scale
    for call in (
        lambda: pearson_sum(huge, Z),
        lambda: pearson_sum(Z, huge),
        lambda: canonical_total(Z, huge, Z, huge),
        lambda: canonical_total(Z, Z, huge, Z),
        lambda: refitted_canonical_total(huge, Z),
        lambda: reconstruction_error(huge, Z),
        lambda: reconstruction_error(huge, huge),
        lambda: reconstruction_error(Z, huge),
        lambda: effective_rank(huge),
    ):
        with pytest.raises(ValueError, match="The squares of .* overflow"):
            call()


def test_numbers_beyond_float64_are_named():
    with pytest.raises(ValueError, match="Z holds 1000.* too large to convert"):
        effective_rank(np.array([[10**400], [1]], dtype=object))
    if np.finfo(np.longdouble).max > 1e400:
        with pytest.raises(ValueError, match="Zx contains infinity"):
            pearson_sum(np.longdouble("1e400") * np.ones((3, 1)), np.ones((3, 1)))


def test_tiny_codes_have_the_same_measures(rng):
    # Their squares are 0 in float64.
    Z, noise = rng.standard_normal((2, 50, 2))
    for tiny in (1e-170, 1e-300):
        codes, small = (Z, Z + noise), (Z * tiny, (Z + noise) * tiny)
        for measure in (pearson_sum, refitted_canonical_total, reconstruction_error):
            assert measure(*small) == pytest.approx(measure(*codes), rel=1e-6)
        assert canonical_total(*small, *small) == pytest.approx(
            canonical_total(*codes, *codes), rel=1e-6
        )
        assert effective_rank(small[0]) == pytest.approx(effective_rank(Z), rel=1e-6)
        with pytest.raises(ValueError, match="overflow"):
            reconstruction_error(Z * 1e-320, Z)
