"""The description of a file, which is read from the beginning of the file only."""

import os
from itertools import islice
from textwrap import fill

from skcrl._files import opened
from skcrl._typing import File
from skcrl.persistence import _file
from skcrl.persistence._networks import networks_in, plain

# A card of a file may hold anything. These are the largest number of items of a list or
# a dict that are shown, and the largest depth to which they are nested.
_ITEMS, _DEPTH = 200, 6


class Card(dict):
    """Description of a file, by name; it prints as a table."""

    def __repr__(self):
        return "\n".join(
            fill(
                f"{name:<11} {_shown(value)}",
                width=88,
                subsequent_indent=" " * 12,
                break_on_hyphens=False,
            )
            for name, value in self.items()
        )


def describe(path: File) -> Card:
    """Describe what a file of skcrl contains, without loading it.

    Use it to find out what a file is before you load it. Only the beginning of the file
    is read, and no class in it is imported. The description is what the writer of the
    file put there; the arrays and the digest of the file are checked only by ``load``.

    Parameters
    ----------
    path : str or path-like
        File of a model, or checkpoint of a training.

    Returns
    -------
    card : dict
        Description, which prints as a table. As far as the file has them: the `class`
        of the estimator, its `parameters`, and the class and parameters of the
        `estimator` inside it; in `views`, the number of training samples and the shape
        of a sample of each view; in `scores`, the correlations of the training codes
        and the last losses; the `versions` of the libraries, and the time in UTC when
        the file was `written`. About the file itself: its `kind`, the `version` of its
        format, its size in `bytes`, the number of its `arrays`, and the `networks` of
        your own that ``load`` needs. Values that are not plain data are described by
        their printed form, shortened.

    Raises
    ------
    ValueError
        If the file is not a file of skcrl, or if `path` is a pipe or a device.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skcrl import LinearCCA, describe
    >>> from skcrl.datasets import load_digits_halves
    >>> left, right, labels = load_digits_halves()
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "digits.skcrl"
    ...     LinearCCA(2).fit(left, right).save(path)
    ...     card = describe(path)
    >>> card["class"], card["views"]
    ('LinearCCA', {'n_samples': 1797, 'x': [32], 'y': [32]})
    >>> print(card)
    class       LinearCCA
    parameters  adjust=both, center=True, n_components=2, random_state=None, reg=0.0001,
                scale=False, shrinkage=0.0, solver=auto
    views       n_samples=1797, x=[32], y=[32]
    scores      total_correlation=1.6171, correlations=[0.8157, 0.8014]
    versions    skcrl=..., numpy=..., scipy=..., scikit-learn=...
    written     ...
    kind        model
    version     1
    bytes       ...
    arrays      20
    networks
    """
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        # A file of arbitrary bytes may raise any error here.
        try:
            header = _file.read_header(file, size)
            head = _file.head_of(header)
            card = Card(_harmless(head.get("card", {})))
            card |= _harmless({"kind": head["kind"], "version": head["version"]})
            card |= {"bytes": size, "arrays": len(header) - 1}
            networks = networks_in(head["document"])
            card["networks"] = {name: plain(of.text) for name, of in networks.items()}
            return card
        except Exception as error:
            raise ValueError(
                f"{path} is not a model file that skcrl wrote, or is damaged: "
                f"{plain(str(error))}"
            ) from error


def _harmless(value, depth=_DEPTH):
    """Arbitrary data of a file, made short and free of control characters."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict) and depth:
        items = islice(value.items(), _ITEMS)
        return {plain(name): _harmless(item, depth - 1) for name, item in items}
    if isinstance(value, list) and depth:
        return [_harmless(item, depth - 1) for item in value[:_ITEMS]]
    return "..." if isinstance(value, dict | list) else value


def _shown(value):
    if isinstance(value, dict):
        return ", ".join(f"{name}={_shown(item)}" for name, item in value.items())
    return str(value)
