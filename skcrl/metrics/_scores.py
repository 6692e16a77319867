"""How much the two views of a sample have in common, and how much of their own."""

from typing import Literal

import numpy as np
from sklearn.utils._param_validation import StrOptions, validate_params

from skcrl._numbers import check_numbers, require_squares
from skcrl._scores import common_scores, individual_scores
from skcrl._typing import Rows
from skcrl._views import check_paired

__all__ = ["common_score", "individual_score"]


@validate_params(
    {"kind": [StrOptions({"product", "cosine"})]}, prefer_skip_nested_validation=True
)
def common_score(
    Zx: Rows, Zy: Rows, *, kind: Literal["product", "cosine"] = "product"
) -> np.ndarray:
    r"""How much of their common codes the two views of each sample share.

    With the common codes :math:`z_1, z_2` of a sample, and :math:`\hat z_1, \hat z_2`
    the same at length one, the score is
    :math:`(\hat z_1 \cdot \hat z_2)(z_1 \cdot z_2)` [1]_. Its gradient vanishes where
    the codes are orthogonal, so that a map of it stays dark where the views have
    nothing in common; that of the cosine alone does not. Use it for maps.

    It is large for samples with long codes, and for opposite codes as well as for equal
    ones. To find samples whose views do not belong together, use ``kind="cosine"``.

    Parameters
    ----------
    Zx, Zy : array-like of shape (n_samples, n_components)
        Paired common codes of the two views, each column with mean 0.
    kind : {"product", "cosine"}, default="product"
        The score above, or its first factor, the cosine.

    Returns
    -------
    scores : ndarray of shape (n_samples,)
        Not negative for "product", between -1 and 1 for "cosine". A sample with a code
        of zeros has score 0.

    Raises
    ------
    ValueError
        If the codes differ in shape, hold NaN or infinity, or their squares overflow.

    References
    ----------
    .. [1] Multimodal Understanding Through Correlation Maximization and Minimization
       (2023), eq. 4. The document prints its symbols incompletely. This product is our
       reading: it has both limits that section 4.1 states.

    Examples
    --------
    >>> from skcrl.metrics import common_score
    >>> common_score([[3.0, 0.0], [1.0, 1.0]], [[2.0, 0.0], [1.0, -1.0]])
    array([6., 0.])
    """
    x_codes, y_codes = _checked(Zx=Zx, Zy=Zy)
    return common_scores(x_codes, y_codes, kind)


def individual_score(W: Rows, Zx: Rows, Zy: Rows) -> np.ndarray:
    r"""How much of its own one view of each sample has.

    The length of :math:`(I - QQ^\top) w`: of the view's individual code :math:`w`, less
    its projection on the two common codes of the sample, of which :math:`Q` is an
    orthonormal basis [1]_. Its gradient is what a map of the individual part shows.

    It takes individual and common codes for vectors of one space, and so depends on the
    order and the signs of the codes. To find samples with much of their own, use the
    length of the individual codes, ``numpy.linalg.norm(W, axis=1)``.

    Parameters
    ----------
    W : array-like of shape (n_samples, n_components)
        Individual codes of one view.
    Zx, Zy : array-like of shape (n_samples, n_components)
        Paired common codes of the two views.

    Returns
    -------
    scores : ndarray of shape (n_samples,)
        Not negative; 0 where the common codes span all dimensions, as two codes of two
        dimensions do.

    Raises
    ------
    ValueError
        If the codes differ in shape, hold NaN or infinity, or their squares overflow.

    References
    ----------
    .. [1] Multimodal Understanding Through Correlation Maximization and Minimization
       (2023), section 3.2 and proposition 7.2. The document does not print what
       :math:`Q` spans. The pair's common codes are our reading.

    Examples
    --------
    >>> from skcrl.metrics import individual_score
    >>> W = [[1.0, 2.0, 2.0]]
    >>> individual_score(W, [[5.0, 0.0, 0.0]], [[1.0, 3.0, 0.0]])
    array([2.])
    """
    return individual_scores(*_checked(W=W, Zx=Zx, Zy=Zy))


def _checked(**codes):
    """Codes of one shape as float64."""
    (first, expected), *others = codes.items()
    for name, array in others:
        check_paired(expected, array, names=(first, name))
    codes = {name: check_numbers(array, name) for name, array in codes.items()}
    for name, array in codes.items():
        require_squares(array, name)
        if array.shape != codes[first].shape:
            raise ValueError(
                f"{first} and {name} must have the same number of dimensions, got "
                f"{codes[first].shape[1]} and {array.shape[1]}."
            )
    return codes.values()
