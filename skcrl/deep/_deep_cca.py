"""Deep canonical correlation analysis."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Literal

from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skcrl import _linalg, _moments
from skcrl._typing import (
    Activation,
    File,
    Optimizer,
    Reals,
    Schedule,
    Seed,
    Sizes,
)
from skcrl._validation import check_positive_ridge
from skcrl.deep._base import TRAINING_CONSTRAINTS
from skcrl.deep._gradient_penalty import CommonScore
from skcrl.deep._pretraining import pretrain
from skcrl.deep._two_branch import BaseTwoBranch
from skcrl.deep._users_modules import USERS_MODULES
from skcrl.deep.losses import OBJECTIVES, with_reconstruction
from skcrl.deep.modules import TwoBranch


class DeepCCA(BaseTwoBranch):
    r"""Deep canonical correlation analysis.

    Two encoders f and g are trained to maximise the total correlation of their outputs,
    :math:`\|T\|_{tr}` with
    :math:`T = \bar\Sigma_{xx}^{-1/2} \Sigma_{xy} \bar\Sigma_{yy}^{-1/2}` [1]_,
    over batches, or by another objective with the same aim. Linear CCA on the encoded
    training set then makes the codes uncorrelated, matched and ordered.

    Parameters
    ----------
    n_components : int, default=2
        Width of either encoder's output and of the common space.
    hidden_layer_sizes : sequence of int, or (x, y) pair of such, default=(500, 300)
        Hidden layers of the dense encoders: of both views, or of either, as in
        ``((), (1024, 1024))``, where x goes through a linear layer alone.
    activation : str, default="relu"
        After each hidden layer: one of "identity", "relu", "leaky_relu", "elu",
        "sigmoid", "tanh" and "cube_root", that of [1]_. The outputs are linear.
    batch_norm : bool, default=False
        Whether each hidden layer of the dense encoders, and of the decoders that mirror
        them, is normalised over the batch before its activation, then scaled and
        shifted as learned [6]_. Codes are made with running means and variances, of
        which each batch of the training makes up a tenth. Weighted rows count in them
        as often as they stand for samples. Not with ``optimizer="lbfgs"``.
    objective : {"trace_norm", "correlation_gap", "soft", "noi"}, default="trace_norm"
        What to train the encoders on. "trace_norm" [1]_ needs `batch_size` above
        `n_components`, and large beside it. "correlation_gap" [2]_ and "soft" [3]_
        bring the correlation of each pair of outputs to 1 and those within a view to 0;
        "noi" [4]_ regresses each view's outputs on the whitened ones of the other, and
        takes small batches. Each is a function of that name in ``skcrl.deep.losses``,
        "soft" being ``soft_cca``.
    reg : float or (x, y) pair of float, default=0.02
        Ridge of "trace_norm", of "noi" and of the closing CCA, positive, in squared
        units of the encoders' outputs: one for both views, or that of either.
    decorrelation_weight : float or None, default=None
        Weight of the correlations within a view in "correlation_gap" and "soft". None
        stands for 0.1 in the first and 0.3 in the second, chosen by ``score`` on 10,000
        training images of MNIST set aside, with 50 components and batches of 500.
    gap : {"squared", "linear"}, default="squared"
        Whether "correlation_gap" sums the squares of the differences of the
        correlations from 1, or the differences, as [2]_ writes: then all pairs pull
        alike, however far they are.
    running_momentum : float in [0, 1), default=0.2
        Share of the old that the running covariances of "soft" and "noi" keep at each
        batch. Covariances that lag behind the encoders make "noi" unstable: with more
        than 0.3, reduce `lr`.
    reconstruction_weight : float, default=0.0
        Weight of the squared error of either view decoded from its encoder's output,
        summed over features and averaged over the samples that have the view; with
        "trace_norm" this is DCCAE [5]_. With 0 decoding does not change what the
        encoders learn.
    gradient_penalty : (l1, l2) pair of float or None, default=None
        Elastic net on the gradient, in either view, of what the views of each sample
        have in common: the mean over samples of ``l1 * sum(abs(g)) + l2 * sum(g**2)``
        [2]_, where g is the gradient of :func:`skcrl.metrics.common_score` of the
        outputs, standardised over the batch, in the units that the networks see. It
        makes the encoders leave out features that tell nothing of the other view, and
        :func:`skcrl.inspection.gradient_map` sharper. Training takes longer, and
        validation is without it. Not with `compile`, `micro_batch_size` and several
        processes.
    pretraining_epochs : int, default=0
        Epochs in which each layer of the dense encoders is first trained as a
        denoising autoencoder with tied weights [1]_.
    pretraining_noise : float, default=0.1
        Standard deviation of the noise there on the input of each layer.
    input_dropout : float in [0, 1) or None, default=None
        Share of the entries of either view that is set to 0 while training, which keeps
        networks from fitting noise. None stands for 0 with 1,000 rows and 100 for each
        component, or more; with fewer for 0.5 if a view has more columns than rows,
        else for 0.2, or 0 without hidden layers.
    closing_cca : bool, default=True
        Whether linear CCA follows the training. If not, codes are the encoders' outputs
        with mean 0 and variance 1, in pairs as the objective left them; "trace_norm"
        does not pair them up.
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
        stands for a hundredth of the rows, but at least 200 and 20 for each component,
        and at most 2,000, or 4 for each component if that is more; where rows miss a
        view, so many that as many are complete.
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
    monitor : {"loss", "score"}, default="loss"
        Validation figure that early stopping goes by: the objective, or the ``score``
        that the estimator would have if training ended now. For the latter each epoch
        costs an encoding of the training samples.
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
        correlations after a closing CCA, else correlations of the pairs of outputs.
    x_weights_, y_weights_ : ndarray of shape (n_components, n_components)
        Projections of the centred outputs of the encoders on the codes: those of the
        closing CCA, or diagonal ones to variance 1.
    x_mean_, y_mean_ : ndarray of shape (n_components,)
        Mean outputs of the encoders on the training set.
    rank_ : int
        Components that the encoded training set determines; further ones are 0.
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
    LinearCCA : The same objective with linear encoders, solved exactly.
    CorrNet : Correlation and reconstruction together.

    Notes
    -----
    Networks are trained in float32.

    A row that is NaN in one view in ``fit`` is unpaired, which takes a positive
    `reconstruction_weight`: its other view is decoded from its own code, and adds
    nothing to the objective. Complete rows and unpaired ones are spread evenly among
    the batches. The closing CCA, ridge decoders and validation rows are of pairs.

    References
    ----------
    .. [1] Andrew, Arora, Bilmes and Livescu (2013). Deep canonical correlation
       analysis. ICML.
    .. [2] Multimodal understanding through correlation maximization and minimization.
    .. [3] Chang, Xiang and Hospedales (2018). Scalable and effective deep CCA via soft
       decorrelation. CVPR.
    .. [4] Wang, Arora, Livescu and Srebro (2015). Stochastic optimization for deep CCA
       via nonlinear orthogonal iterations. Allerton.
    .. [5] Wang, Arora, Livescu and Bilmes (2016). On deep multi-view representation
       learning: objectives and optimization. arXiv:1602.01024.
    .. [6] Ioffe and Szegedy (2015). Batch normalization: accelerating deep network
       training by reducing internal covariate shift. ICML.

    Examples
    --------
    >>> from skcrl import DeepCCA
    >>> from skcrl.datasets import load_digits_halves
    >>> left, right, labels = load_digits_halves()
    >>> dcca = DeepCCA(4, hidden_layer_sizes=(32,), max_epochs=20, random_state=0)
    >>> dcca.fit(left, right).transform(left).shape
    (1797, 4)
    >>> dcca.score(left, right) > 2
    True
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        **TRAINING_CONSTRAINTS,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "objective": [StrOptions(set(OBJECTIVES))],
        "batch_norm": ["boolean"],
        "reg": [Interval(Real, 0, None, closed="neither"), "array-like"],
        "decorrelation_weight": [Interval(Real, 0, None, closed="left"), None],
        "gap": [StrOptions({"squared", "linear"})],
        "running_momentum": [Interval(Real, 0, 1, closed="left")],
        "reconstruction_weight": [Interval(Real, 0, None, closed="left")],
        "gradient_penalty": ["array-like", Real, None],
        "pretraining_epochs": [Interval(Integral, 0, None, closed="left")],
        "pretraining_noise": [Interval(Real, 0, None, closed="left")],
        "input_dropout": [Interval(Real, 0, 1, closed="left"), None],
        "closing_cca": ["boolean"],
        **USERS_MODULES,
    }

    # What `gradient_penalty` takes the gradient of.
    _score_penalised = CommonScore

    def __init__(
        self,
        n_components: int = 2,
        *,
        hidden_layer_sizes: Sizes = (500, 300),
        activation: Activation = "relu",
        batch_norm: bool = False,
        objective: Literal[
            "trace_norm", "correlation_gap", "soft", "noi"
        ] = "trace_norm",
        reg: Reals = 0.02,
        decorrelation_weight: float | None = None,
        gap: Literal["squared", "linear"] = "squared",
        running_momentum: float = 0.2,
        reconstruction_weight: float = 0.0,
        gradient_penalty: tuple[float, float] | None = None,
        pretraining_epochs: int = 0,
        pretraining_noise: float = 0.1,
        input_dropout: float | None = None,
        closing_cca: bool = True,
        x_encoder: nn.Module | None = None,
        y_encoder: nn.Module | None = None,
        x_decoder: nn.Module | None = None,
        y_decoder: nn.Module | None = None,
        optimizer: Optimizer = "adam",
        lr: float = 1e-3,
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
        self.batch_norm = batch_norm
        self.objective = objective
        self.reg = reg
        self.decorrelation_weight = decorrelation_weight
        self.gap = gap
        self.running_momentum = running_momentum
        self.reconstruction_weight = reconstruction_weight
        self.gradient_penalty = gradient_penalty
        self.pretraining_epochs = pretraining_epochs
        self.pretraining_noise = pretraining_noise
        self.input_dropout = input_dropout
        self.closing_cca = closing_cca
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

    @property
    def _min_batch_rows(self):
        return self.n_components + 1 if OBJECTIVES[self.objective].full_rank else 2

    def _module(self, plan):
        return TwoBranch, {
            **self._dense_layers(),
            "x_shape": self._sample_shapes["x"],
            "y_shape": self._sample_shapes["y"],
            "x_encoder": self.x_encoder,
            "y_encoder": self.y_encoder,
            "x_decoder": self.x_decoder,
            "y_decoder": self.y_decoder,
            "autoencoding": self.reconstruction_weight > 0,
            "running": OBJECTIVES[self.objective].running,
            "running_momentum": self.running_momentum,
            "input_dropout": plan.input_dropout,
        }

    def _objective(self):
        objective = OBJECTIVES[self.objective]
        values = {
            "reg": check_positive_ridge(self.reg),
            "decorrelation_weight": (
                objective.decorrelation_weight
                if self.decorrelation_weight is None
                else self.decorrelation_weight
            ),
            "gap": self.gap,
        }
        return with_reconstruction, {
            "objective": objective.function,
            "reconstruction_weight": self._weights_of_errors(),
            **{name: values[name] for name in objective.parameters},
        }

    def _divergence_advice(self):
        if "reg" in OBJECTIVES[self.objective].parameters:
            return f"Reduce lr={self.lr} or raise reg={self.reg}."
        return super()._divergence_advice()

    def _check_parameters(self):
        super()._check_parameters()
        if self.optimizer == "lbfgs" and OBJECTIVES[self.objective].running:
            raise ValueError(
                f"objective={self.objective!r} keeps running moments of batches, which "
                "optimizer='lbfgs' would update at every evaluation of the same one: "
                "choose another optimizer."
            )
        encoders = self.x_encoder, self.y_encoder
        if self.pretraining_epochs > 0 and None not in encoders:
            raise ValueError(
                "Only dense encoders are pretrained, got pretraining_epochs="
                f"{self.pretraining_epochs} with both x_encoder and y_encoder: "
                "pretrain these yourself and set pretraining_epochs=0."
            )

    def _prepare(self, net, data):
        if self.pretraining_epochs > 0:
            pretrain(net, data, self.pretraining_epochs, self.pretraining_noise)

    def _projection(self, m):
        cov = _moments.covariances(m)
        if self.closing_cca:
            return _linalg.cca(cov, self.n_components, check_positive_ridge(self.reg))
        return _linalg.matched(cov)
