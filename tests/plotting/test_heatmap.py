"""Drawn correlations against those of NumPy, least squares and mixOmics' formula."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.cluster.hierarchy import leaves_list, linkage
from sklearn.decomposition import PCA

from skcrl import DeepCCA, LinearCCA
from skcrl.plotting import HeatmapDisplay


@pytest.fixture
def wide():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(80, 2))
    return tuple(
        shared @ rng.normal(size=(2, p)) + rng.normal(size=(80, p)) for p in (40, 35)
    )


def test_raw_correlations_are_those_of_numpy(frames):
    display = HeatmapDisplay.from_arrays(*frames)
    expected = np.corrcoef(*frames, rowvar=False)[:3, 3:]
    assert_allclose(display.correlations, expected)
    rows, columns = display.x_order_, display.y_order_
    assert_allclose(display.image_.get_array(), expected[np.ix_(rows, columns)])
    ticks = [
        [label.get_text() for label in axis.get_ticklabels()]
        for axis in (display.ax_.yaxis, display.ax_.xaxis)
    ]
    assert ticks[0] == list(frames[0].columns[rows])
    assert ticks[1] == list(frames[1].columns[columns])
    assert_allclose(display.image_.get_clim(), abs(expected).max() * np.array([-1, 1]))
    assert display.colorbar_.ax.get_ylabel() == "correlation"


def test_through_the_space_it_is_the_formula_of_mixomics(frames):
    """``cor(X, U + V) %*% t(cor(Y, U + V))``, as network of mixOmics has it."""
    cca = LinearCCA(2, reg=0).fit(*frames)
    U, V = (Z / Z.std(axis=0) for Z in cca.transform_pair(*frames))
    with_x, with_y = (np.corrcoef(view, U + V, rowvar=False)[:3, 3:] for view in frames)
    display = HeatmapDisplay.from_estimator(cca, *frames)
    assert_allclose(display.correlations, with_x @ with_y.T, atol=1e-8)
    assert display.colorbar_.ax.get_ylabel() == "correlation through the space"
    display = HeatmapDisplay.from_estimator(cca, *frames, components=[1])
    expected = np.outer(with_x[:, 1], with_y[:, 1])
    assert_allclose(display.correlations, expected, atol=1e-8)


def test_codes_that_correlate_do_not_count_twice(wide):
    """Against fitted values of least squares on the sums of the codes."""
    codes = np.random.default_rng(1).normal(size=(80, 2)) + wide[0][:, :2]
    x_codes, y_codes = np.c_[codes, codes.sum(axis=1)], np.c_[codes, codes.sum(axis=1)]
    standard = [(view - view.mean(axis=0)) / view.std(axis=0) for view in wide]
    scaled = (x_codes - x_codes.mean(axis=0)) / x_codes.std(axis=0)
    fits = [scaled @ np.linalg.lstsq(scaled, view)[0] for view in standard]
    display = HeatmapDisplay.from_codes(x_codes, y_codes, *wide)
    assert_allclose(display.correlations, fits[0].T @ fits[1] / 80, atol=1e-10)


def test_the_strongest_are_drawn_in_the_order_of_their_clusters(wide):
    display = HeatmapDisplay.from_arrays(*wide, top=10)
    correlations = np.corrcoef(*wide, rowvar=False)[:40, 40:]
    rows = np.sort(np.argsort(-abs(correlations).max(axis=1))[:10])
    columns = np.sort(np.argsort(-abs(correlations).max(axis=0))[:10])
    chosen = correlations[np.ix_(rows, columns)]
    leaves = leaves_list(linkage(chosen, "average", optimal_ordering=True))
    assert_array_equal(display.x_order_, rows[leaves])
    assert sorted(display.y_order_) == list(columns)


@pytest.mark.parametrize("orientation", ["x", "y"])
def test_leaves_of_the_trees_stand_at_their_rows(wide, orientation):
    display = HeatmapDisplay.from_arrays(*wide, top=8)
    tree = display.ax_.child_axes["xy".index(orientation)]
    order = display.x_order_ if orientation == "x" else display.y_order_
    values = display.correlations[np.ix_(display.x_order_, display.y_order_)]
    values = values if orientation == "x" else values.T
    # The two that are nearest to each other are joined first, at the least distance.
    distances = np.linalg.norm(values[:, None] - values[None], axis=2)
    distances[np.diag_indices(len(order))] = np.inf
    nearest = np.sort(np.unravel_index(distances.argmin(), distances.shape))
    joints = [path.vertices for c in tree.collections for path in c.get_paths()]
    along = 1 if orientation == "x" else 0
    least = min(joints, key=lambda v: abs(v[:, 1 - along]).max())
    low, high = tree.get_ylim() if orientation == "x" else tree.get_xlim()
    share = np.sort((np.unique(least[:, along]) - min(low, high)) / abs(high - low))
    assert_allclose(share, (nearest + 0.5) / len(order))
    # Rows are counted from the top, in the picture and in its tree.
    assert (low > high) == (orientation == "x")


def test_one_variable_and_a_deep_estimator_are_drawn(frames):
    X, y = frames[0], frames[1]["Chins"]
    deep = DeepCCA(1, max_epochs=1, validation_fraction=None, random_state=0)
    display = HeatmapDisplay.from_estimator(deep.fit(X, y), X, y)
    assert display.image_.get_array().shape == (3, 1)
    assert (abs(display.correlations) <= 1).all()


def test_what_does_not_fit_is_refused(cca, frames):
    with pytest.raises(ValueError, match="integer of 1 or more. Got -2"):
        HeatmapDisplay.from_arrays(*frames, top=-2)
    with pytest.raises(ValueError, match="integers from 0 to 2, .* Got 5"):
        HeatmapDisplay.from_estimator(cca, *frames, components=[5])
    with pytest.raises(ValueError, match="HeatmapDisplay .* PCA does not give them"):
        HeatmapDisplay.from_estimator(PCA().fit(frames[0]), *frames)
