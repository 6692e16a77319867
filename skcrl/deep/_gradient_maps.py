"""Gradients of the scores of pairs in the samples of one view, block by block."""

from contextlib import ExitStack
from functools import partial
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from skcrl._scores import common_scores, individual_scores
from skcrl.deep._data import as_tensor
from skcrl.deep._stand_ins import copy_of
from skcrl.deep._users_modules import misshapen, refusal_named

# Largest number of values that autograd keeps for a block, and of rows of a block.
_KEPT_VALUES, _BLOCK_ROWS = 2**26, 4096


class PairScores:
    """Scores of pairs, from samples of one view and the codes of the other.

    The scores are computed by copies of all modules. The modules of the estimator and
    of the user stay as they are.

    Parameters
    ----------
    estimator : TwoViewTransformer
        A fitted estimator whose views are encoded by modules.
    side : {"x", "y"}
        Side of the samples.
    score : {"common", "individual"} or callable
        The score "common" depends on the common codes of both views. The score
        "individual" depends on these and on the individual codes of `side`.
    extractor : nn.Module or None
        Module that turns samples into rows of the view of `side`.
    dtype : {"float32", "float64"}
        Precision to compute in.
    """

    def __init__(self, estimator, side, score, extractor, dtype):
        self.side, self.score = side, score
        self.shape = estimator._sample_shapes[side]
        parts = {"common": estimator._as_module(side)}
        if score == "individual":
            parts["individual"] = estimator._as_individual_module(side)
        if extractor is not None:
            if not isinstance(extractor, nn.Module):
                raise ValueError(
                    "extractor must be a torch.nn.Module or None, got "
                    f"{type(extractor).__name__}."
                )
            parts = {"extractor": extractor, **parts}
        self.dtype, self.device = getattr(torch, dtype), _device_of(parts.values())
        with torch.inference_mode(False):  # otherwise there would be no gradient
            copies = nn.ModuleDict({name: copy_of(m) for name, m in parts.items()})
            self.modules = copies.to(self.device, self.dtype).requires_grad_(False)

    @property
    def searched_for_layers(self):
        """The module in which "grad_cam" finds its layer.

        This is the extractor, if there is one, or the encoder that the score is about.
        """
        if "extractor" in self.modules:
            return self.modules["extractor"]
        if "individual" in self.modules:
            # The module of individual codes also contains that of the common codes.
            own = self.modules["individual"]
            return getattr(own, "encoder", own)
        return self.modules["common"]

    def __call__(self, samples, others):
        """Scores (n_samples,) of samples with other codes (n_samples, n_components)."""
        view = self._extracted(samples)
        codes = self.modules["common"](view)
        pair = (codes, others) if self.side == "x" else (others, codes)
        if self.score == "common":
            return common_scores(*pair)
        if self.score == "individual":
            return individual_scores(self.modules["individual"](view), *pair)
        scores = self.score(*pair)
        if not isinstance(scores, Tensor) or scores.shape != (len(samples),):
            got = tuple(getattr(scores, "shape", ())) or type(scores).__name__
            raise ValueError(
                "score must return a tensor of shape (n_samples,) for codes of shape "
                f"(n_samples, n_components), got {got} for {len(samples)} samples."
            )
        return scores

    def _extracted(self, samples):
        if "extractor" not in self.modules:
            return samples
        with refusal_named("extractor", tuple(samples.shape[1:]), samples.dtype):
            view = self.modules["extractor"](samples)
            got = tuple(view.shape)
        if got != (len(samples), *self.shape):
            raise misshapen("extractor", self.shape, got, len(samples))
        return view


def gradient_maps(scores, samples, others, method, layer, baseline, n_steps):
    """Maps that show how the scores depend on the values of each sample.

    Parameters
    ----------
    scores : PairScores
    samples : ndarray of shape (n_samples, ...)
        Samples in the precision of `scores`.
    others : ndarray of shape (n_samples, n_components)
        Common codes of the other view.
    method : {"gradient", "gradient_times_input", "grad_cam", "integrated"}
    layer : str or None
        Name of the layer whose feature maps "grad_cam" weighs; None means the last one.
    baseline : ndarray of the shape of a sample
        Where the path of "integrated" begins.
    n_steps : int
        Points on that path.

    Returns
    -------
    maps : ndarray of shape (n_samples, ...)
        Maps of the shape of the samples, or (n_samples, height, width) for "grad_cam".
    """

    def block(start, stop):
        rows = as_tensor(samples[start:stop], scores.device, scores.dtype)
        codes = as_tensor(others[start:stop], scores.device, scores.dtype)
        return rows, codes

    # Gradients are needed, even if the user has switched them off.
    with torch.inference_mode(False), torch.enable_grad():
        compute = {"gradient": _gradient, "gradient_times_input": _times_input}
        if method == "integrated":
            origin = as_tensor(baseline, scores.device, scores.dtype)
            compute[method] = partial(_integrated, baseline=origin, n_steps=n_steps)
        elif method == "grad_cam":
            chosen = _layer_of(scores, layer, *block(0, 1))
            compute[method] = partial(_grad_cam, layer=chosen)
        n_rows = _rows_of_a_block(scores, *block(0, 1))
        maps = None
        for start in range(0, len(samples), n_rows):
            rows, codes = block(start, start + n_rows)
            made = compute[method](rows, partial(scores, others=codes))
            _require_finite(made, start)
            if maps is None:
                maps = np.empty((len(samples), *made.shape[1:]), samples.dtype)
            maps[start : start + n_rows] = made.cpu().numpy()
    return maps


def _gradient(samples, scores):
    samples = samples.detach().requires_grad_()
    return _slopes(scores(samples), samples)


def _times_input(samples, scores):
    return samples * _gradient(samples, scores)


def _integrated(samples, scores, baseline, n_steps):
    """Mean gradient on the line from the baseline to a sample, times their difference.

    The sum of the map is the score of the sample minus the score of the baseline.
    """
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)
    way, total = samples - baseline, torch.zeros_like(samples)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        total += weight * _gradient(baseline + node * way, scores)
    return way * total


def _grad_cam(samples, scores, layer):
    """Sum of the channels of a layer, each weighted by its mean gradient.

    Negative values become 0, so that the map shows what raises the score (Selvaraju et
    al., 2017, eqs. 1 and 2).
    """
    kept = []

    def tap(module, args, output):
        kept.append(output.detach().requires_grad_())
        return kept[-1].clone()  # the next layer may change its input in place

    with layer.register_forward_hook(tap):
        raised = scores(samples)
    channels = kept[-1]
    weights = _slopes(raised, channels).mean((2, 3), keepdim=True)
    maps = (weights * channels).sum(1, keepdim=True).relu()
    return nn.functional.interpolate(
        maps.detach(), samples.shape[-2:], mode="bilinear", align_corners=False
    )[:, 0]


def _slopes(scores, at):
    if not scores.requires_grad:
        raise ValueError(
            "The score has no gradient with respect to the samples: the extractor, an "
            "encoder or the score computes under torch.no_grad(), detaches its input, "
            "or returns a constant. Let it compute with tensors throughout."
        )
    # A score has the gradient 0 with respect to values that it does not depend on.
    return torch.autograd.grad(scores.sum(), at, materialize_grads=True)[0]


def _layer_of(scores, name, sample, code):
    """The layer of this name, or the last layer, among those that give feature maps."""
    names = _names_of_feature_maps(scores, sample, code)
    if name is None and names:
        name = names[-1]
    if name in names:
        return scores.searched_for_layers.get_submodule(name)
    known = ", ".join(map(repr, dict.fromkeys(names))) or "there are none"
    raise ValueError(
        "method='grad_cam' needs feature maps (n_samples, channels, height, width) of "
        "more than one pixel, but "
        f"{'no layer' if name is None else f'layer={name!r} is no layer that'} gives "
        f"them. Layers that do: {known}."
    )


def _names_of_feature_maps(scores, sample, code):
    """Names of the layers that give feature maps, in order of calls."""
    names = []

    def note(name, _, args, output):
        is_map = isinstance(output, Tensor) and output.ndim == 4
        # A map of one pixel, as after global pooling, has no information about place.
        if is_map and output[0, 0].numel() > 1 and output is not sample:
            names.append(name)

    with ExitStack() as hooks, torch.no_grad():
        for name, layer in scores.searched_for_layers.named_modules():
            hooks.enter_context(layer.register_forward_hook(partial(note, name)))
        scores(sample, code)
    return names


def _rows_of_a_block(scores, sample, code):
    """Number of rows of a block, from the number of values that autograd keeps of one.

    One row and two rows are tried. The difference is what autograd keeps of a row,
    because weights of layers are kept only once.
    """

    def kept(n_rows):
        sizes = []

        def count(tensor):
            sizes.append(tensor.numel())
            return tensor

        rows, codes = (torch.cat([row] * n_rows) for row in (sample, code))
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            scores(rows.requires_grad_(), codes)
        return sum(sizes)

    more = max(kept(2) - kept(1), sample.numel())
    return min(_BLOCK_ROWS, max(1, _KEPT_VALUES // more))


def _require_finite(maps, start):
    is_finite = maps.flatten(1).isfinite().all(1)
    if not is_finite.all():
        row = start + int((~is_finite).nonzero()[0])
        raise ValueError(
            f"The map of row {row} is not finite: the score has no derivative there "
            "(for example a square root at 0), or a number overflows. Scale the "
            "samples, or use smooth layers and a smooth score."
        )


def _device_of(modules):
    """Device of the first module that has tensors."""
    tensors = (chain(module.parameters(), module.buffers()) for module in modules)
    first = next(chain.from_iterable(tensors), torch.empty(0))
    return first.device
