"""A file with arrays and one document of plain data, and a digest of everything."""

import hashlib
import json
import struct
from io import BytesIO

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from skcrl._files import opened, written_whole

VERSION = 1

_ENTRY = "skcrl"
_BLANK = "0" * 64
# Bytes that a value of the document may take in memory, and a document of any file.
_VALUE, _DOCUMENT = 200, 2**26
# How often the size of a larger file its document may take.
_TIMES = 6
# Bytes of the header that the format allows.
_HEADER = 10**8
# How the entry before the digest reads, as a string of JSON within JSON.
_BEFORE_DIGEST = rb"\"sha256\":\""


def write(path, kind, document, arrays, card=None):
    """Write a file of the safetensors format; until it is complete `path` stays.

    Parameters
    ----------
    path : str or path-like
        File to write.
    kind : str
        What the file holds, such as "model".
    document : object
        Plain data, as JSON knows them.
    arrays : dict of str to ndarray
        Arrays of numbers.
    card : dict or None, default=None
        What ``describe`` shows about the file, as plain data too.

    Raises
    ------
    ValueError
        If the document is too long.
    OSError
        If the file cannot be written.
    """
    head = {
        "sha256": _BLANK,
        "kind": kind,
        "version": VERSION,
        "card": card or {},
        "document": document,
    }
    text = json.dumps(head, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Of other arrays it would write the memory, in whatever order that is.
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    try:
        content = memoryview(bytearray(save(arrays, {_ENTRY: text})))
    except SafetensorError as error:  # above 100 MB of text
        raise ValueError(
            f"{path} cannot hold a text of {len(text) / 1e6:.0f} MB beside its arrays: "
            f"{error}. Use joblib instead."
        ) from error
    at = _digest_position(content)
    content[at : at + len(_BLANK)] = _digest(content, at)
    with written_whole(path) as file:
        file.write(content)


def read(path, kind):
    """Document and arrays of a file that :func:`write` wrote as this `kind`.

    Raises
    ------
    ValueError
        If the file is not one of skcrl, is damaged, or has another kind or a newer
        version.
    OSError
        If it cannot be read.
    """
    with opened(path) as file:
        whole = file.read()
    content = memoryview(whole)
    # Bytes of any kind may raise anything here.
    try:
        at = _digest_position(content)
        if bytes(content[at : at + len(_BLANK)]) != _digest(content, at):
            raise ValueError("its bytes do not match their digest")
        head = head_of(read_header(BytesIO(whole), len(whole)))
        version = head["version"]
        if type(version) is not int or version < 1:
            raise ValueError(f"its version is {version!r}")
        found, document = head["kind"], head["document"]
        if version <= VERSION and found == kind:
            return document, load(whole)
    except Exception as error:
        raise ValueError(
            f"{path} is not a {kind} that skcrl wrote, or is damaged: {error}"
        ) from error
    if found != kind:
        raise ValueError(f"{path} holds a {found}, not a {kind}.")
    raise ValueError(
        f"{path} has version {version} of the format, but this skcrl reads versions "
        f"up to {VERSION}: update skcrl."
    )


def read_header(file, size):
    """What a file of the safetensors format of this size says of its arrays."""
    (length,) = struct.unpack("<Q", file.read(8))
    if length > min(size - 8, _HEADER):
        raise ValueError("it ends within its header")
    header = file.read(length)
    _check_length(header, size)
    return json.loads(header)


def head_of(header):
    """The text of JSON in a header, with the document."""
    return json.loads(header["__metadata__"][_ENTRY])


def _header_end(content):
    (length,) = struct.unpack("<Q", content[:8])
    if length > len(content) - 8:
        raise ValueError("it ends within its header")
    return 8 + length


def _check_length(header, size):
    """Raise ValueError for more values than a document needs in a file of that size.

    An empty list is two characters in the file, and a hundred bytes in memory.
    """
    n_values = sum(map(header.count, (b",", b"[", b"{")))
    most = max(_DOCUMENT, _TIMES * size) // _VALUE
    if n_values > most:
        raise ValueError(
            f"its document holds {n_values} values, and a file of {size} bytes "
            f"may hold {most}"
        )


def _digest_position(content):
    at = bytes(content[8 : _header_end(content)]).find(_BEFORE_DIGEST)
    if at < 0:
        raise ValueError("it has no digest")
    return 8 + at + len(_BEFORE_DIGEST)


def _digest(content, at):
    """SHA-256 of the content, in which the digest itself counts as zeros."""
    digest = hashlib.sha256(content[:at])
    digest.update(_BLANK.encode())
    digest.update(content[at + len(_BLANK) :])
    return digest.hexdigest().encode()
