"""The engine as listeners call it: no exception comes out, so no packet can stop a listener.

The engine is not supposed to raise. If it does for one packet, that is a defect to be counted, to be logged (at most
once per second) and to be answered with SERVFAIL, while all other packets go on as before.
"""

import logging

from resolver.engine import Engine
from resolver.message import codes
from resolver.message.query import BadPacket, read_query
from resolver.message.reply import write_failure
from resolver.outcome import Drop, Outcome, Pending, Reply, Via

_log = logging.getLogger(__name__)
_LOG_INTERVAL_SECONDS = 1.0


class Guard:
    """One per listener."""

    def __init__(self, engine: Engine, via: Via) -> None:
        self.failures = 0
        """How many packets made the engine raise."""
        self._engine = engine
        self._via = via
        self._next_log = 0.0

    def outcome(self, packet: bytes, client: str, now: float) -> Outcome:
        """What the engine makes of a packet, after `listen.allowedClients`."""
        try:
            if self._engine.restricted and not self._engine.allows(client):
                return self._engine.refuse(packet, client, self._via)
            return self._engine.answer(packet, client, self._via, now)
        except Exception:  # noqa: BLE001 - see the module
            self._report(client, now)
            reply = _servfail(packet)
            return Drop.NOT_A_QUERY if reply is None else Reply(reply)

    def ask(self, pending: Pending, now: float) -> None:
        """Have the engine look up what is pending; its `respond` is called in any case."""
        try:
            self._engine.ask(pending)
        except Exception:  # noqa: BLE001 - see the module
            self._report(pending.client, now)
            pending.answer(write_failure(pending.query, codes.SERVFAIL))

    def _report(self, client: str, now: float) -> None:
        """Inside an except block only."""
        self.failures += 1
        if now >= self._next_log:
            self._next_log = now + _LOG_INTERVAL_SECONDS
            _log.exception("a query from %s could not be handled (%d so far)", client, self.failures)


def _servfail(packet: bytes) -> bytes | None:
    try:
        return write_failure(read_query(packet), codes.SERVFAIL)
    except BadPacket:
        return None
