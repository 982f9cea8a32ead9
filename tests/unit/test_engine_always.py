"""What always holds of the engine, whatever is asked, said and waited for."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from resolver.config import Cache, Transport
from resolver.message import codes
from resolver.upstream.transport import Problem
from tests.unit.builders import (
    SOA,
    addresses,
    answer_packet,
    parsed,
    query_packet,
    raw_answer,
    raw_record,
)
from tests.unit.remembered import GOOD, WEB, knowing
from tests.unit.walker import walk
from tests.unit.world import START, Asked, World, zone

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


@given(STEPS, st.sampled_from(list(Transport)))
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
