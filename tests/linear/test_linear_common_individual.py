"""LinearCommonIndividual against AJIVE written out densely, and planted tables."""

import re

import dask
import dask.array as da
import numpy as np
import pytest
from scipy import linalg, sparse, stats

from skcrl import LinearCCA, LinearCommonIndividual
from skcrl.exceptions import DegenerateFitWarning
from skcrl.linear import _ajive


def planted(seed, n=300, widths=(60, 50), ranks=(2, 3, 4), noise=0.0, n_new=0):
    """Tables c A + i B + noise, their spans, and their codes; noise as a deviation."""
    rng = np.random.default_rng(seed)
    common, *own = ranks
    c = rng.standard_normal((n + n_new, common))
    tables, spans, codes = [], [], []
    for p, k in zip(widths, own, strict=True):
        A, B = rng.standard_normal((common, p)), rng.standard_normal((k, p))
        i = rng.standard_normal((n + n_new, k))
        signal = c @ A + i @ B
        scale = noise * signal.std()
        tables.append(signal + scale * rng.standard_normal(signal.shape))
        spans.append((A.T, B.T))
        codes.append(i)
    return tables, spans, (c, *codes)


def angle(A, B):
    """Largest angle between the spans of the columns."""
    return linalg.subspace_angles(A, B)[0]


def ajive(X, y, ranks, n_common):
    """Joint scores, squared singular values, and per table J, signal space and own I.

    Section 2 of Feng et al. (2018), by full decompositions of everything.
    """
    tables = [view - view.mean(axis=0) for view in (X, y)]
    svds = [np.linalg.svd(table, full_matrices=False) for table in tables]
    scores = [U[:, :rank] for (U, _, _), rank in zip(svds, ranks, strict=True)]
    joint, singular, _ = np.linalg.svd(np.hstack(scores), full_matrices=False)
    joint = joint[:, :n_common]
    parts = []
    for table, (U, s, Vt), rank in zip(tables, svds, ranks, strict=True):
        signal = U[:, :rank] * s[:rank] @ Vt[:rank]
        parts.append((joint @ joint.T @ table, Vt[:rank].T @ Vt[:rank], signal))
    return joint, singular**2, parts


@pytest.fixture(scope="module")
def noisy():
    return planted(0, noise=1.0)[0]


@pytest.fixture(scope="module")
def fitted(noisy):
    return LinearCommonIndividual(random_state=0).fit(*noisy)


def test_it_is_ajive(noisy, fitted):
    joint, squares, parts = ajive(*noisy, (5, 6), 2)
    found = fitted.signal_correlations_
    np.testing.assert_allclose(1 + found, squares[: len(found)], atol=1e-10)
    assert (fitted.n_components_, fitted.n_signal_) == (2, (5, 6))
    joint_codes = fitted.transform_joint(*noisy)
    unit = joint_codes / np.linalg.norm(joint_codes, axis=0)
    np.testing.assert_allclose(abs(np.sum(unit * joint, axis=0)), 1, atol=1e-10)
    for side, view, (J, V, signal) in zip("xy", noisy, parts, strict=True):
        common = fitted.reconstruct(*noisy, to=side, parts="common")
        np.testing.assert_allclose(common - view.mean(axis=0), J @ V, atol=1e-9)
        # Of its own, a table has what its own common codes leave of the signal.
        codes = fitted.view(side).transform(view)
        own = signal - codes @ np.linalg.lstsq(codes, signal)[0]
        individual = fitted.reconstruct(*noisy, to=side, parts="individual")
        np.testing.assert_allclose(individual - view.mean(axis=0), own, atol=1e-9)
        every = fitted.reconstruct(*noisy, to=side)
        expected = common + individual - view.mean(axis=0)
        np.testing.assert_allclose(every, expected, atol=1e-9)


def test_individual_codes_are_principal_components(noisy, fitted):
    for side, view, m in zip("xy", noisy, fitted.n_individual_, strict=True):
        codes = fitted.view(side).transform(view)
        centred = view - view.mean(axis=0)
        rest = centred - codes @ np.linalg.lstsq(codes, centred)[0]
        U, s, _ = np.linalg.svd(rest, full_matrices=False)
        own = fitted._individual_codes(view, side)
        own = own / np.linalg.norm(own, axis=0)
        np.testing.assert_allclose(abs(np.sum(own * U[:, :m], axis=0)), 1, atol=1e-10)
        ratio = getattr(fitted, f"{side}_individual_explained_variance_ratio_")
        expected = s[:m] ** 2 / np.sum(centred**2)
        np.testing.assert_allclose(ratio, expected, atol=1e-10)


def test_codes_are_white_matched_and_ordered(noisy, fitted):
    Zx, Zy = fitted.transform_pair(*noisy)
    Wx, Wy = (
        fitted.transform_individual(noisy[0]),
        fitted.transform_individual_y(noisy[1]),
    )
    for Z, W in ((Zx, Wx), (Zy, Wy)):
        cov = np.cov(np.hstack([Z, W]).T)
        np.testing.assert_allclose(cov, np.eye(len(cov)), atol=1e-10)
    cross = np.cov(Zx.T, Zy.T)[:2, 2:]
    np.testing.assert_allclose(cross, np.diag(fitted.correlations_), atol=1e-10)
    assert (np.diff(fitted.correlations_) < 0).all()
    between = np.hstack([Zx.T @ Wy, (Wx.T @ Zy).T]) / 299
    np.testing.assert_allclose(between, 0, atol=1e-10)
    np.testing.assert_array_equal(fitted.x_weights_.shape, (60, 2))
    np.testing.assert_allclose(
        fitted.x_individual_loadings_[:, 0],
        [np.corrcoef(column, Wx[:, 0])[0, 1] for column in noisy[0].T],
        atol=1e-10,
    )


def test_variances_of_the_three_parts_add_up(noisy, fitted):
    X = noisy[0]
    total = X.var(axis=0).sum()
    shares = [
        fitted.reconstruct(X, to="x", parts=parts).var(axis=0).sum() / total
        for parts in ("common", "individual")
    ]
    residual = (X - fitted.reconstruct(X, to="x")).var(axis=0).sum() / total
    assert sum(shares) + residual == pytest.approx(1, abs=1e-10)
    found = (
        fitted.x_explained_variance_ratio_.sum(),
        fitted.x_individual_explained_variance_ratio_.sum(),
    )
    np.testing.assert_allclose(found, shares, atol=1e-10)


@pytest.mark.parametrize("seed", range(10))
def test_planted_parts_without_noise(seed):
    tables, spans, _ = planted(seed, 20_000, (20, 16), n_new=20_000)
    train, new = zip(*((t[:20_000], t[20_000:]) for t in tables), strict=True)
    est = LinearCommonIndividual(n_signal=(5, 6), random_state=0).fit(*train)
    assert (est.n_components_, est.n_individual_) == (2, (3, 4))
    cca = LinearCCA(2, reg=0).fit(*train)
    codes = []
    for side, i, (_, B) in zip("xy", range(2), spans, strict=True):
        Z = est.view(side).transform(new[i])
        assert angle(Z, cca.view(side).transform(new[i])) < 1e-6
        deviations = train[i].std(axis=0)[:, None]
        for loadings, expected in (
            (getattr(est, f"{side}_loadings_"), getattr(cca, f"{side}_loadings_")),
            (getattr(est, f"{side}_individual_loadings_") * deviations, B),
        ):
            assert angle(loadings, expected) < 1e-6
        W = est._individual_codes(new[i], side)
        assert abs(np.corrcoef(Z.T, W.T)[:2, 2:]).max() < 0.05
        codes.append(W)
        errors = [
            np.square(new[i] - est.reconstruct(*new, to=side, parts=parts)).sum()
            for parts in ("all", "common")
        ]
        assert errors[0] < 1e-12 * errors[1]
    assert abs(np.corrcoef(codes[0].T, codes[1].T)[:3, 3:]).max() < 0.05


# Widths and ranks: wider than long, unlike, and little that is individual.
@pytest.mark.parametrize(
    ("n", "widths", "ranks"),
    [
        (200, (50, 50), (2, 2, 3)),
        (200, (200, 60), (3, 4, 2)),
        (300, (70, 90), (1, 1, 1)),
    ],
)
def test_ranks_are_found_where_noise_is_as_large_as_the_signal(n, widths, ranks):
    found = []
    for seed in range(20):
        est = LinearCommonIndividual(random_state=seed)
        est.fit(*planted(seed, n, widths, ranks, noise=1.0)[0])
        found.append((est.rank_, *est.n_individual_))
    assert found.count(ranks) >= 19


def test_noise_has_no_signal(rng):
    n_found = sum(
        _ajive.signal_rank(
            np.linalg.svd(rng.standard_normal(shape), compute_uv=False) ** 2, *shape
        )
        for shape in [(100, 30), (40, 40), (30, 200)] * 60
    )
    assert n_found <= 2


def test_the_median_of_noise():
    noise = np.random.default_rng(0).standard_normal((2000, 1000))
    squares = np.linalg.svd(noise, compute_uv=False) ** 2 / 2000
    assert _ajive._marchenko_pastur_median(0.5) == pytest.approx(
        np.median(squares), rel=5e-3
    )


@pytest.mark.parametrize(("dimension", "n"), [(60, 20), (20, 20), (22, 20)])
def test_bounds_are_drawn_from_the_law_of_whole_frames(dimension, n, rng):
    squares = rng.uniform(0, 1, n)
    draws = np.random.RandomState(0)
    found = [_ajive._squared_norms(squares, dimension, 4, draws) for _ in range(5)]
    whole = []
    for _ in range(1000):
        Q = np.linalg.qr(rng.standard_normal((dimension, 4)))[0][:n]
        whole.append(np.linalg.norm(squares[:, None] ** 0.5 * Q, 2) ** 2)
    assert stats.ks_2samp(np.concatenate(found), whole).pvalue > 0.01


def test_wedin_bound_is_that_of_the_paper(noisy, fitted):
    rng, lost = np.random.default_rng(0), np.zeros(200)
    for view, rank in zip(noisy, (5, 6), strict=True):
        table = view - view.mean(axis=0)
        U, s, Vt = np.linalg.svd(table)
        norms = np.zeros(200)
        for outside, product in ((Vt[rank:].T, table), (U[:, rank:], table.T)):
            for i in range(200):
                frame = rng.standard_normal((outside.shape[1], rank))
                frame = outside @ np.linalg.qr(frame)[0]
                norms[i] = max(norms[i], np.linalg.norm(product @ frame, 2))
        lost += np.minimum(norms / s[rank - 1], 1) ** 2
    assert fitted.wedin_bound_ == pytest.approx(np.quantile(1 - lost, 0.05), abs=0.02)


def test_wide_views_are_solved_by_rows():
    tables = planted(1, 40, (200, 150), (2, 2, 1), noise=0.3)[0]
    by_rows = LinearCommonIndividual(random_state=0).fit(*tables)
    by_columns = LinearCommonIndividual(random_state=0).partial_fit(*tables)
    assert by_rows.n_signal_ == by_columns.n_signal_ == (4, 3)
    for name in ("x_weights_", "y_individual_weights_", "x_loadings_", "correlations_"):
        expected = getattr(by_columns, name)
        np.testing.assert_allclose(getattr(by_rows, name), expected, atol=1e-9)
    with pytest.raises(ValueError, match="Start with partial_fit instead of fit"):
        by_rows.partial_fit(*tables)


def test_rows_add_up_in_any_parts(noisy, fitted):
    stream = LinearCommonIndividual(random_state=0)
    for rows in (slice(0, 7), slice(7, 120), slice(120, 300)):
        stream.partial_fit(*(view[rows] for view in noisy))
    lazy = [da.from_array(view, chunks=(70, -1)) for view in noisy]
    with dask.config.set(scheduler="synchronous"):
        by_dask = LinearCommonIndividual(random_state=0).fit(*lazy)
        codes = np.asarray(by_dask.transform_individual(lazy[0]))
    np.testing.assert_allclose(codes, fitted.transform_individual(noisy[0]), atol=1e-9)
    for other in (stream, by_dask):
        assert other.n_samples_seen_ == 300
        np.testing.assert_allclose(other.x_weights_, fitted.x_weights_, atol=1e-10)
    with pytest.raises(ValueError, match="Found 1 sample"):
        LinearCommonIndividual().partial_fit(*(view[:1] for view in noisy))


@pytest.mark.parametrize("n", [300, 40])
def test_sparse_views_give_the_same(n):
    tables = [np.where(v > 0, v, 0) for v in planted(2, n, (90, 95), noise=0.2)[0]]
    dense = LinearCommonIndividual(2, n_individual=1).fit(*tables)
    found = LinearCommonIndividual(2, n_individual=1).fit(
        *map(sparse.csr_array, tables)
    )
    for name in ("x_weights_", "y_individual_weights_"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(dense, name), atol=1e-9
        )
    np.testing.assert_allclose(
        found.reconstruct(y=sparse.csr_array(tables[1]), to="both")[0],
        dense.reconstruct(y=tables[1], to="x"),
        atol=1e-8,
    )


def test_a_missing_view_is_predicted_from_common_codes(noisy, fitted):
    X, y = noisy
    codes = fitted.transform_y(y)
    # Of the signal of X; its residual correlates with codes of y by chance alone.
    signal = fitted.reconstruct(X, to="x") - X.mean(axis=0)
    expected = X.mean(axis=0) + codes @ np.linalg.lstsq(codes, signal)[0]
    np.testing.assert_allclose(fitted.reconstruct(y=y, to="x"), expected, atol=1e-9)
    nothing = fitted.reconstruct(y=y, to="x", parts="individual")
    np.testing.assert_allclose(nothing, np.tile(X.mean(axis=0), (300, 1)), atol=1e-9)


def test_both_common_codes_err_less_than_one():
    tables, ((A, _), _), (c, *_) = planted(3, noise=1.0)
    est = LinearCommonIndividual(random_state=0).fit(*tables)
    truth = c @ A.T
    errors = [
        np.square(est.reconstruct(*views, to="x", parts="common") - truth).sum()
        for views in (tables, (tables[0], None))
    ]
    assert errors[0] < 0.8 * errors[1]


def test_numbers_of_components_that_are_given(noisy):
    X, y = noisy
    est = LinearCommonIndividual(3, n_individual=(1, 40), n_signal=(6, None)).fit(X, y)
    assert (est.n_components_, est.n_individual_) == (3, (1, 40))
    assert est.n_signal_ == (6, 43)
    W = est.transform_individual_y(y)
    np.testing.assert_allclose(np.cov(W.T), np.eye(40), atol=1e-9)
    alike = LinearCommonIndividual(3, n_individual=3).fit(X, y)
    assert alike.individual_score(X, y, side="y").shape == (300,)
    with pytest.raises(
        ValueError, match=r"must be equal. Got n_individual=40 and n_components=3"
    ):
        est.individual_score(X, y, side="y")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 51}, "`n_components` upper bound is 50, the number of feat"),
        (
            {"n_components": 2, "n_individual": (59, 1)},
            "X must be at most n_features=60 minus n_components=2. Got 59",
        ),
        (
            {"n_individual": (1, 51)},
            "`n_individual` of y must be at most n_features=50 minus",
        ),
        (
            {"n_components": 3, "n_signal": 2},
            "`n_signal` of X must be from n_components=3 to n_fea",
        ),
        (
            {"n_signal": (5, 51)},
            "`n_signal` of y must be from .* to n_features=50. Got 51",
        ),
        ({"n_signal": (5, 1.5)}, "`n_signal` must be a whole number of at least 0"),
        ({"n_individual": (1, 2, 3)}, r"or an \(x, y\) pair of these, got \(1, 2, 3\)"),
    ],
)
def test_numbers_out_of_range(parameters, message, noisy):
    est = LinearCommonIndividual(**parameters)
    with pytest.raises(ValueError, match=message):
        est.fit(*noisy)
    assert vars(est) == vars(LinearCommonIndividual(**parameters))


def test_nothing_in_common(rng):
    tables = [planted(seed, noise=0.5)[0][0] for seed in (4, 5)]
    message = re.escape("no common component, so all common codes are 0. The largest")
    with pytest.warns(DegenerateFitWarning, match=message):
        est = LinearCommonIndividual(random_state=0).fit(*tables)
    assert (est.n_components_, est.rank_, est.n_individual_) == (1, 0, (5, 5))
    np.testing.assert_array_equal(est.transform(tables[0]), np.zeros((300, 1)))
    np.testing.assert_allclose(
        est.reconstruct(*tables, to="x", parts="common"),
        np.tile(tables[0].mean(axis=0), (300, 1)),
        atol=1e-12,
    )
    asked = LinearCommonIndividual(1).fit(*tables)
    assert asked.rank_ == 1
    np.testing.assert_allclose(asked.correlations_, est.signal_correlations_[:1])


def test_constant_views_and_too_few_samples(rng):
    X = rng.standard_normal((12, 9))
    with pytest.warns(DegenerateFitWarning, match="y is constant, so all codes"):
        est = LinearCommonIndividual(2).fit(X, np.ones((12, 4)))
    for numbers in (*est.transform_pair(X, np.ones((12, 4))), est.y_loadings_):
        assert not numbers.any()
    assert np.isfinite(est.predict(X)).all()
    with pytest.warns(DegenerateFitWarning, match="Give a smaller n_signal"):
        LinearCommonIndividual(2, n_signal=8).fit(X, rng.standard_normal((12, 9)))


def test_columns_without_information_and_offsets_change_nothing(noisy, fitted):
    X, y = noisy
    far = np.hstack([X + 1e6, np.full((300, 2), 0.1)]), y - 1e5
    est = LinearCommonIndividual(random_state=0).fit(*far)
    assert est.n_signal_ == fitted.n_signal_
    np.testing.assert_allclose(est.transform(far[0]), fitted.transform(X), atol=1e-6)
    np.testing.assert_array_equal(est.x_loadings_[60:], 0)
    twice = LinearCommonIndividual(2, n_individual=(3, 4), n_signal=(5, 6)).fit(
        np.hstack([X, X]), y
    )
    np.testing.assert_allclose(
        twice.transform_individual(np.hstack([X, X])),
        fitted.transform_individual(X),
        atol=1e-8,
    )


def test_noise_free_tables_of_low_rank_need_no_ranks():
    for seed in range(5):
        est = LinearCommonIndividual(random_state=0).fit(*planted(seed)[0])
        assert (est.n_components_, est.n_individual_) == (2, (3, 4))


def test_as_a_module(noisy, fitted):
    import torch

    codes = fitted.view("y").module()(torch.tensor(noisy[1], dtype=torch.float32))
    np.testing.assert_allclose(
        codes.detach().numpy(), fitted.transform_y(noisy[1]), atol=1e-4
    )


def test_equal_columns_do_not_count_as_signal():
    rng = np.random.default_rng(0)
    shared, x_own, y_own = rng.standard_normal((3, 400, 2))
    X, y = (
        np.hstack([shared, own]) @ rng.standard_normal((4, 20))
        + 0.5 * rng.standard_normal((400, 20))
        for own in (x_own, y_own)
    )
    twice = np.hstack([X, -2 * X]), np.repeat(y, 2, axis=1)
    for views in ((X, y), twice):
        est = LinearCommonIndividual(random_state=0).fit(*views)
        assert (est.rank_, est.n_signal_, est.n_individual_) == (2, (4, 4), (2, 2))
    few = [np.repeat(view[:60], 7, axis=1) for view in (X, y)]  # by rows
    by_rows = LinearCommonIndividual(random_state=0).fit(*few)
    by_covariances = LinearCommonIndividual(random_state=0).partial_fit(*few)
    assert by_rows.n_signal_ == by_covariances.n_signal_ == (4, 4)
