"""The servers the demo's resolver forwards to: authoritative answers over UDP and TCP on loopback, at a distance.

Loopback has no distance, so every answer waits for an artificial delay, in a fixed sequence that makes runs
comparable. TCP connections stay open and answers leave in the order they become ready, as CoreDNS's do (RFC 7766).
Every query is written down as it arrives: the demo's numbers are read from these notes, not computed.
On asyncio, because dnslib's own server closes a TCP connection after one query.
"""

import asyncio
import itertools
import struct
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Literal

from dnslib import EDNS0, QTYPE, RCODE, DNSError, DNSRecord

from resolver.demo.wire import Address, ask
from resolver.demo.zones import Zones

Transport = Literal["UDP", "TCP"]

_PLAIN_UDP_BYTES = 512
_EDNS_UDP_BYTES = 1232
_FORWARD_SECONDS = 2.0
_REMEMBERED_SECONDS = 30.0
_REMEMBERED_ANSWERS = 1000
_ARRIVALS_KEPT = 4096
_PORT_TRIES = 20


@dataclass(frozen=True, slots=True)
class Arrival:
    """One query as it arrived: `name` in lower case with its last dot, `kind` as in "AAAA"."""

    name: str
    kind: str
    transport: Transport


class Server:
    """A name server for `zones` that answers after `delays_seconds`, taken in turn.

    With `forward_to` it passes names outside its zones on and remembers those answers for 30 seconds (their TTL is
    not counted down), as CoreDNS's usual configuration does with `forward` and `cache 30`.
    """

    def __init__(self, zones: Zones, delays_seconds: Sequence[float], forward_to: Address | None = None) -> None:
        self.address: Address = ("127.0.0.1", 0)
        self._zones = zones
        self._delays = itertools.cycle(delays_seconds)
        self._forward_to = forward_to
        self._remembered: dict[tuple[str, int], tuple[float, DNSRecord]] = {}
        self._arrivals: deque[Arrival] = deque(maxlen=_ARRIVALS_KEPT)
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._datagrams: asyncio.DatagramTransport | None = None

    async def open(self) -> None:
        """Listen on 127.0.0.1, on one free port for UDP and TCP; `address` says which. Raises OSError if none is."""
        loop = asyncio.get_running_loop()
        for tries_left in reversed(range(_PORT_TRIES)):
            listener = await asyncio.start_server(self._serve_connection, "127.0.0.1", 0)
            address = listener.sockets[0].getsockname()
            try:
                self._datagrams, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=address)
            except OSError:  # somebody else has this port for UDP
                listener.close()
                if not tries_left:
                    raise
                continue
            self.address, self._listener = address, listener
            return

    async def close(self) -> None:
        """Stop listening and drop the connections and the answers under way."""
        if self._listener is not None:
            self._listener.close()
        if self._datagrams is not None:
            self._datagrams.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def take_arrivals(self) -> list[Arrival]:
        """Return the queries that arrived since the last call (of very many, the latest)."""
        arrivals = list(self._arrivals)
        self._arrivals.clear()
        return arrivals

    def receive_datagram(self, packet: bytes, client: Address) -> None:
        """Start answering a query that came over UDP."""

        async def respond() -> None:
            if (reply := await self._reply(packet, "UDP")) is not None and self._datagrams is not None:
                self._datagrams.sendto(reply, client)

        self._start(respond())

    async def _serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def respond(packet: bytes) -> None:
            if (reply := await self._reply(packet, "TCP")) is not None:
                writer.write(len(reply).to_bytes(2) + reply)

        if (task := asyncio.current_task()) is not None:
            self._own(task)
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(2))
                self._start(respond(await reader.readexactly(length)))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is done
        except asyncio.CancelledError:
            pass  # close() ends this connection; asyncio.start_server of Python 3.11 would log a cancelled handler
        finally:
            writer.close()

    async def _reply(self, packet: bytes, transport: Transport) -> bytes | None:
        """Return the packed reply once its delay is over, None for a packet that is no query."""
        try:
            query = DNSRecord.parse(packet)
        except (DNSError, ValueError, struct.error):
            return None
        if query.header.qr:
            return None
        self._arrivals.append(Arrival(str(query.q.qname).lower(), QTYPE[query.q.qtype], transport))
        await asyncio.sleep(next(self._delays))
        reply = await self._answer(query)
        if edns := next((record for record in query.ar if record.rtype == QTYPE.OPT), None):
            reply.add_ar(EDNS0(udp_len=_EDNS_UDP_BYTES))
        packed = bytes(reply.pack())
        room = max(_PLAIN_UDP_BYTES, edns.edns_len) if edns else _PLAIN_UDP_BYTES
        if transport == "TCP" or len(packed) <= room:
            return packed
        short = query.reply(aa=reply.header.aa)
        short.header.tc = 1
        return bytes(short.pack())

    async def _answer(self, query: DNSRecord) -> DNSRecord:
        if self._forward_to is None or self._zones.own(str(query.q.qname)):
            return self._zones.answer(query)
        now = asyncio.get_running_loop().time()
        key = (str(query.q.qname).lower(), query.q.qtype)
        expires, remembered = self._remembered.get(key, (now, None))
        if remembered is None or expires <= now:
            question = bytes(DNSRecord(query.header, questions=query.questions).pack())
            [packed] = (await ask(self._forward_to, [question], _FORWARD_SECONDS)).packets
            if packed is None:
                failure = query.reply(aa=0)
                failure.header.rcode = RCODE.SERVFAIL
                return failure
            remembered = DNSRecord.parse(packed)
            if len(self._remembered) >= _REMEMBERED_ANSWERS:
                self._remembered.clear()
            self._remembered[key] = (now + _REMEMBERED_SECONDS, remembered)
        reply = query.reply(aa=0)
        reply.header.rcode = remembered.header.rcode
        reply.add_answer(*remembered.rr)
        reply.add_auth(*remembered.auth)
        return reply

    def _start(self, work: Coroutine[object, object, None]) -> None:
        self._own(asyncio.get_running_loop().create_task(work))

    def _own(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: Server) -> None:
        self._server = server

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._server.receive_datagram(data, addr)
