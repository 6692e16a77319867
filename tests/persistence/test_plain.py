"""Plain data survives as it was; documents of any kind raise ValueErrors."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from skcrl.persistence._plain import decode, encode


def through(value):
    """`value` from a document that went through JSON."""
    document, arrays = encode(value, "value")
    text = json.dumps(document, allow_nan=False, ensure_ascii=False)
    text.encode()
    return decode(json.loads(text), arrays)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        2**200,
        -0.0,
        1e-320,
        math.inf,
        -math.inf,
        "ein \0 Ärger 🙂 \udc80",
        [1, (2, [3.5, ()])],
        {"a": {"b": (1,)}, "": None},
        {"$": 1, "of": 2},
        {1: "a", (2, None): "b", "\ud800": 3, 1.5: {}},
        {"a", "b", 3},
        frozenset({(1, 2)}),
        slice(1, None, -2),
        np.float64,
        np.bool_,
        bool,
        str,
        object,
        np.dtype("float32"),
        np.dtype(">i4"),
        Path("a/b"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_it_comes_back_equal_and_of_the_same_type(value):
    back = through(value)
    assert back == value
    assert type(back) is type(value)
    if not isinstance(value, set | frozenset):
        assert repr(back) == repr(value)


@pytest.mark.parametrize(
    "number",
    [
        np.float32(0.1),
        np.float64("nan"),
        np.float16(3),
        np.int8(-3),
        np.uint64(2**64 - 1),
        np.bool_(True),
        np.complex128(1 - 2j),
        np.str_("a"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_numpy_numbers_keep_their_type_and_bits(number):
    back = through(number)
    assert type(back) is type(number)
    assert back.tobytes() == number.tobytes()


def test_nan_is_nan():
    assert math.isnan(through([float("nan")])[0])


@pytest.mark.parametrize(
    "dtype",
    ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8"],
)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (4,), (3, 5), (2, 3, 4)])
def test_arrays_keep_bits_shape_and_order(dtype, shape):
    rng = np.random.default_rng(0)
    array = rng.integers(0, 2, shape).astype(dtype)
    for given in (array, np.asfortranarray(array), array.T):
        back = through(given)
        assert back.dtype == given.dtype
        assert back.shape == given.shape
        assert back.tobytes("A") == given.tobytes("A")
        assert back.flags.f_contiguous == given.flags.f_contiguous
        assert back.flags.c_contiguous == given.flags.c_contiguous
        assert back.flags.writeable


def test_parts_of_arrays_keep_their_numbers():
    array = np.arange(24.0).reshape(4, 6)
    for part in (array[::2], array[:, ::-2], array[:, 1:3].T, array[1:, 0]):
        np.testing.assert_array_equal(through(part), part)


def test_numbers_of_another_byte_order_keep_their_value():
    array = np.array([1.5, -2], ">f8")
    np.testing.assert_array_equal(through(array), array)


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a", "", "lange Wörter"]),
        np.array([["a", "b"], ["c", "d\ud800"]]),
        np.array("alone"),
        np.array([], "U7"),
        np.array([["x", "y", "zz"]], object),
        np.array([], object),
        np.array([None, "a", 3, 2.5, (1, 2)], object),
    ],
    ids=lambda value: type(value).__name__,
)
def test_arrays_of_texts_and_objects(array):
    back = through(array)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tolist() == array.tolist()


def test_an_array_in_two_places_is_stored_once_and_stays_one():
    array = np.eye(3)
    document, arrays = encode({"a": array, "b": [array], "c": array.copy()}, "value")
    assert len(arrays) == 2
    back = decode(document, arrays)
    assert back["a"] is back["b"][0]
    assert back["c"] is not back["a"]


@pytest.mark.parametrize("kind", ["csr_array", "csr_matrix", "csc_array", "csc_matrix"])
def test_sparse_matrices(kind):
    dense = np.eye(4, 5, 1)
    dense[2] = 3
    matrix = getattr(sparse, kind)(dense.astype(np.float32))
    back = through([matrix, matrix])
    assert back[0] is back[1]
    assert type(back[0]) is type(matrix)
    assert back[0].dtype == matrix.dtype
    np.testing.assert_array_equal(back[0].toarray(), dense)


@pytest.mark.parametrize(
    "generator",
    [
        np.random.RandomState(3),
        np.random.RandomState(np.random.PCG64(4)),
        np.random.default_rng(5),
        np.random.Generator(np.random.MT19937(6)),
    ],
    ids=["RandomState", "its PCG64", "Generator", "its MT19937"],
)
def test_random_generators_go_on(generator):
    generator.standard_normal(7)
    back = through(generator)
    np.testing.assert_array_equal(
        back.standard_normal(1000), generator.standard_normal(1000)
    )


def _itself():
    itself = []
    itself.append(itself)
    return itself


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (print, r"value is of type builtins\.builtin_function_or_method, but a file"),
        (
            {"a": [1, lambda: 0]},
            r"item 1 of item 'a' of value is of type",
        ),
        (np.zeros(2, complex), "value is an array of complex128"),
        (np.array([1, print], object), r"item 1 of value is of type"),
        (np.zeros(2, "M8[s]"), r"value is an array of datetime64\[s\]"),
        (np.ma.zeros(2), "value is of type numpy.ma.MaskedArray"),
        (sparse.coo_array(np.eye(2)), r"value is of type scipy\.sparse\.\S*coo_array"),
        (np.random.default_rng(0).bit_generator, "value is of type numpy.random"),
        (np.random.Generator(np.random.SFC64(0)), "value is a Generator of SFC64"),
        (_itself(), "value is nested too deeply, or contains itself"),
        (Exception, "value is of type builtins.type"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_plain_is_refused_by_its_place(value, message):
    with pytest.raises(ValueError, match=message):
        encode(value, "value")


ARRAYS = {
    "matrix": np.eye(3),
    "bytes": np.frombuffer(b"abc", np.uint8),
    "ends": np.array([2, 1, 3]),
    "index": np.array([0, 1, 7], np.int32),
    "starts": np.array([0, 1, 2, 3], np.int32),
    "long": np.array([0, 1, 2, 3]),
    "two": np.array([0, 2], np.uint8).view(bool),
    "codes": np.array([[2**31]], np.uint32),
    "key": np.zeros(624, np.uint32),
}


def array(name):
    return {"$": "array", "of": name}


def csr(**parts):
    parts = {"shape": [3, 3], "data": "index", "indices": "index", **parts}
    return {
        "$": "csr_array",
        "of": {
            name: part if name == "shape" else array(part)
            for name, part in {"indptr": "starts", **parts}.items()
        },
    }


def twister(**state):
    inner = {"key": array("key"), "pos": 0, **state}
    state = {"bit_generator": "MT19937", "state": inner, "has_gauss": 0, "gauss": 0.0}
    return {"$": "RandomState", "of": state}


def deep():
    document = {"$": "tuple", "of": []}
    for _ in range(100_000):
        document = {"$": "tuple", "of": [document]}
    return document


def test_a_few_sparse_matrices_may_share_their_arrays():
    matrices = decode([csr(shape=[3, 9 + i]) for i in range(4)], ARRAYS)
    assert [matrix.shape[1] for matrix in matrices] == [9, 10, 11, 12]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"$": "os.system", "of": "true"}, "'os.system', which this skcrl does not"),
        ({"$": ["tuple"], "of": []}, "unhashable"),
        ({"$": "tuple"}, "KeyError: 'of'"),
        ({"$": "tuple", "of": 3}, "3 in place of a list"),
        ({"$": "slice", "of": [1, 2, 3, 4]}, "TypeError"),
        ({"$": "dict", "of": [[[1], 2]]}, "unhashable"),
        ({"$": "set", "of": [{}]}, "unhashable"),
        ({"$": "float", "of": "1_0"}, "'1_0' in place of a number"),
        ({"$": "str", "of": "zz"}, "hex"),
        ({"$": "number", "of": ["<f8", "00"]}, "buffer size"),
        ({"$": "number", "of": ["|O", "00" * 8]}, "'.O' in place of a type"),
        ({"$": "number", "of": ["<f8", "00" * 16]}, "too many values"),
        ({"$": "type", "of": "os.system"}, "KeyError: 'os.system'"),
        ({"$": "dtype", "of": "(2,)f8"}, r"'\(2,\)f8' in place of a type"),
        ({"$": "dtype", "of": {"names": ["a"]}}, "in place of a str"),
        (array("missing"), "KeyError: 'missing'"),
        (array(None), "KeyError: None"),
        ({"$": "transposed", "of": "index"}, "transposed arrays of one dimension"),
        ([csr(shape=[3, 9 + i]) for i in range(5)], "share their"),
        (array("two"), "booleans are neither true nor false"),
        ({"$": "text", "of": array("codes")}, "not made of characters"),
        ({"$": "text", "of": array("matrix")}, "not made of characters"),
        (
            {"$": "strings", "of": {"shape": [3], "bytes": "bytes", "ends": "ends"}},
            "do not end where they should",
        ),
        ({"$": "objects", "of": {"shape": [2**62], "items": []}}, "0 objects for a"),
        ({"$": "objects", "of": {"shape": [-1], "items": [1]}}, "1 objects for a"),
        (csr(), "column index|indices must be|must be < 3"),
        (csr(indices="starts", indptr="long"), "indices of its sparse matrix"),
        (csr(shape=[2, 3], indices="starts"), "index pointer size|indptr"),
        (twister(pos=10**6), "the state of its random generator is not valid"),
        (twister(pos=-1), "the state of its random generator is not valid"),
        (twister(key=array("bytes")), "the state of its random generator is not valid"),
        ({"$": "Generator", "of": {"bit_generator": "eval", "state": {}}}, "eval"),
        (deep(), "nested too deeply"),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, str) else "",
)
def test_documents_that_are_not_in_order(document, message):
    with pytest.raises(ValueError, match=message):
        decode(document, ARRAYS)


def test_strings_are_made_once_of_their_bytes():
    document, arrays = encode(np.array(["a", "b"], object), "value")
    with pytest.raises(ValueError, match="KeyError"):
        decode([document] * 2, arrays)
