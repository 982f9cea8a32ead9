"""What is turned away without a look into the cache: packets that are no query, kinds of questions, clients, names."""

from resolver.message import codes
from resolver.message.query import BadPacket, Query, read_query, salvage
from resolver.message.reply import Ede, write_failure, write_rejection
from resolver.outcome import Drop, Observer, Reply, Source, Via
from resolver.tally import Tallies

NO_DATA_TYPES = {
    codes.OPT: codes.FORMERR, codes.TSIG: codes.NOTIMP, codes.TKEY: codes.NOTIMP, codes.MAILA: codes.NOTIMP,
    codes.MAILB: codes.NOTIMP, codes.AXFR: codes.REFUSED, codes.IXFR: codes.REFUSED,
}  # fmt: skip
"""Types of the packet (RFC 6891), of transactions (RFC 8945, 2930), of transfers, and obsolete ones; their rcodes."""
_NO_ZONE = Ede(codes.EDE_OTHER, "no zone is configured for this name")
_NOT_IN = Ede(codes.EDE_NOT_SUPPORTED, "only class IN is served")
_NOT_ADMITTED = Ede(codes.EDE_PROHIBITED)


class Rejections:
    """Writes, counts and shows them. `observer`: the query log, if there is one."""

    def __init__(self, tallies: Tallies) -> None:
        self._tallies = tallies
        self.observer: Observer | None = None

    def of_packet(self, packet: bytes, rejection: BadPacket, client: str, via: Via) -> Reply | Drop:
        """`read_query` has refused these bytes; some of them get no reply at all."""
        reply = write_rejection(packet, rejection)
        if reply is None or rejection.rcode is None:
            self._tallies.dropped[Drop.NOT_A_QUERY] += 1
            return Drop.NOT_A_QUERY
        self._tallies.cell("", via, 0, rejection.rcode, Source.REJECTED, "failure")[0] += 1
        if self.observer is not None:
            self.observer(salvage(packet), reply, client, via, Source.REJECTED, 0.0)
        return Reply(reply)

    def of_kind(self, query: Query, client: str, via: Via) -> Reply:
        """A class other than IN, or one of NO_DATA_TYPES."""
        if query.qclass != codes.CLASS_IN:
            return self._reply(query, codes.REFUSED, _NOT_IN, client, via)
        return self._reply(query, NO_DATA_TYPES[query.qtype], None, client, via)

    def of_client(self, packet: bytes, client: str, via: Via) -> Reply | Drop:
        """A client that `listen.allowedClients` does not admit (RFC 8914 code 18)."""
        try:
            query = read_query(packet)
        except BadPacket as rejection:
            return self.of_packet(packet, rejection, client, via)
        return self._reply(query, codes.REFUSED, _NOT_ADMITTED, client, via)

    def without_zone(self, query: Query, client: str, via: Via) -> Reply:
        """A name for which nobody is configured."""
        return self._reply(query, codes.REFUSED, _NO_ZONE, client, via)

    def _reply(self, query: Query, rcode: int, ede: Ede | None, client: str, via: Via) -> Reply:
        reply = write_failure(query, rcode, ede, keepalive_seconds=via.keepalive_seconds)
        self._tallies.cell("", via, query.qtype, rcode, Source.REJECTED, "failure")[0] += 1
        if self.observer is not None:
            self.observer(query, reply, client, via, Source.REJECTED, 0.0)
        return Reply(reply)
