"""A penalty on the gradients of a score in the views, while a network is trained."""

from numbers import Real

import numpy as np
import torch

from skcrl import _linalg
from skcrl._scores import common_scores, individual_scores


class GradientPenalty:
    r"""Elastic net on the gradient of a score of each sample in both of its views.

    The penalty is the mean over samples of :math:`l_1 \|g\|_1 + l_2 \|g\|_2^2`, added
    up over the views (eq. 7 of MUC2M). Scores are computed from codes that are
    standardised over the batch. The gradient g treats the means and deviations of the
    batch as constants: only the sample itself varies.

    Parameters
    ----------
    weights : (float, float)
        l1 and l2.
    score : CommonScore or IndividualScore
        The score.
    """

    def __init__(self, weights, score):
        self.l1, self.l2 = weights
        self.score = score

    def __call__(self, outputs, batch):
        """Penalty of a batch whose views require gradients."""
        codes = [getattr(outputs, name) for name in self.score.of]
        weights = batch.about.get("weights")
        if weights is not None:
            weights = weights.to(codes[0].dtype)
        standard = [_linalg.standardise(code, weights) for code in codes]
        scores = self.score(standard, outputs, weights)
        in_codes = torch.autograd.grad(scores.sum(), standard, create_graph=True)
        penalty = torch.zeros((), device=scores.device)
        for side, code, in_code in zip(("x", "y"), codes, in_codes, strict=True):
            # The gradient from the standardised codes back to the view. The means and
            # deviations of the batch are taken as constants.
            by = _linalg.inverse_deviation(code, weights)
            gradient = _gradient(code, batch[side], in_code * by, side)
            rows = gradient.flatten(1)  # (n_samples, n_features)
            norms = self.l1 * rows.abs().sum(1) + self.l2 * rows.square().sum(1)
            penalty = penalty + _linalg.row_mean(norms, weights)
        return penalty


class CommonScore:
    """Common scores of the samples of a batch (eq. 4)."""

    of = "x_code", "y_code"

    def __call__(self, codes, outputs, weights):
        """Scores from the standardised common codes."""
        return common_scores(*codes)


class IndividualScore:
    """Sum of the individual scores of both views, for each sample (section 3.2)."""

    of = "x_individual", "y_individual"

    def __call__(self, codes, outputs, weights):
        """Scores from the standardised individual codes."""
        common = [
            _linalg.standardise(code, weights)
            for code in (outputs.x_code, outputs.y_code)
        ]
        return sum(individual_scores(code, *common) for code in codes)


def check_gradient_penalty(estimator, n_processes):
    """Raise ValueError for an invalid penalty, or one that other parameters exclude."""
    weights = estimator.gradient_penalty
    are_weights = np.shape(weights) == (2,) and all(
        isinstance(w, Real) and 0 <= float(w) < float("inf") for w in weights
    )
    if not are_weights:
        raise ValueError(
            "gradient_penalty must be a pair (l1, l2) of weights that are not "
            f"negative, got {weights!r}."
        )
    for name, is_set in (
        ("compile=True", estimator.compile),
        (f"micro_batch_size={estimator.micro_batch_size}", estimator.micro_batch_size),
        (f"{n_processes} processes", n_processes > 1),
    ):
        if is_set:
            raise ValueError(
                f"gradient_penalty cannot be used with {name}, because it needs second "
                "derivatives over the whole batch: give up one of the two."
            )
    if estimator._integer_sides:
        side = estimator._integer_sides[0]
        raise ValueError(
            "gradient_penalty needs derivatives with respect to both views, but the "
            f"integers that {side}_encoder looks up have none: set "
            "gradient_penalty=None."
        )


def _gradient(code, view, in_code, side):
    found = None
    if code.requires_grad:
        (found,) = torch.autograd.grad(
            code, view, in_code, create_graph=True, allow_unused=True
        )
    if found is None:
        raise ValueError(
            f"gradient_penalty needs the derivative of the codes of {side}, but "
            f"{side}_encoder gives none: let it compute with tensors throughout, "
            "without detach and torch.no_grad, or set gradient_penalty=None."
        )
    return found
