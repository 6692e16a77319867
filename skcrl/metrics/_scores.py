"""Scores of how much two views of a sample share, and how much is individual."""

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
    r"""Score how much the two views of each sample have in common.

    Let :math:`z_1, z_2` be the common codes of a sample, and
    :math:`\hat z_1, \hat z_2` the same codes scaled to length one. The score is
    :math:`(\hat z_1 \cdot \hat z_2)(z_1 \cdot z_2)` [1]_. Use it for saliency maps. Its
    gradient is 0 if the codes are orthogonal, so a map stays dark if the views have
    nothing in common. This is not true for the cosine alone.

    The score is large for samples with long codes. It is large for opposite codes as
    well as for equal codes. To find samples whose views do not belong together, use
    ``kind="cosine"``.

    Parameters
    ----------
    Zx, Zy : array-like of shape (n_samples, n_components)
        Paired common codes of the two views, each column with mean 0.
    kind : {"product", "cosine"}, default="product"
        "product" is the score above, "cosine" is only its first factor.

    Returns
    -------
    scores : ndarray of shape (n_samples,)
        At least 0 for "product", and between -1 and 1 for "cosine". A sample with a
        code of zeros has score 0.

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
    r"""Score how much of one view of each sample is individual.

    Let :math:`w` be the individual code of the view, and :math:`Q` an orthonormal basis
    of the two common codes of the sample. The score is the length of
    :math:`(I - QQ^\top) w`, that is of :math:`w` minus its projection on the common
    codes [1]_. Use it for saliency maps of the individual part, which show its
    gradient.

    The score treats individual and common codes as vectors of the same space, so it
    depends on the order and the signs of the codes. To find samples with a large
    individual part, use the length of the individual codes,
    ``numpy.linalg.norm(W, axis=1)``.

    Parameters
    ----------
    W : array-like of shape (n_samples, n_components)
        Individual codes of one view.
    Zx, Zy : array-like of shape (n_samples, n_components)
        Paired common codes of the two views.

    Returns
    -------
    scores : ndarray of shape (n_samples,)
        At least 0. The score is 0 if the common codes span all dimensions, as they do
        with two dimensions.

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
    """Codes in float64, which must all have the same shape."""
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
