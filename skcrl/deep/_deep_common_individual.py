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

# Bounds of the rows of a batch.
_FEWEST_ROWS, _MOST_ROWS = 200, 2000


class DeepCommonIndividual(CommonIndividual, BaseDeepTwoView):
    r"""What two views have in common, and what each of them has of its own.

    The common codes are those of another two-view estimator, which is fitted first. For
    each view v an encoder then learns individual codes :math:`W_v`, and a decoder
    rebuilds the view from both, so that

    .. math:: \frac1n \|X_v - D_v([Z_v, W_v])\|^2
        + \lambda \sum_{ij} (Z_v^\top W_v / n)_{ij}^2

    is least, where :math:`Z_v` are the common codes and the columns of both are
    standardised (eqs. 5 and 6 of [1]_). Use it to see, search or rebuild what is
    particular to a view, beside what the other view tells as well.

    Parameters
    ----------
    common : two-view estimator or None, default=None
        What gives the common codes. It is cloned and fitted, and then stays as it is;
        one inside scikit-learn's ``FrozenEstimator`` is taken as it was fitted, and
        must not be fitted again. A `ViewPipeline` goes around this estimator, and not
        into it. None stands for ``DeepCCA(objective="correlation_gap",
        closing_cca=False)`` with the `random_state`, `device` and `verbose` given here.
    n_individual : int or None, default=None
        Width of the individual codes of either view; None stands for that of the common
        codes. Individual scores and their maps need that, and 3 components or more.
    hidden_layer_sizes : sequence of int, or (x, y) pair of such, default=(500, 300)
        Hidden layers of the dense individual encoders, and in reverse of the dense
        decoders: of both views, or of either.
    activation : str, default="relu"
        After each hidden layer: one of "identity", "relu", "leaky_relu", "elu",
        "sigmoid", "tanh" and "cube_root". Codes and rebuilt views are linear.
    decorrelation_weight : float, default=10.0
        :math:`\lambda`. It weighs against errors summed over the features of a view.
        Whatever it is, what common codes tell linearly of individual ones is taken out
        of these after training, over the training set.
    gradient_penalty : (l1, l2) pair of float or None, default=None
        Elastic net on the gradient, in either view, of the individual score of each
        sample: the mean over samples of ``l1 * sum(abs(g)) + l2 * sum(g**2)``, as in
        :class:`DeepCCA`. It needs `n_individual` to be the width of the common codes,
        3 at least.
    joint : bool, default=False
        Whether the common part, a DeepCCA, is trained together with the individual one,
        and both losses are added up. Section 7.1.2 of [1]_ advises against it; it is
        there to compare. The parameters of the training are then those given here.
    x_encoder, y_encoder : nn.Module or None, default=None
        Individual encoders (n_samples, ...) -> (n_samples, n_individual) to train, from
        the weights they come with, in place of the dense ones. They are copied. The
        samples of their view may have any shape. If both `common` and this estimator
        have an `x_encoder`, ``save`` refuses the model, as ``load`` takes one: joblib
        keeps it. The same holds for `y_encoder` and the decoders.
    x_decoder, y_decoder : nn.Module or None, default=None
        Decoders (n_samples, n_components + n_individual) -> (n_samples, ...) from the
        common and individual codes of a sample, side by side, in place of the dense
        ones. They are copied.
    optimizer : str, default="adam"
        "adam", "adamw", "sgd", "rmsprop", which decays by 0.9, "nesterov", which is SGD
        with momentum 0.9, or "lbfgs". The last takes all samples as one batch; an epoch
        is then up to 20 iterations with line search, from a first step of `lr`, for
        which 1 is usual.
    lr : float, default=1e-3
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
        stands for a hundredth of the rows, but at least 200 and at most 2,000.
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
        File to keep the training of the individual part in, whole at any moment.
        ``fit`` with the same parameters on the same data goes on from it, and ends bit
        for bit as if never interrupted; any other ``fit`` is refused. The common part
        is fitted again, and must come out the same: give it a `random_state`, or put a
        fitted one into ``FrozenEstimator``. Not with `warm_start`, `joint` and
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
    common_ : two-view estimator
        The fitted common part.
    n_components_ : int
        Width of the common codes.
    n_individual_ : int
        Width of the individual codes.
    net_ : TwoViewNet
        The trained skorch net of the individual part.
    history_ : list of dict
        Losses and times of the individual part, one dict an epoch.
    n_iter_ : int
        Epochs trained.
    n_features_in_, y_n_features_in_ : int
        Width of either view.
    feature_names_in_, y_feature_names_in_ : ndarray of str
        Column names of either view, if it was a data frame.

    See Also
    --------
    LinearCommonIndividual : The same question for linear parts, in closed form.
    skcrl.inspection.gradient_map : Where in a sample either score comes from.

    Notes
    -----
    Networks are trained in float32. ``partial_fit`` fits the common part in its first
    call, to the data of that call, and trains the individual part for an epoch in each.

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
                "joint=True trains both parts from their beginnings: set "
                "warm_start=False, and call fit and not partial_fit."
            )
        # Apart, for threads that encode meanwhile with both parts of before.
        made = copy(self)
        if not going_on:
            made._begin_common(X, y, sample_weight, validation)
        elif not self._has_common_of_fit():
            raise ValueError(
                f"common was {self.common_!r} in fit and is {self.common!r} now: "
                "training goes on with the same common part only. Fit anew, with "
                "warm_start=False."
            )
        super(DeepCommonIndividual, made)._train(
            X, y, sample_weight, groups, going_on, is_part, validation
        )
        self.__dict__.update(vars(made))
        return self

    def _has_common_of_fit(self):
        """Whether `common` stands for the common part that was fitted."""
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
                    "choose a deep estimator, or pass one that is fitted already, in a "
                    "FrozenEstimator."
                )
            self.common_.fit(X, y, **self._fit_parameters(sample_weight, validation))
        elif not is_dataset(X):
            check_pair(self.common_, X, y, reset=False)
        looked_up = [s for s, is_so in self.common_._integers.items() if is_so]
        if looked_up:
            raise ValueError(
                f"The {looked_up[0]}_encoder of common looks up integers, which cannot "
                "be rebuilt as numbers: pass what it makes of them as that view."
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
                f"common must hold a two-view estimator, got FrozenEstimator of {name}."
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
                f"{'FrozenEstimator of ' if is_frozen else ''}{common}: set joint="
                "False, or another common."
            )
        if self.checkpoint is not None:
            raise ValueError(
                f"checkpoint={self.checkpoint!r} keeps the training of the individual "
                "part, and joint=True trains the common one with it: set either."
            )

    def _fit_parameters(self, sample_weight, validation):
        """What `fit` of the common part is to have beside the views."""
        name = type(self.common_).__name__
        parameters = {}
        if sample_weight is not None:
            if not has_fit_parameter(self.common_, "sample_weight"):
                raise ValueError(
                    f"common={name}() takes no sample_weight: leave it out, or choose "
                    "another common."
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
        # Units are those of columns.
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
        # Correlations of a batch need more rows than errors do.
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
                    f"gradient_penalty is on the individual score. {error} Or set "
                    "gradient_penalty=None."
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
                f"{of_common['y']}, and these are of {shapes['x']} and {shapes['y']}."
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
        net.initialize_optimizer()  # with the parameters of the common part
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
        # Of what a decoder takes, by the common codes of either view.
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
        """What a decoder takes of the common part of a view with these codes."""
        if not self._decodes_outputs:
            return codes
        # It was trained on outputs of networks, of which codes are projections.
        return self.common_._outputs(view, side)

    def _encode(self, view, side):
        return following(self.common_._encode(untensored(view), side), view)

    def _encode_individual(self, view, side):
        given = untensored(view)
        outputs = self.net_.evaluate("encode", given, side=side)
        codes = self._residuals[side].codes(outputs, self.common_._encode(given, side))
        return following(like(codes, outputs), view)

    def _rebuild_parts(self, X, y, to, parts):
        own, other = (X, y) if to == "x" else (y, X)
        if own is not None:
            return following(self._rebuilt(untensored(own), to, parts), own)
        by = "y" if to == "x" else "x"
        codes = self.common_._encode(untensored(other), by)
        if parts == "individual":  # of which the other view tells nothing
            codes = np.zeros_like(codes) + self._told[to][by].x_mean
        return following(self._decode(codes, to, by), other)

    def _rebuilt(self, view, side, parts):
        """A view rebuilt from a part of its own codes."""
        told = self._residuals[side].told
        codes = self.common_._encode(view, side)
        common = self._common_inputs(view, codes, side)
        outputs = self.net_.evaluate("encode", view, side=side)
        if parts == "common":
            outputs = like(told.of(codes), outputs)
        elif parts == "individual":
            # What common codes tell of the outputs goes with them.
            outputs = like(told.y_mean + outputs - told.of(codes), outputs)
            mean = self._told[side][side].y_mean[: common.shape[1]]
            common = like(np.zeros_like(common) + mean, outputs)
        inputs = np.hstack([common, outputs])
        return self.net_.evaluate("decode", inputs, side=side)

    def _decode(self, codes, side, by=None):
        # As the common codes of a view tell both kinds of inputs.
        inputs = self._told[side][by or side].of(codes)
        return self.net_.evaluate("decode", like(inputs, codes), side=side)

    def _rebuilt_in_training(self, X, y):
        yield "X", X, self._rebuild_parts(X, None, "x", "all")
        yield "y", y, self._rebuild_parts(None, y, "y", "all")

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
