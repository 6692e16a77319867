"""Objectives of the deep estimators, as plain functions.

Each function takes the outputs of a module, together with the errors of the views that
the module reconstructed, and returns a scalar to minimise.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from skcrl import _linalg, _moments

__all__ = [
    "correlation_gap",
    "corrnet",
    "individual",
    "infonce",
    "label_margins",
    "noi",
    "pairwise_ranking",
    "reconstruction",
    "soft_cca",
    "trace_norm",
    "with_reconstruction",
]

# Number of similarities that are in memory at once, and number for which costs are
# computed at once. The latter is small so that they stay in the processor's cache.
_KEPT_PAIRS = 2**22
_BLOCK_PAIRS = 2**18


def trace_norm(outputs: Any, weights: Tensor | None = None, *, reg: float) -> Tensor:
    r"""Negative total correlation of two batches of codes.

    The loss is :math:`-\|T\|_{tr}`, minus the sum of the singular values of
    :math:`T = \bar\Sigma_{xx}^{-1/2} \Sigma_{xy} \bar\Sigma_{yy}^{-1/2}` with
    :math:`\bar\Sigma_{vv} = \Sigma_{vv} + r_v I` and covariances divided by n - 1 [1]_.
    It is computed in float64 by Cholesky and SVD. Its gradient is finite even for units
    that are constant and for batches of deficient rank.

    Parameters
    ----------
    outputs : TwoBranchOutput
        Codes `x_code`, `y_code` of shape (n_samples, n_components).
    weights : Tensor of shape (n_samples,) or None, default=None
        Weight of each row, positive: a row of weight w counts as w rows. None means 1
        for each row.
    reg : float or (x, y) pair of float
        Ridge regularisation :math:`r_v`, positive.

    Returns
    -------
    loss : Tensor, scalar
        Between -n_components and 0.

    References
    ----------
    .. [1] Andrew, Arora, Bilmes and Livescu (2013). Deep canonical correlation
       analysis. ICML.

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.losses import trace_norm
    >>> from skcrl.deep.modules import TwoBranchOutput
    >>> z = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    >>> outputs = TwoBranchOutput(z, z.flip(1))
    >>> round(trace_norm(outputs, reg=1e-6).item(), 4)
    -2.0
    """
    m = _moments.moments(outputs.x_code, outputs.y_code, weights=weights)
    ridge = _linalg.ridge_pair(reg)
    return -_linalg.canonical_correlations(_moments.covariances(m), ridge).sum()


def correlation_gap(
    outputs: Any,
    weights: Tensor | None = None,
    *,
    decorrelation_weight: float,
    gap: Literal["squared", "linear"] = "squared",
) -> Tensor:
    r"""Distance of paired codes from a correlation of 1, and of others from 0.

    The loss is
    :math:`\sum_i (1 - C_{ii})^2 + \lambda \sum_v \sum_{i \neq j} (Z_v'Z_v / n)_{ij}^2`
    with :math:`C = Z_1'Z_2 / n`. The columns of :math:`Z_1` and :math:`Z_2` are the
    codes, scaled to mean 0 and variance 1 over the batch. It is the common component of
    MUC2M [1]_. A unit that is constant counts as a gap of 1.

    The paper minimises "the sum of differences" of :math:`C_{ii}` from 1, which as
    written is linear, :math:`\sum_i (1 - C_{ii})`. Its gradient is that of the
    maximised sum of correlations, which the paper wants to improve on. Therefore the
    square is the default.

    Parameters
    ----------
    outputs : TwoBranchOutput
        Codes `x_code`, `y_code` of shape (n_samples, n_components).
    weights : Tensor of shape (n_samples,) or None, default=None
        Weight of each row, positive: a row of weight w counts as w rows. None means 1
        for each row.
    decorrelation_weight : float
        The weight :math:`\lambda`.
    gap : {"squared", "linear"}, default="squared"
        Whether the gaps :math:`1 - C_{ii}` are squared.

    Returns
    -------
    loss : Tensor, scalar
        At least 0.

    References
    ----------
    .. [1] Multimodal understanding through correlation maximization and minimization,
       eq. 3.

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.losses import correlation_gap
    >>> from skcrl.deep.modules import TwoBranchOutput
    >>> z = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    >>> outputs = TwoBranchOutput(z, z.flip(1))  # each unit has the other's partner
    >>> round(correlation_gap(outputs, decorrelation_weight=1.0).item(), 4)
    2.0
    """
    weights = _like(outputs.x_code, weights)
    a, b = (
        _linalg.standardise(code, weights) for code in (outputs.x_code, outputs.y_code)
    )
    gaps = 1 - _linalg.row_mean(a * b, weights)  # (n_components,)
    redundancy = sum(
        _off_diagonal(z.T @ _weighed(z, weights) / _n_rows(z, weights)).square().sum()
        for z in (a, b)
    )
    if gap == "squared":
        gaps = gaps.square()
    return gaps.sum() + decorrelation_weight * redundancy


def soft_cca(
    outputs: Any,
    weights: Tensor | None = None,
    *,
    decorrelation_weight: float,
) -> Tensor:
    r"""Distance between paired codes, plus the correlation within each view.

    This is Soft CCA [1]_. The loss is
    :math:`\frac{1}{n} \|Z_1 - Z_2\|_F^2 + \lambda (\mathrm{SDL}_1 + \mathrm{SDL}_2)`
    with :math:`\mathrm{SDL}_v = \sum_{i \neq j} |C_{v,ij}|`. The columns of :math:`Z_v`
    are the codes, scaled to mean 0 and variance 1 over the batch, and :math:`C_v` is
    their running covariance.

    Parameters
    ----------
    outputs : TwoBranchOutput
        Codes `x_code`, `y_code` of shape (n_samples, n_components), and the running
        moments `x_running`, `y_running` of the standardised codes.
    weights : Tensor of shape (n_samples,) or None, default=None
        Weight of each row, positive: a row of weight w counts as w rows. None means 1
        for each row.
    decorrelation_weight : float
        Weight :math:`\lambda` of the correlation within a view. Gradients reach a
        running covariance through the newest batch only, so the effect of the weight is
        proportional to the share of this batch in the covariance.

    Returns
    -------
    loss : Tensor, scalar
        At least 0.

    References
    ----------
    .. [1] Chang, Xiang and Hospedales (2018). Scalable and effective deep CCA via soft
       decorrelation. CVPR.

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.losses import soft_cca
    >>> from skcrl.deep.modules import CodeMoments, TwoBranchOutput
    >>> z = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    >>> running = CodeMoments(torch.zeros(2), torch.tensor([[1.0, -0.1], [-0.1, 1.0]]))
    >>> outputs = TwoBranchOutput(z, -z, x_running=running, y_running=running)
    >>> round(soft_cca(outputs, decorrelation_weight=2.0).item(), 4)
    8.8
    """
    weights = _like(outputs.x_code, weights)
    a, b = (
        _linalg.standardise(code, weights) for code in (outputs.x_code, outputs.y_code)
    )
    redundancy = sum(
        _off_diagonal(running.covariance).abs().sum()
        for running in (outputs.x_running, outputs.y_running)
    )
    distance = _weighed((a - b).square(), weights).sum() / _n_rows(a, weights)
    return distance + decorrelation_weight * redundancy


def noi(outputs: Any, weights: Tensor | None = None, *, reg: float) -> Tensor:
    r"""Squared distance of each view's codes from the whitened codes of the other.

    This is a step of nonlinear orthogonal iterations [1]_. The loss is
    :math:`\frac{1}{n} \sum_i \|f_i - \tilde g_i\|^2 + \|g_i - \tilde f_i\|^2` with
    codes f and g. The whitened codes
    :math:`\tilde f_i = (\Sigma_{ff} + r_x I)^{-1/2} (f_i - \bar f)` are held fixed.
    Their means are 0, and the loss pulls those of the codes to 0, too. Means and
    covariances are running averages over batches, so a batch need not be much larger
    than `n_components`.

    In two points the loss differs from [1]_, so that it works with codes of any scale
    and falls from epoch to epoch. The ridge is a multiple of the mean variance of the
    codes: :math:`r_x = \mathrm{reg} \cdot \mathrm{tr}(\Sigma_{ff}) / k` with k
    components. A fixed ridge would outweigh small codes, and they would shrink to 0.
    In place of the mean of :math:`\|\tilde f_i\|^2` the loss has k, which is its value
    without a ridge.

    Parameters
    ----------
    outputs : TwoBranchOutput
        Codes `x_code`, `y_code` of shape (n_samples, n_components), and their running
        moments `x_running`, `y_running`.
    weights : Tensor of shape (n_samples,) or None, default=None
        Weight of each row, positive: a row of weight w counts as w rows. None means 1
        for each row.
    reg : float or (x, y) pair of float
        Ridge regularisation of each view, as a multiple of the mean variance of its
        codes, positive.

    Returns
    -------
    loss : Tensor, scalar
        At least 0 if the moments are those of the batch. The fixed points of the
        iteration span the canonical variables, and the leading ones are stable.

    References
    ----------
    .. [1] Wang, Arora, Livescu and Srebro (2015). Stochastic optimization for deep CCA
       via nonlinear orthogonal iterations. Allerton.

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.losses import noi
    >>> from skcrl.deep.modules import CodeMoments, TwoBranchOutput
    >>> z = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    >>> one, two = (CodeMoments(torch.zeros(2), s * torch.eye(2)) for s in (1, 4))
    >>> outputs = TwoBranchOutput(z, 2 * z, x_running=one, y_running=two)
    >>> round(noi(outputs, reg=1e-9).item(), 4)  # f fits, g is twice f
    2.0
    """
    weights = _like(outputs.x_code, weights)
    f, g = outputs.x_code, outputs.y_code
    x_ridge, y_ridge = _linalg.ridge_pair(reg)
    f_white = _whiten(f, outputs.x_running, x_ridge)
    g_white = _whiten(g, outputs.y_running, y_ridge)
    # f and g are not centred: nothing else would keep their means from growing, until
    # codes of low precision round to their means.
    gains = (
        _weighed(f * (2 * g_white - f), weights).sum(),
        _weighed(g * (2 * f_white - g), weights).sum(),
    )
    return 2 * f.shape[1] - sum(gains) / _n_rows(f, weights)


def pairwise_ranking(
    outputs: Any,
    weights: Tensor | None = None,
    partners: Tensor | None = None,
    *,
    margin: float,
    symmetric: bool,
    hard_negatives: bool,
) -> Tensor:
    r"""Pairwise ranking loss: matching codes should beat others by a margin.

    The loss is the mean over samples and their negatives of
    :math:`\max(0, \alpha - s(x, y) + s(x, y_k))` with :math:`s(x, y) = \cos(x, y)`.
    The negatives :math:`y_k` of a sample are all other samples of the batch that are
    not its partners. Eq. 8 of [1]_ has the sum over the negatives instead of the mean.
    A sample without negatives has a loss of 0. Large batches are computed in blocks of
    rows, which needs little memory; there, gradients with respect to the codes exist,
    but no second derivatives.

    Parameters
    ----------
    outputs : TwoBranchOutput
        Codes `x_code`, `y_code` of shape (n_samples, n_components).
    weights : Tensor of shape (n_samples,) or None, default=None
        Weight of each row, positive: a row of weight w counts as w rows. None means 1
        for each row.
    partners : Tensor of bool of shape (n_samples, n_samples) or None, default=None
        Whether the y of each column is a partner of the x of each row. None means that
        each row has only its own partner.
    margin : float
        Margin :math:`\alpha`.
    symmetric : bool
        Whether to average over both directions. [1]_ ranks y for each x only.
    hard_negatives : bool
        Whether only the nearest negative of each sample is used.

    Returns
    -------
    loss : Tensor, scalar
        Between 0 and 2 + margin.

    References
    ----------
    .. [1] Dorfer, Schlüter, Vall, Korzeniowski and Widmer (2018). End-to-end
       cross-modality retrieval with CCA projections and pairwise ranking loss.
       International Journal of Multimedia Information Retrieval 7, eq. 8.

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.losses import pairwise_ranking
    >>> from skcrl.deep.modules import TwoBranchOutput
    >>> x = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> y = torch.tensor([[2.0, 0.0], [3.0, 0.0]])  # the second is found by the first
    >>> rule = {"margin": 0.5, "symmetric": False, "hard_negatives": False}
    >>> pairwise_ranking(TwoBranchOutput(x, y), **rule).item()
    0.5
    """

    def costs_of(block):
        own_similarity = block.similarity.gather(1, block.columns[:, None])
        costs = (margin - own_similarity + block.similarity).clamp(min=0)
        partners = (
            block.own
            if block.other_partners is None
            else block.own | block.other_partners
        )
        costs = costs.masked_fill(partners, 0.0)
        if hard_negatives:
            return costs.amax(1), torch.ones_like(own_similarity[:, 0])
        negatives = (~partners).to(costs)
        # A pair of rows with weights v and w counts as v * w pairs.
        return tuple(_row_sums(pairs, block.weights) for pairs in (costs, negatives))

    return _over_directions(costs_of, outputs, weights, partners, symmetric)


def infonce(
    outputs: Any,
    weights: Tensor | None = None,
    partners: Tensor | None = None,
    *,
    temperature: float,
    symmetric: bool,
) -> Tensor:
    r"""Cross-entropy of finding each sample's partner among those of the batch.

    The loss is :math:`-\frac1n \sum_i \log \frac{\exp(s(x_i, y_i) / \tau)}
    {\sum_k \exp(s(x_i, y_k) / \tau)}` with :math:`s(x, y) = \cos(x, y)` [1]_. The sum
    in the denominator is over the sample's own partner and its negatives; other
    partners of the sample are left out. Large batches are computed in blocks of rows,
    which needs little memory; there, gradients with respect to the codes exist, but no
    second derivatives.

    Parameters
    ----------
    outputs : TwoBranchOutput
        Codes `x_code`, `y_code` of shape (n_samples, n_components).
    weights : Tensor of shape (n_samples,) or None, default=None
        Weight of each row, positive: a row of weight w counts as w rows. None means 1
        for each row.
    partners : Tensor of bool of shape (n_samples, n_samples) or None, default=None
        Whether the y of each column is a partner of the x of each row. None means that
        each row has only its own partner.
    temperature : float
        Temperature :math:`\tau`, positive. The lower it is, the more the nearest
        negatives count.
    symmetric : bool
        Whether to average over both directions, y ranked for each x and x for each y.

    Returns
    -------
    loss : Tensor, scalar
        At least 0.

    References
    ----------
    .. [1] van den Oord, Li and Vinyals (2018). Representation learning with contrastive
       predictive coding. arXiv:1807.03748.

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.losses import infonce
    >>> from skcrl.deep.modules import TwoBranchOutput
    >>> outputs = TwoBranchOutput(torch.eye(4), torch.ones(4, 4))  # nothing stands out
    >>> loss = infonce(outputs, temperature=0.1, symmetric=True)
    >>> round(loss.item(), 4)  # log 4
    1.3863
    """

    def costs_of(block):
        logits = block.similarity / temperature
        if block.weights is not None:
            # A negative of weight w is w times in the sum, and the own partner once.
            logits = logits + block.weights.log().where(~block.own, 0.0)
        if block.other_partners is not None:
            logits = logits.masked_fill(block.other_partners, -torch.inf)
        costs = cross_entropy(logits, block.columns, reduction="none")
        return costs, torch.ones_like(costs)

    return _over_directions(costs_of, outputs, weights, partners, symmetric)


def with_reconstruction(
    outputs: Any,
    weights: Tensor | None = None,
    x_only_weights: Tensor | None = None,
    y_only_weights: Tensor | None = None,
    *,
    objective: Callable[..., Tensor],
    reconstruction_weight: tuple[float, float],
    **hyper: Any,
) -> Tensor:
    r"""Objective of the codes plus the squared error of the views decoded from them.

    The loss is
    :math:`L(f(X), g(Y)) + \frac{\lambda_x}{n_x} \sum_i \|x_i - p(f(x_i))\|^2
    + \frac{\lambda_y}{n_y} \sum_i \|y_i - q(g(y_i))\|^2`. If L is the trace norm and
    the weights are equal, it is that of deep canonically correlated autoencoders [1]_.

    L uses the complete rows. Each mean of errors is over all :math:`n_x` or :math:`n_y`
    rows that have the view, so the weights keep their meaning if some rows have one
    view only.

    Parameters
    ----------
    outputs : ComparedOutput
        The outputs that `objective` takes, and the errors `x_error`, `y_error` of shape
        (n_samples,) and `x_only_error`, `y_only_error` of shape (n_rows,). An error is
        None if there is no decoder or no such row.
    weights : Tensor of shape (n_samples,) or None, default=None
        Weight of each complete row, positive: a row of weight w counts as w rows. None
        means 1 for each row.
    x_only_weights, y_only_weights : Tensor of shape (n_rows,) or None, default=None
        Weights of the rows that have only that view.
    objective : callable
        The objective L, such as ``trace_norm``.
    reconstruction_weight : (float, float)
        The weights :math:`\lambda_x` and :math:`\lambda_y`.
    **hyper : object
        Further arguments of `objective`, such as `partners` of the ranking objectives.

    Returns
    -------
    loss : Tensor, scalar
        The loss.

    References
    ----------
    .. [1] Wang, Arora, Livescu and Bilmes (2016). On deep multi-view representation
       learning: objectives and optimization. arXiv:1602.01024.

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.losses import trace_norm, with_reconstruction
    >>> from skcrl.deep.modules import TwoBranchOutput, compared
    >>> z = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    >>> loss = with_reconstruction(  # 2 correlations of 1, 2 features wrong by 3
    ...     compared(TwoBranchOutput(z, z, z + 3, z), x=z, y=z),
    ...     objective=trace_norm,
    ...     reconstruction_weight=(0.5, 0.5),
    ...     reg=1e-6,
    ... )
    >>> round(loss.item(), 4)
    7.0
    """
    loss = objective(outputs, weights, **hyper)
    of_x, of_y = reconstruction_weight
    for factor, error, only, only_weights in (
        (of_x, outputs.x_error, outputs.x_only_error, x_only_weights),
        (of_y, outputs.y_error, outputs.y_only_error, y_only_weights),
    ):
        if error is not None:
            rows = [error] if only is None else [error, only]
            of_rows = [w for w in (weights, only_weights) if w is not None]
            loss = loss + factor * _linalg.row_mean(
                torch.cat(rows), _like(error, torch.cat(of_rows) if of_rows else None)
            )
    return loss


def corrnet(
    outputs: Any,
    weights: Tensor | None = None,
    x_only_weights: Tensor | None = None,
    y_only_weights: Tensor | None = None,
    *,
    correlation: str,
    correlation_weight: float,
    reconstruction_weight: tuple[float, float] = (1.0, 1.0),
) -> Tensor:
    r"""Reconstruction error from each source, minus the correlation of the codes.

    The loss is
    :math:`\sum_s \frac{1}{n} \sum_i \frac{w_x}{2} \|x_i - \hat x_{i,s}\|^2
    + \frac{w_y}{2} \|y_i - \hat y_{i,s}\|^2
    - \lambda\,\mathrm{corr}(h(X), h(Y))`, where s runs over the sources from which the
    module reconstructed the views [1]_. Errors are summed over features and averaged
    over samples.

    An unpaired row adds the term :math:`\frac1n \frac{w_v}{2} \|v - \hat v\|^2` for the
    one view v that it has, whatever the sources are, and does not enter the
    correlation. The number n counts all rows, complete and unpaired.

    Parameters
    ----------
    outputs : ComparedOutput
        Codes `x_code`, `y_code` of shape (n_samples, n_components), the errors
        `x_error`, `y_error` of shape (n_samples,), summed over the sources, and
        `x_only_error`, `y_only_error` of shape (n_rows,) or None.
    weights : Tensor of shape (n_samples,) or None, default=None
        Weight of each complete row, positive: a row of weight w counts as w rows. None
        means 1 for each row.
    x_only_weights, y_only_weights : Tensor of shape (n_rows,) or None, default=None
        Weights of the rows that have only that view.
    correlation : {"batch", "sample"}
        Whether corr is the correlation of each dimension over the batch, summed over
        dimensions, or the correlation of the codes of each sample over the dimensions,
        averaged over samples.
    correlation_weight : float
        The weight :math:`\lambda`.
    reconstruction_weight : (float, float), default=(1.0, 1.0)
        The weights :math:`w_x` and :math:`w_y`.

    Returns
    -------
    loss : Tensor, scalar
        The loss.

    References
    ----------
    .. [1] Chandar, Khapra, Larochelle and Ravindran (2016). Correlational neural
       networks. Neural Computation 28(2).

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.losses import corrnet
    >>> from skcrl.deep.modules import CorrNetOutput, compared
    >>> x, y = torch.eye(4), torch.ones(4, 3)
    >>> x_twice, y_twice = torch.stack([x, x + 1], 1), torch.stack([y, y], 1)
    >>> outputs = compared(CorrNetOutput(x, x, x_twice, y_twice), x=x, y=y)
    >>> loss = corrnet(outputs, correlation="batch", correlation_weight=0.5)
    >>> loss.item()  # 4 features wrong by 1 in one of two sources, 4 correlations of 1
    0.0
    """
    squared_error = _mean_error(
        outputs, weights, x_only_weights, y_only_weights, reconstruction_weight
    )
    codes = outputs.x_code, outputs.y_code
    weights = _like(outputs.x_code, weights)
    if correlation == "batch":
        correlated = _pearson(*codes, 0, weights).sum()
    else:
        correlated = _linalg.row_mean(_pearson(*codes, 1), weights)
    return 0.5 * squared_error - correlation_weight * correlated


def label_margins(
    outputs: Any,
    weights: Tensor | None = None,
    *,
    margin: float,
    violators: Literal["all", "warp"],
) -> Tensor:
    r"""Large-margin loss: the score of the right class should beat the others.

    The loss is the mean over samples of :math:`\sum_{c \neq y} [\alpha + s_c - s_y]_+`,
    where :math:`s_c` is the score of class c for the sample and y is its own class, as
    in large margin embeddings [1]_. With ``violators="warp"`` the sum of a sample is
    multiplied by :math:`L(r) / r` with :math:`L(r) = \sum_{j=1}^r 1 / j`, where r is
    the number of classes that violate the margin; so the top of the ranking counts most
    [2]_. WARP in [2]_ draws one violating class at random, multiplies its cost by
    :math:`L(r)`, and estimates r from the number of draws. Here r is counted, and the
    loss is the mean over all such draws.

    Parameters
    ----------
    outputs : LabelOutput
        Scores `scores` of shape (n_samples, n_classes), and the class numbers `labels`
        of shape (n_samples,).
    weights : Tensor of shape (n_samples,) or None, default=None
        Weight of each row, positive: a row of weight w counts as w rows. None means 1
        for each row.
    margin : float
        Margin :math:`\alpha`, positive.
    violators : {"all", "warp"}
        Whether the loss of a sample is the sum over the classes that violate the margin
        ("all"), or this sum times L(r) / r ("warp").

    Returns
    -------
    loss : Tensor, scalar
        At least 0. The gradient treats the ranks as constants.

    Raises
    ------
    ValueError
        If `violators` is neither "all" nor "warp".

    References
    ----------
    .. [1] Weinberger and Chapelle (2008). Large margin taxonomy embedding with an
       application to document categorization. NIPS.
    .. [2] Weston, Bengio and Usunier (2011). WSABIE: scaling up to large vocabulary
       image annotation. IJCAI.

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.losses import label_margins
    >>> from skcrl.deep.modules import LabelOutput
    >>> scores = torch.tensor([[0.0, -0.5, -0.75, -3.0]])
    >>> outputs = LabelOutput(None, torch.tensor([0]), scores)
    >>> label_margins(outputs, margin=1.0, violators="all").item()  # 0.5 + 0.25
    0.75
    >>> label_margins(outputs, margin=1.0, violators="warp").item()  # by 1.5 / 2
    0.5625
    """
    if violators not in ("all", "warp"):
        raise ValueError(f"violators must be 'all' or 'warp', got {violators!r}.")
    labels = outputs.labels[:, None]
    own = outputs.scores.gather(1, labels)
    costs = (margin - own + outputs.scores).clamp(min=0).scatter(1, labels, 0.0)
    of_rows = costs.sum(1)
    if violators == "warp":
        ranks = torch.arange(costs.shape[1], device=costs.device).to(costs)
        # L(r) / r for each rank r. At rank 0 no class violates, and the sum is 0.
        by_rank = (1 / ranks[1:]).cumsum(0) / ranks[1:]
        n_violators = (costs.detach() > 0).sum(1)
        of_rows = of_rows * by_rank[(n_violators - 1).clamp(min=0)]
    return _weighed_sum(of_rows, weights) / _n_rows(costs, weights)


def reconstruction(
    outputs: Any,
    weights: Tensor | None = None,
    x_only_weights: Tensor | None = None,
    y_only_weights: Tensor | None = None,
    *,
    factor: float,
) -> Tensor:
    r"""Squared error of the reconstructed views, averaged over rows.

    The loss is :math:`\frac{c}{n} (\|X - \hat X\|^2 + \|Y - \hat Y\|^2)`. The norm of
    each view is over all rows that have it, complete or unpaired. The number n counts
    all rows, complete and unpaired.

    Parameters
    ----------
    outputs : ComparedOutput
        The errors `x_error`, `y_error` of shape (n_samples,), and `x_only_error`,
        `y_only_error` of shape (n_rows,), or None.
    weights : Tensor of shape (n_samples,) or None, default=None
        Weight of each complete row, positive: a row of weight w counts as w rows. None
        means 1 for each row.
    x_only_weights, y_only_weights : Tensor of shape (n_rows,) or None, default=None
        Weights of the rows that have only that view.
    factor : float
        The factor c: 1 / 2, or 1 / (p + q) for a mean over the p + q features.

    Returns
    -------
    loss : Tensor, scalar
        The loss.

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.losses import reconstruction
    >>> from skcrl.deep.modules import ReconstructedViews, compared
    >>> x, y = torch.eye(4), torch.ones(4, 2)
    >>> outputs = compared(ReconstructedViews(x + 1, y), x=x, y=y)
    >>> reconstruction(outputs, factor=0.5).item()
    2.0
    """
    return factor * _mean_error(outputs, weights, x_only_weights, y_only_weights)


def individual(
    outputs: Any,
    weights: Tensor | None = None,
    *,
    decorrelation_weight: float,
) -> Tensor:
    r"""Reconstruction error plus the correlation of common with individual codes.

    The loss is
    :math:`\frac1n \|X - \hat X\|^2 + \lambda \sum_{ij} (Z^\top W / n)_{ij}^2`, plus
    the same for y. Z are the common and W the individual codes of a view, each column
    scaled to mean 0 and variance 1 over the batch (eq. 6 of [1]_).

    Parameters
    ----------
    outputs : ComparedOutput
        Codes `x_code`, `y_code` of shape (n_samples, n_components), `x_individual`,
        `y_individual` of shape (n_samples, n_individual), and the errors `x_error`,
        `y_error` of shape (n_samples,).
    weights : Tensor of shape (n_samples,) or None, default=None
        Weight of each row, positive: a row of weight w counts as w rows. None means 1
        for each row.
    decorrelation_weight : float
        The weight :math:`\lambda`.

    Returns
    -------
    loss : Tensor, scalar
        The loss.

    References
    ----------
    .. [1] Multimodal understanding through correlation maximization and minimization.

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.losses import individual
    >>> from skcrl.deep.modules import IndividualOutput, compared
    >>> z = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    >>> w = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]])
    >>> outputs = IndividualOutput(z, z, w, z, z + 1, z)  # y has nothing of its own
    >>> outputs = compared(outputs, x=z, y=z)
    >>> round(individual(outputs, decorrelation_weight=10.0).item(), 4)
    11.0
    """
    loss = _mean_error(outputs, weights)
    for z, w in (
        (outputs.x_code, outputs.x_individual),
        (outputs.y_code, outputs.y_individual),
    ):
        z, w = (_linalg.standardise(a, _like(a, weights)) for a in (z, w))
        between = z.T @ _weighed(w, _like(w, weights)) / _n_rows(w, weights)
        loss = loss + decorrelation_weight * between.square().sum()
    return loss


def _mean_error(
    outputs, weights, x_only_weights=None, y_only_weights=None, view_weights=(1.0, 1.0)
):
    """Sum of the errors of all reconstructed views, divided by the number of rows.

    Paired and unpaired rows are counted.
    """
    weights_of = {
        "x": weights,
        "y": weights,
        "x_only": x_only_weights,
        "y_only": y_only_weights,
    }
    errors = {name: getattr(outputs, f"{name}_error") for name in weights_of}
    total: Any = 0.0
    for name, error in errors.items():
        if error is not None:
            of_view = view_weights[0 if name[0] == "x" else 1]
            total = total + of_view * _weighed_sum(error, weights_of[name])
    paired = "x" if errors["x"] is not None else "y"
    n_rows = sum(
        _n_rows(errors[name], weights_of[name])
        for name in (paired, "x_only", "y_only")
        if errors[name] is not None
    )
    return total / n_rows


def _pearson(a, b, dim, weights=None):
    if weights is None:
        a = a - a.mean(dim, keepdim=True)
        b = b - b.mean(dim, keepdim=True)
    else:
        a, b = (z - _linalg.row_mean(z, weights) for z in (a, b))
    # As in the authors' code, a small number makes the correlation of a dead unit 0 and
    # its gradient finite.
    squares = (_weighed(z.square(), weights).sum(dim) + 1e-8 for z in (a, b))
    lengths = torch.sqrt(next(squares) * next(squares))
    return _weighed(a * b, weights).sum(dim) / lengths


def _n_rows(view, weights):
    """Number of samples that the rows of a view count as."""
    return len(view) if weights is None else weights.sum()


def _weighed(Z, weights):
    """Rows times their weights."""
    return Z if weights is None else Z * weights[:, None]


def _weighed_sum(rows, weights):
    """Weighted sum of one number for each row."""
    return rows.sum() if weights is None else rows @ weights.to(rows.dtype)


def _like(Z, weights):
    """Weights in the precision of `Z`."""
    return None if weights is None else weights.to(Z.dtype)


class _Block(NamedTuple):
    """Some samples of one view, compared with all samples of the other."""

    similarity: Tensor  # (m, n), cosines
    columns: Tensor  # (m,), column of each sample's own partner
    own: Tensor  # (m, n) of bool, True at own partners
    other_partners: Tensor | None  # (m, n) of bool, True at other partners
    weights: Tensor | None  # (n,)


def _over_directions(costs_of, outputs, weights, partners, symmetric):
    """Mean cost of comparing each x with all y.

    If `symmetric`, this is the mean of that cost and of the cost of comparing each y
    with all x. `costs_of` takes a block. It returns the cost of each sample in it, and
    the number that each sample counts as.
    """
    # With eps a code of length 0 has cosine 0 with all codes, and a finite gradient.
    x, y = (normalize(code, eps=1e-6) for code in (outputs.x_code, outputs.y_code))
    weights = _like(x, weights)
    similarity = x @ y.T if len(x) * len(y) <= _KEPT_PAIRS else None
    forth = _mean_cost(costs_of, x, y, similarity, weights, partners)
    if not symmetric:
        return forth
    similarity = None if similarity is None else similarity.T
    partners = None if partners is None else partners.T
    return (forth + _mean_cost(costs_of, y, x, similarity, weights, partners)) / 2


def _mean_cost(costs_of, a, b, similarity, weights, partners):
    """Mean cost of comparing each row of a with all rows of b.

    `similarity` holds their similarities. It is None if there are too many to keep.
    """
    given = costs_of, weights, partners
    if similarity is None:
        costs, counts = _SumsOfCodes.apply(a, b, *given)
    elif similarity.numel() > _BLOCK_PAIRS:
        costs, counts = _SumsOfSimilarities.apply(similarity, *given)
    else:
        costs, counts = _sums(similarity, 0, *given)
    # If the batch has no negatives, both sums are 0, and so is the mean.
    return costs / counts.clamp(min=1e-12)


class _SumsOfSimilarities(torch.autograd.Function):
    """Sums of the costs and of the counts of samples, from their similarities.

    The gradient of a block is computed together with its costs, while the similarities
    of the block are in memory.
    """

    @staticmethod
    def forward(ctx, similarity, *given):
        ctx.needs = any(ctx.needs_input_grad)
        total, n_counted, gradient = _sums_by_blocks(similarity, 0, ctx.needs, *given)
        ctx.save_for_backward(gradient)
        return _given_out(ctx, total, n_counted, similarity)

    @staticmethod
    def backward(ctx, of_costs, _):
        (gradient,) = ctx.saved_tensors
        _refuse_second_derivatives(len(gradient))
        return gradient * of_costs, None, None, None


class _SumsOfCodes(torch.autograd.Function):
    """Sums of the costs and of the counts of samples, from the codes a and b.

    Only some of their similarities are in memory at a time.
    """

    @staticmethod
    def forward(ctx, a, b, *given):
        n_rows = max(1, _KEPT_PAIRS // len(b))
        needs = any(ctx.needs_input_grad)
        of_a, of_b = torch.zeros_like(a), torch.zeros_like(b)
        # In float32 small sums would lose digits when they are added to a large one.
        total, n_counted = torch.zeros(2, dtype=torch.float64, device=a.device)
        for start in range(0, len(a), n_rows):
            rows = a[start : start + n_rows]
            costs, counts, gradient = _sums_by_blocks(rows @ b.T, start, needs, *given)
            if needs:
                of_a[start : start + n_rows] = gradient @ b
                of_b += gradient.T @ rows
            total = total + costs
            n_counted = n_counted + counts
        ctx.save_for_backward(of_a, of_b)
        return _given_out(ctx, total, n_counted, a)

    @staticmethod
    def backward(ctx, of_costs, _):
        of_a, of_b = ctx.saved_tensors
        _refuse_second_derivatives(len(of_a))
        return of_a * of_costs, of_b * of_costs, None, None, None


def _given_out(ctx, total, n_counted, like):
    """The sums in the form in which an autograd Function returns them."""
    n_counted = n_counted.to(like.dtype)
    ctx.mark_non_differentiable(n_counted)
    return total.to(like.dtype), n_counted


def _refuse_second_derivatives(n_samples):
    if torch.is_grad_enabled():
        raise RuntimeError(
            f"The loss of {n_samples} samples is computed in blocks, and has no second "
            "derivatives. Use smaller batches."
        )


def _sums_by_blocks(similarity, start, needs_gradient, *given):
    """The results of `_sums` in float64, and their gradient if it is needed."""
    n_rows = max(1, _BLOCK_PAIRS // similarity.shape[1])
    gradient = torch.empty_like(similarity if needs_gradient else similarity[:0])
    total, n_counted = torch.zeros(2, dtype=torch.float64, device=similarity.device)
    for first in range(0, len(similarity), n_rows):
        rows = slice(first, first + n_rows)
        with torch.set_grad_enabled(needs_gradient):
            block = similarity[rows].detach().requires_grad_(needs_gradient)
            costs, counts = _sums(block, start + first, *given)
        if needs_gradient:
            (gradient[rows],) = torch.autograd.grad(costs, block)
        total = total + costs.detach()
        n_counted = n_counted + counts.detach()
    return total, n_counted, gradient


def _sums(similarity, start, costs_of, weights, partners):
    """Sum of the costs of the samples from number `start` on, and of their counts."""
    n = len(similarity)
    rows = slice(start, start + n)
    own = torch.zeros_like(similarity, dtype=torch.bool)
    own.diagonal(start).fill_(True)
    block = _Block(
        similarity,
        torch.arange(start, start + n, device=similarity.device),
        own,
        None if partners is None else partners[rows] & ~own,
        weights,
    )
    of_rows = None if weights is None else weights[rows]
    return tuple(_weighed_sum(each, of_rows) for each in costs_of(block))


def _row_sums(pairs, weights):
    """Sum of each row, in which each column counts by its weight."""
    return pairs.sum(1) if weights is None else pairs @ weights


def _off_diagonal(matrix):
    return matrix - matrix.diag().diag()


def _whiten(codes, moments, reg):
    """Codes whitened by moments that are held fixed, as are the codes.

    The inverse square root of the covariance is found in float64.
    """
    covariance = moments.covariance.detach().double()
    # The variance of equal codes is rounding, which must not grow by the whitening.
    rounding = 1e-10 * moments.mean.detach().double().square().mean()
    ridge = (reg * covariance.diagonal().mean()).maximum(rounding).clip(1e-30)
    root = _linalg.inverse_square_root(covariance, ridge)
    centred = codes.detach() - moments.mean.detach()
    return centred @ root.to(centred)


class CodeObjective(NamedTuple):
    """An objective of codes, and what it needs from the estimator and the module.

    `parameters` names the parameters of the estimator that the function takes, and
    `decorrelation_weight` is the default of the parameter of this name. `full_rank`
    says whether a batch needs more rows than components. `running` names what the
    module keeps running moments of.
    """

    function: Callable
    parameters: tuple[str, ...]
    decorrelation_weight: float | None = None
    full_rank: bool = False
    running: str | None = None


OBJECTIVES = {
    "trace_norm": CodeObjective(trace_norm, ("reg",), full_rank=True),
    "correlation_gap": CodeObjective(
        correlation_gap, ("decorrelation_weight", "gap"), decorrelation_weight=0.1
    ),
    "soft": CodeObjective(
        soft_cca,
        ("decorrelation_weight",),
        decorrelation_weight=0.3,
        running="standardised codes",
    ),
    "noi": CodeObjective(noi, ("reg",), running="codes"),
}

RANKING_OBJECTIVES = {
    "ranking": CodeObjective(
        pairwise_ranking, ("margin", "symmetric", "hard_negatives")
    ),
    "infonce": CodeObjective(infonce, ("temperature", "symmetric")),
}
