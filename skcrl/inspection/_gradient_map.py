"""Saliency maps: the parts of a sample that the score of a pair depends on."""

from collections.abc import Callable
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.validation import check_array, check_is_fitted

from skcrl._arrays import to_numpy, untensored
from skcrl._typing import Rows, Side
from skcrl._validation import NAMES, float_types
from skcrl._views import check_paired, kind_of
from skcrl.base import TwoViewTransformer

if TYPE_CHECKING:
    from torch import nn


@validate_params(
    {
        "side": [StrOptions({"x", "y"})],
        "score": [StrOptions({"common", "individual"}), callable],
        "extractor": [callable, None],
        "method": [
            StrOptions({"gradient", "gradient_times_input", "grad_cam", "integrated"})
        ],
        "layer": [str, None],
        "baseline": ["array-like", None],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def gradient_map(
    estimator: TwoViewTransformer,
    X: Rows,
    y: Rows,
    *,
    side: Side,
    score: Literal["common", "individual"] | Callable[[Any, Any], Any] = "common",
    extractor: "nn.Module | None" = None,
    method: Literal[
        "gradient", "gradient_times_input", "grad_cam", "integrated"
    ] = "gradient",
    layer: str | None = None,
    baseline: ArrayLike | None = None,
    n_steps: int = 64,
) -> np.ndarray:
    r"""Saliency map of each sample: the parts that a score of its pair depends on.

    Use it to see which pixels or columns of a sample are common to both views, and
    which are individual to one. The map is the gradient of a score of the pair with
    respect to the sample :math:`x` of one view, computed through the fitted encoder
    and, if given, through a feature extractor in front of it [1]_. The gradient of the
    "common" score is large where the sample contains what its partner contains too. The
    gradient of the "individual" score is large where the sample contains what is its
    own.

    A gradient depends on the units of a column, and is very large for columns that
    hardly vary. For tables, and for pixels in raw units, use
    ``method="gradient_times_input"`` or "integrated"; for images with convolutional
    encoders use "grad_cam".

    With a linear encoder :math:`z_1 = W_1^\top x` the map of the common score is
    :math:`\cos(z_1, z_2)\, W_1 (2I - \hat z_1 \hat z_1^\top) z_2`. It is 0 where the
    codes are orthogonal, and :math:`W_1 W_1^\top x` where they are equal (eqs. 8 and
    10). The map of the individual score is
    :math:`V_1 (I - QQ^\top) w_1 / \lVert (I - QQ^\top) w_1 \rVert`, with individual
    codes :math:`w_1 = V_1^\top x` (proposition 7.2).

    Parameters
    ----------
    estimator : TwoViewTransformer
        A fitted `LinearCCA`, `ProbabilisticCCA` or `LinearCommonIndividual`, a fitted
        `KernelCCA` with a kernel that scikit-learn names, or a fitted deep estimator.
    X : array-like of shape (n_samples, n_features_x)
        First view. If `side` is "x" and there is an `extractor`: the raw samples for
        the extractor, of any shape (n_samples, ...).
    y : array-like of shape (n_samples, n_features_y) or (n_samples,)
        Second view, paired with `X`. If `side` is "y" and there is an `extractor`: the
        raw samples for the extractor.
    side : {"x", "y"}
        The view whose samples get a map.
    score : {"common", "individual"} or callable, default="common"
        The score. "common" is :func:`skcrl.metrics.common_score` of the common codes.
        "individual" is :func:`skcrl.metrics.individual_score` of the individual codes
        of `side`, for estimators that have them. A function of your own takes two
        tensors of common codes, of x and of y, of shape (n_samples, n_components), and
        returns a tensor of scores (n_samples,); each score must depend on its own row
        only. The codes of the other view are treated as constants.
    extractor : torch.nn.Module or None, default=None
        Network that maps raw samples of `side` to what `estimator` takes as that view,
        such as a pretrained network up to its features. It is copied and not trained.
    method : {"gradient", "gradient_times_input", "grad_cam", "integrated"}
        "gradient" is the default.

        - "gradient": :math:`\nabla_x s`.
        - "gradient_times_input": :math:`x \odot \nabla_x s`.
        - "grad_cam": for images. The feature maps of a convolutional layer are weighted
          by their mean gradients and added up [2]_. Negative values, which lower the
          score, are set to 0, and the map is scaled to the size of the image. A map is
          0 everywhere if no part of the image raises the score.
        - "integrated": :math:`(x - b) \odot \int_0^1 \nabla s(b + t (x - b))\, dt`,
          whose sum is :math:`s(x) - s(b)` [3]_.
    layer : str or None, default=None
        For "grad_cam": name of the layer, as in ``named_modules`` of the `extractor`
        or, without one, of ``estimator.view(side).module()``; with
        ``score="individual"``, of the module of the individual encoder. The error for a
        wrong name lists the names that exist. None means the last layer that returns
        feature maps (n_samples, channels, height, width) of more than one pixel.
    baseline : array-like of the shape of a sample, or None, default=None
        For "integrated": the sample b that stands for no information, in the units of
        the samples. None means zeros, such as a black image. For columns whose values
        are far from 0, pass their means.
    n_steps : int, default=64
        For "integrated": number of gradients from which the integral is computed, by
        Gauss-Legendre quadrature. More of them are more precise and take longer.

    Returns
    -------
    maps : ndarray
        Maps in the shape of the view of `side`, or for "grad_cam" in the shape
        (n_samples, height, width). In float32 if that view is, otherwise in float64.

    Raises
    ------
    ValueError
        If the views do not match the estimator or each other, if the estimator does not
        have this score or cannot be computed by torch, if the extractor does not return
        what the estimator takes, if there is no such layer, or if a map is not finite.

    See Also
    --------
    skcrl.metrics.common_score : The scores themselves.

    Notes
    -----
    Nothing is drawn at random. The estimator and the extractor are not changed: copies
    of their networks compute the maps, in evaluation mode, and in blocks of rows to
    limit the memory.

    The samples must consist of floats. If an encoder looks integers up, or a step turns
    texts into numbers, there is no gradient before that.

    References
    ----------
    .. [1] Multimodal Understanding Through Correlation Maximization and Minimization
       (2023), sections 3 and 4.
    .. [2] Selvaraju et al. (2017). Grad-CAM: Visual explanations from deep networks via
       gradient-based localization. ICCV. Eqs. 1 and 2.
    .. [3] Sundararajan, Taly and Yan (2017). Axiomatic attribution for deep networks.
       ICML. Eq. 1 and proposition 1.

    Examples
    --------
    >>> from skcrl import LinearCCA
    >>> from skcrl.datasets import load_digits_halves
    >>> from skcrl.inspection import gradient_map
    >>> left, right, labels = load_digits_halves()
    >>> cca = LinearCCA(4, reg=1.0).fit(left, right)
    >>> maps = gradient_map(cca, left, right, side="x")
    >>> maps.shape
    (1797, 32)

    Pixels near the cut have most information about the other half:

    >>> abs(maps).reshape(-1, 8, 4).mean(axis=(0, 1)).round(2)
    array([0.  , 0.05, 0.15, 0.16])
    """
    check_is_fitted(estimator)
    _require_modules(estimator, score, side)
    _require_no_covariates(estimator)
    views = {"x": X, "y": y}
    for name, view in (("X", X), ("y", y)):
        if view is None:
            raise ValueError(f"gradient_map needs both views, but {name} is None.")
        if kind_of(view, name).library == "dask":
            raise ValueError(
                f"{name} is a Dask array, but gradient_map computes maps in memory: "
                "pass compute() of some rows, or map it over the blocks of rows."
            )
    check_paired(X, y)
    samples = _samples(estimator, views[side], side, extractor)
    if method == "grad_cam" and samples.ndim < 3:
        raise ValueError(
            "method='grad_cam' needs samples with height and width, of shape "
            f"(n_samples, ..., height, width), got {samples.shape} as {NAMES[side]}: "
            "choose another method, or pass images."
        )
    baseline = _checked_baseline(baseline, samples, views[side])
    other = "y" if side == "x" else "x"
    checked = estimator._check_view(views[other], other)
    others = to_numpy(estimator._encode(checked, other))

    # Imported here, because nothing else in skcrl.inspection needs torch.
    from skcrl.deep._gradient_maps import PairScores, gradient_maps

    scores = PairScores(estimator, side, score, extractor, samples.dtype.name)
    maps = gradient_maps(scores, samples, others, method, layer, baseline, n_steps)
    return maps if method == "grad_cam" else maps.reshape(np.shape(views[side]))


def _require_modules(estimator, score, side):
    """Raise ValueError for estimators whose scores torch cannot compute."""
    name = type(estimator).__name__
    if not hasattr(estimator, "_as_module"):
        inner = ("estimator_", "representation_", "estimator")
        held = next((part for part in inner if hasattr(estimator, part)), None)
        raise ValueError(
            "gradient_map needs an encoder that torch can compute, as linear "
            f"estimators, KernelCCA and deep estimators have, but {name} has none."
            f"{f' Use its {held}, and pass views as that takes them.' if held else ''}"
        )
    if score != "individual":
        return
    if not hasattr(estimator, "_as_individual_module"):
        raise ValueError(
            "score='individual' needs an estimator that has individual codes, but "
            f"{name} has common codes only: choose score='common'."
        )
    estimator._require_scored(side)


def _require_no_covariates(estimator):
    """Raise ValueError for an estimator that was fitted with covariates."""
    if hasattr(estimator, "covariate_mean_"):
        raise ValueError(
            "gradient_map takes no covariates, but this "
            f"{type(estimator).__name__} was fitted with some. Remove their effect "
            "from the views by a regression, fit the estimator to the residuals "
            "without covariates, and pass the residuals."
        )


def _samples(estimator, view, side, extractor):
    """The samples whose maps are computed, as an array of floats.

    A one-dimensional y becomes a column.
    """
    name = NAMES[side]
    if extractor is not None:
        return _raw_samples(view, name)
    if estimator._integers.get(side):
        raise ValueError(
            f"{name} consists of integers, which {side}_encoder looks up, and integers "
            "have no gradient: fit the estimator to the looked-up values, as floats."
        )
    checked = estimator._check_view(view, side)
    if sparse.issparse(checked):
        raise ValueError(
            f"{name} is sparse, but its map would be dense: pass some rows of it as an "
            "array, by toarray()."
        )
    samples = untensored(checked)
    if np.isnan(samples).any():
        raise ValueError(
            f"{name} has gaps (NaN), for which there is no gradient: fill them first, "
            "by impute."
        )
    return samples


def _raw_samples(view, name):
    """Samples for an extractor, in the precision in which they are passed."""
    kind = kind_of(view, name)
    if kind.holds_integers(view):
        raise ValueError(
            f"{name} consists of integers, which have no gradient: pass floats in the "
            "units that the extractor takes, such as "
            "(images / 255).astype(numpy.float32)."
        )
    numbers = kind.numbers(view, name)
    return check_array(
        numbers,
        dtype=float_types(numbers),
        ensure_2d=False,
        allow_nd=True,
        input_name=name,
    )


def _checked_baseline(baseline, samples, view):
    """The baseline in the precision of the samples, or zeros if none is given."""
    if baseline is None:
        return np.zeros(samples.shape[1:], samples.dtype)
    baseline = np.asarray(baseline, samples.dtype)
    expected = np.shape(view)[1:]
    if baseline.shape != expected:
        raise ValueError(
            f"baseline must have the shape of a sample, {expected}, got "
            f"{baseline.shape}."
        )
    return baseline.reshape(samples.shape[1:])
