"""Questions that could not be answered lately, remembered for seconds: asking again costs nothing (RFC 9520)."""

from typing import TYPE_CHECKING, NamedTuple

from resolver.cache.lifetime import failure_seconds
from resolver.message.reply import Ede

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_MAX_REMEMBERED = 8192  # about 2 MiB


class Failure(NamedTuple):
    """Why a question failed, and until when (monotonic seconds) that is taken for granted."""

    until: float
    in_a_row: int
    recoveries: int
    ede: Ede


class Failures:
    """Failures by cache key. `recoveries` counts how often a server of the zone has come back from being down: a
    failure is forgotten as soon as one does, so that the zone is as good as new within a moment of its return.
    """

    def __init__(self) -> None:
        self._failures: MutableMapping[bytes, Failure] = {}
        """Empty until the first failure makes it an LRU cache."""

    def __len__(self) -> int:
        return len(self._failures)

    def __contains__(self, key: bytes) -> bool:
        return key in self._failures

    def get(self, key: bytes, recoveries: int, now: float) -> Failure | None:
        """The failure that still holds, or None."""
        failure = self._failures.get(key)
        if failure is None or now >= failure.until or recoveries != failure.recoveries:
            return None
        return failure

    def put(self, key: bytes, ede: Ede, recoveries: int, now: float) -> None:
        """Remember a failure, longer with each one in a row (`lifetime.failure_seconds`)."""
        if not self._failures:
            from cachetools import LRUCache  # noqa: PLC0415 - 0.3 MiB that nobody needs while nothing fails

            self._failures = LRUCache(_MAX_REMEMBERED)
        before = self._failures.get(key)
        in_a_row = 1 if before is None or before.recoveries != recoveries else before.in_a_row + 1
        self._failures[key] = Failure(now + failure_seconds(in_a_row), in_a_row, recoveries, ede)

    def forget(self, key: bytes) -> None:
        """The question has been answered."""
        self._failures.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        self._failures.clear()
