"""Scores of what is common and what is individual in a sample, as algebra of its codes.

Written once for NumPy arrays and for torch tensors, with their gradient.
"""

from skcrl._arrays import namespace

# A remainder shorter than so many roundings of its code counts as zero.
_ROUNDINGS = 100


def common_scores(zx, zy, kind="product"):
    """(z1 . z2) times the cosine of z1 and z2 (eq. 4 of MUC2M), or the cosine alone.

    Of zx, zy (n, k); a sample with a code of zeros has score 0, and gradient 0.
    """
    dot = _dot(zx, zy)
    cosine = dot * _inverse_length(zx) * _inverse_length(zy)
    return cosine if kind == "cosine" else dot * cosine


def individual_scores(w, zx, zy):
    """Length of (I - QQ')w, with Q an orthonormal basis of z1 and z2 of the sample.

    Of w, zx, zy (n, k). Gradients take Q for a constant (proposition 7.2 of MUC2M).
    """
    rest = w
    for q in _basis(_constant(zx), _constant(zy)):
        rest = rest - _dot(q, rest)[:, None] * q
    is_there = _is_more_than_rounding(rest, w)
    return _positive(_dot(rest, rest)) ** 0.5 * is_there


def _basis(zx, zy):
    """Two orthonormal vectors a sample, or zeros where the codes span fewer."""
    first = zx * _inverse_length(zx)[:, None]
    rest = zy
    for _ in range(2):  # the second time takes what rounding left
        rest = rest - _dot(first, rest)[:, None] * first
    spans = _is_more_than_rounding(rest, zy)
    return first, rest * (_inverse_length(rest) * spans)[:, None]


def _is_more_than_rounding(rest, code):
    eps = namespace(code).finfo(code.dtype).eps
    return _dot(rest, rest) > (_ROUNDINGS * eps) ** 2 * _dot(code, code)


def _dot(a, b):
    return (a * b).sum(1)


def _inverse_length(a):
    return _positive(_dot(a, a)) ** -0.5


def _positive(squares):
    # 1 in place of 0, whose root has no derivative.
    xp = namespace(squares)
    return xp.where(squares > 0, squares, xp.ones_like(squares))


def _constant(a):
    return a.detach() if hasattr(a, "detach") else a
