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

# Small batches make its steps many and noisy, and both are better than few exact ones.
_FEWEST_ROWS_OF_NOI = 100


class DeepCCA(BaseTwoBranch):
    r"""Deep canonical correlation analysis.

    Use it when the relation of two views is not linear. Two encoders f and g, one for
    each view, are trained on batches to maximise the total correlation of their
    outputs, :math:`\|T\|_{tr}` with
    :math:`T = \bar\Sigma_{xx}^{-1/2} \Sigma_{xy} \bar\Sigma_{yy}^{-1/2}` [1]_;
    `objective` offers other objectives with the same aim. After training, linear CCA of
    the encoded training set makes the codes uncorrelated, pairs them up and sorts them
    by their correlation.

    Parameters
    ----------
    n_components : int, default=2
        Number of components: the width of each encoder's output and of the common
        space.
    hidden_layer_sizes : sequence of int or (x, y) pair of sequences, default=(500, 300)
        Widths of the hidden layers of the dense encoders. A pair of sequences gives
        each view its own: with ``((), (1024, 1024))`` the encoder of x is a single
        linear layer.
    activation : str, default="relu"
        Activation function after each hidden layer: "identity", "relu", "leaky_relu",
        "elu", "sigmoid", "tanh" or "cube_root", which is that of [1]_. The outputs are
        linear.
    batch_norm : bool, default=False
        Whether to use batch normalisation [6]_ before the activation of each hidden
        layer, in the dense encoders and in the decoders that mirror them. Codes are
        made with running means and variances; each training batch contributes a tenth
        to them. A weighted row counts as often as its weight says. It cannot be
        combined with ``optimizer="lbfgs"``.
    objective : {"trace_norm", "correlation_gap", "soft", "noi"}, default="trace_norm"
        What the training maximises or minimises. "trace_norm" [1]_ needs a `batch_size`
        that is larger than `n_components`, and works well only if it is much larger.
        "correlation_gap" [2]_ and "soft" [3]_ bring the correlation of each pair of
        outputs to 1 and the correlations within a view to 0. "noi" [4]_ regresses the
        outputs of each view on the whitened outputs of the other, and works with small
        batches; with many components its codes are usually better. Each has a function
        of the same name in ``skcrl.deep.losses``, except that "soft" is ``soft_cca``.
    reg : float or (x, y) pair of float, default=0.02
        Ridge regularisation, positive, which "trace_norm", "noi" and the closing CCA
        add to the variances of the encoders' outputs: one number for both views, or a
        pair with one for each. "noi" adds this multiple of the mean variance of the
        outputs. Larger values give smaller but more stable correlations.
    decorrelation_weight : float or None, default=None
        Weight of the correlations within a view in "correlation_gap" and "soft". Larger
        values make the outputs of a view less correlated. None means 0.1 in the first
        and 0.3 in the second. These values were chosen by ``score`` on 10,000 training
        images of MNIST that were set aside, with 50 components and batches of 500.
    gap : {"squared", "linear"}, default="squared"
        What "correlation_gap" sums: the squared differences of the correlations from 1,
        or the differences themselves, as in [2]_. With "linear" all pairs have the same
        influence, however far their correlation is from 1.
    running_momentum : float in [0, 1), default=0.2
        Fraction of their old value that the running covariances of "soft" and "noi"
        keep at each batch. With large values the covariances lag behind the encoders,
        which makes "noi" unstable: above 0.3, reduce `lr`.
    reconstruction_weight : float, default=0.0
        Weight of the squared error with which each view is reconstructed from its
        encoder's output. The error is summed over features and averaged over the
        samples that have the view. With "trace_norm" this is DCCAE [5]_. With 0,
        reconstruction has no influence on the encoders.
    gradient_penalty : (l1, l2) pair of float or None, default=None
        Elastic-net penalty on a gradient, which makes the encoders ignore features that
        carry no information about the other view, and makes the maps of
        :func:`skcrl.inspection.gradient_map` sharper. The penalty is the mean over
        samples of ``l1 * sum(abs(g)) + l2 * sum(g**2)`` [2]_. Here g is the gradient,
        with respect to each view as the networks see it, of
        :func:`skcrl.metrics.common_score` of the outputs standardised over the batch.
        Training takes longer with it, and the validation objective leaves it out. It
        cannot be combined with `compile`, `micro_batch_size` or several processes.
    pretraining_epochs : int, default=0
        Number of epochs in which each layer of the dense encoders is first trained as a
        denoising autoencoder with tied weights [1]_.
    pretraining_noise : float, default=0.1
        Standard deviation of the normal noise that pretraining adds to the input of
        each layer.
    input_dropout : float in [0, 1) or None, default=None
        Fraction of the entries of each view that is set to 0 at random during training.
        This keeps networks from fitting noise. None means 0 if there are at least 1,000
        rows and at least 100 for each component. With fewer rows it means 0.5 if a view
        has more columns than rows; otherwise 0.2, or 0 without hidden layers.
    closing_cca : bool, default=True
        Whether linear CCA is applied to the encoded training set after training. If
        False, the codes are the encoders' outputs, scaled to mean 0 and variance 1.
        Their pairs are then as the objective left them; "trace_norm" does not pair
        outputs up.
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
        at least 200 and at least 20 for each component, and at most 2,000 or 4 for each
        component, whichever is more. For "noi" it means 2 for each component, but at
        least 100. If some rows have one view only, batches are made larger, until each
        has this number of complete rows.
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
    monitor : {"loss", "score"}, default="loss"
        Quantity that early stopping compares on the validation set. "loss" is the
        objective. "score" is the ``score`` that the estimator would have if training
        ended now; `history_` then holds it as `valid_score`. It takes longer, because
        each epoch encodes the training samples.
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
        Pearson correlation of each pair of codes of the training set. After a closing
        CCA these are the canonical correlations.
    x_weights_, y_weights_ : ndarray of shape (n_components, n_components)
        Matrices that map the centred outputs of the encoders to the codes: those of the
        closing CCA, or diagonal matrices that scale the outputs to variance 1.
    x_mean_, y_mean_ : ndarray of shape (n_components,)
        Mean outputs of the encoders over the training set.
    rank_ : int
        Number of components that the encoded training set determines. The codes of
        further components are 0.
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
    LinearCCA : The same objective with linear encoders, solved exactly.
    CorrNet : Correlation and reconstruction together.

    Notes
    -----
    Networks are trained in float32.

    A row that is NaN in one view in ``fit`` is unpaired. Unpaired rows need a positive
    `reconstruction_weight`: the view that is there is reconstructed from its own code,
    and does not enter the objective otherwise. Complete and unpaired rows are spread
    evenly over the batches. The closing CCA, the ridge decoders and the validation use
    complete rows only.

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

    def _batch_rows(self, n_rows):
        if self.objective == "noi":
            return max(_FEWEST_ROWS_OF_NOI, 2 * self.n_components)
        return super()._batch_rows(n_rows)

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
                f"objective={self.objective!r} updates running moments with each "
                "batch, but optimizer='lbfgs' evaluates the same batch many times: "
                "choose another optimizer."
            )
        encoders = self.x_encoder, self.y_encoder
        if self.pretraining_epochs > 0 and None not in encoders:
            raise ValueError(
                "Only dense encoders can be pretrained, got pretraining_epochs="
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
