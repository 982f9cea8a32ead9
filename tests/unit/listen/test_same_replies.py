"""However a query is answered, it gets the same reply: by a listener with ready replies, or read and answered anew.

Two resolvers live through the same: one behind a listener on a real socket, the other without ready replies, since its
queries are observed. Only the order of an address set may differ, as each resolver keeps its own turns.
"""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resolver.config import Cache
from resolver.listen import batched, mmsg, udp
from tests.unit.listen.behind import ANSWERS, CLIENT, Behind, answer_all, unordered
from tests.unit.spellings import packets
from tests.unit.walker import walk
from tests.unit.world import Asked, World, zone

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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(steps=STEPS)
def test_any_query_gets_the_same_reply_ready_or_not(
    monkeypatch: pytest.MonkeyPatch, steps: list[list[bytes] | tuple[int, int] | float]
) -> None:
    """By either listener: thinking up what happens takes longer than living through it twice."""
    assert mmsg.available
    for batches in (True, False):
        live_through(Both(batches=batches), monkeypatch, steps)


def live_through(
    both: Both, monkeypatch: pytest.MonkeyPatch, steps: list[list[bytes] | tuple[int, int] | float]
) -> None:
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
