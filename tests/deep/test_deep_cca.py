"""DeepCCA against LinearCCA, and what its own parameters do."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from torch import nn

from skcrl import DeepCCA, LinearCCA
from skcrl.datasets import load_digits_halves, make_correlated_views
from skcrl.deep.losses import OBJECTIVES
from skcrl.metrics import canonical_total, reconstruction_error


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(
        400, 6, 5, correlations=(0.95, 0.8, 0.3), random_state=0
    )


def linear_encoders():
    torch.manual_seed(0)
    return {"x_encoder": nn.Linear(6, 2), "y_encoder": nn.Linear(5, 2)}


def test_linear_encoders_find_linear_cca(views):
    deep = DeepCCA(
        2,
        hidden_layer_sizes=(),
        standardize=False,
        batch_size=400,
        reg=1e-6,
        input_dropout=0.0,
        lr=0.03,
        max_epochs=300,
        random_state=0,
    ).fit(*views)
    linear = LinearCCA(2, reg=0).fit(*views)
    np.testing.assert_allclose(deep.correlations_, linear.correlations_, atol=1e-4)
    for side in (0, 1):
        codes = [e.transform_pair(*views)[side] for e in (deep, linear)]
        assert subspace_angles(*codes).max() < 1e-3
    np.testing.assert_allclose(
        deep.predict(views[0]), linear.predict(views[0]), atol=0.02
    )


def test_closing_cca_orders_and_decorrelates(views):
    deep = DeepCCA(3, hidden_layer_sizes=(16,), reg=1e-4, random_state=0).fit(*views)
    codes = np.hstack(deep.transform_pair(*views))
    R = np.diag(deep.correlations_)
    expected = np.block([[np.eye(3), R], [R, np.eye(3)]])
    # The ridge counts against the variance of the encoders' outputs.
    np.testing.assert_allclose(np.cov(codes.T), expected, atol=0.05)
    assert (np.diff(deep.correlations_) <= 0).all()


def test_score_is_the_canonical_total(views):
    X, y = views
    train, test = slice(300), slice(300, None)
    deep = DeepCCA(2, hidden_layer_sizes=(16,), random_state=0).fit(X[train], y[train])
    raw = [
        deep.net_.evaluate("encode", view, side=side)
        for view, side in ((X, "x"), (y, "y"))
    ]
    expected = canonical_total(raw[0][test], raw[1][test], raw[0][train], raw[1][train])
    assert deep.score(X[test], y[test]) == pytest.approx(expected, abs=0.02)


def test_nonlinear_relations_are_found(rng):
    t = rng.uniform(-1, 1, 1500)
    X = np.column_stack([np.sin(3 * t), t]) + 0.02 * rng.standard_normal((1500, 2))
    y = np.column_stack([t**2, t**4]) + 0.02 * rng.standard_normal((1500, 2))
    deep = DeepCCA(
        1,
        hidden_layer_sizes=(64,),
        max_epochs=150,
        batch_size=500,
        lr=0.01,
        random_state=0,
    ).fit(X[:1000], y[:1000])
    assert deep.score(X[1000:], y[1000:]) > 0.9
    assert LinearCCA(1).fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]) < 0.5


def test_users_encoders_start_from_their_own_weights(views):
    encoders = linear_encoders()
    before = encoders["x_encoder"].weight.clone()
    deep = DeepCCA(2, **encoders, max_epochs=1, lr=1e-12, random_state=0).fit(*views)
    trained = deep.net_.module_.encoders["x"]
    torch.testing.assert_close(trained.weight, before)
    deep.set_params(lr=0.1).fit(*views)
    assert not torch.allclose(deep.net_.module_.encoders["x"].weight, before)
    torch.testing.assert_close(encoders["x_encoder"].weight, before, rtol=0, atol=0)


def test_users_encoders_of_any_precision_and_their_pickles(views):
    encoders = {name: module.double() for name, module in linear_encoders().items()}
    deep = DeepCCA(2, **encoders, max_epochs=2, random_state=0).fit(*views)
    copy = pickle.loads(pickle.dumps(deep))
    np.testing.assert_array_equal(copy.transform(views[0]), deep.transform(views[0]))
    copy.partial_fit(*views)
    deep.partial_fit(*views)
    np.testing.assert_array_equal(copy.transform(views[0]), deep.transform(views[0]))


def test_users_decoders(views):
    X, y = views
    torch.manual_seed(0)
    decoders = {"x_decoder": nn.Linear(4, 6), "y_decoder": nn.Linear(4, 5)}
    settings = {
        "hidden_layer_sizes": (),
        "standardize": False,
        "input_dropout": 0.0,
        "reg": 1e-4,
        "batch_size": 400,
        "max_epochs": 200,
        "lr": 0.04,
        "random_state": 0,
    }
    deep = DeepCCA(4, **settings, **decoders).fit(X, y)
    # A linear decoder of the user's comes to the ridge decoder of ours.
    plain = DeepCCA(4, **settings).fit(X, y)
    np.testing.assert_allclose(deep.transform(X), plain.transform(X), atol=1e-6)
    for to, target in (("x", X), ("y", y)):
        errors = [
            reconstruction_error(target, est.reconstruct(X, to=to))
            for est in (deep, plain)
        ]
        assert errors[0] == pytest.approx(errors[1], abs=0.05)
        assert errors[0] < 0.9


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_linear_encoders_reach_linear_cca_by_every_objective(views, objective):
    deep = DeepCCA(
        2,
        hidden_layer_sizes=(),
        objective=objective,
        reg=1e-4,
        input_dropout=0.0,
        max_epochs=60,
        batch_size=100,
        lr=0.03,
        random_state=0,
    ).fit(*views)
    expected = LinearCCA(2, reg=0).fit(*views).correlations_
    np.testing.assert_allclose(deep.correlations_, expected, atol=0.01)


def test_noi_learns_from_small_batches(digits):
    noi = DeepCCA(
        10,
        hidden_layer_sizes=(64,),
        objective="noi",
        batch_size=50,
        max_epochs=12,
        random_state=0,
    ).fit(digits[0], digits[1])
    # With covariances that lag behind, by a momentum of 0.9, it gets to 4.
    assert noi.score(digits[0], digits[1]) > 6
    # Whitened codes have mean 0, so the outputs that predict them have, too.
    assert max(abs(noi.x_mean_).max(), abs(noi.y_mean_).max()) < 0.2


def test_decorrelation_weight_and_its_default(views):
    def loss(**parameters):
        est = DeepCCA(2, **parameters, hidden_layer_sizes=(), max_epochs=1)
        return est.set_params(random_state=0).fit(*views).history_[0]["train_loss"]

    for objective, weight in (("correlation_gap", 0.1), ("soft", 0.3)):
        default, same, none = (
            loss(objective=objective, decorrelation_weight=w)
            for w in (None, weight, 0.0)
        )
        assert default == same > none


@pytest.mark.parametrize("objective", ["soft", "noi"])
def test_running_moments_outlive_fit(views, objective):
    deep = DeepCCA(
        2, objective=objective, hidden_layer_sizes=(8,), batch_size=100, max_epochs=2
    ).set_params(random_state=0, warm_start=True)
    deep.fit(*views)
    copies = deepcopy(deep), pickle.loads(pickle.dumps(deep))
    moments = deep.net_.module_.moments["x"]
    for copy in copies:
        restored = copy.net_.module_.moments["x"]
        torch.testing.assert_close(restored.state_dict(), moments.state_dict())
        assert restored.weight > 0
    codes = deep.fit(*views).transform(views[0])
    for copy in copies:
        np.testing.assert_array_equal(copy.fit(*views).transform(views[0]), codes)
    with pytest.raises(ValueError, match="running was .* in fit and is None now"):
        deep.set_params(objective="trace_norm").fit(*views)


def test_reconstruction_weight_makes_outputs_that_reconstruct(views):
    X, y = views
    settings = {"hidden_layer_sizes": (16,), "max_epochs": 80, "lr": 0.02}
    settings |= {"reg": 1e-3, "random_state": 0}
    errors, totals = [], []
    for weight in (1e-6, 1.0):
        dccae = DeepCCA(2, **settings, reconstruction_weight=weight).fit(X, y)
        errors.append(reconstruction_error(X, dccae.reconstruct(X, to="x")))
        totals.append(dccae.score(X, y))
    assert errors[1] < 0.8 * errors[0]
    assert totals[1] < totals[0]


def test_dccae_trains_the_users_decoder_with_the_encoders(views):
    torch.manual_seed(0)
    decoder = nn.Linear(2, 6)
    deep = DeepCCA(
        2, x_decoder=decoder, reconstruction_weight=0.5, max_epochs=2, random_state=0
    ).fit(*views)
    assert isinstance(deep.net_.module_.decoders["x"], nn.Linear)
    assert not torch.equal(deep.net_.module_.decoders["x"].weight, decoder.weight)
    assert deep.reconstruct(views[0], to="y").shape == views[1].shape


def test_pretraining_changes_where_training_starts(views):
    plain, pretrained = (
        DeepCCA(
            2,
            hidden_layer_sizes=(8,),
            pretraining_epochs=n,
            lr=1e-3,
            max_epochs=1,
            random_state=0,
        ).fit(*views)
        for n in (0, 5)
    )
    assert not np.allclose(plain.transform(views[0]), pretrained.transform(views[0]))
    # Pretraining is for fresh encoders: going on does not repeat it.
    again = deepcopy(pretrained).set_params(pretraining_epochs=0)
    np.testing.assert_array_equal(
        again.partial_fit(*views).transform(views[0]),
        pretrained.partial_fit(*views).transform(views[0]),
    )


@pytest.mark.parametrize(("gap", "power"), [("squared", 2), ("linear", 1)])
def test_gap_says_whether_differences_are_squared(views, gap, power):
    X, y = (view[:100] for view in views)
    est = DeepCCA(
        3,
        hidden_layer_sizes=(8,),
        objective="correlation_gap",
        gap=gap,
        decorrelation_weight=0.0,
        closing_cca=False,
        input_dropout=0.0,
        lr=1e-30,  # the loss is that of the weights it began with
        batch_size=100,
        max_epochs=1,
        random_state=0,
    ).fit(X, y)
    pairs = zip(*(codes.T for codes in est.transform_pair(X, y)), strict=True)
    correlations = np.array([np.corrcoef(a, b)[0, 1] for a, b in pairs])
    expected = np.sum((1 - correlations) ** power)
    assert est.history_[0]["train_loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"x_encoder": nn.Linear(6, 3)}, r"x_encoder must.*n_samples, 2\).*\(2, 3\)"),
        ({"y_decoder": nn.Linear(2, 4)}, r"y_decoder must.*n_samples, 5\).*\(2, 4\)"),
        ({"x_encoder": nn.Linear(9, 2)}, r"x_encoder does not take.*n_samples, 6\)"),
        ({"x_encoder": nn.LSTM(6, 2)}, "x_encoder does not take"),
        ({"x_encoder": nn.Bilinear(6, 6, 2)}, "x_encoder does not take"),
        ({"x_encoder": nn.BatchNorm2d(6)}, "x_encoder does not take"),
        ({"x_encoder": nn.Unflatten(1, (3, 2))}, r"x_encoder must.*\(2, 3, 2\) for 2"),
        (
            {"x_encoder": nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (-1, 2)))},
            r"x_encoder must.*\(6, 2\) for 2",
        ),
        (
            {"batch_size": 2},
            "at least 3 rows, got batch_size=2 .* reduce n_components=2",
        ),
        ({"n_components": 400, "batch_size": 500}, "got training samples=400"),
        ({"reg": 0.0}, "'reg' parameter"),
        ({"objective": "noi", "optimizer": "lbfgs"}, "updates running moments"),
        ({"input_dropout": 1.0}, "'input_dropout' parameter"),
        ({"objective": "cca"}, "'objective' parameter"),
        ({"decorrelation_weight": -1.0}, "'decorrelation_weight' parameter"),
        ({"running_momentum": 1.0}, "'running_momentum' parameter"),
        ({"objective": "noi", "batch_size": 1}, "at least 2 rows"),
        (
            {**linear_encoders(), "pretraining_epochs": 3},
            "pretraining_epochs=3 with both x_encoder and y_encoder: pretrain",
        ),
        ({"n_components": 0}, "'n_components' parameter"),
    ],
)
def test_bad_parameters(views, parameters, message):
    with pytest.raises(ValueError, match=message):
        DeepCCA(**parameters).fit(*views)


def test_warm_start_refuses_other_encoders(views):
    encoders = linear_encoders()
    deep = DeepCCA(2, **encoders, max_epochs=1, random_state=0, warm_start=True)
    codes = deep.fit(*views).transform(views[0])
    for other in (None, nn.Sequential(nn.Linear(6, 2), nn.Tanh())):
        with pytest.raises(ValueError, match="x_encoder was .* in fit and is .* now"):
            deep.set_params(x_encoder=other).fit(*views)
        np.testing.assert_array_equal(deep.transform(views[0]), codes)
    assert deep.set_params(**encoders).fit(*views).n_iter_ == 2


def test_dead_units_only_lower_the_rank(rng):
    X, y = make_correlated_views(100, 4, 4, random_state=0)
    dead = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    with torch.no_grad():
        dead[0].bias[:2] = -1e3
    deep = DeepCCA(3, x_encoder=dead, random_state=0).fit(X, y)
    assert deep.rank_ == 1
    Zx, Zy = deep.transform_pair(X, y)
    assert Zx[:, 1:].any() == Zy[:, 1:].any() == False  # noqa: E712
    assert 0 < deep.score(X, y) <= 1


def test_codes_without_a_closing_cca_are_the_standardised_outputs(views):
    deep = DeepCCA(
        3,
        hidden_layer_sizes=(16,),
        objective="correlation_gap",
        closing_cca=False,
        random_state=0,
    ).fit(*views)
    codes = deep.transform_pair(*views)
    for side, view, Z in zip("xy", views, codes, strict=True):
        outputs = deep.net_.evaluate("encode", view, side=side)
        outputs -= outputs.mean(axis=0)
        np.testing.assert_allclose(Z, outputs / outputs.std(axis=0, ddof=1), atol=1e-6)
    pairs = [
        np.corrcoef(a, b)[0, 1] for a, b in zip(*(Z.T for Z in codes), strict=True)
    ]
    np.testing.assert_allclose(deep.correlations_, pairs, atol=1e-6)
    assert deep.score(*views) == pytest.approx(sum(pairs))


def test_dead_outputs_stay_zero_without_a_closing_cca(views):
    dead = nn.Linear(6, 2)
    with torch.no_grad():
        dead.weight[0] = 0
    deep = DeepCCA(2, x_encoder=dead, closing_cca=False, max_epochs=1, lr=1e-9)
    Z = deep.set_params(random_state=0, hidden_layer_sizes=()).fit(*views)
    Z = deep.transform(views[0])
    assert deep.rank_ == 1
    assert (Z[:, 0] == 0).all()
    assert Z[:, 1].std(ddof=1) == pytest.approx(1)


def test_input_dropout_hides_entries_of_the_batch_alone(views):
    seen = []

    class Spy(nn.Linear):
        def forward(self, a):
            if self.training:
                seen.append(a.detach().clone())
            return super().forward(a)

    torch.manual_seed(0)
    deep = DeepCCA(2, x_encoder=Spy(6, 2), input_dropout=0.4, max_epochs=2)
    codes = deep.set_params(random_state=0).fit(*views).transform(views[0])
    batches = torch.stack(seen)
    assert (batches == 0).float().mean().item() == pytest.approx(0.4, abs=0.05)
    assert not torch.equal(batches[0] == 0, batches[1] == 0)
    weight, bias = (
        p.detach().numpy() for p in deep.net_.module_.encoders["x"].parameters()
    )
    outputs = views[0] @ weight.T + bias
    assert (
        subspace_angles(outputs - outputs.mean(0), codes - codes.mean(0)).max() < 1e-5
    )


def test_images_are_encoded_and_reconstructed_in_their_shape():
    left, right, _ = load_digits_halves()
    images = left.reshape(-1, 1, 8, 4)
    torch.manual_seed(0)
    conv = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 2, 8)
    )
    flat = nn.Sequential(nn.Unflatten(1, (1, 8, 4)), conv)
    settings = {"hidden_layer_sizes": (32,), "max_epochs": 10, "random_state": 0}
    deep = DeepCCA(8, x_encoder=conv, **settings).fit(images, right)
    same = DeepCCA(8, x_encoder=flat, **settings).fit(left, right)
    np.testing.assert_array_equal(deep.transform(images), same.transform(left))
    for reconstructed, expected in (
        (deep.reconstruct(images, to="x"), same.reconstruct(left, to="x")),
        (deep.reconstruct(y=right, to="x"), same.reconstruct(y=right, to="x")),
        (
            deep.view("x").inverse_transform(deep.transform(images)),
            same.view("x").inverse_transform(same.transform(left)),
        ),
    ):
        np.testing.assert_allclose(
            reconstructed, expected.reshape(images.shape), atol=1e-6
        )
    gaps = images.copy()
    gaps[:9] = np.nan
    filled, _ = deep.impute(gaps, right)
    np.testing.assert_array_equal(filled[9:], images[9:])
    np.testing.assert_allclose(
        deep.transform_joint(gaps, right)[:9], deep.transform_y(right[:9])
    )
    gaps[3, 0, 2] = 0.0
    with pytest.raises(ValueError, match="partly NaN, the first is row 3"):
        deep.impute(gaps, right)
    with pytest.raises(ValueError, match=r"samples of shape \(1, 8, 3\).*\(1, 8, 4\)"):
        deep.transform(images[..., :3])
    with pytest.raises(ValueError, match="dim 4"):
        DeepCCA(8, **settings).fit(images, right)


def test_users_decoders_of_images():
    left, right, _ = load_digits_halves()
    images = left.reshape(-1, 1, 8, 4)
    torch.manual_seed(0)
    deep = DeepCCA(
        4,
        x_encoder=nn.Sequential(nn.Flatten(), nn.Linear(32, 4)),
        x_decoder=nn.Sequential(nn.Linear(4, 32), nn.Unflatten(1, (1, 8, 4))),
        reconstruction_weight=0.1,
        hidden_layer_sizes=(32,),
        batch_size=100,
        lr=0.01,
        max_epochs=10,
        random_state=0,
    ).fit(images, right)
    reconstructed = deep.reconstruct(images, to="x")
    assert reconstructed.shape == images.shape
    assert reconstruction_error(left, reconstructed.reshape(len(left), -1)) < 0.9
    wrong = nn.Sequential(nn.Linear(4, 32), nn.Unflatten(1, (1, 4, 8)))
    with pytest.raises(ValueError, match=r"x_decoder must.*n_samples, 1, 8, 4\)"):
        deep.set_params(x_decoder=wrong).fit(images, right)


def test_dense_decoders_mirror_to_images_too():
    left, right, _ = load_digits_halves()
    images = left.reshape(-1, 1, 8, 4)
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(32, 4))
    deep = DeepCCA(
        4,
        x_encoder=encoder,
        reconstruction_weight=0.1,
        hidden_layer_sizes=(32,),
        batch_size=100,
        lr=0.01,
        max_epochs=5,
        random_state=0,
    )
    reconstructed = deep.fit(images, right).reconstruct(images, to="x")
    assert reconstructed.shape == images.shape
    same = deep.fit(left, right).reconstruct(left, to="x")
    np.testing.assert_allclose(reconstructed.reshape(len(left), -1), same, atol=1e-6)
