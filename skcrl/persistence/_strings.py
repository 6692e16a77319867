"""Strings as arrays of bytes, without objects and without padding."""

from itertools import pairwise

import numpy as np


def packed(strings):
    """Bytes of all strings together, as uint8, and the end of each, as int64."""
    lengths = (len(_encoded(string)) for string in strings)
    ends = np.fromiter(lengths, np.int64, len(strings)).cumsum()
    return np.frombuffer(_encoded("".join(strings)), np.uint8), ends


def unpacked(content, ends):
    """List of the strings from which :func:`packed` made these arrays."""
    bounds = np.concatenate([[0], ends])
    if (
        content.dtype != np.uint8
        or content.ndim != 1
        or ends.dtype != np.int64
        or (bounds[1:] < bounds[:-1]).any()
        or bounds[-1] != len(content)
    ):
        raise ValueError("its strings do not end where they should")
    content = content.tobytes()
    return [
        content[start:end].decode("utf-8", "surrogatepass")
        for start, end in pairwise(bounds)
    ]


def _encoded(string):
    return string.encode("utf-8", "surrogatepass")
