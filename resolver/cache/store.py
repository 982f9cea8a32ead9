"""The answers that are remembered, by question, within a bound in bytes that all zones share.

Eviction is S3-FIFO (Yang et al., SOSP 2023): newcomers pass through a small queue with a tenth of the bytes, and only
those that are asked for again there move on to the main queue. A flood of names that nobody asks twice (search-list
NXDOMAINs, scans) therefore flows through that tenth and leaves the names that pods live from alone; an LRU would not.
Stale answers stay until their stale time is over or their room is needed.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from resolver.cache.entry import HUSK, Entry, Origin, entry_bytes
from resolver.cache.form import form_of, name_of
from resolver.cache.lifetime import lifetime
from resolver.config import Zone
from resolver.message.answer import Answer, Facts

_SMALL_QUEUE_SHARE = 0.1
_HUSK_SHARE = 1 / 16  # of the bound: what removed answers may go on taking while they wait in their queue
MAX_TAILS = 64
"""Kinds of questions (type, class, DO, CD) that are kept in mind; few servers ever meet half of these."""

MAX_ORIGINS = 1024
"""Of the latest met; they are kept to recognise what entries share, and what was met before a reload not for ever."""


class Store:
    """Answers by cache key (`Query.key`). `now` is monotonic seconds everywhere."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self.evictions = 0
        self._small_bytes = 0
        self._husk_bytes = 0
        self._entries: dict[bytes, Entry] = {}
        self.on_put: Callable[[bytes], None] | None = None
        """Is told the key of each answer that is put: for a successor, while there is one."""
        self.peek_form: Callable[[bytes], Entry | None] = self._entries.get
        """As `peek`, by the form of a key (`cache.form`)."""
        self._small: deque[Entry] = deque()
        self._main: deque[Entry] = deque()
        self._ghosts: deque[int] = deque()
        self._ghost_set: set[int] = set()
        self._origins: dict[tuple[int, int, str, str, float, int], Origin] = {}
        self._tails: set[bytes] = set()  # what keys end with, behind the name

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def get(self, key: bytes, now: float) -> Entry | None:
        """The remembered answer, fresh or still good as a stale one (`Entry.is_fresh` tells), or None."""
        entry = self._entries.get(form_of(key))
        if entry is None:
            return None
        if now >= entry.stale_until:
            return None  # it keeps its place, for the answer that is about to be looked up
        entry.use()
        return entry

    def peek(self, key: bytes) -> Entry | None:
        """The remembered answer, however old it is, without counting as a use."""
        return self._entries.get(form_of(key))

    def put(self, key: bytes, answer: Answer, zone: Zone, label: str, server: str, now: float) -> Entry | None:
        """Remember an answer; None where it must not be remembered (`lifetime`) or would not fit at all.

        An answer with TTL 0 still takes the place of an older one: that is no longer true.
        """
        ttl = lifetime(answer.facts, zone)
        if ttl <= 0:
            self.remove(key)
            return None
        origin, shares = self._origin(answer.facts, ttl, zone, label, server)
        size = entry_bytes(key, answer, shares=shares)
        if size > self.max_bytes // 4:
            self.remove(key)
            return None
        entry = self._entries.get(form_of(key))
        if entry is None:
            entry, before = Entry(key), 0
            self._enqueue(entry)
            if len(self._tails) < MAX_TAILS:
                self._tails.add(key[-5:])
        else:
            before = entry.size_bytes
        entry.sections, entry.origin, entry.shares = answer.sections, origin, shares
        entry.stored_at = now
        entry.asks = 0
        self._account(entry, size - before)
        self._evict()
        if self.on_put is not None:
            self.on_put(key)
        return entry

    def remove(self, key: bytes) -> bool:
        """Forget one answer; whether there was one."""
        entry = self._entries.pop(form_of(key), None)
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
        keys = [entry.key for form, entry in self._entries.items() if name_of(form) == name]
        for key in keys:
            self.remove(key)
        return len(keys)

    def remove_names(self, names: Iterable[bytes]) -> list[bytes]:
        """Forget every answer for these names, of all types, without looking at others; the keys of those there were.

        Where more kinds of questions have been met than are worth trying for each name, one pass over all finds them.
        """
        if len(self._tails) < MAX_TAILS:
            found = [name + tail for name in names for tail in self._tails if form_of(name + tail) in self._entries]
        else:
            wanted = frozenset(names)
            found = [entry.key for form, entry in self._entries.items() if name_of(form) in wanted]
        for key in found:
            self.remove(key)
        return found

    def keys(self) -> Iterable[bytes]:
        """Of all answers."""
        return [entry.key for entry in self._entries.values()]

    def remove_under(self, suffix: bytes) -> int:
        """Forget every answer whose name is `suffix` (wire form, lower case) or below it; how many there were."""
        keys = [entry.key for form, entry in self._entries.items() if is_under(name_of(form), suffix)]
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

    def _origin(self, facts: Facts, ttl: int, zone: Zone, label: str, server: str) -> tuple[Origin, bool]:
        """The one object for answers with these facts (the same object) from there; whether it was met lately."""
        # The facts in the table are alive, so none of them has the address of another.
        told = (id(facts), ttl, label, server, zone.serve_stale_seconds, zone.max_ttl)
        origin = self._origins.get(told)
        if origin is not None:
            return origin, True
        if len(self._origins) >= MAX_ORIGINS:
            self._origins.clear()
        origin = self._origins[told] = Origin(facts, ttl, label, server, zone.serve_stale_seconds, zone.max_ttl)
        return origin, False

    def _enqueue(self, entry: Entry) -> None:
        self._entries[entry.form] = entry
        ghost = hash(entry.form)
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
        ghost = hash(entry.form)
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
        del self._entries[entry.form]
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
