"""Arguments that all displays share, where they are wrong."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.text import Text

from skcrl import LinearCCA, SparseCCA
from skcrl.inspection import stability_selection
from skcrl.plotting import (
    CorrelationCircleDisplay,
    CorrelationsDisplay,
    HeatmapDisplay,
    LoadingsDisplay,
    NetworkDisplay,
    ScoresDisplay,
    StabilityDisplay,
)

OF_ESTIMATORS = [
    CorrelationCircleDisplay,
    CorrelationsDisplay,
    HeatmapDisplay,
    LoadingsDisplay,
    NetworkDisplay,
    ScoresDisplay,
]


@pytest.mark.parametrize("display", OF_ESTIMATORS)
@pytest.mark.parametrize(
    ("ax", "got"), [("left", "str"), (np.full(2, None), "ndarray")]
)
def test_what_is_no_axes_is_refused(display, ax, got, cca, frames):
    expected = f"ax must be one axes of matplotlib, .* Got {got}"
    with pytest.raises(ValueError, match=expected):
        display.from_estimator(cca, *frames, ax=ax)


@pytest.mark.parametrize("display", OF_ESTIMATORS)
def test_a_class_is_no_estimator(display, frames):
    with pytest.raises(ValueError, match="LinearCCA is a class: make an estimator"):
        display.from_estimator(LinearCCA, *frames)


@pytest.mark.parametrize("names", [["one"], ["one", "two", "three", "four"], "abc"])
def test_names_are_one_for_each_component(names, cca, frames):
    codes = cca.transform_pair(*frames)
    expected = "component_names must be 3 names, one for each component"
    for display, views in [
        (ScoresDisplay, ()),
        (CorrelationsDisplay, ()),
        (LoadingsDisplay, frames),
        (CorrelationCircleDisplay, frames),
    ]:
        with pytest.raises(ValueError, match=expected):
            display.from_codes(*codes, *views, component_names=names)
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("components", "expected"),
    [
        ((True, False), "components must be integers from 0 to 2, .* Got True"),
        (0, "components must be numbers in a list or tuple. Got 0"),
    ],
)
def test_components_are_numbers_in_a_list(components, expected, cca, frames):
    with pytest.raises(ValueError, match=expected):
        HeatmapDisplay.from_estimator(cca, *frames, components=components)


@pytest.mark.parametrize("display", [ScoresDisplay, CorrelationCircleDisplay])
def test_two_axes_need_two_components(display, frames):
    one = LinearCCA(n_components=1).fit(*frames)
    expected = "needs 2 components, but the codes have 1: fit .* n_components=2"
    with pytest.raises(ValueError, match=expected):
        display.from_estimator(one, *frames)
    two = LinearCCA(n_components=2).fit(*frames)
    with pytest.raises(ValueError, match="components must be 2 numbers in a list"):
        display.from_estimator(two, *frames, components=(0,))


@pytest.mark.parametrize(
    "display",
    [CorrelationCircleDisplay, HeatmapDisplay, LoadingsDisplay, NetworkDisplay],
)
def test_dollar_signs_in_names_are_no_formulas(display, cca, frames):
    codes = cca.transform_pair(*frames)
    priced = [view.add_prefix("$_$ ") for view in frames]
    figure = display.from_codes(*codes, *priced).figure_
    figure.canvas.draw()
    texts = [text for text in figure.findobj(Text) if "$" in text.get_text()]
    assert len({text.get_text() for text in texts}) > 4
    assert not any(text.get_parse_math() for text in texts)


def test_dollar_signs_in_classes_and_selected_names_are_no_formulas(cca, frames):
    labels = np.repeat(["$_$ a", "$_$ b"], 10)
    by_class = ScoresDisplay.from_estimator(cca, *frames, labels=labels)
    result = stability_selection(
        SparseCCA(n_nonzero=1),
        *(view.add_prefix("$_$ ") for view in frames),
        n_subsamples=4,
        random_state=0,
    )
    for figure in (by_class.figure_, StabilityDisplay.from_result(result).figure_):
        figure.canvas.draw()
        texts = [text for text in figure.findobj(Text) if "$" in text.get_text()]
        assert texts
        assert not any(text.get_parse_math() for text in texts)
