"""Common and individual scores of samples, computed from their codes.

The functions are written once for NumPy arrays and for torch tensors, which keep their
gradient.
"""

from skcrl._arrays import namespace

# A remainder is zero if it is shorter than this many rounding errors of its code.
_ROUNDINGS = 100


def common_scores(zx, zy, kind="product"):
    """(z1 . z2) times the cosine of z1 and z2 (eq. 4 of MUC2M), or the cosine alone.

    The codes `zx` and `zy` are (n, k). A sample with a code of zeros has score 0 and
    gradient 0.
    """
    dot = _dot(zx, zy)
    cosine = dot * _inverse_length(zx) * _inverse_length(zy)
    return cosine if kind == "cosine" else dot * cosine


def individual_scores(w, zx, zy):
    """Length of (I - QQ')w, with Q an orthonormal basis of z1 and z2 of the sample.

    The codes `w`, `zx` and `zy` are (n, k). For gradients, Q is a constant (proposition
    7.2 of MUC2M).
    """
    rest = w
    for q in _basis(_constant(zx), _constant(zy)):
        rest = rest - _dot(q, rest)[:, None] * q
    is_there = _is_more_than_rounding(rest, w)
    return _positive(_dot(rest, rest)) ** 0.5 * is_there


def _basis(zx, zy):
    """Two orthonormal vectors for each sample; zeros if its codes span fewer."""
    first = zx * _inverse_length(zx)[:, None]
    rest = zy
    for _ in range(2):  # the second time removes what rounding left
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
    # Replace 0 by 1, because the root of 0 has no derivative.
    xp = namespace(squares)
    return xp.where(squares > 0, squares, xp.ones_like(squares))


def _constant(a):
    return a.detach() if hasattr(a, "detach") else a
