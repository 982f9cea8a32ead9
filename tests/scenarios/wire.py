"""A scenario's world made of sockets: its clients and its servers, around a real resolver on loopback.

One thread and one selector per play. Servers of the scenario listen on a port of their own over UDP and TCP and say
only what the player tells them. Time is real, unless the resolver's clock can be set forward (`Peer.jump`).
"""

import contextlib
import itertools
import os
import selectors
import socket
import struct
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Protocol

from dnslib import QTYPE, DNSRecord

from resolver.config import Transport
from resolver.message import names
from resolver.upstream.transport import Problem
from tests.scenarios.language import ScenarioError
from tests.scenarios.stage import Settings, servers_of
from tests.unit.builders import parsed
from tests.unit.world import CLIENT, Asked

PATIENCE_SECONDS = 20.0
"""For what is expected to come; a bound that ends a hopeless wait."""
HASTE_SECONDS = 1.0
"""Where a difference is expected, which often is that nothing comes."""
REST_SECONDS = 0.03
_TURN_SECONDS = 0.25  # nothing changes but by what is read, which ends a turn at once
_plays = itertools.count()
_RST = struct.pack("ii", 1, 0)


class Peer(Protocol):
    """A resolver that runs."""

    place: tuple[str, int]
    """Where it answers."""
    exact: bool
    reasons: frozenset[str] | None
    """The extended errors it promises; None: those of the stories."""

    def jump(self, seconds: int) -> bool:
        """Set its clock forward; False: it has none of its own."""

    def stop(self) -> None:
        """End it."""


class WireQuery:
    """A query as one of the scenario's servers got it."""

    def __init__(self, server: str, transport: Transport, packet: bytes, send: Callable[[bytes | None], None]) -> None:
        self.server = server
        self.transport = transport
        self.question = packet[12 : packet.index(b"\0", 12) + 5]
        self._packet = packet
        self._send = send

    @cached_property
    def _record(self) -> DNSRecord:
        return parsed(self._packet)

    @property
    def flags(self) -> int:
        return int.from_bytes(self._packet[2:4], "big")

    @property
    def edns(self) -> bool:
        return any(rr.rtype == QTYPE.OPT for rr in self._record.ar)

    @property
    def dnssec_ok(self) -> bool:
        return any(rr.rtype == QTYPE.OPT and rr.ttl & 0x8000 for rr in self._record.ar)

    @property
    def name(self) -> str:
        return names.to_text(self.question[:-4].lower())

    @property
    def qtype(self) -> int:
        return int(self._record.q.qtype)

    def answer(self, packet: bytes) -> None:
        """Send it. The ID of `packet` is added to that of the query: 0 for the right one."""
        ident = int.from_bytes(self._packet[:2], "big") + int.from_bytes(packet[:2], "big")
        self._send((ident & 0xFFFF).to_bytes(2, "big") + packet[2:])

    def fail(self, problem: Problem) -> None:
        """A reset connection or silence; ScenarioError for what cannot be played once a query has come."""
        if problem is Problem.RESET and self.transport is Transport.TCP:
            self._send(None)
        elif problem is not Problem.SILENT:
            raise ScenarioError(f"cannot be played over {self.transport.value}: {problem.name}")


class WireWorld:
    """The resolver that `start` makes of the settings, and all around it, on an address of loopback of its own."""

    def __init__(
        self, settings: Settings, start: Callable[[Settings, str, Mapping[str, int]], Peer], patience_seconds: float
    ) -> None:
        self._patience_seconds = patience_seconds
        self._address = _own_address()
        self.queries: list[Any] = []
        self._selector = selectors.DefaultSelector()
        self._asked: list[Asked] = []
        servers = dict.fromkeys(server for zone in settings.zones for server in servers_of(zone))
        ports = {server: self._serve(server) for server in servers}
        try:
            self._peer = start(settings, self._address, ports)
        except BaseException:
            self._close_sockets()
            raise
        self.exact, self.reasons = self._peer.exact, self._peer.reasons
        self._started_at, self._passed_seconds = time.monotonic(), 0.0

    @property
    def ttl_slack(self) -> int:
        """A second of rounding, and those in which the machine did something else."""
        return 1 + int(time.monotonic() - self._started_at - self._passed_seconds)

    def close(self) -> None:
        self._peer.stop()
        self._close_sockets()

    def _close_sockets(self) -> None:
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    # As the player wants it

    def ask(self, packet: bytes, *, tcp: bool = False, client: str = CLIENT) -> Asked:
        if client != CLIENT:
            raise ScenarioError("clients have one address here")
        asked = Asked(packet)
        self._asked.append(asked)
        sock = socket.socket(type=socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        sock.connect(self._peer.place)
        sock.sendall(struct.pack("!H", len(packet)) + packet if tcp else packet)
        if tcp:
            self._watch(sock, self._frames(sock, lambda frame, _: asked.replies.append(frame)))
        else:
            self._watch(sock, lambda: asked.replies.append(sock.recv(65535)))
        return asked

    def go(self, seconds: float) -> None:
        nobody_waits = all(asked.replies for asked in self._asked)
        if seconds >= 1 and nobody_waits and self._peer.jump(int(seconds)):
            seconds -= int(seconds)
        self._passed_seconds += seconds
        self._until(time.monotonic() + seconds)

    def settle(self, condition: Callable[[], bool]) -> None:
        give_up = time.monotonic() + self._patience_seconds
        while not condition() and time.monotonic() < give_up:
            self._turn(_TURN_SECONDS)

    def rest(self) -> None:
        self._until(time.monotonic() + REST_SECONDS)

    def flush(self, name: bytes, *, below: bool) -> None:
        raise ScenarioError("there is no flush over the wire")

    # Sockets

    def _serve(self, server: str) -> int:
        """A server's port, UDP and TCP."""
        udp, tcp = bound_pair(self._address)
        tcp.listen(64)
        self._watch(udp, lambda: self._datagram(server, udp))
        self._watch(tcp, lambda: self._accept(server, tcp))
        return int(udp.getsockname()[1])

    def _datagram(self, server: str, sock: socket.socket) -> None:
        packet, client = sock.recvfrom(65535)

        def send(answer: bytes | None) -> None:
            if answer is not None:
                sock.sendto(answer, client)

        self.queries.append(WireQuery(server, Transport.UDP, packet, send))

    def _accept(self, server: str, listener: socket.socket) -> None:
        sock, _ = listener.accept()

        def send(answer: bytes | None) -> None:
            with contextlib.suppress(OSError):
                if answer is None:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
                    self._forget(sock)
                else:
                    sock.sendall(struct.pack("!H", len(answer)) + answer)

        def on_frame(frame: bytes, _: socket.socket) -> None:
            self.queries.append(WireQuery(server, Transport.TCP, frame, send))

        self._watch(sock, self._frames(sock, on_frame))

    def _frames(self, sock: socket.socket, on_frame: Callable[[bytes, socket.socket], None]) -> Callable[[], None]:
        """What reads a connection and hands over each message of it."""
        held = bytearray()

        def read() -> None:
            data = sock.recv(65536)
            if not data:
                self._forget(sock)
            held.extend(data)
            while len(held) > 1 and len(held) >= 2 + (held[0] << 8 | held[1]):
                end = 2 + (held[0] << 8 | held[1])
                frame = bytes(held[2:end])
                del held[:end]
                on_frame(frame, sock)

        return read

    def _watch(self, sock: socket.socket, read: Callable[[], None]) -> None:
        self._selector.register(sock, selectors.EVENT_READ, read)

    def _forget(self, sock: socket.socket) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(sock)
        sock.close()

    def _until(self, when: float) -> None:
        while (left := when - time.monotonic()) > 0:
            self._turn(left)

    def _turn(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            try:
                key.data()
            except OSError:
                self._forget(key.fileobj)  # type: ignore[arg-type]


def _own_address() -> str:
    """An address of loopback that no other play has: what is free there stays free until it is used."""
    number = next(_plays)
    return f"127.{64 + os.getpid() % 128}.{number // 250 % 250}.{1 + number % 250}"


def bound_pair(address: str) -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket on one port that is free for both."""
    while True:
        tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        try:
            tcp.bind((address, 0))
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
        else:
            return udp, tcp
