"""Label embedding with a hierarchy and attributes of the classes."""

import sys
from collections.abc import Hashable, Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skcrl._hierarchy import tree_of
from skcrl._labels import check_labels, class_numbers
from skcrl._typing import Rows, fit_context
from skcrl._validation import restored_on_error
from skcrl.labels._attributes import (
    Attributes,
    check_attributes,
    check_attributes_of_one,
)
from skcrl.labels._axes import Axes
from skcrl.labels._base import BaseLabelEmbedding
from skcrl.labels._learn import learned
from skcrl.labels._relation import Relation, within_ball
from skcrl.labels._semantic_objective import SemanticObjective, siblings_above
from skcrl.labels._start import start


class Explanation(NamedTuple):
    """What :meth:`SemanticEmbedding.explain` returns.

    Attributes
    ----------
    parent : object
        Name of the group or class above the class; None if it is below the root.
    attributes : dict of str to float
        Coefficients of the attributes that distinguish the class from its parent,
        largest absolute value first. A coefficient is negative if the class has less of
        the attribute than its parent.
    """

    parent: Any
    attributes: dict[str, float]


class SemanticEmbedding(BaseLabelEmbedding):
    r"""Label embedding that uses groups and attributes of the classes.

    Use it if classes have few samples, or if a mistake within a group is better than a
    mistake outside it. Use it also to predict classes without any sample
    (``add_class``), or to see what distinguishes a class (``explain``).

    This is the unified semantic embedding [1]_: samples, classes, groups of classes and
    attributes all have codes in one space. A sample should be nearer to its own class
    than to other classes, as in :class:`~skcrl.LabelEmbedding`. It should also be
    nearer to the groups above its class than to the siblings of these groups. The code
    of a class should be close to the code of its parent plus the codes of a few
    attributes,

    .. math:: u_c \approx u_{p(c)} + \sum_j \beta_{cj} d_{cj} a_j, \qquad
        \beta_{cj} \ge 0, \quad \|a_j\| \le 1

    where :math:`d_{cj}` is how much more of attribute j the class c has than its
    parent.

    Parameters
    ----------
    n_components : int or None, default=None
        Dimension of the space, from 1 to n_classes - 1. None means n_classes - 1, or
        n_features if that is smaller.
    hierarchy : mapping or None, default=None
        The parent of each class, and the parent of each of these parents. Alternatively
        it maps each class to a list of all groups above the class, the topmost first. A
        class or group with the parent None is below the root. Every class must occur.
    attributes : data frame or array (n_classes, n_attributes) or None, default=None
        How much of each attribute each class has, for example 0 or 1. It is a data
        frame with the classes as index, or an array in the order of the sorted classes.
        A group has the mean of its classes. Each attribute is scaled so that its
        largest difference from its mean is 1. Use a data frame for cross-validation,
        because a class may be missing in a fold. ``save`` cannot store a data frame:
        first call ``set_params(attributes=frame.loc[model.classes_].to_numpy())``.
    margin : float, default=1.0
        Margin between squared distances, above 0.
    group_weight : float, default=8.0
        Weight of the margins between groups, at least 0. A larger weight avoids
        mistakes between groups more strongly.
    attribute_weight : float, default=0.03
        Weight of the margins of attributes, at least 0. These margins ask that a sample
        is nearer to each attribute of its class than to the opposite of the attribute.
    relation_weight : float, default=0.003
        Weight w, at least 0, of the squared distance between the code of a class and
        the code that its parent and attributes predict. With a larger weight, classes
        of one group become more similar.
    exclusivity : float, default=0.1
        Penalty on the coefficients of attributes, at least 0. It includes sums of
        coefficients of siblings, so with a larger penalty siblings use different
        attributes.
    scale : bool, default=False
        Whether to divide columns by their standard deviations first, as in
        LabelEmbedding.
    reg : float, default=0.01
        Penalty on the map of samples, at least 0, as in LabelEmbedding.
    label_reg : float, default=1e-5
        Penalty on the codes of classes and groups, at least 0.
    max_iter : int, default=1000
        Largest number of L-BFGS iterations, in all rounds of the alternation together.
    tol : float, default=1e-5
        L-BFGS stops when an iteration lowers the objective by less than `tol` times the
        margin, and training stops when a round of the alternation does. A margin above
        1 counts as 1. If the objective is larger than 1, this bound is multiplied by
        the objective.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes, sorted.
    label_embeddings_ : ndarray of shape (n_classes, n_components)
        Codes of the classes.
    groups_ : list of length n_groups
        Names of the groups above classes.
    group_embeddings_ : ndarray of shape (n_groups, n_components)
        Codes of the groups.
    parents_ : dict
        The parent of each class; None if the class is below the root.
    attribute_names_ : ndarray of str of shape (n_attributes,)
        Names of the attributes.
    attribute_embeddings_ : ndarray of shape (n_attributes, n_components)
        Codes of the attributes. Their length is at most 1.
    attribute_weights_ : ndarray of shape (n_classes, n_attributes)
        Coefficients with their signs, :math:`\beta_{cj} d_{cj}`.
    coef_ : ndarray of shape (n_components, n_features)
        The linear map of samples.
    mean_ : ndarray of shape (n_features,)
        Means of the columns, which are subtracted from samples.
    objective_ : ndarray of shape (n_steps,)
        The objective after each step of the alternation. It never increases.
    n_components_ : int
        Dimension of the space.
    n_iter_ : int
        Number of iterations. A round without any iteration counts as one.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Column names of `X`, if it was a data frame.

    See Also
    --------
    LabelEmbedding : Label embedding without hierarchy and attributes.
    skcrl.metrics.hierarchical_precision_at_k : Gives credit for near mistakes.

    Notes
    -----
    The objective is the sum of these terms:

    - the mean over samples of the hinges of LabelEmbedding;
    - `group_weight` times the mean over samples of this sum: for each group above the
      sample, the mean hinge over the siblings of the group;
    - `attribute_weight` times the mean over samples and attributes of
      :math:`|e_j| [\alpha + \|z - s_j a_j\|^2 - \|z + s_j a_j\|^2]_+`, where
      :math:`e_j` is the difference between the class and the mean of all classes, and
      :math:`s_j` is its sign;
    - the penalties `reg` and `label_reg`;
    - the relation of classes to parents and attributes,

    .. math:: \frac{w}{C} \sum_c \Bigl( \|u_c - u_{p(c)} - \sum_j \beta_{cj} d_{cj}
        a_j\|^2 + \gamma \|\beta_c\|^2 + \frac{\gamma}{2} \sum_{o \ne c}
        \|\beta_c + \beta_o\|^2 \Bigr)

    The last sum is over classes and groups c with a parent, and over their siblings o.
    If there are attributes, the parent of a class below the root is the origin, which
    is the code of the mean sample.

    Our source does not say how samples and attributes are compared, which sign the
    coefficients have, and how the objective is optimised. Here the coefficients are not
    negative, so that the penalty makes them sparse. The sign is in the attributes: a
    class without an attribute of its siblings is its parent minus that attribute.
    Training alternates between L-BFGS for the map and the codes, and non-negative least
    squares for the coefficients of one node after another. It uses no random numbers.

    References
    ----------
    .. [1] Hwang and Sigal (2014). A unified semantic embedding: relating taxonomies
       and attributes. NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skcrl import SemanticEmbedding
    >>> images, labels = load_digits(return_X_y=True)
    >>> parents = {d: "round" if d in (0, 6, 8, 9) else "open" for d in range(10)}
    >>> embedding = SemanticEmbedding(hierarchy=parents)
    >>> embedding.fit(images[:1000], labels[:1000]).predict(images[1000:1003])
    array([1, 4, 0])
    >>> embedding.groups_
    ['round', 'open']
    """

    # Distances are Euclidean, as in the paper.
    metric = "euclidean"

    _parameter_constraints: dict = {  # noqa: RUF012
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "hierarchy": [Mapping, None],
        "attributes": ["array-like", None],
        "margin": [Interval(Real, 0, sys.float_info.max, closed="right")],
        "group_weight": [Interval(Real, 0, sys.float_info.max, closed="both")],
        "attribute_weight": [Interval(Real, 0, sys.float_info.max, closed="both")],
        "relation_weight": [Interval(Real, 0, sys.float_info.max, closed="both")],
        "exclusivity": [Interval(Real, 0, sys.float_info.max, closed="both")],
        "scale": ["boolean"],
        "reg": [Interval(Real, 0, sys.float_info.max, closed="both")],
        "label_reg": [Interval(Real, 0, sys.float_info.max, closed="both")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        n_components: int | None = None,
        *,
        hierarchy: Mapping[Hashable, Any] | None = None,
        attributes: Any = None,
        margin: float = 1.0,
        group_weight: float = 8.0,
        attribute_weight: float = 0.03,
        relation_weight: float = 0.003,
        exclusivity: float = 0.1,
        scale: bool = False,
        reg: float = 0.01,
        label_reg: float = 1e-5,
        max_iter: int = 1000,
        tol: float = 1e-5,
    ):
        self.n_components = n_components
        self.hierarchy = hierarchy
        self.attributes = attributes
        self.margin = margin
        self.group_weight = group_weight
        self.attribute_weight = attribute_weight
        self.relation_weight = relation_weight
        self.exclusivity = exclusivity
        self.scale = scale
        self.reg = reg
        self.label_reg = label_reg
        self.max_iter = max_iter
        self.tol = tol

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Rows, y: Rows, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the map of samples and the codes of classes, groups and attributes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Classes of the samples. There must be at least two different classes.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            How often each sample counts. None means once.

        Returns
        -------
        self : SemanticEmbedding
            Fitted estimator.

        Raises
        ------
        ValueError
            If samples, classes, `hierarchy` or `attributes` are not valid, there is
            only one class, or `n_components` is too large. The estimator then stays as
            it was before.
        """
        with restored_on_error(self):
            X, own, weights = self._checked(X, y, sample_weight)
            k = self._check_n_components()
            tree = self._tree()
            attributes = Attributes.of(tree, *self._attributes_of_classes())
            axes = Axes.of(X, weights, self.scale)
            objective = SemanticObjective(
                axes=axes,
                own=own,
                n_classes=tree.n_classes,
                siblings=siblings_above(tree, own),
                attributes=attributes,
                relation=self._relation(tree, attributes),
                margin=self.margin,
                group_weight=self.group_weight,
                attribute_weight=self.attribute_weight,
                reg=(self.reg, self.label_reg),
            )
            Q, U = start(axes, own, tree.n_classes, k)
            U = np.vstack([U, tree.group_means(U)])
            A = within_ball(objective.relation.effects(U))
            beta = np.zeros_like(objective.relation.contrasts)
            Q, U, A, beta, settled = self._alternate(objective, Q, U, A, beta)
            self._keep(axes, Q, U[: tree.n_classes], self.margin)
            self._keep_semantics(tree, attributes, objective.relation, U, A, beta)
            self._warn_unless(settled)
        return self

    def _tree(self):
        tree = tree_of(self.classes_, self.hierarchy or {})
        if self.hierarchy:
            named = {*self.hierarchy, *(tree.names[p] for p in tree.parents if p >= 0)}
            for name in self.classes_.tolist():
                if name not in named:
                    raise ValueError(
                        f"hierarchy must name each class, but does not name {name!r}. "
                        "Give it the parent None if it is below the root."
                    )
        return tree

    def _attributes_of_classes(self):
        if self.attributes is None:
            return np.zeros((len(self.classes_), 0)), np.array([], dtype=object)
        return check_attributes(self.attributes, self.classes_)

    def _relation(self, tree, attributes):
        counted = tree.parents >= 0
        if len(attributes.names):  # then the origin is the parent of top classes
            counted[: tree.n_classes] = True
        nodes = np.flatnonzero(counted)
        parents = tree.parents[nodes]
        return Relation(
            nodes,
            parents,
            attributes.contrasts(nodes, parents),
            self.relation_weight / tree.n_classes,
            self.exclusivity,
        )

    def _alternate(self, objective, Q, U, A, beta):
        """Learn map and codes, then coefficients, in turn.

        No step increases the objective.
        """
        relation, path, self.n_iter_ = objective.relation, [], 0
        tol = self.tol * min(1, self.margin)
        has_coefficients = beta.size > 0 and self.relation_weight > 0
        settled = False
        while not settled and self.n_iter_ < self.max_iter:
            found = learned(
                lambda Q, U, A, beta=beta: objective.value(Q, U, A, beta),
                [Q, U, A],
                self.max_iter - self.n_iter_,
                tol,
            )
            Q, U, A = found.arrays
            A = within_ball(A)
            self.n_iter_ += max(1, found.n_iter)
            path.append(found.objective + relation.overlap(beta))
            settled = found.converged
            if has_coefficients:
                beta = relation.best_coefficients(U, A, beta)
                path.append(objective.value(Q, U, A, beta)[0] + relation.overlap(beta))
                before = path[-3] if len(path) > 2 else np.inf
                settled &= before - path[-1] <= tol * max(1, path[-1])
        self.objective_ = np.array(path)
        return Q, U, A, beta, settled

    def _keep_semantics(self, tree, attributes, relation, U, A, beta):
        n = tree.n_classes
        self.groups_ = tree.names[n:]
        self.group_embeddings_ = U[n:]
        above = [None if p < 0 else tree.names[p] for p in tree.parents[:n]]
        self.parents_ = dict(zip(tree.names[:n], above, strict=True))
        self.attribute_names_ = attributes.names
        self.attribute_embeddings_ = A
        signed = np.zeros_like(attributes.of_nodes)
        signed[relation.nodes] = beta * relation.contrasts
        self.attribute_weights_ = signed[:n]
        self._of_classes = attributes.of_nodes[:n]
        self._of_groups = attributes.of_nodes[n:]
        self._of_mean, self._scale = attributes.mean, attributes.scale
        self._effects = relation.effects(U)
        # Mean coefficient of each attribute, for classes that are added later.
        squares = relation.contrasts**2
        total = squares.sum(axis=0)
        self._usual = (squares * beta).sum(axis=0) / np.where(total > 0, total, 1)

    def explain(self, label: Hashable) -> Explanation:
        """Explain a class by its parent and the attributes that distinguish it.

        Parameters
        ----------
        label : str, int or other class
            One of `classes_`.

        Returns
        -------
        explanation : Explanation
            Named tuple of `parent` and `attributes`. The second is a dict of the
            coefficients that are not 0, largest absolute value first. A coefficient is
            negative if the class has less of the attribute than its parent, or than the
            mean of all classes if it has no parent. For a class that was added, the
            coefficients are averages over the classes of ``fit``.

        Raises
        ------
        ValueError
            If `label` is not in `classes_`.
        """
        check_is_fitted(self)
        row = class_numbers(_one_label(label), self.classes_, "label")[0]
        weights = self.attribute_weights_[row]
        order = np.argsort(-abs(weights), kind="stable")
        return Explanation(
            self.parents_[self.classes_.tolist()[row]],
            {
                str(self.attribute_names_[j]): float(weights[j])
                for j in order
                if weights[j] != 0
            },
        )

    def embed_class(
        self, parent: Hashable | None = None, attributes: Any = None
    ) -> np.ndarray:
        """Predict the code of a class that has no samples.

        The code is the code of the parent plus the effect of the attributes. A ridge
        regression over the classes of ``fit`` estimates this effect: it predicts the
        difference between the codes of a class and its parent from the difference
        between their attributes. This is better for new classes than the coefficients
        and attribute codes of the model, because each class of ``fit`` uses only a few
        attributes.

        Parameters
        ----------
        parent : str, int or other class or group, or None, default=None
            One of `groups_` or `classes_`; None for a class below the root.
        attributes : series or array of shape (n_attributes,), or None, default=None
            How much of each attribute the class has, in the units of ``fit``. A series
            is matched by its labels. None means the attributes of the parent.

        Returns
        -------
        u : ndarray of shape (n_components,)
            Code, which can be compared with the codes of samples.

        Raises
        ------
        ValueError
            If the parent is unknown, or the number of attributes differs from ``fit``.
        """
        check_is_fitted(self)
        of_parent, its_attributes = self._node(parent)
        if attributes is None:
            return of_parent.copy()
        if not len(self.attribute_names_):
            raise ValueError(
                "attributes of a class are given, but there were none in fit. Fit with "
                "attributes, or give only the parent."
            )
        contrast = self._in_units_of_fit(attributes) - its_attributes
        code = of_parent + contrast @ self._effects
        if not np.isfinite(code).all():
            raise ValueError(
                "attributes are so large that the code is not finite. Give them in the "
                "units of fit."
            )
        return code

    def add_class(
        self, label: Hashable, parent: Hashable | None = None, attributes: Any = None
    ) -> Self:
        """Add a class without samples, so that it can be predicted.

        Parameters
        ----------
        label : str, int or other class
            Name of the class, of the same type as those in `classes_`.
        parent, attributes
            As in ``embed_class``. At least one of them must be given.

        Returns
        -------
        self : SemanticEmbedding
            This estimator, with one more class.

        Raises
        ------
        ValueError
            As in ``embed_class``. Also if there is already a class or group with this
            name.
        """
        code = self.embed_class(parent, attributes)
        if parent is None and attributes is None:
            raise ValueError(
                "A class without samples needs a parent or attributes, but neither is "
                "given."
            )
        new = _like_classes(_one_label(label), self.classes_)
        name = new.tolist()[0]
        if name in self.classes_.tolist() or name in self.groups_:
            raise ValueError(f"label must be a new name, but {name!r} already exists.")
        own = self._node(parent)[1]
        if attributes is not None:
            own = self._in_units_of_fit(attributes)
        contrast = own - self._node(parent)[1]
        at = int(np.searchsorted(self.classes_, new)[0])
        self.classes_ = np.concatenate([self.classes_[:at], new, self.classes_[at:]])
        self.label_embeddings_ = np.insert(self.label_embeddings_, at, code, axis=0)
        self._of_classes = np.insert(self._of_classes, at, own, axis=0)
        self.attribute_weights_ = np.insert(
            self.attribute_weights_, at, self._usual * contrast, axis=0
        )
        self.parents_ = {**self.parents_, name: parent}
        return self

    def _node(self, name):
        """Code and attributes of a class or group; None means the root."""
        if name is None:
            return np.zeros(self.n_components_), self._of_mean
        if isinstance(name, Hashable):
            if name in self.groups_:
                place = self.groups_.index(name)
                return self.group_embeddings_[place], self._of_groups[place]
            if name in self.classes_.tolist():
                place = self.classes_.tolist().index(name)
                return self.label_embeddings_[place], self._of_classes[place]
        raise ValueError(
            f"parent must be one of the groups {self.groups_} or a class, got {name!r}."
        )

    def _in_units_of_fit(self, attributes):
        return check_attributes_of_one(attributes, self.attribute_names_) / self._scale

    def _fitted_arrays(self):
        n, g = len(self.classes_), len(self.groups_)
        a, k = len(self.attribute_names_), self.n_components_
        return {
            **super()._fitted_arrays(),
            "group_embeddings_": (self.group_embeddings_, (g, k)),
            "attribute_embeddings_": (self.attribute_embeddings_, (a, k)),
            "attribute_weights_": (self.attribute_weights_, (n, a)),
            "_of_classes": (self._of_classes, (n, a)),
            "_of_groups": (self._of_groups, (g, a)),
            "_of_mean": (self._of_mean, (a,)),
            "_scale": (self._scale, (a,)),
            "_effects": (self._effects, (a, k)),
            "_usual": (self._usual, (a,)),
        }

    def _check_loaded(self):
        if hasattr(self, "classes_"):
            self._check_tree()
        super()._check_loaded()
        if hasattr(self, "classes_") and not (self._scale > 0).all():
            raise ValueError("its _scale of attributes is not positive")

    def _check_tree(self):
        """Raise ValueError if groups and parents from a file are not a hierarchy."""
        groups, parents = self.groups_, self.parents_
        classes = self.classes_.tolist()
        if not (
            isinstance(groups, list)
            and isinstance(parents, dict)
            and all(isinstance(group, Hashable) for group in groups)
            and len({*classes, *groups}) == len(classes) + len(groups)
            and parents.keys() == set(classes)
            and all(above in (None, *groups, *classes) for above in parents.values())
        ):
            raise ValueError(
                "its groups_ and parents_ are not a hierarchy of its classes"
            )


def _one_label(label):
    """An array (1,) of a label."""
    given = check_labels([label], "label")
    if given.shape != (1,):
        raise ValueError(f"label must be one label, got {label!r:.80}.")
    return given


def _like_classes(label, classes):
    """A label (1,) in the type of classes; text may need a longer text type."""
    if classes.dtype.kind in "US":
        is_alike, kind = label.dtype.kind == classes.dtype.kind, label.dtype
    elif classes.dtype.kind == "O":
        is_alike, kind = isinstance(label.tolist()[0], type(classes[0])), classes.dtype
    else:
        kinds = {"i": "iu", "u": "iu", "f": "iuf"}.get(
            classes.dtype.kind, classes.dtype.kind
        )
        is_alike, kind = label.dtype.kind in kinds, classes.dtype
    if not is_alike or label.astype(kind).tolist() != label.tolist():
        raise ValueError(
            f"label must be of the type of classes_, {classes.dtype}, got "
            f"{label.tolist()[0]!r}."
        )
    return label.astype(kind)
