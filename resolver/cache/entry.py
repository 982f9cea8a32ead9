"""One remembered answer: where it came from, how old it is, and what it takes of the bound."""

from typing import NamedTuple

from resolver.cache.lifetime import refresh_window
from resolver.compiling import mypyc_attr
from resolver.message.answer import Answer, Facts

HOT_ASKS = 3
"""How many times an answer must have been looked up in its lifetime to be refreshed ahead of time."""
HUSK = -1
_PROMOTING_ASKS = 3  # the frequency an entry can save up (two bits in the paper on S3-FIFO)
_ENTRY_BYTES = 310  # measured: the Entry, its time, its slots in the dict and a queue, headers of key and sections
_FACTS_BYTES = 270  # measured: an answer's facts that no other answer shares
_TTL_BYTES = 80  # and with each record


class Origin(NamedTuple):
    """Where answers came from: one object for all of a zone and a server."""

    label: str
    server: str
    stale_seconds: float


@mypyc_attr(acyclic=True)  # no part in garbage collection: 16 bytes less
class Entry:
    """One remembered answer. What is the same for many of them (`facts`, `origin`, numbers) they share."""

    __slots__ = ("asks", "cap", "facts", "in_main", "key", "origin", "saved", "sections", "shares", "stored_at", "ttl",
                 "turn")  # fmt: skip

    # The two flags stand side by side and first, where compiled they take the place of one number.
    in_main: bool
    shares: bool
    """Whether the facts were those of another entry already when it was stored."""
    facts: Facts
    sections: bytes
    ttl: int
    cap: int
    """No reply tells a TTL above this, less the age."""
    stored_at: float
    origin: Origin
    asks: int
    """Uses in its lifetime."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.saved = 0
        """Its frequency for S3-FIFO; HUSK: it is removed, and still stands in its queue."""
        self.in_main = False
        self.turn = 0

    @property
    def size_bytes(self) -> int:
        """What it counts against the bound."""
        return entry_bytes(self.key, self.answer, shares=self.shares)

    @property
    def answer(self) -> Answer:
        """What the server said."""
        return Answer(self.facts, self.sections)

    @property
    def label(self) -> str:
        """The zone it was asked for in, by its first name."""
        return self.origin.label

    @property
    def server(self) -> str:
        """Who said it."""
        return self.origin.server

    @property
    def stale_until(self) -> float:
        """From when on it must not even be served as a stale answer."""
        return self.stored_at + self.ttl + self.origin.stale_seconds

    def use(self) -> None:
        """Count a use."""
        self.asks += 1
        if self.saved < _PROMOTING_ASKS:
            self.saved += 1

    def age(self, now: float) -> int:
        """Whole seconds since it was stored; a TTL counts down by this."""
        return int(now - self.stored_at)

    def is_fresh(self, now: float) -> bool:
        """Whether it may be served as it is."""
        return now - self.stored_at < self.ttl

    def is_due(self, now: float) -> bool:
        """Whether it is hot and about to expire: time to refresh it ahead of time."""
        if self.asks < HOT_ASKS:
            return False
        left = self.stored_at + self.ttl - now
        return left <= refresh_window(self.ttl)


def entry_bytes(key: bytes, answer: Answer, *, shares: bool) -> int:
    """What remembering an answer counts against the bound; `shares`: its facts are those of others already."""
    size = _ENTRY_BYTES + len(key) + len(answer.sections)
    return size if shares else size + _FACTS_BYTES + _TTL_BYTES * len(answer.facts.ttls)
