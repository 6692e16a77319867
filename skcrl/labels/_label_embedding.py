"""Label embedding with a large-margin objective."""

import sys
from numbers import Integral, Real
from typing import Self

from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, StrOptions

from skcrl._nearest_class import MARGINS
from skcrl._typing import Metric, Rows, fit_context
from skcrl._validation import restored_on_error
from skcrl.labels._axes import Axes
from skcrl.labels._base import BaseLabelEmbedding
from skcrl.labels._learn import learned
from skcrl.labels._margins import margin_loss
from skcrl.labels._penalties import codes_penalty, map_penalty
from skcrl.labels._start import start


class LabelEmbedding(BaseLabelEmbedding):
    r"""Classifier that embeds samples and classes in one space, with a large margin.

    Use it if you want more than a prediction: the nearest classes of a sample in order,
    the samples nearest to a class, and which classes are similar. Use
    :class:`~skcrl.DeepLabelEmbedding` for networks instead of a linear map, and
    :class:`~skcrl.SemanticEmbedding` if you have a hierarchy or attributes of the
    classes.

    A sample x has the code :math:`z = W (x - \bar x)`, and a class c has the code
    :math:`u_c`. A sample is assigned to the class with the nearest code [1]_ [2]_. The
    map W and the codes U of the classes are learned together. Each sample should be
    nearer to its own class than to every other class, by a margin :math:`\alpha`. The
    objective is

    .. math:: \frac{1}{n} \sum_i \frac{1}{C - 1} \sum_{c \ne y_i}
        [\alpha + s(z_i, u_c) - s(z_i, u_{y_i})]_+
        + \lambda_1 v \|W\|_F^2 + \lambda_2 \|U\|_F^2

    with :math:`s(z, u) = -\|z - u\|^2`, or the cosine of z and u. Columns with a large
    variance have more influence: set `scale` if columns have different units.

    Parameters
    ----------
    n_components : int or None, default=None
        Dimension of the space, from 1 to n_classes - 1. None means n_classes - 1; with
        "euclidean" it is n_features if that is smaller. With "cosine", one dimension
        can separate only two classes.
    metric : {"euclidean", "cosine"}, default="euclidean"
        How codes are compared: by squared Euclidean distance, or by cosine. In our
        tests, "cosine" was better if classes had very few samples.
    margin : float or None, default=None
        The margin :math:`\alpha`, above 0. None means 1 with "euclidean", and 0.5 with
        "cosine".
    scale : bool, default=False
        Whether to divide columns by their standard deviations first. Use this if
        columns have different units, such as kilograms and metres. Do not use it for
        pixels.
    reg : float, default=0.03
        Penalty :math:`\lambda_1` on the map, at least 0. A larger penalty prevents
        overfitting. It is in units of the mean variance v of a column, so multiplying
        all of X by a number has no effect. With "cosine", the length of codes does not
        matter; the penalty is then on the map after scaling codes to a mean square of
        1.
    label_reg : float, default=1e-4
        Penalty :math:`\lambda_2` on the codes of classes, at least 0. With a larger
        penalty, classes are closer together. It has no effect with "cosine".
    max_iter : int, default=500
        Largest number of L-BFGS iterations.
    tol : float, default=1e-5
        Training stops when an iteration lowers the objective by less than `tol` times
        the margin. A margin above 1 counts as 1. If the objective is larger than 1,
        this bound is multiplied by the objective.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes, sorted.
    label_embeddings_ : ndarray of shape (n_classes, n_components)
        Codes of the classes, U.
    coef_ : ndarray of shape (n_components, n_features)
        The linear map W.
    mean_ : ndarray of shape (n_features,)
        Means of the columns, which are subtracted from samples.
    n_components_ : int
        Dimension of the space.
    n_iter_ : int
        Number of iterations.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Column names of `X`, if it was a data frame.

    See Also
    --------
    SemanticEmbedding : Label embedding with a hierarchy and attributes of the classes.
    skcrl.metrics.hit_at_k : How often the right class is among the first k.
    sklearn.discriminant_analysis.LinearDiscriminantAnalysis : Class means in a space
        where they are far apart.

    Notes
    -----
    The papers take the sum of the hinges over classes, and this class takes their mean.
    The penalties here are therefore those of the papers divided by n_classes - 1. Each
    hinge is replaced by a parabola over the first half margin above 0, so that the
    objective is smooth. Training starts from a ridge regression of the corners of a
    simplex. It uses no random numbers.

    References
    ----------
    .. [1] Bengio, Weston and Grangier (2010). Label embedding trees for large
       multi-class tasks. NeurIPS.
    .. [2] Weinberger and Chapelle (2008). Large margin taxonomy embedding with an
       application to document categorization. NIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skcrl import CrossViewRetriever, LabelEmbedding
    >>> images, labels = load_digits(return_X_y=True)
    >>> embedding = LabelEmbedding().fit(images[:1000], labels[:1000])
    >>> round(embedding.score(images[1000:], labels[1000:]), 2)
    0.93
    >>> embedding.predict_top_k(images[1000:1002], k=3)
    array([[1, 2, 3],
           [4, 6, 8]])

    Find samples that show a 4, by the label 4:

    >>> retriever = CrossViewRetriever(LabelEmbedding(), n_neighbors=5)
    >>> retriever.fit(images[:1000], labels[:1000]).fit_index(images[1000:])
    CrossViewRetriever(estimator=LabelEmbedding(), n_neighbors=5)
    >>> labels[1000:][retriever.kneighbors(y=[4], return_distance=False)]
    array([[4, 4, 4, 4, 4]])
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "metric": [StrOptions({"euclidean", "cosine"})],
        "margin": [Interval(Real, 0, sys.float_info.max, closed="right"), None],
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
        metric: Metric = "euclidean",
        margin: float | None = None,
        scale: bool = False,
        reg: float = 0.03,
        label_reg: float = 1e-4,
        max_iter: int = 500,
        tol: float = 1e-5,
    ):
        self.n_components = n_components
        self.metric = metric
        self.margin = margin
        self.scale = scale
        self.reg = reg
        self.label_reg = label_reg
        self.max_iter = max_iter
        self.tol = tol

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Rows, y: Rows, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the map of samples and the codes of classes.

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
        self : LabelEmbedding
            Fitted estimator.

        Raises
        ------
        ValueError
            If samples or classes are not valid, there is only one class, or
            `n_components` is too large. The estimator then stays as it was before.
        """
        with restored_on_error(self):
            X, own, weights = self._checked(X, y, sample_weight)
            k = self._check_n_components()
            axes = Axes.of(X, weights, self.scale)
            margin = MARGINS[self.metric] if self.margin is None else self.margin

            def objective(Q, U):
                codes = axes.coordinates @ Q.T
                loss, by_codes, by_U = margin_loss(
                    codes, U, own, axes.weights, self.metric, margin
                )
                of_map, by_Q = map_penalty(Q, axes, self.reg, self.metric)
                of_codes, penalty_by_U = codes_penalty(U, self.label_reg, self.metric)
                return (
                    loss + of_map + of_codes,
                    by_codes.T @ axes.coordinates + by_Q,
                    by_U + penalty_by_U,
                )

            found = learned(
                objective,
                start(axes, own, len(self.classes_), k),
                self.max_iter,
                self.tol * min(1, margin),
            )
            Q, U = found.arrays
            self._keep(axes, Q, U, margin)
            self.n_iter_ = found.n_iter
            self._warn_unless(found.converged)
        return self
