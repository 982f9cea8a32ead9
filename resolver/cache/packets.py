"""Ready replies: a dict from *everything after the ID of a query* to everything after the ID of its reply.

Two clients that send the same bytes get the same bytes, for as long as no TTL changes: at most until the next whole
second of the answer's age. So a hit is one lookup and one concatenation, without reading the query at all. The first
query in each second finds a reply whose TTLs have to be counted down (`Ready.count_down`), which is still a fraction of
the normal path. Only queries in canonical form are kept; others cost the engine a second lookup. When the shared
budget is used up all tables are emptied: all can be made again from the store, at the price of one normal hit each.
"""

from collections.abc import Callable
from struct import Struct

from resolver.cache.entry import Entry
from resolver.compiling import mypyc_attr
from resolver.message import codes
from resolver.message.canonical import QUESTION_AT

_TTL = Struct("!I")

_BYTES_OBJECT = 48  # a bytes object's header, rounded up by the allocator, and the reference to it
_READY_BYTES = 180  # measured: a Ready, its time, its slot in the dict, the object header of the query's bytes

NEVER = -1.0
"""When nothing was stored. A number and not None, because in compiled modules it takes no object of its own."""


@mypyc_attr(acyclic=True)
class Ready:
    """A reply that is good until `until` (monotonic seconds)."""

    __slots__ = ("key", "orders", "reply", "stored_at", "tally", "until")

    def __init__(
        self, replies: tuple[bytes, ...], until: float, tally: list[int], key: bytes, stored_at: float = NEVER
    ) -> None:
        several = len(replies) > 1
        self.reply = b"" if several else replies[0]
        """Everything after the ID; empty where an address set rotates."""
        self.orders = list(replies) if several else None
        """The same in all its orders, where an address set rotates; the next one first."""
        self.until = until
        self.tally = tally
        """The counter of this kind of reply; whoever sends it adds one to its only item."""
        self.key = key
        """Of the answer in the store. A reference to its entry would keep an evicted one in memory."""
        self.stored_at = stored_at
        """When the answer was stored that this was made from; NEVER: its successor has to be made from the store."""

    @property
    def length(self) -> int:
        """Bytes of the reply without its ID, the same in all its orders."""
        return len(self.reply if self.orders is None else self.orders[0])

    def count_down(self, entry: Entry, age: int) -> None:
        """Count the TTLs down to an answer that is `age` whole seconds old: the one that this was made from."""
        base = QUESTION_AT + len(self.key) - 1
        ttls, cap = entry.facts.ttls, entry.cap
        orders = self.orders
        if orders is not None:
            self.orders = [_dated(reply, base, ttls, cap, age) for reply in orders]
        elif len(ttls) == 1:  # nearly always: one record, and no copy for patching it
            offset, ttl = ttls[0]
            at = base + offset
            reply = self.reply
            self.reply = reply[:at] + _TTL.pack(max(0, min(cap, ttl) - age)) + reply[at + 4 :]
        else:
            self.reply = _dated(self.reply, base, ttls, cap, age)
        self.until = entry.stored_at + age + 1

    def next(self) -> bytes:
        """The reply to send now: each order in turn."""
        orders = self.orders
        if orders is None:
            return self.reply
        reply = orders.pop(0)
        orders.append(reply)
        return reply


def _dated(reply: bytes, base: int, ttls: tuple[tuple[int, int], ...], cap: int, age: int) -> bytes:
    dated = bytearray(reply)
    for offset, ttl in ttls:
        _TTL.pack_into(dated, base + offset, max(0, min(cap, ttl) - age))
    return bytes(dated)


def ready_bytes(query_tail: bytes, ready: Ready) -> int:
    """What a ready reply counts against the budget; all orders of a reply have one length."""
    orders = ready.orders
    if orders is None:
        return _READY_BYTES + len(query_tail) + _BYTES_OBJECT + len(ready.reply)
    return _READY_BYTES + len(query_tail) + len(orders) * (_BYTES_OBJECT + len(orders[0]))


class Packets:
    """Ready replies of one way in (replies over UDP and TCP differ in size and options)."""

    def __init__(self, budget: "Budget", max_reply_bytes: int) -> None:
        self._budget = budget
        self._max_reply_bytes = max_reply_bytes
        self._ready: dict[bytes, Ready] = {}
        self.get: Callable[[bytes], Ready | None] = self._ready.get
        """The ready reply to a query's bytes after the ID, or None; mind its `until`."""

    def __len__(self) -> int:
        return len(self._ready)

    def put(self, query_tail: bytes, ready: Ready) -> None:
        """Keep the reply to a query in canonical form instead of an older one, unless it would take most of the budget.

        Never kept is a reply that is too long for this way in: a listener copies what it finds here without looking.
        """
        older = self._ready.pop(query_tail, None)
        if older is not None:
            self._budget.bytes -= ready_bytes(query_tail, older)
        if ready.length <= self._max_reply_bytes and self._budget.spend(ready_bytes(query_tail, ready)):
            self._ready[query_tail] = ready

    def clear(self) -> None:
        """Forget all; the budget does this."""
        self._ready.clear()


class Budget:
    """The bytes that the tables of all ways in may take together."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._tables: list[Packets] = []

    def table(self, max_reply_bytes: int = codes.TCP_BYTES) -> Packets:
        """A new, empty table within this budget."""
        self._tables.append(Packets(self, max_reply_bytes))
        return self._tables[-1]

    def spend(self, added: int) -> bool:
        """Account for one more entry, emptying all tables first when it would not fit; False: too large to keep."""
        if added > self.max_bytes // 4:
            return False
        if self.bytes + added > self.max_bytes:
            self.clear()
        self.bytes += added
        return True

    def clear(self) -> None:
        """Forget all ready replies: the room is needed, or something they were made from has changed."""
        for table in self._tables:
            table.clear()
        self.bytes = 0
