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

# Training rows that the projection is fitted to before validation rows are looked at.
_ROWS_TO_WATCH, _ROWS_TO_WATCH_PER_COMPONENT = 10_000, 100


class CCALRanker(BaseTwoBranch):
    r"""Retrieval across views, by a CCA layer and a pairwise ranking loss.

    Two encoders are followed by linear CCA of each batch, through which the
    gradient of a ranking loss on the cosines of the projected codes reaches them
    [1]_. CCA of the encoded training set then takes the place of those of batches. With
    ``projection="learned"`` the last projections are learned as well.

    Parameters
    ----------
    n_components : int, default=2
        Width of either encoder's output and of the common space.
    hidden_layer_sizes : sequence of int, or (x, y) pair of such, default=(500, 300)
        Hidden layers of the dense encoders: of both views, or of either, as in
        ``((), (1024, 1024))``, where x goes through a linear layer alone. Sparse views
        are not made dense for them.
    activation : str, default="elu"
        After each hidden layer: one of "identity", "relu", "leaky_relu", "elu",
        "sigmoid", "tanh" and "cube_root". The outputs are linear.
    batch_norm : bool, default=False
        Whether each hidden layer of the dense encoders is normalised over the batch
        before its activation, then scaled and shifted as learned [3]_, as in the text
        networks of [1]_. Codes are made with running means and variances, of which each
        batch of the training makes up a tenth. Weighted rows count in them as often as
        they stand for samples. Not with ``optimizer="lbfgs"``.
    projection : {"cca", "learned"}, default="cca"
        Whether the encoders' outputs are projected by CCA of the batch,
        :class:`~skcrl.deep.modules.CCALayer`, or by maps that are learned, the
        baseline of [1]_. The last layer of a dense encoder is such a map; behind
        encoders of yours there is one more.
    objective : {"ranking", "infonce"}, default="ranking"
        Loss on the cosines of a batch: ``skcrl.deep.losses.pairwise_ranking`` [1]_ or
        ``skcrl.deep.losses.infonce`` [2]_.
    margin : float, default=0.5
        Margin :math:`\alpha` of "ranking", positive.
    temperature : float, default=0.1
        Temperature of "infonce", positive: the lower, the more the nearest negatives
        count.
    symmetric : bool, default=True
        Whether either view is to be found by the other, or the second by the
        first alone, as in [1]_.
    hard_negatives : bool, default=False
        Whether "ranking" looks at the nearest negative of each sample alone.
    reg : float or (x, y) pair of float, default=0.1
        Ridge of CCA, positive, in squared units of the encoders' outputs: one for both
        views, or that of either. CCA fits the noise of batches that are not large
        beside `n_components`: raise it there, up to the variance of the outputs.
    running_momentum : float in [0, 1), default=0.0
        Share of the old that the CCA layer's running means and covariances keep
        at each batch, one less the rate of [1]_: the means first, about which those
        covariances are then taken, as :class:`~skcrl.deep.modules.CCALayer` says.
    reconstruction_weight : float, default=0.0
        Weight of the squared error of either view decoded from its encoder's output,
        summed over features and averaged over the samples that have the view, as in
        :class:`DeepCCA`. With 0 decoding does not change what the encoders learn.
    input_dropout : float in [0, 1) or None, default=None
        Share of the entries of either view that is set to 0 while training, which keeps
        networks from fitting noise. None stands for 0 with 1,000 rows and 100 for each
        component, or more; with fewer for 0.5 if a view has more columns than rows,
        else for 0.2, or 0 without hidden layers.
    x_encoder, y_encoder : nn.Module or None, default=None
        Encoders (n_samples, ...) -> (n_samples, n_components) to train, from the
        weights they come with, in place of the dense ones. They are copied. The samples
        of their view may have any shape.
    x_decoder, y_decoder : nn.Module or None, default=None
        Decoders (n_samples, n_components) -> (n_samples, ...) from an encoder's output
        to its view. They are copied, and trained by squared error beside the encoders.
        None stands for the dense encoder in reverse if `reconstruction_weight` is
        positive; else the view is decoded by ridge regression on the codes.
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
        Penalty on squared weights, as the optimiser understands it.
    gradient_clip : float or None, default=None
        Norm of the gradient beyond which it is scaled down to that norm.
    standardize : bool, default=True
        Whether networks see columns of mean 0 and deviation 1, or less for a column
        with values further than 4 deviations from its mean. Rebuilt views come back in
        your units, and the objective counts errors in those of the networks. A sparse
        view, and one with an encoder or a decoder of yours, is taken as it comes.
    augment : callable (x, y, generator) -> (x, y) or None, default=None
        Changes each training batch at random, such as
        :class:`skcrl.deep.augment.RandomShift`. `x` and `y` are tensors of its
        complete rows, float32 or of integers, in your units and dense, and come back in
        the same shapes;
        `generator` is a ``torch.Generator`` on their device, seeded by `random_state`,
        the epoch and the batch. Validation and ``transform`` see the data themselves.
    batch_size : int or None, default=None
        Fewest rows of a batch; a short last batch is shared out among the others. None
        stands for a hundredth of the rows, but at least 200 and 20 for each component,
        and at most 2,000, or 4 for each component if that is more; where rows miss a
        view, so many that as many are complete.
        Each sample's negatives are the others of its batch. CCA needs more rows than
        `n_components`, and many more to tell what views share from noise.
    micro_batch_size : int or None, default=None
        Rows that go through the networks at once in training; None stands for the whole
        batch. The gradient is that of the whole batch, computed in two passes with the
        memory of a few rows, and the networks compute twice. `batch_norm`, and layers
        of yours that look along the batch, see these rows alone.
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
    monitor : {"mrr", "loss"}, default="mrr"
        Validation figure that early stopping goes by: the mean reciprocal rank of the
        validation samples among themselves, mean of both directions, or the objective.
        Before either is taken the projection is fitted anew to the training samples,
        to an even share of them where there are more than 10,000, and than 100 for each
        component.
    callbacks : list of skorch callbacks or None, default=None
        Called while training. They are never copied: clones share them.
    device : str, default="cpu"
        Where to train and encode, such as "cuda".
    mixed_precision : bool, default=False
        Whether the networks compute in bfloat16 where torch deems that safe. The
        objective is computed in full precision.
    compile : bool, default=False
        Whether torch compiles the networks, which takes up to a minute and needs a C++
        compiler.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the fitted weights.
    random_state : int, RandomState instance or None, default=None
        Source of the initial weights, the validation samples and the batches. With None
        every fit differs. No global generator is read or changed, but by modules of
        yours that draw while they run, such as ``nn.Dropout``.
    verbose : int, default=0
        From 1 on, print a line an epoch; from 2 on, also show a bar of the batches of
        the epoch on standard error, where that is a terminal.
    checkpoint : str, path-like or None, default=None
        File to keep the training in, whole at any moment. ``fit`` with the same
        parameters on the same data goes on from it, and ends bit for bit as if never
        interrupted; any other ``fit`` is refused. Not with `warm_start` and
        ``partial_fit``.
    checkpoint_every : int, default=1
        Epochs from one writing of it to the next. Each writes the weights and the state
        of the optimiser and waits for the disk: raise it where networks are large and
        epochs short.
    net_params : dict or None, default=None
        Further parameters of the skorch net: names that begin with ``optimizer__``,
        ``iterator_train__`` or ``iterator_valid__``.

    Attributes
    ----------
    n_components_ : int
        Number of components.
    correlations_ : ndarray of shape (n_components,)
        Pearson correlation of each pair of codes of the training set: its canonical
        correlations if ``projection="cca"``.
    x_weights_, y_weights_ : ndarray of shape (n_components, n_components)
        Projections of the centred outputs of the encoders on the codes.
    x_mean_, y_mean_ : ndarray of shape (n_components,)
        Mean outputs of the encoders on the training set.
    rank_ : int
        Components that the encoded training set determines; further ones are 0. With
        ``projection="learned"``, components that vary in both views.
    net_ : TwoViewNet
        The trained skorch net.
    history_ : list of dict
        Losses and times, one dict an epoch.
    n_iter_ : int
        Epochs trained.
    n_features_in_, y_n_features_in_ : int
        Width of either view.
    feature_names_in_, y_feature_names_in_ : ndarray of str
        Column names of either view, if it was a data frame.

    See Also
    --------
    DeepCCA : The correlation itself as the objective.
    CrossViewRetriever : Search by the codes of a two-view estimator.

    Notes
    -----
    Networks are trained in float32.

    Codes are to be compared by their cosine, as ``skcrl.metrics.mean_reciprocal_rank``
    and :class:`~skcrl.CrossViewRetriever` do. The latter weights canonical variates by
    their correlations if asked to, which gains much with ``projection="cca"``.

    A row that is NaN in one view in ``fit`` is unpaired, which takes a positive
    `reconstruction_weight`: its other view is decoded from its own code, and nothing
    else of it counts. Negatives, projections and validation rows are of pairs.

    For search take tens to hundreds of components, and judge `projection` and
    `objective` on held-out pairs. With 29,000 pairs of captions "infonce" on learned
    projections found the most; with 2,900 of them, and with pictures of music and its
    sound, what goes through CCA did (``benchmarks/retrieval.py``).

    Wide sparse views, such as TF-IDF, make first layers wide, and the steps of the
    optimiser long: ``net_params={"optimizer__fused": True}`` shortens them, with
    "adam", "adamw" and "sgd".

    Rows with equal partners, such as five captions of one picture, are no negatives of
    each other, in either objective: every y that comes with an equal x somewhere in the
    data is a partner of that x, and so the other way. Equal are rows that are equal
    in float32. ``fit(X, y, groups=...)`` says so of rows whose partners differ.

    With weights, a row of weight w is as often a sample and a negative as w rows would
    be; as these are equal, none is a negative of another. Targets among which the
    mean reciprocal rank of validation rows is found stand there once each, whatever
    they weigh.

    The schedule of [1]_: ``lr_schedule="refine", n_iter_no_change=50, tol=0``, which is
    a patience of 50 epochs at the first rate and of 10 at each of three lower ones,
    with a `validation` set, and more epochs than that takes, ``max_epochs=1000`` say.
    Its loss has 1e-4 times the squared weights, which is ``weight_decay=2e-4`` here.

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
            First view, perhaps sparse or a map of a file, which is not copied; or a
            torch Dataset of pairs (x, y), map-style or iterable.
        y : array-like or Dask array of shape (n_samples, n_features_y) or \
                (n_samples,), or None, default=None
            Second view, paired with `X`; None if that is a Dataset. With a positive
            `reconstruction_weight` a row of NaN in either array is a missing one.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            How many samples each row stands for, not negative; None is one each. Whole
            numbers mean repeated rows: in one batch, as of "lbfgs", exactly; in
            several, on average.
        groups : array-like of shape (n_samples,) or None, default=None
            Numbers or strings. Rows of one group are no negatives of each other, all
            targets of its group count as found in the mean reciprocal rank of the
            validation rows, and all rows of a group are validation rows or none is: so
            many groups, drawn at random, that they hold `validation_fraction` of the
            rows or more. None groups nothing, beyond rows with equal partners.
        validation : (X, y) pair of views, torch Dataset or None, default=None
            A validation set of yours, of complete rows and checked like `X` and `y`; of
            a Dataset, pairs. It takes the place of a `validation_fraction`: all of `X`
            and `y` is trained on, and early stopping and `monitor` go by these rows. It
            has no groups.

        Returns
        -------
        self : CCALRanker
            Fitted estimator; with ``warm_start=True``, trained on from where it was,
            and if `checkpoint` names a file, from where that is: a Dataset is known
            again by its type, its length, and its first and last samples.

        Raises
        ------
        ValueError
            If the views, the weights, the groups, the validation set or the parameters
            do not fit together, or `checkpoint` names a file of another training or
            none of skcrl's. As after any error and KeyboardInterrupt, the estimator is
            then as it was before.
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

        Calls with the same data add up to one ``fit`` with as many epochs, but for
        callbacks, early stopping and schedules of the learning rate, which begin anew
        in each call. The projections that follow the training are fitted to the rows of
        the last call.

        Parameters
        ----------
        X : array-like or Dask array of shape (n_samples, n_features_x), or Dataset
            First view, perhaps sparse or a map of a file, which is not copied; or a
            torch Dataset of pairs (x, y), map-style or iterable.
        y : array-like or Dask array of shape (n_samples, n_features_y) or \
                (n_samples,), or None, default=None
            Second view, paired with `X`; None if that is a Dataset. With a positive
            `reconstruction_weight` a row of NaN in either array is a missing one.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            How many samples each row stands for, as in ``fit``.
        groups : array-like of shape (n_samples,) or None, default=None
            Rows that are no negatives of each other, as in ``fit``.

        Returns
        -------
        self : CCALRanker
            Trained estimator.

        Raises
        ------
        ValueError, FloatingPointError
            As in ``fit``. A `checkpoint` is refused: it keeps whole trainings.
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
            # Dense encoders end with a linear layer.
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
                f"running_momentum={self.running_momentum} mixes in each batch, which "
                "optimizer='lbfgs' would do at every evaluation of the same one: set "
                "it to 0, or choose another optimizer."
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
    """Fit the projection of a net to the training data, an even share if they are many.

    Parameters
    ----------
    net : TwoViewNet
        Changed.
    train : PairDataset
        Training data.
    n_rows : int
        How many are enough.
    """
    if not train.is_stream:
        train = train.part(train.rows[:: max(1, len(train.rows) // n_rows)])
    x, y = map(finite, _of_blocks(net, "encode", train))
    m = _moments.moments(x, y, weights=train.complete_weights())
    net.module_.projection.refit(m)


def _of_blocks(net, method, data):
    """What a method of the module makes of both views of the data."""
    blocks = [
        [
            net.evaluate(method, view, side=side)
            for view, side in zip(views, ("x", "y"), strict=True)
        ]
        for *views, _ in data.blocks()
    ]
    return map(np.concatenate, zip(*blocks, strict=True))
