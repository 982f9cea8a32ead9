"""However a query is answered, it gets the same reply: by a listener with ready replies, or read and answered anew.

Two resolvers live through the same: one behind a listener on a real socket, the other without ready replies, since its
queries are observed. Only the order of an address set may differ, as each resolver keeps its own turns.
"""

import contextlib
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resolver.config import Cache
from resolver.listen import batched, mmsg, udp
from resolver.listen.sockets import open_udp
from resolver.message import codes
from tests.unit.builders import raw_record
from tests.unit.listen.fakes import UdpClient
from tests.unit.spellings import packets
from tests.unit.walker import walk
from tests.unit.world import Asked, Sent, World, zone

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
NAMES = st.sampled_from([bytes((len(label),)) + label + b"\4shop\0" for label in ANSWERS])
FLIPS = st.tuples(
    st.sampled_from([3, 3, 2, -4, -4, -7, -8, -1, 13, 14]) | st.integers(2, 60),
    st.sampled_from([0x80, 0x20, 0x20, 0x10, 0x10, 8, 4, 2, 1]),
)
STEPS = st.lists(
    st.lists(packets(NAMES), min_size=1, max_size=4) | FLIPS | FLIPS | st.sampled_from([0.3, 0.9, 1.0, 2.5, 40.0]),
    min_size=2, max_size=12,
)  # fmt: skip
"""Packets that come together, the latest once more with a bit flipped (octet, bit), or seconds that pass."""


def flipped(packet: bytes, at: int, bit: int) -> bytes:
    """The packet with one bit changed, where it is long enough."""
    if not -len(packet) <= at < len(packet):
        return packet
    changed = bytearray(packet)
    changed[at] ^= bit
    return bytes(changed)


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


class Both:
    """The two resolvers, asked the same."""

    def __init__(self, *, batches: bool) -> None:
        self.behind = Behind(batches=batches)
        self.anew = World(zone(".", serve_stale_seconds=20.0), cache=Cache()._replace(prefetch=False))
        self.anew.engine.observe(lambda *_: None)
        self._asked: list[Asked] = []
        self._number = 0

    def ask(self, packets: list[bytes]) -> None:
        """Packets that come together, each with an ID of its own."""
        numbered = [(self._number + at).to_bytes(2, "big") + packet[2:] for at, packet in enumerate(packets)]
        self._number += len(packets)
        self.behind.ask(numbered)
        self._asked += [self.anew.ask(packet, client=CLIENT) for packet in numbered]
        self.compare()

    def go(self, seconds: float) -> None:
        self.behind.world.go(seconds)
        self.anew.go(seconds)
        self.compare()

    def compare(self) -> None:
        """Let the servers answer; what both have replied since the last time must be the same."""
        answer_all(self.behind.world.waiting_sends)
        answer_all(self.anew.waiting_sends)
        got, expected = self.behind.received(), sorted(reply for each in self._asked for reply in each.replies)
        self._asked = [each for each in self._asked if not each.replies and not each.dropped]
        assert [reply for reply in got if not walk(reply).section("answer")] == [
            reply for reply in expected if not walk(reply).section("answer")
        ]
        assert [unordered(reply) for reply in got] == [unordered(reply) for reply in expected]


@pytest.mark.parametrize("batches", [True, False], ids=["batched", "plain"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(steps=STEPS)
def test_any_query_gets_the_same_reply_ready_or_not(
    monkeypatch: pytest.MonkeyPatch, batches: bool, steps: list[list[bytes] | tuple[int, int] | float]
) -> None:
    assert mmsg.available
    both = Both(batches=batches)
    for module in (batched, udp):
        monkeypatch.setattr(module, "monotonic", lambda: both.behind.world.now)
    latest: list[bytes] = []
    with contextlib.closing(both.behind):
        for step in steps:
            if isinstance(step, float):
                both.go(step)
                both.ask(latest)
            elif isinstance(step, list):
                latest = step
                both.ask(latest)  # looked up
                both.ask(latest)  # found in the store, and ready from now on
                both.ask(latest)
            else:
                both.ask([packet for each in latest for packet in (flipped(each, *step), each)])


def test_each_order_of_a_set_has_its_turn_ready_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    behind = Behind(batches=True)
    anew = World(zone("."))
    anew.engine.observe(lambda *_: None)
    monkeypatch.setattr(batched, "monotonic", lambda: behind.world.now)
    query = b"\0\7\1\0\0\1\0\0\0\0\0\0\3set\4shop\0\0\1\0\1"
    seen: tuple[set[bytes], set[bytes]] = (set(), set())
    with contextlib.closing(behind):
        for _ in range(7):
            behind.ask([query])
            answer_all(behind.world.waiting_sends)
            seen[0].update(behind.received())
            asked = anew.ask(query, client=CLIENT)
            answer_all(anew.waiting_sends)
            seen[1].add(asked.reply)
    assert seen[0] == seen[1]
    assert len(seen[0]) == 3
