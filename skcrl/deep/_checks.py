"""Checks of the parameters and the data before a training begins."""

import torch

from skcrl.deep._callbacks import check_callbacks, names_of_those_that_begin_anew
from skcrl.deep._gradient_penalty import check_gradient_penalty
from skcrl.deep._loaded import LoadedPairs
from skcrl.deep._net_params import check_net_params, loader_settings


def check_training(estimator, data, plan, optimizer, n_processes):
    if estimator.gradient_penalty is not None:
        check_gradient_penalty(estimator, n_processes)
    estimator._check_parameters()
    check_callbacks(estimator.callbacks or [])
    settings = loader_settings(estimator.net_params)
    if settings and not isinstance(data, LoadedPairs):
        raise ValueError(
            f"net_params contains 'iterator_train__{min(settings)}', a setting of the "
            "DataLoader of a torch Dataset, but arrays need no DataLoader: remove it."
        )
    check_net_params(estimator.net_params, optimizer)
    if estimator.gradient_clip is not None and estimator.optimizer == "lbfgs":
        raise ValueError(
            "gradient_clip would mislead the line search of optimizer='lbfgs': "
            "choose another optimizer, or set gradient_clip=None."
        )
    for name, needs_validation in (
        ("early_stopping=True", estimator.early_stopping and plan.stops_early),
        (
            "lr_schedule='refine'",
            estimator.lr_schedule == "refine" and plan.stops_early,
        ),
        ("monitor='score'", estimator.monitor == "score"),
    ):
        has_some = estimator.validation_fraction != 0 or plan.has_validation
        if needs_validation and not has_some:
            raise ValueError(
                f"{name} needs validation data, got validation_fraction=0: "
                "set it to 0.1, for example, or pass validation to fit."
            )
    if estimator.lr_schedule == "refine" and estimator.early_stopping not in (
        None,
        True,
    ):
        raise ValueError(
            "lr_schedule='refine' lowers the learning rate when early stopping would "
            "stop: set early_stopping=True or None."
        )
    if estimator.checkpoint is not None:
        _check_checkpoint(estimator)
    check_batches(estimator, data, plan, n_processes)


def check_stream(estimator, data):
    """Raise ValueError for what an iterable dataset cannot give."""
    splits = {
        "validation_fraction": estimator.validation_fraction,
        "early_stopping": estimator.early_stopping,
        "lr_schedule": estimator.lr_schedule == "refine" and "refine",
        "monitor": estimator.monitor == "score" and "score",
    }
    for name, value in splits.items():
        if value and data.validation is None:
            raise ValueError(
                f"{name}={value!r} needs validation samples, which cannot be set "
                "aside from an iterable dataset: pass validation to fit, or use a "
                f"map-style dataset, with __len__ and __getitem__, or leave {name} out."
            )
    data.fewest_rows = estimator._min_batch_rows
    if data.n_complete is not None:
        return
    sizes = {
        "batch_size=None": estimator.batch_size is None,
        "lr_schedule='one_cycle'": estimator.lr_schedule == "one_cycle",
        "optimizer='lbfgs'": estimator.optimizer == "lbfgs",
    }
    for name, needs_length in sizes.items():
        if needs_length:
            raise ValueError(
                f"{name} needs to know how many pairs there are, and the iterable "
                f"dataset, a {type(data.dataset).__name__}, has no length: give it "
                f"a __len__, or set {name.partition('=')[0]} to another value."
            )


def _check_checkpoint(estimator):
    """Raise ValueError for a training that could not continue from a file."""
    if estimator.warm_start:
        raise ValueError(
            f"checkpoint={estimator.checkpoint!r} saves a training that starts from "
            "nothing, but warm_start=True continues an earlier training: use one of "
            "them."
        )
    names = names_of_those_that_begin_anew(estimator.callbacks or [])
    if names:
        raise ValueError(
            f"checkpoint={estimator.checkpoint!r} cannot save the state of the "
            f"callback {names[0]}, which changes the training and would start anew "
            "when the training continues: use lr_schedule and early_stopping "
            "instead, whose state is saved, or set checkpoint=None."
        )


def check_batches(estimator, data, plan, n_processes):
    """Raise ValueError for batches of too few complete rows."""
    n_complete, n_unpaired = data.n_complete, data.n_unpaired
    if n_complete is None:
        n_complete = plan.batch_size  # a stream without a length has at least these
    n_held = round(n_complete * plan.validation_fraction)
    n_train = n_complete - n_held
    n_valid = n_held if data.validation is None else len(data.validation)
    fewest = estimator._min_batch_rows
    rows = {"training samples": (n_train, fewest)}
    if estimator.optimizer != "lbfgs":
        rows["batch_size"] = plan.batch_size, fewest
    if plan.has_validation:
        # A score is a correlation, which needs at least two rows.
        least = estimator._min_validation_rows
        least = max(least, 2) if estimator.monitor == "score" else least
        rows["validation samples"] = n_valid, least
    needs = f"{type(estimator).__name__} needs batches of at least"
    advice = "Raise it"
    if fewest > 2:
        advice += f", or reduce n_components={estimator._n_codes}"
    for name, (n, least) in rows.items():
        if n < least:
            raise ValueError(
                f"{needs} {least} rows, got {name}={n} "
                f"(n_samples={n_complete}). {advice}."
            )
    n_batches = max(1, (n_train + n_unpaired) // plan.batch_size)
    if estimator.optimizer != "lbfgs" and n_train // n_batches < fewest:
        enough = (n_train + n_unpaired) // (n_train // fewest)
        raise ValueError(
            f"{needs} {fewest} complete rows, but with {n_train} complete and "
            f"{n_unpaired} unpaired rows a batch has {n_train // n_batches} complete "
            f"rows, got batch_size={plan.batch_size}: use {enough} or more."
        )
    fewest_a_process = 2 if getattr(estimator, "batch_norm", False) else 1
    too_few = n_train // n_batches < fewest_a_process * n_processes
    if too_few or 0 < n_valid < n_processes:
        raise ValueError(
            f"{n_processes} processes share the complete rows of a batch, and each "
            f"needs at least {fewest_a_process}, got {n_train // n_batches} rows in "
            f"training and {n_valid} in validation: raise batch_size, or start fewer "
            "processes."
        )


def check_device(device):
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(
            f"device={device!r} was asked for, but torch finds no CUDA device: "
            "use device='cpu'."
        )
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device={device!r} cannot be used by torch here: {error}"
        ) from error
