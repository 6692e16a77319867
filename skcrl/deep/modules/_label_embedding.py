"""Samples and class labels in one space, by a network and a table."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import normalize

from skcrl._typing import Metric
from skcrl.deep.modules._mlp import MLP
from skcrl.deep.modules._noise import Dropout
from skcrl.deep.modules._two_branch import in_full


class LabelOutput(NamedTuple):
    """Codes of a batch, the classes of its samples, and the scores of all classes."""

    x_code: Tensor  # (n_samples, n_components)
    labels: Tensor  # (n_samples,) of int
    scores: Tensor | None = None  # (n_samples, n_classes), added by ``across``


class LabelEmbeddingModule(nn.Module):
    """An encoder of samples, and an embedding of each class among their codes.

    Parameters
    ----------
    widths : sequence of int
        Widths of the dense encoder, from the features to its last hidden layer.
    n_components : int
        Width of codes and of embeddings.
    n_classes : int
        Number of classes.
    activation : str
        Activation of the dense encoder.
    metric : {"euclidean", "cosine"}
        The score of a class: minus the squared distance of its embedding from the code,
        or the cosine of both.
    encoder : nn.Module or None, default=None
        The user's encoder, which is copied and used instead of the dense one.
    input_dropout : float, default=0.0
        Fraction of the entries of the samples that is dropped in training.

    Notes
    -----
    Shape: x (n_samples, n_features), y (n_samples, 1) of int, the numbers of classes
    -> scores (n_samples, n_classes). `x` may be SparseRows if the encoder is the dense
    one.
    """

    def __init__(
        self,
        widths: Sequence[int],
        n_components: int,
        n_classes: int,
        activation: str,
        metric: Metric,
        encoder: nn.Module | None = None,
        input_dropout: float = 0.0,
    ):
        super().__init__()
        self.corruption = Dropout(input_dropout)
        self.is_dense = encoder is None
        self.sparse_sides = ["x"] if self.is_dense else []
        self.encoder: Any = (
            MLP([*widths, n_components], activation)
            if encoder is None
            else deepcopy(encoder)
        )
        self.label_embeddings = nn.Parameter(torch.empty(n_classes, n_components))
        self.metric = metric

    def reset_parameters(self, generator: Generator) -> None:
        """Draw embeddings of length one on average, and weights of a dense encoder."""
        if self.is_dense:
            self.encoder.reset_parameters(generator)
        deviation = self.label_embeddings.shape[1] ** -0.5
        nn.init.normal_(self.label_embeddings, std=deviation, generator=generator)

    def forward(self, x: Any, y: Tensor) -> LabelOutput:
        """Scores of all classes for each sample."""
        return self.across(self.by_rows(x, y))

    def by_rows(self, x: Any, y: Tensor) -> LabelOutput:
        """Codes, row by row."""
        # Mixed precision ends here, because the loss depends on differences of scores.
        code = in_full(self.encoder(self.corruption(x)), x)
        return LabelOutput(code, y[:, 0])

    def across(self, outputs: Any, weights: Tensor | None = None) -> Any:
        """Outputs with the scores; the codes may have been computed in parts."""
        return outputs._replace(scores=self._scores_of(outputs.x_code))

    def encode(self, view: Any, side: str) -> Tensor:
        """Codes of samples ("x"), or embeddings of class numbers ("y")."""
        return self.encoder(view) if side == "x" else self.label_embeddings[view[:, 0]]

    def scores(self, view: Any, side: str) -> Tensor:
        """Scores of all classes for samples; `side` is always "x"."""
        return self._scores_of(self.encode(view, side))

    def _scores_of(self, code):
        labels = self.label_embeddings.to(code)
        if self.metric == "cosine":
            # With eps a code of length 0 has cosine 0 with all, and a finite gradient.
            code, labels = (normalize(rows, eps=1e-6) for rows in (code, labels))
            return code @ labels.T
        lengths = code.square().sum(1)[:, None] + labels.square().sum(1)
        return 2 * code @ labels.T - lengths
