"""Common codes of two views, and what is individual to each of them."""

from collections.abc import Callable
from copy import copy
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, has_fit_parameter
from torch import nn

from skcrl import _moments
from skcrl._arrays import following, like, untensored
from skcrl._common_individual import CommonIndividual, require_scored
from skcrl._typing import (
    Activation,
    File,
    Optimizer,
    Schedule,
    Seed,
    Sizes,
)
from skcrl._validation import NAMES, check_pair
from skcrl.base import TwoViewTransformer
from skcrl.deep._base import TRAINING_CONSTRAINTS
from skcrl.deep._checkpoint import described
from skcrl.deep._common_part import FrozenCommon, JointCommon
from skcrl.deep._deep_cca import DeepCCA
from skcrl.deep._given import checked_pairs, loaded_pairs
from skcrl.deep._gradient_penalty import IndividualScore
from skcrl.deep._learned import N_ROWS
from skcrl.deep._loaded import is_dataset
from skcrl.deep._residual import Regression, Residual
from skcrl.deep._two_branch import finite
from skcrl.deep._two_view import BaseDeepTwoView
from skcrl.deep._users_modules import USERS_MODULES, try_module
from skcrl.deep._view_modules import IndividualCodes, ViewModule
from skcrl.deep.losses import individual
from skcrl.deep.modules import IndividualBranches
from skcrl.deep.modules._hidden_layers import hidden_layers

# Smallest and largest default number of rows of a batch.
_FEWEST_ROWS, _MOST_ROWS = 200, 2000


class DeepCommonIndividual(CommonIndividual, BaseDeepTwoView):
    r"""Separate what two views have in common from what each view has alone.

    The common codes are those of another two-view estimator, which is fitted first. For
    each view v an encoder then learns individual codes :math:`W_v`, and a decoder
    reconstructs the view from both. They minimise

    .. math:: \frac1n \|X_v - D_v([Z_v, W_v])\|^2
        + \lambda \sum_{ij} (Z_v^\top W_v / n)_{ij}^2

    where :math:`Z_v` are the common codes, and the columns of both are standardised
    (eqs. 5 and 6 of [1]_). Use it to inspect, search or reconstruct the part of a view
    that the other view says nothing about.

    Parameters
    ----------
    common : two-view estimator or None, default=None
        Estimator of the common codes. It is cloned and fitted, and does not change
        afterwards. An estimator inside scikit-learn's ``FrozenEstimator`` is used as it
        was fitted, and must not be fitted again. To use a `ViewPipeline`, put this
        estimator inside it, and not the pipeline here. None means
        ``DeepCCA(objective="correlation_gap", closing_cca=False)`` with the
        `random_state`, `device` and `verbose` given here.
    n_individual : int or None, default=None
        Number of individual components: the width of the individual codes of each view.
        None means the width of the common codes. Individual scores and their maps need
        this width, and at least 3 components.
    hidden_layer_sizes : sequence of int or (x, y) pair of sequences, default=(500, 300)
        Widths of the hidden layers of the dense individual encoders. The dense decoders
        have the same layers in reverse. A pair of sequences gives each view its own.
    activation : str, default="relu"
        Activation function after each hidden layer: "identity", "relu", "leaky_relu",
        "elu", "sigmoid", "tanh" or "cube_root". Codes and reconstructed views are
        linear.
    decorrelation_weight : float, default=10.0
        Weight :math:`\lambda` of the correlation of common with individual codes,
        relative to errors summed over the features of a view. Larger values make the
        codes less correlated in training. After training, what the common codes predict
        linearly of the individual codes on the training set is subtracted from these,
        whatever the weight.
    gradient_penalty : (l1, l2) pair of float or None, default=None
        Elastic-net penalty on the gradient g of the individual score of each sample
        with respect to each view: the mean over samples of
        ``l1 * sum(abs(g)) + l2 * sum(g**2)``, as in :class:`DeepCCA`. It needs
        `n_individual` to equal the width of the common codes, and at least 3
        components.
    joint : bool, default=False
        Whether the common part, which must be a DeepCCA, is trained together with the
        individual part, by the sum of both losses. The parameters of the training are
        then those given here. Section 7.1.2 of [1]_ advises against it; use it to
        compare.
    x_encoder, y_encoder : nn.Module or None, default=None
        Individual encoders of your own, in place of the dense ones. Each maps
        (n_samples, ...) to (n_samples, n_individual). It is copied, and the copy is
        trained from the weights that it comes with. The samples of its view may have
        any shape. ``save`` refuses a model in which both `common` and this estimator
        have an `x_encoder` of their own, because ``load`` takes only one; use joblib
        for such a model. The same holds for `y_encoder` and for the decoders.
    x_decoder, y_decoder : nn.Module or None, default=None
        Decoders of your own, in place of the dense ones. Each maps the common and the
        individual codes of a sample, side by side, (n_samples, n_components +
        n_individual), to the view (n_samples, ...). It is copied.
    optimizer : str, default="adam"
        Name of the optimiser: "adam", "adamw", "sgd", "rmsprop" (with decay 0.9),
        "nesterov" (SGD with Nesterov momentum 0.9) or "lbfgs". L-BFGS uses all samples
        as one batch. One epoch is then up to 20 iterations with a line search, and `lr`
        is the length of the first step, usually 1.
    lr : float, default=1e-3
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
        at least 200 and at most 2,000; with ``joint=True`` what it means for `common`.
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
        File that keeps the state of the training of the individual part. It is complete
        at any moment. If training is interrupted, ``fit`` with the same parameters and
        the same data continues from this file and gives exactly the result of an
        uninterrupted training. Any other ``fit`` is refused. The common part is fitted
        again and must give the same result: give it a `random_state`, or put a fitted
        one into ``FrozenEstimator``. It cannot be combined with `warm_start`, `joint`
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
    common_ : two-view estimator
        The fitted common part.
    n_components_ : int
        Width of the common codes.
    n_individual_ : int
        Width of the individual codes.
    net_ : TwoViewNet
        The trained skorch network of the individual part.
    history_ : list of dict
        Losses and times of the individual part, one dict per epoch.
    n_iter_ : int
        Number of epochs trained.
    n_features_in_, y_n_features_in_ : int
        Number of features of the first and of the second view.
    feature_names_in_, y_feature_names_in_ : ndarray of str
        Column names of the first and of the second view, if the view was a data frame.

    See Also
    --------
    LinearCommonIndividual : The same with linear parts, in closed form.
    skcrl.inspection.gradient_map : Where in a sample each score comes from.

    Notes
    -----
    Networks are trained in float32. The first call of ``partial_fit`` fits the common
    part to the data of that call; each call trains the individual part for one epoch.

    References
    ----------
    .. [1] Multimodal understanding through correlation maximization and minimization,
       sections 3.2 and 7.1.2.

    Examples
    --------
    >>> from skcrl import DeepCommonIndividual, LinearCCA
    >>> from skcrl.datasets import load_digits_halves
    >>> left, right, labels = load_digits_halves()
    >>> both = DeepCommonIndividual(LinearCCA(4), max_epochs=5, random_state=0)
    >>> both.fit(left, right).transform_individual(left).shape
    (1797, 4)
    >>> common = both.reconstruct(left, right, to="x", parts="common")
    >>> ((left - both.reconstruct(left, right, to="x")) ** 2).sum() < (
    ...     (left - common) ** 2
    ... ).sum()
    np.True_
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        **{k: v for k, v in TRAINING_CONSTRAINTS.items() if k != "monitor"},
        "common": [TwoViewTransformer, FrozenEstimator, None],
        "n_individual": [Interval(Integral, 1, None, closed="left"), None],
        "decorrelation_weight": [Interval(Real, 0, None, closed="left")],
        "gradient_penalty": ["array-like", Real, None],
        "joint": ["boolean"],
        **USERS_MODULES,
    }

    # The score is that of the common part, which training does not change.
    monitor = "loss"
    # What `gradient_penalty` takes the gradient of.
    _score_penalised = IndividualScore

    def __init__(
        self,
        common: TwoViewTransformer | None = None,
        *,
        n_individual: int | None = None,
        hidden_layer_sizes: Sizes = (500, 300),
        activation: Activation = "relu",
        decorrelation_weight: float = 10.0,
        gradient_penalty: tuple[float, float] | None = None,
        joint: bool = False,
        x_encoder: nn.Module | None = None,
        y_encoder: nn.Module | None = None,
        x_decoder: nn.Module | None = None,
        y_decoder: nn.Module | None = None,
        optimizer: Optimizer = "adam",
        lr: float = 1e-3,
        lr_schedule: Schedule | None = None,
        weight_decay: float = 0.0,
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
        self.common = common
        self.n_individual = n_individual
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.decorrelation_weight = decorrelation_weight
        self.gradient_penalty = gradient_penalty
        self.joint = joint
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

    def _train(
        self, X, y, sample_weight, groups, going_on, is_part=False, validation=None
    ):
        if self.joint and (going_on or is_part):
            raise ValueError(
                "joint=True trains both parts from the start: set warm_start=False, "
                "and call fit instead of partial_fit."
            )
        # A copy is trained, so that threads that encode in the meantime use both parts
        # as they were before.
        made = copy(self)
        if not going_on:
            made._begin_common(X, y, sample_weight, validation)
        elif not self._has_common_of_fit():
            raise ValueError(
                f"common was {self.common_!r} in fit and is {self.common!r} now, but "
                "training can continue only with the same common part. Fit anew with "
                "warm_start=False."
            )
        super(DeepCommonIndividual, made)._train(
            X, y, sample_weight, groups, going_on, is_part, validation
        )
        self.__dict__.update(vars(made))
        return self

    def _has_common_of_fit(self):
        """Whether `common` describes the common part that was fitted."""
        given = self._common_given()
        if isinstance(given, FrozenEstimator):
            return given.estimator is self.common_
        asked, had = (described(one, {}) for one in (given, self.common_))
        return {**asked, "random_state": None} == {**had, "random_state": None}

    def _begin_common(self, X, y, sample_weight, validation):
        """Fit the common part, or make it ready to be trained with the rest."""
        given = self._common_given()
        is_frozen = isinstance(given, FrozenEstimator)
        self.common_ = given.estimator if is_frozen else clone(given)
        self._check_common(is_frozen)
        X, y = untensored(X), untensored(y)
        if self.joint:
            self.common_._validate_params()
            if is_dataset(X):
                loaded_pairs(self.common_, X, reset=True)
            else:
                checked_pairs(self.common_, X, y, None, None, reset=True)
        elif not is_frozen:
            if is_dataset(X) and not isinstance(self.common_, BaseDeepTwoView):
                raise ValueError(
                    f"common={type(self.common_).__name__}() takes no torch Dataset: "
                    "choose a deep estimator, or pass an estimator that is already "
                    "fitted, inside a FrozenEstimator."
                )
            self.common_.fit(X, y, **self._fit_parameters(sample_weight, validation))
        elif not is_dataset(X):
            check_pair(self.common_, X, y, reset=False)
        looked_up = [s for s, is_so in self.common_._integers.items() if is_so]
        if looked_up:
            raise ValueError(
                f"The {looked_up[0]}_encoder of common looks up integers, such as "
                "tokens, which cannot be reconstructed as numbers: compute its "
                "embeddings first, and pass them as that view."
            )

    def _common_given(self):
        if self.common is not None:
            return self.common
        return DeepCCA(
            objective="correlation_gap",
            closing_cca=False,
            random_state=self.random_state,
            device=self.device,
            verbose=self.verbose,
        )

    def _check_common(self, is_frozen):
        common = self.common_
        name = type(common).__name__
        if not isinstance(common, TwoViewTransformer):
            raise ValueError(
                f"common must be a two-view estimator, got a FrozenEstimator of {name}."
            )
        if "estimator" in common.get_params(deep=False):
            raise ValueError(
                f"common is a {name}: put DeepCommonIndividual inside the {name}, and "
                "not the other way round."
            )
        if is_frozen:
            check_is_fitted(common)
        if self.joint:
            self._check_joint(common, is_frozen)

    def _check_joint(self, common, is_frozen):
        off: dict[str, Any] = {
            "reconstruction_weight": 0,
            "x_decoder": None,
            "y_decoder": None,
            "gradient_penalty": None,
            "pretraining_epochs": 0,
        }
        is_plain = isinstance(common, DeepCCA) and all(
            getattr(common, name) is value or getattr(common, name) == 0
            for name, value in off.items()
        )
        if is_frozen or not is_plain:
            raise ValueError(
                "joint=True needs a DeepCCA as common, without reconstruction_weight, "
                "x_decoder, y_decoder, gradient_penalty and pretraining_epochs, got "
                f"{'FrozenEstimator of ' if is_frozen else ''}{common}: set "
                "joint=False, or choose another common."
            )
        if self.checkpoint is not None:
            raise ValueError(
                f"checkpoint={self.checkpoint!r} saves the training of the individual "
                "part only, but joint=True trains the common part with it: set "
                "checkpoint=None or joint=False."
            )

    def _fit_parameters(self, sample_weight, validation):
        """Arguments of `fit` of the common part, apart from the views."""
        name = type(self.common_).__name__
        parameters = {}
        if sample_weight is not None:
            if not has_fit_parameter(self.common_, "sample_weight"):
                raise ValueError(
                    f"common={name}() takes no sample_weight: leave sample_weight out, "
                    "or choose another common."
                )
            parameters["sample_weight"] = sample_weight
        if validation is not None and isinstance(self.common_, BaseDeepTwoView):
            parameters["validation"] = validation
        return parameters

    @property
    def _n_codes(self):
        # While both parts are trained together, the common one is not fitted yet.
        return self.common_.n_components if self.joint else self.common_.n_components_

    def _width(self):
        return self._n_codes if self.n_individual is None else self.n_individual

    def _also_trained_on(self, data):
        if self.joint:
            return {}
        views = dict(zip(NAMES, data.first(N_ROWS), strict=True))
        return {
            f"common codes of {side}": self.common_._encode(view, side)
            for side, view in views.items()
        }

    def _takes_any_shape(self, side):
        common = getattr(self, "common_", None)
        of_common = common is not None and common._takes_any_shape(side)
        return of_common or super()._takes_any_shape(side)

    def _keeps_integers(self, side):
        return False

    def _has_own_module(self, side):
        # Units are those of columns, which samples of other shapes do not have.
        if len(self._sample_shapes[side]) > 1:
            return True
        trains = (self, self.common_) if self.joint else (self,)
        return any(BaseDeepTwoView._has_own_module(one, side) for one in trains)

    @property
    def _min_batch_rows(self):
        return self.common_._min_batch_rows if self.joint else 2

    def _batch_rows(self, n_rows):
        if self.joint:
            return self.common_._batch_rows(n_rows)
        # The correlation of a batch needs more rows than a reconstruction error.
        return min(max(n_rows // 100, _FEWEST_ROWS), _MOST_ROWS)

    def _module(self, plan):
        hidden = hidden_layers(self.hidden_layer_sizes)
        return IndividualBranches, {
            "x_shape": self._sample_shapes["x"],
            "y_shape": self._sample_shapes["y"],
            "hidden_x": hidden["x"],
            "hidden_y": hidden["y"],
            "activation": self.activation,
            "n_common": self._n_codes,
            "n_individual": self._width(),
            "x_encoder": self.x_encoder,
            "y_encoder": self.y_encoder,
            "x_decoder": self.x_decoder,
            "y_decoder": self.y_decoder,
        }

    def _objective(self):
        return individual, {"decorrelation_weight": self.decorrelation_weight}

    def _check_parameters(self):
        if self.gradient_penalty is not None:
            try:
                require_scored(self._width(), self._n_codes)
            except ValueError as error:
                raise ValueError(
                    f"gradient_penalty penalises the gradient of the individual score. "
                    f"{error} Or set gradient_penalty=None."
                ) from error
        if self.joint:
            as_trained = copy(self.common_)
            as_trained.optimizer = self.optimizer
            as_trained.micro_batch_size = self.micro_batch_size
            as_trained._check_parameters()

    def _check_net(self, net, X, y):
        shapes, of_common = self._sample_shapes, self.common_._sample_shapes
        if shapes != of_common:
            raise ValueError(
                f"common was fitted to samples of shape {of_common['x']} and "
                f"{of_common['y']}, but these have {shapes['x']} and {shapes['y']}."
            )
        for view, side in ((X, "x"), (y, "y")):
            shape = (self._width(),)
            codes = try_module(net, "encode", f"{side}_encoder", view, side, shape)
            codes = np.hstack([np.zeros((len(codes), self._n_codes)), codes])
            shape = view.shape[1:]
            try_module(net, "decode", f"{side}_decoder", codes, side, shape)

    def _equip(self, net, units, plan):
        super()._equip(net, units, plan)
        if not self.joint:
            net.module_.common = FrozenCommon(self.common_, units, self.device)
            return
        dropout = self.common_.input_dropout
        if dropout is not None:
            plan = plan._replace(input_dropout=dropout)
        part = JointCommon(self.common_, self.common_._make_net(net.seed, plan))
        net.module_.common = part
        net.initialize_optimizer()  # it now trains the common part too
        net.criterion_.function = part.with_its_loss(individual)

    def _hold(self, net, data, like):
        if self.joint:
            self.common_ = self._trained_common(net, data)
            net.criterion_.function = individual
        net.module_.let_go_of_common()
        if self.joint:
            net.initialize_optimizer()
        super()._hold(net, data, like)

    def _trained_common(self, net, data):
        common, own_net = copy(self.common_), net.module_.common.net
        own_net.units = net.units
        common._standardized, common._n_rows = self._standardized, self._n_rows
        common.history_, common.n_iter_ = self.history_, self.n_iter_
        common._hold(own_net, data, None)
        return common

    def _finish(self, data, _like):
        of_outputs: dict[str, _moments.Moments] = {}
        # Moments of common codes with the inputs of a decoder, by the sides of the
        # decoder and of the codes.
        of_inputs: dict[tuple, _moments.Moments] = {}
        self._decodes_outputs = self.joint
        for x, y, weights in data.blocks():
            views = {"x": x, "y": y}
            codes = {s: self.common_._encode(view, s) for s, view in views.items()}
            for to, view in views.items():
                outputs = finite(self.net_.evaluate("encode", view, side=to))
                block = _moments.moments(codes[to], outputs, weights=weights)
                of_outputs[to] = _merged(of_outputs.get(to), block)
                inputs = np.hstack([self._common_inputs(view, codes[to], to), outputs])
                for by in NAMES:
                    block = _moments.moments(codes[by], inputs, weights=weights)
                    of_inputs[to, by] = _merged(of_inputs.get((to, by)), block)
        self.n_individual_ = self._width()
        self._residuals = {to: Residual.fit(m) for to, m in of_outputs.items()}
        self._told = {
            to: {by: Regression.fit(of_inputs[to, by]) for by in NAMES} for to in NAMES
        }

    def _common_inputs(self, view, codes, side):
        """The common part of the input of a decoder, for a view with these codes."""
        if not self._decodes_outputs:
            return codes
        # The decoder was trained on outputs of the common network. The common codes are
        # projections of these outputs.
        return self.common_._outputs(view, side)

    def _encode(self, view, side):
        return following(self.common_._encode(untensored(view), side), view)

    def _encode_individual(self, view, side):
        given = untensored(view)
        outputs = self.net_.evaluate("encode", given, side=side)
        codes = self._residuals[side].codes(outputs, self.common_._encode(given, side))
        return following(like(codes, outputs), view)

    def _reconstruct_parts(self, X, y, to, parts):
        own, other = (X, y) if to == "x" else (y, X)
        if own is not None:
            return following(self._from_part(untensored(own), to, parts), own)
        by = "y" if to == "x" else "x"
        codes = self.common_._encode(untensored(other), by)
        if parts == "individual":  # about this part the other view says nothing
            codes = np.zeros_like(codes) + self._told[to][by].x_mean
        return following(self._decode(codes, to, by), other)

    def _from_part(self, view, side, parts):
        """A view reconstructed from a part of its own codes."""
        told = self._residuals[side].told
        codes = self.common_._encode(view, side)
        common = self._common_inputs(view, codes, side)
        outputs = self.net_.evaluate("encode", view, side=side)
        if parts == "common":
            outputs = like(told.of(codes), outputs)
        elif parts == "individual":
            # Outputs without what the common codes predict of them.
            outputs = like(told.y_mean + outputs - told.of(codes), outputs)
            mean = self._told[side][side].y_mean[: common.shape[1]]
            common = like(np.zeros_like(common) + mean, outputs)
        inputs = np.hstack([common, outputs])
        return self.net_.evaluate("decode", inputs, side=side)

    def _decode(self, codes, side, by=None):
        # The common codes of a view predict both kinds of inputs.
        inputs = self._told[side][by or side].of(codes)
        return self.net_.evaluate("decode", like(inputs, codes), side=side)

    def _reconstructed_in_training(self, X, y):
        yield "X", X, self._reconstruct_parts(X, None, "x", "all")
        yield "y", y, self._reconstruct_parts(None, y, "y", "all")

    def _as_module(self, side):
        return self.common_._as_module(side)

    def _as_individual_module(self, side):
        net = self.net_
        encoder = ViewModule(net.module_.one_view(side), net.units.get(side))
        return IndividualCodes(
            self.common_._as_module(side), encoder, self._residuals[side]
        ).to(net.device)

    def _check_loaded(self):
        super()._check_loaded()
        if hasattr(self, "net_"):
            k, width = self.common_.n_components_, self.net_.get_params_for("module")
            if (self.n_components_, width["n_common"]) != (k, k):
                raise ValueError(
                    f"its n_components_ is {self.n_components_}, that of its common "
                    f"part {k}, and of its network {width['n_common']}"
                )

    def _fitted_arrays(self):
        k, m = self.n_components_, self.n_individual_
        arrays: dict[str, tuple] = super()._fitted_arrays()
        for to in NAMES:
            residual = self._residuals[to]
            arrays[f"scale of its individual codes of {to}"] = residual.scale, (m,)
            regressions = {"its individual codes": (residual.told, m)}
            for by in NAMES:
                regressions[f"what {by} tells"] = self._told[to][by], k + m
            for name, (regression, width) in regressions.items():
                shapes = (k,), (k, width), (width,)
                for part, array, shape in zip(
                    Regression._fields, regression, shapes, strict=True
                ):
                    arrays[f"{part} of {name} of {to}"] = array, shape
        return arrays

    def _divergence_advice(self):
        return (
            f"Reduce lr={self.lr} or decorrelation_weight={self.decorrelation_weight}."
        )


def _merged(m, block):
    return block if m is None else _moments.merge_moments(m, block)
