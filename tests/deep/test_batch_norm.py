"""Batch normalisation of dense layers against torch's own, in modules by hand."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from torch import nn
from torch.autograd import gradcheck

from skcrl import CCALRanker, DeepCCA
from skcrl.datasets import make_correlated_views
from skcrl.deep._data import WEIGHTS, stream
from skcrl.deep._made_with import check_weights
from skcrl.deep.modules import MLP, BatchNorm

SMALL = {
    "hidden_layer_sizes": (7, 5),
    "batch_norm": True,
    "input_dropout": 0.0,
    "batch_size": 50,
    "max_epochs": 3,
    "random_state": 0,
}
ESTIMATORS = [DeepCCA(**SMALL), CCALRanker(**SMALL), DeepCCA(**SMALL, objective="noi")]
COUNTS = torch.tensor([1.0, 3, 2, 1, 4, 2], dtype=torch.float64)


def named(estimators):
    return pytest.mark.parametrize("estimator", estimators, ids=repr)


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(200, 6, 4, correlations=(0.9, 0.8), random_state=0)


def randn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def by_hand(n_features, activation, generator):
    """Encoder as a user would write it, with the weights that our seed gives."""
    widths = (n_features, 7, 5)
    layers = []
    for n_in, n_out in ((n_features, 7), (7, 5)):
        layers += [
            nn.Linear(n_in, n_out, bias=False),
            nn.BatchNorm1d(n_out),
            activation(),
        ]
    encoder = nn.Sequential(*layers, nn.Linear(widths[-1], 2))
    for layer in encoder:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
    nn.init.zeros_(encoder[-1].bias)
    return encoder


@named(ESTIMATORS)
def test_training_is_that_of_encoders_by_hand(estimator, views):
    estimator = clone(estimator).set_params(standardize=False, activation="elu")
    ours = clone(estimator).fit(*views)
    generator = stream(ours.net_.seed, 0, WEIGHTS)
    encoders = {
        "x_encoder": by_hand(6, nn.ELU, generator),
        "y_encoder": by_hand(4, nn.ELU, generator),
    }
    theirs = clone(estimator).set_params(**encoders, batch_norm=False).fit(*views)
    for side in "xy":
        encoder = ours.net_.module_.encoders[side]
        layers = list(theirs.net_.module_.encoders[side])
        for ours_of, theirs_of in (
            (encoder.layers, layers[::3]),
            (encoder.norms, layers[1::3]),
        ):
            for a, b in zip(ours_of, theirs_of, strict=True):
                # The running statistics are among them.
                torch.testing.assert_close(
                    OrderedDict(a.state_dict()), b.state_dict(), rtol=0, atol=0
                )
    for code, expected in zip(
        ours.transform_pair(*views), theirs.transform_pair(*views), strict=True
    ):
        np.testing.assert_array_equal(code, expected)
    # Rows are encoded one by one as in a batch.
    np.testing.assert_allclose(
        ours.transform(views[0][:1]), ours.transform(views[0])[:1], rtol=1e-9
    )


def test_weighted_rows_are_repeated_rows():
    a = 3 + randn(6, 4)
    ours, expected = BatchNorm(4).double(), nn.BatchNorm1d(4).double()
    for norm in (ours, expected):
        nn.init.uniform_(norm.weight, generator=torch.Generator().manual_seed(0))
    repeated = expected(a.repeat_interleave(COUNTS.long(), 0))
    out = ours(a, COUNTS)
    torch.testing.assert_close(out.repeat_interleave(COUNTS.long(), 0), repeated)
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)
    # In evaluation weights say nothing.
    torch.testing.assert_close(ours.eval()(a, COUNTS), expected.eval()(a))


def test_gradient_with_weights():
    norm = BatchNorm(4).double()
    assert gradcheck(lambda a: norm(a, COUNTS), randn(6, 4).requires_grad_())


@pytest.mark.parametrize("weights", [None, COUNTS, 1e-3 * COUNTS])
def test_dead_units_and_light_rows_are_finite(weights):
    a = torch.cat([torch.ones(6, 2, dtype=torch.float64), randn(6, 2)], 1)
    norm = BatchNorm(4).double()
    out = norm(a.requires_grad_(), weights)
    out.square().sum().backward()
    assert torch.isfinite(a.grad).all()
    assert (norm.running_var > 0).all()
    assert out[:, :2].abs().max() < 1e-9


def test_a_constant_column_and_dead_units_train(views):
    X = np.hstack([views[0], np.ones((200, 1))])
    X[:, 0] = 5
    est = DeepCCA(**SMALL, standardize=False).fit(X, views[1])
    assert np.isfinite(est.transform(X)).all()
    X = np.zeros((200, 2))
    X[:100, 0] = 1e-3
    norm_free = {"activation": "relu", "lr": 1e-4}
    est = DeepCCA(**SMALL, **norm_free).fit(X, views[1])
    assert np.isfinite(est.transform(X)).all()


def test_the_part_without_a_norm_is_as_it_was():
    plain, normed = (MLP((3, 5, 2), "tanh", batch_norm=norm) for norm in (False, True))
    assert set(plain.state_dict()) == {
        f"layers.{i}.{part}" for i in (0, 1) for part in ("weight", "bias")
    }
    assert normed.layers[0].bias is None
    assert normed.layers[1].bias is not None
    assert len(MLP((3, 2), "tanh", batch_norm=True).norms) == 0
    assert len(MLP((3,), "tanh", batch_norm=True).norms) == 0


@named(ESTIMATORS)
def test_sparse_rows(estimator, views):
    dense = [np.where(abs(view) > 1, view, 0) for view in views]
    estimator = clone(estimator).set_params(standardize=False)
    on_dense = clone(estimator).fit(*dense)
    on_sparse = clone(estimator).fit(*map(sparse.csr_array, dense))
    assert on_sparse.net_.module_.sparse_sides == ["x", "y"]
    np.testing.assert_allclose(
        on_sparse.transform(sparse.csr_array(dense[0])),
        on_dense.transform(dense[0]),
        atol=1e-3,
    )


@named(ESTIMATORS)
def test_training_goes_on_bit_for_bit(estimator, views, tmp_path):
    whole = clone(estimator).fit(*views)
    codes = whole.transform(views[0])
    steps = clone(estimator)
    for _ in range(3):
        steps.partial_fit(*views)
    np.testing.assert_array_equal(steps.transform(views[0]), codes)
    two = clone(estimator).set_params(max_epochs=2).fit(*views)
    two.set_params(max_epochs=1, warm_start=True).fit(*views)
    np.testing.assert_array_equal(two.transform(views[0]), codes)
    whole.save(tmp_path / "model.skcrl")
    loaded = type(whole).load(tmp_path / "model.skcrl")
    np.testing.assert_array_equal(loaded.transform(views[0]), codes)
    with pytest.raises(ValueError, match="batch_norm was True in fit and is False now"):
        two.set_params(batch_norm=False).fit(*views)


def test_early_stopping_brings_the_statistics_of_the_best_epoch_back(views):
    est = DeepCCA(
        **{**SMALL, "max_epochs": 40, "lr": 0.1},
        early_stopping=True,
        validation_fraction=0.3,
        n_iter_no_change=3,
        lr_schedule="refine",
        tol=0,
    ).fit(*views)
    losses = [row["valid_loss"] for row in est.history_]
    best = int(np.argmin(losses)) + 1
    assert best < len(losses)
    # Batches of training rows seen until then, but for what refinement took back.
    tracked = {int(n.num_batches_tracked) for n in est.net_.module_.encoders["x"].norms}
    assert tracked.pop() <= 2 * best
    assert not tracked


def test_no_global_random_number_is_drawn(views):
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    DeepCCA(**SMALL, reconstruction_weight=0.1, pretraining_epochs=1).fit(*views)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_mirrored_decoders_are_normalised(views):
    est = DeepCCA(**SMALL, reconstruction_weight=0.1).fit(*views)
    module = est.net_.module_
    assert [n.num_features for n in module.decoders["x"].norms] == [5, 7]
    assert est.reconstruct(views[0], to="y").shape == (200, 4)
    # Running statistics of what the decoder sees in training.
    assert all(n.num_batches_tracked == 12 for n in module.decoders["x"].norms)


def test_pretraining_trains_the_norms(views):
    settings = {**SMALL, "lr": 1e-9, "max_epochs": 1}
    est = DeepCCA(**settings, pretraining_epochs=4, pretraining_noise=0).fit(*views)
    first, second = est.net_.module_.encoders["x"].norms
    # Four batches an epoch, of pretraining and then of training.
    assert first.num_batches_tracked == second.num_batches_tracked == 20


@named([DeepCCA(**SMALL), CCALRanker(**SMALL)])
def test_line_search_is_refused(estimator, views):
    with pytest.raises(ValueError, match="batch_norm=True updates running statistics"):
        clone(estimator).set_params(optimizer="lbfgs").fit(*views)


def test_a_batch_of_one_row_is_refused(views):
    est = DeepCCA(**{**SMALL, "batch_size": 1}, objective="soft")
    with pytest.raises(ValueError, match="batches of at least 2 rows, got batch_size"):
        est.fit(*views)


def test_negative_variances_in_a_file_are_refused(views):
    state = DeepCCA(**SMALL).fit(*views).net_.__getstate__()
    state["module"]["encoders.x.norms.0.running_var"][0] = -1
    with pytest.raises(ValueError, match="variances encoders.x.norms.0.running_var"):
        check_weights(state["made_with"], state["module"])


def test_a_file_that_does_not_say_whether_to_compile_is_refused(views):
    state = DeepCCA(**SMALL).fit(*views).net_.__getstate__()
    state["made_with"]["settings"]["compiled"] = "perhaps"
    with pytest.raises(ValueError, match="does not say whether it is compiled"):
        check_weights(state["made_with"], state["module"])


@pytest.mark.parametrize("weights", [None, np.tile([1.0, 2.0], 100)])
def test_mixed_precision_is_close(views, weights):
    plain, mixed = (
        DeepCCA(**SMALL, mixed_precision=mixed).fit(*views, sample_weight=weights)
        for mixed in (False, True)
    )
    assert mixed.score(*views) == pytest.approx(plain.score(*views), abs=0.1)
