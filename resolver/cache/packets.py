"""Ready replies: a dict from *everything after the ID of a query* to everything after the ID of its reply.

Two clients that send the same bytes get the same bytes, for as long as no TTL changes: at most until the next whole
second of the answer's age. So a hit is one lookup and one concatenation, without reading the query at all. The first
query in each second finds a reply whose TTLs have to be counted down (`Ready.renew`), which is still a fraction of the
normal path. When the shared budget is used up all tables are emptied: everything here can be made again from the store,
at the price of one normal hit each.
"""

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from resolver.message import codes

_TTL = Struct("!I")

_BYTES_OBJECT = 48  # a bytes object's header, rounded up by the allocator, and the reference to it
_READY_BYTES = 250  # measured: a Ready, its slot in the dict, the object headers of key and reply


class Renewal(NamedTuple):
    """What a ready reply was made from, as far as counting its TTLs down needs it. Shared with the stored answer."""

    key: bytes
    """Of the answer in the store, which must still be the one stored at `stored_at`."""
    stored_at: float
    base: int
    """Where the answer's sections begin in the reply without its ID."""
    ttls: tuple[tuple[int, int], ...]
    """(offset in the sections, TTL in seconds when the answer was stored) of the records in the reply."""
    cap: int


class Ready:
    """A reply that is good until `until` (monotonic seconds)."""

    __slots__ = ("_position", "renewal", "replies", "reply", "tally", "until")

    def __init__(
        self, replies: tuple[bytes, ...], until: float, tally: list[int], renewal: Renewal | None = None
    ) -> None:
        self.reply = replies[0]
        """Everything after the ID."""
        self.replies = replies if len(replies) > 1 else None
        """The same in all its orders, where an address set rotates."""
        self.until = until
        self.tally = tally
        """The counter of this kind of reply; whoever sends it adds one to its only item."""
        self.renewal = renewal
        """None: it cannot be renewed, its successor has to be made from the store."""
        self._position = 0

    def renew(self, renewal: Renewal, age: int) -> None:
        """Count the TTLs down to an answer that is `age` whole seconds old."""
        if self.replies is None:
            self.reply = _dated(self.reply, renewal, age)
        else:
            self.replies = tuple(_dated(reply, renewal, age) for reply in self.replies)
        self.until = renewal.stored_at + age + 1

    def next(self) -> bytes:
        """The reply to send now: each order in turn."""
        replies = self.replies
        if replies is None:
            return self.reply
        position = self._position
        self._position = position + 1 if position + 1 < len(replies) else 0
        return replies[position]


def _dated(reply: bytes, renewal: Renewal, age: int) -> bytes:
    _, _, base, ttls, cap = renewal
    if len(ttls) == 1:  # nearly always: one record, and no copy for patching it
        offset, ttl = ttls[0]
        at = base + offset
        left = (min(cap, ttl)) - age
        return reply[:at] + _TTL.pack(max(0, left)) + reply[at + 4 :]
    dated = bytearray(reply)
    for offset, ttl in ttls:
        left = (min(cap, ttl)) - age
        _TTL.pack_into(dated, base + offset, max(0, left))
    return bytes(dated)


def ready_bytes(query_tail: bytes, replies: tuple[bytes, ...]) -> int:
    """What a ready reply counts against the budget; all orders of a reply have one length."""
    return _READY_BYTES + len(query_tail) + len(replies) * (_BYTES_OBJECT + len(replies[0]))


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

    def put(
        self,
        query_tail: bytes,
        replies: tuple[bytes, ...],
        until: float,
        tally: list[int],
        renewal: Renewal | None = None,
    ) -> None:
        """Keep the reply to these query bytes instead of an older one, unless it would take most of the budget.

        Never kept is a reply that is too long for this way in: a listener copies what it finds here without looking.
        """
        older = self._ready.pop(query_tail, None)
        if older is not None:
            self._budget.bytes -= ready_bytes(query_tail, older.replies or (older.reply,))
        fits = len(replies[0]) <= self._max_reply_bytes
        if fits and self._budget.spend(ready_bytes(query_tail, replies)):
            self._ready[query_tail] = Ready(replies, until, tally, renewal)

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
