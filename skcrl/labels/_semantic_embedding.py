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
        Name of the group or class above it, None below the root.
    attributes : dict of str to float
        What tells the class from its parent, the largest first: the coefficient of an
        attribute, negative if the class has less of it than its parent.
    """

    parent: Any
    attributes: dict[str, float]


class SemanticEmbedding(BaseLabelEmbedding):
    r"""Label embedding that knows groups and attributes of the classes.

    Unified semantic embedding [1]_: samples, classes, groups of classes and attributes
    all have codes in one space. A sample is to be nearer to its own class than to
    others, as in :class:`~skcrl.LabelEmbedding`, and nearer to the groups of its class
    than to their siblings; and the code of a class is to be close to the code of its
    parent plus those of a few attributes,

    .. math:: u_c \approx u_{p(c)} + \sum_j \beta_{cj} d_{cj} a_j, \qquad
        \beta_{cj} \ge 0, \quad \|a_j\| \le 1

    where :math:`d_{cj}` is how much more the class c has of attribute j than its parent
    has. Use it where classes have few samples, where a mistake within a group is better
    than one beyond it, for classes without any sample (``add_class``), or to see what
    makes a class (``explain``).

    Parameters
    ----------
    n_components : int or None, default=None
        Dimension of the space, from 1 to the number of classes less one. None stands
        for that number, or for the number of features if that is smaller.
    hierarchy : mapping or None, default=None
        The parent of each class, and the parent of each such parent; or, for each
        class, a list of all groups above it, the topmost first. A class or group whose
        parent is None is below the root; each class must be named.
    attributes : data frame or array (n_classes, n_attributes) or None, default=None
        How much of each attribute a class has, such as 0 and 1: a data frame whose
        index are the classes, or an array in the order of the sorted classes. A group
        has the mean of its classes. Each attribute is scaled so that its largest
        difference from its mean is 1. Take a frame for cross-validation, where a fold
        may lack a class. ``save`` cannot store a frame: first call
        ``set_params(attributes=frame.loc[model.classes_].to_numpy())``.
    margin : float, default=1.0
        Margin of squared distances, above 0.
    group_weight : float, default=8.0
        Weight of the margins between groups, not negative.
    attribute_weight : float, default=0.03
        Weight of the margins of attributes, not negative: a sample is to be nearer to
        an attribute of its class than to the opposite of it.
    relation_weight : float, default=0.003
        Weight w of the squared distance of classes from what they are made of, not
        negative. The larger, the more alike are the classes of a group.
    exclusivity : float, default=0.1
        Penalty on coefficients of attributes, not negative. It counts sums of the
        coefficients of siblings, so that higher values make siblings use different
        attributes.
    scale : bool, default=False
        Whether columns are divided by their deviations first, as in LabelEmbedding.
    reg : float, default=0.01
        Penalty on the map of samples, not negative, as in LabelEmbedding.
    label_reg : float, default=1e-5
        Penalty on codes of classes and groups, not negative.
    max_iter : int, default=1000
        Iterations of L-BFGS over all rounds of the alternation, at most.
    tol : float, default=1e-5
        Training ends where an iteration, and in the end a round of the alternation,
        lowers the objective by less than this share of the margin, or of 1 or the
        objective if they are less or more than it.

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
        The parent of each class, None below the root.
    attribute_names_ : ndarray of str of shape (n_attributes,)
        Names of the attributes.
    attribute_embeddings_ : ndarray of shape (n_attributes, n_components)
        Codes of the attributes, none longer than 1.
    attribute_weights_ : ndarray of shape (n_classes, n_attributes)
        Coefficients with their signs, :math:`\beta_{cj} d_{cj}`.
    coef_ : ndarray of shape (n_components, n_features)
        The linear map of samples.
    mean_ : ndarray of shape (n_features,)
        Means of the columns, from which samples are counted.
    objective_ : ndarray of shape (n_steps,)
        The objective after each step of the alternation; it never rises.
    n_components_ : int
        Dimension of the space.
    n_iter_ : int
        Iterations that were made; a round without any counts as one.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Column names of `X`, if it was a data frame.

    See Also
    --------
    LabelEmbedding : The same without hierarchy and attributes.
    skcrl.metrics.hierarchical_precision_at_k : Gives credit for near mistakes.

    Notes
    -----
    The objective is the mean over samples of the margins of LabelEmbedding; plus, times
    `group_weight`, for each group above a sample the mean hinge over the siblings of
    that group; plus, times `attribute_weight`, the mean over attributes of
    :math:`|e_j| [\alpha + \|z - s_j a_j\|^2 - \|z + s_j a_j\|^2]_+`, where
    :math:`e_j` is the difference of the class from a mean class and :math:`s_j` its
    sign; plus penalties; plus

    .. math:: \frac{w}{C} \sum_c \Bigl( \|u_c - u_{p(c)} - \sum_j \beta_{cj} d_{cj}
        a_j\|^2 + \gamma \|\beta_c\|^2 + \frac{\gamma}{2} \sum_{o \ne c}
        \|\beta_c + \beta_o\|^2 \Bigr)

    over classes and groups c with a parent, and their siblings o. Where there are
    attributes, the parent of classes below the root is the origin, which is the code of
    a mean sample.

    The lecture that this follows leaves open how attributes meet samples, the sign of
    coefficients, and the optimiser. Here coefficients are not negative, so that the
    price above makes them sparse, and the given attributes have the sign: a class that
    lacks what its siblings have is its parent less that attribute. Map and codes are
    learned by L-BFGS, coefficients by non-negative least squares, one node after the
    other, in turn; nothing is random.

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
            Their classes, two or more.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            How often each sample counts.

        Returns
        -------
        self : SemanticEmbedding
            Fitted estimator.

        Raises
        ------
        ValueError
            If samples or classes are no valid input, there is one class alone,
            `n_components` is beyond its bound, or hierarchy or attributes are not what
            they must be. The estimator is then as it was before.
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
                        f"hierarchy must name each class, got no {name!r}: give it the "
                        "parent None if it is below the root."
                    )
        return tree

    def _attributes_of_classes(self):
        if self.attributes is None:
            return np.zeros((len(self.classes_), 0)), np.array([], dtype=object)
        return check_attributes(self.attributes, self.classes_)

    def _relation(self, tree, attributes):
        counted = tree.parents >= 0
        if len(attributes.names):  # to which the origin adds what a class has of them
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
        """Learn map and codes, then coefficients, in turn; nothing ever rises."""
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
        # What an attribute weighs in a class of which nothing else is known.
        squares = relation.contrasts**2
        total = squares.sum(axis=0)
        self._usual = (squares * beta).sum(axis=0) / np.where(total > 0, total, 1)

    def explain(self, label: Hashable) -> Explanation:
        """What a class is made of: its parent, and the attributes that tell it apart.

        Parameters
        ----------
        label : str, int or other class
            One of `classes_`.

        Returns
        -------
        explanation : Explanation
            Named tuple of `parent`, and `attributes`, a dict of the coefficients that
            are not 0, largest first; one is negative where the class has less of the
            attribute than its parent, or than a mean class where it has no parent.
            Those of a class that was added are what attributes weigh in the classes of
            ``fit`` on average.

        Raises
        ------
        ValueError
            If `label` is none of `classes_`.
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
        """Code of a class that no sample was seen of.

        It is the code of its parent, and what its attributes add to codes in ``fit``:
        the ridge regression of codes of classes, less those of their parents, on how
        they differ from their parents. Coefficients and attribute codes, of which
        each class of ``fit`` has its own few, say less of a class without samples.

        Parameters
        ----------
        parent : str, int or other class or group, or None, default=None
            One of `groups_` or `classes_`; None for a class below the root.
        attributes : series or array of shape (n_attributes,), or None, default=None
            What the class has of each attribute, in the units of ``fit``. A series is
            read by its labels. None stands for what its parent has.

        Returns
        -------
        u : ndarray of shape (n_components_,)
            Code, to be compared with those of samples.

        Raises
        ------
        ValueError
            If the parent is unknown, or attributes are not as many as in ``fit``.
        """
        check_is_fitted(self)
        of_parent, its_attributes = self._node(parent)
        if attributes is None:
            return of_parent.copy()
        if not len(self.attribute_names_):
            raise ValueError(
                "attributes are given of a class, and there were none in fit: fit with "
                "attributes, or give the parent alone."
            )
        contrast = self._in_units_of_fit(attributes) - its_attributes
        code = of_parent + contrast @ self._effects
        if not np.isfinite(code).all():
            raise ValueError(
                "attributes are so large that the code is not finite: give them in the "
                "units of fit."
            )
        return code

    def add_class(
        self, label: Hashable, parent: Hashable | None = None, attributes: Any = None
    ) -> Self:
        """Let a class be predicted that no sample was seen of.

        Parameters
        ----------
        label : str, int or other class
            Its name, of the type of those in `classes_`.
        parent, attributes
            As ``embed_class`` takes them.

        Returns
        -------
        self : SemanticEmbedding
            This estimator, which knows one class more.

        Raises
        ------
        ValueError
            As in ``embed_class``, and if the class or a group of that name is known
            already.
        """
        code = self.embed_class(parent, attributes)
        if parent is None and attributes is None:
            raise ValueError(
                "A class without samples needs a parent or attributes, got neither."
            )
        new = _like_classes(_one_label(label), self.classes_)
        name = new.tolist()[0]
        if name in self.classes_.tolist() or name in self.groups_:
            raise ValueError(f"label must be a new name, got {name!r}, which is known.")
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
        """Code and attributes of a class or group, of the root for None."""
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
        """Raise ValueError for groups and parents from a file that are no hierarchy."""
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
            raise ValueError("its groups_ and parents_ are no hierarchy of its classes")


def _one_label(label):
    """An array (1,) of a label."""
    given = check_labels([label], "label")
    if given.shape != (1,):
        raise ValueError(f"label must be one label, got {label!r:.80}.")
    return given


def _like_classes(label, classes):
    """A label (1,) in the type of classes, of texts in one that holds it."""
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
