"""Ready replies: the same as those written anew, for as long as these would be the same, and counted like them."""

import pytest

from resolver.message.query import Query
from resolver.outcome import Source, Via
from tests.unit.builders import (
    SOA,
    addresses,
    answer_packet,
    parsed,
    query_packet,
    shown,
)
from tests.unit.remembered import GOOD, WEB, knowing
from tests.unit.world import counts, zone


@pytest.mark.parametrize(
    "said", [GOOD, answer_packet(rcode="NXDOMAIN", authority=[SOA]), answer_packet(authority=[SOA])]
)
@pytest.mark.parametrize("tcp", [False, True])
def test_a_ready_reply_equals_the_normal_one_but_for_the_id(said: bytes, tcp: bool) -> None:
    world = knowing(said)
    world.go(3.5)
    packets = [query_packet(edns=1232, ident=ident) for ident in (1, 2, 0xFFFF)]
    normal, *ready = [world.ask(packet, tcp=tcp) for packet in packets]
    assert [asked.from_ready for asked in (normal, *ready)] == [False, True, True]
    for packet, asked in zip(packets[1:], ready, strict=True):
        assert asked.reply == packet[:2] + normal.reply[2:]


def test_a_ready_reply_counts_its_ttl_down_to_the_second() -> None:
    world = knowing()
    world.go(3.5)
    seen = []
    for pause in (0.0, 0.0, 0.49, 0.02, 0.0):
        world.go(pause)
        asked = world.ask(WEB)
        seen.append((asked.from_ready, parsed(asked.reply).rr[0].ttl))
    assert seen == [(False, 27), (True, 27), (True, 27), (True, 26), (True, 26)]


def test_other_bytes_or_another_way_in_are_another_ready_reply() -> None:
    world = knowing()
    world.ask(WEB)
    assert not world.ask(WEB, tcp=True).from_ready
    assert not world.ask(WEB, client="fd00::1").from_ready
    assert not world.ask(query_packet("WEB.shop.", edns=1232)).from_ready
    assert world.ask(WEB).from_ready


def test_all_spellings_of_a_question_share_one_ready_reply() -> None:
    world = knowing()
    world.ask(query_packet("wEB.shop.", edns=1232, options=[(10, b"first 8b")]))
    before, via = counts(world), world.engine.via(tcp=False, family=4)
    assert len(via.ready) == 1
    assert world.ask(WEB).from_ready
    for number in range(5):
        spelling = query_packet("WEb.SHop.", edns=4096, ident=number, options=[(10, b"%8d" % number), (12, b"\0" * 9)])
        reply = world.ask(spelling).reply
        assert reply[:2] == spelling[:2]
        assert reply[12:26] == spelling[12:26]
        assert reply[2:12] + reply[26:] == world.ask(WEB).reply[2:12] + world.ask(WEB).reply[26:]
    assert len(via.ready) == 1
    assert counts(world)["cache", 0] == before["cache", 0] + 1 + 5 * 3
    assert sum(world.engine.tallies.hit_durations.counts) == 5


@pytest.mark.parametrize("end", ["removed", "replaced", "cleared", "evicted"])
def test_a_ready_reply_ends_with_its_second_once_its_answer_is_gone(end: str) -> None:
    world = knowing()
    world.ask(WEB)
    assert world.ask(WEB).from_ready
    store = world.engine.store
    (entry,) = store
    if end == "removed":
        store.remove(entry.key)
    elif end == "cleared":
        store.clear()
    elif end == "evicted":
        store.resize(1)
        assert len(store) == 0
    else:
        world.go(0.5)
        store.put(entry.key, entry.answer, zone(), ".", "ns1", world.now)
    world.go(1.0)
    asked = world.ask(WEB)
    assert not asked.from_ready
    assert bool(asked.replies) is (end == "replaced")


def test_addresses_take_turns_whichever_way_the_reply_comes() -> None:
    for asks_per_second in (1, 2, 3, 5):
        world = knowing(answer_packet(answers=addresses(3)))
        first: dict[str, int] = {}
        for _ in range(12):
            for _ in range(asks_per_second):
                top = shown(world.ask(WEB).reply)[0].split()[-1]
                first[top] = first.get(top, 0) + 1
            world.go(1.0)
        assert len(first) == 3
        assert max(first.values()) - min(first.values()) <= 3


def test_hits_are_counted_once_whichever_way_they_come() -> None:
    world = knowing()
    for _ in range(5):
        world.ask(WEB)
    assert counts(world) == {("forward", 0): 1, ("cache", 0): 5}


def test_while_queries_are_observed_each_is_seen() -> None:
    world, seen = knowing(), list[tuple[Source, str]]()
    world.ask(WEB)

    def observe(query: Query, reply: bytes, client: str, via: Via, source: Source, seconds: float) -> None:
        seen.append((source, client))

    world.engine.observe(observe)
    for _ in range(3):
        assert not world.ask(WEB).from_ready
    world.ask(query_packet(qtype="AXFR"))
    world.ask(query_packet() + b"more than a query")
    assert seen == [(Source.HIT, "10.1.0.7")] * 3 + [(Source.REJECTED, "10.1.0.7")] * 2
    world.engine.observe(None)
    world.ask(WEB)
    assert world.ask(WEB).from_ready
