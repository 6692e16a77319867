"""Simulated pairs of sheet music and sound."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params

from skcrl._typing import Seed
from skcrl._validation import random_source

# A melody: its slots, the pitches, and the longest note in slots.
_SLOTS, _PITCHES, _LONGEST = 8, 11, 3
# Semitones above the lowest pitch: the white keys from D to G of the next octave.
_SEMITONES = np.array([0, 2, 3, 5, 7, 9, 10, 12, 14, 15, 17])
# A staff, in pixels.
_HEIGHT, _WIDTH = 40, 100
_STEP = 2  # from one pitch to the next; lines are two steps apart
_TOP = 12  # first line, before it is moved
_HEAD = (1.9, 2.6)  # half the height and half the width of a note's head
# A spectrogram: its frequency bins and time frames.
_BINS, _FRAMES = 92, 42
_OCTAVE, _LOWEST = 24, 6  # bins
_HARMONICS = np.arange(1, 5)
_LEAK = 0.6  # standard deviation of a harmonic's peak, in bins
_COMPRESSION = 10.0


class AudioSheet(NamedTuple):
    """Pictures of staffs, spectrograms of the same music, and the melodies."""

    images: np.ndarray  # (n_samples, 1, 40, 100) float32
    spectrograms: np.ndarray  # (n_samples, 1, 92, 42) float32
    melodies: np.ndarray  # (n_samples, 8) of int


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "noise": [Interval(Real, 0, 1, closed="both")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_audio_sheet(
    n_samples: int = 1000, *, noise: float = 0.03, random_state: Seed = None
) -> AudioSheet:
    r"""Make random melodies, as small pictures of staffs and as spectrograms.

    Use them in place of the pairs of sheet music and audio of [1]_. The two views have
    only the melody in common. All melodies are different, so perfect retrieval is
    possible.

    A melody fills eight slots of equal length. A note starts in the first slot, and
    further notes may start in any other slot. A note lasts for one to three slots. Its
    pitch is a white key from D to G of the next octave, at most three steps away from
    the pitch of the note before.

    The picture is grey, with five lines between two bar lines. A note is only a head,
    at the height of its pitch, in the slot in which it starts. These properties are
    random and belong to the picture alone: the width of the slots, the position of the
    staff, the positions of the heads within a pixel of the middle of the slot, the
    thickness of the lines, and the darkness of the ink.

    The spectrogram has 24 bins for each octave. A note is a fundamental and three
    harmonics. They decay exponentially, and end one frame before the next note. These
    properties are random and belong to the sound alone: the tempo, the start of the
    melody, the loudness, the speed of the decay, and the strength of the harmonics. An
    amplitude a is stored as log(1 + 10 a) / log 11.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of pairs.
    noise : float in [0, 1], default=0.03
        Standard deviation of the noise that is added to each pixel of both views.
        Pixels are then clipped to the range from 0 to 1.
    random_state : int, RandomState instance or None, default=None
        Seed for the melodies, the random properties of the views, and the noise.

    Returns
    -------
    pairs : AudioSheet
        Named tuple of arrays with the same rows:

        images : ndarray of float32 of shape (n_samples, 1, 40, 100)
            Pictures of staffs, with rows from the top. Paper is 0, and ink at most 1.
        spectrograms : ndarray of float32 of shape (n_samples, 1, 92, 42)
            Spectrograms: frequency bins, lowest first, and frames.
        melodies : ndarray of int of shape (n_samples, 8)
            Pitch of the note that starts in each slot, from 0 for the low D to 10 for
            the high G. It is -1 if no note starts there.

    Raises
    ------
    ValueError
        If a parameter is invalid.

    References
    ----------
    .. [1] Dorfer, Schlüter, Vall, Korzeniowski and Widmer (2018). End-to-end
       cross-modality retrieval with CCA projections and pairwise ranking loss.
       International Journal of Multimedia Information Retrieval 7, section 5.2.

    Examples
    --------
    >>> from skcrl.datasets import make_audio_sheet
    >>> pairs = make_audio_sheet(100, random_state=0)
    >>> pairs.images.shape, pairs.spectrograms.shape
    ((100, 1, 40, 100), (100, 1, 92, 42))
    >>> print(pairs.melodies[0])
    [ 5 -1 -1  5 -1  7 -1 -1]
    """
    rng = random_source(random_state)
    melodies = _different_melodies(n_samples, rng)
    return AudioSheet(
        _noisy(np.stack([_staff(melody, rng) for melody in melodies]), noise, rng),
        _noisy(
            np.stack([_spectrogram(melody, rng) for melody in melodies]), noise, rng
        ),
        melodies,
    )


def _noisy(view, noise, rng):
    """The view with noise, as one channel of float32 from 0 to 1."""
    view = view + noise * rng.standard_normal(view.shape)
    return np.clip(view, 0, 1).astype(np.float32)[:, None]


def _different_melodies(n_samples, rng):
    melodies = np.empty((0, _SLOTS), dtype=np.intp)
    while len(melodies) < n_samples:
        melodies = np.concatenate([melodies, _melodies(n_samples, rng)])
        _, first = np.unique(melodies, axis=0, return_index=True)
        melodies = melodies[np.sort(first)]
    return melodies[:n_samples]


def _melodies(n, rng):
    melodies = np.full((n, _SLOTS), -1)
    pitch = rng.randint(_PITCHES, size=n)
    lasts = np.full(n, _LONGEST)
    for slot in range(_SLOTS):
        begins = (lasts == _LONGEST) | (rng.uniform(size=n) < 0.7)
        melodies[begins, slot] = pitch[begins]
        lasts = np.where(begins, 1, lasts + 1)
        moved = abs(pitch + rng.randint(-3, 4, size=n))  # reflected at both ends
        moved = _PITCHES - 1 - abs(_PITCHES - 1 - moved)
        pitch = np.where(begins, moved, pitch)
    return melodies


def _staff(melody, rng):
    """Ink of a picture without noise."""
    slot = rng.uniform(9.0, 11.5)
    left = rng.uniform(2, _WIDTH - 3 - _SLOTS * slot)
    top = _TOP + rng.randint(-2, 3)
    rows, columns = np.arange(_HEIGHT)[:, None], np.arange(_WIDTH)[:, None]
    ends = left, left + _SLOTS * slot
    lines = top + 2 * _STEP * np.arange(5)
    across, upright = (rng.uniform(0.6, 1.2) for _ in range(2))
    bars = _line(columns - ends, upright).max(axis=1)
    staff = (rows >= lines[0]) & (rows <= lines[-1])
    within = (columns[:, 0] >= np.floor(ends[0])) & (columns[:, 0] <= np.ceil(ends[1]))
    ink = np.maximum(
        _line(rows - lines, across).max(axis=1)[:, None] * within, staff * bars
    )
    (at,) = np.nonzero(melody >= 0)
    middle = left + slot * (at + 0.5) + rng.uniform(-1, 1, len(at))
    # The second lowest pitch stands on the last line.
    height = lines[-1] - _STEP * (melody[at] - 1)
    down = (rows - height) / _HEAD[0]
    along = (columns - middle) / _HEAD[1]
    distance = (down[:, None] ** 2 + along**2).min(axis=-1) ** 0.5
    heads = np.clip(2.5 - 2 * distance, 0, 1)
    return rng.uniform(0.7, 1) * np.maximum(ink, heads)


def _line(distance, thickness):
    """Share of a pixel that a line covers, by the distance between their middles."""
    return np.clip((thickness + 1) / 2 - abs(distance), 0, min(1, thickness))


def _spectrogram(melody, rng):
    """Compressed amplitudes without noise."""
    slot = rng.uniform(3.5, 4.8)
    begin = rng.uniform(0, _FRAMES - 1 - _SLOTS * slot)
    loudness, fade = rng.uniform(0.5, 1), rng.uniform(12, 40)
    fall = rng.uniform(0.5, 2)
    strengths = _HARMONICS**-fall * rng.uniform(0.5, 1, len(_HARMONICS))
    strengths[0] = 1
    bins = np.arange(_BINS)[:, None]
    (at,) = np.nonzero(melody >= 0)
    frames = np.rint(begin + slot * np.append(at, _SLOTS)).astype(int)
    amplitudes = np.zeros((_BINS, _FRAMES))
    for pitch, first, end in zip(melody[at], frames, frames[1:], strict=False):
        lowest = _LOWEST + _SEMITONES[pitch] * _OCTAVE / 12
        peaks = lowest + _OCTAVE * np.log2(_HARMONICS)
        spectrum = np.exp(-(((bins - peaks) / _LEAK) ** 2) / 2) @ strengths
        fading = np.exp(-np.arange(end - 1 - first) / fade)
        amplitudes[:, first : end - 1] = loudness * spectrum[:, None] * fading
    return np.log1p(_COMPRESSION * amplitudes) / np.log1p(_COMPRESSION)
