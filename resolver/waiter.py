"""Clients that wait for a lookup: each gets one reply, from what the flight brought home or from an expired answer."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from resolver.cache.store import Entry
from resolver.message import codes
from resolver.message.answer import Answer
from resolver.message.reply import Ede, write_failure
from resolver.outcome import Pending


class Landed(NamedTuple):
    """What a flight brought home: an answer (and its entry, where it is remembered), or the reason of a failure."""

    answer: Answer | None
    entry: Entry | None
    ede: Ede | None


DEFECT = Landed(None, None, Ede(codes.EDE_OTHER, "the answer could not be handled"))


class Writer(Protocol):
    """What a waiter needs of the engine."""

    def write_landed(self, pending: Pending, landed: Landed) -> bytes:
        """The reply to a query whose flight has landed."""

    def write_stale(self, pending: Pending, entry: Entry) -> bytes:
        """A reply from an expired answer."""


class Waiter:
    """One client's interest in a flight; it gets one reply, whichever comes first: the landing or the stale answer."""

    __slots__ = ("_engine", "_pending", "_respond")

    def __init__(self, engine: Writer, pending: Pending, respond: Callable[[bytes], None]) -> None:
        self._engine = engine
        self._pending: Pending | None = pending
        self._respond = respond

    def landed(self, landed: Landed) -> None:
        """The flight is home."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        try:
            reply = self._engine.write_landed(pending, landed)
        except Exception:
            self._fail(pending)
            raise
        self._respond(reply)

    def serve_stale(self, _now: float) -> None:
        """The client has waited for a fresh answer long enough (RFC 8767 section 5)."""
        pending, self._pending = self._pending, None
        if pending is None or pending.stale is None:
            return
        try:
            reply = self._engine.write_stale(pending, pending.stale)
        except Exception:
            self._fail(pending)
            raise
        self._respond(reply)

    def _fail(self, pending: Pending) -> None:
        """Whoever waits gets a reply even if writing it has failed; the listener keeps a place for it until then."""
        self._respond(write_failure(pending.query, codes.SERVFAIL))
