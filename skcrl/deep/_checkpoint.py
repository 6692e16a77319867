"""The file that saves the state of a training while it runs."""

import hashlib
import os
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType

import numpy as np
import torch
from scipy import sparse

from skcrl.persistence._card import origin, scores_of, told
from skcrl.persistence._file import read, write
from skcrl.persistence._plain import decode, encode

_KIND = "checkpoint"
_REMEDY = "Remove the file to train anew, or set checkpoint to another file."
# Parameters that do not change the result, and callbacks. What callbacks do is not
# compared.
_UNRELATED = {"checkpoint", "checkpoint_every", "verbose", "callbacks"}
# Number of bytes of a view that are made contiguous at a time.
_BLOCK = 2**24


class Checkpoint:
    """A file that holds the state of a training and a description of the training.

    The description shows whether a file holds this training or another one.

    Parameters
    ----------
    estimator : BaseDeep
        The estimator that is trained. Its `random_state` has not been drawn from yet.
    content : dict of str to ndarray, CSR array, str or None
        The training and validation data, or texts that identify them.
    n_epochs : int
        Number of epochs of the whole training, unless it stops early.

    Attributes
    ----------
    seed : int or None
        Seed of the training that the file holds; None if there is no file.
    n_done : int
        Number of epochs that the file makes unnecessary: all, if the training is over.
    finished : bool
        Whether the training is over.

    Raises
    ------
    ValueError
        If there is a file that does not hold this training.
    """

    def __init__(self, estimator, content, n_epochs):
        self.path = estimator.checkpoint
        self.training = described(estimator, content)
        self._content = list(content)
        self.seed, self.n_done, self.finished = None, 0, False
        self._state: dict | None = None
        if Path(self.path).exists():
            self._take_up(read(self.path, _KIND), n_epochs)
        else:
            _check_folder(Path(self.path).absolute().parent)

    def write(self, net, finished=False):
        """Write what the training of a net needs to continue; only rank 0 writes."""
        if net.processes.rank > 0:
            return
        state = {"finished": finished, **net.get_progress()}
        content = {"training": self.training, "state": state}
        document, arrays = encode(content, _KIND)
        write(self.path, _KIND, document, arrays, self._card(state["history"]))

    def _card(self, history):
        """What ``describe`` says about the file."""
        parameters = dict(self.training)
        data = {name: parameters.pop(name) for name in self._content}
        return {
            "class": parameters.pop("estimator"),
            "views": told({name: d for name, d in data.items() if d is not None}),
            "parameters": told(parameters),
            "scores": told(scores_of(history)),
            **origin(is_deep=True),
        }

    def restore(self, net):
        """Give a net of this training the state that the file holds."""
        with self._damage_named():
            net.set_progress(self._state)
        self._state = None  # it is as large as the file, and not needed any more

    def _take_up(self, file, n_epochs):
        """Compare the training in the file with this one, and take its state."""
        with self._damage_named():
            content = decode(*file)
            state = content["state"]
            different = _differences(content["training"], self.training)
        if different:
            raise ValueError(
                f"{self.path} is the checkpoint of another training: "
                f"{'; '.join(different)}. {_REMEDY}"
            )
        with self._damage_named():
            _check_state(state, n_epochs)
            self._state = state
            self.seed, self.finished = state["seed"], state["finished"]
            self.n_done = n_epochs if self.finished else len(state["history"])

    @contextmanager
    def _damage_named(self):
        """Name the file in the error, whatever its damaged content raises."""
        try:
            yield
        except Exception as error:
            raise ValueError(
                f"{self.path} holds no training that can continue: {error!r}. {_REMEDY}"
            ) from error


def _check_folder(folder):
    """Raise OSError before the training if no file can be written in the folder."""
    if not folder.is_dir():
        raise FileNotFoundError(
            f"The folder {folder} of the checkpoint does not exist."
        )
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"The folder {folder} of the checkpoint is not writable.")


def described(estimator, content):
    """Plain data, by name, that are equal for two trainings if these are the same."""
    return {
        "estimator": type(estimator).__name__,
        **{
            name: _plain(value)
            for name, value in estimator.get_params(deep=False).items()
            if name not in _UNRELATED
        },
        **{
            name: value if isinstance(value, str | None) else _view(value)
            for name, value in content.items()
        },
    }


def _differences(then, now):
    return [
        f"{name} was {then.get(name)!r} and is {now.get(name)!r} now"
        for name in sorted(then.keys() | now.keys())
        if then.get(name) != now.get(name)
    ]


def _check_state(state, n_epochs):
    """Raise ValueError for damage that a net would not notice in its state."""
    seed, history, rates = state["seed"], state["history"], state["rates"]
    if type(seed) is not int or seed < 0 or type(state["finished"]) is not bool:
        raise ValueError("its seed or its entry 'finished' is not valid")
    numbers = [value for row in history for value in row.values()]
    if len(history) > n_epochs or not all(isinstance(n, int | float) for n in numbers):
        raise ValueError(f"its history is not that of at most {n_epochs} epochs")
    if not all(isinstance(rate, int | float) and rate >= 0 for rate in rates):
        raise ValueError("its learning rates are not numbers of at least 0")


def _plain(value):
    """A parameter as plain data, which are equal if the parameters are."""
    if isinstance(value, torch.nn.Module):
        weights = map(_bytes_of, value.state_dict().values())
        return f"{' '.join(repr(value).split())} with weights {_digest(weights)}"
    if isinstance(value, np.random.RandomState):
        name, keys, *rest = value.get_state()
        return f"{name} with state {_digest([keys, repr(rest).encode()])}"
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, partial):
        return [_plain(part) for part in (value.func, value.args, value.keywords)]
    if callable(value):
        return _plain_callable(value)
    is_plain = value is None or isinstance(value, bool | int | float | str)
    return value if is_plain else repr(value)


def _plain_callable(value):
    """Plain data about what a callable does.

    Its repr would not do: it may contain an address in memory, which changes by chance.
    """
    if isinstance(value, MethodType):
        return [_plain_callable(value.__func__), _plain(vars(value.__self__))]
    kind = value if hasattr(value, "__qualname__") else type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if not isinstance(value, FunctionType):
        return {name: _plain(getattr(value, "__dict__", {}))}
    enclosed = [cell.cell_contents for cell in value.__closure__ or ()]
    return {
        name: _digest(_bytes_of_code(value.__code__)),
        # Lists, dicts and sets can change while the function runs. They are its memory,
        # and do not describe what it does.
        "closure": _plain(
            [v for v in enclosed if not isinstance(v, list | dict | set)]
        ),
        "defaults": _plain([value.__defaults__, value.__kwdefaults__]),
    }


def _bytes_of_code(code):
    """Bytes of a function's code, and of the functions that are defined in it."""
    yield code.co_code
    yield repr(code.co_names).encode()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _bytes_of_code(constant)
        else:
            yield repr(constant).encode()


def _bytes_of(tensor):
    return tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy()


def _view(view):
    """Type, shape and digest of a view."""
    parts = (view.data, view.indices, view.indptr) if sparse.issparse(view) else (view,)
    digest = _digest(block for part in parts for block in _blocks(part))
    return f"{view.dtype} of shape {view.shape} with values {digest}"


def _blocks(array):
    """Contiguous blocks of rows of an array; the whole array is never copied."""
    n_rows = max(1, _BLOCK // max(1, array[:1].nbytes))
    for start in range(0, len(array), n_rows):
        yield np.ascontiguousarray(array[start : start + n_rows])


def _digest(parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]
