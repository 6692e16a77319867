"""Small pictures with names and keywords."""

import csv
import gzip
import io
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from sklearn.utils._param_validation import StrOptions, validate_params

LANGUAGES = ("de", "en", "es", "fr", "ru")


class Emoji(NamedTuple):
    """Pictures and what Unicode says about them, row by row."""

    images: np.ndarray  # (1849, 32, 32, 3) uint8, red, green and blue
    names: np.ndarray  # (1849,) of str
    keywords: np.ndarray  # (1849,) of str
    groups: np.ndarray  # (1849,) of str
    subgroups: np.ndarray  # (1849,) of str


@validate_params(
    {"language": [StrOptions(set(LANGUAGES))]}, prefer_skip_nested_validation=True
)
def load_emoji(language: str = "en") -> Emoji:
    """Load 1,849 emoji: small pictures, names, keywords, groups and subgroups.

    Use pictures and texts as two views for retrieval, or the keywords in two languages.
    Skin tones are left out. Nine pictures are equal to an earlier one, because some
    territories use the flag of their country. No search can distinguish these.

    Parameters
    ----------
    language : {"de", "en", "es", "fr", "ru"}, default="en"
        Language of names and keywords. Groups and subgroups are always in English.

    Returns
    -------
    emoji : Emoji
        Named tuple of arrays with the same rows, in the order of Unicode's charts:

        images : ndarray of uint8 of shape (1849, 32, 32, 3)
            Rows, columns, and red, green and blue, on white.
        names : ndarray of str of shape (1849,)
            Short names, all different.
        keywords : ndarray of str of shape (1849,)
            Keywords of each emoji in one string, with " | " between them.
        groups, subgroups : ndarray of str of shape (1849,)
            9 groups, divided into 99 subgroups.

    Raises
    ------
    ValueError
        If there are no texts in this language.

    Notes
    -----
    The pictures are of Google's font Noto Color Emoji 2.042, under the SIL Open Font
    License 1.1. Names and keywords are annotations of Unicode CLDR 41, groups and
    subgroups those of Unicode 15.0, both under the Unicode licence. The texts of the
    licences lie beside the files, in ``skcrl/datasets/data/emoji/LICENSE.txt``.

    Examples
    --------
    >>> from skcrl.datasets import load_emoji
    >>> emoji = load_emoji()
    >>> emoji.images.shape
    (1849, 32, 32, 3)
    >>> print(emoji.names[0], "-", emoji.keywords[0], "-", emoji.subgroups[0])
    grinning face - face | grin | grinning face - face-smiling
    >>> print(load_emoji(language="de").keywords[0])
    Gesicht | grinsendes Gesicht | lol | lustig
    """
    directory = files("skcrl.datasets") / "data" / "emoji"
    with (directory / "images.npz").open("rb") as file, np.load(file) as arrays:
        images = arrays["images"]
    text = gzip.decompress((directory / "text.csv.gz").read_bytes()).decode("utf-8")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    columns = f"{language}_tts", f"{language}_keywords", "group", "subgroup"
    return Emoji(images, *(np.array([row[name] for row in rows]) for name in columns))
