"""Base class of estimators with one encoder per view and a linear projection."""

from abc import abstractmethod
from math import prod

import numpy as np
from scipy.linalg import block_diag

from skcrl import _linalg, _moments
from skcrl._arrays import following, untensored
from skcrl._decoder import LinearDecoder
from skcrl.deep._two_view import BaseDeepTwoView
from skcrl.deep._users_modules import try_module
from skcrl.deep.modules._hidden_layers import hidden_layers

# Number of rows that CCA of a batch needs for each component, and bounds of the default
# number of rows of a batch.
_ROWS_PER_COMPONENT = 20
_FEWEST_ROWS, _MOST_ROWS = 200, 2000
# Smallest `micro_batch_size` with which each part of a batch has at least two rows.
_FEWEST_NORMED = 3
# Ridge of the linear decoders, as a share of the mean variance of the codes. It only
# makes the inverse stable.
_DECODER_RIDGE = 1e-6


class BaseTwoBranch(BaseDeepTwoView):
    """Codes that are linear projections of the outputs of a TwoBranch.

    A final class also computes the projections from the moments of the encoded training
    views. If its parameter `reconstruction_weight` is positive, decoders train the
    encoders too, and then rows with one view are used for training as well.
    """

    @property
    def _trains_on_unpaired(self):
        return self.reconstruction_weight > 0

    @abstractmethod
    def _projection(self, m):
        """CCASolution with the projections for outputs that have these moments."""

    def _check_parameters(self):
        if self.batch_norm and self.optimizer == "lbfgs":
            raise ValueError(
                "batch_norm=True updates running statistics with each batch, but "
                "optimizer='lbfgs' evaluates the same batch many times: choose another "
                "optimizer, or set batch_norm=False."
            )
        micro = self.micro_batch_size
        if self.batch_norm and micro is not None and micro < _FEWEST_NORMED:
            raise ValueError(
                "batch_norm=True needs at least two rows that go through the network "
                f"together, got micro_batch_size={micro}: raise it to {_FEWEST_NORMED} "
                "or more."
            )

    def _dense_layers(self):
        """Parameters of the module for the dense encoders."""
        hidden = hidden_layers(self.hidden_layer_sizes)
        return {
            **{
                f"{side}_widths": (prod(shape), *hidden[side], self.n_components)
                for side, shape in self._sample_shapes.items()
            },
            "activation": self.activation,
            "batch_norm": self.batch_norm,
        }

    def _weights_of_errors(self):
        """Weights of the errors of the decoders of x and y."""
        if self.reconstruction_weight > 0:
            return (self.reconstruction_weight,) * 2
        # These errors train only the decoders, and not the encoders.
        return tuple(1 / prod(self._sample_shapes[side]) for side in ("x", "y"))

    def _batch_rows(self, n_rows):
        k = self.n_components
        enough = max(n_rows // 100, _FEWEST_ROWS, _ROWS_PER_COMPONENT * k)
        return min(enough, max(_MOST_ROWS, 4 * k))

    def _complete_batch_rows(self, n_complete):
        return self._batch_rows(n_complete)

    def _check_net(self, net, X, y):
        for view, side in ((X, "x"), (y, "y")):
            shape = (self.n_components,)
            codes = try_module(net, "encode", f"{side}_encoder", view, side, shape)
            if side in net.module_.decoders:
                shape = view.shape[1:]
                try_module(net, "decode", f"{side}_decoder", codes, side, shape)

    def _finish(self, data, like):
        m, targets = self._closing_moments(data)
        solution = self._projection(m)
        self.x_mean_ = following(m.x_mean, like)
        self.y_mean_ = following(m.y_mean, like)
        self.x_weights_ = following(solution.x_weights, like)
        self.y_weights_ = following(solution.y_weights, like)
        self.correlations_ = following(
            _linalg.code_correlations(
                _moments.covariances(m), solution.x_weights, solution.y_weights
            ),
            like,
        )
        self.rank_ = solution.rank
        self._decoders = _fit_decoders(
            m, block_diag(solution.x_weights, solution.y_weights), targets
        )

    def _closing_moments(self, data):
        """Moments of the encoders' outputs, and the targets of the linear decoders.

        A linear decoder leads from the codes to its target. If the network has a
        decoder for a side, the target is the output of the encoder of that side, which
        the network decodes further. Otherwise the target is the view itself. A target
        is described by its mean and by its products with the outputs of both encoders.
        """
        has_decoder = self.net_.module_.decoders
        m: _moments.Moments | None = None
        towards: dict[str, _moments.CrossMoments] = {}
        for x, y, weights in data.blocks():
            views = {"x": x, "y": y}
            outputs = {s: finite(self._outputs(v, s)) for s, v in views.items()}
            block = _moments.moments(outputs["x"], outputs["y"], weights=weights)
            m = block if m is None else _moments.merge_moments(m, block)
            both = np.hstack([*outputs.values()])
            for side, view in views.items():
                if side not in has_decoder:
                    rows = view.reshape(len(both), -1) if view.ndim > 2 else view
                    cross = _moments.cross_moments(both, rows, weights)
                    before = towards.get(side)
                    towards[side] = (
                        cross if before is None else _moments.merge_cross(before, cross)
                    )
        assert m is not None
        outputs_of = {
            "x": (m.x_mean, np.vstack([m.xx, m.xy.T])),
            "y": (m.y_mean, np.vstack([m.xy, m.yy])),
        }
        return m, {
            side: outputs_of[side]
            if side in has_decoder
            else (towards[side].b_mean, towards[side].ab)
            for side in ("x", "y")
        }

    def _outputs(self, view, side):
        return self.net_.evaluate("encode", view, side=side)

    def _encode(self, view, side):
        outputs = self._outputs(untensored(view), side)
        mean, weights = self._projection_of(side)
        codes = _moments.project(outputs, mean, weights, out=outputs)
        return following(codes, view)

    def _projection_of(self, side):
        mean, weights = (
            getattr(self, f"{side}_mean_"),
            getattr(self, f"{side}_weights_"),
        )
        return untensored(mean), untensored(weights)

    def _decode(self, codes, side):
        return self._decode_to(side, **{f"{side}_codes": codes})

    def _fitted_arrays(self):
        k = self.n_components_
        arrays: dict[str, tuple] = super()._fitted_arrays()
        arrays["correlations_"] = self.correlations_, (k,)
        for side in ("x", "y"):
            has_decoder = side in self.net_.module_.decoders
            p = k if has_decoder else prod(self._sample_shapes[side])
            arrays |= {
                f"{side}_weights_": (getattr(self, f"{side}_weights_"), (k, k)),
                f"{side}_mean_": (getattr(self, f"{side}_mean_"), (k,)),
                **self._decoders[side].arrays(f"decoder of {side}", k, p),
            }
        return arrays

    def _reconstruct(self, X, y, to):
        return self._decode_to(
            to,
            x_codes=None if X is None else self._encode(X, "x"),
            y_codes=None if y is None else self._encode(y, "y"),
        )

    def _decode_to(self, to, x_codes=None, y_codes=None):
        target = self._decoders[to].decode(untensored(x_codes), untensored(y_codes))
        if to in self.net_.module_.decoders:
            reconstructed = self.net_.evaluate("decode", target, side=to)
        else:
            reconstructed = target.reshape(len(target), *self._sample_shapes[to])
        return following(reconstructed, y_codes if x_codes is None else x_codes)


def finite(outputs):
    """Outputs of an encoder, which must be finite."""
    if not np.isfinite(outputs).all():
        raise FloatingPointError("an output of an encoder is not finite")
    return outputs


def _fit_decoders(m, weights, targets):
    """Ridge regressions from centred codes to views, or to outputs of encoders.

    Parameters
    ----------
    m : Moments
        Moments of the outputs of both encoders.
    weights : ndarray of shape (2 * n_components, 2 * n_components)
        Projection of both outputs, side by side, to both codes.
    targets : dict of str to (mean, products)
        For each side, the mean of its target, and the products of the target with the
        centred outputs.
    """
    scale = 1.0 / max(m.n - 1, 1)
    products = np.block([[m.xx, m.xy], [m.xy.T, m.yy]])
    code_cov = weights.T @ products @ weights * scale

    def towards(side):
        mean, products = targets[side]
        return {
            "mean": mean,
            # float32 takes half the memory, and views of texts are wide. The networks
            # are in float32 as well.
            "cross_cov": (weights.T @ products * scale).astype(np.float32),
        }

    ridge = _DECODER_RIDGE * code_cov.diagonal().mean()
    to_x = LinearDecoder.fit(code_cov=code_cov, ridge=ridge, **towards("x"))
    return {"x": to_x, "y": to_x._replace(**towards("y"))}
