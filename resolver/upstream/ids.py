"""Query IDs: unpredictable, because a guessed ID is half of a forged answer (RFC 5452 section 9.2)."""

import os
from struct import Struct

_BLOCK = 128  # one system call for so many IDs; small, so that little is kept in memory
_IDS = Struct("2s" * _BLOCK)


class QueryIds:
    """Two random bytes at a time, from the kernel's cryptographic generator, fetched in blocks."""

    __slots__ = ("_ready",)

    def __init__(self) -> None:
        self._ready: list[bytes] = []

    def take(self) -> bytes:
        """An ID; it may equal an earlier one, as random numbers do."""
        if not self._ready:
            self._ready = list(_IDS.unpack(os.urandom(_IDS.size)))
        return self._ready.pop()
