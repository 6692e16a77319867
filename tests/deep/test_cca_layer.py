"""The CCA layer against LinearCCA, and its gradient."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck
from torch.nn.functional import normalize

from skcrl import LinearCCA, _moments
from skcrl.deep.modules import CCALayer, LearnedProjection


def randn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def related(n, p, q, seed=0):
    x = randn(n, p, seed=seed)
    return x, x @ randn(p, q, seed=seed + 1) + 2 * randn(n, q, seed=seed + 2) + 3


def with_correlations(correlations, n=40, seed=0):
    """Views whose canonical correlations are these, to rounding."""
    k = len(correlations)
    basis, _ = torch.linalg.qr(randn(n, 2 * k, seed=seed))
    basis, _ = torch.linalg.qr(basis - basis.mean(0))
    rho = torch.tensor(correlations, dtype=torch.float64)
    x, noise = basis[:, :k], basis[:, k:]
    y = x * rho + noise * (1 - rho**2) ** 0.5
    return n**0.5 * x, n**0.5 * y @ randn(k, k, seed=seed + 1)


def cosines(x_code, y_code):
    return normalize(x_code) @ normalize(y_code).T


@pytest.mark.parametrize("n_components", [None, 3])
@pytest.mark.parametrize(("p", "q"), [(5, 5), (6, 4), (4, 6)])
@pytest.mark.parametrize("reg", [1e-3, 1.0])
def test_layer_is_linear_cca_of_the_batch(p, q, n_components, reg):
    x, y = related(60, p, q)
    layer = CCALayer(p, q, n_components, reg=reg).double()
    codes = layer(x, y)
    cca = LinearCCA(n_components, reg=reg).fit(x.numpy(), y.numpy())
    for code, expected in zip(codes, cca.transform_pair(x, y), strict=True):
        np.testing.assert_allclose(code, expected, atol=1e-8)
    for again, code in zip(layer.eval()(x, y), codes, strict=True):
        torch.testing.assert_close(again, code)


def test_refit_is_linear_cca_of_all_rows():
    x, y = related(90, 5, 4)
    layer = CCALayer(5, 4, reg=1e-3).double()
    layer(x[:30], y[:30])
    solution = layer.refit(_moments.moments(x.numpy(), y.numpy()))
    cca = LinearCCA(reg=1e-3).fit(x.numpy(), y.numpy())
    np.testing.assert_allclose(solution.singular_values, cca.singular_values_)
    for code, expected in zip(
        layer.eval()(x, y), cca.transform_pair(x, y), strict=True
    ):
        np.testing.assert_allclose(code, expected, atol=1e-8)


def released(batches, share, reg):
    """Codes of each batch by the steps of the released layer, in NumPy.

    Two eigendecompositions in place of a singular value decomposition, signs matched
    after them.
    """
    running = None
    for a, b in batches:

        def mixed(i, new, old=running):
            return new if old is None else share * old[i] + (1 - share) * new

        means = mixed(0, a.mean(axis=0)), mixed(1, b.mean(axis=0))
        a, b = a - means[0], b - means[1]
        products = [u.T @ v / (len(a) - 1) for u, v in ((a, a), (b, b), (a, b))]
        running = [*means, *(mixed(i, S) for i, S in enumerate(products, start=2))]
        roots = []
        for S in running[2:4]:
            values, vectors = np.linalg.eigh(S + reg * np.eye(len(S)))
            roots.append(vectors / np.sqrt(values) @ vectors.T)
        T = roots[0] @ running[4] @ roots[1]
        U = roots[0] @ np.linalg.eigh(T @ T.T)[1][:, ::-1]
        V = roots[1] @ np.linalg.eigh(T.T @ T)[1][:, ::-1]
        U *= np.sign(np.diag(U.T @ running[4] @ V))
        yield a @ U, b @ V


def test_running_moments_are_those_of_the_released_layer_step_by_step():
    x, y = related(120, 4, 4)
    x = x + torch.arange(120)[:, None] / 40  # means move from batch to batch
    batches = list(zip(x.split(40), y.split(40), strict=True))
    expected = released([[v.numpy() for v in pair] for pair in batches], 0.25, 0.1)
    layer = CCALayer(4, 4, reg=0.1, momentum=0.25).double()
    for batch, codes in zip(batches, expected, strict=True):
        for code, by_hand in zip(layer(*batch), codes, strict=True):
            signs = np.sign((code.numpy() * by_hand).sum(axis=0))
            np.testing.assert_allclose(code, by_hand * signs, atol=1e-10)


def test_gradcheck_of_running_moments():
    x, y = related(12, 3, 3)
    before = related(12, 3, 3, seed=3)

    def codes(x, y):
        layer = CCALayer(3, 3, reg=0.1, momentum=0.6).double()
        layer(*before)
        return layer(x, y)

    assert gradcheck(codes, (x.requires_grad_(), y.requires_grad_()))


@pytest.mark.parametrize(("p", "q"), [(3, 3), (4, 2), (2, 4)])
@pytest.mark.parametrize("n_components", [None, 1])
def test_gradcheck_of_the_codes(p, q, n_components):
    x, y = related(12, p, q)

    def codes(x, y):
        return CCALayer(p, q, n_components, reg=0.1).double()(x, y)

    assert gradcheck(codes, (x.requires_grad_(), y.requires_grad_()))


@pytest.mark.parametrize("gap", [1e-6, 0.0])
def test_gradcheck_of_cosines_where_correlations_all_but_coincide(gap):
    x, y = with_correlations([0.8, 0.8 - gap, 0.3])
    correlations = CCALayer(3, 3).refit(_moments.moments(x.numpy(), y.numpy()))[2]
    assert correlations[0] - correlations[1] < 1e-3  # the ridge moves them a little
    layer = CCALayer(3, 3, reg=1e-9).double()
    # Three sums of all cosines, at random, are checked in a fraction of the time.
    weights = torch.from_numpy(np.random.default_rng(1).normal(size=(3, len(x) ** 2)))
    assert gradcheck(
        lambda x, y: weights @ cosines(*layer(x, y)).ravel(),
        (x.requires_grad_(), y.requires_grad_()),
    )


@pytest.mark.parametrize("gap", [1e-6, 0.0])
def test_gradient_of_one_code_stays_finite_where_correlations_coincide(gap):
    x, y = with_correlations([0.8, 0.8 - gap, 0.3])
    x.requires_grad_()
    x_code, _ = CCALayer(3, 3, reg=1e-9).double()(x, y)
    x_code[:, 0].square().sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dead_units_have_finite_codes_and_gradients(dtype):
    x, y = related(30, 6, 5)
    x[:, 1:3], y[:, :2] = 0.0, 4.0
    x, y = x.to(dtype).requires_grad_(), y.to(dtype).requires_grad_()
    codes = CCALayer(6, 5).to(dtype)(x, y)
    assert all(code.dtype == dtype and code.isfinite().all() for code in codes)
    cosines(*codes).square().sum().backward()
    assert x.grad.isfinite().all()
    assert y.grad.isfinite().all()
    assert x.grad[:, 0].abs().max() > 0


def test_all_units_dead():
    x = torch.zeros(10, 3, requires_grad=True)
    codes = CCALayer(3, 3)(x, torch.ones(10, 3))
    cosines(*codes).sum().backward()
    assert x.grad.isfinite().all()
    assert not any(code.any() for code in codes)


def test_gradient_steps_raise_the_cosines_of_pairs():
    x, y = related(50, 6, 6)
    x = x.requires_grad_()

    def mean_cosine(x):
        return cosines(*CCALayer(6, 6).double()(x, y)).diagonal().mean()

    before = mean_cosine(x)
    before.backward()
    assert mean_cosine(x.detach() + 0.1 * x.grad) > before


def test_learned_projection_centres_on_the_batch_and_then_on_all():
    x, y = related(60, 5, 4)
    layer = LearnedProjection(5, 4, 3)
    layer.reset_parameters(torch.Generator().manual_seed(0))
    layer = layer.double()
    codes = layer(x[:20], y[:20])
    for code in codes:
        torch.testing.assert_close(code.mean(0), torch.zeros(3).double())
    solution = layer.refit(_moments.moments(x.numpy(), y.numpy()))
    x_code, y_code = (code.detach().numpy() for code in layer.eval()(x, y))
    np.testing.assert_allclose(x_code.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(
        (x - x.mean(0)).numpy() @ solution.x_weights, x_code, atol=1e-12
    )
    for i in range(3):
        expected = np.corrcoef(x_code[:, i], y_code[:, i])[0, 1]
        assert solution.singular_values[i] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_components": 5}, "n_components must be from 1 to 3, .* got 5"),
        ({"n_components": 0}, "n_components must be from 1 to 3, .* got 0"),
        ({"reg": 0}, "reg must be positive"),
        ({"momentum": 1.0}, "momentum at least 0 and below 1, got .*momentum=1.0"),
    ],
)
def test_bad_parameters_of_the_layer(arguments, message):
    with pytest.raises(ValueError, match=message):
        CCALayer(3, 4, **arguments)


def test_views_of_other_widths():
    x, y = related(20, 3, 4)
    with pytest.raises(ValueError, match=r"widths \(3, 4\), got \(4, 3\)"):
        CCALayer(3, 4)(y, x)


def test_solution_of_a_refit_is_the_callers_own():
    x, y = related(20, 3, 4)
    layer = CCALayer(3, 4).double()
    solution = layer.refit(_moments.moments(x.numpy(), y.numpy()))
    before = layer.x_weights.clone()
    solution.x_weights[:] = 0
    assert torch.equal(layer.x_weights, before)
