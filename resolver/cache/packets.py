"""Ready replies: a dict from *everything after the ID of a query* to everything after the ID of its reply.

Two clients that send the same bytes get the same bytes, for as long as no TTL changes: at most until the next whole
second of the answer's age. So a hit is one lookup and one concatenation, without reading the query at all; the first
query in each second takes the normal path and leaves its reply here. When the shared budget is used up all tables are
emptied: everything here can be made again from the store, at the price of one normal hit each.
"""

from collections.abc import Callable

_BYTES_OBJECT = 48  # a bytes object's header, rounded up by the allocator, and the reference to it
_READY_BYTES = 350  # measured: a Ready, its slot in the dict, the object headers of key and reply


class Ready:
    """A reply that is good until `until` (monotonic seconds)."""

    __slots__ = ("position", "replies", "tally", "until")

    def __init__(self, replies: tuple[bytes, ...], until: float, tally: list[int]) -> None:
        self.replies = replies
        """Everything after the ID; more than one where an address set rotates."""
        self.until = until
        self.tally = tally
        """The counter of this kind of reply; whoever sends it adds one to its only item."""
        self.position = 0

    def next(self) -> bytes:
        """The reply to send now: each in turn."""
        replies = self.replies
        if len(replies) == 1:
            return replies[0]
        position = self.position
        self.position = position + 1 if position + 1 < len(replies) else 0
        return replies[position]


def ready_bytes(query_tail: bytes, replies: tuple[bytes, ...]) -> int:
    """What a ready reply counts against the budget; all orders of a reply have one length."""
    return _READY_BYTES + len(query_tail) + len(replies) * (_BYTES_OBJECT + len(replies[0]))


class Packets:
    """Ready replies of one way in (replies over UDP and TCP differ in size and options)."""

    def __init__(self, budget: "Budget") -> None:
        self._budget = budget
        self._ready: dict[bytes, Ready] = {}
        self.get: Callable[[bytes], Ready | None] = self._ready.get
        """The ready reply to a query's bytes after the ID, or None; mind its `until`."""

    def __len__(self) -> int:
        return len(self._ready)

    def put(self, query_tail: bytes, replies: tuple[bytes, ...], until: float, tally: list[int]) -> None:
        """Keep the reply to these query bytes instead of an older one, unless it would take most of the budget."""
        older = self._ready.pop(query_tail, None)
        if older is not None:
            self._budget.bytes -= ready_bytes(query_tail, older.replies)
        if self._budget.spend(ready_bytes(query_tail, replies)):
            self._ready[query_tail] = Ready(replies, until, tally)

    def clear(self) -> None:
        """Forget all; the budget does this."""
        self._ready.clear()


class Budget:
    """The bytes that the tables of all ways in may take together."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._tables: list[Packets] = []

    def table(self) -> Packets:
        """A new, empty table within this budget."""
        self._tables.append(Packets(self))
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
