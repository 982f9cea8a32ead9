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
from resolver.cache.form import form_of
from resolver.compiling import mypyc_attr
from resolver.message import codes

_TTL = Struct("!I")

_BYTES_OBJECT = 48  # a bytes object's header, rounded up by the allocator, and the reference to it
_READY_BYTES = 164  # measured: a Ready, its time, its slot in the dict, the object header of the query's bytes

NEVER = -1.0
"""When nothing was stored. A number and not None, because in compiled modules it takes no object of its own."""


@mypyc_attr(acyclic=True)
class Ready:
    """A reply that is good until `until` (monotonic seconds)."""

    # As few as there can be: compiled, one more makes 16 bytes of it.
    __slots__ = ("form", "reply", "stored_at", "tally", "until")

    def __init__(self, reply: bytes, until: float, tally: list[int], form: bytes, stored_at: float) -> None:
        self.reply = reply
        """Everything after the ID; empty where an address set rotates."""
        self.until = until
        self.tally = tally
        """The counter of this kind of reply; whoever sends it adds one to its only item."""
        self.form = form
        """What the store knows the answer by. A reference to its entry would keep an evicted one in memory."""
        self.stored_at = stored_at
        """When the answer was stored that this was made from; NEVER: its successor has to be made from the store."""

    @property
    def length(self) -> int:
        """Bytes of the reply without its ID, the same in all its orders."""
        return len(self.reply)

    @property
    def held_bytes(self) -> int:
        """What its replies take of the budget."""
        return _BYTES_OBJECT + len(self.reply)

    def count_down(self, entry: Entry, age: int) -> None:
        """Count the TTLs down to an answer that is `age` whole seconds old: the one that this was made from."""
        base = len(self.form)  # header and question are as long in both
        ttls, cap = entry.facts.ttls, entry.cap
        if len(ttls) == 1:  # nearly always: one record, and no copy for patching it
            offset, ttl = ttls[0]
            at = base + offset
            reply = self.reply
            self.reply = reply[:at] + _TTL.pack(max(0, min(cap, ttl) - age)) + reply[at + 4 :]
        else:
            self.reply = _dated(self.reply, base, ttls, cap, age)
        self.until = entry.stored_at + age + 1

    def next(self) -> bytes:
        """The reply to send now."""
        return self.reply


@mypyc_attr(acyclic=True)
class Rotating(Ready):
    """A reply with an address set that rotates: it has all its orders ready, the next one first."""

    __slots__ = ("_orders",)

    def __init__(
        self, orders: tuple[bytes, ...], until: float, tally: list[int], form: bytes, stored_at: float
    ) -> None:
        super().__init__(b"", until, tally, form, stored_at)
        self._orders = list(orders)

    @property
    def length(self) -> int:
        return len(self._orders[0])

    @property
    def held_bytes(self) -> int:
        return len(self._orders) * (_BYTES_OBJECT + len(self._orders[0]))

    def count_down(self, entry: Entry, age: int) -> None:
        base = len(self.form)  # header and question are as long in both
        self._orders = [_dated(reply, base, entry.facts.ttls, entry.cap, age) for reply in self._orders]
        self.until = entry.stored_at + age + 1

    def next(self) -> bytes:
        """The reply to send now: each order in turn."""
        orders = self._orders
        reply = orders.pop(0)
        orders.append(reply)
        return reply


def ready_reply(
    replies: tuple[bytes, ...], until: float, tally: list[int], form: bytes, stored_at: float = NEVER
) -> Ready:
    """The ready reply with these bytes after the ID; several are the orders of an address set that rotates."""
    if len(replies) > 1:
        return Rotating(replies, until, tally, form, stored_at)
    return Ready(replies[0], until, tally, form, stored_at)


def _dated(reply: bytes, base: int, ttls: tuple[tuple[int, int], ...], cap: int, age: int) -> bytes:
    dated = bytearray(reply)
    for offset, ttl in ttls:
        _TTL.pack_into(dated, base + offset, max(0, min(cap, ttl) - age))
    return bytes(dated)


def ready_bytes(query_tail: bytes, kept: Ready) -> int:
    """What a ready reply counts against the budget; all orders of a reply have one length."""
    return _READY_BYTES + len(query_tail) + kept.held_bytes


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

    def put(self, query_tail: bytes, made: Ready) -> None:
        """Keep the reply to a query in canonical form instead of an older one, unless it would take most of the budget.

        Never kept is a reply that is too long for this way in: a listener copies what it finds here without looking.
        """
        older = self._ready.pop(query_tail, None)
        if older is not None:
            self._budget.bytes -= ready_bytes(query_tail, older)
        if made.length <= self._max_reply_bytes and self._budget.spend(ready_bytes(query_tail, made)):
            self._ready[query_tail] = made

    def forget(self, forms: frozenset[bytes]) -> None:
        """Forget the replies that were made from answers whose keys have these forms."""
        for query_tail in [each for each, ready in self._ready.items() if ready.form in forms]:
            self._budget.bytes -= ready_bytes(query_tail, self._ready.pop(query_tail))

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

    def forget(self, keys: frozenset[bytes]) -> None:
        """Forget the replies that were made from answers with these keys: one pass over all tables."""
        forms = frozenset([form_of(key) for key in keys])
        for table in self._tables:
            table.forget(forms)

    def clear(self) -> None:
        """Forget all ready replies: the room is needed, or something they were made from has changed."""
        for table in self._tables:
            table.clear()
        self.bytes = 0
