"""The HTML drawing of a ViewPipeline, read back."""

from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from skcrl import LinearCCA, make_view_pipeline


class Labels(HTMLParser):
    """The labels of a drawing, each with the number of the branch it is in, or None."""

    def __init__(self, html):
        super().__init__()
        self.found, self.open, self.n_branches = [], [], 0
        self.in_label = self.in_link = False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag == "div":
            branch = self.open[-1] if self.open else None
            if "sk-parallel-item" in (dict(attributes).get("class") or ""):
                branch, self.n_branches = self.n_branches, self.n_branches + 1
            self.open.append(branch)
        self.in_label |= tag == "label"
        self.in_link |= tag in ("a", "span")

    def handle_endtag(self, tag):
        if tag == "div":
            self.open.pop()
        self.in_label &= tag != "label"
        self.in_link &= tag not in ("a", "span")

    def handle_data(self, data):
        if self.in_label and not self.in_link and data.strip():
            self.found.append((data.strip(), self.open[-1]))


@pytest.mark.parametrize("is_fitted", [False, True])
def test_the_steps_of_the_views_are_two_branches_that_meet_in_the_estimator(is_fitted):
    pipeline = make_view_pipeline(
        LinearCCA(2, reg=0.1), x=(StandardScaler(), PCA(3)), y=StandardScaler()
    )
    if is_fitted:
        pipeline.fit(*np.random.default_rng(0).random((2, 20, 4)))
    assert Labels(estimator_html_repr(pipeline)).found == [
        ("ViewPipeline", None),
        ("x: Pipeline", 0),
        ("StandardScaler", 0),
        ("PCA", 0),
        ("y: Pipeline", 1),
        ("StandardScaler", 1),
        ("LinearCCA", None),
    ]
    html = estimator_html_repr(pipeline)
    # What a click on the name of a part copies is the name of a parameter of it.
    for name in ("x__", "x__pca__", "y__standardscaler__", "estimator__"):
        assert f'data-param-prefix="{name}"' in html
        assert any(key.startswith(name) for key in pipeline.get_params())


def test_a_view_without_steps_is_a_branch_that_passes_through():
    pipeline = make_view_pipeline(LinearCCA(), x=StandardScaler())
    assert Labels(estimator_html_repr(pipeline)).found == [
        ("ViewPipeline", None),
        ("x: Pipeline", 0),
        ("StandardScaler", 0),
        ("y: passthrough", 1),
        ("passthrough", 1),
        ("LinearCCA", None),
    ]
