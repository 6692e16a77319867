"""A penalty on the gradients of a score in the views, while a network is trained."""

from numbers import Real

import torch

from skcrl import _linalg
from skcrl._scores import common_scores, individual_scores


class GradientPenalty:
    r"""Elastic net on the gradient of a score of each sample in both of its views.

    The mean over samples of :math:`l_1 \|g\|_1 + l_2 \|g\|_2^2`, added up over the
    views (eq. 7 of MUC2M).

    Parameters
    ----------
    weights : (float, float)
        l1 and l2.
    scores : callable (outputs, weights) -> Tensor of shape (n_samples,)
        Scores of the samples, by what the module gives for a batch; each depends on the
        views of its own sample alone.
    """

    def __init__(self, weights, scores):
        self.l1, self.l2 = weights
        self.scores = scores

    def __call__(self, outputs, batch):
        """Penalty on a batch, of whose views the gradient is tracked."""
        weights = batch.about.get("weights")
        scores = self.scores(outputs, weights)
        # Each score has a gradient in one row, so that of their sum has all of them.
        of_views = torch.autograd.grad(
            scores.sum(), [batch["x"], batch["y"]], create_graph=True
        )
        penalty = torch.zeros((), device=scores.device)
        for gradient in of_views:
            rows = gradient.flatten(1)
            norms = self.l1 * rows.abs().sum(1) + self.l2 * rows.square().sum(1)
            penalty = penalty + _linalg.row_mean(norms, weights)
        return penalty


def of_common(outputs, weights):
    """Common scores of the samples of a batch (eq. 4)."""
    return common_scores(
        _standardised(outputs.x_code, weights), _standardised(outputs.y_code, weights)
    )


def of_individual(outputs, weights):
    """Individual scores of both views of the samples of a batch (section 3.2)."""
    codes = [_standardised(z, weights) for z in (outputs.x_code, outputs.y_code)]
    return sum(
        individual_scores(_standardised(w, weights), *codes)
        for w in (outputs.x_individual, outputs.y_individual)
    )


def check_gradient_penalty(estimator, n_processes):
    """Raise ValueError for a penalty that cannot be, or not with the rest."""
    weights = estimator.gradient_penalty
    are_weights = len(weights) == 2 and all(
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
                "gradient_penalty needs second derivatives of the networks for whole "
                f"batches at once, which {name} do not give: leave either out."
            )
    if estimator._integer_sides:
        side = estimator._integer_sides[0]
        raise ValueError(
            "gradient_penalty needs derivatives in both views, and integers that "
            f"{side}_encoder looks up have none: set gradient_penalty=None."
        )


def _standardised(z, weights):
    """Columns of mean 0 and variance 1, by figures of the batch that are constants."""
    mean = _linalg.row_mean(z, weights).detach()
    variance = _linalg.row_mean((z - mean).square(), weights).detach()
    # The guard of `_linalg.standardise`.
    return (z - mean) * (variance + 1e-8) ** -0.5
