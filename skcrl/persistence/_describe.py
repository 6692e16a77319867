"""What a file says of itself, read from its beginning alone."""

import os
from itertools import islice
from textwrap import fill

from skcrl._files import opened
from skcrl._typing import File
from skcrl.persistence import _file
from skcrl.persistence._networks import networks_in, plain

# Of a card, which may be any: items of a list or a dict, and how deep they are nested.
_ITEMS, _DEPTH = 200, 6


class Card(dict):
    """What a file says of itself, by name; it prints as a table."""

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
    """What a file of skcrl holds, told without loading it.

    The beginning of the file alone is read, and no class of it is imported. It says
    what whoever wrote the file put there: its arrays, and the digest of it all, are
    checked by ``load``.

    Parameters
    ----------
    path : str or path-like
        File of a model or checkpoint of a training.

    Returns
    -------
    card : dict
        It prints as a table. As far as the file tells them: the `class` of the
        estimator, its `parameters`, the class and parameters of the `estimator` within
        it; in `views` the number of training samples and the shape of a sample of
        either view; in `scores` the correlations of the training codes and the last
        losses; the `versions` of the libraries and the time in UTC when it was
        `written`. Of the file: its `kind`, the `version` of its format, its `bytes`,
        the number of its `arrays`, and the `networks` of yours that ``load`` asks for.
        What was no plain data is told by what it prints, in short.

    Raises
    ------
    ValueError
        If the file is none of skcrl, or if `path` is a pipe or a device.
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
        # Bytes of any kind may raise anything here.
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
                f"{path} is no file of a model that skcrl wrote, or is damaged: "
                f"{plain(str(error))}"
            ) from error


def _harmless(value, depth=_DEPTH):
    """Data of a file, which may be any, short and without control characters."""
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
