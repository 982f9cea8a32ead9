"""Probes: servers that are down are asked whether they are back, so that no client has to find out."""

from resolver.message.answer import read_answer
from resolver.message.ask import write_query
from resolver.message.query import BadPacket
from resolver.upstream.lookup import Lookups
from resolver.upstream.server import Server
from resolver.upstream.transport import Problem


class Prober:
    """Asks servers that are down whether they are back: `. NS`, to which any readable response will do."""

    PROBE_KEY = b"\0\0\2\0\1\0"

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups

    def probe(self, server: Server) -> None:
        """Send a probe if one is due."""
        if server.probing or not server.health.take_probe(self._lookups.clock()):
            return
        server.probing = True
        _Probe(self._lookups, server).start()


class _Probe:
    """One probe under way. Implements `transport.Attempt`."""

    __slots__ = ("_lookups", "_over", "_sent_at", "_server", "_ticket")

    SECONDS = 1.0

    def __init__(self, lookups: Lookups, server: Server) -> None:
        self._lookups = lookups
        self._server = server
        self._sent_at = lookups.clock()
        self._over = False

    def start(self) -> None:
        question = Prober.PROBE_KEY[:-1]
        query = write_query(question, dnssec_ok=False, checking_disabled=False)
        self._ticket = self._server.channel.send(query, question, self)
        self._lookups.timers.at(self._sent_at + self.SECONDS, self._time_is_up)

    def answered(self, packet: bytes) -> None:
        """See `transport.Attempt`."""
        try:
            read_answer(packet, Prober.PROBE_KEY[:-1])
        except BadPacket:
            self.failed(Problem.MALFORMED)
            return
        self._end()
        now = self._lookups.clock()
        if self._server.health.succeeded(now, now - self._sent_at):
            self._lookups.on_health(self._server)

    def failed(self, problem: Problem) -> None:
        """See `transport.Attempt`."""
        self._end()
        if problem is not Problem.BACKING_OFF:
            self._lookups.failed(self._server)

    def _time_is_up(self, now: float) -> None:
        if not self._over:
            self._end()
            self._ticket.silent()
            self._ticket.cancel()
            self._lookups.failed(self._server)

    def _end(self) -> None:
        self._over, self._server.probing = True, False
