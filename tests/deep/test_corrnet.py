"""CorrNet: what its terms and settings do."""

import numpy as np
import pytest
import torch
from torch import nn

from skcrl import CorrNet
from skcrl.metrics import effective_rank, pearson_sum, reconstruction_error


def fit(digits, **parameters):
    left, right, _ = digits
    defaults = {"max_epochs": 15, "standardize": False, "random_state": 0}
    return CorrNet(**{"n_components": 8, **defaults, **parameters}).fit(
        left[:1000], right[:1000]
    )


def held_out(digits):
    return tuple(view[1000:] for view in digits[:2])


def test_correlation_term_correlates_at_the_cost_of_redundancy(digits):
    with_term, without = (
        fit(digits, correlation_weight=weight).transform_pair(*held_out(digits))
        for weight in (2.0, 0.0)
    )
    assert pearson_sum(*with_term) > 1.5 * pearson_sum(*without)
    assert effective_rank(with_term[0]) < effective_rank(without[0])


def test_sample_correlation_raises_the_correlation_of_each_sample(digits):
    def per_sample(est):
        pairs = zip(*est.transform_pair(*held_out(digits)), strict=True)
        return np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs])

    settings = {"correlation": "sample"}
    weighed = fit(digits, **settings, correlation_weight=10.0)
    assert per_sample(weighed) > per_sample(fit(digits, correlation_weight=0.0))


def test_terms_reconstruct_from_what_they_name(digits):
    left, right = held_out(digits)
    joint = fit(digits, terms=("joint",), correlation_weight=0.0)
    cross = fit(digits, terms=("from_x", "from_y"), correlation_weight=0.0)

    def errors(est):
        return (
            reconstruction_error(right, est.reconstruct(left, right, to="y")),
            reconstruction_error(right, est.reconstruct(left, to="y")),
        )

    assert errors(joint)[0] < errors(cross)[0]
    assert errors(cross)[1] < errors(joint)[1]
    assert errors(cross)[1] < 0.95


# Code that each term reconstructs x from, and y: of both, of x alone or of y alone.
RECONSTRUCTED = {
    "joint": ("xy", "xy"),
    "from_x": ("x", "x"),
    "from_y": ("y", "y"),
    "self": ("x", "y"),
    "cross": ("y", "x"),
}


@pytest.mark.parametrize(
    ("terms", "reconstruction_weight", "factors"),
    [
        (("joint", "from_x", "from_y"), 1.0, (0.5, 0.5)),
        (("self",), 1.0, (0.5, 0.5)),
        (("cross",), (3.0, 0.1), (1.5, 0.05)),
        (("self", "cross", "joint"), "mean", (1 / 6, 1 / 4)),
        ((), "mean", (1 / 6, 1 / 4)),
    ],
)
def test_objective_is_the_sum_of_its_terms(rng, terms, reconstruction_weight, factors):
    x, y = rng.standard_normal((20, 6)), rng.standard_normal((20, 4))
    est = CorrNet(
        3,
        terms=terms,
        reconstruction_weight=reconstruction_weight,
        correlation_weight=0.7,
        standardize=False,
        lr=1e-30,  # the loss is that of the weights it began with
        batch_size=20,
        max_epochs=1,
        weight_decay=0.0,
        random_state=0,
    ).fit(x, y)
    w = {k: v.numpy() for k, v in est.net_.module_.state_dict().items()}
    inner = {"x": x @ w["code.x.weight"].T, "y": y @ w["code.y.weight"].T}
    inner["xy"] = inner["x"] + inner["y"]
    codes = {k: 1 / (1 + np.exp(-a - w["code.x.bias"])) for k, a in inner.items()}
    loss = 0.0
    for term in terms or ("from_x", "from_y"):
        for view, side, source, factor in zip(
            (x, y), "xy", RECONSTRUCTED[term], factors, strict=True
        ):
            weight, bias = (
                w[f"decoders.{side}.layers.0.{part}"] for part in ("weight", "bias")
            )
            reconstructed = codes[source] @ weight.T + bias
            loss += factor * np.sum((view - reconstructed) ** 2) / 20
    corr = [np.corrcoef(codes["x"][:, j], codes["y"][:, j])[0, 1] for j in range(3)]
    loss -= 0.7 * np.sum(corr)
    assert est.history_[0]["train_loss"] == pytest.approx(loss, rel=1e-5)


def test_self_and_cross_are_from_x_and_from_y(digits):
    one, other = (
        fit(digits, terms=terms, max_epochs=2, correlation_weight=2.0)
        for terms in (("self", "cross"), ("from_x", "from_y"))
    )
    codes = (est.transform(digits[0]) for est in (one, other))
    np.testing.assert_allclose(*codes, rtol=1e-4, atol=1e-5)


def test_correlation_alone_correlates_and_still_reconstructs(digits):
    settings = {"correlation_weight": 2.0, "max_epochs": 10, "batch_size": 200}
    alone, with_errors = (
        fit(digits, **settings, **terms) for terms in ({"terms": ()}, {})
    )
    left, right = held_out(digits)
    assert alone.score(left, right) > with_errors.score(left, right)
    assert reconstruction_error(right, alone.reconstruct(left, to="y")) < 1


def test_named_settings_are_the_published_ones_and_give_way():
    paper, blog = CorrNet.paper(), CorrNet.blog(lr=0.1, hidden_layer_sizes=(9,))
    assert isinstance(blog, CorrNet)
    assert (paper.n_components, paper.tied, paper.max_epochs) == (50, True, 50)
    assert (blog.lr, blog.hidden_layer_sizes) == (0.1, (9,))
    assert (blog.combine, blog.tied, blog.max_epochs) == ("post", False, 40)


def test_the_blogs_weight_is_196_times_as_much_against_half_the_sum(rng):
    x, y = rng.uniform(size=(2, 200, 392))
    settings = {"hidden_layer_sizes": (30,), "max_epochs": 2, "random_state": 0}
    blog = CorrNet.blog(5, **settings).fit(x, y)
    half_sum = CorrNet.blog(
        5,
        **settings,
        reconstruction_weight=1.0,
        correlation_weight=3.92,
        net_params={"optimizer__eps": 1.96e-6},
    ).fit(x, y)
    np.testing.assert_allclose(
        [196 * row["train_loss"] for row in blog.history_],
        [row["train_loss"] for row in half_sum.history_],
        rtol=1e-4,
    )
    np.testing.assert_allclose(blog.transform(x), half_sum.transform(x), rtol=1e-3)


@pytest.mark.parametrize("terms", [("joint",), ("from_x", "from_y")])
def test_unpaired_rows_teach_whatever_the_terms(digits, terms):
    left, right = (view[:1000].copy() for view in digits[:2])
    right[100:] = np.nan
    new = digits[0][1000:]

    def error(rows, max_epochs):
        est = CorrNet(
            16,
            terms=terms,
            correlation_weight=2.0,
            weight_decay=0.0,
            max_epochs=max_epochs,
            random_state=0,
        )
        est.fit(left[:rows], right[:rows])
        return reconstruction_error(new, est.reconstruct(new, to="x"))

    assert error(1000, 20) < 0.9 * error(100, 200)  # as many steps


@pytest.mark.parametrize(
    "settings",
    [
        {"tied": True, "output_activation": "sigmoid"},
        {"hidden_layer_sizes": (16,), "decoder": "mirrored", "tied": True},
        {"hidden_layer_sizes": (16,), "decoder": "mirrored"},
        {"hidden_layer_sizes": (16,), "combine": "post", "terms": ("from_x", "from_y")},
    ],
)
def test_every_architecture_learns(digits, settings):
    left, right = held_out(digits)
    est = fit(digits, **settings, correlation_weight=0.5, max_epochs=40)
    assert est.score(left, right) > 2
    assert reconstruction_error(left, est.reconstruct(left, to="x")) < 0.9


def test_pretraining_comes_first_and_only_if_asked_for(digits):
    settings = {"hidden_layer_sizes": (16,), "lr": 1e-4, "max_epochs": 1}
    plain, none, pretrained = (
        fit(digits, **settings, **more)
        for more in (
            {},
            {"pretraining_epochs": 0, "pretraining_noise": 3.0},
            {"pretraining_epochs": 5},
        )
    )
    weights = [est.net_.module_.state_dict() for est in (plain, none, pretrained)]
    torch.testing.assert_close(weights[0], weights[1], rtol=0, atol=0)
    assert not torch.allclose(*(w["hidden.y.layers.0.weight"] for w in weights[1:]))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {
                "x_encoder": nn.Linear(32, 8),
                "y_encoder": nn.Linear(32, 8),
                "pretraining_epochs": 2,
            },
            "pretraining_epochs=2 with both x_encoder and y_encoder: pretrain",
        ),
        ({"terms": (["self"],)}, "terms must contain names"),
        ({"terms": ("from_z",)}, "terms must contain names .*'self', 'cross'"),
        ({"terms": (), "correlation_weight": 0.0}, "correlation_weight=0 removes"),
        ({"terms": (), "tied": True}, "set tied=False, or name terms"),
        (
            {"reconstruction_weight": (1.0, 0.0)},
            "`reconstruction_weight` must be a finite positive number, or an",
        ),
        ({"reconstruction_weight": "sum"}, "'reconstruction_weight' parameter"),
        ({"terms": ("joint", "joint")}, "each at most once"),
        (
            {"tied": True, "hidden_layer_sizes": (8,)},
            "needs decoder='mirrored', got 'linear'",
        ),
        ({"correlation": "row"}, "'correlation' parameter"),
        ({"correlation_weight": -1}, "'correlation_weight' parameter"),
        ({"batch_size": 1}, "at least 2 rows.*batch_size=1"),
    ],
)
def test_bad_parameters(digits, parameters, message):
    with pytest.raises(ValueError, match=message):
        fit(digits, **parameters)
