"""A torch Dataset trains as the arrays of its samples do."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from skcrl import (
    CCALRanker,
    CorrNet,
    DeepCCA,
    LinearCCA,
    MultimodalAutoencoder,
    TiedBidirectional,
)
from skcrl.datasets import make_correlated_views
from skcrl.deep._loaded import LoadedPairs
from skcrl.deep._processes import ALONE

SMALL = {"hidden_layer_sizes": (8,), "max_epochs": 2, "random_state": 0}
SPLIT = {"validation_fraction": 0.2}


class Listed(Dataset):
    """Pairs in lists."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class Stream(IterableDataset):
    """Pairs one after the other."""

    def __init__(self, *views):
        self.views = views

    def __iter__(self):
        return iter(zip(*self.views, strict=True))


class Sized(Stream):
    def __len__(self):
        return len(self.views[0])


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(250, 5, 4, correlations=(0.9, 0.7), random_state=0)


def tensors(views):
    return TensorDataset(*map(torch.from_numpy, views))


@pytest.mark.parametrize(
    "est",
    [
        DeepCCA(**SMALL, **SPLIT, monitor="score", pretraining_epochs=1),
        CCALRanker(**SMALL, **SPLIT),
        CorrNet(**SMALL),
        MultimodalAutoencoder(**SMALL),
        TiedBidirectional(**SMALL),
    ],
    ids=lambda est: type(est).__name__,
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_are_those_of_arrays(est, dtype, views):
    X, y = (view.astype(dtype) for view in views)
    dataset = tensors((X, y))
    of_arrays, of_dataset = clone(est).fit(X, y), clone(est).fit(dataset)
    codes = of_arrays.transform(X)
    assert codes.dtype == dtype
    for found in (
        of_dataset.transform(X),
        of_dataset.transform(dataset),
        of_dataset.transform(tensors((X,))),  # of samples in tuples of one
        of_dataset.transform(Listed(X, y)),
    ):
        np.testing.assert_array_equal(found, codes)
    np.testing.assert_array_equal(
        of_dataset.transform_y(dataset), of_arrays.transform_y(y)
    )
    np.testing.assert_array_equal(of_dataset.predict(X), of_arrays.predict(X))
    assert of_dataset.score(dataset) == of_arrays.score(X, y)


def test_a_stream_is_arrays_in_their_order(views):
    in_order = {"net_params": {"iterator_train__shuffle": False}}
    est = DeepCCA(**SMALL)
    expected = clone(est).set_params(**in_order).fit(*views).transform(views[0])
    np.testing.assert_array_equal(
        clone(est).fit(Sized(*views)).transform(views[0]), expected
    )
    # 250 pairs of no known number make the same batches of 125.
    est.set_params(batch_size=125, input_dropout=0.0)
    expected = clone(est).set_params(**in_order).fit(*views).transform(views[0])
    np.testing.assert_array_equal(est.fit(Stream(*views)).transform(views[0]), expected)


def test_batches_of_a_stream_join_a_short_rest():
    pairs = LoadedPairs(Stream(np.zeros((10, 1)), np.zeros((10, 1))), {})
    pairs.keep_types(())
    sizes = iter([4] * 10)
    found = pairs.batches(sizes, "cpu", (), torch.Generator(), ALONE)
    assert [len(batch) for batch in found] == [4, 6]


def test_epochs_of_a_stream_end_by_their_losses(views):
    est = DeepCCA(hidden_layer_sizes=(), batch_size=125, lr=0.05, random_state=0)
    est.fit(Stream(*views))
    assert 1 < est.n_iter_ < 30
    assert est.score(*views) == pytest.approx(
        LinearCCA(2).fit(*views).score(*views), 0.1
    )


def test_partners_are_found_within_a_batch(views):
    X, y = (np.repeat(view[:40], 2, axis=0).astype(np.float32) for view in views)
    options = {**SMALL, "batch_size": 80, "reg": 0.1}
    of_arrays = CCALRanker(2, **options).fit(X, y)
    of_dataset = CCALRanker(2, **options).fit(tensors((X, y)))
    np.testing.assert_array_equal(of_dataset.transform(X), of_arrays.transform(X))
    single = CCALRanker(2, **options).fit(X, y + np.arange(80)[:, None] % 2)
    assert of_dataset.history_[0]["train_loss"] != single.history_[0]["train_loss"]


def test_workers_collate_and_no_global_generator(views):
    def collate(pairs):
        X, y = (torch.from_numpy(np.stack(side)) for side in zip(*pairs, strict=True))
        return X[:, :3], y

    X, y = views
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    loader = {"iterator_train__num_workers": 1, "iterator_train__collate_fn": collate}
    est = DeepCCA(**SMALL, net_params=loader).fit(Listed(X, y))
    assert torch.equal(torch.random.get_rng_state(), before)
    expected = DeepCCA(**SMALL).fit(X[:, :3], y).transform(X[:, :3])
    np.testing.assert_array_equal(est.transform(X[:, :3]), expected)
    np.testing.assert_array_equal(est.transform(Listed(X, y)), expected)


def test_images_and_single_numbers(views):
    images = np.random.default_rng(0).standard_normal((60, 2, 3)).astype(np.float32)
    numbers = images.sum((1, 2)).tolist()
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(6, 1))
    est = DeepCCA(1, **SMALL, x_encoder=encoder).fit(Listed(images, numbers))
    assert est.transform(images).shape == (60, 1)
    assert est.predict(images).shape == (60,)


def test_partial_fit_adds_up_to_fit(views):
    est, twice = DeepCCA(**SMALL), DeepCCA(**SMALL)
    dataset = tensors(views)
    est.fit(dataset)
    twice.partial_fit(dataset).partial_fit(dataset)
    np.testing.assert_array_equal(est.transform(dataset), twice.transform(dataset))


def test_a_training_is_taken_up_again(views, tmp_path):
    class Interrupted(Exception):
        pass

    class Breaks(Listed):
        left = 10**9

        def __getitem__(self, i):
            self.left -= 1
            if self.left < 0:
                raise Interrupted
            return super().__getitem__(i)

    X, y = views
    options = {**SMALL, "max_epochs": 4, "checkpoint": tmp_path / "training"}
    dataset = Breaks(X, y)
    dataset.left = 2 + 250 * 3 + 100  # units, and two epochs and a half
    with pytest.raises(Interrupted):
        DeepCCA(**options).fit(dataset)
    dataset.left = 10**9
    est = DeepCCA(**options).fit(dataset)
    expected = DeepCCA(**{**options, "checkpoint": None}).fit(dataset)
    np.testing.assert_array_equal(est.transform(X), expected.transform(X))
    with pytest.raises(ValueError, match="X of the last sample was"):
        DeepCCA(**options).fit(Listed(np.vstack([X[:-1], X[:1]]), y))
    with pytest.raises(ValueError, match="dataset was 'Breaks of length 250'"):
        DeepCCA(**options).fit(Breaks(X[:-1], y[:-1]))


def with_a_longer_sample(views):
    x = list(views[0])
    x[7] = np.zeros(6)
    return x, views[1]


def with_nan(views):
    X = views[0].copy()
    X[30, 2] = np.nan
    return X, views[1]


class Wrong(Sized):
    def __len__(self):
        return 300


class NoLength(Listed):
    __len__ = None


class Once(Stream):
    def __iter__(self):
        views, self.views = self.views, ((), ())
        return iter(zip(*views, strict=True))


BAD = {
    "no pairs": (lambda v: TensorDataset(torch.zeros(9, 2)), "must give pairs"),
    "triples": (lambda v: TensorDataset(*[torch.zeros(9, 2)] * 3), "a list of 3"),
    "empty": (lambda v: Listed([], []), "gave no samples"),
    "empty stream": (lambda v: Stream([], []), "gave no samples"),
    "longer": (lambda v: Listed(*with_a_longer_sample(v)), r"Sample 7 .* shape \(6,\)"),
    "longer in a stream": (
        lambda v: Sized(*with_a_longer_sample(v)),
        "Batch 0 of the dataset has samples of several shapes",
    ),
    "strings": (lambda v: Listed(["a"] * 9, v[1]), "X of type str"),
    "objects": (
        lambda v: Listed([object()] * 9, v[1]),
        "default_collate cannot make a batch",
    ),
    "NaN": (lambda v: Listed(*with_nan(v)), "Block 0 of the dataset has NaN"),
    "no length": (lambda v: NoLength(*v), "has no length"),
    "wrong length": (lambda v: Wrong(*v), "a length of 300 and gave 250"),
    "no second pass": (lambda v: Once(*v), "start anew each time"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_datasets_are_named(name, views):
    make, message = BAD[name]
    est = DeepCCA(**SMALL, batch_size=50)
    with pytest.raises(ValueError, match=message):
        est.fit(make(views))
    assert not hasattr(est, "net_")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"validation_fraction": 0.1}, "validation_fraction=0.1 needs validation"),
        ({"early_stopping": True}, "early_stopping=True needs validation samples"),
        ({"batch_size": None}, "batch_size=None needs to know how many"),
        ({"lr_schedule": "one_cycle"}, "lr_schedule='one_cycle' needs to know"),
        ({"optimizer": "lbfgs"}, "optimizer='lbfgs' needs to know"),
    ],
)
def test_what_a_stream_cannot_give(parameters, message, views):
    est = DeepCCA(**{**SMALL, "batch_size": 50, **parameters})
    with pytest.raises(ValueError, match=message):
        est.fit(Stream(*views))


def test_what_goes_with_no_dataset(views):
    dataset, est = tensors(views), DeepCCA(**SMALL).fit(*views)
    with pytest.raises(ValueError, match="fit\\(dataset\\), without y"):
        est.fit(dataset, views[1])
    with pytest.raises(ValueError, match="sample_weight can be used with arrays"):
        est.fit(dataset, sample_weight=np.ones(250))
    with pytest.raises(ValueError, match="groups can be used with arrays"):
        CCALRanker(**SMALL).fit(dataset, groups=np.ones(250))
    with pytest.raises(ValueError, match="transform_y and score accept"):
        est.predict(dataset)
    with pytest.raises(ValueError, match="transform_y and score accept"):
        est.transform_joint(dataset)
    with pytest.raises(ValueError, match="X has 4 features"):
        est.transform(tensors(views[1:]))
    loader = {"iterator_train__num_workers": 1}
    with pytest.raises(ValueError, match="num_workers', a setting of the DataLoader"):
        DeepCCA(**SMALL, net_params=loader).fit(*views)
    with pytest.raises(ValueError, match="requires y to be passed"):
        est.fit(views[0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_tensors_of_a_training_are_taken(views, dtype):
    x, y = (torch.from_numpy(view[:60]).to(dtype).requires_grad_() for view in views)
    est = DeepCCA(2, max_epochs=1, random_state=0)
    of_tensors = est.fit(TensorDataset(x, y)).transform(views[0])
    as_floats = [view.detach().float().numpy() for view in (x, y)]
    np.testing.assert_array_equal(est.fit(*as_floats).transform(views[0]), of_tensors)


def test_what_holds_pairs_and_is_no_dataset(views):
    pairs = list(zip(*views, strict=True))
    est = DeepCCA(2, max_epochs=1)
    with pytest.raises(ValueError, match="X is a list of pairs: pass a torch Dataset"):
        est.fit(pairs)
    with pytest.raises(ValueError, match="X is a DataLoader, .* pass loader.dataset"):
        est.fit(torch.utils.data.DataLoader(pairs))
    masked = [(np.ma.masked_array(x, x > 1), y) for x, y in pairs]
    with pytest.raises(ValueError, match="The dataset gives masked arrays"):
        est.fit(Pairs(masked))
    with pytest.raises(ValueError, match="gave 1 pairs, but a batch needs at least 3"):
        est.set_params(batch_size=30).fit(Stream(*(view[:1] for view in views)))


class Pairs(torch.utils.data.Dataset):
    def __init__(self, pairs):
        self.pairs = pairs

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        return self.pairs[i]
