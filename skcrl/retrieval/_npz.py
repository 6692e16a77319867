"""Arrays of a .npz as ``numpy.savez`` writes it, read within the memory of its bytes.

Members are read one after the other, as they lie in the file: what its directory or the
header of an array claims takes no memory before the bytes are there.
"""

import io
import os
import struct
from math import prod
from zlib import crc32

import numpy as np
from numpy.lib import format as npy

# Of a member: signature, version, flags, method, time, date, checksum, size twice, and
# the lengths of its name and of further fields.
_HEAD = struct.Struct("<4s5H3I2H")
_END = struct.Struct("<4s4H2IH")
# Where a size is that needs more than 32 bits: numpy always writes it so.
_LARGE = struct.Struct("<2H2Q")
_ELSEWHERE = 2**32 - 1


def read_arrays(file, kinds):
    """Arrays by name, in the byte order of this machine.

    Parameters
    ----------
    file : binary file
        At its beginning.
    kinds : dict of str to (tuple of str)
        Names that may be there, and of which types, as in "f8".

    Raises
    ------
    ValueError
        If there is anything else.
    """
    arrays = {}
    while True:
        head = file.read(_HEAD.size)
        if not head.startswith(b"PK\3\4"):
            break
        name, content = _member(file, _HEAD.unpack(head))
        if name not in kinds or name in arrays:
            raise ValueError(f"it holds {name!r:.80}, not once each of {list(kinds)}")
        arrays[name] = _array(name, content, kinds[name])
    _check_end(file, len(arrays))
    return arrays


def _member(file, head):
    """Name of an array and the bytes that numpy wrote for it."""
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
    content = file.read(size)
    if crc32(content) != checksum:
        raise ValueError(f"{name:.80} in it does not match its checksum")
    return name.removesuffix(".npy"), content


def _array(name, content, kinds):
    stream = io.BytesIO(content)
    if npy.read_magic(stream) != (1, 0):
        raise ValueError(f"its {name} is of another version of numpy's format")
    shape, is_fortran, dtype = npy.read_array_header_1_0(stream)
    if dtype.str[1:] not in kinds and dtype.kind not in kinds:
        raise ValueError(f"its {name} is of {dtype}, not of {' or '.join(kinds)}")
    if min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != (
        len(content) - stream.tell()
    ):
        raise ValueError(f"its {name} is not as large as it says")
    flat = np.frombuffer(content, dtype, offset=stream.tell())
    array = flat.astype(dtype.newbyteorder("="))  # aligned, and free of `content`
    return array.reshape(shape, order="F" if is_fortran else "C")


def _check_end(file, n_members):
    size = os.fstat(file.fileno()).st_size
    file.seek(max(size - _END.size, 0))
    end = file.read()
    if len(end) != _END.size or not end.startswith(b"PK\5\6"):
        raise ValueError("it does not end as numpy ends it")
    if _END.unpack(end)[4] != n_members:
        raise ValueError(f"it holds {n_members} arrays and says otherwise")
