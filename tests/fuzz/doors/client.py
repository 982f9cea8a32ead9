"""Packets of clients over UDP: two listeners on real sockets, batched and plain, and an engine without ready replies.

All three are asked the same: a packet, the same again (from memory, then ready), a neighbour of it with one octet
changed, and both once more a second later. What the listeners say must be the same to the byte, what the engine says
anew must be the same but for the order of an address set, and each reply must be one that its client can read.

Input: place of the changed octet, what it is changed by, then the packet behind its ID.
"""

import functools
from collections.abc import Iterator
from typing import NoReturn

from resolver.config import Cache
from resolver.listen import batched, mmsg, udp
from resolver.listen.guard import Guard
from resolver.listen.udp import PACKET_BYTES
from resolver.message import codes
from resolver.message.query import HEADER_BYTES, BadPacket, read_query
from resolver.message.reply import room
from tests.cases.recorded import QUERIES
from tests.fuzz.replies import check_reply
from tests.unit.listen.behind import ANSWERS, CLIENT, Behind, answer_all, unordered
from tests.unit.world import Asked, World, zone

PAUSE_SECONDS = 1.25
STEP_SECONDS = 0.125
QUESTION_STEPS = 9
"""A question of this zone takes 0.9 s at most."""


def seeds() -> Iterator[bytes]:
    for packet in QUERIES.values():
        yield b"\2\x20" + packet[2:]
    for label in ANSWERS:
        question = bytes((len(label),)) + label + b"\4shop\0\0\1\0\1"
        yield b"\3\x10\1\0\0\1\0\0\0\0\0\0" + question
        yield b"\x0e\x20\1\0\0\1\0\0\0\0\0\1" + question + b"\0\0\x29\4\xd0\0\0\x80\0\0\0"


class Resolvers:
    """The three, with one idea of the time."""

    def __init__(self) -> None:
        assert mmsg.available
        self.batched, self.plain = Behind(batches=True), Behind(batches=False)
        self.anew = World(zone(".", serve_stale_seconds=20.0), cache=Cache()._replace(prefetch=False))
        self.anew.engine.observe(lambda *_: None)
        for module in (batched, udp):
            module.monotonic = lambda: self.anew.now  # type: ignore[attr-defined]

    def forget(self) -> None:
        for world in (self.batched.world, self.plain.world, self.anew):
            world.engine.flush_all()
            world.sends.clear()

    def go(self, seconds: float) -> None:
        for world in (self.batched.world, self.plain.world, self.anew):
            world.go(seconds)

    def ask(self, packet: bytes) -> bytes | None:
        """The reply that all three agree on, read and found good; None: there is none."""
        for behind in (self.batched, self.plain):
            behind.ask([packet])
        asked = self.anew.ask(packet[:PACKET_BYTES], client=CLIENT)
        first, second = self._replies(asked)
        assert first == second, "batched and plain differ"
        assert len(first) <= 1, "one reply at most"
        assert len(first) == len(asked.replies), "ready or not, there is a reply or there is none"
        if not first:
            assert asked.dropped, "one truthful answer per accepted query, within its second"
            return None
        if first != asked.replies:
            assert unordered(first[0]) == unordered(asked.reply), "ready and anew differ"
        return first[0]

    def _replies(self, asked: Asked) -> tuple[list[bytes], list[bytes]]:
        """What both listeners have sent by the time that the engine has replied."""
        sent: tuple[list[bytes], list[bytes]] = ([], [])
        for _ in range(QUESTION_STEPS):
            for world in (self.batched.world, self.plain.world, self.anew):
                answer_all(world.waiting_sends)
            sent[0].extend(self.batched.received())
            sent[1].extend(self.plain.received())
            if asked.dropped or (asked.replies and sent[0] and sent[1]):
                break
            self.go(STEP_SECONDS)
        return sent


def never_contained() -> None:
    """An exception of the engine ends the listener here: it is what is looked for."""

    def raise_it(self: Guard, client: str, now: float) -> NoReturn:
        raise  # noqa: PLE0704 - inside the except block that called

    Guard._report = raise_it  # type: ignore[method-assign]


@functools.cache
def resolvers() -> Resolvers:
    return Resolvers()


def check(data: bytes) -> None:
    if len(data) < 3:
        return
    place, change, rest = data[0], data[1], data[2 : 2 + 4096]
    packet = b"\x12\x34" + rest
    neighbour = bytearray(packet)
    neighbour[2 + place % len(rest)] ^= change
    never_contained()
    both = resolvers()
    both.forget()
    for asked in (packet, packet, packet, bytes(neighbour), packet):
        _check_reply(asked[:PACKET_BYTES], both.ask(asked))
    both.go(PAUSE_SECONDS)
    for asked in (bytes(neighbour), packet):
        _check_reply(asked[:PACKET_BYTES], both.ask(asked))


def _check_reply(packet: bytes, reply: bytes | None) -> None:
    try:
        query = read_query(packet)
    except BadPacket as rejection:
        assert (reply is None) == (rejection.rcode is None)
        if reply is not None:
            check_reply(reply, packet)
            assert len(reply) <= max(len(packet), HEADER_BYTES) + 11, "no amplification: at most an OPT record more"
        return
    assert reply is not None, "one truthful answer per accepted query"
    message = check_reply(reply, packet)
    assert message.questions == [query.question]
    assert len(reply) <= room(query, tcp=False)
    assert message.flags & codes.RA
    assert not message.flags & codes.AA
