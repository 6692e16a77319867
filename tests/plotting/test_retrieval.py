"""Drawn items against those that are nearest."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer

from skcrl import CrossViewRetriever, LinearCCA, make_view_pipeline
from skcrl.datasets import load_digits_halves
from skcrl.plotting import RetrievalDisplay

LEFT, RIGHT, LABELS = load_digits_halves()
LEFT, RIGHT, LABELS = LEFT[:400], RIGHT[:400], LABELS[:400]


@pytest.fixture(scope="module")
def retriever():
    retriever = CrossViewRetriever(LinearCCA(10, reg=1.0), n_neighbors=5)
    return retriever.fit(LEFT[:300], RIGHT[:300]).fit_index(y=RIGHT[300:])


def drawn(images):
    return np.stack([image.get_array() for image in images])


def test_items_are_the_nearest_ones_and_right_ones_are_framed(retriever):
    queries, items = LEFT[300:303], RIGHT[300:]
    display = RetrievalDisplay.from_retriever(
        retriever,
        X=queries,
        items=items,
        relevant=(LABELS[300:303], LABELS[300:]),
        shape=(8, 4),
    )
    cosines = retriever.encode(queries) @ retriever.encode(y=items).T
    nearest = np.argsort(-cosines, axis=1)[:, :5]
    assert_allclose(drawn(display.queries_), queries.reshape(3, 8, 4))
    for row, positions in zip(display.items_, nearest, strict=True):
        assert_allclose(drawn(row), items[positions].reshape(5, 8, 4))
    right = LABELS[300:][nearest] == LABELS[300:303, None]
    assert right.any()
    assert not right.all()
    assert set(display.frames_) == set(map(tuple, np.argwhere(right).tolist()))
    for (i, j), frame in display.frames_.items():
        left, right_edge, bottom, top = display.items_[i, j].get_extent()
        box = frame.get_bbox()
        assert_allclose(box.extents, [left, top, right_edge, bottom])
    # Each frame has a tick, for those who do not see its colour.
    ticks = [text for text in display.ax_.texts if text.get_text() == "✓"]
    assert len(ticks) == len(display.frames_)
    names = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert names == ["query", "1", "2", "3", "4", "5"]


def test_texts_find_images_and_images_find_texts():
    words = np.array(["zero one two three four five six seven eight nine".split()])
    texts = words[0, LABELS]
    model = make_view_pipeline(LinearCCA(5, reg=1.0), y=TfidfVectorizer())
    retriever = CrossViewRetriever(model, n_neighbors=3).fit(LEFT, texts)
    of_images = RetrievalDisplay.from_retriever(
        retriever.fit_index(X=LEFT), y=["four"], items=LEFT, shape=(8, 4)
    )
    assert [text.get_text() for text in of_images.queries_] == ["four"]
    positions = retriever.kneighbors(y=["four"], return_distance=False)[0]
    assert_allclose(drawn(of_images.items_[0]), LEFT[positions].reshape(3, 8, 4))
    assert of_images.frames_ == {}
    of_texts = RetrievalDisplay.from_retriever(
        retriever.fit_index(y=words[0]), X=LEFT[:2], items=words[0], shape=(8, 4)
    )
    found = words[0][retriever.kneighbors(LEFT[:2], return_distance=False)]
    said = [[text.get_text() for text in row] for row in of_texts.items_]
    assert said == found.tolist()


def test_results_of_any_search_are_drawn():
    display = RetrievalDisplay.from_results(
        ["a", "b"], [["one", "two"], ["three", "four"]], right=[[0, 1], [0, 0]]
    )
    said = [[text.get_text() for text in row] for row in display.items_]
    assert said == [["one", "two"], ["three", "four"]]
    assert list(display.frames_) == [(0, 1)]
    images = np.random.default_rng(0).random((2, 3, 4, 5, 3))
    display = RetrievalDisplay.from_results(["a", "b"], images)
    for row, expected in zip(display.items_, images, strict=True):
        assert_allclose(drawn(row), expected)


def test_what_does_not_fit_is_refused(retriever):
    queries, items = LEFT[300:303], RIGHT[300:]
    draw = RetrievalDisplay.from_retriever
    with pytest.raises(ValueError, match="one row for each of the 100 items .* got 99"):
        draw(retriever, X=queries, items=items[1:], shape=(8, 4))
    with pytest.raises(
        ValueError, match=r"rows of items are not images: .* pass shape"
    ):
        draw(retriever, X=queries, items=items)
    with pytest.raises(ValueError, match="LinearCCA does not search: fit a CrossView"):
        draw(retriever.estimator_, X=queries, items=items, shape=(8, 4))
    with pytest.raises(NotFittedError):
        draw(CrossViewRetriever(LinearCCA()), X=queries, items=items, shape=(8, 4))
    with pytest.raises(
        ValueError, match=r"got shape \(1, 2\) for 1 queries with \[1\]"
    ):
        RetrievalDisplay.from_results(["a"], [["one"]], right=[[True, False]])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        RetrievalDisplay.from_results(["a", "b"], [["one"]])


def test_dollar_signs_in_texts_are_no_formulas():
    display = RetrievalDisplay.from_results(
        ["it costs $5 or $6_"], [["$_$ and \\alpha"]], right=[[True]]
    )
    display.figure_.canvas.draw()
    assert not display.items_[0, 0].get_parse_math()
    assert not display.queries_[0].get_parse_math()


def test_a_frame_of_one_column_is_its_texts_and_no_name_of_it():
    texts = pd.DataFrame({"caption": ["one", "two"]})
    display = RetrievalDisplay.from_results(texts, [["1"], ["2"]])
    assert [text.get_text() for text in display.queries_] == ["one", "two"]
    with pytest.raises(ValueError, match="rows of queries are not images"):
        RetrievalDisplay.from_results(texts.assign(more="x"), [["1"], ["2"]])


def test_queries_are_one_for_each_row_that_is_searched_for(retriever):
    expected = (
        "queries must have one row for each of the 3 rows that are searched for, got 2"
    )
    with pytest.raises(ValueError, match=expected):
        RetrievalDisplay.from_retriever(
            retriever,
            X=LEFT[:3],
            queries=["a", "b"],
            items=["item"] * retriever.n_items_,
        )
    for queries, found in [([], []), (["a", "b"], [[], []])]:
        with pytest.raises(ValueError, match="There is nothing to draw"):
            RetrievalDisplay.from_results(queries, found)
