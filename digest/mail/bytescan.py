"""Looks for pairs of bytes in long messages.

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
    numpy = _numpy()
    octets = numpy.frombuffer(content, numpy.uint8)
    after = octets[1:]
    follows = after == seconds[0]
    for second in seconds[1:]:
        follows |= after == second
    follows &= octets[:-1] == first
    return bool(follows.any())


@functools.cache
def _numpy() -> ModuleType:
    """NumPy, loaded when the first long message comes: the command line starts without it."""
    import numpy

    return numpy
