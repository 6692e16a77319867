"""Read arrays from a .npz of ``numpy.savez``, in no more memory than the file takes.

Members are read one after the other, in their order in the file. The directory of the
file and the header of an array may claim any size, but no memory is taken before the
bytes are found. The members are not compressed, so an array may also stay in the file,
mapped into memory.
"""

import io
import os
import struct
from math import prod
from zlib import crc32

import numpy as np
from numpy.lib import format as npy

# Head of a member: signature, version, flags, method, time, date, checksum, size twice,
# and the lengths of its name and of further fields.
_HEAD = struct.Struct("<4s5H3I2H")
_END = struct.Struct("<4s4H2IH")
# Further field with a size of more than 32 bits, and the size that refers to it. numpy
# always writes sizes in this way.
_LARGE = struct.Struct("<2H2Q")
_ELSEWHERE = 2**32 - 1
# Number of bytes that are checked at a time if an array stays in the file.
_BLOCK = 2**20


def read_arrays(file, kinds, mapped=None):
    """Arrays by name, in the byte order of this machine.

    Parameters
    ----------
    file : binary file
        File, at its beginning.
    kinds : dict of str to (tuple of str)
        Names that the arrays may have, and their types, such as "f8".
    mapped : str or None, default=None
        Name of an array that stays in the file. It is read-only, and may not be
        aligned.

    Raises
    ------
    ValueError
        If the file holds anything else.
    """
    arrays = {}
    while True:
        head = file.read(_HEAD.size)
        if not head.startswith(b"PK\3\4"):
            break
        name, size, checksum = _member(file, _HEAD.unpack(head))
        if name not in kinds or name in arrays:
            raise ValueError(
                f"it holds {name!r:.80}, but may hold only {list(kinds)}, each once"
            )
        take = _mapped if name == mapped else _read
        arrays[name] = take(file, name, size, checksum, kinds[name])
    _check_end(file, len(arrays))
    return arrays


def _member(file, head):
    """Name of an array, and size and checksum of the bytes that follow."""
    _, _, flags, method, _, _, checksum, _, size, name_length, more_length = head
    name = file.read(name_length).decode("ascii")
    more = file.read(more_length)
    if method != 0:
        raise ValueError(f"{name:.80} in it is compressed")
    if flags != 0:
        raise ValueError(f"{name:.80} in it is not as numpy writes it")
    if size == _ELSEWHERE:
        size = _LARGE.unpack(more)[2]
    if size > os.fstat(file.fileno()).st_size - file.tell():
        raise ValueError(f"it ends within {name:.80}")
    return name.removesuffix(".npy"), size, checksum


def _read(file, name, size, checksum, kinds):
    content = file.read(size)
    _require_checksum(name, crc32(content), checksum)
    stream = io.BytesIO(content)
    shape, order, dtype = _header(stream, name, size, kinds)
    flat = np.frombuffer(content, dtype, offset=stream.tell())
    array = flat.astype(dtype.newbyteorder("="))  # an aligned copy
    return array.reshape(shape, order=order)


def _mapped(file, name, size, checksum, kinds):
    start, found = file.tell(), 0
    for at in range(0, size, _BLOCK):
        found = crc32(file.read(min(_BLOCK, size - at)), found)
    _require_checksum(name, found, checksum)
    file.seek(start)
    shape, order, dtype = _header(file, name, size, kinds)
    if order != "C" or not dtype.isnative or 0 in shape:
        raise ValueError(
            f"its {name} cannot be mapped, because its order is {order}, its type "
            f"{dtype.str} and its shape {shape}: load it without mmap_mode"
        )
    array = np.memmap(file, dtype, "r", file.tell(), shape)
    file.seek(start + size)
    return array.view(np.ndarray)


def _require_checksum(name, found, checksum):
    if found != checksum:
        raise ValueError(f"{name:.80} in it does not match its checksum")


def _header(stream, name, size, kinds):
    """Shape, order and type of an array of `size` bytes, header included."""
    start = stream.tell()
    if npy.read_magic(stream) != (1, 0):
        raise ValueError(f"its {name} is of another version of numpy's format")
    shape, is_fortran, dtype = npy.read_array_header_1_0(stream)
    if dtype.str[1:] not in kinds and dtype.kind not in kinds:
        raise ValueError(f"its {name} is of {dtype}, not of {' or '.join(kinds)}")
    if min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != (
        size - (stream.tell() - start)
    ):
        raise ValueError(f"its {name} is not as large as it says")
    return shape, "F" if is_fortran else "C", dtype


def _check_end(file, n_members):
    size = os.fstat(file.fileno()).st_size
    file.seek(max(size - _END.size, 0))
    end = file.read()
    if len(end) != _END.size or not end.startswith(b"PK\5\6"):
        raise ValueError("it does not end in the way in which numpy ends a file")
    if _END.unpack(end)[4] != n_members:
        raise ValueError(f"it holds {n_members} arrays, but says another number")
