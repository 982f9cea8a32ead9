"""Lookups carry out what exchanges decide, tell transports and health what they see, and finish exactly once."""

from hypothesis import given
from hypothesis import strategies as st

from resolver.config import Transport
from resolver.upstream.exchange import MAX_SENDS, Failed, Finished
from resolver.upstream.health import FAILURES_TO_DOWN
from resolver.upstream.lookup import Result
from resolver.upstream.probe import Prober
from resolver.upstream.transport import Problem
from tests.unit.builders import addresses, answer_packet, key
from tests.unit.world import World, zone

GOOD = answer_packet(answers=addresses(1))


def look_up(world: World, bits: int = 0, name: str = "web.shop.") -> list[Result]:
    results: list[Result] = []
    (route,) = world.engine.routes.all
    world.lookups.start(key(name, bits=bits), route, lambda _key, _route, result: results.append(result))
    return results


def world_of(*servers: str, transport: Transport = Transport.TCP) -> World:
    return World(zone(".", servers=servers, transport=transport))


def test_one_send_and_one_answer_end_a_lookup() -> None:
    world = world_of("a")
    results = look_up(world)
    assert results == []
    world.sends[0].answer(GOOD)
    (result,) = results
    assert isinstance(result, Finished)
    assert str(result.server) == "a:53"


def test_what_is_not_needed_any_more_is_cancelled() -> None:
    world = world_of("a", "b")
    results = look_up(world)
    world.go(0.31)
    first, second = world.sends
    second.answer(GOOD)
    assert first.cancelled
    assert not second.cancelled
    assert len(results) == 1
    world.go(5)
    assert (len(results), len(world.sends)) == (1, 2)


def test_silence_is_told_to_the_transport_and_counted_once_against_the_server() -> None:
    world = world_of("a", "b")
    look_up(world)
    world.go(0.31)
    assert world.sends[0].told_silent
    assert world.server("a").health.failures_in_a_row == 1
    world.sends[0].fail(Problem.RESET)
    assert world.server("a").health.failures_in_a_row == 1


def test_a_hedge_avoids_the_connection_that_is_silent() -> None:
    world = world_of("a")
    look_up(world)
    world.go(0.31)
    assert [sent.avoid for sent in world.sends] == [None, world.sends[0]]


def test_what_holds_up_others_is_asked_again_aside_and_what_waited_behind_it_alone() -> None:
    world = world_of("a")
    look_up(world)
    look_up(world, name="api.bank.")
    world.sends[0].oldest = True
    world.go(0.31)
    blocking, behind, aside, again = world.sends
    assert blocking.channel is behind.channel
    assert len({blocking.channel, aside.channel, again.channel}) == 3
    assert (aside.name, again.name) == ("web.shop.", "api.bank.")


def test_a_name_that_is_answered_by_its_first_try_twice_holds_up_nobody_any_more() -> None:
    world = world_of("a")
    look_up(world)
    world.sends[0].oldest = True
    world.go(0.31)
    slow, aside = world.sends
    aside.answer(GOOD)
    for _ in range(3):
        look_up(world)
        world.sends[-1].answer(GOOD)
    assert [sent.channel is slow.channel for sent in world.sends] == [True, False, False, False, True]
    assert world.sends[2].channel is aside.channel is not world.sends[3].channel


def test_a_late_answer_clears_the_server_again() -> None:
    world = world_of("a", "b")
    look_up(world)
    world.go(0.31)
    world.sends[0].answer(GOOD)
    assert world.server("a").health.failures_in_a_row == 0


def test_any_response_shows_that_a_server_lives() -> None:
    world = world_of("a", "b")
    look_up(world)
    world.sends[0].answer(answer_packet(rcode="SERVFAIL"))
    assert world.server("a").health.failures_total == 0
    assert set(world.server("a").durations) == {2}


def test_our_own_limits_are_not_held_against_a_server() -> None:
    for problem in (Problem.BACKING_OFF, Problem.FULL):
        world = world_of("a", "b")
        look_up(world)
        world.sends[0].fail(problem)
        assert world.server("a").health.failures_total == 0
        assert len(world.sends) == 2


def test_a_server_that_keeps_failing_goes_down_and_is_asked_last() -> None:
    world = world_of("a", "b")
    for _ in range(FAILURES_TO_DOWN):
        look_up(world)
        world.sends[-1].fail(Problem.REFUSED)
        world.sends[-1].answer(GOOD)
    assert world.health_changes == [("a", True)]
    look_up(world)
    assert world.sends[-1].server == "b"


def test_a_connection_that_closes_under_many_questions_takes_no_server_down() -> None:
    world = world_of("a")
    for _ in range(FAILURES_TO_DOWN + 1):
        look_up(world)
    lost = list(world.sends)
    world.go(0.01)
    for sent in lost:
        sent.fail(Problem.RESET)
        world.go(0.0001)
    record = world.server("a").health
    assert (record.failures_total, record.failures_in_a_row, record.down) == (len(lost), 1, False)
    world.go(0.02)
    for sent in world.waiting_sends:
        sent.fail(Problem.REFUSED)
    assert world.health_changes == [("a", True)]


def test_an_answer_that_cannot_be_read_leads_to_the_next_server() -> None:
    world = world_of("a", "b")
    results = look_up(world)
    world.sends[0].answer(GOOD[:-20])
    assert [sent.server for sent in world.sends] == ["a", "b"]
    assert results == []


def test_a_truncated_answer_over_udp_is_asked_again_over_tcp() -> None:
    world = world_of("a", transport=Transport.UDP)
    look_up(world)
    world.sends[0].answer(answer_packet(tc=True))
    assert [sent.transport for sent in world.sends] == [Transport.UDP, Transport.TCP]


def test_a_truncated_answer_that_is_cut_inside_a_record_is_asked_again_over_tcp_as_well() -> None:
    world = world_of("a", transport=Transport.UDP)
    look_up(world)
    world.sends[0].answer(answer_packet(answers=addresses(3), tc=True, edns=False)[:-7])
    assert [sent.transport for sent in world.sends] == [Transport.UDP, Transport.TCP]
    assert world.server("a").health.failures_total == 0


def test_a_server_that_sends_only_garbage_goes_down_and_stays_so_until_it_can_be_read() -> None:
    world = world_of("a", "b")
    for _ in range(FAILURES_TO_DOWN):
        look_up(world)
        world.sends[-1].answer(GOOD[:-20])
        world.sends[-1].answer(GOOD)
    assert world.health_changes == [("a", True)]
    prober = Prober(world.lookups)
    world.go(0.75)
    prober.probe(world.server("a"))
    world.sends[-1].answer(answer_packet(".", "NS")[:-4])
    assert (world.server("a").health.down, world.server("a").probing) == (True, False)
    world.go(0.75)
    prober.probe(world.server("a"))
    world.sends[-1].answer(answer_packet(".", "NS"))
    assert world.health_changes == [("a", True), ("a", False)]


def test_do_and_cd_of_the_question_go_upstream() -> None:
    for bits in range(4):
        world = world_of("a")
        look_up(world, bits)
        sent = world.sends[0]
        assert (sent.dnssec_ok, bool(sent.flags & 0x0010)) == (bool(bits & 1), bool(bits & 2))


def test_without_servers_a_lookup_fails_but_not_before_it_has_started() -> None:
    world = world_of("a")
    (route,) = world.engine.routes.all
    route.servers = ()
    results = look_up(world)
    assert results == []
    world.go(0)
    assert isinstance(results[0], Failed)


EVENTS = st.lists(
    st.tuples(
        st.floats(0, 0.4),
        st.integers(0, 9),
        st.sampled_from(
            [
                GOOD,
                GOOD[:-20],
                answer_packet(rcode="SERVFAIL"),
                answer_packet(tc=True),
                answer_packet(rcode="FORMERR", edns=False),
                answer_packet("other.shop."),
                *Problem,
            ]
        ),
    ),
    max_size=25,
)


@given(EVENTS, st.integers(1, 3), st.sampled_from(list(Transport)))
def test_whatever_servers_do_a_lookup_finishes_once_and_in_time(
    events: list[tuple[float, int, bytes | Problem]], servers: int, transport: Transport
) -> None:
    world = world_of(*"abc"[:servers], transport=transport)
    results = look_up(world)
    for pause, which, event in events:
        world.go(pause)
        if which < len(world.sends) and not world.sends[which].over:
            if isinstance(event, Problem):
                world.sends[which].fail(event)
            else:
                world.sends[which].answer(event)
    world.go(0.9)
    assert len(results) == 1
    assert len(world.sends) <= MAX_SENDS
    assert world.waiting_sends == []


def down(world: World) -> Prober:
    for _ in range(FAILURES_TO_DOWN):
        world.lookups.failed(world.server("a"))
    return Prober(world.lookups)


def test_a_server_that_is_down_is_probed_and_comes_back_with_any_response() -> None:
    world = world_of("a")
    prober = down(world)
    prober.probe(world.server("a"))
    assert world.sends == []
    world.go(0.75)
    prober.probe(world.server("a"))
    prober.probe(world.server("a"))
    (probe,) = world.sends
    assert (probe.name, probe.qtype) == (".", 2)
    probe.answer(answer_packet(".", "NS", rcode="REFUSED"))
    assert world.health_changes == [("a", True), ("a", False)]
    assert not world.server("a").probing


def test_a_probe_without_response_ends_and_the_next_follows() -> None:
    world = world_of("a")
    prober = down(world)
    world.go(0.75)
    prober.probe(world.server("a"))
    world.go(1.1)
    assert world.sends[0].cancelled
    assert world.sends[0].told_silent
    prober.probe(world.server("a"))
    world.sends[1].fail(Problem.REFUSED)
    world.go(0.75)
    prober.probe(world.server("a"))
    assert len(world.sends) == 3
    assert world.server("a").health.down


def test_the_deadline_of_an_earlier_probe_does_not_end_a_later_one() -> None:
    world = world_of("a")
    prober = down(world)
    world.go(0.75)
    prober.probe(world.server("a"))
    world.sends[0].fail(Problem.REFUSED)
    world.go(0.75)
    prober.probe(world.server("a"))
    world.go(0.3)
    assert world.server("a").probing
    world.sends[1].answer(answer_packet(".", "NS"))
    assert not world.server("a").health.down
