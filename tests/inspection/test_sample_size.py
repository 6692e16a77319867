"""Sample sizes against exact powers, limits for many samples, and data sets of rows."""

import numpy as np
import pytest
from scipy import integrate, stats

from skcrl import LinearCCA
from skcrl.inspection import multivariate_tests, sample_size
from skcrl.inspection._sample_size import _crossing, _simulated


def exact_power(n, p, rho, alpha=0.05):
    """Power of the F test of a multiple correlation with p normal regressors.

    Given the regressors F is noncentral; the sum of squares of what they predict is
    chi-squared, over which the power is integrated.
    """
    critical = stats.f.isf(alpha, p, n - 1 - p)
    signal = rho**2 / (1 - rho**2)

    def given(share):
        square = stats.chi2.ppf(share, n - 1)
        return stats.ncf.sf(critical, p, n - 1 - p, signal * square)

    return integrate.quad(given, 0, 1)[0]


@pytest.mark.parametrize(
    ("p", "rho", "power"), [(1, 0.5, 0.8), (1, 0.1, 0.9), (6, 0.4, 0.8), (6, 0.9, 0.5)]
)
def test_power_of_a_multiple_correlation(p, rho, power):
    size = sample_size(p, 1, rho, power=power, random_state=0)
    n = size.n
    assert size.n == size.n_power
    assert exact_power(np.ceil(1.04 * n) + 1, p, rho) >= power
    assert exact_power(np.floor(0.96 * n) - 1, p, rho) < power
    for k, share in zip(size.sizes[::5], size.power[::5], strict=True):
        assert share == pytest.approx(exact_power(k, p, rho), abs=0.05)


@pytest.mark.parametrize("rho", [0.3, 0.8])
def test_angle_of_regression_coefficients(rho):
    # b - beta is normal with variance (1 - rho^2) / n in each direction, |beta| = rho.
    square = (1 - rho**2) / rho**2 * stats.chi2.ppf(0.8, 4)
    size = sample_size(1, 5, rho, angle=5, random_state=0)
    expected = square / np.tan(np.radians(5)) ** 2
    assert size.n_angle == pytest.approx(expected, rel=0.05)
    assert size.n == size.n_angle > size.n_power
    half = sample_size(1, 5, rho, angle=2.5, random_state=0)
    assert half.n_angle == pytest.approx(4 * size.n_angle, rel=0.05)


def test_data_sets_of_so_many_rows(rng):
    rho, p, q = np.array([0.7, 0.4]), 4, 3
    size = sample_size(p, q, rho, angle=25, random_state=0)
    A, B = rng.standard_normal((p, p)), rng.standard_normal((q, q))
    for n, target in ((size.n_power, 0), (size.n_angle, 1)):
        met, held_out = [], []
        for _ in range(200):
            X, y = rng.standard_normal((n, p)), rng.standard_normal((n, q))
            y[:, :2] = rho * X[:, :2] + np.sqrt(1 - rho**2) * y[:, :2]
            X, y = X @ A, y @ B
            cca = LinearCCA(1, reg=0).fit(X, y)
            a, b = A @ cca.x_weights_[:, 0], B @ cca.y_weights_[:, 0]
            a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
            angle = np.degrees(np.arccos(min(abs(a[0]), abs(b[0]))))
            met.append((multivariate_tests(X, y).wilks.pvalue <= 0.05, angle <= 25))
            held_out.append(a[:2] * rho @ b[:2])
        assert np.mean(met, axis=0)[target] == pytest.approx(0.8, abs=0.09)
        curve = np.interp(n, size.sizes, size.held_out)
        assert np.median(held_out) == pytest.approx(curve, abs=0.03)


def test_level_is_kept_with_hardly_more_samples_than_columns(rng):
    # Rao's F would find something in a tenth of these.
    seen = _simulated(22, 10, 10, np.array([1e-6]), 0.8, 0.05, 2000, rng)
    assert seen.power == pytest.approx(0.05, abs=0.02)


def test_sizes_are_in_order():
    size = sample_size(6, 4, 0.5, angle=20, n_simulations=500, random_state=0)
    assert (np.diff(size.sizes) > 0).all()
    rough = np.corrcoef(np.log(size.sizes), np.log(size.angle))[0, 1]
    assert rough < -0.9
    assert size.held_out[-1] < 0.5
    frame = size.to_frame()
    assert frame.index.tolist() == size.sizes.tolist()
    assert frame["power"].tolist() == size.power.tolist()
    assert len(repr(size).splitlines()) == 1
    again = sample_size(6, 4, [0.5], angle=20, n_simulations=500, random_state=0)
    np.testing.assert_array_equal(again.angle, size.angle)
    turned = sample_size(4, 6, 0.5, angle=20, n_simulations=500, random_state=0)
    assert turned.n == size.n
    assert sample_size(6, 4, 0.7, n_simulations=500, random_state=0).n < size.n_power
    both = sample_size(6, 4, (0.5, 0.5), n_simulations=500, random_state=0)
    assert both.n < size.n_power
    assert both.n_angle is None


def test_as_few_as_the_test_takes():
    size = sample_size(2, 2, 0.999, angle=80, n_simulations=200, random_state=0)
    assert size.n == size.n_power == size.n_angle == 6
    assert size.sizes.tolist() == [6]
    assert sample_size(1, 1, 0.9, angle=1, random_state=0).n_angle == 4  # it is 0


def test_noise_about_few_samples_does_not_turn_the_law_round():
    noisy = {4: 0.1, 8: 0.5, 5: 0.3, 6: 0.2, 7: 0.1}
    n = _crossing(lambda n: noisy.get(n, 0.0), 0.3, np.sqrt, np.square, 4)
    assert 4 <= n <= 8


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ((3, 2, 0.0), {}, "between 0 and 1, with the largest first"),
        ((3, 2, 1.0), {}, "between 0 and 1"),
        (
            (3, 2, (0.2, 0.4)),
            {},
            r"with the largest first and above 0, got \[0.2 0.4\]",
        ),
        ((3, 2, (0.5, 0.4, 0.1)), {}, r"at most 2 numbers.*got shape \(3,\)"),
        ((3, 2, (0.5, 0.5)), {"angle": 10}, "can separate their weights"),
        ((3, 2, 1e-7), {"n_simulations": 100}, "samples are not enough"),
        ((3, 2, 0.5), {"power": 0.999}, "power=0.999 .* raise it to 5000"),
        ((3, 2, 0.5), {"alpha": 1e-4}, "alpha must be at least 0.00025"),
        ((3, 2, 0.5), {"angle": 90}, "'angle' parameter"),
        ((0, 2, 0.5), {}, "'n_features_x' parameter"),
    ],
)
def test_unusable(arguments, settings, message):
    with pytest.raises(ValueError, match=message):
        sample_size(*arguments, **settings)
