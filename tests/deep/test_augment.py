"""Training batches that are changed at random."""

import math
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from torch import nn

from skcrl import CCALRanker, CorrNet, DeepCCA, MultimodalAutoencoder, TiedBidirectional
from skcrl.datasets import make_correlated_views
from skcrl.deep._augmentation import Augmentation
from skcrl.deep._data import PairBatch, stream
from skcrl.deep._units import Units
from skcrl.deep.augment import RandomAffine, RandomShift

SMALL = {
    "hidden_layer_sizes": (8,),
    "max_epochs": 3,
    "batch_size": 25,
    "random_state": 0,
}
ESTIMATORS = [CCALRanker, CorrNet, DeepCCA, MultimodalAutoencoder, TiedBidirectional]


@pytest.fixture(scope="module")
def views():
    X, y = make_correlated_views(100, 6, 5, correlations=(0.9, 0.8), random_state=0)
    return 2 * X + 3, y


def noisy(x, y, generator):
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return x + noise, y


def unchanged(x, y, generator):
    return x, y


def weights(est):
    return est.net_.get_state()["module"]


class Seen:
    """Keeps what it was given."""

    def __init__(self):
        self.batches = []

    def __call__(self, x, y, generator):
        self.batches.append((x.clone(), y.clone()))
        x.add_(1)  # in place: nothing of the user's is changed
        return x, y


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_no_change_is_as_good_as_none_bit_for_bit(estimator, views):
    est = estimator(**SMALL, validation_fraction=0.3)
    plain = clone(est).fit(*views)
    np.testing.assert_equal(
        weights(est.set_params(augment=unchanged).fit(*views)), weights(plain)
    )
    est.set_params(augment=noisy).fit(*views)
    assert est.history_[0]["train_loss"] != plain.history_[0]["train_loss"]


@pytest.mark.parametrize("standardize", [True, False])
def test_batches_come_in_the_units_of_the_user(views, standardize):
    X, y = (view.astype(np.float32) for view in views)
    est = CorrNet(**SMALL, standardize=standardize, validation_fraction=0.2)
    before = X.copy(), y.copy()
    est.set_params(augment=Seen()).fit(X, y)
    batches = est.augment.batches
    assert len(batches) == 3 * 3  # of 80 rows, never of the validation rows
    epochs = [torch.cat([x for x, _ in batches[i : i + 3]]) for i in (0, 3, 6)]
    for epoch in epochs:
        assert epoch.dtype == torch.float32
        # Each training row once, and so none of the others.
        order = abs(epoch.numpy()[:, None] - X).max(axis=2).argmin(axis=1)
        assert len(set(order)) == 80
        np.testing.assert_allclose(epoch.numpy(), X[order], rtol=1e-5, atol=1e-5)
    for x, y_there in batches:
        rows = abs(x.numpy()[:, None] - X).max(axis=2).argmin(axis=1)
        np.testing.assert_allclose(y_there.numpy(), y[rows], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])


def test_the_network_sees_the_change_in_its_own_units():
    rng = np.random.default_rng(0)
    X = rng.normal(5, 3, (20, 4))
    units = Units.of(X)
    z = torch.from_numpy(units.standardised(X)).float()
    change = Augmentation(lambda x, y, _: (x + 1, 2 * y), {"x": units}, seed=0)
    about = {"weights": torch.ones(20)}
    batch = change(PairBatch(about, x=z, y=z, x_only=z), epoch=1, number=1)
    expected = units.standardised(X + 1)
    np.testing.assert_allclose(batch["x"].numpy(), expected, atol=1e-5)
    assert torch.equal(batch["y"], 2 * z)
    assert batch["x_only"] is z
    assert batch.about is about


def test_draws_depend_on_seed_epoch_and_batch_alone():
    draws = {}
    view = torch.zeros(3, 2)
    for seed, epoch, number in ((0, 1, 1), (0, 1, 2), (0, 2, 1), (1, 1, 1)):
        change = Augmentation(noisy, {}, seed)
        change(PairBatch(x=view, y=view), 5, 5)
        drawn = change(PairBatch(x=view, y=view), epoch, number)["x"]
        again = Augmentation(noisy, {}, seed)(PairBatch(x=view, y=view), epoch, number)
        assert torch.equal(again["x"], drawn)
        draws[seed, epoch, number] = tuple(drawn.ravel().tolist())
    assert len(set(draws.values())) == 4


def test_trainings_go_on_bit_for_bit(views, tmp_path):
    est = DeepCCA(**SMALL, augment=noisy)
    before = torch.random.get_rng_state()
    whole = clone(est).fit(*views)
    assert torch.equal(torch.random.get_rng_state(), before)
    parts = pickle.loads(pickle.dumps(clone(est).partial_fit(*views)))
    for _ in range(2):
        parts.partial_fit(*views)
    np.testing.assert_equal(weights(parts), weights(whole))

    calls = []

    def interrupting(x, y, generator):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return noisy(x, y, generator)

    est.set_params(checkpoint=tmp_path / "training", augment=interrupting)
    with pytest.raises(KeyboardInterrupt):
        est.fit(*views)
    np.testing.assert_equal(weights(est.fit(*views)), weights(whole))


class Scaled:
    def __init__(self, by):
        self.by = by

    def __call__(self, x, y, generator):
        return self.by * x, y


def test_checkpoints_tell_changes_apart(views, tmp_path):
    def fit(augment):
        path = tmp_path / "training"
        return CorrNet(**SMALL, augment=augment, checkpoint=path).fit(*views)

    trained = fit(Scaled(2))
    assert fit(Scaled(2)).history_ == trained.history_  # another object
    for other in (Scaled(3), noisy, partial(noisy), RandomShift(), None):
        with pytest.raises(ValueError, match="another training: augment was .*Scaled"):
            fit(other)
    (tmp_path / "training").unlink()
    shift = RandomShift((2, 3), pixels=1)
    trained = fit(shift)
    assert fit(clone(shift)).history_ == trained.history_
    with pytest.raises(ValueError, match="augment was .*RandomShift.* and is"):
        fit(clone(shift).set_params(pixels=2))


def test_lbfgs_sees_one_change_an_epoch(views):
    est = DeepCCA(**SMALL, optimizer="lbfgs", augment=Seen()).fit(*views)
    assert len(est.augment.batches) == 3


def test_sparse_and_missing_rows(views):
    X, y = views
    X_sparse = sparse.csr_array(np.where(X > 3, X, 0))
    est = DeepCCA(**SMALL, augment=Seen()).fit(X_sparse, y)
    assert all(x.layout == torch.strided for x, _ in est.augment.batches)
    rows = torch.cat([x for x, _ in est.augment.batches[:4]]).numpy()
    np.testing.assert_allclose(
        np.sort(rows, axis=None), np.sort(X_sparse.toarray(), axis=None), rtol=1e-6
    )
    X, y = X.copy(), y.copy()
    X[:20], y[20:40] = np.nan, np.nan
    est = CorrNet(**SMALL, augment=Seen()).fit(X, y)
    assert sum(len(x) for x, _ in est.augment.batches[:4]) == 60


BAD = [
    (lambda x, y, g: x, "must return a pair .* of tensors like those .*, got Tensor"),
    (lambda x, y, g: (x, y, y), r"got tuple"),
    (lambda x, y, g: (x[:, 1:], y), r"got torch.float32 of shape \(25, 5\)"),
    (lambda x, y, g: (x[1:], y[1:]), r"got torch.float32 of shape \(24, 6\)"),
    (lambda x, y, g: (x.double(), y), r"got torch.float64 of shape \(25, 6\)"),
    (lambda x, y, g: (x.numpy(), y), r"got ndarray and torch.float32"),
    (lambda x, y, g: (x, y / 0), r"values of y that are not finite"),
]


@pytest.mark.parametrize(("augment", "message"), BAD)
def test_what_changes_shapes_or_breaks_values_is_named(views, augment, message):
    est = CorrNet(**SMALL).fit(*views)
    codes = est.transform(views[0])
    with pytest.raises(ValueError, match=message):
        est.set_params(augment=augment).fit(*views)
    np.testing.assert_array_equal(est.transform(views[0]), codes)


def test_what_is_no_callable_is_refused(views):
    with pytest.raises(ValueError, match="'augment' parameter of CorrNet must be"):
        CorrNet(augment="shift").fit(*views)


def test_shifts_are_whole_images_moved():
    image = torch.arange(1.0, 21.0).reshape(4, 5)
    padded = nn.functional.pad(image, (2, 2, 2, 2))
    crops = torch.stack(
        [padded[i : i + 4, j : j + 5] for i in range(5) for j in range(5)]
    )
    given = image.expand(2000, 1, 4, 5)
    shift = RandomShift((4, 5), (4, 5), pixels=2)
    x, y = shift(given, given.reshape(2000, 20), stream(0))
    assert x.shape == (2000, 1, 4, 5)
    assert y.shape == (2000, 20)
    found = []
    for shifted in (x, y.reshape(2000, 1, 4, 5)):
        which = (shifted == crops).all(dim=(2, 3))  # (2000, 25)
        assert (which.sum(dim=1) == 1).all()
        counts = which.sum(dim=0)
        assert counts.min() > 40  # 80 of each are expected
        assert counts.max() < 130
        found.append(which)
    assert 40 < (found[0] & found[1]).sum() < 130  # either view by itself


def test_colours_of_an_image_shift_together():
    red = torch.arange(1.0, 21.0).reshape(1, 4, 5)
    image = torch.cat([red, 2 * red, 3 * red]).expand(200, 3, 4, 5)
    shifted, same = RandomShift((4, 5), pixels=2)(image, image, stream(0))
    assert same is image
    torch.testing.assert_close(shifted[:, 1], 2 * shifted[:, 0])
    torch.testing.assert_close(shifted[:, 2], 3 * shifted[:, 0])
    assert len(shifted.unique(dim=0)) > 1


def halves_of(images):
    """Left and right parts (n, 4 * 2) and (n, 4 * 3) of images (n, 4, 5)."""
    return images[:, :, :2].flatten(1), images[:, :, 2:].flatten(1)


@pytest.mark.parametrize(
    "change",
    [
        RandomShift(pixels=2),
        RandomAffine(rotation=30, scale=0.3, shear=0.5, shift=1.5),
    ],
)
def test_halves_change_as_one_image_and_the_same_images_alike(change):
    images = torch.rand((200, 4, 5), generator=stream(1))
    left, right = halves_of(images)
    whole = clone(change).set_params(x_shape=(4, 5))
    changed, _ = whole(images, right, stream(0))
    halves = clone(change).set_params(x_shape=(4, 2), y_shape=(4, 3), pair="halves")
    for got, expected in zip(
        halves(left, right, stream(0)), halves_of(changed), strict=True
    ):
        torch.testing.assert_close(got, expected)
    same = clone(whole).set_params(y_shape=(4, 5), pair="same")
    for got in same(images, images.flatten(1), stream(0)):
        torch.testing.assert_close(got.reshape(changed.shape), changed)
    apart = clone(whole).set_params(y_shape=(4, 5))(images, images, stream(0))
    torch.testing.assert_close(apart[0], changed)
    alike = torch.isclose(apart[1], changed).all(dim=(1, 2))
    assert alike.float().mean() < 0.2


def test_affine_changes_move_a_blob_as_the_formula_says():
    """Centre and second moments of a Gaussian blob, under each change alone."""
    size = 41
    at = torch.arange(size) - (size - 1) / 2
    down, right = torch.meshgrid(at, at, indexing="ij")
    centre, spread = torch.tensor([5.0, -3.0]), torch.tensor([3.0, 2.0])
    blob = torch.exp(-(((right - 5) / 3) ** 2 + ((down + 3) / 2) ** 2) / 2)
    given = blob.expand(500, size, size)

    def moments(**changes):
        change = RandomAffine((size, size), **changes)
        images, _ = change(given, given[:, :1], stream(0))
        weights = images / images.sum(dim=(1, 2), keepdim=True)
        where = torch.stack([right, down], dim=-1)
        means = torch.einsum("nij,ijk->nk", weights, where)
        away = where - means[:, None, None]
        return means, torch.einsum("nij,nijk,nijl->nkl", weights, away, away)

    # A linear interpolation widens a blob by at most a quarter of a pixel squared.
    loose = {"rtol": 0, "atol": 0.3}
    means, _ = moments(shift=4)
    assert (means - centre).abs().amax(dim=0).tolist() == pytest.approx([4, 4], abs=0.1)
    assert (means - centre).mean(dim=0).abs().max() < 0.5
    means, spreads = moments(rotation=90)
    angles = torch.atan2(means[:, 1], means[:, 0]) - torch.atan2(centre[1], centre[0])
    assert angles.abs().max().item() == pytest.approx(math.pi / 2, abs=0.05)
    torch.testing.assert_close(
        means.norm(dim=1), centre.norm().expand(500), rtol=0.02, atol=0
    )
    cos, sin = torch.cos(angles), torch.sin(angles)
    turn = torch.stack([cos, -sin, sin, cos], dim=1).reshape(-1, 2, 2)
    expected = turn @ torch.diag(spread**2) @ turn.mT
    torch.testing.assert_close(spreads, expected, **loose)
    means, spreads = moments(scale=0.3)
    factors = means / centre
    assert factors.log().abs().amax(dim=0).tolist() == pytest.approx(
        [0.3, 0.3], abs=0.02
    )
    expected = torch.diag_embed((factors * spread) ** 2)
    torch.testing.assert_close(spreads, expected, **loose)
    means, spreads = moments(shear=0.5)
    slants = (means[:, 0] - centre[0]) / centre[1]
    assert slants.abs().max().item() == pytest.approx(0.5, abs=0.02)
    torch.testing.assert_close(
        spreads[:, 0, 1], slants * spread[1] ** 2, rtol=0, atol=0.3
    )


@pytest.mark.parametrize(
    ("shift", "message"),
    [
        (
            RandomShift((2, 3), pair="halves"),
            r"needs x_shape and .*, got .* None for y",
        ),
        (RandomShift((2, 3), (5, 1), pair="halves"), r"got 1 x 2 x 3 of .* 1 x 5 x 1"),
        (RandomAffine(rotation=200), "'rotation' parameter of RandomAffine"),
        (RandomShift((4, 5)), r"x_shape=\(height, width\) .* \(4, 5\) for .* of 6 val"),
        (RandomShift(None, (5,)), r"needs y_shape=.*, got \(5,\) for samples of 5"),
        (RandomShift((2.0, 3)), r"needs x_shape=.*, got \(2.0, 3\)"),
        (RandomShift(6), "'x_shape' parameter of RandomShift"),
        (RandomShift(pixels=-1), "'pixels' parameter of RandomShift"),
    ],
)
def test_shifts_of_what_is_no_image_are_named(views, shift, message):
    with pytest.raises(ValueError, match=message):
        CorrNet(**SMALL, augment=shift).fit(*views)


@pytest.mark.parametrize("sample", [(4, 4, 3), (4, 8)])
def test_images_in_another_order_are_refused(sample):
    images = torch.zeros((5, *sample))
    x_shape = (sample[1], sample[0])
    message = r"with x_shape=.* needs samples of shape \(height, width\) or .*, got \(4"
    with pytest.raises(ValueError, match=message):
        RandomShift(x_shape)(images, images, stream(0))


def test_halves_of_two_types_are_refused():
    left = torch.zeros((5, 6))
    message = r"1 x 2 x 3 of torch.float32 for x and 1 x 2 x 3 of torch.int64 for y"
    with pytest.raises(ValueError, match=message):
        RandomShift((2, 3), (2, 3), pair="halves")(left, left.long(), stream(0))


def test_affine_changes_need_floats():
    numbers = torch.zeros((3, 6), dtype=torch.int64)
    with pytest.raises(ValueError, match=r"images of floats, got torch\.int64"):
        RandomAffine((2, 3))(numbers, numbers, stream(0))


def test_files_of_models_hold_shifts_and_no_functions(views, tmp_path):
    shift = RandomShift((2, 3), pixels=1)
    est = DeepCCA(**SMALL, augment=shift).fit(*views)
    est.save(tmp_path / "model")
    again = DeepCCA.load(tmp_path / "model")
    assert again.augment.get_params() == shift.get_params()
    assert est.get_params()["augment__pixels"] == 1
    np.testing.assert_equal(weights(again.fit(*views)), weights(est))
    with pytest.raises(ValueError, match="parameter augment of DeepCCA is of type"):
        est.set_params(augment=noisy).save(tmp_path / "model")


def test_a_checkpoint_tells_functions_by_what_they_do(views, tmp_path):
    def scaled(by):
        return lambda x, y, generator: (x * by, y)

    options = {"max_epochs": 1, "checkpoint": tmp_path / "kept", "random_state": 0}
    DeepCCA(2, augment=scaled(1.0), **options).fit(*views)
    DeepCCA(2, augment=scaled(1.0), **options).fit(*views)
    with pytest.raises(ValueError, match="another training: augment was"):
        DeepCCA(2, augment=scaled(2.0), **options).fit(*views)
