"""The answers that are remembered, by question, within a bound in bytes that all zones share.

Eviction is S3-FIFO (Yang et al., SOSP 2023): newcomers pass through a small queue with a tenth of the bytes, and only
those that are asked for again there move on to the main queue. A flood of names that nobody asks twice (search-list
NXDOMAINs, scans) therefore flows through that tenth and leaves the names that pods live from alone; an LRU would not.
Stale answers stay until their stale time is over or their room is needed.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from resolver.cache.lifetime import lifetime, refresh_window
from resolver.compiling import mypyc_attr
from resolver.config import Zone
from resolver.message.answer import Answer, Facts, Kind

HOT_ASKS = 3
"""How many times an answer must have been looked up in its lifetime to be refreshed ahead of time."""
HUSK = -1
_PROMOTING_ASKS = 3  # the frequency an entry can save up (two bits in the paper)
_SMALL_QUEUE_SHARE = 0.1
_HUSK_SHARE = 1 / 16  # of the bound: what removed answers may go on taking while they wait in their queue
_ENTRY_BYTES = 310  # measured: the Entry, its time, its slots in the dict and a queue, headers of key and sections
_FACTS_BYTES = 270  # measured: an answer's facts that no other answer shares
_TTL_BYTES = 80  # and with each record
MAX_FACTS = 1024
"""Of the latest facts met; they are kept to recognise those that entries share."""

MAX_ORIGINS = 1024
"""Zones and servers met; what was met before a reload is not kept for ever."""


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


class Store:
    """Answers by cache key (`Query.key`). `now` is monotonic seconds everywhere."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self.evictions = 0
        self._small_bytes = 0
        self._husk_bytes = 0
        self._entries: dict[bytes, Entry] = {}
        self.peek: Callable[[bytes], Entry | None] = self._entries.get
        """The remembered answer by its key, however old it is, without counting as a use."""
        self._small: deque[Entry] = deque()
        self._main: deque[Entry] = deque()
        self._ghosts: deque[int] = deque()
        self._ghost_set: set[int] = set()
        self._facts: dict[int, Facts] = {}
        self._origins: dict[tuple[str, str, float], Origin] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def get(self, key: bytes, now: float) -> Entry | None:
        """The remembered answer, fresh or still good as a stale one (`Entry.is_fresh` tells), or None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if now >= entry.stale_until:
            return None  # it keeps its place, for the answer that is about to be looked up
        entry.use()
        return entry

    def put(self, key: bytes, answer: Answer, zone: Zone, label: str, server: str, now: float) -> Entry | None:
        """Remember an answer; None where it must not be remembered (`lifetime`) or would not fit at all.

        An answer with TTL 0 still takes the place of an older one: that is no longer true.
        """
        ttl = lifetime(answer.facts, zone)
        if ttl <= 0:
            self.remove(key)
            return None
        facts, shares = answer.facts, self._knows(answer.facts)
        size = entry_bytes(key, answer, shares=shares)
        if size > self.max_bytes // 4:
            self.remove(key)
            return None
        entry = self._entries.get(key)
        if entry is None:
            entry, before = Entry(key), 0
            self._enqueue(entry)
        else:
            before = entry.size_bytes
        entry.sections, entry.facts, entry.shares = answer.sections, facts, shares
        entry.ttl = ttl
        entry.cap = zone.max_ttl if facts.kind is Kind.POSITIVE else ttl
        entry.origin = self._origin(label, server, zone.serve_stale_seconds)
        entry.stored_at = now
        entry.asks = 0
        self._account(entry, size - before)
        self._evict()
        return entry

    def remove(self, key: bytes) -> bool:
        """Forget one answer; whether there was one."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        # It stays in its queue as a husk, which goes when it reaches the front or the husks are swept.
        size = entry.size_bytes
        self._account(entry, -size)
        self._husk_bytes += size
        entry.saved = HUSK
        if self._husk_bytes > self.max_bytes * _HUSK_SHARE:
            self._small = deque(entry for entry in self._small if entry.saved != HUSK)
            self._main = deque(entry for entry in self._main if entry.saved != HUSK)
            self._husk_bytes = 0
        return True

    def remove_name(self, name: bytes) -> int:
        """Forget every answer for `name` (wire form, lower case), of all types; how many there were."""
        keys = [key for key in self._entries if key[:-5] == name]
        for key in keys:
            self.remove(key)
        return len(keys)

    def remove_under(self, suffix: bytes) -> int:
        """Forget every answer whose name is `suffix` (wire form, lower case) or below it; how many there were."""
        keys = [key for key in self._entries if is_under(key[:-5], suffix)]
        for key in keys:
            self.remove(key)
        return len(keys)

    def clear(self) -> int:
        """Forget everything; how many answers there were."""
        forgotten = len(self._entries)
        for queue in (self._small, self._main, self._ghosts):
            queue.clear()
        self._entries.clear()
        self._ghost_set.clear()
        self.bytes = self._small_bytes = self._husk_bytes = 0
        return forgotten

    def resize(self, max_bytes: int) -> None:
        """Change the bound; a smaller one takes effect at once."""
        self.max_bytes = max_bytes
        self._evict()

    def _knows(self, facts: Facts) -> bool:
        """Whether these facts, the same object, were met lately; they are from now on."""
        if id(facts) in self._facts:  # the facts there are alive, so none of them has the address of another
            return True
        if len(self._facts) >= MAX_FACTS:
            self._facts.clear()
        self._facts[id(facts)] = facts
        return False

    def _origin(self, label: str, server: str, stale_seconds: float) -> Origin:
        """The one object for what came from there."""
        told = (label, server, stale_seconds)
        origin = self._origins.get(told)
        if origin is None:
            if len(self._origins) >= MAX_ORIGINS:
                self._origins.clear()
            origin = self._origins[told] = Origin(label, server, stale_seconds)
        return origin

    def _enqueue(self, entry: Entry) -> None:
        self._entries[entry.key] = entry
        ghost = hash(entry.key)
        if ghost in self._ghost_set:
            entry.in_main = True
            self._main.append(entry)
        else:
            self._small.append(entry)

    def _account(self, entry: Entry, added: int) -> None:
        self.bytes += added
        if not entry.in_main:
            self._small_bytes += added

    def _evict(self) -> None:
        while self.bytes > self.max_bytes:
            if self._small and (self._small_bytes > self.max_bytes * _SMALL_QUEUE_SHARE or not self._main):
                self._evict_from_small(self._small.popleft())
            else:
                self._evict_from_main(self._main.popleft())

    def _evict_from_small(self, entry: Entry) -> None:
        if entry.saved == HUSK:
            self._husk_bytes -= entry.size_bytes
            return
        if entry.saved > 0:
            self._small_bytes -= entry.size_bytes
            entry.saved = 0
            entry.in_main = True
            self._main.append(entry)
            return
        self._forget(entry)
        ghost = hash(entry.key)
        if ghost not in self._ghost_set:
            self._ghost_set.add(ghost)
            self._ghosts.append(ghost)
        while len(self._ghosts) > max(len(self._entries), 64):
            self._ghost_set.discard(self._ghosts.popleft())

    def _evict_from_main(self, entry: Entry) -> None:
        if entry.saved == HUSK:
            self._husk_bytes -= entry.size_bytes
            return
        if entry.saved > 0:
            entry.saved -= 1
            self._main.append(entry)
        else:
            self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        del self._entries[entry.key]
        self._account(entry, -entry.size_bytes)
        self.evictions += 1


def is_under(name: bytes, suffix: bytes) -> bool:
    """Whether the wire-form `name` is `suffix` or a name below it."""
    offset = len(name) - len(suffix)
    if offset < 0 or not name.endswith(suffix):
        return False
    at = 0
    while at < offset:
        at += name[at] + 1
    return at == offset
