"""Samples and class labels in one space, by networks and a max margin."""

from collections.abc import Callable
from math import prod
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skcrl._arrays import untensored
from skcrl._labels import check_classes_of_rows, class_numbers
from skcrl._nearest_class import MARGINS, NearestClassMixin, learned_classes
from skcrl._typing import (
    Activation,
    File,
    Metric,
    Optimizer,
    Rows,
    Schedule,
    Seed,
    fit_context,
)
from skcrl._validation import check_loaded, check_loaded_integers, check_view
from skcrl._views import check_paired
from skcrl.deep._base import TRAINING_CONSTRAINTS, BaseDeep
from skcrl.deep._learned import warn_of_constant_codes
from skcrl.deep._loaded import is_dataset
from skcrl.deep._users_modules import try_module
from skcrl.deep.losses import label_margins
from skcrl.deep.modules import LabelEmbeddingModule
from skcrl.deep.modules._hidden_layers import hidden_layers, is_pair


class DeepLabelEmbedding(NearestClassMixin, BaseDeep):
    r"""Classifier that embeds samples and class labels in one space by networks.

    Samples go through a network to codes z, and each class c has an embedding
    :math:`u_c` among them. Both are learned by max margin: a sample of class y costs
    :math:`\sum_{c \neq y} [\alpha + s_c - s_y]_+` [1]_ with the score
    :math:`s_c = -\|z - u_c\|^2`, or the cosine of z and :math:`u_c`. It is given the
    class of the highest score.

    Parameters
    ----------
    n_components : int or None, default=None
        Width of the space. None stands for the number of classes, or of features if
        these are fewer; with an `encoder` for the number of classes.
    hidden_layer_sizes : sequence of int, default=(500,)
        Hidden layers of the dense encoder. With () it is linear. Sparse samples are not
        made dense for it.
    activation : str, default="relu"
        After each hidden layer: one of "identity", "relu", "leaky_relu", "elu",
        "sigmoid", "tanh" and "cube_root". The codes are linear.
    metric : {"euclidean", "cosine"}, default="euclidean"
        Which score a class has. Cosines were better on pictures of digits; by them one
        dimension tells no more than two classes apart.
    margin : float or None, default=None
        Margin :math:`\alpha`, positive. None stands for 1 with ``metric="euclidean"``
        and for 0.5 with ``metric="cosine"``.
    violators : {"all", "warp"}, default="all"
        Whether a sample costs the sum over all classes that violate the margin, or
        WARP, the mean over them times :math:`L(r) = \sum_{j=1}^r 1 / j` if they are r
        [2]_: where there are many classes, the first ranks then count more. See
        ``skcrl.deep.losses.label_margins``.
    input_dropout : float in [0, 1), default=0.2
        Share of the entries of the samples that is set to 0 while training, which keeps
        networks from fitting noise. Integers are left alone.
    encoder : nn.Module or None, default=None
        Encoder (n_samples, ...) -> (n_samples, n_components) to train, from the weights
        it comes with, in place of the dense one. It is copied. Samples may have any
        shape then, and integers, such as tokens, stay integers.
    optimizer : str, default="adam"
        "adam", "adamw", "sgd", "rmsprop", which decays by 0.9, "nesterov", which is SGD
        with momentum 0.9, or "lbfgs". The last takes all samples as one batch; an epoch
        is then up to 20 iterations with line search, from a first step of `lr`, for
        which 1 is usual.
    lr : float, default=5e-3
        Learning rate.
    lr_schedule : {"constant", "one_cycle", "refine"} or None, default=None
        "one_cycle" raises the rate from `lr` / 25 to `lr` and lets it fall to nothing,
        over the epochs of one ``fit``. "refine" stops early, but where that would end
        the training, it goes back to the best weights and on with a tenth of the rate
        and a fifth of the patience, three times. None stands for "refine" where
        training stops early, else for "constant".
    weight_decay : float, default=0.0
        Penalty on squared weights and embeddings, as the optimiser understands it.
    gradient_clip : float or None, default=None
        Norm of the gradient beyond which it is scaled down to that norm.
    standardize : bool, default=True
        Whether the network sees columns of mean 0 and deviation 1, or less for a column
        with values further than 4 deviations from its mean. Sparse samples, and those
        for an `encoder` of yours, are taken as they come.
    augment : callable (x, y, generator) -> (x, y) or None, default=None
        Changes each training batch at random, such as
        :class:`skcrl.deep.augment.RandomShift`. `x` is a tensor of samples, float32 or
        of integers, in your units and dense, `y` a column of the positions of their
        classes in `classes_`; both come back in the same shapes. `generator` is a
        ``torch.Generator`` on their device, seeded by `random_state`, the epoch and the
        batch. Validation and ``transform`` see the data themselves.
    batch_size : int or None, default=None
        Fewest rows of a batch; a short last batch is shared out among the others. None
        stands for 100.
    micro_batch_size : int or None, default=None
        Rows that go through the network at once in training; None stands for the whole
        batch. The gradient is that of the whole batch, computed in two passes with the
        memory of a few rows, and the network computes twice. Layers of yours that look
        along the batch, such as batch normalisation, see these rows alone.
    max_epochs : int or None, default=None
        Passes over the data, at most. With None, training ends by itself, but for
        ``lr_schedule="one_cycle"``: by early stopping if there are 1,000 rows or more,
        and 100 or more for each component, or if it is asked for; else where the loss
        hardly falls any more, as `tol` says. It ends at the latest after 30 epochs or
        1,000 batches, 300 with fewer rows, whichever is more.
    tol : float, default=0.02
        Least gain that counts, as a share of all that was gained since the first epoch.
        With ``max_epochs=None`` and without early stopping, training ends where the
        mean loss of 20 steps, or of an epoch if that is longer, is not lower by as much
        than that of the 20 before. Early stopping counts an epoch as better if it gains
        more. Training that reaches its last epoch with the loss still falling by more
        gives a ``ConvergenceWarning``, but for ``lr_schedule="one_cycle"``. With 0 any
        gain counts for early stopping; otherwise training goes on to the last epoch,
        without a warning.
    validation_fraction : float or None, default=None
        Share of the samples set aside to watch the objective on. None stands for 0.1
        with early stopping, else for none. ``fit`` takes a validation set of yours, as
        `validation`, instead.
    early_stopping : bool or None, default=None
        Keep the best weights, and stop, or refine as `lr_schedule` says, after
        `n_iter_no_change` epochs without a better validation objective. None stops
        early with ``lr_schedule="refine"``, and, but for ``lr_schedule="one_cycle"``,
        where `max_epochs` is None and either ``fit`` was given `validation`, or there
        are enough rows and `validation_fraction` is not 0.
    n_iter_no_change : int, default=5
        Patience of early stopping, in epochs.
    monitor : {"loss", "score"}, default="loss"
        Validation figure that early stopping goes by: the objective, or the accuracy.
    callbacks : list of skorch callbacks or None, default=None
        Called while training. They are never copied: clones share them.
    device : str, default="cpu"
        Where to train and encode, such as "cuda".
    mixed_precision : bool, default=False
        Whether the network computes in bfloat16 where torch deems that safe. The scores
        and the objective are computed in full precision.
    compile : bool, default=False
        Whether torch compiles the network, which takes up to a minute and needs a C++
        compiler.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the fitted weights.
    random_state : int, RandomState instance or None, default=None
        Source of the initial weights, the validation samples, the batches and the
        dropout. With None every fit differs. No global generator is read or changed,
        but by modules of yours that draw while they run, such as ``nn.Dropout``.
    verbose : int, default=0
        From 1 on, print a line an epoch; from 2 on, also show a bar of the batches of
        the epoch on standard error, where that is a terminal.
    checkpoint : str, path-like or None, default=None
        File to keep the training in, whole at any moment. ``fit`` with the same
        parameters on the same data goes on from it, and ends bit for bit as if never
        interrupted; any other ``fit`` is refused. Not with `warm_start`.
    checkpoint_every : int, default=1
        Epochs from one writing of it to the next. Each writes the weights and the state
        of the optimiser and waits for the disk: raise it where the network is large and
        epochs short.
    net_params : dict or None, default=None
        Further parameters of the skorch net: names that begin with ``optimizer__``,
        ``iterator_train__`` or ``iterator_valid__``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, in order.
    label_embeddings_ : ndarray of shape (n_classes, n_components)
        Embeddings of the classes.
    n_components_ : int
        Width of the space.
    net_ : TwoViewNet
        The trained skorch net.
    history_ : list of dict
        Losses and times, one dict an epoch.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Width of the samples.
    feature_names_in_ : ndarray of str
        Column names of the samples, if they were a data frame.

    See Also
    --------
    CrossViewRetriever : Finds samples by a label, among the codes of both.

    Notes
    -----
    The network is trained in float32. Each sample is compared with all classes, so that
    memory is taken for a score of each class and each row of a batch.

    References
    ----------
    .. [1] Weinberger and Chapelle (2008). Large margin taxonomy embedding with an
       application to document categorization. NIPS.
    .. [2] Weston, Bengio and Usunier (2011). WSABIE: scaling up to large vocabulary
       image annotation. IJCAI.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.model_selection import train_test_split
    >>> from skcrl import CrossViewRetriever, DeepLabelEmbedding
    >>> images, labels = load_digits(return_X_y=True)
    >>> X, X_test, y, y_test = train_test_split(images, labels, random_state=0)
    >>> embedding = DeepLabelEmbedding(metric="cosine", random_state=0).fit(X, y)
    >>> embedding.score(X_test, y_test) > 0.97
    True
    >>> embedding.predict_top_k(X_test[:2], k=3).shape
    (2, 3)

    Images of a class are found by its label:

    >>> retriever = CrossViewRetriever(FrozenEstimator(embedding), n_neighbors=3)
    >>> found = retriever.fit(X, y).fit_index(X_test).kneighbors(y=[7])
    >>> y_test[found[1]]
    array([[7, 7, 7]])
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        **TRAINING_CONSTRAINTS,
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "metric": [StrOptions(set(MARGINS))],
        "margin": [Interval(Real, 0, None, closed="neither"), None],
        "violators": [StrOptions({"all", "warp"})],
        "input_dropout": [Interval(Real, 0, 1, closed="left")],
        "encoder": [nn.Module, None],
    }

    def __init__(
        self,
        n_components: int | None = None,
        *,
        hidden_layer_sizes: Any = (500,),
        activation: Activation = "relu",
        metric: Metric = "euclidean",
        margin: float | None = None,
        violators: Literal["all", "warp"] = "all",
        input_dropout: float = 0.2,
        encoder: nn.Module | None = None,
        optimizer: Optimizer = "adam",
        lr: float = 5e-3,
        lr_schedule: Schedule | None = None,
        weight_decay: float | None = 0.0,
        gradient_clip: float | None = None,
        standardize: bool = True,
        augment: Callable[..., Any] | None = None,
        batch_size: int | None = None,
        micro_batch_size: int | None = None,
        max_epochs: int | None = None,
        tol: float = 0.02,
        validation_fraction: float | None = None,
        early_stopping: bool | None = None,
        n_iter_no_change: int = 5,
        monitor: Literal["loss", "score"] = "loss",
        callbacks: list[Any] | None = None,
        device: str = "cpu",
        mixed_precision: bool = False,
        compile: bool = False,
        warm_start: bool = False,
        random_state: Seed = None,
        verbose: int = 0,
        checkpoint: File | None = None,
        checkpoint_every: int = 1,
        net_params: dict[str, Any] | None = None,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.metric = metric
        self.margin = margin
        self.violators = violators
        self.input_dropout = input_dropout
        self.encoder = encoder
        self.optimizer = optimizer
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.gradient_clip = gradient_clip
        self.standardize = standardize
        self.augment = augment
        self.batch_size = batch_size
        self.micro_batch_size = micro_batch_size
        self.max_epochs = max_epochs
        self.tol = tol
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.monitor = monitor
        self.callbacks = callbacks
        self.device = device
        self.mixed_precision = mixed_precision
        self.compile = compile
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.net_params = net_params

    # Whether the encoder of the user's looked integers up in fit, by "x".
    _integers: dict[str, bool] = {}  # noqa: RUF012

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Rows,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        validation: Any = None,
    ) -> Self:
        """Train on samples and their classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples, perhaps sparse or a map of a file, which is not copied; of any
            shape for an encoder of yours.
        y : array-like of shape (n_samples,)
            Labels: texts, numbers or dates, of two classes at least.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            How many samples each row stands for, not negative; None is one each. Whole
            numbers mean repeated rows: in one batch, as of "lbfgs", exactly; in
            several, on average.
        validation : (X, y) pair of samples and labels or None, default=None
            A validation set of yours, of classes that are in `y`. It takes the place of
            a `validation_fraction`: all of `X` is trained on, and early stopping and
            `monitor` go by these rows.

        Returns
        -------
        self : DeepLabelEmbedding
            Fitted estimator; with ``warm_start=True``, trained on from where it was,
            on samples of the classes that it knows, and if `checkpoint` names a file,
            from where that is.

        Raises
        ------
        ValueError
            If samples, labels, weights, the validation set or the parameters do not fit
            together, all labels are of one class, or `checkpoint` names a file of
            another training or none of skcrl's. As after any error and
            KeyboardInterrupt, the estimator is then as it was before.
        FloatingPointError
            If training diverges.
        """
        self._refuse_datasets(X, y, validation)
        return self._fit(X, y, sample_weight, validation=validation)

    @property
    def label_embeddings_(self) -> np.ndarray:
        """Embeddings of the classes, in the order of `classes_`."""
        return self.net_.module_.label_embeddings.detach().cpu().numpy().copy()

    def _codes(self, X):
        return self._evaluated("encode", X)

    def _scores(self, X):
        return untensored(self._evaluated("scores", X))

    def _evaluated(self, method, X):
        """What a method of the network makes of samples."""
        check_is_fitted(self)
        return self.net_.evaluate(method, self._samples(X), side="x")

    def _samples(self, X, reset=False):
        self._refuse_datasets(X)
        return check_view(self, X, "x", reset=reset)

    def _labels(self, y):
        self._refuse_datasets(y)
        return check_classes_of_rows(y)

    def _refuse_datasets(self, *given):
        if any(map(is_dataset, given)):
            raise ValueError(
                f"{type(self).__name__} takes no torch Dataset, which does not say "
                "beforehand what classes there are: pass samples and labels as arrays, "
                "which may be maps of files, as numpy.load(path, mmap_mode='r') gives."
            )

    def _check_views(self, X, y, reset):
        self._require_labels(y)
        view = self._samples(X, reset)
        check_paired(X, y)
        labels = self._labels(y)
        if reset:
            self.classes_ = learned_classes(labels, self)
        return view, class_numbers(labels, self.classes_, "y")[:, None]

    def _check_pair(self, X, y):
        return self._check_views(X, y, reset=False)

    @property
    def _n_codes(self):
        if self.n_components is not None:
            return self.n_components
        n_classes = len(self.classes_)
        if self.encoder is not None:
            return n_classes
        return min(self.n_features_in_, n_classes)

    @property
    def _min_batch_rows(self):
        return 1

    def _takes_any_shape(self, side):
        return self.encoder is not None

    def _keeps_integers(self, side):
        return self.encoder is not None

    def _has_own_module(self, side):
        return side == "y" or self.encoder is not None

    def _check_parameters(self):
        if is_pair(self.hidden_layer_sizes):
            raise ValueError(
                "hidden_layer_sizes must hold positive integers, of the one encoder, "
                f"got {self.hidden_layer_sizes!r}."
            )

    def _module(self, plan):
        hidden = hidden_layers(self.hidden_layer_sizes)["x"]
        return LabelEmbeddingModule, {
            "widths": (prod(self._sample_shapes["x"]), *hidden),
            "n_components": self._n_codes,
            "n_classes": len(self.classes_),
            "activation": self.activation,
            "metric": self.metric,
            "encoder": self.encoder,
            "input_dropout": self.input_dropout,
        }

    def _objective(self):
        margin = MARGINS[self.metric] if self.margin is None else self.margin
        return label_margins, {"margin": margin, "violators": self.violators}

    def _check_net(self, net, X, y):
        if self.encoder is not None:
            try_module(net, "encode", "encoder", X, "x", (self._n_codes,))

    def _held_out_score(self, net, train, valid):
        right = [
            net.evaluate("scores", x, side="x").argmax(axis=1) == y[:, 0]
            for x, y, _ in valid.blocks()
        ]
        share = np.average(np.concatenate(right), weights=valid.complete_weights())
        return float(share)

    def _warn_of_nothing_learned(self, X, y):
        codes = self.net_.evaluate("encode", X, side="x")
        warn_of_constant_codes(self, {"X": X}, {"X": codes})

    def _check_loaded(self):
        if not any(name.endswith("_") for name in vars(self)):
            return  # it is not fitted
        self._check_loaded_net()
        check_loaded(self._fitted_arrays())
        check_loaded_integers(self._integers)
        self._check_classes(self.net_.get_params_for("module")["n_classes"])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self._accepts_sparse
        return tags
