"""Looks for pairs and runs of bytes in long messages.

bytes.find needs 1.7 ns a byte for a needle of two, which was more than everything else that is
done to a message on its way; NumPy compares all bytes at once and needs a tenth of that.
Used by the dot-stuffing and by DKIM.
"""

from __future__ import annotations

import functools
from types import ModuleType

#: below this many bytes the detour does not pay
_LONG = 2000


def holds_pair(content: bytes, first: int, *seconds: int) -> bool:
    """Whether byte `first` is anywhere followed by one of `seconds`."""
    if len(content) < _LONG:
        return any(bytes((first, second)) in content for second in seconds)
    return any(_has_pair(content, first, second) for second in seconds)


def _has_pair(content: bytes, first: int, second: int) -> bool:
    """Two looks at the bytes taken as numbers of two, from the first byte on and from the second:
    half the work of comparing bytes, and nothing is made but the answers.
    """
    numpy = _numpy()
    pair = numpy.uint16(first | second << 8)
    whole = len(content) // 2
    even = numpy.frombuffer(content, "<u2", whole)
    odd = numpy.frombuffer(content, "<u2", (len(content) - 1) // 2, 1)
    return bool((even == pair).any() or (odd == pair).any())


def without_runs(content: memoryview, octet: int) -> tuple[bytes | memoryview, ...]:
    """The content in pieces, each run of that byte as one; what needs no change is not copied."""
    numpy = _numpy()
    octets = numpy.frombuffer(content, numpy.uint8)
    is_it = octets == octet
    again = (is_it[1:] & is_it[:-1]).nonzero()[0]
    if not again.size:
        return (content,)
    end = int(again[-1]) + 2
    keep = numpy.ones(end, bool)
    keep[again + 1] = False
    return octets[:end][keep].tobytes(), content[end:]


@functools.cache
def _numpy() -> ModuleType:
    """NumPy, loaded when the first long message comes: the command line starts without it."""
    import numpy

    return numpy
