"""The multimodal autoencoder."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skcrl._typing import (
    Activation,
    File,
    Optimizer,
    Schedule,
    Seed,
    Sizes,
)
from skcrl.deep._base import TRAINING_CONSTRAINTS
from skcrl.deep._joint_code import BaseJointCode
from skcrl.deep._users_modules import USERS_MODULES, output_width, try_module
from skcrl.deep.losses import reconstruction
from skcrl.deep.modules import ACTIVATIONS, MultimodalAutoencoderModule
from skcrl.deep.modules._hidden_layers import hidden_layers, is_pair


class MultimodalAutoencoder(BaseJointCode):
    r"""Multimodal autoencoder, with one joint code of both views.

    Both views go in and both come out. In training one view is taken from some of the
    rows, and both are rebuilt all the same, so that either view alone tells the other
    [1]_. A missing view enters as zeros: ``transform`` is the code of x alone. The
    objective is the mean over samples of :math:`\frac12\|z - \hat z\|^2` summed over
    the features of :math:`z = (x, y)`.

    Parameters
    ----------
    n_components : int, default=2
        Width of the code.
    layout : {"split", "concatenated"}, default="split"
        Whether each view has hidden layers of its own, which only the joint layer
        :math:`f(Wx + Vy + b)` brings together, or the views are concatenated and all
        hidden layers are joint [2]_. The decoder mirrors the encoder.
    hidden_layer_sizes : sequence of int, or (x, y) pair of such, default=(200,)
        Hidden layers of the encoder: of each view, or of both together. With
        ``layout="split"`` either view may have its own, as in ``((), (64, 32))``.
    activation : str, default="tanh"
        f, after each hidden layer and in the code: one of "identity", "relu",
        "leaky_relu", "elu", "sigmoid" and "tanh". All units of a narrow "relu" code may
        die, after which it says nothing; where it is wide, "relu" often rebuilds best.
    output_activation : str, default="identity"
        g, of the views rebuilt; one of the same. All but "identity" and "leaky_relu"
        need ``standardize=False`` and views in the range that they give.
    modality_dropout : float, default=2/3
        Probability of a row to lose one of its two views in training, either with half
        of it. 2/3 is a third of the rows with both views, a third with x alone and a
        third with y alone [1]_. With 0 neither view learns to rebuild the other.
    noise : float, default=0.0
        Standard deviation of the normal noise added to the inputs in training: a
        denoising autoencoder.
    pretraining_epochs : int, default=0
        Epochs in which each layer of the encoder is first trained by itself, those of
        either view before the joint ones: as a denoising autoencoder with tied weights
        of what the layers before it give, of unpaired rows too as far as these take one
        view. The decoder starts as drawn.
    pretraining_noise : float, default=0.1
        Standard deviation of the noise there on the input of each layer.
    x_encoder, y_encoder : nn.Module or None, default=None
        Encoders (n_samples, ...) -> (n_samples, any width) to train, from the weights
        they come with, in place of the hidden layers of that view, with
        ``layout="split"``. The joint layer takes what they give, without an activation
        between. Samples of the view may then have any shape. They are copied.
    x_decoder, y_decoder : nn.Module or None, default=None
        Decoders (n_samples, n_components) -> (n_samples, ...) from the code to that
        view, in place of all layers between and of `output_activation`, with
        ``layout="split"``. They are copied. Dense decoders, of whatever encoders, have
        `hidden_layer_sizes` in reverse and give samples in their shape.
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
    weight_decay : float or None, default=None
        Penalty on squared weights, as the optimiser understands it. None stands for 0
        with 1,000 rows and 100 for each component, or more; with fewer for 0.1.
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
        Source of the initial weights, the validation samples, the batches, the dropout
        and the noise. With None every fit differs. No global generator is read or
        changed, but by modules of yours that draw while they run, such as
        ``nn.Dropout``.
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
    CorrNet : Correlates the codes of the views besides.
    TiedBidirectional : Translates each view to the other, without mixing them.

    Notes
    -----
    Networks are trained in float32.

    A row that is NaN in one view in ``fit`` is unpaired: its other view enters alone
    and only that one is rebuilt. Each row counts as one sample in the mean.

    The validation objective is without noise and with both views there.

    References
    ----------
    .. [1] Ngiam, Khosla, Kim, Nam, Lee and Ng (2011). Multimodal deep learning. ICML.
    .. [2] Vukotić, Raymond and Gravier (2016). Bidirectional joint representation
       learning with symmetrical deep neural networks for multimodal and crossmodal
       applications. ICMR.

    Examples
    --------
    >>> from skcrl import MultimodalAutoencoder
    >>> from skcrl.datasets import load_digits_halves
    >>> left, right, labels = load_digits_halves()
    >>> autoencoder = MultimodalAutoencoder(8, max_epochs=5, random_state=0)
    >>> autoencoder.fit(left, right).transform_joint(left, right).shape
    (1797, 8)
    >>> autoencoder.reconstruct(left, to="y").shape
    (1797, 32)
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        **TRAINING_CONSTRAINTS,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left"), None],
        "layout": [StrOptions({"split", "concatenated"})],
        "output_activation": [StrOptions(set(ACTIVATIONS))],
        "modality_dropout": [Interval(Real, 0, 1, closed="both")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "pretraining_epochs": [Interval(Integral, 0, None, closed="left")],
        "pretraining_noise": [Interval(Real, 0, None, closed="left")],
        **USERS_MODULES,
    }

    def __init__(
        self,
        n_components: int = 2,
        *,
        layout: Literal["split", "concatenated"] = "split",
        hidden_layer_sizes: Sizes = (200,),
        activation: Activation = "tanh",
        output_activation: Activation = "identity",
        modality_dropout: float = 2 / 3,
        noise: float = 0.0,
        pretraining_epochs: int = 0,
        pretraining_noise: float = 0.1,
        x_encoder: nn.Module | None = None,
        y_encoder: nn.Module | None = None,
        x_decoder: nn.Module | None = None,
        y_decoder: nn.Module | None = None,
        optimizer: Optimizer = "adam",
        lr: float = 2e-3,
        lr_schedule: Schedule | None = None,
        weight_decay: float | None = None,
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
        self.layout = layout
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.output_activation = output_activation
        self.modality_dropout = modality_dropout
        self.noise = noise
        self.pretraining_epochs = pretraining_epochs
        self.pretraining_noise = pretraining_noise
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
        return 1

    def _check_parameters(self):
        brought = [name for name in USERS_MODULES if getattr(self, name) is not None]
        if self.layout == "concatenated" and brought:
            raise ValueError(
                "layout='concatenated' has no layers of one view, which "
                f"{' and '.join(brought)} could replace: set layout='split'."
            )
        if self.layout == "concatenated" and is_pair(self.hidden_layer_sizes):
            raise ValueError(
                "layout='concatenated' has the hidden layers of both views together, "
                f"got an (x, y) pair of them, hidden_layer_sizes="
                f"{self.hidden_layer_sizes!r}: set layout='split', or one sequence."
            )

        encoders = [name for name in brought if name.endswith("encoder")]
        if self.pretraining_epochs > 0 and encoders:
            raise ValueError(
                "Only dense encoders are pretrained, up to the joint layers, got "
                f"pretraining_epochs={self.pretraining_epochs} with "
                f"{' and '.join(encoders)}: pretrain these yourself and set "
                "pretraining_epochs=0."
            )

    def _check_net(self, net, X, y):
        codes = np.zeros((2, self.n_components), np.float32)
        for side, shape in self._sample_shapes.items():
            try_module(net, "decode", f"{side}_decoder", codes, side, shape)

    def _module(self, plan):
        hidden = hidden_layers(self.hidden_layer_sizes)
        shapes = self._sample_shapes
        return MultimodalAutoencoderModule, {
            "x_shape": shapes["x"],
            "y_shape": shapes["y"],
            "n_components": self.n_components,
            "layout": self.layout,
            "hidden_layer_sizes": (hidden["x"], hidden["y"]),
            "activation": self.activation,
            "output_activation": self.output_activation,
            "modality_dropout": self.modality_dropout,
            "noise": self.noise,
            "x_encoder": self.x_encoder,
            "y_encoder": self.y_encoder,
            "x_width": self._width_of("x"),
            "y_width": self._width_of("y"),
            "x_decoder": self.x_decoder,
            "y_decoder": self.y_decoder,
            "integer_sides": self._integer_sides,
        }

    def _width_of(self, side):
        """Width of what an encoder of the user's gives, None of a dense one."""
        name = f"{side}_encoder"
        dtype = torch.int64 if side in self._integer_sides else torch.float32
        samples = torch.zeros(2, *self._sample_shapes[side], dtype=dtype)
        return output_width(getattr(self, name), name, samples)

    def _objective(self):
        return reconstruction, {"factor": 0.5}
