"""Scores of the common and the individual against QR, the paper's limits and slopes."""

import numpy as np
import pytest
import torch

from skcrl._scores import common_scores, individual_scores
from skcrl.metrics import common_score, individual_score


@pytest.fixture
def codes(rng):
    """Individual codes of one view, and common codes of both, of width 5."""
    return [rng.standard_normal((40, 5)) for _ in range(3)]


def individual_by_qr(w, zx, zy):
    """The length of (I - QQ')w of one sample, where both codes are not parallel."""
    Q, _ = np.linalg.qr(np.column_stack([zx, zy]))
    return np.linalg.norm(w - Q @ (Q.T @ w))


def test_scores_are_those_of_each_row_by_itself(codes):
    W, Zx, Zy = codes
    cosines = [
        a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        for a, b in zip(Zx, Zy, strict=True)
    ]
    np.testing.assert_allclose(common_score(Zx, Zy, kind="cosine"), cosines, rtol=1e-12)
    expected = [c * (a @ b) for c, a, b in zip(cosines, Zx, Zy, strict=True)]
    np.testing.assert_allclose(common_score(Zx, Zy), expected, rtol=1e-12)
    expected = [individual_by_qr(*row) for row in zip(W, Zx, Zy, strict=True)]
    np.testing.assert_allclose(individual_score(W, Zx, Zy), expected, rtol=1e-12)


def slopes(scores, of, *constant):
    """Gradients of scores in the rows of their first argument, by torch."""
    of = torch.tensor(of, requires_grad=True)
    scores(of, *map(torch.tensor, constant)).sum().backward()
    return of.grad.numpy()


def slopes_by_differences(scores, of, *constant, step=1e-6):
    """The same, by central differences."""
    grad = np.empty_like(of)
    for j in range(of.shape[1]):
        move = step * np.eye(of.shape[1])[j]
        grad[:, j] = scores(of + move, *constant) - scores(of - move, *constant)
    return grad / (2 * step)


def test_gradients_are_the_slopes(codes):
    W, Zx, Zy = codes
    for scores, *args in (
        (common_scores, Zx, Zy),
        (lambda a, b: common_scores(a, b, "cosine"), Zx, Zy),
        (individual_scores, W, Zx, Zy),
    ):
        np.testing.assert_allclose(
            slopes(scores, *args), slopes_by_differences(scores, *args), atol=1e-8
        )


def test_the_projector_of_the_individual_score_is_a_constant(codes):
    zx, zy, w = (torch.tensor(a, requires_grad=True) for a in codes)
    individual_scores(w, zx, zy).sum().backward()
    assert zx.grad is None
    assert zy.grad is None


def test_the_common_score_has_both_limits_of_the_paper(rng):
    """Section 4.1: slope 0 at similarity 0, and the code itself at similarity 1."""
    z, other = rng.standard_normal((2, 30, 4))
    orthogonal = (
        other - (other * z).sum(1, keepdims=True) / (z * z).sum(1, keepdims=True) * z
    )
    np.testing.assert_allclose(slopes(common_scores, z, orthogonal), 0, atol=1e-12)
    np.testing.assert_allclose(slopes(common_scores, z, z), z, atol=1e-12)
    # Of the cosine alone it is the other way round.
    cosine = slopes(lambda a, b: common_scores(a, b, "cosine"), z, orthogonal)
    assert np.linalg.norm(cosine, axis=1).min() > 0.1


def test_what_lies_within_the_common_is_not_individual(rng):
    """Score and slope are 0, and no direction that rounding gives."""
    Zx, Zy = rng.standard_normal((2, 30, 6))
    W = 3.0 * Zx - 0.1 * Zy
    assert not individual_score(W, Zx, Zy).any()
    assert not slopes(individual_scores, W, Zx, Zy).any()
    # Two codes span all of two dimensions.
    assert not individual_score(W[:, :2], Zx[:, 2:4], Zy[:, 4:]).any()


def test_parallel_codes_span_one_direction(rng):
    W, Zx = rng.standard_normal((2, 30, 4))
    expected = [
        np.linalg.norm(w - z * (w @ z) / (z @ z)) for w, z in zip(W, Zx, strict=True)
    ]
    for Zy in (Zx, -3 * Zx, Zx * 1e-9, np.zeros_like(Zx)):
        np.testing.assert_allclose(individual_score(W, Zx, Zy), expected, rtol=1e-9)
        np.testing.assert_allclose(individual_score(W, Zy, Zx), expected, rtol=1e-9)


def test_codes_of_zeros_have_score_and_slope_0(codes):
    W, Zx, _ = codes
    zeros = np.zeros_like(Zx)
    assert not common_score(zeros, Zx).any()
    assert not common_score(Zx, zeros, kind="cosine").any()
    assert not individual_score(zeros, Zx, Zx).any()
    for args in ((zeros, Zx), (Zx, zeros), (zeros, zeros)):
        assert not slopes(common_scores, *args).any()
    assert not slopes(individual_scores, zeros, Zx, W).any()


@pytest.mark.parametrize("scale", [1e-60, 1e60])
def test_scores_of_huge_and_tiny_codes(codes, scale):
    W, Zx, Zy = codes
    got = common_score(Zx * scale, Zy * scale)
    np.testing.assert_allclose(got, common_score(Zx, Zy) * scale**2, rtol=1e-12)
    got = common_score(Zx * scale, Zy, kind="cosine")
    np.testing.assert_allclose(got, common_score(Zx, Zy, kind="cosine"), rtol=1e-12)
    expected = individual_score(W, Zx, Zy)
    for args, factor in (
        ((W * scale, Zx, Zy), scale),
        ((W, Zx * scale, Zy), 1),
        ((W, Zx, Zy * scale), 1),
    ):
        np.testing.assert_allclose(
            individual_score(*args), expected * factor, rtol=1e-9
        )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda Z: common_score(Z, Z[:-1]),
            r"numbers of samples: \[40, 39\].*Zx and Z",
        ),
        (lambda Z: common_score(Z, Z[:, 1:]), "Zx and Zy must have the .* got 5 and 4"),
        (lambda Z: individual_score(Z[:, 1:], Z, Z), "W and Zx must have .* 4 and 5"),
        (lambda Z: common_score(Z, Z * np.nan), "Input Zy contains NaN"),
        (lambda Z: common_score(Z * 1e200, Z), "The squares of Zx overflow float64"),
        (lambda Z: common_score(Z, Z, kind="dot"), "'kind' parameter of common_score"),
    ],
)
def test_errors(codes, call, message):
    with pytest.raises(ValueError, match=message):
        call(codes[0])
