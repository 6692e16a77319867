"""Links of drawn estimators to pages of the API reference."""

import inspect
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

import skcrl
from skcrl._documentation import ADDRESS
from skcrl.base import View
from skcrl.deep.augment import RandomAffine, RandomShift

PAGES = (Path(__file__).parents[1] / "docs" / "api.rst").read_text("utf-8").split()
ESTIMATORS = [
    kind
    for kind in [
        *(getattr(skcrl, name) for name in skcrl.__all__),
        View,
        RandomAffine,
        RandomShift,
    ]
    if inspect.isclass(kind) and issubclass(kind, BaseEstimator)
]


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_every_estimator_links_to_its_page(kind):
    link = object.__new__(kind)._get_doc_link()
    assert link.startswith(f"{ADDRESS}generated/")
    name = link.removeprefix(f"{ADDRESS}generated/").removesuffix(".html")
    assert name.rsplit(".", 1)[-1] == kind.__name__
    # Sphinx writes a page for each name that is listed there.
    assert name in PAGES


def test_the_link_is_in_the_drawing_and_classes_of_users_have_none():
    class Own(skcrl.LinearCCA):
        pass

    link = f'href="{ADDRESS}generated/skcrl.LinearCCA.html"'
    assert link in estimator_html_repr(
        make_pipeline(StandardScaler(), skcrl.LinearCCA())
    )
    assert ADDRESS not in estimator_html_repr(Own())
