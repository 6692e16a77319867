"""Emoji: the files that were inspected, and which text goes with which picture."""

import gzip
from collections import Counter
from hashlib import sha256
from importlib.resources import files

import numpy as np
import pytest
from sklearn.utils._param_validation import InvalidParameterError

from skcrl.datasets import load_emoji

DATA = files("skcrl.datasets") / "data" / "emoji"


def test_files_are_those_that_were_inspected():
    images = (DATA / "images.npz").read_bytes()
    text = gzip.decompress((DATA / "text.csv.gz").read_bytes())
    assert sha256(images).hexdigest() == (
        "f119f39b047326ddf283c511579ddd2be4889d142d7ef8453c7a600a7e9a7551"
    )
    assert sha256(text).hexdigest() == (
        "6d8fcacfbe3247081e1fd5014472a7164d6eb1f9f023fd4fe789d41a4495cd48"
    )


def test_licences_lie_beside_the_files():
    licence = (DATA / "LICENSE.txt").read_text(encoding="utf-8")
    for title in (
        "SIL OPEN FONT LICENSE Version 1.1 - 26 February 2007",
        "Google Inc.",
        "Unicode, Inc. All rights reserved.",
    ):
        assert title in licence


def test_shapes_groups_and_duplicates():
    emoji = load_emoji()
    assert emoji.images.shape == (1849, 32, 32, 3)
    assert emoji.images.dtype == np.uint8
    assert {column.shape for column in emoji[1:]} == {(1849,)}
    assert len(np.unique(emoji.names)) == 1849
    assert len(np.unique(emoji.images, axis=0)) == 1849 - 9
    assert len(np.unique(emoji.subgroups)) == 99
    assert Counter(emoji.groups.tolist()) == {
        "Smileys & Emotion": 162,
        "People & Body": 361,
        "Animals & Nature": 145,
        "Food & Drink": 131,
        "Travel & Places": 218,
        "Activities": 85,
        "Objects": 257,
        "Symbols": 221,
        "Flags": 269,
    }
    # A subgroup lies within one group.
    pairs = set(zip(emoji.groups, emoji.subgroups, strict=True))
    assert len(pairs) == 99
    keywords = {word for line in emoji.keywords for word in line.split(" | ")}
    assert len(keywords) == 2928


def test_a_name_goes_with_its_picture():
    emoji = load_emoji()
    # Mean red, green and blue of the middle of a picture.
    colours = {
        name: emoji.images[emoji.names == name][0, 8:24, 8:24].mean(axis=(0, 1))
        for name in (f"{colour} square" for colour in ("red", "green", "blue"))
    }
    assert [colour.argmax() for colour in colours.values()] == [0, 1, 2]
    ukraine = emoji.images[emoji.names == "flag: Ukraine"][0]
    assert ukraine[11, 16].argmax() == 2
    assert ukraine[21, 16].argmin() == 2


@pytest.mark.parametrize(
    ("language", "word", "keyword"),
    [
        ("de", "Katze", "Haustier"),
        ("en", "cat", "pet"),
        ("es", "gato", "minino"),
        ("fr", "chat", "animal"),
        ("ru", "кошка", "животное"),
    ],
)
def test_languages_share_rows(language, word, keyword):
    emoji = load_emoji(language)
    cat = load_emoji().names == "cat"
    assert emoji.names[cat].tolist() == [word]
    assert keyword in emoji.keywords[cat][0].split(" | ")
    assert len(np.unique(emoji.names)) == 1849
    assert all(line.strip() for line in emoji.keywords)


def test_language_that_is_not_there():
    with pytest.raises(InvalidParameterError, match=r"'language'.*must be.*'it'"):
        load_emoji(language="it")
