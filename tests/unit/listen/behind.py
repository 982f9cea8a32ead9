"""A resolver behind a UDP listener on a real socket that is read when the test says so, and a server that knows all."""

import contextlib
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Any, cast

from resolver.config import Cache
from resolver.listen import batched, udp
from resolver.listen.sockets import open_udp
from resolver.message import codes
from tests.unit.builders import raw_record
from tests.unit.listen.fakes import UdpClient
from tests.unit.walker import walk
from tests.unit.world import Sent, World, zone

CLIENT = "127.0.0.1"
OWNER = b"\xc0\x0c"
SOA_DATA = b"\0\0" + b"".join(number.to_bytes(4, "big") for number in (1, 3600, 600, 86400, 4))


def said(qtype: int, *addresses: tuple[int, int], rcode: int = 0, soa: bool = False, ad: bool = False) -> bytes:
    """A server's answer after its ID and question: records of (last octet of the address, TTL)."""
    size = {codes.A: 4, codes.AAAA: 16}.get(qtype, 5)
    records = [raw_record(OWNER, qtype, b"\4" + bytes((octet,)) * (size - 1), ttl) for octet, ttl in addresses]
    if soa:
        records.append(raw_record(b"\0", codes.SOA, SOA_DATA, 9))
    counts = (1, len(addresses), int(soa), 0)
    flags = 0x8180 | rcode | (codes.AD if ad else 0)
    return b"".join(part.to_bytes(2, "big") for part in (flags, *counts)) + b"%b" + b"".join(records)


ANSWERS: dict[bytes, Callable[[int], bytes]] = {
    b"one": lambda qtype: said(qtype, (1, 5)),
    b"true": lambda qtype: said(qtype, (1, 3), ad=True),
    b"set": lambda qtype: said(qtype, (1, 4), (2, 4), (3, 4)),
    b"odd": lambda qtype: said(qtype, (1, 4), (2, 60), (3, 9)),
    b"many": lambda qtype: said(qtype, *((octet, 4) for octet in range(1, 12))),
    b"big": lambda qtype: said(qtype, *((octet, 30) for octet in range(1, 60))),
    b"zero": lambda qtype: said(qtype, (1, 0)),
    b"none": lambda _: said(codes.A, rcode=codes.NXDOMAIN, soa=True),
    b"nodata": lambda _: said(codes.A, soa=True),
    b"fail": lambda _: said(codes.A, rcode=codes.SERVFAIL),
    b"silent": lambda _: b"",
}


def answer_all(sends: list[Sent]) -> None:
    """The server says what it knows; about `silent` it says nothing."""
    for sent in sends:
        label = sent.question[1 : 1 + sent.question[0]]
        packet = ANSWERS.get(label, ANSWERS[b"none"])(sent.qtype)
        if packet:
            header, _, records = packet.partition(b"%b")
            sent.answer(b"\0\0" + header + sent.question + records)


class Behind:
    """A resolver behind a listener on a real socket, which is read when the test says so."""

    def __init__(self, *, batches: bool) -> None:
        self.world = World(zone(".", serve_stale_seconds=20.0), cache=Cache()._replace(prefetch=False))
        self._sock = open_udp(CLIENT, 0)
        kind = batched.BatchedUdpListener if batches else udp.UdpListener
        loop = cast("AbstractEventLoop", self.world.loop)
        engine = self.world.engine
        self.listener = kind(loop, self._sock, engine, engine.via(tcp=False, family=4))
        self._client = UdpClient(self.listener)

    def close(self) -> None:
        self._client.sock.close()
        self._sock.close()

    def ask(self, packets: list[bytes]) -> None:
        for packet in packets:
            self._client.send(packet)
        while self.listener.read_batch():
            pass

    def received(self) -> list[bytes]:
        self.world.go(0)
        replies = []
        with contextlib.suppress(BlockingIOError):
            while True:
                replies.append(self._client.sock.recv(65535))
        return sorted(replies)


def unordered(reply: bytes) -> Any:
    """A reply in which the order of the records does not matter."""
    message = walk(reply)
    return message.id, message.flags, message.questions, sorted(message.records)
