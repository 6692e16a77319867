"""Base class of the deep two-view estimators."""

from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from skcrl import _linalg, _moments
from skcrl._typing import Rows, fit_context
from skcrl._validation import NAMES, check_available, check_pair, check_view
from skcrl._views import kind_of
from skcrl.base import TwoViewTransformer
from skcrl.deep._base import BaseDeep
from skcrl.deep._given import (
    check_samples,
    dask_type,
    loaded_pairs,
    require_pairs_alone,
    require_views,
)
from skcrl.deep._learned import warn_of_constant_codes, warn_of_no_reconstruction
from skcrl.deep._loaded import LoadedSide, is_dataset
from skcrl.deep._net_params import loader_settings
from skcrl.deep._view_modules import ViewModule
from skcrl.metrics import pearson_sum


class BaseDeepTwoView(BaseDeep, TwoViewTransformer):
    """Two-view estimators whose networks are trained on pairs."""

    _accepts_dask = True

    @property
    def _trains_on_unpaired(self):
        """Whether rows that miss one view are used in training."""
        return False

    def _takes_any_shape(self, side):
        return getattr(self, f"{side}_encoder", None) is not None

    def _keeps_integers(self, side):
        return getattr(self, f"{side}_encoder", None) is not None

    @property
    def _integer_sides(self):
        """Sides whose views are integers that the user's encoder looks up."""
        return tuple(side for side in NAMES if self._integers.get(side))

    def _has_own_module(self, side):
        """Whether a view goes through a module of the user, which expects its units."""
        parts = (f"{side}_encoder", f"{side}_decoder")
        return any(getattr(self, part, None) is not None for part in parts)

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Rows,
        y: Rows | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        validation: Any = None,
    ) -> Self:
        """Train on paired views.

        Parameters
        ----------
        X : array-like or Dask array of shape (n_samples, n_features_x), or Dataset
            First view. It may be sparse, or a memory-mapped file, which is not copied;
            or a torch Dataset of pairs (x, y), map-style or iterable.
        y : array-like or Dask array of shape (n_samples, n_features_y) or \
                (n_samples,), or None, default=None
            Second view, paired with `X`; None if `X` is a Dataset. In CorrNet,
            MultimodalAutoencoder and TiedBidirectional, and in DeepCCA with a positive
            `reconstruction_weight`, a row of NaN in `X` or `y` means that this view is
            missing.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row, not negative: a row of weight w counts as w samples.
            None means 1 for each row. With whole numbers the result is that of repeated
            rows: exactly if all rows are in one batch, as with "lbfgs"; on average if
            there are several batches.
        validation : (X, y) pair of views, torch Dataset or None, default=None
            A validation set of your own: a pair of views with complete rows, which are
            checked like `X` and `y`, or a Dataset of pairs. It replaces
            `validation_fraction`: training uses all of `X` and `y`, and early stopping
            and `monitor` use the validation set.

        Returns
        -------
        self : estimator
            Fitted estimator. With ``warm_start=True`` training continued from the
            fitted state. If the file of `checkpoint` exists, training continued from
            there; a Dataset counts as the same if its type, its length, and its first
            and last samples are the same.

        Raises
        ------
        ValueError
            If the views, the weights, the validation set or the parameters do not fit
            together, or if `checkpoint` names a file of another training or not of
            skcrl. After this and any other error, and after KeyboardInterrupt, the
            estimator is as it was before.
        FloatingPointError
            If training diverges.
        """
        return self._fit(X, y, sample_weight, validation=validation)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Rows, y: Rows | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one more epoch.

        Several calls with the same data give the same as one ``fit`` with as many
        epochs, except that callbacks, early stopping and learning-rate schedules start
        anew in each call. Whatever is computed after training, such as the closing CCA
        and the decoders of DeepCCA, uses the rows of the last call.

        Parameters
        ----------
        X : array-like or Dask array of shape (n_samples, n_features_x), or Dataset
            First view. It may be sparse, or a memory-mapped file, which is not copied;
            or a torch Dataset of pairs (x, y), map-style or iterable.
        y : array-like or Dask array of shape (n_samples, n_features_y) or \
                (n_samples,), or None, default=None
            Second view, paired with `X`; None if `X` is a Dataset. In CorrNet,
            MultimodalAutoencoder and TiedBidirectional, and in DeepCCA with a positive
            `reconstruction_weight`, a row of NaN in `X` or `y` means that this view is
            missing.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row, as in ``fit``.

        Returns
        -------
        self : estimator
            Trained estimator.

        Raises
        ------
        ValueError, FloatingPointError
            As in ``fit``. Also if `checkpoint` is set: it is for complete trainings by
            ``fit``.
        """
        return self._partial_fit(X, y, sample_weight)

    def _partial_fit(self, X, y, sample_weight, groups=None):
        if self.checkpoint is not None:
            raise ValueError(
                f"checkpoint={self.checkpoint!r} saves a complete training by fit, but "
                "partial_fit trains for one epoch only: set checkpoint=None."
            )
        going_on = hasattr(self, "net_")
        return self._train(X, y, sample_weight, groups, going_on, is_part=True)

    def _warn_of_nothing_learned(self, X, y):
        """Warn of constant codes, and of reconstructions no better than the means."""
        codes = {"X": self._encode(X, "x"), "y": self._encode(y, "y")}
        warn_of_constant_codes(self, {"X": X, "y": y}, codes)
        for name, view, reconstructed in self._reconstructed_in_training(X, y):
            units = self.net_.units.get("x" if name == "X" else "y")
            if units is not None:  # the objective computes errors in these units
                view, reconstructed = map(units.standardised, (view, reconstructed))
            warn_of_no_reconstruction(self, name, view, reconstructed)

    def _codes_of(self, view, side):
        if is_dataset(view):
            loaded = LoadedSide(view, loader_settings(self.net_params), side)
            check_samples(self, loaded, reset=False)
            return np.concatenate(
                [self._encode(rows, side) for rows in loaded.blocks()]
            )
        view = self._check_view(view, side)
        if kind_of(view).library != "dask":
            return self._encode(view, side)
        dtype = np.float64 if view.dtype == np.float64 else np.float32
        return view.map_blocks(
            self._codes_of_block,
            side=side,
            dtype=dtype,
            chunks=(view.chunks[0], (self.n_components_,)),
            drop_axis=list(range(2, view.ndim)),
            meta=np.empty((0, 0), dtype),
        )

    def _codes_of_block(self, block, side):
        return self._encode(check_view(self, block, side), side)

    def _check_view(self, view, side):
        require_views({side: view})
        view = super()._check_view(view, side)
        if kind_of(view).library == "dask":
            return view.astype(dask_type(self, view, side))
        return view

    def _check_available(self, X, y):
        require_views({"x": X, "y": y})
        return super()._check_available(X, y)

    def _reconstructed_in_training(self, X, y):
        """Triples: name of a view, the view, and its reconstruction as in training."""
        return ()

    def _check_pair(self, X, y):
        return check_pair(self, X, y, reset=False)

    def _check_views(self, X, y, reset):
        are_whole = (
            X is None
            or y is None
            or not self._trains_on_unpaired
            or "dask" in (kind_of(X, "X").library, kind_of(y, "y").library)
        )
        if are_whole:
            return check_pair(self, X, y, reset=reset, min_samples=2)
        return check_available(self, X, y, reset=reset, min_samples=2)

    def score(self, X, y=None):
        """Total correlation of the codes of held-out views, higher is better.

        This is :func:`skcrl.metrics.pearson_sum` of ``transform_pair(X, y)``. Rows that
        miss a view (all NaN) are left out.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x), or torch Dataset
            First view, or a data set of pairs.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,), or None, \
                default=None
            Second view, paired with `X`; None if that is a data set of pairs.

        Returns
        -------
        total : float
            At most `n_components_`.
        """
        if not is_dataset(X):
            return super().score(X, y)
        check_is_fitted(self)
        require_pairs_alone(X, y)
        return pearson_sum(*self._codes_of_pairs(loaded_pairs(self, X, reset=False)))

    def _codes_of_pairs(self, data):
        """Codes of both views of complete rows."""
        blocks = [
            (self._encode(x, "x"), self._encode(y, "y")) for x, y, _ in data.blocks()
        ]
        return map(np.concatenate, zip(*blocks, strict=True))

    def _held_out_score(self, net, train, valid):
        """Score that the estimator would have on `valid` if training ended now."""
        probe = copy(self)
        probe._hold(net, train, None)
        x_codes, y_codes = probe._codes_of_pairs(valid)
        weights = valid.complete_weights()
        if weights is None:
            return pearson_sum(x_codes, y_codes)
        m = _moments.moments(x_codes, y_codes, weights=weights)
        return float(_linalg.matched(_moments.covariances(m)).singular_values.sum())

    def _as_module(self, side):
        """Module that encodes one view, with the weights of `net_`, which it shares."""
        net = self.net_
        encoder, units = net.module_.one_view(side), net.units.get(side)
        return ViewModule(encoder, units, self._projection_of(side)).to(net.device)

    def _projection_of(self, side):
        """Mean and weights that turn the network's outputs into codes, or None."""
        return None

    def _check_loaded(self):
        super()._check_loaded()
        self._check_loaded_net()
