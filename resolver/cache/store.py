"""The answers that are remembered, by question, within a bound in bytes that all zones share.

Eviction is S3-FIFO (Yang et al., SOSP 2023): newcomers pass through a small queue with a tenth of the bytes, and only
those that are asked for again there move on to the main queue. A flood of names that nobody asks twice (search-list
NXDOMAINs, scans) therefore flows through that tenth and leaves the names that pods live from alone; an LRU would not.
Stale answers stay until their stale time is over or their room is needed.
"""

from collections import deque
from collections.abc import Iterator

from resolver.cache.lifetime import lifetime, refresh_window
from resolver.config import Zone
from resolver.message.answer import Answer, Kind

HOT_ASKS = 3
"""How many times an answer must have been looked up in its lifetime to be refreshed ahead of time."""
_PROMOTING_ASKS = 3  # the frequency an entry can save up (two bits in the paper)
_SMALL_QUEUE_SHARE = 0.1
_HUSK_SHARE = 1 / 16  # of the bound: what removed answers may go on taking while they wait in their queue
_ENTRY_BYTES = 320  # measured: the Entry, its slot in the dict and a queue, its key's object header

_FACTS_BYTES = 250  # measured: an answer's facts that no other answer shares
_TTL_BYTES = 100  # and with each record


class Entry:
    """One remembered answer."""

    __slots__ = ("answer", "asks", "bytes", "cap", "in_main", "key", "label", "saved", "server", "stale_until",
                 "stored_at", "ttl", "turn", "window")  # fmt: skip

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.saved = 0
        self.in_main = False
        self.turn = 0
        self.bytes = 0

    def renew(self, answer: Answer, ttl: int, zone: Zone, label: str, server: str, now: float) -> None:
        """Take the place of the older answer to the same question."""
        self.answer = answer
        self.ttl = ttl
        self.window = refresh_window(ttl)
        self.cap = zone.max_ttl if answer.facts.kind is Kind.POSITIVE else ttl
        self.stored_at = now
        self.stale_until = now + ttl + zone.serve_stale_seconds
        self.label = label
        self.server = server
        self.asks = 0

    def age(self, now: float) -> int:
        """Whole seconds since it was stored; a TTL counts down by this."""
        return int(now - self.stored_at)

    def is_fresh(self, now: float) -> bool:
        """Whether it may be served as it is."""
        return now - self.stored_at < self.ttl

    def is_due(self, now: float) -> bool:
        """Whether it is hot and about to expire: time to refresh it ahead of time."""
        left = self.stored_at + self.ttl - now
        return left <= self.window and self.asks >= HOT_ASKS


def entry_bytes(key: bytes, answer: Answer) -> int:
    """What remembering this answer counts against the bound."""
    return _ENTRY_BYTES + len(key) + len(answer.sections) + _FACTS_BYTES + _TTL_BYTES * len(answer.facts.ttls)


class Store:
    """Answers by cache key (`Query.key`). `now` is monotonic seconds everywhere."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self.evictions = 0
        self._small_bytes = 0
        self._husk_bytes = 0
        self._entries: dict[bytes, Entry] = {}
        self._small: deque[Entry] = deque()
        self._main: deque[Entry] = deque()
        self._ghosts: deque[int] = deque()
        self._ghost_set: set[int] = set()

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
        entry.asks += 1
        if entry.saved < _PROMOTING_ASKS:
            entry.saved += 1
        return entry

    def peek(self, key: bytes) -> Entry | None:
        """The remembered answer without counting as a use; for people who look into the cache."""
        return self._entries.get(key)

    def put(self, key: bytes, answer: Answer, zone: Zone, label: str, server: str, now: float) -> Entry | None:
        """Remember an answer; None where it must not be remembered (`lifetime`) or would not fit at all.

        An answer with TTL 0 still takes the place of an older one: that is no longer true.
        """
        ttl = lifetime(answer.facts, zone)
        if ttl <= 0:
            self.remove(key)
            return None
        size = entry_bytes(key, answer)
        if size > self.max_bytes // 4:
            self.remove(key)
            return None
        entry = self._entries.get(key)
        if entry is None:
            entry = Entry(key)
            self._enqueue(entry)
        before = entry.bytes
        entry.renew(answer, ttl, zone, label, server, now)
        entry.bytes = size
        self._account(entry, size - before)
        self._evict()
        return entry

    def remove(self, key: bytes) -> bool:
        """Forget one answer; whether there was one."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        # It stays in its queue as a husk (negative bytes), which goes when it reaches the front or the husks are swept.
        self._account(entry, -entry.bytes)
        self._husk_bytes += entry.bytes
        entry.bytes = -entry.bytes
        if self._husk_bytes > self.max_bytes * _HUSK_SHARE:
            self._small = deque(entry for entry in self._small if entry.bytes > 0)
            self._main = deque(entry for entry in self._main if entry.bytes > 0)
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
        if entry.bytes < 0:
            self._husk_bytes += entry.bytes
            return
        if entry.saved > 0:
            self._small_bytes -= entry.bytes
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
        if entry.bytes < 0:
            self._husk_bytes += entry.bytes
            return
        if entry.saved > 0:
            entry.saved -= 1
            self._main.append(entry)
        else:
            self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        del self._entries[entry.key]
        self._account(entry, -entry.bytes)
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
