"""Data sets: shapes, pairing, recipes, and where they are looked for."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from skcrl.datasets import (
    _halves,
    fetch_mnist_halves,
    load_digits_halves,
    make_correlated_views,
    make_noisy_mnist,
)


def test_digits_halves_are_the_halves():
    left, right, labels = load_digits_halves()
    images = np.dstack([left.reshape(-1, 8, 4), right.reshape(-1, 8, 4)])
    digits = load_digits()
    np.testing.assert_array_equal(images * 16, digits.images)
    np.testing.assert_array_equal(labels, digits.target)


def fake_mnist(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    data = {
        "x_train": rng.integers(0, 256, (60_000, 28, 28), np.uint8),
        "y_train": rng.integers(0, 10, 60_000),
        "x_test": rng.integers(0, 256, (10_000, 28, 28), np.uint8),
        "y_test": rng.integers(0, 10, 10_000),
    }
    (tmp_path / "mnist").mkdir()
    np.savez(tmp_path / "mnist" / "mnist.npz", **data)
    monkeypatch.setenv("SKCRL_DATA", str(tmp_path))
    return data


def test_mnist_from_disk(tmp_path, monkeypatch):
    data = fake_mnist(tmp_path, monkeypatch)
    mnist = fetch_mnist_halves()
    assert mnist.x_train.shape == (60_000, 392)
    assert mnist.x_test.dtype == np.float32
    right = mnist.y_test.reshape(-1, 28, 14)
    expected = data["x_test"][:, :, 14:].astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(right, expected)
    np.testing.assert_array_equal(mnist.labels_train, data["y_train"])


def test_mnist_file_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("SKCRL_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"no .*mnist\.npz: put the file there"):
        fetch_mnist_halves()


def test_mnist_from_openml(monkeypatch, capsys):
    asked = {}

    def fetch_openml(name, **kwargs):
        asked.update(kwargs, name=name)
        images = np.zeros((70_000, 784), np.uint8)
        images[:, 14] = 255
        return images, np.full(70_000, "7")

    monkeypatch.delenv("SKCRL_DATA", raising=False)
    monkeypatch.setattr(_halves, "fetch_openml", fetch_openml)
    mnist = fetch_mnist_halves(data_home="somewhere")
    assert "MNIST" in capsys.readouterr().out
    assert (asked["name"], asked["data_home"]) == ("mnist_784", "somewhere")
    assert mnist.x_train.max() == 0
    assert mnist.y_test[:, 0].min() == 1
    assert mnist.labels_test.tolist() == [7] * 10_000
    fetch_mnist_halves(verbose=0)
    assert capsys.readouterr().out == ""


def test_made_views_have_the_correlations_asked_for():
    X, y = make_correlated_views(200_000, 4, 3, correlations=(0.8, 0.4), random_state=0)
    joint = np.cov(X.T, y.T)
    values = np.linalg.eigvals(
        np.linalg.solve(joint[:4, :4], joint[:4, 4:])
        @ np.linalg.solve(joint[4:, 4:], joint[4:, :4])
    )
    found = np.sort(np.sqrt(abs(values)))[::-1]
    np.testing.assert_allclose(found, [0.8, 0.4, 0, 0], atol=0.01)


def test_made_views_follow_the_seed():
    first, second, other = (make_correlated_views(random_state=s)[0] for s in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_features_y": 2}, "at least 3 features.*got 10 and 2"),
        ({"correlations": (1.5,)}, r"must lie in \[0, 1\]"),
        ({"correlations": 10**29}, "correlations must be array-like, got 1000"),
        (
            {"correlations": (0.5, 10**400)},
            "correlations holds 1000.* row 1.*too lar",
        ),
        ({"correlations": [[0.5, 0.1]]}, r"sequence of numbers, got shape \(1, 2\)"),
        ({"correlations": (0.5, np.nan)}, "correlations contains NaN"),
    ],
)
def test_made_views_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_correlated_views(**arguments)


def test_noisy_mnist_follows_the_recipe():
    digits = load_digits()
    images, labels = digits.images / 16, digits.target
    X, y = make_noisy_mnist(images, labels, random_state=0)
    for view in (X, y):
        assert view.shape == (1797, 64)
        assert view.dtype == np.float32
        assert 0 <= view.min() <= view.max() <= 1
    # The second view minus its noise is an image of the same digit: each pixel is at
    # least the partner's, so no image of the digit exceeds it everywhere but one.
    for i in range(50):
        same = images[labels == labels[i]].reshape(-1, 64)
        assert (same <= y[i] + 1e-6).all(axis=1).any()
    # Noise is uniform where the partner is black.
    black = (images[:, 0, 0] == 0) & (images[:, 0, 7] == 0)
    assert y[black][:, 0].mean() == pytest.approx(0.5, abs=0.05)
    # Rotation keeps the middle of the image and turns each its own way.
    assert np.corrcoef(X[:, 27], images[:, 3, 3])[0, 1] > 0.7
    assert not np.allclose(X, images.reshape(-1, 64), atol=0.1)
    again, _ = make_noisy_mnist(images, labels, random_state=0)
    np.testing.assert_array_equal(again, X)


def test_noisy_mnist_bad_input():
    with pytest.raises(ValueError, match=r"got \(3, 4\) and \(3,\)"):
        make_noisy_mnist(np.zeros((3, 4)), np.zeros(3))
    with pytest.raises(ValueError, match=r"Pixels must lie in \[0, 1\]"):
        make_noisy_mnist(np.full((3, 4, 4), 255.0), np.zeros(3))
    with pytest.raises(ValueError, match="labels holds no label in row 0"):
        make_noisy_mnist(np.zeros((3, 4, 4)), [np.nan] * 3)
    with pytest.raises(ValueError, match="Pixels must lie in"):
        make_noisy_mnist(np.full((3, 4, 4), 1e300), np.zeros(3))
    with pytest.raises(ValueError, match="Complex data not supported"):
        make_noisy_mnist(np.zeros((3, 4, 4)) * 1j, np.zeros(3))
