"""Search for items of one view by queries of the other."""

import sys
from copy import copy
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, overload

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted

from skcrl._columns import unit_rows
from skcrl._documentation import Documented
from skcrl._typing import File, Metric, Rows, fit_context
from skcrl._validation import N_JOBS, check_loaded, restored_on_error
from skcrl._views import check_paired, kind_of
from skcrl.compose._correlation_weights import (
    as_weights,
    found_in,
    measured_correlations,
)
from skcrl.metrics import Hubness, get_scorer
from skcrl.metrics._hubness import check_hubness
from skcrl.persistence._saved import Saved
from skcrl.retrieval import _file
from skcrl.retrieval._arrow import table_of
from skcrl.retrieval._backends import BACKENDS
from skcrl.retrieval._codes import (
    CODES,
    METRICS,
    NONE_LOST,
    check_codes,
    check_range,
)
from skcrl.retrieval._explanation import Explanation, explained, names_of
from skcrl.retrieval._gaps import encode_there, rows_there
from skcrl.retrieval._held_out import held_out_correlations
from skcrl.retrieval._hubness import ByBank, ByQueries, hubs_of, shares_of
from skcrl.retrieval._hubness_choice import bank_of, chosen
from skcrl.retrieval._ids import check_ids
from skcrl.retrieval._index import Index
from skcrl.retrieval._wrong_view import told_of_wrong_views

if TYPE_CHECKING:
    import pyarrow


class Found(NamedTuple):
    """What :meth:`CrossViewRetriever.search` returns.

    Attributes
    ----------
    similarities : ndarray of shape (n_queries, n_neighbors)
        Similarities, largest first: cosines of the codes, corrected for hubs if
        `hubness` is set, or minus the Euclidean distances. Minus infinity for an item
        without a view.
    ids : ndarray of shape (n_queries, n_neighbors)
        Ids of the items, or their positions if they have no ids.
    """

    similarities: np.ndarray
    ids: np.ndarray


class CrossViewRetriever(Documented, Saved, MetaEstimatorMixin, BaseEstimator):
    r"""Search for items of one view by queries of the other view, or of both.

    Use it for cross-view retrieval, such as pictures by words. ``fit`` learns the
    common space of two views. ``fit_index`` then takes the items to search, for which
    one view is enough. ``kneighbors`` and ``search`` find the items nearest to queries
    of either view, by the cosine of their codes or by their Euclidean distance.

    In some rows of items and queries one view may be missing: a row of NaN, or None in
    a list. The code of such a row is computed from the other view. An item without any
    view comes last for every query, at an infinite distance.

    Canonical variates all have the same variance, whether the views share them or not.
    Therefore each component is weighted by a power of its correlation, so that
    components which the views share count more [1]_: the code :math:`z` is replaced by
    :math:`z \rho^p`.

    Parameters
    ----------
    estimator : two-view estimator
        Two-view estimator, such as :class:`~skcrl.LinearCCA`. It is cloned and fitted.
        An estimator inside a ``FrozenEstimator`` is used as it was fitted.
    correlation_power : float, default=1.0
        The power p, not negative; larger values give more weight to the components with
        the largest correlations. The correlations are the `singular_values_` of the
        estimator if it has them, which a penalty makes smaller where the data do not
        determine the fit, otherwise its `correlations_`, with negative ones set to
        zero. Codes of an estimator with neither are not weighted. With 0 no codes are
        weighted: use it if the penalty is much stronger than held-out pairs suggest,
        and for learned projections, whose components are not canonical variates.
    cv : int or None, default=None
        Number of folds for held-out correlations, at least 2. Each fold of consecutive
        samples is encoded by a clone that is fitted to the others, and whose components
        are matched with those of the estimator. This works with any estimator, and
        needs as many further fits. Use it for networks and for weak penalties, where
        training correlations are large even for components that the views do not share.
        With None the correlations of the fitted estimator are used.
    codes : {"mean", "concatenated", "joint"}, default="mean"
        The code of a row with both views. "mean" is the mean of the codes of both
        views. "concatenated" is both codes side by side, so that differences between
        them are kept; if one view is missing, the code of the other takes its place.
        "joint" is ``transform_joint`` of the estimator. With cosines, "mean" and
        "concatenated" first scale the code of each view to length one, so that both
        count equally; "joint" codes are used as they are. For TiedBidirectional,
        "joint" is the same two codes side by side, with the lengths that training gave
        them.
    metric : {"cosine", "euclidean"}, default="cosine"
        How codes are compared: by their cosine, or by their Euclidean distance. For
        distances the codes are used as they are, weighted if `correlation_power` is not
        0, and not scaled to length one.
    hubness : {None, "csls", "bank"}, default=None
        Whether and how cosines are corrected for hubs: items that are near to very many
        queries. A weight times the mean cosine of the item with its nearest queries is
        subtracted from the cosine of a query and an item, as in
        :class:`~skcrl.metrics.Hubness`. "bank" uses training rows of the query's view
        as these queries (for a query with both views, the mean over both); the
        corrections are computed in ``fit_index`` and ``add``. "csls" uses the queries
        of the same call of ``kneighbors`` or ``search``, of which there should be many,
        and needs no training rows. The backend "exact" compares all items by corrected
        cosines. Other backends first propose items by plain cosines, five times as many
        as are to be found and at least 100, and these are then ranked by corrected
        cosines.
    hubness_params : dict or None, default=None
        A dict with both `n_neighbors` and `weight` of the correction, in the ranges of
        :class:`~skcrl.metrics.Hubness`. With None ``fit`` chooses them on held-out
        pairs, a fifth of all and at most 1000: another clone of the estimator is fitted
        to the rest, and the mean reciprocal rank of the held-out pairs, in both
        directions, decides. Weights of 0, 0.25, 0.5, 0.75 and 1 are tried, each with 1,
        5, 10, 25 and 100 neighbours. The smallest weight is chosen that is worse than
        the best by no more than one standard error; with few pairs this is often 0,
        which corrects nothing. A ``FrozenEstimator`` is not fitted again, so it should
        have been fitted to other pairs.
    n_neighbors : int, default=10
        Number of items to find for each query, at least 1.
    backend : str, default="exact"
        Search algorithm: "exact", "int8", "binary", "faiss", "hnswlib" or "usearch".
        "exact" compares each query with all items: few queries by one product each,
        many queries by scikit-learn's ``NearestNeighbors``, which never holds all
        similarities in memory. Its distances are computed from the differences of
        codes, for all items that may be among the nearest in spite of rounding. "int8"
        and "binary" compare each query with compressed codes of all items (one byte per
        component, or 64 bytes per item), and rank the best of these by the full codes;
        "binary" supports cosines only. Use them if the codes do not fit into memory,
        with `mmap_mode` of ``load_index``. The others are packages that must be
        installed, by ``pip install`` of faiss-cpu, hnswlib or usearch, or of
        ``skcrl[search]`` for all. They propose items in float32, and most of them miss
        some items.
    backend_params : dict or None, default=None
        Parameters of the backend. For "int8" and "binary": `oversampling`, the number
        of candidates that are ranked for each item to find, 4 and 80 by default. In
        ``benchmarks/search_speed.py``, "int8" then finds all of the 10 nearest items,
        and "binary" finds 99 % of them among 100,000 items and 97 % among a million;
        more candidates find more. For "faiss": `factory`, the description of an index
        such as "HNSW32" (the default is "Flat", an exhaustive search), and `search`,
        settings such as "efSearch=64". For "hnswlib": `M`, `ef_construction`, `ef` and
        `random_seed`. For "usearch": `connectivity`, `expansion_add`,
        `expansion_search` and `dtype`. Each parameter is bounded, because it can also
        come from the file of an index: for example, a graph has at most 32 links per
        item, or 4 per component of the codes up to 128.
    n_jobs : int or None, default=None
        Number of threads with which "hnswlib" and "usearch" build, add and search; None
        and -1 use all cores. With several threads they build a graph that differs a
        little from call to call. "exact" and "faiss" follow ``OMP_NUM_THREADS``
        instead. This parameter is not saved with an index.

    Attributes
    ----------
    estimator_ : two-view estimator
        The fitted estimator.
    weights_ : ndarray of shape (n_components,) or None
        Weights of the components, scaled so that the largest is 1; None if codes are
        not weighted.
    hubness_ : Hubness or None
        The correction that ``score`` and searches use, which the measures of
        `skcrl.metrics` also accept; None if `hubness` is None. A bank holds the codes
        of 10,000 evenly spread training rows of each view, or of all rows if there are
        fewer. More rows hardly change the means, and make building an index slower.
    n_items_ : int
        Number of items in the index; 0 after ``fit``.
    n_features_in_ : int
        Number of features of the first view, if the estimator knows it.
    feature_names_in_ : ndarray of str
        Column names of the first view, if it was a data frame.

    See Also
    --------
    skcrl.metrics.mean_reciprocal_rank : What ``score`` reports.

    Notes
    -----
    The cosine of "concatenated" codes is the mean of the cosines of their halves. For
    TiedBidirectional this is the joint code of [2]_ with halves of length one. In the
    paper the halves need not have the same length, and the longer one then counts more.

    References
    ----------
    .. [1] Gong, Ke, Isard and Lazebnik (2014). A multi-view embedding space for
       modeling internet images, tags, and their semantics. International Journal
       of Computer Vision 106.
    .. [2] Vukotić, Raymond and Gravier (2016). Bidirectional joint representation
       learning with symmetrical deep neural networks for multimodal and crossmodal
       applications. ICMR.

    Examples
    --------
    >>> from skcrl import CrossViewRetriever, LinearCCA
    >>> from skcrl.datasets import make_correlated_views
    >>> X, y = make_correlated_views(
    ...     500, 20, 20, correlations=[0.99] * 5, random_state=0
    ... )
    >>> retriever = CrossViewRetriever(LinearCCA(20), n_neighbors=2)
    >>> round(retriever.fit(X[:400], y[:400]).score(X[400:], y[400:]), 1)
    0.8
    >>> plain = CrossViewRetriever(LinearCCA(20), correlation_power=0)
    >>> round(plain.fit(X[:400], y[:400]).score(X[400:], y[400:]), 1)
    0.2
    >>> names = [f"item {i}" for i in range(100)]
    >>> found = retriever.fit_index(y=y[400:], ids=names).search(X[400:403])
    >>> found.ids[:, 0].tolist()
    ['item 0', 'item 1', 'item 2']
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "estimator": [HasMethods(["fit", "transform", "transform_y"])],
        "correlation_power": [Interval(Real, 0, sys.float_info.max, closed="both")],
        "cv": [Interval(Integral, 2, None, closed="left"), None],
        "codes": [StrOptions(set(CODES))],
        "metric": [StrOptions(set(METRICS))],
        "hubness": [StrOptions({"csls", "bank"}), None],
        "hubness_params": [dict, None],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "backend": [StrOptions(set(BACKENDS))],
        "backend_params": [dict, None],
        "n_jobs": N_JOBS,
    }

    def __init__(
        self,
        estimator: BaseEstimator,
        *,
        correlation_power: float = 1.0,
        cv: int | None = None,
        codes: Literal["mean", "concatenated", "joint"] = "mean",
        metric: Metric = "cosine",
        hubness: Literal["csls", "bank"] | None = None,
        hubness_params: dict[str, Any] | None = None,
        n_neighbors: int = 10,
        backend: str = "exact",
        backend_params: dict[str, Any] | None = None,
        n_jobs: int | None = None,
    ):
        self.estimator = estimator
        self.correlation_power = correlation_power
        self.cv = cv
        self.codes = codes
        self.metric = metric
        self.hubness = hubness
        self.hubness_params = hubness_params
        self.n_neighbors = n_neighbors
        self.backend = backend
        self.backend_params = backend_params
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Rows, y: Rows, **fit_params: Any) -> Self:
        """Learn the common space of two views, and empty the index.

        Parameters
        ----------
        X : array-like of n_samples rows
            First view, in the form that the estimator takes.
        y : array-like of n_samples rows
            Second view, paired with `X`.
        **fit_params : dict
            Parameters for ``fit`` of the estimator, such as `labels` of a
            SemanticMatching, `groups` of a CCALRanker or `sample_weight`. With `cv`,
            each fold gets its rows of them. With metadata routing enabled: the
            parameters that the estimator requested by ``set_fit_request``.

        Returns
        -------
        self : CrossViewRetriever
            Fitted estimator.

        Raises
        ------
        ValueError
            If the views are not valid input of the estimator; if `correlation_power` is
            not 0 and none of the estimator's correlations is above 0; if `codes` is
            "joint" and the estimator has no ``transform_joint``, or weights of another
            width; if `hubness` is combined with distances, has parameters out of range,
            or has to be chosen by fewer than 10 pairs; or if there are covariates. The
            retriever is then as it was before.
        """
        check_hubness(self._given_hubness(), self.metric)
        of_estimator = fit_params
        if _routing_enabled():
            of_estimator = process_routing(self, "fit", **fit_params).estimator.fit
        if of_estimator.get("covariates") is not None:
            raise ValueError(
                "CrossViewRetriever takes no covariates, because a search would need "
                "those of each query and each item. Remove the effect of the "
                "covariates from both views first."
            )
        with restored_on_error(self):
            self.estimator_ = clone(self.estimator).fit(X, y, **of_estimator)
            self.weights_ = self._weights(X, y, of_estimator)
            if self.codes == "joint":
                self._require_joint(X, y)
            self._index: Index | None = None
            self.hubness_ = self._correction_of(X, y, fit_params)
        return self

    def fit_index(
        self,
        X: Rows | None = None,
        y: Rows | None = None,
        ids: ArrayLike | None = None,
    ) -> Self:
        """Make an index of items, which replaces an earlier index.

        Parameters
        ----------
        X : array-like of n_items rows or None, default=None
            First view of the items.
        y : array-like of n_items rows or None, default=None
            Second view of the items. If both views are given, `codes` determines the
            code of an item. A row of NaN, or None in a list, is a missing view. An item
            that misses both views is found last.
        ids : array-like of int or str, of shape (n_items,), or None, default=None
            Names of the items, which must be different. None means their positions.

        Returns
        -------
        self : CrossViewRetriever
            This retriever.

        Raises
        ------
        ValueError
            If no view is given, or no row has a view; if the views are not valid input
            of the estimator; if there is not one id for each item, or ids are not
            distinct; or if the backend does not accept its parameters. The index is
            then as it was before.
        ImportError
            If the package of `backend` is not installed.
        """
        self._validate_params()
        codes, lost = self._encode_items(X, y)
        if len(codes) == 0:
            raise ValueError(
                f"All {len(lost)} items have no view (NaN or None): index some items "
                "that have one, and add these later."
            )
        self._index = Index(
            codes,
            check_ids(ids, len(codes) + len(lost)),
            self.backend,
            self.backend_params or {},
            self._n_threads(),
            lost,
            self._space(),
            self._hubs(codes),
        )
        return self

    def add(
        self,
        X: Rows | None = None,
        y: Rows | None = None,
        ids: ArrayLike | None = None,
    ) -> Self:
        """Append items to the index, without fitting again.

        Each call copies the index, so that other threads can search in it meanwhile.
        Therefore add many items at once.

        Parameters
        ----------
        X : array-like of n_items rows or None, default=None
            First view of the items.
        y : array-like of n_items rows or None, default=None
            Second view of the items.
        ids : array-like of int or str, of shape (n_items,), or None, default=None
            Names of the items, if the items in the index have names.

        Returns
        -------
        self : CrossViewRetriever
            This retriever.

        Raises
        ------
        ValueError
            As in ``fit_index``; also if ids are already in the index, or if `codes` or
            `metric` was changed since the index was made. The index is then as it was
            before.
        NotFittedError
            If the index is empty.
        """
        index = self._searched_index()
        codes, lost = self._encode_items(X, y)
        ids = check_ids(ids, len(codes) + len(lost))
        index.add(codes, ids, self._n_threads(), lost, self._hubs(codes))
        return self

    def remove(self, ids: ArrayLike) -> Self:
        """Remove items from the index, without fitting again.

        Items without ids are named by their positions, and the items after a removed
        one move up, as rows of an array do: after ``remove([0])`` the item that was at
        position 1 is at position 0. Give items ids if something else refers to them.

        Each call copies the index, so that other threads can search in it meanwhile,
        and builds the search structure again. Therefore remove many items at once.

        Parameters
        ----------
        ids : array-like of int or str, of shape (n_removed,)
            Names of the items, or their positions if they have no names.

        Returns
        -------
        self : CrossViewRetriever
            This retriever.

        Raises
        ------
        ValueError
            If there is no item with one of the ids, if two ids are equal, or if no item
            with a view would be left. The index is then as it was before.
        NotFittedError
            If the index is empty.
        """
        self._filled_index().remove(ids, self._n_threads())
        return self

    def replace(
        self,
        X: Rows | None = None,
        y: Rows | None = None,
        ids: ArrayLike | None = None,
    ) -> Self:
        """Replace the views of items in the index, without fitting again.

        The items keep their ids and their positions. Each call copies the index, so
        that other threads can search in it meanwhile, and builds the search structure
        again. Therefore replace many items at once.

        Parameters
        ----------
        X : array-like of n_replaced rows or None, default=None
            First view of the items.
        y : array-like of n_replaced rows or None, default=None
            Second view of the items. A view that is not given is removed: an item that
            had both views is then found by the code of one.
        ids : array-like of int or str, of shape (n_replaced,)
            Names of the items, which must be in the index, or their positions if they
            have no names.

        Returns
        -------
        self : CrossViewRetriever
            This retriever.

        Raises
        ------
        ValueError
            As in ``add``; also if `ids` are not given, if there is no item with one of
            the ids, or if no item with a view would be left. The index is then as it
            was before.
        NotFittedError
            If the index is empty.
        """
        if ids is None:
            raise ValueError("ids must name the items to replace, got None.")
        index = self._searched_index()
        codes, lost = self._encode_items(X, y)
        index.replace(codes, ids, self._n_threads(), lost, self._hubs(codes))
        return self

    @overload
    def kneighbors(
        self,
        X: Rows | None = None,
        y: Rows | None = None,
        n_neighbors: int | None = None,
        return_distance: Literal[True] = True,
    ) -> tuple[np.ndarray, np.ndarray]: ...

    @overload
    def kneighbors(
        self,
        X: Rows | None = None,
        y: Rows | None = None,
        n_neighbors: int | None = None,
        *,
        return_distance: Literal[False],
    ) -> np.ndarray: ...

    def kneighbors(
        self,
        X: Rows | None = None,
        y: Rows | None = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Find the items nearest to queries of either view, or of both.

        Parameters
        ----------
        X : array-like of n_queries rows or None, default=None
            First view of the queries.
        y : array-like of n_queries rows or None, default=None
            Second view of the queries.
        n_neighbors : int or None, default=None
            Number of items to find, at most `n_items_`. None means that of the
            constructor.
        return_distance : bool, default=True
            Whether to return the distances.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors)
            Distances, smallest first: one minus the cosine of the codes, corrected for
            hubs if `hubness` is set, or the Euclidean distance. Infinity for an item
            without a view. Returned only if `return_distance` is True.
        positions : ndarray of shape (n_queries, n_neighbors)
            Positions of the items: their order in ``fit_index``, then in ``add``. After
            ``remove`` the items behind have moved up.

        Raises
        ------
        ValueError
            If no view is given, or a row has none; if the views are not valid input of
            the estimator; if `n_neighbors` is larger than the index; or if `codes` or
            `metric` was changed since the index was made.
        NotFittedError
            If the index is empty.
        """
        _, similarities, positions = self._nearest(X, y, n_neighbors)
        if not return_distance:
            return positions
        distances = 1 - similarities if self.metric == "cosine" else -similarities
        return distances, positions

    def search(
        self,
        X: Rows | None = None,
        y: Rows | None = None,
        n_neighbors: int | None = None,
    ) -> Found:
        """Find the items nearest to queries, and return their names.

        Parameters
        ----------
        X : array-like of n_queries rows or None, default=None
            First view of the queries.
        y : array-like of n_queries rows or None, default=None
            Second view of the queries.
        n_neighbors : int or None, default=None
            Number of items to find, at most `n_items_`. None means that of the
            constructor.

        Returns
        -------
        found : Found
            Named tuple of `similarities` and `ids`, both of shape (n_queries,
            n_neighbors). Similarities are cosines of the codes, corrected for hubs if
            `hubness` is set, or minus the Euclidean distances, largest first.

        Raises
        ------
        ValueError, NotFittedError
            As in ``kneighbors``.
        """
        items, similarities, positions = self._nearest(X, y, n_neighbors)
        return Found(similarities, items.named(positions))

    def explain(
        self, X: Rows | None = None, y: Rows | None = None, *, id: int | str
    ) -> Explanation:
        """Explain a result: which components of the codes speak for or against an item.

        Parameters
        ----------
        X : array-like of one row or None, default=None
            First view of the query.
        y : array-like of one row or None, default=None
            Second view of the query.
        id : int or str
            Name of the item, or its position if it has no name.

        Returns
        -------
        explanation : Explanation
            Named tuple of `similarity` and `correction`, and of `components`,
            `contributions` and `names` of shape (n_components,), sorted so that the
            component that speaks most for the item comes first. The contributions add
            up to the similarity of the codes, up to rounding. `correction` is what
            `hubness` subtracts from the cosine: a search for this query alone finds the
            item with the similarity minus the correction. ("csls" then compares the
            item with this one query, so it subtracts its weight times the similarity.)
            With cosines, a contribution is the product of the two codes in that
            component, after weighting and scaling to length one. With distances, it is
            minus the squared difference of the codes in that component, divided by the
            distance; the first components are then those in which the codes are
            nearest.

        Raises
        ------
        ValueError
            As in ``kneighbors``; also if there is more than one query, if no item has
            this id, or if the item has no view.
        NotFittedError
            If the index is empty.

        Examples
        --------
        >>> from skcrl import CrossViewRetriever, LinearCCA
        >>> from skcrl.datasets import load_digits_halves
        >>> left, right, _ = load_digits_halves()
        >>> retriever = CrossViewRetriever(LinearCCA(20), correlation_power=1)
        >>> retriever = retriever.fit(left[1:], right[1:]).fit_index(y=right)
        >>> why = retriever.explain(left[:1], id=0)
        >>> why.names[:2]
        array(['linearcca0', 'linearcca1'], dtype=object)
        >>> bool(abs(why.contributions.sum() - why.similarity) < 1e-12)
        True
        """
        items = self._searched_index().items
        queries = self.encode(X, y)
        if len(queries) != 1:
            raise ValueError(
                f"explain takes one query, got {len(queries)} rows: pass one of them, "
                "such as X[:1]."
            )
        items.check_width(queries)
        names = names_of(self.estimator_, self.codes, queries.shape[1])
        row, by = items.row_of(id), self._corrected_by(X, y)
        taken = 0.0
        if by is not None:
            hubs = None if items.hubs is None else items.hubs[row]
            taken = by.taken_from(queries, items.codes[row], hubs)
        return explained(queries[0], items.codes[row], self.metric, names, taken)

    def encode(self, X: Rows | None = None, y: Rows | None = None) -> np.ndarray:
        """Encode rows as they are indexed and compared: with length one for cosines.

        Parameters
        ----------
        X : array-like of n_samples rows or None, default=None
            First view. A row of NaN, or None in a list, is a missing view.
        y : array-like of n_samples rows or None, default=None
            Second view. A row of NaN, or None in a list, is a missing view.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_components)
            Weighted codes, in the precision of the estimator. A code of zeros stays
            zero. With ``codes="concatenated"`` there are twice as many components.

        Raises
        ------
        ValueError
            If no view is given, or a row has none; if the views are not valid input of
            the estimator; or if the codes are not finite.
        """
        views = self._given(X, y)
        there = rows_there(views)
        if there is None:
            return self._encode_whole(X, y)
        nowhere = np.flatnonzero(~(there["x"] | there["y"]))
        if len(nowhere):
            raise ValueError(
                f"{len(nowhere)} rows have no view, the first is row {nowhere[0]}: "
                "drop these rows, because there is nothing to encode."
            )
        return encode_there(self._encode_whole, views, there)

    def transform_pair(self, X: Rows, y: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Encode both views as they are indexed and compared.

        This makes scorers of ``skcrl.metrics.get_scorer`` work with a retriever. Pass
        them `hubness_` to correct for hubs.

        Parameters
        ----------
        X : array-like of n_samples rows
            First view.
        y : array-like of n_samples rows
            Second view, paired with `X`.

        Returns
        -------
        Zx, Zy : ndarray of shape (n_samples, n_components)
            ``encode(X)`` and ``encode(y=y)``.

        Raises
        ------
        ValueError
            As in ``encode``; also if one of the views is None, or they are not paired.
        """
        check_is_fitted(self)
        self._require_both(X, y)
        return self._paired(self.encode(X), self.encode(y=y))

    def score(self, X: Rows, y: Rows) -> float:
        """Mean reciprocal rank of each sample's other view, over both directions.

        Parameters
        ----------
        X : array-like of n_samples rows
            First view of held-out samples.
        y : array-like of n_samples rows
            Second view, paired with `X`.

        Returns
        -------
        score : float
            Between 0 and 1; it is 1 if every sample is found first. The index is not
            used, and hubs are corrected if `hubness` is set. Rows that miss a view are
            left out.

        Raises
        ------
        ValueError
            As in ``transform_pair``; also if no row has both views.
        """
        check_is_fitted(self)
        self._require_both(X, y)
        scorer = get_scorer(
            "mean_reciprocal_rank", metric=self.metric, hubness=self._correction()
        )
        return scorer(self, X, y)

    def save_index(self, path: File) -> None:
        """Write the index to a file, without pickles.

        The file appears when it is complete; a symbolic link is followed. The file does
        not contain the estimator. To write the whole retriever with its index, use
        ``save``.

        Parameters
        ----------
        path : str or path-like
            File to write, whose name usually ends in ``.npz``.

        Raises
        ------
        OSError
            If the file cannot be written. An earlier file is then unchanged.
        NotFittedError
            If the index is empty.
        """
        index = self._filled_index()
        _file.write(path, _file.Stored(**index.__getstate__()))

    def load_index(self, path: File, *, mmap_mode: Literal["r"] | None = None) -> Self:
        """Load the index from a file that ``save_index`` wrote.

        Its codes are meaningful only with the estimator that made them.

        Parameters
        ----------
        path : str or path-like
            File to read. Reading it runs no code from the file.
        mmap_mode : "r" or None, default=None
            With "r" the codes stay in the file, and a search reads only those of the
            candidates that its `backend` proposes. The memory holds what the backend
            itself keeps of the items, which is least with "int8" and "binary". "exact"
            reads all codes for each query, so it cannot be used in this way. The file
            must not be changed while the index is used. ``save_index`` to the same path
            is safe, because it writes another file and then replaces this one. ``add``,
            ``remove`` and ``replace`` load all codes into memory.

        Returns
        -------
        self : CrossViewRetriever
            This retriever, with the index and the backend of the file.

        Raises
        ------
        ValueError
            If the file is not an index, is damaged, or has a newer version; if its
            codes do not have the width of those of the estimator; if it was made with
            other `codes`, another `metric` or a bank of another `hubness_` (the error
            names the `hubness` and `hubness_params` to use in ``fit``); or if
            `mmap_mode` is given and its backend is "exact". The index is then as it was
            before.
        OSError
            If the file cannot be read.
        ImportError
            If the package of the index's backend is not installed.
        """
        check_is_fitted(self)
        if mmap_mode not in (None, "r"):
            raise ValueError(f"mmap_mode must be 'r' or None, got {mmap_mode!r:.80}.")
        stored = _file.read(path, maps_codes=mmap_mode is not None)
        if mmap_mode is not None and stored.backend == "exact":
            raise ValueError(
                f"{path} holds an index with backend='exact', which reads all codes "
                "for each query: load it without mmap_mode, or make the index with "
                "backend='int8'."
            )
        if stored.space != self._space():
            raise ValueError(
                f"{path} holds an index made with {_told(stored.space)}, but this "
                f"retriever has {_told(self._space())}: "
                f"{_remedy(stored.space, self._space())}."
            )
        expected = self._width(stored.space)
        if expected not in (None, stored.codes.shape[1]):
            raise ValueError(
                f"{path} holds codes of {stored.codes.shape[1]} components, but the "
                f"codes of the estimator have {expected}."
            )
        try:
            self._index = Index(**stored._asdict(), n_threads=self._n_threads())
        except ValueError as error:
            raise ValueError(
                f"{path} holds an index that cannot be searched: {error}"
            ) from error
        return self

    def to_arrow(self) -> "pyarrow.Table":
        """Export the codes and ids of all items as an Arrow table, for other databases.

        ``pyarrow.parquet.write_table`` writes it to a file, which vector databases can
        read. Let the database compare codes as this index does: by inner products if
        `metric` is "cosine", because codes then have length one, otherwise by Euclidean
        distances. Encode the queries with ``encode``. The table has no correction for
        hubs.

        Returns
        -------
        table : pyarrow.Table
            One row for each item, in their order. The column "id" has strings or 64-bit
            integers, and positions for items without ids. The column "code" has lists
            of float32 of a fixed length, and null for an item without a view.

        Raises
        ------
        NotFittedError
            If the index is empty.
        ImportError
            If pyarrow is not installed: ``pip install skcrl[arrow]``.

        Examples
        --------
        >>> from pyarrow import parquet  # doctest: +SKIP
        >>> parquet.write_table(retriever.to_arrow(), "items.parquet")  # doctest: +SKIP
        """
        return table_of(self._filled_index().items)

    @property
    def n_items_(self) -> int:
        """Number of items in the index."""
        check_is_fitted(self)
        index = self._index
        return 0 if index is None else len(index.items)

    @property
    def n_features_in_(self):
        """Width of the first view."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self):
        """Column names of the first view."""
        return self.estimator_.feature_names_in_

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the metadata routing of this estimator.

        Returns
        -------
        routing : MetadataRouter
            ``fit`` asks ``fit`` of the estimator.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(
            estimator=self.estimator, method_mapping=mapping
        )

    def _check_loaded(self):
        """Raise ValueError if a fitted state from a file is not valid."""
        if not any(name in vars(self) for name in ("estimator_", "weights_", "_index")):
            return  # it is not fitted
        fitted = getattr(self, "estimator_", None)
        needed = ["transform", "transform_y"]
        if self.codes == "joint":
            needed.append("transform_joint")
        lacking = [name for name in needed if not hasattr(fitted, name)]
        if lacking:
            raise ValueError(
                f"its estimator_ is of type {type(fitted).__name__}, without {lacking}"
            )
        check_is_fitted(fitted)
        k = found_in(self.estimator_, "n_components_")
        if self.weights_ is not None:
            check_loaded({"weights_": (self.weights_, (k,))})
        correction = getattr(self, "hubness_", None)
        if not isinstance(correction, Hubness | None):
            raise ValueError(
                f"its hubness_ is a {type(correction).__name__}, not a Hubness"
            )
        if correction is not None and correction.bank is not None:
            k, width = self._width(self._space()), correction.bank[0].shape[1]
            if k not in (None, width):
                raise ValueError(f"its bank is of codes of {width} components, not {k}")
        if self._index is not None:
            k = self._width(self._index.space)
            if k not in (None, self._index.items.codes.shape[1]):
                raise ValueError(f"its index is not of codes of {k} components")

    def _weights(self, X, y, fit_params):
        if self.correlation_power == 0:
            return None
        if self.cv is None:
            correlations = self._training_correlations()
            if correlations is None:
                return None
        else:
            correlations = self._held_out_correlations(X, y, fit_params)
        weights = as_weights(correlations, self.correlation_power)
        if weights is None:
            source = "correlations" if self.cv is None else "held-out correlations"
            raise ValueError(
                f"None of the {source} {correlations} is above zero, so the views have "
                "nothing in common to search by: check the views, or set "
                "correlation_power=0."
            )
        return weights

    def _given_hubness(self):
        """Hubness with the given or the default parameters and no bank, or None."""
        if self.hubness is None:
            return None
        if self.hubness_params is None:
            return Hubness()
        if set(self.hubness_params) != {"n_neighbors", "weight"}:
            raise ValueError(
                "hubness_params must be a dict with n_neighbors and weight, or None, "
                f"got {self.hubness_params!r:.80}."
            )
        return Hubness(**self.hubness_params)

    def _correction_of(self, X, y, fit_params):
        """The Hubness that corrects hubs after ``fit``, or None."""
        given = self._given_hubness()
        if given is None:
            return None
        numbers = given.n_neighbors, given.weight
        if self.hubness_params is None:
            numbers = chosen(self, X, y, fit_params)
        bank = bank_of(self, X, y) if self.hubness == "bank" else None
        return Hubness(*numbers, bank)

    def _correction(self):
        """The Hubness of ``fit``, or None if there is none or `hubness` is None now."""
        return None if self.hubness is None else getattr(self, "hubness_", None)

    def _hubs(self, codes):
        """Mean cosines of items with the nearest codes of the bank, if there is one."""
        correction = check_hubness(self._correction(), self.metric)
        if correction is None or correction.bank is None or len(codes) == 0:
            return None
        return hubs_of(codes, correction)

    def _held_out_correlations(self, X, y, fit_params):
        if isinstance(self.estimator, FrozenEstimator):
            raise ValueError(
                f"cv={self.cv} fits the estimator to parts of the samples, but a "
                "FrozenEstimator is never fitted again: set cv=None."
            )
        return held_out_correlations(
            self.estimator, self.estimator_, X, y, self.cv, fit_params
        )

    def _training_correlations(self):
        correlations = measured_correlations(self.estimator_)
        if correlations is not None and not (
            correlations.ndim == 1 and np.isfinite(correlations).all()
        ):
            raise ValueError(
                f"correlation_power={self.correlation_power} needs one finite "
                f"correlation per component, got {correlations}: set "
                "correlation_power=0."
            )
        return correlations

    def _require_joint(self, X, y):
        """Raise ValueError if there are no joint codes, or if they cannot be weighted.

        Joint codes may be wider than those of a view and than the weights. One row is
        encoded to find out.
        """
        if not hasattr(self.estimator_, "transform_joint"):
            raise ValueError(
                "codes='joint' needs an estimator with transform_joint, but "
                f"{type(self.estimator_).__name__} has none: set codes='mean'."
            )
        if self.weights_ is not None:
            first = (kind_of(X, "X").take(X, [0]), kind_of(y, "y").take(y, [0]))
            self._encode_whole(*first)

    def _require_both(self, X, y):
        if X is None or y is None:
            raise ValueError("One of the views is None: pass both X and y.")
        check_paired(X, y)

    def _given(self, X, y):
        """The views that are given, by side."""
        check_is_fitted(self)
        views = {s: view for s, view in (("x", X), ("y", y)) if view is not None}
        if not views:
            raise ValueError("X and y are both None: pass at least one view.")
        for name, view in (("X", X), ("y", y)):
            if isinstance(view, (str, bytes)):
                raise ValueError(
                    f"{name} is a single text, {view!r:.40}: put it into a list, as in "
                    f"{name}=[text]."
                )
        if len(views) == 2:
            check_paired(X, y)
        return views

    def _encode_items(self, X, y):
        """Codes of the rows that have a view, and positions of those that have none."""
        views = self._given(X, y)
        there = rows_there(views)
        if there is None:
            return self._encode_whole(X, y), NONE_LOST
        codes = encode_there(self._encode_whole, views, there)
        return codes, np.flatnonzero(~(there["x"] | there["y"]))

    def _encode_whole(self, X, y):
        """Codes of views without missing rows; one of the views may be None."""
        with told_of_wrong_views(self.estimator_, X, y):
            return self._encoded(X, y)

    def _encoded(self, X, y):
        if self.codes == "joint":
            joint = self.estimator_.transform_joint(X, y)
            return self._compared(joint, "transform_joint")
        Z = []
        if X is not None:
            Z.append(self._compared(self.estimator_.transform(X), "transform"))
        if y is not None:
            Z.append(self._compared(self.estimator_.transform_y(y), "transform_y"))
        Zx, Zy = self._paired(Z[0], Z[-1])
        if self.codes == "concatenated":
            # Two halves of length one make a code of length sqrt(2).
            codes = np.hstack([Zx, Zy])
            return unit_rows(codes, out=codes) if self.metric == "cosine" else codes
        if len(Z) == 1:
            return Zx
        Zx += Zy
        if self.metric == "cosine":
            return unit_rows(Zx, out=Zx)
        Zx /= 2
        return Zx

    def _compared(self, codes, method):
        """Codes from a method, weighted, and scaled to length one for cosines.

        The result is a new array.
        """
        source = f"{method} of {type(self.estimator_).__name__}"
        given = check_codes(codes, source)
        codes = given
        if self.weights_ is not None:
            if codes.shape[1] != len(self.weights_):
                raise ValueError(
                    f"{source} gave codes of {codes.shape[1]} components, but its "
                    f"correlations are {len(self.weights_)}: set correlation_power=0."
                )
            codes = codes * self.weights_.astype(codes.dtype)
        if self.metric == "cosine":
            return unit_rows(codes, out=None if codes is given else codes)
        check_range(codes, source)
        return codes.copy() if codes is given else codes

    def _paired(self, Zx, Zy):
        """Codes of both views, which must have the same width."""
        if Zx.shape[1] != Zy.shape[1]:
            raise ValueError(
                f"{type(self.estimator_).__name__} gave codes of {Zx.shape[1]} "
                f"components for X and of {Zy.shape[1]} for y."
            )
        return Zx, Zy

    def _space(self):
        """How codes are made and compared, which must be the same for a whole index."""
        space: dict[str, Any] = {"codes": self.codes, "metric": self.metric}
        correction = self._correction()
        if correction is not None and correction.bank is not None:
            space["hubness"] = {
                "n_neighbors": int(correction.n_neighbors),
                "weight": float(correction.weight),
            }
        return space

    def _width(self, space):
        """Width of the codes of an index, or None if the estimator does not tell it."""
        k = found_in(self.estimator_, "n_components_")
        if k is None or space["codes"] == "joint":
            return None
        return 2 * k if space["codes"] == "concatenated" else k

    def _filled_index(self):
        index = getattr(self, "_index", None)
        if index is None:
            check_is_fitted(self)
            raise NotFittedError("The index is empty: call fit_index first.")
        return index

    def _searched_index(self):
        """The index, after a check that queries are encoded as its items are."""
        index = self._filled_index()
        if index.space != self._space():
            raise ValueError(
                f"The index was made with {_told(index.space)}, but the retriever now "
                f"has {_told(self._space())}: call fit_index again."
            )
        return index

    def _n_threads(self):
        """Number of threads that a package may use; with 0 the package decides."""
        validate_parameter_constraints(
            {"n_jobs": N_JOBS}, {"n_jobs": self.n_jobs}, type(self).__name__
        )
        return 0 if self.n_jobs is None else effective_n_jobs(self.n_jobs)

    def _nearest(self, X, y, n_neighbors):
        """The present items, and similarities and positions of the nearest ones."""
        index, n_threads = self._searched_index(), self._n_threads()
        items = index.searchable(n_threads)
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        is_integer = isinstance(k, Integral) and not isinstance(k, bool)
        if not is_integer or not 1 <= k <= len(items):
            raise ValueError(
                f"n_neighbors must be an integer from 1 to {len(items)}, the number of "
                f"items in the index, got {k!r}."
            )
        queries = self.encode(X, y)
        by = self._corrected_by(X, y)
        return items, *items.nearest(queries, k, n_threads, by)

    def _corrected_by(self, X, y) -> ByBank | ByQueries | None:
        """The correction of cosines with these queries, or None."""
        correction = check_hubness(self._correction(), self.metric)
        if correction is None:
            return None
        if correction.bank is None:
            return ByQueries(correction.weight, correction.n_neighbors)
        return ByBank(correction.weight, shares_of(self._given(X, y)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags = copy(get_tags(self.estimator).input_tags)
        return tags


def _told(space):
    """Text that says how codes are made and compared, as parameters."""
    params = dict(space)
    if "hubness" in params:
        params.update(hubness="bank", hubness_params=space["hubness"])
    return " and ".join(f"{name}={value!r}" for name, value in params.items())


def _remedy(wanted, own):
    """Advice on making a retriever that treats codes in the way of an index."""
    if wanted.get("hubness") == own.get("hubness"):
        return "set_params to those of the index"
    uncorrected = "" if "hubness" in wanted else " and hubness=None"
    return f"fit it with {_told(wanted)}{uncorrected}, because fit makes the correction"
