"""Retrieval across views: encoders, a CCA layer and a ranking loss."""

from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skcrl import _moments
from skcrl._typing import (
    Activation,
    File,
    Optimizer,
    Reals,
    Rows,
    Schedule,
    Seed,
    Sizes,
    fit_context,
)
from skcrl._validation import check_positive_ridge
from skcrl.deep._base import TRAINING_CONSTRAINTS
from skcrl.deep._callbacks import BeforeValidation
from skcrl.deep._two_branch import BaseTwoBranch, finite
from skcrl.deep._users_modules import USERS_MODULES
from skcrl.deep.losses import RANKING_OBJECTIVES, with_reconstruction
from skcrl.deep.modules import ProjectedBranches
from skcrl.metrics._retrieval import mean_both_ways, mean_of_reciprocal_ranks

# Number of training rows that the projection is fitted to before each validation: the
# larger of the first number and of the second times the number of components.
_ROWS_TO_WATCH, _ROWS_TO_WATCH_PER_COMPONENT = 10_000, 100


class CCALRanker(BaseTwoBranch):
    r"""Cross-view retrieval with a CCA layer and a pairwise ranking loss.

    Use it to find the samples of one view that belong to a query of the other view. The
    outputs of two encoders go through linear CCA of each batch. A ranking loss on the
    cosines of the projected codes trains the encoders, and its gradient passes through
    this CCA layer [1]_. After training, CCA of the whole encoded training set replaces
    the CCA of batches. With ``projection="learned"`` the projections are learned
    instead.

    Parameters
    ----------
    n_components : int, default=2
        Number of components: the width of each encoder's output and of the common
        space.
    hidden_layer_sizes : sequence of int or (x, y) pair of sequences, default=(500, 300)
        Widths of the hidden layers of the dense encoders. A pair of sequences gives
        each view its own: with ``((), (1024, 1024))`` the encoder of x is a single
        linear layer. Sparse views are not made dense for the encoders.
    activation : str, default="elu"
        Activation function after each hidden layer: "identity", "relu", "leaky_relu",
        "elu", "sigmoid", "tanh" or "cube_root". The outputs are linear.
    batch_norm : bool, default=False
        Whether to use batch normalisation [3]_ before the activation of each hidden
        layer of the dense encoders, as in the text networks of [1]_. Codes are made
        with running means and variances; each training batch contributes a tenth to
        them. A weighted row counts as often as its weight says. It cannot be combined
        with ``optimizer="lbfgs"``.
    projection : {"cca", "learned"}, default="cca"
        How the encoders' outputs are projected. "cca" uses CCA of the batch,
        :class:`~skcrl.deep.modules.CCALayer`. "learned" uses learned linear maps, the
        baseline of [1]_: the last layer of a dense encoder is such a map, and an
        encoder of your own is followed by one more.
    objective : {"ranking", "infonce"}, default="ranking"
        Loss on the cosines of a batch: ``skcrl.deep.losses.pairwise_ranking`` [1]_ or
        ``skcrl.deep.losses.infonce`` [2]_.
    margin : float, default=0.5
        Positive margin :math:`\alpha` of "ranking", by which the cosine of a pair
        should exceed the cosines of its negatives.
    temperature : float, default=0.1
        Positive temperature of "infonce". The lower it is, the more the nearest
        negatives count.
    symmetric : bool, default=True
        Whether each view is ranked for queries of the other, or only the second view
        for queries of the first, as in [1]_.
    hard_negatives : bool, default=False
        Whether "ranking" uses only the nearest negative of each sample.
    reg : float or (x, y) pair of float, default=0.1
        Ridge regularisation of CCA, positive, which is added to the variances of the
        encoders' outputs: one number for both views, or a pair with one for each. If
        batches are not much larger than `n_components`, CCA fits their noise: use a
        larger value there, up to the variance of the outputs.
    running_momentum : float in [0, 1), default=0.0
        Fraction of their old value that the running means and covariances of the CCA
        layer keep at each batch, which is 1 minus the rate of [1]_. The means are
        updated first, and the new covariances are taken about them, as in
        :class:`~skcrl.deep.modules.CCALayer`.
    reconstruction_weight : float, default=0.0
        Weight of the squared error with which each view is reconstructed from its
        encoder's output, as in :class:`DeepCCA`. The error is summed over features and
        averaged over the samples that have the view. With 0, reconstruction has no
        influence on the encoders.
    input_dropout : float in [0, 1) or None, default=None
        Fraction of the entries of each view that is set to 0 at random during training.
        This keeps networks from fitting noise. None means 0 if there are at least 1,000
        rows and at least 100 for each component. With fewer rows it means 0.5 if a view
        has more columns than rows; otherwise 0.2, or 0 without hidden layers.
    x_encoder, y_encoder : nn.Module or None, default=None
        Encoders of your own, in place of the dense ones. Each maps (n_samples, ...) to
        (n_samples, n_components). It is copied, and the copy is trained from the
        weights that it comes with. The samples of its view may have any shape.
    x_decoder, y_decoder : nn.Module or None, default=None
        Decoders of your own. Each maps an encoder's output (n_samples, n_components) to
        the view (n_samples, ...). It is copied, and the copy is trained by squared
        error together with the encoders. None means the dense encoder in reverse if
        `reconstruction_weight` is positive; otherwise the view is decoded by ridge
        regression on the codes.
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
        L2 penalty on the weights, as the optimiser defines it. Larger values reduce
        overfitting.
    gradient_clip : float or None, default=None
        Largest norm that the gradient may have. A gradient with a larger norm is scaled
        down to this norm. With None gradients are not clipped.
    standardize : bool, default=True
        Whether to standardise the columns of each view for the networks: to mean 0 and
        standard deviation 1, or to a smaller deviation for a column with values further
        than 4 standard deviations from its mean. Reconstructed views are returned in
        the original units, and the objective measures errors in the standardised ones.
        A view that is sparse, or that has an encoder or a decoder of your own, is not
        standardised.
    augment : callable (x, y, generator) -> (x, y) or None, default=None
        Function that changes each training batch at random, such as
        :class:`skcrl.deep.augment.RandomShift`. `x` and `y` are dense tensors of the
        complete rows of the batch, in the original units, of float32 or of integers.
        The function returns two tensors of the same shapes. `generator` is a
        ``torch.Generator`` on the device of the tensors, seeded by `random_state`, the
        epoch and the batch. Validation and ``transform`` use the data as they are.
    batch_size : int or None, default=None
        Smallest number of rows in a batch. If the last batch would have fewer, its rows
        are distributed among the other batches. None means a hundredth of the rows, but
        at least 200 and at least 20 for each component, and at most 2,000 or 4 for each
        component, whichever is more. If some rows have one view only, batches are made
        larger, until each has this number of complete rows. The negatives of a sample
        are the other samples of its batch. CCA needs more rows than `n_components`, and
        many more to separate what the views share from noise.
    micro_batch_size : int or None, default=None
        Number of rows that go through the networks at once during training; None means
        the whole batch. Choose a smaller number to save memory. The gradient remains
        that of the whole batch: it is computed in two passes, so the networks compute
        twice. Batch normalisation, and layers of your own that compute across the rows
        of a batch, see only these rows.
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
    monitor : {"mrr", "loss"}, default="mrr"
        Quantity that early stopping compares on the validation set. "mrr" is the mean
        reciprocal rank of the validation samples among themselves, averaged over both
        directions; "loss" is the objective. Before either is computed, the projection
        is fitted anew to the training samples. With more than 10,000 of them, and more
        than 100 for each component, it is fitted to an evenly spaced part.
    callbacks : list of skorch callbacks or None, default=None
        skorch callbacks, which are called during training. They are not copied: clones
        of the estimator share them.
    device : str, default="cpu"
        Device for training and encoding, such as "cpu" or "cuda".
    mixed_precision : bool, default=False
        Whether the networks compute in bfloat16 where torch considers this safe. The
        objective is always computed in full precision.
    compile : bool, default=False
        Whether torch compiles the networks. Compilation takes up to a minute and needs
        a C++ compiler.
    warm_start : bool, default=False
        Whether ``fit`` continues from the fitted weights instead of starting anew.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, of the choice of validation samples and of the
        batches. Pass an int to get the same result at each fit; with None every fit
        differs. Global random generators are neither read nor changed, except by
        modules of your own that draw random numbers while they run, such as
        ``nn.Dropout``.
    verbose : int, default=0
        With 1 or more, one line is printed per epoch. With 2 or more, a progress bar
        over the batches of the epoch is also shown on standard error, if that is a
        terminal.
    checkpoint : str, path-like or None, default=None
        File that keeps the state of the training. It is complete at any moment. If
        training is interrupted, ``fit`` with the same parameters and the same data
        continues from this file and gives exactly the result of an uninterrupted
        training. Any other ``fit`` is refused. It cannot be combined with `warm_start`
        or ``partial_fit``.
    checkpoint_every : int, default=1
        Number of epochs between two writes of `checkpoint`. Each write saves the
        weights and the state of the optimiser and waits for the disk, so choose a
        larger number where networks are large and epochs are short.
    net_params : dict or None, default=None
        Further parameters of the skorch net. Their names begin with ``optimizer__``,
        ``iterator_train__`` or ``iterator_valid__``.

    Attributes
    ----------
    n_components_ : int
        Number of components.
    correlations_ : ndarray of shape (n_components,)
        Pearson correlation of each pair of codes of the training set. With
        ``projection="cca"`` these are the canonical correlations.
    x_weights_, y_weights_ : ndarray of shape (n_components, n_components)
        Matrices that map the centred outputs of the encoders to the codes.
    x_mean_, y_mean_ : ndarray of shape (n_components,)
        Mean outputs of the encoders over the training set.
    rank_ : int
        Number of components that the encoded training set determines. The codes of
        further components are 0. With ``projection="learned"`` it is the number of
        components that vary in both views.
    net_ : TwoViewNet
        The trained skorch network.
    history_ : list of dict
        Losses and times, one dict per epoch.
    n_iter_ : int
        Number of epochs trained.
    n_features_in_, y_n_features_in_ : int
        Number of features of the first and of the second view.
    feature_names_in_, y_feature_names_in_ : ndarray of str
        Column names of the first and of the second view, if the view was a data frame.

    See Also
    --------
    DeepCCA : The correlation itself as the objective.
    CrossViewRetriever : Search by the codes of a two-view estimator.

    Notes
    -----
    Networks are trained in float32.

    Compare codes by their cosine, as ``skcrl.metrics.mean_reciprocal_rank`` and
    :class:`~skcrl.CrossViewRetriever` do. The retriever can also weight canonical
    variates by their correlations, which improves the results much with
    ``projection="cca"``.

    A row that is NaN in one view in ``fit`` is unpaired. Unpaired rows need a positive
    `reconstruction_weight`: the view that is there is reconstructed from its own code,
    and is not used otherwise. Negatives, projections and validation use complete rows
    only.

    For search use tens to hundreds of components, and choose `projection` and
    `objective` on held-out pairs. In ``benchmarks/retrieval.py``, "infonce" with
    learned projections was best with 29,000 pairs of captions. With 2,900 of them, and
    with music as pictures and as sound, the CCA projection was best.

    Wide sparse views, such as TF-IDF, make the first layers wide and the steps of the
    optimiser slow. ``net_params={"optimizer__fused": True}`` makes the steps of "adam",
    "adamw" and "sgd" faster.

    Rows with equal partners, such as five captions of one picture, are not negatives of
    each other in either objective: every y that is paired with an equal x anywhere in
    the data is a partner of that x, and the same the other way round. Rows are equal if
    they are equal in float32. If rows belong together although their partners differ,
    say so by ``fit(X, y, groups=...)``.

    A row of weight w counts as w rows would, as a sample and as a negative; these rows
    are equal, so none is a negative of another. The mean reciprocal rank of validation
    rows counts each target once, whatever its weight.

    The schedule of [1]_ is ``lr_schedule="refine", n_iter_no_change=50, tol=0`` with a
    `validation` set and enough epochs, such as ``max_epochs=1000``: a patience of 50
    epochs at the first learning rate, and of 10 epochs at each of three lower ones. The
    loss of [1]_ has 1e-4 times the squared weights, which is ``weight_decay=2e-4``
    here.

    References
    ----------
    .. [1] Dorfer, Schlüter, Vall, Korzeniowski and Widmer (2018). End-to-end
       cross-modality retrieval with CCA projections and pairwise ranking loss.
       International Journal of Multimedia Information Retrieval 7, eq. 8.
    .. [2] van den Oord, Li and Vinyals (2018). Representation learning with contrastive
       predictive coding. arXiv:1807.03748.
    .. [3] Ioffe and Szegedy (2015). Batch normalization: accelerating deep network
       training by reducing internal covariate shift. ICML.

    Examples
    --------
    >>> from skcrl import CCALRanker
    >>> from skcrl.datasets import load_digits_halves
    >>> from skcrl.metrics import recall_at_k
    >>> left, right, labels = load_digits_halves()
    >>> ranker = CCALRanker(
    ...     8, hidden_layer_sizes=(64,), lr=3e-3, max_epochs=20, random_state=0
    ... )
    >>> ranker.fit(left[200:], right[200:]).transform(left).shape
    (1797, 8)
    >>> codes = ranker.transform_pair(left[:200], right[:200])
    >>> recall_at_k(*codes, k=10) > 0.5  # by chance 0.05
    True
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        **TRAINING_CONSTRAINTS,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "projection": [StrOptions({"cca", "learned"})],
        "objective": [StrOptions(set(RANKING_OBJECTIVES))],
        "margin": [Interval(Real, 0, None, closed="neither")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "symmetric": ["boolean"],
        "hard_negatives": ["boolean"],
        "batch_norm": ["boolean"],
        "reg": [Interval(Real, 0, None, closed="neither"), "array-like"],
        "running_momentum": [Interval(Real, 0, 1, closed="left")],
        "reconstruction_weight": [Interval(Real, 0, None, closed="left")],
        "input_dropout": [Interval(Real, 0, 1, closed="left"), None],
        "monitor": [StrOptions({"mrr", "loss"})],
        **USERS_MODULES,
    }

    def __init__(
        self,
        n_components: int = 2,
        *,
        hidden_layer_sizes: Sizes = (500, 300),
        activation: Activation = "elu",
        batch_norm: bool = False,
        projection: Literal["cca", "learned"] = "cca",
        objective: Literal["ranking", "infonce"] = "ranking",
        margin: float = 0.5,
        temperature: float = 0.1,
        symmetric: bool = True,
        hard_negatives: bool = False,
        reg: Reals = 0.1,
        running_momentum: float = 0.0,
        reconstruction_weight: float = 0.0,
        input_dropout: float | None = None,
        x_encoder: nn.Module | None = None,
        y_encoder: nn.Module | None = None,
        x_decoder: nn.Module | None = None,
        y_decoder: nn.Module | None = None,
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
        monitor: Literal["mrr", "loss"] = "mrr",
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
        self.batch_norm = batch_norm
        self.projection = projection
        self.objective = objective
        self.margin = margin
        self.temperature = temperature
        self.symmetric = symmetric
        self.hard_negatives = hard_negatives
        self.reg = reg
        self.running_momentum = running_momentum
        self.reconstruction_weight = reconstruction_weight
        self.input_dropout = input_dropout
        self.x_encoder = x_encoder
        self.y_encoder = y_encoder
        self.x_decoder = x_decoder
        self.y_decoder = y_decoder
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

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Rows,
        y: Rows | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
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
            Second view, paired with `X`; None if `X` is a Dataset. With a positive
            `reconstruction_weight`, a row of NaN in `X` or `y` means that this view is
            missing.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row, not negative: a row of weight w counts as w samples.
            None means 1 for each row. With whole numbers the result is that of repeated
            rows: exactly if all rows are in one batch, as with "lbfgs"; on average if
            there are several batches.
        groups : array-like of shape (n_samples,) or None, default=None
            Group of each row, as numbers or strings. Rows of one group are not
            negatives of each other, and in the mean reciprocal rank of the validation
            rows any target of the right group counts as found. The validation set is
            made of whole groups, drawn at random until they contain
            `validation_fraction` of the rows or more. With None, only rows with equal
            partners belong together.
        validation : (X, y) pair of views, torch Dataset or None, default=None
            A validation set of your own: a pair of views with complete rows, which are
            checked like `X` and `y`, or a Dataset of pairs. It replaces
            `validation_fraction`: training uses all of `X` and `y`, and early stopping
            and `monitor` use the validation set. It has no `groups`.

        Returns
        -------
        self : CCALRanker
            Fitted estimator. With ``warm_start=True`` training continued from the
            fitted state. If the file of `checkpoint` exists, training continued from
            there; a Dataset counts as the same if its type, its length, and its first
            and last samples are the same.

        Raises
        ------
        ValueError
            If the views, the weights, the groups, the validation set or the parameters
            do not fit together, or if `checkpoint` names a file of another training or
            not of skcrl. After this and any other error, and after KeyboardInterrupt,
            the estimator is as it was before.
        FloatingPointError
            If training diverges.
        """
        return self._fit(X, y, sample_weight, groups, validation)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Rows,
        y: Rows | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train for one more epoch.

        Several calls with the same data give the same as one ``fit`` with as many
        epochs, except that callbacks, early stopping and learning-rate schedules start
        anew in each call. The projections that follow the training are fitted to the
        rows of the last call.

        Parameters
        ----------
        X : array-like or Dask array of shape (n_samples, n_features_x), or Dataset
            First view. It may be sparse, or a memory-mapped file, which is not copied;
            or a torch Dataset of pairs (x, y), map-style or iterable.
        y : array-like or Dask array of shape (n_samples, n_features_y) or \
                (n_samples,), or None, default=None
            Second view, paired with `X`; None if `X` is a Dataset. With a positive
            `reconstruction_weight`, a row of NaN in `X` or `y` means that this view is
            missing.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row, as in ``fit``.
        groups : array-like of shape (n_samples,) or None, default=None
            Group of each row, as in ``fit``.

        Returns
        -------
        self : CCALRanker
            Trained estimator.

        Raises
        ------
        ValueError, FloatingPointError
            As in ``fit``. Also if `checkpoint` is set: it is for complete trainings by
            ``fit``.
        """
        return self._partial_fit(X, y, sample_weight, groups)

    def _find_partners(self, data, groups):
        data.find_partners(groups)

    @property
    def _min_batch_rows(self):
        return self.n_components + 1 if self.projection == "cca" else 2

    @property
    def _min_validation_rows(self):
        return 2

    def _module(self, plan):
        return ProjectedBranches, {
            "projection": self.projection,
            "reg": check_positive_ridge(self.reg),
            "running_momentum": self.running_momentum,
            # Dense encoders end with a linear layer, and need no second one.
            "mapped_sides": tuple(
                side
                for side in ("x", "y")
                if getattr(self, f"{side}_encoder") is not None
            ),
            **self._dense_layers(),
            "x_shape": self._sample_shapes["x"],
            "y_shape": self._sample_shapes["y"],
            "x_encoder": self.x_encoder,
            "y_encoder": self.y_encoder,
            "x_decoder": self.x_decoder,
            "y_decoder": self.y_decoder,
            "autoencoding": self.reconstruction_weight > 0,
            "input_dropout": plan.input_dropout,
        }

    def _objective(self):
        objective = RANKING_OBJECTIVES[self.objective]
        return with_reconstruction, {
            "objective": objective.function,
            "reconstruction_weight": self._weights_of_errors(),
            **{name: getattr(self, name) for name in objective.parameters},
        }

    def _divergence_advice(self):
        if self.projection == "cca":
            return f"Reduce lr={self.lr} or raise reg={self.reg}."
        return super()._divergence_advice()

    def _check_parameters(self):
        super()._check_parameters()
        runs = self.projection == "cca" and self.running_momentum > 0
        if self.optimizer == "lbfgs" and runs:
            raise ValueError(
                f"running_momentum={self.running_momentum} updates running moments "
                "with each batch, but optimizer='lbfgs' evaluates the same batch many "
                "times: set running_momentum=0, or choose another optimizer."
            )

    def _callbacks(self, net, plan):
        n_rows = max(_ROWS_TO_WATCH, _ROWS_TO_WATCH_PER_COMPONENT * self.n_components)
        refit = partial(_refit, n_rows=n_rows)
        return [BeforeValidation(refit), *super()._callbacks(net, plan)]

    def _held_out_score(self, net, train, valid):
        x, y = _of_blocks(net, "embed", valid)
        relevant, weights = valid.relevant(), valid.complete_weights()
        mean_rank = partial(mean_of_reciprocal_ranks, weights=weights)
        return mean_both_ways(mean_rank, x, y, relevant)

    def _projection(self, m):
        return self.net_.module_.projection.refit(m)


def _refit(net, train, n_rows):
    """Fit the projection of a net to the training data.

    Parameters
    ----------
    net : TwoViewNet
        The net, which is changed.
    train : PairDataset
        Training data.
    n_rows : int
        If there are many more rows than this, evenly spaced ones are used, about
        `n_rows` of them.
    """
    if not train.is_stream:
        train = train.part(train.rows[:: max(1, len(train.rows) // n_rows)])
    x, y = map(finite, _of_blocks(net, "encode", train))
    m = _moments.moments(x, y, weights=train.complete_weights())
    net.module_.projection.refit(m)


def _of_blocks(net, method, data):
    """Results of a method of the module for both views of the data."""
    blocks = [
        [
            net.evaluate(method, view, side=side)
            for view, side in zip(views, ("x", "y"), strict=True)
        ]
        for *views, _ in data.blocks()
    ]
    return map(np.concatenate, zip(*blocks, strict=True))
