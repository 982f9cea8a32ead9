"""One remembered answer: where it came from, how old it is, and what it takes of the bound."""

from typing import TYPE_CHECKING

from resolver.cache.form import form_of, key_of
from resolver.cache.lifetime import refresh_window
from resolver.compiling import mypyc_attr
from resolver.message.answer import Answer, Facts, Kind

if TYPE_CHECKING:
    from mypy_extensions import i16  # an integer like any other to who runs the source; compiled, one of two bytes

HOT_ASKS = 3
"""How many times an answer must have been looked up in its lifetime to be refreshed ahead of time."""
HUSK = -1
MOST_ASKS = 0x7FFF
_MOST_TURNS = 0x7FFF
_PROMOTING_ASKS = 3  # the frequency an entry can save up (two bits in the paper on S3-FIFO)
_ENTRY_BYTES = 262  # measured: the Entry, its time, its slots in the dict and a queue, headers of key and sections
_FACTS_BYTES = 350  # measured: an answer's facts and origin that no other answer shares
_TTL_BYTES = 80  # and with each record


@mypyc_attr(acyclic=True)  # no part in garbage collection: 16 bytes less
class Origin:
    """What answers have in common: one object for all with these facts from a zone and a server. It never changes."""

    __slots__ = ("facts", "label", "max_ttl", "server", "stale_seconds", "ttl")

    def __init__(self, facts: Facts, ttl: int, label: str, server: str, stale_seconds: float, max_ttl: int) -> None:
        self.facts = facts
        self.ttl = ttl
        """For how many seconds they may be served as fresh."""
        self.label = label
        self.server = server
        self.stale_seconds = stale_seconds
        self.max_ttl = max_ttl


@mypyc_attr(acyclic=True)
class Entry:
    """One remembered answer. What is the same for many of them (`origin`) they share."""

    # As few as there can be: compiled, one more makes 16 bytes of it.
    __slots__ = ("asks", "form", "in_main", "origin", "saved", "sections", "shares", "stored_at", "turn")

    # What is small stands first: compiled, these five take the place of one reference.
    in_main: bool
    shares: bool
    """Whether its origin was that of another entry already when it was stored."""
    saved: "i16"
    """Its frequency for S3-FIFO; HUSK: it is removed, and still stands in its queue."""
    asks: "i16"
    """Uses in its lifetime; no more are counted than MOST_ASKS."""
    turn: "i16"
    """Which order of an address set was the last one."""
    sections: bytes
    stored_at: float
    origin: Origin

    def __init__(self, key: bytes) -> None:
        self.form = form_of(key)
        """What the store knows it by; the same object for all that refer to it."""
        self.in_main = self.shares = False
        self.saved = 0
        self.asks = 0
        self.turn = 0
        self.stored_at = 0.0  # compiled, what is set here takes no bit to say whether it is

    @property
    def key(self) -> bytes:
        """The question, as `Query.key`."""
        return key_of(self.form)

    @property
    def size_bytes(self) -> int:
        """What it counts against the bound."""
        return entry_bytes(self.key, self.answer, shares=self.shares)

    @property
    def facts(self) -> Facts:
        """What there is to know of its records."""
        return self.origin.facts

    @property
    def ttl(self) -> int:
        """For how many seconds from `stored_at` on it may be served as fresh."""
        return self.origin.ttl

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
    def cap(self) -> int:
        """No reply tells a TTL above this, less the age."""
        return self.origin.max_ttl if self.facts.kind is Kind.POSITIVE else self.ttl

    @property
    def stale_until(self) -> float:
        """From when on it must not even be served as a stale answer."""
        return self.stored_at + self.ttl + self.origin.stale_seconds

    def use(self) -> None:
        """Count a use."""
        if self.asks < MOST_ASKS:
            self.asks += 1
        if self.saved < _PROMOTING_ASKS:
            self.saved += 1

    def next_turn(self) -> int:
        """Have the next order of an address set; for `write_reply`."""
        self.turn = 0 if self.turn == _MOST_TURNS else self.turn + 1
        return self.turn

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
    """What remembering an answer counts against the bound; `shares`: its origin is that of others already."""
    size = _ENTRY_BYTES + len(key) + len(answer.sections)
    return size if shares else size + _FACTS_BYTES + _TTL_BYTES * len(answer.facts.ttls)
