"""Nested plain data as a document of JSON and arrays, and back.

Values that JSON does not have are marked: ``{"$": "tuple", "of": [1, 2]}``.
"""

import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from math import isfinite, prod
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from skcrl._arrays import is_tensor, to_numpy
from skcrl.persistence._strings import packed, unpacked

_MARK, _OF = "$", "of"

# Types of numbers that the format of the arrays has.
_NUMBERS = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"),
    *("uint64", "float16", "float32", "float64", "complex64"),
)
_SPARSE: dict[str, Any] = {
    "csr_array": sparse.csr_array,
    "csr_matrix": sparse.csr_matrix,
    "csc_array": sparse.csc_array,
    "csc_matrix": sparse.csc_matrix,
}
# Types that estimators take as parameters, by module and name.
_TYPE_LIST: list[Any] = [
    *(bool, int, float, complex, str, object),
    *(np.dtype(name).type for name in (*_NUMBERS, "complex128", "str", "object")),
]
_TYPES = {f"{kind.__module__}.{kind.__name__}": kind for kind in _TYPE_LIST}
_PATH = type(Path())
# Largest number of rows or columns of a sparse matrix, unless it stores more bytes.
_LONGEST = 2**21
# Largest number of random generators: each takes thousands of bytes and some time.
_MOST_GENERATORS = 100
_GENERATORS = {"MT19937": np.random.MT19937, "PCG64": np.random.PCG64}


def encode(value, where):
    """Document and arrays of plain data.

    Parameters
    ----------
    value : object
        None, booleans, numbers, strings, lists, tuples, sets, dicts, slices, dense and
        sparse arrays, torch tensors, dtypes and random generators of NumPy, which may
        be nested.
    where : str
        What errors call `value`.

    Returns
    -------
    document : object
        Document that JSON can hold.
    arrays : dict of str to ndarray
        One array for each array in memory, however often `value` holds it.

    Raises
    ------
    ValueError
        If `value` holds anything else. The error says what and where.
    """
    writer = Writer()
    return writer.write(value, where), writer.arrays


def decode(document, arrays):
    """Return the value from which :func:`encode` made this document and these arrays.

    Whatever they hold, no code in them is run, and the memory that is taken is in
    proportion to their size.

    Raises
    ------
    ValueError
        If the document is not one that ``encode`` makes.
    """
    return Reader(arrays).read(document)


class Writer:
    """Makes documents, and the `arrays` that the documents refer to.

    A subclass may encode further kinds of values in ``_other``.
    """

    def __init__(self):
        self.arrays = {}
        self._known = {}

    def write(self, value, where):
        """Document of a value, which errors call `where`."""
        try:
            return self._encode(value, where)
        except RecursionError:
            raise ValueError(
                f"{where} is nested too deeply, or contains itself."
            ) from None

    def _encode(self, value, where):
        kind = type(value)
        if value is None or kind in (bool, int):
            return value
        if kind is float:
            return value if isfinite(value) else marked("float", str(value))
        if kind is str:
            return self._string(value)
        if kind is list:
            return self._items(value, where)
        if kind is tuple:
            return marked("tuple", self._items(value, where))
        if kind in (set, frozenset):
            items = sorted(value, key=repr)  # a set has no fixed order
            return marked(kind.__name__, self._items(items, where))
        if kind is dict:
            return self._dict(value, where)
        if kind is slice:
            of = [value.start, value.stop, value.step]
            return marked("slice", self._items(of, where))
        if kind in (np.ndarray, np.memmap):
            return self._array(np.asarray(value), where)
        if is_tensor(value):
            return marked("tensor", self._array(to_numpy(value), where))
        if isinstance(value, np.generic) and value.dtype.kind in "biufc":
            return marked("number", [value.dtype.str, value.tobytes().hex()])
        if kind is np.str_:
            return marked("numpy.str", self._string(str(value)))
        if _SPARSE.get(kind.__name__) is kind:
            return marked(
                kind.__name__,
                {
                    "shape": list(map(int, value.shape)),
                    **{
                        name: self._array(getattr(value, name), where)
                        for name in ("data", "indices", "indptr")
                    },
                },
            )
        if isinstance(value, np.dtype) and value.kind in "biufcO":
            return marked("dtype", value.str)
        if isinstance(value, type) and value in _TYPE_LIST:
            return marked("type", f"{value.__module__}.{value.__name__}")
        if kind is _PATH:
            return marked("path", self._string(str(value)))
        if kind is np.random.RandomState:
            return self._generator(value, value.get_state(legacy=False), where)
        if kind is np.random.Generator:
            return self._generator(value, value.bit_generator.state, where)
        return self._other(value, where)

    def _other(self, value, where):
        """Document of a value that is not plain data."""
        kind = type(value)
        raise ValueError(
            f"{where} is of type {kind.__module__}.{kind.__qualname__}, but a file of "
            "skcrl can hold plain data only. Use joblib instead, which writes a pickle."
        )

    def _items(self, items, where):
        return [
            self._encode(item, f"item {i} of {where}") for i, item in enumerate(items)
        ]

    def _dict(self, value, where):
        if all(type(key) is str and _is_unicode(key) for key in value):
            if _MARK not in value:
                return {
                    key: self._encode(item, f"item {key!r} of {where}")
                    for key, item in value.items()
                }
        return marked(
            "dict",
            [
                [
                    self._encode(key, f"a key of {where}"),
                    self._encode(item, f"item {key!r} of {where}"),
                ]
                for key, item in value.items()
            ],
        )

    def _string(self, value):
        if _is_unicode(value):
            return value
        return marked("str", value.encode("utf-8", "surrogatepass").hex())

    def _array(self, array, where):
        if array.dtype.kind == "U" and array.itemsize:
            # Each character is a number of 32 bits.
            array = np.asarray(array, array.dtype.newbyteorder("="), order="C")
            shape = *array.shape, array.itemsize // 4
            codes = array.ravel().view(np.uint32).reshape(shape)
            return marked("text", self._array(codes, where))
        if array.dtype.kind == "O":
            return self._objects(array, where)
        if array.dtype.name not in _NUMBERS:
            raise ValueError(
                f"{where} is an array of {array.dtype}, which a file of skcrl cannot "
                "hold: convert it, for example to float64."
            )
        # The order in memory is kept, because it changes how sums are rounded.
        is_transposed = array.ndim > 1 and abs(array.strides[0]) < abs(
            array.strides[-1]
        )
        name = self._name(array, is_transposed)
        return marked("transposed" if is_transposed else "array", name)

    def _name(self, array, is_transposed):
        """Name of an array in the file; arrays in the same memory share a name."""
        memory = array.__array_interface__["data"][0], array.shape, array.strides
        if (*memory, array.dtype.str) not in self._known:
            name = self._add(array.T if is_transposed else array)
            # The array is kept too, so that no other array gets its address in memory.
            self._known[*memory, array.dtype.str] = name, array
        return self._known[*memory, array.dtype.str][0]

    def _add(self, array):
        name = str(len(self.arrays))
        dtype = array.dtype.newbyteorder("=")
        self.arrays[name] = np.asarray(array, dtype, order="C")
        return name

    def _objects(self, array, where):
        shape, items = list(array.shape), array.ravel().tolist()
        if all(type(item) is str for item in items):
            content, ends = map(self._add, packed(items))
            return marked("strings", {"shape": shape, "bytes": content, "ends": ends})
        return marked("objects", {"shape": shape, "items": self._items(items, where)})

    def _generator(self, generator, state, where):
        if state["bit_generator"] not in _GENERATORS:
            raise ValueError(
                f"{where} is a {type(generator).__name__} of {state['bit_generator']}, "
                f"but a file of skcrl can hold only {' and '.join(_GENERATORS)}."
            )
        return marked(type(generator).__name__, self._encode(state, where))


class Reader:
    """Makes values from documents that refer to `arrays`.

    A subclass may add further marks to ``_marks``, each with a function of what is
    marked.
    """

    def __init__(self, arrays):
        self.arrays = dict(arrays)
        self._sparse: dict[tuple, tuple[dict, list]] = {}
        self._transposes: dict[str, np.ndarray] = {}
        self._n_generators = 0
        self._marks: dict[str, Callable[[Any], Any]] = {
            "tuple": lambda of: tuple(self._list(of)),
            "set": lambda of: set(self._list(of)),
            "frozenset": lambda of: frozenset(self._list(of)),
            "dict": lambda of: dict(map(self._list, _checked(of, list))),
            "slice": lambda of: slice(*self._list(of)),
            "float": _float,
            "str": _string,
            "numpy.str": lambda of: np.str_(_checked(self.decode(of), str)),
            "number": _number,
            "array": self._array,
            "transposed": self._transposed,
            "tensor": self._tensor,
            "text": self._text,
            "strings": self._strings,
            "objects": self._objects,
            "dtype": lambda of: _dtype(of, "biufcO"),
            "type": lambda of: _TYPES[of],
            "path": lambda of: Path(_checked(self.decode(of), str)),
            "RandomState": self._random_state,
            "Generator": self._generator,
            **{name: partial(self._csr, kind) for name, kind in _SPARSE.items()},
        }

    def read(self, document):
        """Value of an arbitrary document; ValueError if it is not valid."""
        try:
            return self.decode(document)
        except ValueError:
            raise
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        except Exception as error:
            raise ValueError(
                f"its document is not valid: {type(error).__name__}: {error}"
            ) from error

    def decode(self, document) -> Any:
        """Value of a part of the document, which may raise any error."""
        if type(document) is list:
            return self._list(document)
        if type(document) is not dict:
            return document
        if _MARK not in document:
            return {key: self.decode(item) for key, item in document.items()}
        mark = document[_MARK]
        if mark not in self._marks:
            raise ValueError(f"it holds a {mark!r}, which this skcrl does not know")
        return self._marks[mark](document[_OF])

    def _list(self, of):
        return [self.decode(item) for item in _checked(of, list)]

    def _array(self, name):
        array = self.arrays[name]
        # NumPy relies on each byte of booleans being 0 or 1.
        if array.dtype == bool and array.size and array.view(np.uint8).max() > 1:
            raise ValueError("its booleans are neither true nor false")
        return array

    def _tensor(self, of):
        array = _checked(self.decode(of), np.ndarray)
        return import_module("torch").from_numpy(array)

    def _transposed(self, name):
        array = self._array(name)
        if array.ndim < 2:
            raise ValueError("it holds transposed arrays of one dimension")
        # One array for all references to it, so that it is saved only once again.
        return self._transposes.setdefault(name, array.T)

    def _text(self, of):
        codes = self.decode(of)
        are_codes = codes.dtype == np.uint32 and codes.flags.c_contiguous
        if not are_codes or (codes.size and codes.max() > sys.maxunicode):
            raise ValueError("its texts are not made of characters")
        return codes.view(f"U{codes.shape[-1]}").reshape(codes.shape[:-1])

    def _strings(self, of):
        # The arrays are removed, so that a document cannot make many lists of one.
        strings = unpacked(self.arrays.pop(of["bytes"]), self.arrays.pop(of["ends"]))
        return _object_array(strings, of["shape"])

    def _objects(self, of):
        return _object_array(self._list(of["items"]), of["shape"])

    def _csr(self, kind, of):
        parts = [self.decode(of[name]) for name in ("data", "indices", "indptr")]
        data, indices, indptr = (_checked(part, np.ndarray) for part in parts)
        shape = tuple(of["shape"])
        # Products with the matrix are as large as its shape, however little it stores.
        most = max(_LONGEST, data.nbytes + indices.nbytes + indptr.nbytes)
        if max(shape) > most:
            raise ValueError(
                f"its sparse matrix is of shape {shape!r:.50}, which is too large"
            )
        # Compiled routines of SciPy trust both arrays.
        if indices.dtype != indptr.dtype or indices.dtype not in (np.int32, np.int64):
            raise ValueError("the indices of its sparse matrix are not valid")
        known, _ = self._sparse.setdefault(tuple(map(id, parts)), ({}, parts))
        if (kind, shape) not in known:
            # Each matrix may be a copy: a document must not ask for many.
            if len(known) == len(_SPARSE):
                raise ValueError("its sparse matrices share their arrays")
            known[kind, shape] = kind((data, indices, indptr), shape=shape)
            known[kind, shape].check_format(full_check=True)
        return known[kind, shape]

    def _generator_state(self, of):
        self._n_generators += 1
        if self._n_generators > _MOST_GENERATORS:
            raise ValueError(f"it holds more than {_MOST_GENERATORS} random generators")
        return self.decode(of)

    def _random_state(self, of):
        state = self._generator_state(of)
        generator = np.random.RandomState(_bit_generator(state))
        generator.set_state(state)
        return generator

    def _generator(self, of):
        state = self._generator_state(of)
        bit_generator = _bit_generator(state)
        bit_generator.state = state
        return np.random.Generator(bit_generator)


def marked(mark, of):
    """Document of a value that JSON does not have."""
    return {_MARK: mark, _OF: of}


def _is_unicode(string):
    return string.isascii() or not any("\ud800" <= c <= "\udfff" for c in string)


def _checked(value, kind):
    if not isinstance(value, kind):
        raise ValueError(f"it holds {value!r:.50} in place of a {kind.__name__}")
    return value


def _float(of):
    if of not in ("nan", "inf", "-inf"):
        raise ValueError(f"it holds {of!r:.50} in place of a number")
    return float(of)


def _string(of):
    return bytes.fromhex(of).decode("utf-8", "surrogatepass")


def _number(of):
    text, content = of
    (number,) = np.frombuffer(bytes.fromhex(content), _dtype(text, "biufc"))
    return number


def _dtype(text, kinds):
    dtype = np.dtype(_checked(text, str))
    if dtype.str != text or dtype.kind not in kinds:
        raise ValueError(f"it holds {text!r:.50} in place of a type of numbers")
    return dtype


def _object_array(items, shape):
    if prod(shape) != len(items):
        raise ValueError(f"it holds {len(items)} objects for a shape of {shape!r:.50}")
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        array[i] = item
    return array.reshape(shape)


def _bit_generator(state):
    """Generator for a state, after a check: its compiled code would trust the state."""
    inner = state["state"]
    if state["bit_generator"] == "MT19937":
        key = _checked(inner["key"], np.ndarray)
        is_key = key.shape == (624,) and key.dtype == np.uint32
        if not (is_key and 0 <= _checked(inner["pos"], int) <= 624):
            raise ValueError("the state of its random generator is not valid")
    return _GENERATORS[state["bit_generator"]](0)
