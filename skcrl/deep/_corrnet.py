"""Correlational neural networks."""

from collections.abc import Callable, Sequence
from math import prod
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skcrl._typing import (
    Activation,
    File,
    Optimizer,
    Reals,
    Schedule,
    Seed,
    Sizes,
)
from skcrl._validation import check_positive_pair
from skcrl.deep._base import TRAINING_CONSTRAINTS
from skcrl.deep._joint_code import BaseJointCode
from skcrl.deep._users_modules import USERS_MODULES, try_module
from skcrl.deep.losses import corrnet
from skcrl.deep.modules import ACTIVATIONS, CorrNetModule
from skcrl.deep.modules._corrnet import SOURCES
from skcrl.deep.modules._hidden_layers import hidden_layers
from skcrl.metrics import pearson_sum

# Settings of the authors' code and of the blog post, where a parameter stands for them.
_PAPER: dict[str, Any] = {
    "hidden_layer_sizes": (),
    "activation": "sigmoid",
    "output_activation": "sigmoid",
    "terms": ("joint", "from_x", "from_y"),
    "reconstruction_weight": 1.0,
    "correlation_weight": 2.0,
    "correlation": "batch",
    "combine": "pre",
    "decoder": "linear",
    "tied": True,
    "optimizer": "rmsprop",
    "lr": 1e-2,
    "weight_decay": 0.0,
    "standardize": False,
    "batch_size": 100,
    "max_epochs": 50,
    "tol": 0.0,
}
_BLOG: dict[str, Any] = {
    **_PAPER,
    "hidden_layer_sizes": (500, 300),
    "output_activation": "identity",
    "terms": ("from_x", "from_y"),
    "reconstruction_weight": "mean",
    "correlation_weight": 0.02,
    "combine": "post",
    "tied": False,
    "lr": 1e-3,
    "max_epochs": 40,
}
# Codes whose mean correlation is larger than this have learned to correlate.
_CORRELATED = 0.1


class CorrNet(BaseJointCode):
    r"""Correlational neural network, shallow or deep.

    Use it when each view has to be reconstructed from the other, and the codes of both
    views have to be comparable. It is an autoencoder of the pair (x, y) with one joint
    code. It learns to reconstruct both views from both, from x alone and from y alone,
    and at the same time to correlate the codes of the two views [1]_. A missing view is
    replaced by zeros, so ``transform`` gives the code of x alone. Per sample the
    objective is :math:`\frac12\|z - g(h)\|^2`, summed over the features and over
    `terms`, minus :math:`\lambda` times the correlation. ``CorrNet.paper()`` and
    ``CorrNet.blog()`` return estimators with the published settings.

    Parameters
    ----------
    n_components : int, default=2
        Number of components: the width of the code.
    hidden_layer_sizes : sequence of int or (x, y) pair of sequences, default=()
        Widths of the hidden layers of the dense encoders. A pair of sequences, such as
        ``((), (64, 32))``, gives each view its own. The default, no hidden layer, is
        the network of the paper.
    activation : str, default="sigmoid"
        Activation function f of the hidden layers and of the code: "identity", "relu",
        "leaky_relu", "elu", "sigmoid" or "tanh".
    output_activation : str, default="identity"
        Activation function g of the reconstructed views: one of the same names. All
        except "identity" and "leaky_relu" need ``standardize=False`` and views within
        the range of the function.
    terms : sequence of str, default=("joint", "from_x", "from_y")
        What the network learns to reconstruct. "joint", "from_x" and "from_y"
        reconstruct both views: from the code of both views, of x alone and of y alone.
        "self" reconstructs each view from its own code, and "cross" from the code of
        the other view. "from_x" and "from_y" together are the same as "self" and
        "cross" together; a reconstruction that two terms name counts twice. With () the
        encoders are trained by the correlation alone, and the decoders on the codes of
        these encoders.
    reconstruction_weight : float, (x, y) pair of float or "mean", default=1.0
        Positive weight of the squared errors: one for both views, or one for each.
        "mean" is 2 / n_features of each view. Then each view counts with the mean of
        the squared errors over its features, as in Keras, and not with half their sum,
        so that a wide view counts no more than a narrow one.
    correlation_weight : float, default=40.0
        Weight :math:`\lambda` of the correlation. Larger values raise the correlation
        of the codes. Beyond some point this makes transfer between the views worse, so
        do not choose the weight by ``score`` alone. With 0 the network is a multimodal
        autoencoder. The weight is relative to errors summed over features: with
        ``reconstruction_weight="mean"`` and d features in each view, :math:`2\lambda/d`
        gives the same balance.
    correlation : {"batch", "sample"}, default="batch"
        Which correlation of the codes is maximised: the correlation of each dimension
        over the batch, summed over dimensions, or the correlation of the two codes of
        each sample over the dimensions, averaged over samples. The latter is 0 for a
        single dimension.
    combine : {"pre", "post"}, default="pre"
        How the views are combined into the joint code: before the activation,
        :math:`f(Wx + Vy + b)`, or after it, :math:`f(Wx + b) + f(Vy + c)`.
    decoder : {"linear", "mirrored"}, default="linear"
        The dense decoders: a single layer, or the hidden layers of the encoder in
        reverse.
    tied : bool, default=False
        Whether the decoder uses the transposed weights of the dense encoder,
        :math:`W' = W^T`. With hidden layers this needs ``decoder="mirrored"``.
    pretraining_epochs : int, default=0
        Number of epochs in which each layer of the dense encoders, including that of
        the code, is first trained by itself. Each layer is trained as a denoising
        autoencoder with tied weights, on the outputs of the layers before it, with
        paired and unpaired rows. Decoders keep their random initial weights, unless
        they are `tied`.
    pretraining_noise : float, default=0.1
        Standard deviation of the normal noise that pretraining adds to the input of
        each layer.
    x_encoder, y_encoder : nn.Module or None, default=None
        Encoders of your own, in place of all layers of that view. Each maps (n_samples,
        ...) to (n_samples, n_components). It is copied, and the copy is trained from
        the weights that it comes with. The activation f is applied to its output, as to
        :math:`Wx + b`. The samples of the view may have any shape. Each batch contains
        a row of zeros for the missing view, which also enters the statistics of layers
        such as ``nn.BatchNorm2d``.
    x_decoder, y_decoder : nn.Module or None, default=None
        Decoders of your own, in place of the dense ones and their `output_activation`.
        Each maps the joint code (n_samples, n_components) to the view (n_samples, ...).
        It is copied. Dense decoders return samples in the shape of the view, whatever
        the encoder is.
    optimizer : str, default="rmsprop"
        Name of the optimiser: "adam", "adamw", "sgd", "rmsprop" (with decay 0.9),
        "nesterov" (SGD with Nesterov momentum 0.9) or "lbfgs". L-BFGS uses all samples
        as one batch. One epoch is then up to 20 iterations with a line search, and `lr`
        is the length of the first step, usually 1.
    lr : float, default=1e-2
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
    DeepCCA : Correlation alone.
    MultimodalAutoencoder : Reconstruction alone.

    Notes
    -----
    Networks are trained in float32.

    A row that is NaN in one view in ``fit`` is unpaired. The view that is there is
    reconstructed from its own code, whatever `terms` says, and does not enter the
    correlation. Each row counts as one sample in the mean.

    The released code of the paper combines the errors L1, L2 and L3, which are
    "from_x", "from_y" and "joint" here. Its combination "euc-cor" is
    ``terms=("cross",)``, and its "euc" is the same with ``correlation_weight=0``.

    References
    ----------
    .. [1] Chandar, Khapra, Larochelle and Ravindran (2016). Correlational neural
       networks. Neural Computation 28(2).

    Examples
    --------
    >>> from skcrl import CorrNet
    >>> from skcrl.datasets import load_digits_halves
    >>> left, right, labels = load_digits_halves()
    >>> corrnet = CorrNet(8, max_epochs=5, random_state=0).fit(left, right)
    >>> corrnet.transform(left).shape
    (1797, 8)
    >>> corrnet.reconstruct(left, to="y").shape
    (1797, 32)
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        **TRAINING_CONSTRAINTS,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left"), None],
        "output_activation": [StrOptions(set(ACTIVATIONS))],
        "terms": ["array-like"],
        "reconstruction_weight": [
            Interval(Real, 0, None, closed="neither"),
            "array-like",
            StrOptions({"mean"}),
        ],
        "correlation_weight": [Interval(Real, 0, None, closed="left")],
        "correlation": [StrOptions({"batch", "sample"})],
        "combine": [StrOptions({"pre", "post"})],
        "decoder": [StrOptions({"linear", "mirrored"})],
        "tied": ["boolean"],
        "pretraining_epochs": [Interval(Integral, 0, None, closed="left")],
        "pretraining_noise": [Interval(Real, 0, None, closed="left")],
        **USERS_MODULES,
    }

    def __init__(
        self,
        n_components: int = 2,
        *,
        hidden_layer_sizes: Sizes = (),
        activation: Activation = "sigmoid",
        output_activation: Activation = "identity",
        terms: Sequence[str] = ("joint", "from_x", "from_y"),
        reconstruction_weight: Reals | Literal["mean"] = 1.0,
        correlation_weight: float = 40.0,
        correlation: Literal["batch", "sample"] = "batch",
        combine: Literal["pre", "post"] = "pre",
        decoder: Literal["linear", "mirrored"] = "linear",
        tied: bool = False,
        pretraining_epochs: int = 0,
        pretraining_noise: float = 0.1,
        x_encoder: nn.Module | None = None,
        y_encoder: nn.Module | None = None,
        x_decoder: nn.Module | None = None,
        y_decoder: nn.Module | None = None,
        optimizer: Optimizer = "rmsprop",
        lr: float = 1e-2,
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
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.output_activation = output_activation
        self.terms = terms
        self.reconstruction_weight = reconstruction_weight
        self.correlation_weight = correlation_weight
        self.correlation = correlation
        self.combine = combine
        self.decoder = decoder
        self.tied = tied
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

    @classmethod
    def paper(cls, n_components: int = 50, **parameters: Any) -> Self:
        """Make a CorrNet with the settings of the paper's released code.

        The network has one layer, whose transposed weights are the decoder, and sigmoid
        activations. The loss has the errors of all three kinds, summed over features,
        and the correlation with weight 2. Training uses RMSprop with a learning rate of
        0.01, batches of 100 rows and 50 epochs, on views with values between 0 and 1,
        which are not standardised [1]_.

        Parameters
        ----------
        n_components : int, default=50
            Number of components: the width of the code.
        **parameters : object
            Parameters of ``CorrNet`` that replace these settings.

        Returns
        -------
        corrnet : CorrNet
            The estimator, not fitted.

        Notes
        -----
        The released code draws its initial weights from a range that is four times as
        wide; there is no parameter for this. It also takes the rows in their order,
        which ``net_params={"iterator_train__shuffle": False}`` does here.

        References
        ----------
        .. [1] github.com/apsarath/CorrNet, mnistExample, of Chandar, Khapra, Larochelle
           and Ravindran (2016). Correlational neural networks. Neural Computation
           28(2).

        Examples
        --------
        >>> from skcrl import CorrNet
        >>> CorrNet.paper(max_epochs=10).get_params()["correlation_weight"]
        2.0
        """
        return cls(n_components, **{**_PAPER, **parameters})

    @classmethod
    def blog(cls, n_components: int = 50, **parameters: Any) -> Self:
        """Make a deep CorrNet with the settings of G. Bhatt's blog post.

        The network has hidden layers of 500 and 300 units and a code, all with sigmoid
        activations; the joint code is the sum of the codes of both views, and the
        decoders are single linear layers. Both views are reconstructed from x alone and
        from y alone, with the mean error over the features of each view, and the
        correlation has weight 0.02. Training uses RMSprop with a learning rate of
        0.001, batches of 100 rows and 40 epochs, on views with values between 0 and 1,
        which are not standardised [1]_.

        Parameters
        ----------
        n_components : int, default=50
            Number of components: the width of the code.
        **parameters : object
            Parameters of ``CorrNet`` that replace these settings.

        Returns
        -------
        corrnet : CorrNet
            The estimator, not fitted.

        Notes
        -----
        The 40 epochs were published for 50,000 rows. With 1,000 rows this training
        learns no more than the mean of the views. Use smaller hidden layers there, such
        as (128,), batches of 20 rows, a learning rate of 3e-3 and 100 epochs.

        The post takes the mean of the squared errors over pixels, and ``CorrNet()``
        half of their sum. Here ``reconstruction_weight="mean"`` gives the loss of the
        post for views of any width, so its numbers are used as published and the width
        need not be known before ``fit``. For halves of 392 pixels,
        ``reconstruction_weight=1.0``, ``correlation_weight=3.92`` and
        ``net_params={"optimizer__eps": 1.96e-6}`` give the same training with 196 times
        the loss: RMSprop is independent of the scale of a loss, except for its epsilon,
        which is 1e-8 in both libraries.

        References
        ----------
        .. [1] G. Bhatt. Common representation learning using Deep CorrNet.

        Examples
        --------
        >>> from skcrl import CorrNet
        >>> from skcrl.datasets import load_digits_halves
        >>> left, right, labels = load_digits_halves()
        >>> deep = CorrNet.blog(8, hidden_layer_sizes=(64,), max_epochs=5)
        >>> deep.set_params(random_state=0).fit(left, right).transform(left).shape
        (1797, 8)
        """
        return cls(n_components, **{**_BLOG, **parameters})

    def _check_parameters(self):
        terms = list(self.terms)
        if len([name for name in SOURCES if name in terms]) < len(terms):
            raise ValueError(
                f"terms must contain names among {tuple(SOURCES)}, each at most once, "
                f"or be () to train by the correlation alone, got {self.terms!r}."
            )
        if not terms and self.correlation_weight == 0:
            raise ValueError(
                "terms=() trains by the correlation alone, but correlation_weight=0 "
                "removes the correlation: raise correlation_weight, or name terms."
            )
        if not terms and self.tied:
            raise ValueError(
                "terms=() trains decoders and encoders separately, but with tied=True "
                "they share their weights: set tied=False, or name terms."
            )
        self._view_weights()
        encoders = self.x_encoder, self.y_encoder
        if self.pretraining_epochs > 0 and None not in encoders:
            raise ValueError(
                "Only dense encoders can be pretrained, got pretraining_epochs="
                f"{self.pretraining_epochs} with both x_encoder and y_encoder: "
                "pretrain these yourself and set pretraining_epochs=0."
            )
        hidden = hidden_layers(self.hidden_layer_sizes)
        if self.tied and any(hidden.values()) and self.decoder != "mirrored":
            raise ValueError(
                "tied=True with hidden layers needs decoder='mirrored', "
                f"got {self.decoder!r}."
            )
        brought = [name for name in USERS_MODULES if getattr(self, name) is not None]
        if self.tied and brought:
            raise ValueError(
                "tied=True decodes with the weights of dense encoders, got "
                f"{' and '.join(brought)}: set tied=False."
            )

    def _check_net(self, net, X, y):
        k = self.n_components
        for side, shape in self._sample_shapes.items():
            # Zeros, because zeros stand for a missing view.
            dtype = np.int64 if side in self._integer_sides else np.float32
            samples = np.zeros((2, *shape), dtype)
            codes = try_module(net, "branch", f"{side}_encoder", samples, side, (k,))
            try_module(net, "decode", f"{side}_decoder", codes, side, shape)

    def _module(self, plan):
        hidden = hidden_layers(self.hidden_layer_sizes)
        return CorrNetModule, {
            "x_shape": self._sample_shapes["x"],
            "y_shape": self._sample_shapes["y"],
            "n_components": self.n_components,
            "hidden_layer_sizes": (hidden["x"], hidden["y"]),
            "activation": self.activation,
            "output_activation": self.output_activation,
            "combine": self.combine,
            "decoder": self.decoder,
            "tied": self.tied,
            "sources": tuple(self.terms),
            "x_encoder": self.x_encoder,
            "y_encoder": self.y_encoder,
            "x_decoder": self.x_decoder,
            "y_decoder": self.y_decoder,
            "integer_sides": self._integer_sides,
        }

    def _objective(self):
        return corrnet, {
            "correlation": self.correlation,
            "correlation_weight": self.correlation_weight,
            "reconstruction_weight": self._view_weights(),
        }

    def _view_weights(self):
        if isinstance(self.reconstruction_weight, str):  # "mean"
            return tuple(2 / prod(self._sample_shapes[side]) for side in ("x", "y"))
        return check_positive_pair("reconstruction_weight", self.reconstruction_weight)

    def _reconstructed_in_training(self, X, y):
        if self.correlation_weight > 0:
            codes = self._encode(X, "x"), self._encode(y, "y")
            if pearson_sum(*codes) > _CORRELATED * self.n_components_:
                return  # A large weight may ask for codes that do not reconstruct.
        sources = {"joint": (X, y), "from_x": (X, None), "from_y": (None, y)}
        for name, view, side in (("X", X, "x"), ("y", y, "y")):
            own = f"from_{side}"
            trained = [SOURCES[term][side] for term in self.terms] or [own]
            source = next(s for s in ("joint", own, trained[0]) if s in trained)
            yield name, view, self._reconstruct(*sources[source], side)

    def _divergence_advice(self):
        return f"Reduce lr={self.lr} or correlation_weight={self.correlation_weight}."
