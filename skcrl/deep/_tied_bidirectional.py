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
    r"""Two networks with tied central weights that translate each view to the other.

    Use it to translate between two views, or to get a joint code that keeps both. One
    network goes from x to y, the other from y to x [1]_. They share the weights of the
    two central layers: where the first network uses :math:`W_2` and :math:`W_3`, the
    second uses :math:`W_3^T` and :math:`W_2^T`. The activations between these two
    layers are the codes. All biases, and all layers further out, belong to one network
    only. The objective is the mean squared error of both translations, over the samples
    and over the features of both views. (CorrNet and MultimodalAutoencoder sum over
    features instead.)

    Parameters
    ----------
    n_components : int, default=2
        Number of components: the width of the central layer of each network. Joint
        codes are twice as wide.
    hidden_layer_sizes : sequence of int or (x, y) pair of sequences, default=(500,)
        Widths of the hidden layers between a view and the centre. A pair of sequences,
        such as ``((), (64, 32))``, gives each view its own. The network from x to y has
        the layers of x before the centre and those of y in reverse after it; the other
        network has them the other way round. The last hidden layer of each view is
        joined to the centre by the tied weights. With () the tied weights join the
        views to the centre, and there are no others.
    activation : str, default="elu"
        Activation function of the hidden layers and of the centre: "identity", "relu",
        "leaky_relu", "elu", "sigmoid" or "tanh".
    output_activation : str, default="identity"
        Activation function of the reconstructed views: one of the same names. The paper
        uses "tanh" here too, which suits only views scaled to (-1, 1). All except
        "identity" and "leaky_relu" need ``standardize=False``.
    dropout : float, default=0.0
        Fraction of the central activations that is set to 0 at random during training.
    input_dropout : float in [0, 1) or None, default=None
        Fraction of the entries of each view that is set to 0 at random during training.
        This keeps networks from fitting noise. None means 0 if there are at least 1,000
        rows and at least 100 for each component. With fewer rows it means 0.2 if a view
        has more columns than rows; otherwise 0.1, or 0 without hidden layers.
    optimizer : str, default="adam"
        Name of the optimiser: "adam", "adamw", "sgd", "rmsprop" (with decay 0.9),
        "nesterov" (SGD with Nesterov momentum 0.9) or "lbfgs". L-BFGS uses all samples
        as one batch. One epoch is then up to 20 iterations with a line search, and `lr`
        is the length of the first step, usually 1.
    lr : float, default=2e-3
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
        are distributed among the other batches. None means 100.
    micro_batch_size : int or None, default=None
        Number of rows that go through the networks at once during training; None means
        the whole batch. Choose a smaller number to save memory. The gradient remains
        that of the whole batch: it is computed in two passes, so the networks compute
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
        Seed of the initial weights, of the choice of validation samples, of the batches
        and of the dropout. Pass an int to get the same result at each fit; with None
        every fit differs. Global random generators are neither read nor changed.
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
        Number of components of the codes of one view.
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
    MultimodalAutoencoder : One joint code of both views.

    Notes
    -----
    Networks are trained in float32. The training of [1]_ is ``activation="tanh"``,
    ``optimizer="nesterov"``, ``lr=0.1``, ``dropout=0.2``, ``input_dropout=0`` and
    ``standardize=False``, with views in (-1, 1). At that learning rate, features with a
    standard deviation of 10 make the training stop improving or diverge.

    The objective does not make the codes of the two views similar. With hidden layers,
    which are not tied, they are not similar: ``score`` then has no meaning and may be
    negative. They are similar with ``hidden_layer_sizes=()``. They also become similar
    if each row is added once more without its other view, because unpaired rows go
    through the halves of both networks.

    A view is reconstructed from the other view as in training. To reconstruct it from
    itself, it goes through the first half of one network and the second half of the
    other. With both views, the mean of the central activations is decoded.

    A row that is NaN in one view in ``fit`` is unpaired: the view that is there is
    trained to reconstruct itself through the tied halves. Each row counts as one sample
    in the mean.

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

    # With the larger fractions of other estimators, translations were worse.
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

    def _reconstructed_in_training(self, X, y):
        yield "X", X, self._decode(self._encode(y, "y"), "x")
        yield "y", y, self._decode(self._encode(X, "x"), "y")

    def _reconstruct(self, X, y, to):
        codes = self._codes(X, y)
        return self._decode(sum(codes) / len(codes), to)
