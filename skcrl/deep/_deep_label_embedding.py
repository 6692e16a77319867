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
    r"""Classifier that embeds samples and class labels in one space with a network.

    Use it for many classes, or to search samples by their labels. A network maps
    samples to codes z, and each class c has an embedding :math:`u_c` in the same space.
    Both are learned with a maximum margin: a sample of class y has the loss
    :math:`\sum_{c \neq y} [\alpha + s_c - s_y]_+` [1]_, where the score :math:`s_c` is
    :math:`-\|z - u_c\|^2` or the cosine of z and :math:`u_c`. The predicted class is
    the one with the highest score.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of components: the width of the space. None means the number of classes,
        or the number of features if there are fewer; with an `encoder` of your own it
        means the number of classes.
    hidden_layer_sizes : sequence of int, default=(500,)
        Widths of the hidden layers of the dense encoder. With () the encoder is linear.
        Sparse samples are not made dense for it.
    activation : str, default="relu"
        Activation function after each hidden layer: "identity", "relu", "leaky_relu",
        "elu", "sigmoid", "tanh" or "cube_root". The codes are linear.
    metric : {"euclidean", "cosine"}, default="euclidean"
        Which score a class has: minus the squared Euclidean distance, or the cosine.
        Cosines classified pictures of digits better. With a single component, cosines
        can separate two classes only.
    margin : float or None, default=None
        Positive margin :math:`\alpha` by which the score of the right class should
        exceed the others. None means 1 with ``metric="euclidean"`` and 0.5 with
        ``metric="cosine"``.
    violators : {"all", "warp"}, default="all"
        How the classes that violate the margin are combined. "all" sums over them.
        "warp" takes their mean times :math:`L(r) = \sum_{j=1}^r 1 / j`, where r is
        their number [2]_; with many classes this gives more weight to the first ranks.
        See ``skcrl.deep.losses.label_margins``.
    input_dropout : float in [0, 1), default=0.2
        Fraction of the entries of the samples that is set to 0 at random during
        training. This keeps networks from fitting noise. Integers are not changed.
    encoder : nn.Module or None, default=None
        Encoder of your own, in place of the dense one. It maps (n_samples, ...) to
        (n_samples, n_components). It is copied, and the copy is trained from the
        weights that it comes with. Samples may then have any shape, and integers, such
        as tokens, stay integers.
    optimizer : str, default="adam"
        Name of the optimiser: "adam", "adamw", "sgd", "rmsprop" (with decay 0.9),
        "nesterov" (SGD with Nesterov momentum 0.9) or "lbfgs". L-BFGS uses all samples
        as one batch. One epoch is then up to 20 iterations with a line search, and `lr`
        is the length of the first step, usually 1.
    lr : float, default=5e-3
        Learning rate. Larger values train faster, but training may diverge.
    lr_schedule : {"constant", "one_cycle", "refine"} or None, default=None
        How the learning rate changes. "constant" keeps it at `lr`. "one_cycle" raises
        it from `lr` / 25 to `lr` and then lowers it to almost 0, over the epochs of one
        ``fit``. "refine" uses early stopping, but when training would stop, it goes
        back to the best weights and continues with a tenth of the learning rate and a
        fifth of `n_iter_no_change`; it does this three times. None means "refine" if
        training stops early, otherwise "constant".
    weight_decay : float, default=0.0
        L2 penalty on the weights and the embeddings, as the optimiser defines it.
        Larger values reduce overfitting.
    gradient_clip : float or None, default=None
        Largest norm that the gradient may have. A gradient with a larger norm is scaled
        down to this norm. With None gradients are not clipped.
    standardize : bool, default=True
        Whether to standardise the columns of the samples for the network: to mean 0 and
        standard deviation 1, or to a smaller deviation for a column with values further
        than 4 standard deviations from its mean. Sparse samples, and samples for an
        `encoder` of your own, are not standardised.
    augment : callable (x, y, generator) -> (x, y) or None, default=None
        Function that changes each training batch at random, such as
        :class:`skcrl.deep.augment.RandomShift`. `x` is a dense tensor of samples, in
        the original units, of float32 or of integers; `y` is a column with the
        positions of their classes in `classes_`. The function returns two tensors of
        the same shapes. `generator` is a ``torch.Generator`` on the device of the
        tensors, seeded by `random_state`, the epoch and the batch. Validation and
        ``transform`` use the data as they are.
    batch_size : int or None, default=None
        Smallest number of rows in a batch. If the last batch would have fewer, its rows
        are distributed among the other batches. None means 100.
    micro_batch_size : int or None, default=None
        Number of rows that go through the network at once during training; None means
        the whole batch. Choose a smaller number to save memory. The gradient remains
        that of the whole batch: it is computed in two passes, so the network computes
        twice. Layers of your own that compute across the rows of a batch, such as batch
        normalisation, see only these rows.
    max_epochs : int or None, default=None
        Largest number of passes over the training data. With None, training decides by
        itself when to end, unless ``lr_schedule="one_cycle"``. It stops early if
        `early_stopping` is True, or if there are at least 1,000 rows and at least 100
        for each component. Otherwise it ends when the loss hardly decreases any more,
        as `tol` defines. At the latest it ends after 30 epochs or after 1,000 batches
        (300 batches if there are fewer rows), whichever is longer.
    tol : float, default=0.02
        Smallest decrease of the loss that counts as progress, as a fraction of the
        whole decrease since the first epoch. With ``max_epochs=None`` and without early
        stopping, training ends when the mean loss of the last 20 steps (or of the last
        epoch, if that is longer) is not lower by at least this much than that of the 20
        steps before. With early stopping, an epoch counts as better only if it gains
        more than this. If the loss is still falling by more than this in the last
        epoch, a ``ConvergenceWarning`` is raised, unless ``lr_schedule="one_cycle"``.
        With 0, early stopping counts any gain; without early stopping, training
        continues to the last epoch and gives no warning.
    validation_fraction : float or None, default=None
        Fraction of the samples that is set aside for validation. None means 0.1 with
        early stopping, otherwise 0. To use a validation set of your own, pass it to
        ``fit`` as `validation`.
    early_stopping : bool or None, default=None
        Whether to stop training after `n_iter_no_change` epochs without a better
        validation objective, and to keep the best weights. With
        ``lr_schedule="refine"`` training is refined at that point before it stops. None
        means True with ``lr_schedule="refine"`` and False with "one_cycle". With the
        other schedules it means True if `max_epochs` is None and either ``fit`` was
        given `validation`, or there are enough rows (see `max_epochs`) and
        `validation_fraction` is not 0.
    n_iter_no_change : int, default=5
        Patience: the number of epochs without improvement after which early stopping
        ends the training.
    monitor : {"loss", "score"}, default="loss"
        Quantity that early stopping compares on the validation set: the objective
        ("loss") or the accuracy ("score").
    callbacks : list of skorch callbacks or None, default=None
        skorch callbacks, which are called during training. They are not copied: clones
        of the estimator share them.
    device : str, default="cpu"
        Device for training and encoding, such as "cpu" or "cuda".
    mixed_precision : bool, default=False
        Whether the network computes in bfloat16 where torch considers this safe. The
        scores and the objective are always computed in full precision.
    compile : bool, default=False
        Whether torch compiles the network. Compilation takes up to a minute and needs a
        C++ compiler.
    warm_start : bool, default=False
        Whether ``fit`` continues from the fitted weights instead of starting anew.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, of the choice of validation samples, of the batches
        and of the dropout. Pass an int to get the same result at each fit; with None
        every fit differs. Global random generators are neither read nor changed, except
        by modules of your own that draw random numbers while they run, such as
        ``nn.Dropout``.
    verbose : int, default=0
        With 1 or more, one line is printed per epoch. With 2 or more, a progress bar
        over the batches of the epoch is also shown on standard error, if that is a
        terminal.
    checkpoint : str, path-like or None, default=None
        File that keeps the state of the training. It is complete at any moment. If
        training is interrupted, ``fit`` with the same parameters and the same data
        continues from this file and gives exactly the result of an uninterrupted
        training. Any other ``fit`` is refused. It cannot be combined with `warm_start`.
    checkpoint_every : int, default=1
        Number of epochs between two writes of `checkpoint`. Each write saves the
        weights and the state of the optimiser and waits for the disk, so choose a
        larger number where networks are large and epochs are short.
    net_params : dict or None, default=None
        Further parameters of the skorch net. Their names begin with ``optimizer__``,
        ``iterator_train__`` or ``iterator_valid__``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    label_embeddings_ : ndarray of shape (n_classes, n_components)
        Embeddings of the classes.
    n_components_ : int
        Number of components.
    net_ : TwoViewNet
        The trained skorch network.
    history_ : list of dict
        Losses and times, one dict per epoch.
    n_iter_ : int
        Number of epochs trained.
    n_features_in_ : int
        Number of features of the samples.
    feature_names_in_ : ndarray of str
        Column names of the samples, if they came as a data frame.

    See Also
    --------
    CrossViewRetriever : Finds samples by their label.

    Notes
    -----
    The network is trained in float32. Each sample is compared with all classes, so the
    memory needed grows with the number of classes times the rows of a batch.

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

    # Whether the user's encoder looked integers up in fit, under the key "x".
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
            Samples. They may be sparse, or a memory-mapped file, which is not copied.
            With an encoder of your own they may have any shape.
        y : array-like of shape (n_samples,)
            Labels: strings, numbers or dates, of at least two classes.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row, not negative: a row of weight w counts as w samples.
            None means 1 for each row. With whole numbers the result is that of repeated
            rows: exactly if all rows are in one batch, as with "lbfgs"; on average if
            there are several batches.
        validation : (X, y) pair of samples and labels or None, default=None
            A validation set of your own, with classes that are in `y`. It replaces
            `validation_fraction`: training uses all of `X`, and early stopping and
            `monitor` use the validation set.

        Returns
        -------
        self : DeepLabelEmbedding
            Fitted estimator. With ``warm_start=True`` training continued from the
            fitted state, with the classes known there. If the file of `checkpoint`
            exists, training continued from there.

        Raises
        ------
        ValueError
            If samples, labels, weights, the validation set or the parameters do not fit
            together, if all labels are of one class, or if `checkpoint` names a file of
            another training or not of skcrl. After this and any other error, and after
            KeyboardInterrupt, the estimator is as it was before.
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
        """Result of a method of the network for samples."""
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
                f"{type(self).__name__} takes no torch Dataset, because a Dataset does "
                "not tell in advance which classes there are. Pass samples and labels "
                "as arrays; memory-mapped files, such as "
                "numpy.load(path, mmap_mode='r'), will do."
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
                "hidden_layer_sizes must contain positive integers, and no pair of "
                "sequences, because there is one encoder only, got "
                f"{self.hidden_layer_sizes!r}."
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
