"""Deep canonical correlation analysis."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval
from torch import nn

from skcrl import _linalg
from skcrl._decoder import LinearDecoder
from skcrl.deep._base import TRAINING_CONSTRAINTS, BaseDeepTwoView
from skcrl.deep.losses import trace_norm
from skcrl.deep.modules import TwoBranch

# Codes have unit variance after the closing CCA, so this only steadies the inverse.
_DECODER_RIDGE = 1e-6


class DeepCCA(BaseDeepTwoView):
    r"""Deep canonical correlation analysis.

    Two encoders f and g are trained to maximise the total correlation of their outputs,
    :math:`\|T\|_{tr}` with
    :math:`T = \bar\Sigma_{xx}^{-1/2} \Sigma_{xy} \bar\Sigma_{yy}^{-1/2}` [1]_,
    over batches. Linear CCA on the encoded training set then makes the codes
    uncorrelated, matched and ordered.

    Parameters
    ----------
    n_components : int, default=2
        Width of either encoder's output and of the common space, below `batch_size`.
    hidden_layer_sizes : sequence of int, default=(500, 300)
        Hidden layers of the dense encoders.
    activation : str, default="relu"
        After each hidden layer: one of "identity", "relu", "leaky_relu", "elu",
        "sigmoid" and "tanh". The outputs are linear.
    reg : float, default=1e-4
        Ridge r of the objective and of the closing CCA, positive, in squared units of
        the encoders' outputs.
    x_encoder, y_encoder : nn.Module or None, default=None
        Encoders (n_samples, n_features) -> (n_samples, n_components) to train, from
        the weights they come with, in place of the dense ones. They are copied.
    x_decoder, y_decoder : nn.Module or None, default=None
        Decoders (n_samples, n_components) -> (n_samples, n_features) from an encoder's
        output. They are copied, and trained by squared error beside the encoders
        without changing what those learn. None decodes by ridge regression on the
        codes.
    optimizer : {"adam", "adamw", "rmsprop", "sgd", "nesterov", "lbfgs"}, \
            default="adam"
        Optimiser. "rmsprop" decays by 0.9, "nesterov" is SGD with momentum 0.9. "lbfgs"
        takes all samples as one batch; an epoch is then up to 20 iterations with line
        search, from a first step of `lr`, for which 1 is usual.
    lr : float, default=1e-3
        Learning rate.
    lr_schedule : {"constant", "one_cycle", "refine"}, default="constant"
        "one_cycle" raises the rate from `lr` / 25 to `lr` and lets it fall to nothing,
        over the epochs of one ``fit``. "refine" needs `early_stopping`: where that
        would stop, training goes back to the best weights and on with a tenth of the
        rate and a fifth of the patience, three times.
    weight_decay : float, default=0.0
        Penalty on squared weights, as the optimiser understands it.
    gradient_clip : float or None, default=None
        Norm of the gradient beyond which it is scaled down to that norm.
    batch_size : int, default=2000
        Fewest rows of a batch; a short last batch is shared out among the others.
        Correlations need batches that are large beside `n_components`.
    max_epochs : int, default=30
        Passes over the data.
    validation_fraction : float, default=0.0
        Share of the samples set aside to watch the objective on.
    early_stopping : bool, default=False
        Stop after `n_iter_no_change` epochs without a better validation objective and
        keep the best weights.
    n_iter_no_change : int, default=10
        Patience of early stopping, in epochs.
    monitor : {"loss", "score"}, default="loss"
        Validation figure that early stopping goes by: the objective, or the ``score``
        that the estimator would have if training ended now. For the latter each epoch
        costs an encoding of the training samples.
    callbacks : list of skorch callbacks or None, default=None
        Copied before training.
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
        Print a line an epoch.
    net_params : dict or None, default=None
        Further parameters of the skorch net: names that begin with ``optimizer__``,
        ``iterator_train__`` or ``iterator_valid__``.

    Attributes
    ----------
    n_components_ : int
        Number of components.
    correlations_ : ndarray of shape (n_components,)
        Canonical correlations of the encoded training set, largest first.
    x_weights_, y_weights_ : ndarray of shape (n_components, n_components)
        Projections of the closing CCA, applied to the centred outputs of the encoders.
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
    Views are trained on as they come, in float32: bring them to order one.

    References
    ----------
    .. [1] Andrew, Arora, Bilmes and Livescu (2013). Deep canonical correlation
       analysis. ICML.

    Examples
    --------
    >>> from skcrl import DeepCCA
    >>> from skcrl.datasets import load_digits_halves
    >>> left, right, labels = load_digits_halves()
    >>> dcca = DeepCCA(4, hidden_layer_sizes=(32,), random_state=0).fit(left, right)
    >>> dcca.transform(left).shape
    (1797, 4)
    >>> dcca.score(left, right) > 2
    True
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        **TRAINING_CONSTRAINTS,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "reg": [Interval(Real, 0, None, closed="neither")],
        "x_encoder": [nn.Module, None],
        "y_encoder": [nn.Module, None],
        "x_decoder": [nn.Module, None],
        "y_decoder": [nn.Module, None],
    }

    def __init__(
        self,
        n_components=2,
        *,
        hidden_layer_sizes=(500, 300),
        activation="relu",
        reg=1e-4,
        x_encoder=None,
        y_encoder=None,
        x_decoder=None,
        y_decoder=None,
        optimizer="adam",
        lr=1e-3,
        lr_schedule="constant",
        weight_decay=0.0,
        gradient_clip=None,
        batch_size=2000,
        max_epochs=30,
        validation_fraction=0.0,
        early_stopping=False,
        n_iter_no_change=10,
        monitor="loss",
        callbacks=None,
        device="cpu",
        mixed_precision=False,
        compile=False,
        warm_start=False,
        random_state=None,
        verbose=0,
        net_params=None,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.reg = reg
        self.x_encoder = x_encoder
        self.y_encoder = y_encoder
        self.x_decoder = x_decoder
        self.y_decoder = y_decoder
        self.optimizer = optimizer
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.gradient_clip = gradient_clip
        self.batch_size = batch_size
        self.max_epochs = max_epochs
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
        self.net_params = net_params

    def _takes_any_shape(self, side):
        return getattr(self, f"{side}_encoder") is not None

    @property
    def _min_batch_rows(self):
        return self.n_components + 1

    def _module(self):
        hidden, k = self.hidden_layer_sizes, self.n_components
        return TwoBranch, {
            "x_widths": (self.n_features_in_, *hidden, k),
            "y_widths": (self.y_n_features_in_, *hidden, k),
            "activation": self.activation,
            "x_encoder": self.x_encoder,
            "y_encoder": self.y_encoder,
            "x_decoder": self.x_decoder,
            "y_decoder": self.y_decoder,
        }

    def _objective(self):
        return trace_norm, {"reg": self.reg}

    def _divergence_advice(self):
        return f"Reduce lr={self.lr} or raise reg={self.reg}."

    def _check_net(self, net, X, y):
        for view, side in ((X, "x"), (y, "y")):
            rows, k = view[:2], self.n_components
            codes = _try_module(net, "encode", f"{side}_encoder", rows, side, (k,))
            if side in net.module_.decoders:
                shape = view.shape[1:]
                _try_module(net, "decode", f"{side}_decoder", codes, side, shape)

    def _finish(self, X, y):
        x_codes, y_codes = self._outputs(X, "x"), self._outputs(y, "y")
        m = _linalg.moments(x_codes, y_codes)
        ridge = (self.reg, self.reg)
        solution = _linalg.cca(_linalg.covariances(m), self.n_components, ridge)
        self.x_mean_, self.y_mean_ = m.x_mean, m.y_mean
        self.x_weights_, self.y_weights_ = solution.x_weights, solution.y_weights
        self.correlations_, self.rank_ = solution.correlations, solution.rank
        codes = np.hstack(
            [
                (x_codes - m.x_mean) @ solution.x_weights,
                (y_codes - m.y_mean) @ solution.y_weights,
            ]
        )
        # The user's decoders start from the encoder's output, ours end at the view.
        decoders = self.net_.module_.decoders
        self._decoders = {
            "x": _fit_decoder(codes, x_codes if "x" in decoders else X),
            "y": _fit_decoder(codes, y_codes if "y" in decoders else y),
        }

    def _outputs(self, view, side):
        return self.net_.evaluate("encode", view, side=side)

    def _encode(self, view, side):
        mean, weights = (
            (self.x_mean_, self.x_weights_)
            if side == "x"
            else (self.y_mean_, self.y_weights_)
        )
        outputs = self._outputs(view, side)
        return _linalg.project(outputs, mean, weights, out=outputs)

    def _decode(self, codes, side):
        return self._decode_to(side, **{f"{side}_codes": codes})

    def _rebuild(self, X, y, to):
        return self._decode_to(
            to,
            x_codes=None if X is None else self._encode(X, "x"),
            y_codes=None if y is None else self._encode(y, "y"),
        )

    def _decode_to(self, to, **codes):
        target = self._decoders[to].decode(**codes)
        if to in self.net_.module_.decoders:
            return self.net_.evaluate("decode", target, side=to)
        return target.reshape(len(target), *self._sample_shapes[to])


def _fit_decoder(codes, target):
    """Ridge regression from centred codes to a view, or to an encoder's output."""
    scale = 1.0 / (len(codes) - 1)
    if target.ndim > 2:
        target = target.reshape(len(target), -1)
    return LinearDecoder.fit(
        target.mean(axis=0, dtype=np.float64),
        _linalg.inner(codes, codes) * scale,
        _linalg.inner(codes, target) * scale,
        _DECODER_RIDGE,
    )


def _try_module(net, method, name, rows, side, shape):
    """Output of the module called `name`, which must give samples of that shape."""
    n_rows = rows.shape[0]
    try:
        out = net.evaluate(method, rows, side=side)
    except (
        RuntimeError,
        TypeError,
        ValueError,
        IndexError,
        AttributeError,
    ) as error:
        raise ValueError(
            f"{name} does not take arrays of shape {_shape(rows.shape[1:])}: {error}"
        ) from error
    if out.shape != (n_rows, *shape):
        raise ValueError(
            f"{name} must give arrays of shape {_shape(shape)}, "
            f"got {out.shape} for {n_rows} samples."
        )
    return out


def _shape(sample_shape):
    return f"(n_samples, {', '.join(map(str, sample_shape))})"
