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
    r"""Multimodal autoencoder with one joint code of both views.

    Use it to reconstruct a missing view, or to get one code from whichever views are
    there. The network takes both views and reconstructs both. During training one view
    is removed from some of the rows, and still both have to be reconstructed; so the
    network learns to predict each view from the other [1]_. A missing view is replaced
    by zeros, so ``transform`` gives the code of x alone. The objective is the mean over
    samples of :math:`\frac12\|z - \hat z\|^2`, summed over the features of
    :math:`z = (x, y)`.

    Parameters
    ----------
    n_components : int, default=2
        Number of components: the width of the code.
    layout : {"split", "concatenated"}, default="split"
        Where the views are brought together. With "split" each view has hidden layers
        of its own, and the joint layer :math:`f(Wx + Vy + b)` follows them. With
        "concatenated" the views are concatenated at the input and share all hidden
        layers [2]_. The decoder mirrors the encoder.
    hidden_layer_sizes : sequence of int or (x, y) pair of sequences, default=(200,)
        Widths of the hidden layers of the encoder: of each view with
        ``layout="split"``, of both together with "concatenated". With "split", a pair
        of sequences, such as ``((), (64, 32))``, gives each view its own.
    activation : str, default="tanh"
        Activation function f of the hidden layers and of the code: "identity", "relu",
        "leaky_relu", "elu", "sigmoid" or "tanh". In a narrow code with "relu" all units
        may become 0 for all inputs, and the code then carries no information; a wide
        code with "relu" often reconstructs best.
    output_activation : str, default="identity"
        Activation function g of the reconstructed views: one of the same names. All
        except "identity" and "leaky_relu" need ``standardize=False`` and views within
        the range of the function.
    modality_dropout : float, default=2/3
        Probability that one of the two views of a row is removed in training; both
        views have the same chance. With 2/3, a third of the rows have both views, a
        third x alone and a third y alone [1]_. With 0 the network does not learn to
        reconstruct one view from the other.
    noise : float, default=0.0
        Standard deviation of the normal noise that is added to the inputs in training.
        A positive value makes the network a denoising autoencoder.
    pretraining_epochs : int, default=0
        Number of epochs in which each layer of the encoder is first trained by itself,
        the layers of each view before the joint ones. Each layer is trained as a
        denoising autoencoder with tied weights, on the outputs of the layers before it;
        layers of one view also use unpaired rows. The decoder keeps its random initial
        weights.
    pretraining_noise : float, default=0.1
        Standard deviation of the normal noise that pretraining adds to the input of
        each layer.
    x_encoder, y_encoder : nn.Module or None, default=None
        Encoders of your own, in place of the hidden layers of that view; they need
        ``layout="split"``. Each maps (n_samples, ...) to (n_samples, any width). It is
        copied, and the copy is trained from the weights that it comes with. The joint
        layer takes its output, with no activation between. The samples of the view may
        have any shape.
    x_decoder, y_decoder : nn.Module or None, default=None
        Decoders of your own, in place of all layers from the code to that view and of
        `output_activation`; they need ``layout="split"``. Each maps the code
        (n_samples, n_components) to the view (n_samples, ...). It is copied. Dense
        decoders have `hidden_layer_sizes` in reverse and return samples in the shape of
        the view, whatever the encoder is.
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
    weight_decay : float or None, default=None
        L2 penalty on the weights, as the optimiser defines it. Larger values reduce
        overfitting. None means 0 if there are at least 1,000 rows and at least 100 for
        each component, otherwise 0.1.
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
        Seed of the initial weights, of the choice of validation samples, of the
        batches, of the dropout and of the noise. Pass an int to get the same result at
        each fit; with None every fit differs. Global random generators are neither read
        nor changed, except by modules of your own that draw random numbers while they
        run, such as ``nn.Dropout``.
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
    CorrNet : Also correlates the codes of the two views.
    TiedBidirectional : Translates each view to the other, without mixing them.

    Notes
    -----
    Networks are trained in float32.

    A row that is NaN in one view in ``fit`` is unpaired: only the view that is there
    enters the network, and only that view is reconstructed. Each row counts as one
    sample in the mean.

    The validation objective is computed without noise and with both views.

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
                "layout='concatenated' has no layers for a single view that "
                f"{' and '.join(brought)} could replace: set layout='split'."
            )
        if self.layout == "concatenated" and is_pair(self.hidden_layer_sizes):
            raise ValueError(
                "layout='concatenated' has one sequence of hidden layers for both "
                "views, got an (x, y) pair of sequences, "
                f"hidden_layer_sizes={self.hidden_layer_sizes!r}: pass one sequence, "
                "or set layout='split'."
            )

        encoders = [name for name in brought if name.endswith("encoder")]
        if self.pretraining_epochs > 0 and encoders:
            raise ValueError(
                "Only dense encoders can be pretrained, got "
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
