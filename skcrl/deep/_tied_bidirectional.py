"""Bidirectional networks with tied weights."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skcrl._arrays import join_columns
from skcrl._typing import Activation, File, Optimizer, Schedule, Seed, Sizes
from skcrl.deep._base import TRAINING_CONSTRAINTS
from skcrl.deep._two_view import BaseDeepTwoView
from skcrl.deep.losses import reconstruction
from skcrl.deep.modules import ACTIVATIONS, TiedBidirectionalModule
from skcrl.deep.modules._hidden_layers import hidden_layers


class TiedBidirectional(BaseDeepTwoView):
    r"""Two networks that translate each view to the other, symmetrical in the centre.

    One net goes from x to y, the other from y to x [1]_. They share the weights of the
    two central layers: where net 1 goes through :math:`W_2` and :math:`W_3`, net 2 goes
    through :math:`W_3^T` and :math:`W_2^T`. The activations between the two are the
    codes. All biases, and the layers further out, are free in each net. The objective
    is the mean squared error of both translations, over samples and over the features
    of both views; those of CorrNet and of MultimodalAutoencoder sum over features.

    Parameters
    ----------
    n_components : int, default=2
        Width of the central layer of each net. Joint codes are twice as wide.
    hidden_layer_sizes : sequence of int, or (x, y) pair of such, default=(500,)
        Hidden layers between a view and the centre, of both views or of either, as in
        ``((), (64, 32))``: one net has those of x on its way to the centre and those of
        y mirrored on its way from there, the other net the other way round. The last
        one of a view is tied on its side of the centre. With () the tied weights are
        all there are, and join the view to the centre.
    activation : str, default="elu"
        After each hidden layer and in the centre: one of "identity", "relu",
        "leaky_relu", "elu", "sigmoid" and "tanh".
    output_activation : str, default="identity"
        Of the views rebuilt; one of the same. The paper applies its "tanh" here too,
        which suits views scaled to (-1, 1) and no others. All but "identity" and
        "leaky_relu" need ``standardize=False``.
    dropout : float, default=0.0
        Share of the central activations dropped in training.
    input_dropout : float in [0, 1) or None, default=None
        Share of the entries of either view that is set to 0 while training, which keeps
        networks from fitting noise. None stands for 0 with 1,000 rows and 100 for each
        component, or more; with fewer for 0.2 if a view has more columns than rows,
        else for 0.1, or 0 without hidden layers.
    optimizer : str, default="adam"
        "adam", "adamw", "sgd", "rmsprop", which decays by 0.9, "nesterov", which is SGD
        with momentum 0.9, or "lbfgs". The last takes all samples as one batch; an epoch
        is then up to 20 iterations with line search, from a first step of `lr`, for
        which 1 is usual.
    lr : float, default=2e-3
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
        stands for 100.
    micro_batch_size : int or None, default=None
        Rows that go through the networks at once in training; None stands for the whole
        batch. The gradient is that of the whole batch, computed in two passes with the
        memory of a few rows, and the networks compute twice. Layers of yours that look
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
        Source of the initial weights, the validation samples, the batches and the
        dropout. With None every fit differs. No global generator is read or changed.
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
        Number of components of the codes of one view.
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
    MultimodalAutoencoder : One joint code of both views.

    Notes
    -----
    Networks are trained in float32. The training of [1]_: ``activation="tanh"``,
    ``optimizer="nesterov"``, ``lr=0.1``, ``dropout=0.2``, ``input_dropout=0`` and
    ``standardize=False``, of views in (-1, 1). At that learning rate features of
    deviation 10 stall it, or it diverges.

    Nothing in the objective makes the codes of the two views alike. With hidden layers,
    which are free, they are not: ``score`` says nothing then, and may be negative. They
    are alike with ``hidden_layer_sizes=()``, and if the nets are trained on each row
    once more without its other view, because unpaired rows go through the halves of
    both.

    A view is rebuilt from the other as it was trained to; from itself, it goes through
    the first half of one net and the second half of the other; from both views, the
    mean of the central activations is decoded.

    A row that is NaN in one view in ``fit`` is unpaired: the other view is trained to
    rebuild itself through the tied halves. Each row counts as one sample in the mean.

    References
    ----------
    .. [1] Vukotić, Raymond and Gravier (2016). Bidirectional joint representation
       learning with symmetrical deep neural networks for multimodal and crossmodal
       applications. ICMR.

    Examples
    --------
    >>> from skcrl import TiedBidirectional
    >>> from skcrl.datasets import load_digits_halves
    >>> left, right, labels = load_digits_halves()
    >>> tied = TiedBidirectional(8, max_epochs=5, random_state=0).fit(left, right)
    >>> tied.transform(left).shape
    (1797, 8)
    >>> tied.transform_joint(left, right).shape
    (1797, 16)
    >>> tied.reconstruct(left, to="y").shape
    (1797, 32)
    """

    _trains_on_unpaired = True

    _parameter_constraints: dict = {  # noqa: RUF012
        **TRAINING_CONSTRAINTS,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "output_activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "input_dropout": [Interval(Real, 0, 1, closed="left"), None],
    }

    def __init__(
        self,
        n_components: int = 2,
        *,
        hidden_layer_sizes: Sizes = (500,),
        activation: Activation = "elu",
        output_activation: Activation = "identity",
        dropout: float = 0.0,
        input_dropout: float | None = None,
        optimizer: Optimizer = "adam",
        lr: float = 2e-3,
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
        self.output_activation = output_activation
        self.dropout = dropout
        self.input_dropout = input_dropout
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

    # The shares that others have left translations worse.
    _few_dropout, _wide_dropout = 0.1, 0.2

    @property
    def _min_batch_rows(self):
        return 1

    def _module(self, plan):
        hidden = hidden_layers(self.hidden_layer_sizes)
        return TiedBidirectionalModule, {
            "n_features_x": self.n_features_in_,
            "n_features_y": self.y_n_features_in_,
            "n_components": self.n_components,
            "hidden_layer_sizes": (hidden["x"], hidden["y"]),
            "activation": self.activation,
            "output_activation": self.output_activation,
            "dropout": self.dropout,
            "input_dropout": plan.input_dropout,
        }

    def _objective(self):
        n_features = self.n_features_in_ + self.y_n_features_in_
        return reconstruction, {"factor": 1 / n_features}

    def _divergence_advice(self):
        if self.standardize:
            return super()._divergence_advice()
        return f"Set standardize=True, or reduce lr={self.lr}."

    def _encode(self, view, side):
        return self.net_.evaluate("encode", view, side=side)

    def _decode(self, codes, side):
        return self.net_.evaluate("decode", codes, side=side)

    def _join(self, X, y):
        codes = self._codes(X, y)
        return join_columns(codes[0], codes[-1])

    def _joint_names(self):
        prefix = type(self).__name__.lower()
        columns = range(self.n_components_)
        names = [f"{prefix}_{side}{i}" for side in "xy" for i in columns]
        return np.asarray(names, dtype=object)

    def _rebuilt_in_training(self, X, y):
        yield "X", X, self._decode(self._encode(y, "y"), "x")
        yield "y", y, self._decode(self._encode(X, "x"), "y")

    def _rebuild(self, X, y, to):
        codes = self._codes(X, y)
        return self._decode(sum(codes) / len(codes), to)
