"""CorrNet: what its terms and settings do."""

import numpy as np
import pytest

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


def test_terms_rebuild_from_what_they_name(digits):
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


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"terms": ()}, "terms must hold one or more of"),
        ({"terms": ("from_z",)}, "terms must hold"),
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
