"""One query in, one outcome out: what scenarios do not tell (crowds, limits, changes) and what always holds."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.config import Cache, Transport
from resolver.message import codes, names
from resolver.message.query import Query
from resolver.outcome import Drop, Source, Via
from resolver.upstream import inflight
from resolver.upstream.health import FAILURES_TO_DOWN
from resolver.upstream.transport import Problem
from tests.unit.builders import (
    KEEPALIVE_OPTION,
    SOA,
    addresses,
    answer_packet,
    ede_of,
    parsed,
    query_packet,
    raw_answer,
    raw_record,
    shown,
)
from tests.unit.walker import walk
from tests.unit.world import START, Asked, World, counts, rcode_of, zone

WEB = query_packet(edns=1232)
GOOD = answer_packet(answers=addresses(1))


def knowing(said: bytes = GOOD, *, packet: bytes = WEB, world: World | None = None) -> World:
    """A world whose resolver remembers an answer to the packet's question."""
    world = world or World()
    world.ask(packet)
    world.sends[-1].answer(said)
    return world


# Ready replies


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


# Crowds and limits


def test_a_hundred_clients_cause_one_lookup_and_each_gets_its_own_id_and_spelling() -> None:
    world = World()
    packets = [query_packet("WEB.shop." if n % 2 else "web.shop.", ident=n) for n in range(100)]
    crowd = [world.ask(packet) for packet in packets]
    assert len(world.sends) == 1
    world.sends[0].answer(GOOD)
    for packet, asked in zip(packets, crowd, strict=True):
        assert asked.reply[:2] == packet[:2]
        assert asked.reply[12:26] == packet[12:26]


def test_a_client_that_leaves_cancels_nobody() -> None:
    world = World()
    leaving, staying = world.ask(WEB), world.ask(WEB)
    leaving.replies = []  # its listener would drop the reply; the engine need not know
    world.go(0.1)
    assert world.waiting_sends == world.sends
    world.sends[0].answer(GOOD)
    assert rcode_of(staying.reply) == codes.NOERROR
    assert len(world.engine.store) == 1


def test_more_lookups_than_the_cap_are_servfail_with_the_reason_and_are_not_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inflight, "MAX_FLIGHTS", 2)
    world = World()
    asked = [world.ask(query_packet(f"n{n}.shop.", edns=1232)) for n in range(3)]
    assert [len(each.replies) for each in asked] == [0, 0, 1]
    assert rcode_of(asked[2].reply) == codes.SERVFAIL
    assert ede_of(asked[2].reply) == (codes.EDE_OTHER, "too many lookups in flight")
    assert world.engine.flights.rejected_total == 1
    world.sends[0].answer(answer_packet("n0.shop.", answers=addresses(1, "n0.shop.")))
    world.ask(query_packet("n2.shop.", edns=1232))
    assert world.sends[-1].name == "n2.shop."


def test_at_the_cap_what_is_remembered_is_served_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    world = knowing()
    world.go(60)
    monkeypatch.setattr(inflight, "MAX_FLIGHTS", 0)
    asked = world.ask(WEB)
    assert (rcode_of(asked.reply), ede_of(asked.reply)) == (codes.NOERROR, (3, ""))


def test_an_answer_that_is_evicted_while_a_client_waits_can_still_be_its_stale_answer() -> None:
    world = knowing()
    world.go(60)
    asked = world.ask(WEB)
    world.engine.flush_all()
    world.go(0.3)
    assert ede_of(asked.reply) == (3, "")
    assert len(shown(asked.reply)) == 1


# Failures


def test_a_failure_is_forgotten_when_a_server_comes_back() -> None:
    world = World(zone(".", servers=("a",)))
    for _ in range(FAILURES_TO_DOWN):
        world.lookups.failed(world.server("a"))
    asked = world.ask(WEB)
    world.sends[-1].fail(Problem.REFUSED)
    world.go(1)
    assert rcode_of(asked.reply) == codes.SERVFAIL
    sent = len(world.sends)
    assert world.ask(WEB).replies
    world.server("a").answered(0, 0.001, world.now)
    world.ask(WEB)
    assert len(world.sends) == sent + 1


def test_an_answer_in_between_starts_the_row_of_failures_anew() -> None:
    world = World(zone(".", serve_stale_seconds=0.0))
    for said, remembered in ((None, 1.0), (None, 2.0), (answer_packet(answers=addresses(1, ttl=1)), 1.0), (None, 1.0)):
        world.ask(WEB)
        world.sends[-1].answer(said or answer_packet(rcode="SERVFAIL"))
        sent = len(world.sends)
        world.go(remembered - 0.01)
        world.ask(WEB)
        assert len(world.sends) == sent
        world.go(0.02)
    world.ask(WEB)
    assert len(world.sends) == 5


def test_the_text_of_a_failure_names_the_server() -> None:
    world = World(zone(".", servers=("a", "b")))
    asked = world.ask(WEB)
    for _ in range(5):
        world.go(0.3)
    assert ede_of(asked.reply) == (22, "no answer from a:53, b:53 in 900 ms")


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTIMP", "YXDOMAIN", "FORMERR"])
def test_a_server_that_fails_is_never_a_name_that_does_not_exist(rcode: str) -> None:
    world = World()
    asked = world.ask(WEB)
    world.sends[0].answer(answer_packet(rcode=rcode))
    assert rcode_of(asked.reply) == codes.SERVFAIL
    assert ede_of(asked.reply) == (22, f"ns1:53 answered {rcode}")


def test_a_prefetch_under_way_is_not_counted_again() -> None:
    world = knowing()
    for pause in (10, 10, 8):
        world.go(pause)
        world.ask(WEB)
    for size in (600, 700):
        assert world.ask(query_packet(edns=size)).replies
    assert (world.engine.tallies.prefetches_total, len(world.sends)) == (1, 2)


def test_a_failed_prefetch_leaves_the_answer_as_it_is_and_is_not_repeated_at_once() -> None:
    world = knowing()
    world.ask(WEB)
    for pause in (10, 10, 8):
        world.go(pause)
        world.ask(WEB)
    assert len(world.sends) == 2
    world.sends[1].answer(answer_packet(rcode="SERVFAIL"))
    assert rcode_of(world.ask(WEB).reply) == codes.NOERROR
    assert len(world.sends) == 2


# Changes while it runs


def test_new_settings_keep_what_is_remembered_and_hold_for_what_comes() -> None:
    world = knowing()
    world.engine.reconfigure(world.routes(zone(".", servers=("other",), max_ttl=5)), Cache(), ())
    assert len(shown(world.ask(WEB).reply)) == 1
    world.ask(query_packet("new.shop."))
    assert (world.sends[-1].server, len(world.sends)) == ("other", 2)
    world.sends[-1].answer(answer_packet("new.shop.", answers=addresses(1, "new.shop.")))
    assert parsed(world.ask(query_packet("new.shop.")).reply).rr[0].ttl == 5


def test_a_change_of_servers_forgets_the_failures_of_those_before() -> None:
    world = World(zone(".", servers=("dead",)))
    failed, under_way = world.ask(WEB), world.ask(query_packet("new.shop."))
    world.sends[0].answer(answer_packet(rcode="SERVFAIL"))
    world.engine.reconfigure(world.routes(zone(".", servers=("other",))), Cache(), ())
    world.sends[1].answer(answer_packet("new.shop.", rcode="SERVFAIL"))
    assert rcode_of(failed.reply) == rcode_of(under_way.reply) == codes.SERVFAIL
    for packet in (WEB, query_packet("new.shop.")):
        assert world.ask(packet).replies == []
        assert world.sends[-1].server == "other"


def test_a_smaller_cache_forgets_and_clients_that_are_shut_out_get_nothing_ready() -> None:
    world = knowing()
    world.ask(WEB)
    world.engine.reconfigure(world.engine.routes, Cache()._replace(size_bytes=0), ())
    assert len(world.engine.store) == 0
    assert world.ask(WEB).replies == []


def test_flushing_forgets_ready_replies_and_failures_too() -> None:
    world = knowing()
    world.ask(WEB)
    assert world.engine.flush(names.to_wire("web.shop.")) == 1
    assert world.ask(WEB).replies == []
    world.sends[-1].answer(answer_packet(rcode="SERVFAIL"))
    assert world.ask(WEB).replies
    assert world.engine.flush_all() == 0
    assert world.ask(WEB).replies == []


# What clients are told


def test_the_idle_time_is_told_over_tcp_to_clients_that_ask() -> None:
    world, asking = knowing(), query_packet(edns=1232, options=[(KEEPALIVE_OPTION, b"")])
    for tcp, told in ((True, [KEEPALIVE_OPTION]), (False, [])):
        (opt,) = parsed(world.ask(asking, tcp=tcp).reply).ar
        assert [option.code for option in opt.rdata] == told


def test_a_packet_that_is_no_query_is_dropped_and_counted() -> None:
    world = World()
    for packet in (b"", b"\0" * 11, GOOD):
        assert world.ask(packet).dropped
    assert world.engine.tallies.dropped[Drop.NOT_A_QUERY] == 3


def test_without_listed_clients_all_may_ask_and_with_them_only_those() -> None:
    world = World(allowed=["10.0.0.0/8", "fd00::/8"])
    assert [world.engine.allows(client) for client in ("10.9.9.9", "fd00::1%eth0", "11.0.0.1", "::1")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert not World().engine.restricted


# What always holds

ANSWERS: Sequence[bytes | Problem] = [
    GOOD,
    GOOD[:-15],
    answer_packet(answers=addresses(40)),
    answer_packet(answers=addresses(3, ttl=2)),
    answer_packet(answers=addresses(1, ttl=0)),
    answer_packet(rcode="NXDOMAIN", authority=[SOA]),
    answer_packet(rcode="NXDOMAIN"),
    answer_packet(rcode="SERVFAIL", ede=(7, b"why")),
    answer_packet(rcode="FORMERR", edns=False),
    answer_packet(tc=True),
    answer_packet("other.shop."),
    raw_answer(raw_record(b"\xc0\x0c", codes.A, b"abcd"), raw_record(b"\xc0\x0c", codes.A, b"abcde")),
    raw_answer(raw_record(b"\xc0\x0c", 16, b"\xc0\x26"), counts=(1, 0, 0)),
    Problem.REFUSED,
    Problem.RESET,
]
ASKS = st.tuples(
    st.just("ask"),
    st.sampled_from(["web.shop.", "WEB.shop."]),
    st.booleans(),
    st.none() | st.sampled_from([512, 1232, 4096]),
)
STEPS = st.lists(
    ASKS
    | st.tuples(st.just("say"), st.integers(0, 3), st.sampled_from(ANSWERS))
    | st.tuples(st.just("pass"), st.sampled_from([0.05, 0.25, 0.9, 1.0, 4.0, 40.0])),
    max_size=30,
)


@given(STEPS, st.sampled_from(Transport))
def test_every_query_gets_exactly_one_reply_in_time_that_is_well_formed(
    steps: list[tuple[object, ...]], transport: Transport
) -> None:
    world = World(zone(".", servers=("a", "b"), transport=transport))
    asked: list[tuple[float, bool, int | None, Asked]] = []
    for number, step in enumerate(steps):
        match step:
            case ("ask", str(name), bool(tcp), size):
                edns = size if isinstance(size, int) else None
                packet = query_packet(name, ident=number, edns=edns)
                asked.append((world.now, tcp, edns, world.ask(packet, tcp=tcp)))
            case ("say", int(which), said):
                waiting = world.waiting_sends
                if which < len(waiting):
                    waiting[which].fail(said) if isinstance(said, Problem) else waiting[which].answer(bytes(said))  # type: ignore[call-overload]
            case ("pass", float(seconds)):
                world.go(seconds)
        late = [each for since, _, _, each in asked if world.now - since > 0.95 and not each.replies]
        assert late == []
    world.go(0.95)
    for _, tcp, edns, each in asked:
        message = walk(each.reply)
        assert message.id == int.from_bytes(each.packet[:2], "big")
        assert message.questions == [each.packet[12 : 12 + len(message.questions[0])]]
        assert tcp or len(each.reply) <= min(max(edns or 512, 512), 1232)
        assert all(record.ttl <= 30 for record in message.records if record.rtype != codes.OPT)
        assert not (message.flags & codes.TC and message.section("answer"))
    assert world.waiting_sends == []
    assert len(world.engine.flights) == 0


@given(st.binary(max_size=120), st.booleans())
def test_any_bytes_of_a_client_have_one_outcome(rest: bytes, tcp: bool) -> None:
    world = World()
    for packet in (rest, query_packet()[:12] + rest, WEB[:-11] + rest):
        asked = world.ask(packet, tcp=tcp)
        world.go(1)
        assert len(asked.replies) == (0 if asked.dropped else 1)


@given(st.lists(st.floats(0.01, 3.0), min_size=1, max_size=20), st.integers(0, 60), st.integers(0, 60))
def test_between_two_answers_of_the_servers_no_ttl_grows(pauses: list[float], ttl: int, max_ttl: int) -> None:
    world = World(zone(".", max_ttl=max_ttl), cache=Cache()._replace(prefetch=False))
    knowing(answer_packet(answers=addresses(1, ttl=ttl)), world=world)
    last = min(ttl, max_ttl)
    for pause in pauses:
        world.go(pause)
        asked = world.ask(WEB)
        if not asked.replies:
            break
        remaining = min(ttl, max_ttl) - (world.now - START)
        assert remaining > 0
        shown_ttl = parsed(asked.reply).rr[0].ttl
        assert remaining <= shown_ttl < remaining + 1 + 1e-6
        assert shown_ttl <= last
        last = shown_ttl
