"""Methods of the estimators that have both common and individual codes."""

from abc import abstractmethod
from functools import partial
from typing import Any, Literal, overload

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skcrl._arrays import to_numpy
from skcrl._typing import Rows, Side
from skcrl._validation import NAMES
from skcrl._views import check_paired
from skcrl.base import TwoViewTransformer
from skcrl.metrics import common_score, individual_score

Parts = Literal["common", "individual", "all"]
PARTS = ("common", "individual", "all")
# The common codes of a pair span a plane, and the score measures what lies outside it.
# With two components nothing lies outside.
_FEWEST_SCORED = 3


def require_scored(n_individual, n_components):
    """Raise ValueError if codes of these widths have no individual score."""
    if n_individual != n_components:
        raise ValueError(
            "The individual score compares common and individual codes in one space, "
            "so n_individual and n_components must be equal. Got "
            f"n_individual={n_individual} and n_components={n_components}."
        )
    if n_components < _FEWEST_SCORED:
        raise ValueError(
            f"The individual score needs {_FEWEST_SCORED} components or more, because "
            f"the common codes of a pair span two dimensions. Got {n_components}."
        )


class CommonIndividual(TwoViewTransformer):
    """Base of the estimators that have both common and individual codes.

    A final class implements two more methods. `_encode_individual` computes the
    individual codes of one view, and `_reconstruct_parts` reconstructs a view from a
    part of its codes.
    """

    @abstractmethod
    def _encode_individual(self, view, side):
        """Individual codes of a validated view, `side` "x" or "y"."""

    @abstractmethod
    def _reconstruct_parts(self, X, y, to, parts):
        """View `to` from a part of the codes of the views that are present."""

    def _reconstruct(self, X, y, to):
        return self._reconstruct_parts(X, y, to, "all")

    def transform_individual(self, X: Rows) -> np.ndarray:
        """Compute individual codes of the first view: what it alone contains.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view.

        Returns
        -------
        Wx : ndarray of shape (n_samples, n_individual)
            Individual codes. On the training data they have mean 0 and variance 1, and
            are uncorrelated with the common codes (``transform``) of the same view.
        """
        return self._individual_codes(X, "x")

    def transform_individual_y(self, y: Rows) -> np.ndarray:
        """Compute individual codes of the second view.

        Parameters
        ----------
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view.

        Returns
        -------
        Wy : ndarray of shape (n_samples, n_individual)
            Individual codes, as from ``transform_individual``.
        """
        return self._individual_codes(y, "y")

    def _individual_codes(self, view, side):
        check_is_fitted(self)
        codes = self._encode_individual(self._check_view(view, side), side)
        return self._contained(codes, view, self._individual_names(codes.shape[1]))

    def _individual_names(self, n_individual):
        """Column names of individual codes."""
        prefix = type(self).__name__.lower()
        return [f"{prefix}_individual{i}" for i in range(n_individual)]

    def common_score(
        self, X: Rows, y: Rows, *, kind: Literal["product", "cosine"] = "product"
    ) -> np.ndarray:
        """Score how much the two views of each sample have in common.

        It is :func:`skcrl.metrics.common_score` of ``transform_pair(X, y)``. Use
        "product" for saliency maps, and "cosine" to find samples whose views do not
        belong together.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`.
        kind : {"product", "cosine"}, default="product"
            "product" is the inner product of the codes times their cosine, and "cosine"
            is only the cosine.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            "product" is at least 0, and large for long codes that are equal or
            opposite. "cosine" is between -1 and 1, and larger if the views have more in
            common.
        """
        return common_score(*self._numeric_codes(X, y), kind=kind)

    def individual_score(self, X: Rows, y: Rows, *, side: Side = "x") -> np.ndarray:
        """Score how much of one view of each sample is individual.

        It is :func:`skcrl.metrics.individual_score` of the individual codes of this
        view and the common codes of both views. Use it for saliency maps of the
        individual part. It depends on the order and the signs of the codes. To find
        samples with a large individual part, use the length of their individual codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`.
        side : {"x", "y"}, default="x"
            The view.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Scores of at least 0.

        Raises
        ------
        ValueError
            If `n_individual` differs from `n_components`, because the score compares
            both kinds of codes in one space, or if there are fewer than 3.
        """
        if side not in ("x", "y"):
            raise ValueError(f"side must be 'x' or 'y', got {side!r}.")
        common = self._numeric_codes(X, y)
        self._require_scored(side)
        view = self._check_view(X if side == "x" else y, side)
        codes = to_numpy(self._encode_individual(view, side))
        return individual_score(codes, *common)

    def _require_scored(self, side):
        """Raise ValueError if the codes of a view have no individual score."""
        widths = dict(zip(NAMES, np.broadcast_to(self.n_individual_, 2), strict=True))
        require_scored(widths[side], self.n_components_)

    def _numeric_codes(self, X, y):
        check_is_fitted(self)
        check_paired(X, y)
        X, y = self._check_view(X, "x"), self._check_view(y, "y")
        return to_numpy(self._encode(X, "x")), to_numpy(self._encode(y, "y"))

    @overload
    def reconstruct(
        self,
        X: Rows | None = None,
        y: Rows | None = None,
        *,
        to: Side = "y",
        parts: Parts = "all",
    ) -> np.ndarray: ...

    @overload
    def reconstruct(
        self,
        X: Rows | None = None,
        y: Rows | None = None,
        *,
        to: Literal["both"],
        parts: Parts = "all",
    ) -> tuple[np.ndarray, np.ndarray]: ...

    def reconstruct(
        self,
        X: Rows | None = None,
        y: Rows | None = None,
        *,
        to: Literal["x", "y", "both"] = "y",
        parts: Parts = "all",
    ) -> Any:
        """Reconstruct views from their common codes, their individual codes, or both.

        A view is reconstructed from its own codes. LinearCommonIndividual also uses the
        common codes of the other view, if it is present. A missing view is
        reconstructed from the common codes of the other view, and so has no individual
        part.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x) or None, default=None
            First view. A row of NaN is a missing view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,) or None, \
                default=None
            Second view. A row of NaN is a missing view.
        to : {"x", "y", "both"}, default="y"
            View to reconstruct.
        parts : {"common", "individual", "all"}, default="all"
            Codes to reconstruct the view from. The other codes are set to 0.

        Returns
        -------
        view : ndarray of shape (n_samples, n_features) or pair of them
            The view named by `to`, in the form that it had in fit, or a pair (X, y) for
            "both".
        """
        if parts not in PARTS:
            raise ValueError(
                f"parts must be 'common', 'individual' or 'all', got {parts!r}."
            )
        return self._reconstructed(
            X, y, to, partial(self._reconstruct_parts, parts=parts)
        )
