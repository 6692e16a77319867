"""Values for parameters of the training that are None, from the size of the data."""

from math import ceil, inf, prod
from typing import NamedTuple

from skcrl.deep.modules._hidden_layers import hidden_layers

# Data with fewer rows than this, or with fewer for each component than this, count as
# few: networks fit the noise of few rows, and a tenth of them is too little to show
# when this begins.
_FEW, _FEW_PER_COMPONENT = 1000, 100
# Number of steps of a training, of a training on few rows, and smallest number of
# epochs. A training may also end earlier, by itself.
_STEPS, _STEPS_OF_FEW, _EPOCHS = 1000, 300, 30
# An epoch of L-BFGS is one batch, with at most this number of iterations.
_LBFGS_STEPS = 20
# Number of steps over which losses are averaged before they are compared.
_STEPS_TO_COMPARE = 20
# Share of the rows that is set aside for validation.
_FRACTION = 0.1
_WEIGHT_DECAY = 0.1


class Plan(NamedTuple):
    """Length, batches and regularisation of a training."""

    batch_size: int
    n_epochs: int
    epochs_to_compare: int
    stops_at_convergence: bool
    stops_early: bool
    lr_schedule: str
    validation_fraction: float
    has_validation: bool
    input_dropout: float
    weight_decay: float


def plan_of(estimator, data, is_part):
    """Plan of a training.

    Parameters
    ----------
    estimator : BaseDeep
        The estimator that has the parameters.
    data : PairDataset or LoadedPairs
        Training data.
    is_part : bool
        Whether it is one epoch of a longer training.
    """
    # A stream without a length counts as a large data set.
    n_complete = inf if data.n_complete is None else data.n_complete
    are_few = n_complete < max(_FEW, _FEW_PER_COMPONENT * estimator._n_codes)
    is_wide = max(map(prod, data.shapes.values())) > n_complete
    schedule = estimator.lr_schedule
    is_validation_given = data.validation is not None
    # No parameter says when training ends.
    is_open_ended = estimator.max_epochs is None and schedule != "one_cycle"
    stops_early = estimator.early_stopping
    fraction = estimator.validation_fraction
    if stops_early is None:
        can_hold_out = not (are_few or fraction == 0 or data.is_stream)
        can_stop = is_open_ended and (is_validation_given or can_hold_out)
        stops_early = can_stop or schedule == "refine"
    stops_early = stops_early and not is_part
    if fraction is None:
        holds_out = stops_early and not is_validation_given
        fraction = _FRACTION if holds_out else 0.0
    n_valid = round(n_complete * fraction) if fraction else 0
    n_train = n_complete + data.n_unpaired - n_valid
    batch_size = estimator.batch_size
    if batch_size is None:
        # Complete rows are spread over all batches, and each batch needs enough.
        n_spread = n_train - data.n_unpaired
        enough = estimator._min_batch_rows
        if data.n_unpaired:
            enough = estimator._complete_batch_rows(n_complete)
        most_batches = max(1, n_spread // enough)
        batch_size = max(estimator._batch_rows(n_complete), n_train // most_batches)
    if estimator.optimizer == "lbfgs":
        steps_an_epoch = _LBFGS_STEPS
    else:
        steps_an_epoch = max(1, min(n_train, _STEPS * batch_size) // batch_size)
    n_steps = _STEPS_OF_FEW if are_few else _STEPS
    n_epochs = estimator.max_epochs or max(_EPOCHS, ceil(n_steps / steps_an_epoch))
    # Linear encoders of a few columns have too few weights to fit much noise.
    is_deep = any(hidden_layers(estimator.hidden_layer_sizes).values())
    dropout = estimator._few_dropout if is_deep else 0.0
    if is_wide:
        dropout = estimator._wide_dropout
    input_dropout = getattr(estimator, "input_dropout", None)
    weight_decay = estimator.weight_decay
    return Plan(
        batch_size=batch_size,
        n_epochs=1 if is_part else n_epochs,
        epochs_to_compare=ceil(_STEPS_TO_COMPARE / steps_an_epoch),
        stops_at_convergence=is_open_ended and not stops_early and estimator.tol > 0,
        stops_early=stops_early,
        lr_schedule=schedule or ("refine" if stops_early else "constant"),
        validation_fraction=fraction,
        has_validation=is_validation_given or fraction > 0,
        input_dropout=_or(input_dropout, dropout if are_few else 0.0),
        weight_decay=_or(weight_decay, _WEIGHT_DECAY if are_few else 0.0),
    )


def _or(given, default):
    return default if given is None else given
