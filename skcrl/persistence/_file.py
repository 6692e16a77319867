"""A file with arrays, one document of plain data, and a digest of the whole file."""

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
# Largest number of bytes in memory of a value of the document, and of the document of a
# small file.
_VALUE, _DOCUMENT = 200, 2**26
# The document of a large file may take this many times the size of the file.
_TIMES = 6
# Largest number of bytes of a header in this format.
_HEADER = 10**8
# The text before the digest, as a string of JSON within JSON.
_BEFORE_DIGEST = rb"\"sha256\":\""


def write(path, kind, document, arrays, card=None):
    """Write a file of the safetensors format.

    Until the new file is complete, an earlier file at `path` is unchanged.

    Parameters
    ----------
    path : str or path-like
        File to write.
    kind : str
        What the file holds, such as "model".
    document : object
        Plain data that JSON can hold.
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
    # safetensors writes the memory of an array, whatever its order is.
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    try:
        content = memoryview(bytearray(save(arrays, {_ENTRY: text})))
    except SafetensorError as error:  # above 100 MB of text
        raise ValueError(
            f"{path} cannot hold a text of {len(text) / 1e6:.0f} MB in addition to "
            f"arrays: {error}. Use joblib instead."
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
        If the file cannot be read.
    """
    with opened(path) as file:
        whole = file.read()
    content = memoryview(whole)
    # A file of arbitrary bytes may raise any error here.
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
    """The header of a file of the safetensors format, which has this size."""
    (length,) = struct.unpack("<Q", file.read(8))
    if length > min(size - 8, _HEADER):
        raise ValueError("it ends within its header")
    header = file.read(length)
    _check_length(header, size)
    return json.loads(header)


def head_of(header):
    """The JSON object in a header that contains the document."""
    return json.loads(header["__metadata__"][_ENTRY])


def _header_end(content):
    (length,) = struct.unpack("<Q", content[:8])
    if length > len(content) - 8:
        raise ValueError("it ends within its header")
    return 8 + length


def _check_length(header, size):
    """Raise ValueError if a document has too many values for a file of this size.

    An empty list has two characters in the file, but takes a hundred bytes in memory.
    """
    n_values = sum(map(header.count, (b",", b"[", b"{")))
    most = max(_DOCUMENT, _TIMES * size) // _VALUE
    if n_values > most:
        raise ValueError(
            f"its document holds {n_values} values, but a file of {size} bytes may "
            f"hold at most {most}"
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
