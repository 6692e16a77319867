"""Staffs and spectrograms: their pixels alone tell the melody."""

import numpy as np
import pytest
from _audio_sheet import read_spectrogram, read_staff

from skcrl.datasets import make_audio_sheet


@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_either_view_tells_the_melody(noise):
    made = make_audio_sheet(150, noise=noise, random_state=0)
    for views, shape, read in (
        (made.images, (150, 1, 40, 100), read_staff),
        (made.spectrograms, (150, 1, 92, 42), read_spectrogram),
    ):
        assert views.shape == shape
        assert views.dtype == np.float32
        assert (views.min(), views.max() <= 1) == (0, True)
        melodies = [read(view[0]) for view in views]
        np.testing.assert_array_equal(melodies, made.melodies)


def test_melodies_are_those_that_the_docstring_tells_of_and_no_two_alike():
    melodies = make_audio_sheet(400, random_state=0).melodies
    assert len(np.unique(melodies, axis=0)) == 400
    assert set(melodies.ravel()) == set(range(-1, 11))
    for melody in melodies:
        begins = np.append(np.flatnonzero(melody >= 0), 8)
        assert begins[0] == 0
        assert set(np.diff(begins)) <= {1, 2, 3}
        assert abs(np.diff(melody[melody >= 0])).max(initial=0) <= 3


def test_what_is_a_views_own_varies_and_tells_nothing_of_the_other():
    made = make_audio_sheet(300, noise=0.0, random_state=0)
    own = [
        (
            views.max(axis=(1, 2, 3)),  # darkness, loudness
            views[:, 0].any(axis=1).argmax(axis=1),  # where it begins
        )
        for views in (made.images, made.spectrograms)
    ]
    for of_image in own[0]:
        for of_sound in own[1]:
            assert min(len(set(of_image)), len(set(of_sound))) > 3
            chance = 4 / 300**0.5
            assert abs(np.corrcoef(of_image, of_sound)[0, 1]) < chance


def test_a_seed_makes_the_same_and_another_seed_makes_others():
    first, again, other = (make_audio_sheet(5, random_state=s) for s in (0, 0, 1))
    for one, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, different)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_samples": 0}, "'n_samples' parameter .* Got 0 instead"),
        ({"noise": -0.1}, "'noise' parameter .* Got -0.1 instead"),
        ({"random_state": "x"}, "'random_state' parameter"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_audio_sheet(**parameters)
