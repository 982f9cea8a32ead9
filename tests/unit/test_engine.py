"""One query in, one outcome out: what scenarios do not tell (crowds, limits, failures, changes while it runs)."""

import pytest

from resolver.config import Cache
from resolver.message import codes, names
from resolver.outcome import Drop
from resolver.upstream import inflight
from resolver.upstream.health import FAILURES_TO_DOWN
from resolver.upstream.transport import Problem
from tests.unit.builders import (
    KEEPALIVE_OPTION,
    addresses,
    answer_packet,
    ede_of,
    parsed,
    query_packet,
    shown,
)
from tests.unit.remembered import GOOD, WEB, knowing
from tests.unit.world import World, rcode_of, zone

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
    monkeypatch.setattr(inflight, "MAX_FLIGHTS", 3)  # one client gets two of three
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


def test_a_failure_that_began_before_a_server_came_back_is_not_remembered() -> None:
    world = World(zone(".", servers=("a",)))
    for _ in range(FAILURES_TO_DOWN):
        world.lookups.failed(world.server("a"))
    asked = world.ask(WEB)
    world.go(0.5)
    world.server("a").answered(0, 0.001, world.now)
    world.go(1)
    assert rcode_of(asked.reply) == codes.SERVFAIL
    sent = len(world.sends)
    again = world.ask(WEB)
    assert len(world.sends) == sent + 1
    world.sends[-1].answer(answer_packet(answers=addresses(1)))
    assert rcode_of(again.reply) == codes.NOERROR


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
