"""The convolutional encoder, against the same written with SciPy."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from skcrl import DeepCCA, LinearCCA
from skcrl.datasets import load_digits_halves
from skcrl.deep.modules import ConvEncoder


def by_hand(encoder, image, pool):
    """Code of an image of one channel, by an encoder of one block that was not trained.

    Its running means are 0 and its running variances 1.
    """
    conv, norm = encoder.blocks[:2]
    kernels = conv.weight.detach().double().numpy()[:, 0]
    maps = np.stack([correlate2d(image, kernel, mode="same") for kernel in kernels])
    maps = np.maximum(maps / np.sqrt(1 + norm.eps), 0)
    n, height, width = maps.shape
    height, width = height // pool[0], width // pool[1]
    maps = maps[:, : height * pool[0], : width * pool[1]]
    maps = maps.reshape(n, height, pool[0], width, pool[1]).max(axis=(2, 4))
    weights = [
        (layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy())
        for layer in (encoder.hidden, encoder.out)
    ]
    (first, first_bias), (second, second_bias) = weights
    return second @ np.maximum(first @ maps.ravel() + first_bias, 0) + second_bias


@pytest.mark.parametrize(
    ("shape", "pool"), [((6, 4), (2, 2)), ((5, 7), (2, 2)), ((6, 1), (2, 1))]
)
def test_an_image_goes_through_convolution_pooling_and_dense_layers(shape, pool):
    encoder = ConvEncoder(shape, 3, channels=(4,), hidden_size=5).eval().double()
    images = np.random.default_rng(0).standard_normal((2, *shape))
    rows = torch.from_numpy(images.reshape(2, -1))
    found = encoder(rows).detach().numpy()
    expected = [by_hand(encoder, image, pool) for image in images]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    of_images = encoder(torch.from_numpy(images[:, None])).detach().numpy()
    np.testing.assert_array_equal(of_images, found)


def test_channels_of_an_image_are_told_apart():
    encoder = ConvEncoder((3, 8, 8), 2, channels=(4, 6)).eval()
    image = torch.rand((1, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    assert not torch.allclose(encoder(image), encoder(image.flip(1)))


@pytest.mark.parametrize(
    ("shape", "sample"), [((3, 8, 8), (8, 8, 3)), ((8, 4), (4, 8)), ((8, 4), (30,))]
)
def test_images_in_another_order_are_refused(shape, sample):
    views = np.zeros((20, *sample)), np.zeros((20, 2))
    dcca = DeepCCA(2, x_encoder=ConvEncoder(shape, 2, channels=(4,)))
    with pytest.raises(ValueError, match=r"x_encoder .*: ConvEncoder needs images of"):
        dcca.fit(*views)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"shape": (8,)}, r"needs shape=\(height, width\) or .* got \(8,\)"),
        ({"shape": (8.0, 4)}, r"needs shape=.* got \(8.0, 4\)"),
        ({"shape": 8}, "needs shape=.* got 8"),
        ({"n_components": 0}, "'n_components' parameter of ConvEncoder"),
        ({"channels": 8}, "channels of ConvEncoder must be .* got 8"),
        ({"channels": (8, 0)}, r"channels of ConvEncoder must be .* got \(8, 0\)"),
        ({"hidden_size": 0.5}, "'hidden_size' parameter of ConvEncoder"),
        ({"random_state": None}, "'random_state' parameter of ConvEncoder"),
    ],
)
def test_parameters_that_cannot_be_are_named(changed, message):
    with pytest.raises(ValueError, match=message):
        ConvEncoder(**{"shape": (8, 4), "n_components": 2, **changed})


def test_lbfgs_trains_it():
    rng = np.random.default_rng(0)
    views = rng.random((40, 32)), rng.random((40, 32))
    encoders = {
        name: ConvEncoder((8, 4), 2, channels=(4, 6))
        for name in ("x_encoder", "y_encoder")
    }
    dcca = DeepCCA(2, **encoders, optimizer="lbfgs", lr=1, max_epochs=1, random_state=0)
    before = encoders["x_encoder"].blocks[4].weight
    trained = dcca.fit(*views).net_.module_.encoders["x"].blocks[4].weight
    assert not torch.allclose(trained, before)


def test_torch_exports_it_for_any_number_of_images():
    encoder = ConvEncoder((4, 4), 2, channels=(4,)).eval()
    images = torch.rand((5, 16), generator=torch.Generator().manual_seed(0))
    rows = ({0: torch.export.Dim("rows")},)
    program = torch.export.export(encoder, (images[:3],), dynamic_shapes=rows)
    torch.testing.assert_close(program.module()(images), encoder(images))


def test_weights_come_from_the_seed_alone():
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    a, b, other = (
        ConvEncoder((8, 4), 2, random_state=seed).state_dict()
        for seed in (1, np.int64(1), 2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["out.weight"], other["out.weight"])


def test_it_trains_and_comes_back_from_a_file(tmp_path):
    left, right, _ = load_digits_halves()

    def encoders():
        return {
            f"{side}_encoder": ConvEncoder((8, 4), 5, channels=(16, 32), random_state=i)
            for i, side in enumerate("xy")
        }

    options = {
        "max_epochs": 20,
        "batch_size": 250,
        "lr": 3e-3,
        "lr_schedule": "one_cycle",
        "random_state": 0,
    }
    dcca = DeepCCA(5, **encoders(), **options).fit(left[:1000], right[:1000])
    held_out = left[1000:], right[1000:]
    linear = LinearCCA(5, shrinkage="cv").fit(left[:1000], right[:1000])
    assert dcca.score(*held_out) > linear.score(*held_out) + 0.5
    dcca.save(tmp_path / "model")
    again = DeepCCA.load(tmp_path / "model", **encoders())
    np.testing.assert_array_equal(
        again.transform(held_out[0]), dcca.transform(held_out[0])
    )
