"""UDP: who gets which reply, from which address, and what cannot stop the listener."""

import asyncio
import contextlib
import socket

import pytest

from resolver.listen import backlog, mmsg, overload
from resolver.listen.sockets import open_udp
from resolver.listen.udp import BATCH, UdpListener
from resolver.message import codes
from tests.unit.listen.fakes import (
    FakeEngine,
    Run,
    UdpClient,
    leave_ready,
    need_ipv6,
    query,
    reply_to,
    settled,
    udp,
    until,
    way_in,
)


@pytest.fixture(autouse=True, params=["batched", "plain"])
def _calls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything holds for both listeners; on the wildcard address both are the plain one."""
    assert mmsg.available, "needs recvmmsg and sendmmsg: a 64-bit Linux"
    monkeypatch.setattr(mmsg, "available", request.param == "batched")


def test_reply_goes_back_to_the_client_with_its_id(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with udp(engine) as listener:
            with UdpClient(listener) as client:
                assert await client.ask(query("now", 0xBEEF)) == reply_to(query("now", 0xBEEF))
        assert engine.clients == ["127.0.0.1"]

    run(test)


def test_ready_reply_is_sent_without_asking_the_engine_and_counted(run: Run) -> None:
    async def test() -> None:
        engine, via, tally = FakeEngine(), way_in(tcp=False), [0]
        leave_ready(via, "hot", b"first", b"second", tally=tally)
        async with udp(engine, via=via) as listener:
            with UdpClient(listener) as client:
                assert await client.ask(query("hot", 0x4142)) == b"ABfirst"
                assert await client.ask(query("hot", 0x4344)) == b"CDsecond"
        assert (tally, engine.hits, engine.clients) == ([2], 2, [])

    run(test)


def test_ready_reply_past_its_time_is_not_used(run: Run) -> None:
    async def test() -> None:
        engine, via = FakeEngine(), way_in(tcp=False)
        leave_ready(via, "old", b"stale", seconds=-1)
        async with udp(engine, via=via) as listener:
            with UdpClient(listener) as client:
                assert await client.ask(query("old")) == reply_to(query("old"))

    run(test)


def test_clients_outside_the_allowed_ones_are_refused_even_where_a_reply_is_ready(run: Run) -> None:
    async def test() -> None:
        engine, via, tally = FakeEngine(), way_in(tcp=False), [0]
        engine.restricted = True
        leave_ready(via, "hot", b"ready", tally=tally)
        async with udp(engine, via=via) as listener:
            with UdpClient(listener) as client:
                assert (await client.ask(query("hot")))[3] & 0xF == 5
                engine.allowed.add("127.0.0.1")
                assert await client.ask(query("hot")) == query("hot")[:2] + b"ready"
        assert tally == [1]

    run(test)


def test_later_replies_go_to_whom_they_belong_in_any_order(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with udp(engine) as listener:
            with UdpClient(listener) as one, UdpClient(listener) as two:
                one.send(query("later", 1))
                two.send(query("later", 2))
                await engine.until_pending(2)
                assert listener.pending == 2
                engine.respond(2)
                engine.respond(1)
                assert (await one.receive())[:2] == b"\0\x01"
                assert (await two.receive())[:2] == b"\0\x02"
                assert listener.pending == 0

    run(test)


def test_more_packets_than_a_batch_are_all_answered(run: Run) -> None:
    async def test() -> None:
        async with udp(FakeEngine()) as listener:
            with UdpClient(listener) as client:
                for number in range(3 * BATCH):
                    client.send(query("now", number))
                numbers = {(await client.receive())[:2] for _ in range(3 * BATCH)}
        assert len(numbers) == 3 * BATCH

    run(test)


def test_exception_in_the_engine_is_contained_and_answered_servfail(
    run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolver.listen.guard._LOG_INTERVAL_SECONDS", 3600.0)

    async def test() -> None:
        engine = FakeEngine()
        async with udp(engine) as listener:
            with UdpClient(listener) as client:
                for name in ("boom", "askboom"):
                    reply = await client.ask(query(name, 7))
                    assert (reply[:2], reply[2] >> 7, reply[3] & 0xF) == (b"\0\x07", 1, 2)
                assert await client.ask(query("now")) == reply_to(query("now"))
            assert (listener.guard.failures, listener.pending) == (2, 0)
        assert len(caplog.records) == 1  # the second one came too soon after it

    run(test)


def test_packets_without_a_reply_get_none(run: Run) -> None:
    async def test() -> None:
        async with udp(FakeEngine()) as listener:
            with UdpClient(listener) as client:
                client.send(query("drop"))
                client.send(query("now", 9))
                assert (await client.receive())[:2] == b"\0\x09"

    run(test)


def test_reply_the_kernel_refuses_is_counted_by_reason_and_forgotten(run: Run) -> None:
    async def test() -> None:
        async with udp(FakeEngine()) as listener:
            with UdpClient(listener) as client:
                client.send(query("huge"))
                assert await client.ask(query("now")) == reply_to(query("now"))
            assert listener.lost == {"EMSGSIZE": 1}

    run(test)


def test_close_answers_what_the_kernel_has_queued_and_waits_for_what_is_looked_up(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with udp(engine) as listener:
            with UdpClient(listener) as client:
                for number in range(2 * BATCH):
                    client.send(query("now", number))
                client.send(query("later", 999))
                closing = asyncio.create_task(listener.close(20))
                await engine.until_pending(1)
                await settled()
                assert not closing.done()
                engine.respond(999)
                await closing
                assert len([await client.receive() for _ in range(2 * BATCH + 1)]) == 2 * BATCH + 1

    run(test)


def test_while_it_closes_known_names_are_answered_and_unknown_ones_turned_away(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with udp(engine) as listener:
            with UdpClient(listener) as early, UdpClient(listener) as late:
                early.send(query("later", 1))
                await engine.until_pending(1)
                closing = asyncio.create_task(listener.close(20))
                await settled()
                assert await late.ask(query("now", 2)) == reply_to(query("now", 2))
                assert (await late.ask(query("later", 3)))[3] & 0xF == codes.SERVFAIL
                assert not closing.done()
                engine.respond(1)
                await closing
                assert (await early.receive())[:2] == b"\0\1"

    run(test)


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_what_comes_after_the_last_read_is_for_others_at_the_same_port(
    run: Run, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Two programs side by side, the one ends: which of its sockets a client's packets go to is the kernel's choice."""
    sent = 64

    async def test() -> None:
        engine = FakeEngine()
        async with contextlib.AsyncExitStack() as stack:
            leaving = await stack.enter_async_context(udp(engine, address, shared=True))
            port = leaving.sock.getsockname()[1]
            with open_udp(address, port, reuse_port=True) as other:
                clients = [stack.enter_context(UdpClient(leaving, "127.0.0.1")) for _ in range(sent)]
                close = leaving._close_socket

                def late() -> None:
                    for client in clients:
                        client.send(query("late"))
                    close()

                monkeypatch.setattr(leaving, "_close_socket", late)
                for client in clients:
                    client.send(query("now"))
                await leaving.close(20)
                waiting = []
                with contextlib.suppress(BlockingIOError):
                    while True:
                        waiting.append(other.recv(512))
                assert waiting.count(query("late")) == sent
                assert 0 < waiting.count(query("now")) < sent, "both were asked while both were there"
                answered = len(engine.clients)
                assert answered + waiting.count(query("now")) == sent

    run(test)


def test_close_gives_up_lookups_that_outlast_it_and_ignores_their_replies(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with udp(engine) as listener:
            with UdpClient(listener) as client:
                client.send(query("later", 5))
                await engine.until_pending(1)
                await listener.close(0)
                engine.respond(5)
            assert (listener.pending, listener.lost) == (0, {})

    run(test)


@pytest.mark.parametrize(
    ("bound", "asked"),
    [("127.0.0.3", "127.0.0.3"), ("0.0.0.0", "127.0.0.2"), ("::1", "::1"), ("::", "::1")],
)
def test_reply_leaves_from_the_address_that_was_asked(run: Run, bound: str, asked: str) -> None:
    if ":" in bound:
        need_ipv6()

    async def test() -> None:
        async with udp(FakeEngine(), bound) as listener:
            # A connected socket takes packets from the address it asked and from nobody else.
            with UdpClient(listener, asked) as client:
                assert await client.ask(query("now")) == reply_to(query("now"))

    run(test)


def test_later_reply_on_the_wildcard_address_leaves_from_the_address_that_was_asked(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with udp(engine, "0.0.0.0") as listener:
            with UdpClient(listener, "127.0.0.2") as client:
                client.send(query("later", 3))
                await engine.until_pending(1)
                engine.respond(3)
                assert await client.receive() == reply_to(query("later", 3))

    run(test)


def test_ipv4_and_ipv6_listen_side_by_side_on_one_port(run: Run) -> None:
    need_ipv6()

    async def test() -> None:
        for _ in range(10):  # another program may hold the port on IPv4 at this moment, but not ten times
            async with udp(FakeEngine(), "::") as six:
                port = six.sock.getsockname()[1]
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four, contextlib.suppress(OSError):
                    four.bind(("0.0.0.0", port))
                    assert four.getsockname()[1] == port
                    return
        pytest.fail("the IPv6 socket takes IPv4's place as well")

    run(test)


def test_packets_shorter_than_an_id_reach_no_ready_reply(run: Run) -> None:
    async def test() -> None:
        async with udp(FakeEngine()) as listener:
            with UdpClient(listener) as client:
                client.send(b"")
                client.send(b"x")
                assert await client.ask(query("now")) == reply_to(query("now"))

    run(test)


FLOOD = 1500
"""Packets of one client: more than `DEEP_BYTES` of the kernel's memory."""


def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """As little as can be is answered in one turn."""
    monkeypatch.setattr(overload, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(overload, "LONGEST_TURN_SECONDS", 0.0)


def flooded(listener: UdpListener, flood: UdpClient) -> None:
    for number in range(FLOOD):
        flood.sock.send(query("now", number))


def test_a_client_that_asks_now_and_then_need_not_wait_for_one_that_floods(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_turns(monkeypatch)
    monkeypatch.setattr(overload, "DRAINED_BATCHES", FLOOD)

    async def test() -> None:
        engine = FakeEngine()
        async with udp(engine) as listener:
            with UdpClient(listener) as flood, UdpClient(listener, source="127.0.0.2") as quiet:
                flooded(listener, flood)
                assert await quiet.ask(query("now", 0xBEEF)) == reply_to(query("now", 0xBEEF))
                assert engine.clients.index("127.0.0.2") < FLOOD / 4
                await until(lambda: len(engine.clients) == FLOOD + 1)
                assert listener.overload.backlog.dropped_total == 0
            with UdpClient(listener) as later:
                assert await later.ask(query("now", 7)) == reply_to(query("now", 7)), "and it reads on"

    run(test)


def test_what_one_client_has_too_much_of_is_dropped_and_counted_and_nothing_of_another(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_turns(monkeypatch)
    monkeypatch.setattr(overload, "DRAINED_BATCHES", FLOOD)
    monkeypatch.setattr(backlog, "LIMIT", 100)

    async def test() -> None:
        engine = FakeEngine()
        async with udp(engine) as listener:
            with UdpClient(listener) as flood, UdpClient(listener, source="127.0.0.2") as quiet:
                flooded(listener, flood)
                for number in range(3):
                    quiet.sock.send(query("now", number))
                await until(lambda: engine.clients.count("127.0.0.2") == 3 and not len(listener.overload.backlog))
                assert listener.overload.backlog.dropped_total > FLOOD / 2
                assert len(engine.clients) + listener.overload.backlog.dropped_total == FLOOD + 3

    run(test)


def test_what_waits_for_its_turn_is_answered_before_the_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    short_turns(monkeypatch)

    async def test() -> None:
        engine = FakeEngine()
        async with udp(engine) as listener:
            with UdpClient(listener) as flood:
                flooded(listener, flood)
                await until(lambda: len(listener.overload.backlog))
                await listener.close(5)
        assert len(engine.clients) == FLOOD

    run(test)


def test_a_system_that_does_not_tell_how_much_waits_is_served_as_ever(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overload, "_SO_MEMINFO", 9999)

    async def test() -> None:
        engine = FakeEngine()
        async with udp(engine) as listener:
            with UdpClient(listener) as flood:
                flooded(listener, flood)
                await until(lambda: len(engine.clients) == FLOOD)
                assert not len(listener.overload.backlog)

    run(test)
