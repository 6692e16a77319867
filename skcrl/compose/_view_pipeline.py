"""Preprocessing of each view in front of a two-view estimator."""

import os
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace
from reprlib import repr as short_repr
from typing import Any, Literal, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils._repr_html.estimator import _VisualBlock
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.validation import (
    _num_samples,
    check_array,
    check_is_fitted,
)

from skcrl._adjusted import AdjustedViews
from skcrl._common_individual import CommonIndividual, Parts
from skcrl._typing import Rows, Side, available_if, fit_context
from skcrl._validation import (
    NAMES,
    cached,
    check_table,
    float_types,
    require_y,
    restored_on_error,
)
from skcrl._views import check_beside, check_paired, kind_of
from skcrl._views._texts import holds
from skcrl._views._values import is_missing
from skcrl.base import TwoViewTransformer
from skcrl.compose._around import LEARNED, AroundEstimator, estimator_has

__all__ = ["ViewPipeline", "make_view_pipeline"]

_STEPS = [HasMethods(["fit", "transform"]), StrOptions({"passthrough"}), None]


def _can_undo(*sides):
    """Check for `available_if` whether the steps of `sides` can be undone."""

    def check(self):
        for side in sides:
            _require_inverse(getattr(self, f"{side}_", getattr(self, side)), side)
        return True

    return check


class ViewPipeline(AroundEstimator, AdjustedViews):
    """Two-view estimator with separate preprocessing steps for each view.

    ``fit`` fits the steps of `x` to the first view and those of `y` to the second. Then
    it fits the estimator to the transformed views. In ``cross_val_score`` and
    ``GridSearchCV`` all of this is fitted to the training fold.

    A view may be any table, such as a data frame with columns of different types, or a
    list, array or series of strings or dicts. If its first step reads strings or dicts
    and no tables, the view may be whatever this step takes. A one-dimensional `y`
    counts as a column, except that strings are passed as texts to a first step that
    takes texts and not categories. Steps never see a missing view (a row or a text that
    is None, or that is NaN or pandas.NA throughout); after the steps it is still
    missing.

    Parameters
    ----------
    estimator : TwoViewTransformer
        Two-view estimator, such as :class:`~skcrl.LinearCCA`. It is cloned.
    x, y : transformer, Pipeline, "passthrough" or None, default=None
        Preprocessing steps of each view. They are cloned. With None or "passthrough"
        the estimator gets the view as it is.
    memory : str, path, joblib.Memory or None, default=None
        Where to cache fitted steps and the transformed views, so that a search over
        parameters of the estimator fits the steps only once per fold. It does not help
        with steps that hold torch modules, which a cache cannot recognise.

    Attributes
    ----------
    x_, y_ : transformer, Pipeline or None
        Fitted steps; None for a view without steps.
    estimator_ : TwoViewTransformer
        Fitted estimator.
    n_components_ : int
        Width of the codes.
    correlations_ : ndarray of shape (n_components,)
        Correlations of the training codes, if the estimator has them.
    n_features_in_, y_n_features_in_ : int
        Numbers of features of the views before their steps, unless they are texts.
    feature_names_in_, y_feature_names_in_ : ndarray of str
        Column names, if a view was a data frame.

    See Also
    --------
    make_view_pipeline : Make a ViewPipeline from steps without naming them.

    Notes
    -----
    ``reconstruct``, ``impute`` and ``predict`` return views in their original form, by
    ``inverse_transform`` of the steps. If a step has no inverse that restores the view,
    they raise an AttributeError that names this step: a vectorizer cannot make texts
    from numbers, and an imputer cannot restore the gaps that it filled. Selectors such
    as VarianceThreshold put zeros into the columns that they dropped.

    Steps are fitted without labels, without weights and without the other view.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skcrl import LinearCCA, ViewPipeline
    >>> english = ["a dog runs", "a cat sleeps", "the dog sleeps", "the cat runs"] * 5
    >>> german = ["ein hund rennt", "eine katze schläft", "der hund schläft",
    ...           "die katze rennt"] * 5
    >>> model = ViewPipeline(
    ...     LinearCCA(2), x=TfidfVectorizer(), y=TfidfVectorizer(analyzer="char")
    ... )
    >>> search = GridSearchCV(
    ...     model, {"estimator__reg": [0.01, 0.1], "x__max_df": [0.6, 1.0]}
    ... )
    >>> search = search.fit(english, german)
    >>> round(float(search.best_score_), 1)  # of two components
    2.0
    >>> search.best_estimator_.transform_y(["der hund rennt"]).shape
    (1, 2)
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "estimator": [TwoViewTransformer],
        "x": _STEPS,
        "y": _STEPS,
        "memory": [str, os.PathLike, HasMethods(["cache"]), None],
    }

    def __init__(
        self,
        estimator: TwoViewTransformer,
        *,
        x: BaseEstimator | Literal["passthrough"] | None = None,
        y: BaseEstimator | Literal["passthrough"] | None = None,
        memory: Any = None,
    ):
        self.estimator = estimator
        self.x = x
        self.y = y
        self.memory = memory

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Rows, y: Rows, **fit_params: Any) -> Self:
        """Fit the steps of each view to that view, and the estimator to both.

        Parameters
        ----------
        X : array-like of n_samples rows
            First view, in the form that its steps take.
        y : array-like of n_samples rows
            Second view, paired with `X`.
        **fit_params : dict
            Parameters for ``fit`` of the estimator, such as `sample_weight`, or
            `covariates` of a LinearCCA. With metadata routing enabled: the parameters
            that the estimator requested by ``set_fit_request``. The views of a
            `validation` set go through the steps.

        Returns
        -------
        self : ViewPipeline
            Fitted estimator.

        Raises
        ------
        ValueError
            If a view is not valid input of its steps or of the estimator, if it holds
            texts and has no steps to read them, if it mixes texts with other things, or
            if steps change the number of rows. After this and any other error, the
            estimator is as it was before.
        """
        if _routing_enabled():
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit
        with restored_on_error(self):
            require_y(self, y)
            if X is None:
                raise ValueError(
                    "ViewPipeline requires X, the first view, but it is None."
                )
            for name in LEARNED:
                self.__dict__.pop(name, None)
                self.__dict__.pop(f"y_{name}", None)
            self._y_is_1d = False
            self._sample_shapes: dict[str, tuple[int, ...]] = {}
            self._lists: dict[str, str] = {}
            self._shapes_behind: dict[str, tuple[int, ...]] = {}
            self.x_, x_behind = self._fit_steps(X, "x")
            self.y_, y_behind = self._fit_steps(y, "y")
            check_paired(X, y)
            for name, view in (("X", X), ("y", y)):
                check_beside(view, fit_params.get("covariates"), "covariates", name)
            if "validation" in fit_params:
                behind = self._validation_behind(fit_params["validation"])
                fit_params = {**fit_params, "validation": behind}
            self.estimator_ = clone(self.estimator).fit(
                x_behind, y_behind, **fit_params
            )
            for steps, prefix in ((self.x_, ""), (self.y_, "y_")):
                for name in (prefix + name for name in LEARNED):
                    if steps is None and hasattr(self.estimator_, name):
                        setattr(self, name, getattr(self.estimator_, name))
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the metadata routing of this estimator.

        Returns
        -------
        routing : MetadataRouter
            Each method passes parameters to the same method of the estimator.
        """
        for_estimator = MethodMapping()
        for method in ("fit", "transform", "predict", "score"):
            for_estimator.add(caller=method, callee=method)
        for method in ("fit", "transform"):
            for_estimator.add(caller="fit_transform", callee=method)
        return MetadataRouter(owner=self).add(
            estimator=self.estimator, method_mapping=for_estimator
        )

    def _fit_steps(self, view, side):
        """Fitted steps of a view, or None without steps, and the view after them."""
        steps = getattr(self, side)
        if not _singly(steps):
            return None, view
        there, gaps = self._read(view, side, steps, reset=True)
        if len(gaps) > 0 and gaps.all():
            raise ValueError(
                f"All {len(gaps)} rows of {NAMES[side]} are missing (NaN or None), so "
                "its steps cannot be fitted."
            )
        with _blaming(steps, side):
            steps, behind = cached(_fit_transform, self.memory)(clone(steps), there)
        behind = _back_in_line(behind, gaps, side)
        self._shapes_behind = {**self._shapes_behind, side: behind.shape[1:]}
        return steps, behind

    def _validation_behind(self, validation):
        """A validation set after the steps; ``fit`` refuses it if it is not a pair."""
        if not isinstance(validation, tuple | list) or len(validation) != 2:
            return validation
        check_paired(*validation)
        X, y = validation
        return self._behind_steps(X, "x"), self._behind_steps(y, "y")

    def _behind_steps(self, view, side):
        """A view after its fitted steps."""
        steps = getattr(self, f"{side}_")
        if view is None or steps is None:
            return view
        there, gaps = self._read(view, side, steps, reset=False)
        if gaps.all():
            return np.full((len(gaps), *self._shapes_behind[side]), np.nan)
        with _blaming(steps, side):
            behind = steps.transform(there)
        return _back_in_line(behind, gaps, side)

    def _read(self, view, side, steps, *, reset):
        """Rows of a view in the form that its first step takes, and the missing rows.

        Missing rows are not among the first result. The second is a mask of them.
        """
        first = _singly(steps)[0]
        if reset:
            self._lists = {**self._lists, side: _list_of(view, first)}
        items = self._lists[side]
        if items:
            view = kind_of(view, NAMES[side]).values(view)
            _require_list(view, first, items, NAMES[side])
            gaps = np.fromiter(map(is_missing, view), bool, _num_samples(view))
        else:
            tags = get_tags(first)
            any_shape = tags.no_validation or tags.input_tags.three_d_array
            if not any_shape:
                _require_table(view, first, NAMES[side])
            view = check_table(self, view, side, reset=reset, allow_nd=any_shape)
            gaps = kind_of(view).missing_rows(view)
        return (kind_of(view).take(view, ~gaps) if gaps.any() else view), gaps

    def _beside(self, covariates, X=None, y=None):
        if covariates is None:
            return self
        check_is_fitted(self)
        pipeline = object.__new__(type(self))
        with_rows = self.estimator_._beside(covariates, X, y)
        pipeline.__dict__ |= vars(self) | {"estimator_": with_rows}
        return pipeline

    def _check_view(self, view, side):
        return self.estimator_._check_view(self._behind_steps(view, side), side)

    def _check_available(self, X, y):
        if X is not None and y is not None:
            check_paired(X, y)
        return self.estimator_._check_available(
            self._behind_steps(X, "x"), self._behind_steps(y, "y")
        )

    def _decode(self, codes, side):
        _require_inverse(getattr(self, f"{side}_"), side)
        return self.estimator_._decode(codes, side)

    def _reconstruct(self, X, y, to):
        _require_inverse(getattr(self, f"{to}_"), to)
        return self.estimator_._reconstruct(X, y, to)

    def _as_in_fit(self, view, side):
        view = self.estimator_._as_in_fit(view, side)
        steps = getattr(self, f"{side}_")
        if steps is None:
            return view
        with _blaming(steps, side):
            view = check_array(
                steps.inverse_transform(view),
                dtype=None,
                ensure_2d=False,
                allow_nd=True,
                input_name=f"reconstructed {NAMES[side]}",
            )
        return AdjustedViews._as_in_fit(self, view, side)

    def _impute(self, X, y):
        X_behind, y_behind, has_x, has_y = self._check_available(X, y)
        if self.estimator_._accepts_gaps:
            x_whole, y_whole = self.estimator_._impute(X_behind, y_behind)
            return self._with_cells(X, "x", x_whole), self._with_cells(y, "y", y_whole)
        return (
            self._filled(X, "x", ~has_x, (None, y_behind[~has_x])),
            self._filled(y, "y", ~has_y, (X_behind[~has_y], None)),
        )

    def _filled(self, view, side, gaps, sources):
        """A copy of a view before its steps, with missing rows reconstructed.

        They are reconstructed from `sources`, the two views after their steps.
        """
        view, numbers = self._before_steps(view, side)
        if gaps.any():
            X, y = sources
            reconstructed = self._as_in_fit(self._reconstruct(X, y, side), side)
            view[gaps] = reconstructed.reshape(view[gaps].shape)
        return check_array(view, **numbers)  # refuses cells that are still missing

    def _with_cells(self, view, side, whole):
        """A copy of a view before its steps, with missing cells taken from `whole`.

        `whole` is the view after the steps, without missing cells.
        """
        view, numbers = self._before_steps(view, side)
        gaps = np.isnan(view)
        if gaps.any():
            _require_inverse(getattr(self, f"{side}_"), side)
            view[gaps] = self._as_in_fit(whole, side).reshape(view.shape)[gaps]
        return check_array(view, **numbers)

    def _before_steps(self, view, side):
        """A copy of a view before its steps, and the arguments of its checks."""
        if self._lists.get(side):
            raise ValueError(
                f"impute fills gaps of tables, but {NAMES[side]} is a list of "
                f"{self._lists[side]}: use reconstruct instead."
            )
        view = kind_of(view).numbers(view, NAMES[side])
        numbers = {
            "dtype": float_types(view),
            "accept_sparse": "csr",
            "ensure_2d": False,
            "allow_nd": True,
            "input_name": NAMES[side],
        }
        view = check_array(view, copy=True, ensure_all_finite="allow-nan", **numbers)
        return view, numbers

    def _reconstruct_parts(self, X, y, to, parts):
        if hasattr(self.estimator_, "_reconstruct_parts"):
            _require_inverse(getattr(self, f"{to}_"), to)
        return super()._reconstruct_parts(X, y, to, parts)

    def reconstruct(
        self,
        X: Rows | None = None,
        y: Rows | None = None,
        *,
        to: Literal["x", "y", "both"] = "y",
        parts: Parts = "all",
        covariates: Rows | None = None,
    ) -> Any:
        """Reconstruct a view, in its original form, from whichever views are there.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x) or None, default=None
            First view. A row of NaN is a missing view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,) or None, \
                default=None
            Second view. A row of NaN is a missing view.
        to : {"x", "y", "both"}, default="y"
            View to reconstruct. The steps of this view must have ``inverse_transform``.
        parts : {"common", "individual", "all"}, default="all"
            Codes from which the view is reconstructed, if the estimator has individual
            codes, as `LinearCommonIndividual` has. The other codes are set to 0.
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if there were any in ``fit``.

        Returns
        -------
        view : ndarray of shape (n_samples, n_features) or pair of them
            The view named by `to`, or (X, y) for "both".
        """
        check_is_fitted(self)
        if parts == "all":
            return AdjustedViews.reconstruct(self, X, y, to=to, covariates=covariates)
        pipeline = self._beside(covariates, X, y)
        return CommonIndividual.reconstruct(pipeline, X, y, to=to, parts=parts)

    predict = available_if(_can_undo("y"))(AdjustedViews.predict)
    impute = available_if(_can_undo("x", "y"))(AdjustedViews.impute)

    @available_if(estimator_has("loadings_frame"))
    def loadings_frame(self, side: Side = "x") -> Any:
        """Loadings of the columns of one view after its steps, as a data frame.

        A pipeline has this method only if its estimator has it, as `LinearCCA` has.

        Parameters
        ----------
        side : {"x", "y"}, default="x"
            The view.

        Returns
        -------
        loadings : DataFrame of shape (n_features, n_components)
            One row for each column after the steps, with the name that the steps give
            it, such as a word for a vectorizer. If a step gives no names, they are x0,
            x1 and so on, or y0, y1 and so on for the second view. One column for each
            component.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If `side` is neither "x" nor "y".
        ImportError
            If pandas is not installed.

        Examples
        --------
        >>> from sklearn.feature_extraction.text import CountVectorizer
        >>> from skcrl import LinearCCA, make_view_pipeline
        >>> model = make_view_pipeline(LinearCCA(1, reg=0.1), y=CountVectorizer())
        >>> model = model.fit([[1.0], [2.0], [5.0]], ["a dog", "a dog", "a cat"])
        >>> model.loadings_frame("y")
             linearcca0
        cat         1.0
        dog        -1.0
        """
        check_is_fitted(self)
        frame = self.estimator_.loadings_frame(side)
        names = self._names_behind_steps(side)
        # A pipeline inside this one has already named the columns after its own steps.
        is_named = getattr(self.estimator_, f"{side}_", None) is not None
        return frame if names is None or is_named else frame.set_axis(names)

    def _names_behind_steps(self, side):
        """Names of the columns after the steps of a view, or None if there are none."""
        steps = getattr(self, f"{side}_")
        if steps is None:
            return None
        prefix = "" if side == "x" else "y_"
        names = getattr(self, f"{prefix}feature_names_in_", None)
        if names is None and hasattr(self, f"{prefix}n_features_in_"):
            n_features = getattr(self, f"{prefix}n_features_in_")
            names = np.array([f"{side}{i}" for i in range(n_features)], object)
        try:
            return steps.get_feature_names_out(names)
        except AttributeError:
            return None

    @property
    def _accepts_sparse(self):  # type: ignore[override]
        parts = self.estimator, *_singly(self.x), *_singly(self.y)
        return all(get_tags(part).input_tags.sparse for part in parts)

    def _sk_visual_block_(self):
        """The steps of both views side by side, and the estimator below them."""
        parts = {
            name: getattr(self, f"{name}_", getattr(self, name))
            for name in ("x", "y", "estimator")
        }
        parts |= {name: "passthrough" for name, part in parts.items() if part is None}
        names = {
            name: f"{name}: {part if isinstance(part, str) else type(part).__name__}"
            for name, part in parts.items()
        }
        views = _VisualBlock(
            "parallel",
            [parts["x"], parts["y"]],
            names=[names["x"], names["y"]],
            name_details=[str(parts["x"]), str(parts["y"])],
            dash_wrapped=False,
        )
        return _VisualBlock(
            "serial",
            [views, parts["estimator"]],
            names=[None, names["estimator"]],
            name_details=[None, str(parts["estimator"])],
            dash_wrapped=False,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        steps = [get_tags(step) for step in _singly(self.x)]
        estimator = get_tags(self.estimator)
        first = (steps or [estimator])[0].input_tags
        tags.input_tags = replace(
            first,
            sparse=self._accepts_sparse,
            allow_nan=first.allow_nan and estimator.input_tags.allow_nan,
        )
        tags.transformer_tags.preserves_dtype = [
            dtype
            for dtype in tags.transformer_tags.preserves_dtype
            if all(
                step.transformer_tags is None
                or dtype in step.transformer_tags.preserves_dtype
                for step in (*steps, estimator)
            )
        ]
        return tags


def make_view_pipeline(
    estimator: TwoViewTransformer, *, x: Any = (), y: Any = (), memory: Any = None
) -> ViewPipeline:
    """Make a ViewPipeline from steps without naming them.

    The steps of each view, even a single one, become a scikit-learn Pipeline in which
    each step has the name of its class in lower case. So the parameters in a grid are
    ``x__pca__n_components``, ``y__tfidfvectorizer__min_df`` or ``estimator__reg``.

    Parameters
    ----------
    estimator : TwoViewTransformer
        Two-view estimator.
    x, y : transformer or tuple of transformers, default=()
        Steps of each view, in order. None and "passthrough" are skipped.
    memory : str, path, joblib.Memory or None, default=None
        Where to cache fitted steps and the transformed views.

    Returns
    -------
    pipeline : ViewPipeline
        The pipeline, not fitted.

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skcrl import LinearCCA, make_view_pipeline
    >>> from skcrl.datasets import load_digits_halves
    >>> left, right, _ = load_digits_halves()
    >>> model = make_view_pipeline(
    ...     LinearCCA(5), x=(StandardScaler(), PCA(20)), y=StandardScaler()
    ... )
    >>> model.set_params(x__pca__n_components=10).fit(left, right).x_[-1].n_components_
    10
    >>> model.reconstruct(left, to="y").shape
    (1797, 32)
    """

    def pipeline(steps):
        steps = steps if isinstance(steps, (tuple, list)) else (steps,)
        steps = [step for step in steps if step is not None and step != "passthrough"]
        return make_pipeline(*steps) if steps else None

    return ViewPipeline(estimator, x=pipeline(x), y=pipeline(y), memory=memory)


def _singly(steps):
    """The single transformers in steps, in their order."""
    if steps is None or isinstance(steps, str):
        return []
    if isinstance(steps, Pipeline):
        return [single for _, step in steps.steps for single in _singly(step)]
    return [steps]


def _fit_transform(steps, view):
    if hasattr(steps, "fit_transform"):
        return steps, steps.fit_transform(view, None)
    steps.fit(view, None)
    return steps, steps.transform(view)


def _reads_no_tables(step):
    """Whether a step, or each part of a union, reads strings or dicts but no arrays."""
    if isinstance(step, FeatureUnion):
        parts = [part for _, part in step.transformer_list if part != "drop"]
        return all(
            singly and _reads_no_tables(singly[0]) for singly in map(_singly, parts)
        )
    reads = get_tags(step).input_tags
    return (reads.string or reads.dict) and not reads.two_d_array


def _list_of(view, first):
    """What a view is a list of for its first step, or None if it is a table."""
    if holds(view, str) and not get_tags(first).input_tags.categorical:
        return "strings"
    return "objects" if holds(view, Mapping) or _reads_no_tables(first) else None


def _require_table(view, first, name):
    """Raise ValueError for a view of more than two dimensions."""
    n_dimensions = len(getattr(view, "shape", ()))
    if n_dimensions > 2:
        raise ValueError(
            f"{name} has {n_dimensions} dimensions, but its first step "
            f"{type(first).__name__} takes tables of two. If the estimator takes "
            f"samples of this shape, leave out the steps of {name}: without steps the "
            "estimator gets the view as it is. Otherwise reshape the view to one row "
            "per sample."
        )


def _require_list(view, first, items, name):
    """Raise ValueError for a table, or if a list of strings has other items."""
    kind = getattr(getattr(view, "dtype", None), "kind", "O")
    if hasattr(view, "columns") or kind not in "OSTU":
        reads = "dicts" if get_tags(first).input_tags.dict else "strings"
        raise ValueError(
            f"{name} is a table of shape {view.shape}, but its first step "
            f"{type(first).__name__} reads a list of {reads}."
        )
    if items == "strings":
        for row, item in enumerate(view):
            if not (isinstance(item, str) or is_missing(item)):
                raise ValueError(
                    f"{name} must contain texts only, but row {row} is of type "
                    f"{type(item).__name__}: {short_repr(item)}"
                )


def _require_inverse(steps, side):
    """Raise AttributeError for a step that cannot be undone."""
    for step in _singly(steps):
        # Without inverse_func, inverse_transform of a FunctionTransformer changes
        # nothing. That of an imputer raises an error, or makes NaN: it reads a
        # reconstructed indicator of missing values, which is never exactly zero.
        is_one_way = isinstance(step, FunctionTransformer) and not (
            step.func is None or step.inverse_func
        )
        if (
            is_one_way
            or isinstance(step, SimpleImputer)
            or not hasattr(step, "inverse_transform")
            or _reads_no_tables(step)
        ):
            raise AttributeError(
                f"{NAMES[side]} cannot be reconstructed: its step {step!r} has no "
                "inverse that restores the view."
            )


@contextmanager
def _blaming(steps, side):
    """Add to errors which view they are about, because steps call every view X."""
    try:
        yield
    except Exception as error:
        names = ", ".join(type(step).__name__ for step in _singly(steps))
        if type(error) in (AttributeError, OverflowError):
            raise ValueError(
                f"{NAMES[side]} contains values that its steps ({names}) cannot take: "
                f"{error}. Pass the kind of values that these steps read, and no "
                "numbers beyond the range of float64."
            ) from error
        error.add_note(f"Raised by the steps of {NAMES[side]}: {names}.")
        raise


def _back_in_line(behind, gaps, side):
    """Transformed rows at their original places, with rows of NaN for missing ones."""
    behind = behind if sparse.issparse(behind) else np.asarray(behind)
    n_there = len(gaps) - gaps.sum()
    if _num_samples(behind) != n_there:
        raise ValueError(
            f"The steps of {NAMES[side]} changed the number of rows from {n_there} to "
            f"{_num_samples(behind)}: the rows of X and y are paired, so steps must "
            "keep them all."
        )
    if not gaps.any():
        return behind
    if sparse.issparse(behind):
        raise ValueError(
            f"{gaps.sum()} rows of {NAMES[side]} are missing, but its steps return a "
            "sparse matrix, which cannot mark missing rows: make it dense, for example "
            "by TruncatedSVD, or drop these rows."
        )
    dtype = np.result_type(behind.dtype, np.float32)
    out = np.full((len(gaps), *behind.shape[1:]), np.nan, dtype)
    out[~gaps] = behind
    return out
