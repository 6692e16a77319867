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

# Settings of the authors' code and of the blog post, as far as parameters say them.
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
# Mean correlation of codes that have learned to correlate.
_CORRELATED = 0.1


class CorrNet(BaseJointCode):
    r"""Correlational neural network, shallow or deep.

    An autoencoder of the pair (x, y) with one joint code, trained to rebuild both views
    from both, from x alone and from y alone, and to correlate the codes of the two
    views [1]_. A missing view enters as zeros: ``transform`` is the code of x alone.
    Per sample the objective sums :math:`\frac12\|z - g(h)\|^2` over the features and
    over `terms`, less :math:`\lambda` times the correlation. ``CorrNet.paper()`` and
    ``CorrNet.blog()`` have the published settings.

    Parameters
    ----------
    n_components : int, default=2
        Width of the code.
    hidden_layer_sizes : sequence of int, or (x, y) pair of such, default=()
        Hidden layers of both encoders, or of either, as in ``((), (64, 32))``; () is
        the paper's network.
    activation : str, default="sigmoid"
        f, after each hidden layer and in the code: one of "identity", "relu",
        "leaky_relu", "elu", "sigmoid" and "tanh".
    output_activation : str, default="identity"
        g, of the views rebuilt; one of the same. All but "identity" and "leaky_relu"
        need ``standardize=False`` and views in the range that they give.
    terms : sequence of str, default=("joint", "from_x", "from_y")
        What to rebuild: both views from the code of both ("joint"), of x alone
        ("from_x"), of y alone ("from_y"); each view from its own code ("self"), or from
        that of the other ("cross"). "from_x" and "from_y" together are "self" and
        "cross" together; a reconstruction that two terms name counts twice. ()
        trains the encoders on the correlation alone, and the decoders on their codes as
        they are.
    reconstruction_weight : float, (x, y) pair of float or "mean", default=1.0
        What the squared errors of both views, or of either, are multiplied with,
        positive. "mean" is 2 / n_features of each view: in place of half the sum over
        its features, each view then counts with their mean, as in Keras, however wide
        it is.
    correlation_weight : float, default=40.0
        :math:`\lambda`. 0 leaves a multimodal autoencoder. More raises the correlation
        of the codes, past a point at the cost of transfer, so do not choose it by
        ``score`` alone. It weighs against errors summed over features: with
        ``reconstruction_weight="mean"`` and d features a view the same balance is at
        :math:`2\lambda/d`.
    correlation : {"batch", "sample"}, default="batch"
        Sum over dimensions of the correlation along the batch, or mean over samples of
        the correlation along the dimensions, which is 0 for a single one.
    combine : {"pre", "post"}, default="pre"
        The joint code is :math:`f(Wx + Vy + b)`, or :math:`f(Wx + b) + f(Vy + c)`.
    decoder : {"linear", "mirrored"}, default="linear"
        A single layer, or the hidden layers of the encoder in reverse.
    tied : bool, default=False
        Decode by the transposed weights of the dense encoder, :math:`W' = W^T`. With
        hidden layers this needs ``decoder="mirrored"``.
    pretraining_epochs : int, default=0
        Epochs in which each layer of the dense encoders, the code's last, is first
        trained by itself: as a denoising autoencoder with tied weights of what the
        layers before it make of its view, paired or not. Decoders start as drawn, but
        for `tied` ones.
    pretraining_noise : float, default=0.1
        Standard deviation of the noise there on the input of each layer.
    x_encoder, y_encoder : nn.Module or None, default=None
        Encoders (n_samples, ...) -> (n_samples, n_components) to train, from the
        weights they come with, in place of all layers of that view: f applies to what
        they give, as it does to :math:`Wx + b`. Samples of the view may then have any
        shape. They are copied. Each batch brings them a row of zeros, the missing view,
        which ``nn.BatchNorm2d`` and its like count in.
    x_decoder, y_decoder : nn.Module or None, default=None
        Decoders (n_samples, n_components) -> (n_samples, ...) from the joint code, in
        place of the dense ones and their `output_activation`. They are copied. Dense
        decoders, of whatever encoders, give samples in their shape.
    optimizer : str, default="rmsprop"
        "adam", "adamw", "sgd", "rmsprop", which decays by 0.9, "nesterov", which is SGD
        with momentum 0.9, or "lbfgs". The last takes all samples as one batch; an epoch
        is then up to 20 iterations with line search, from a first step of `lr`, for
        which 1 is usual.
    lr : float, default=1e-2
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
    DeepCCA : Correlation alone.
    MultimodalAutoencoder : Reconstruction alone.

    Notes
    -----
    Networks are trained in float32.

    A row that is NaN in one view in ``fit`` is unpaired: its other view is rebuilt from
    its own code, whatever the terms, and adds nothing to the correlation. Each row
    counts as one sample in the mean.

    The combinations of errors in the paper's released code, whose L1, L2 and L3 are
    "from_x", "from_y" and "joint" here: ``terms=("cross",)`` is its "euc-cor", and
    "euc" with ``correlation_weight=0``.

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
        """CorrNet at the settings of the paper's released code, unfitted.

        One layer, whose transposed weights decode, all sigmoid; errors of all three
        kinds, summed over features, and weight 2 of the correlation; RMSprop at rate
        0.01, batches of 100 and 50 epochs, of views between 0 and 1 as they come [1]_.

        Parameters
        ----------
        n_components : int, default=50
            Width of the code.
        **parameters : object
            Any parameters of ``CorrNet``, in place of those settings.

        Returns
        -------
        corrnet : CorrNet
            Not fitted.

        Notes
        -----
        That code starts from weights drawn four times as wide, for which there is no
        parameter, and takes the rows in their order, for which there is
        ``net_params={"iterator_train__shuffle": False}``.

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
        """Deep CorrNet at the settings of G. Bhatt's blog post, unfitted.

        Hidden layers of 500 and 300 units and a code, all sigmoid; the joint code is
        the sum of those of both views; linear decoders of one layer; both views rebuilt
        from x alone and from y alone, by the mean over the features of each, and weight
        0.02 of the correlation; RMSprop at rate 0.001, batches of 100 and 40 epochs, of
        views between 0 and 1 as they come [1]_.

        Parameters
        ----------
        n_components : int, default=50
            Width of the code.
        **parameters : object
            Any parameters of ``CorrNet``, in place of those settings.

        Returns
        -------
        corrnet : CorrNet
            Not fitted.

        Notes
        -----
        The 40 epochs were published for 50,000 rows. On 1,000 rows this training does
        not get beyond the mean of the views: take smaller hidden layers, such as
        (128,), batches of 20, a rate of 3e-3 and 100 epochs.

        Its loss of a view is the mean over pixels, that of ``CorrNet()`` half their
        sum. Here ``reconstruction_weight="mean"`` makes the two one, for views of any
        width, so that its numbers stand as published: no width has to be known
        before ``fit``. For halves of 392 pixels the same training, with 196 times the
        loss, is that of ``reconstruction_weight=1.0``, ``correlation_weight=3.92`` and
        ``net_params={"optimizer__eps": 1.96e-6}``: RMSprop divides the scale of a loss
        out, but for its epsilon, which is 1e-8 in either library.

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
                f"terms must hold some of {tuple(SOURCES)}, each at most once, or be "
                f"() for the correlation alone, got {self.terms!r}."
            )
        if not terms and self.correlation_weight == 0:
            raise ValueError(
                "terms=() trains on the correlation alone, which correlation_weight=0 "
                "leaves out: raise it, or name terms."
            )
        if not terms and self.tied:
            raise ValueError(
                "terms=() trains the decoders apart from the encoders, whose weights "
                "tied=True decodes by: set tied=False, or name terms."
            )
        self._view_weights()
        encoders = self.x_encoder, self.y_encoder
        if self.pretraining_epochs > 0 and None not in encoders:
            raise ValueError(
                "Only dense encoders are pretrained, got pretraining_epochs="
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
                "tied=True decodes by the weights of dense encoders, got "
                f"{' and '.join(brought)}: set tied=False."
            )

    def _check_net(self, net, X, y):
        k = self.n_components
        for side, shape in self._sample_shapes.items():
            # Zeros, as which a missing view enters.
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

    def _rebuilt_in_training(self, X, y):
        if self.correlation_weight > 0:
            codes = self._encode(X, "x"), self._encode(y, "y")
            if pearson_sum(*codes) > _CORRELATED * self.n_components_:
                return  # Views that are not rebuilt are then what the weight asks for.
        sources = {"joint": (X, y), "from_x": (X, None), "from_y": (None, y)}
        for name, view, side in (("X", X, "x"), ("y", y, "y")):
            own = f"from_{side}"
            trained = [SOURCES[term][side] for term in self.terms] or [own]
            source = next(s for s in ("joint", own, trained[0]) if s in trained)
            yield name, view, self._rebuild(*sources[source], side)

    def _divergence_advice(self):
        return f"Reduce lr={self.lr} or correlation_weight={self.correlation_weight}."
