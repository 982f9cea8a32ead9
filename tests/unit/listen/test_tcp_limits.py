"""What clients over TCP may hold: queries under way, unread replies, time, connections; and who makes room for whom."""

import asyncio
import errno
import socket
from time import monotonic
from typing import cast

import pytest

from resolver.listen.clients import Refusal, TcpClients
from resolver.listen.connection import Ending, TcpLimits
from resolver.message.framing import frame
from tests.unit.listen.fakes import (
    FailingAccept,
    FakeEngine,
    Run,
    connected,
    gone,
    query,
    reply_to,
    settled,
    tcp,
    until,
)


def test_queries_in_flight_are_bounded_and_the_others_wait_in_order(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with tcp(engine, in_flight=2) as listener, connected(listener) as client:
            client.send(*(query("later", number) for number in range(6)))
            for number in range(6):
                await engine.until_pending(min(2, 6 - number))
                await settled()
                assert list(engine.pending) == [number, number + 1][: 6 - number]
                engine.respond(number)
                assert (await client.receive())[:2] == number.to_bytes(2, "big")
            assert await client.ask(query("now")) == reply_to(query("now"))

    run(test)


def test_client_that_reads_nothing_is_not_read_from_and_given_up_in_time(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with tcp(engine) as listener, connected(listener) as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.send(*(query("big", number) for number in range(2000)))
            await until(lambda: listener.clients.stuck)
            asked = len(engine.clients)
            await settled(50)
            assert len(engine.clients) == asked  # 2,000 were sent; no more are read, no more are answered
            assert asked < 100
            listener.sweep(monotonic() + 9)
            assert listener.connections == 1
            listener.sweep(monotonic() + 10)
            assert listener.ended[Ending.SLOW_READER] == 1
            await gone(listener)
            assert listener.clients.stuck == 0

    run(test)


def test_replies_that_pile_up_unread_end_the_connection_at_the_bound(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with tcp(engine, unsent_bytes=300_000, drain_seconds=1000) as listener, connected(listener) as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.send(*(query("biglater", number) for number in range(128)))
            await engine.until_pending(128)
            for number in range(128):
                engine.respond(number)
                await settled(1)
            await gone(listener)
            assert listener.ended[Ending.SLOW_READER] == 1

    run(test)


def test_stuck_connections_share_what_may_be_unsent(run: Run) -> None:
    async def test() -> None:
        async with tcp(FakeEngine(), unsent_bytes=1000, unsent_total_bytes=3000) as listener:
            shares = []
            for listener.clients.stuck in (0, 1, 3, 6):
                shares.append(listener.clients.unsent_share)
            assert shares == [1000, 1000, 1000, 500]

    run(test)


def test_slow_client_that_reads_again_gets_everything(run: Run) -> None:
    async def test() -> None:
        async with tcp(FakeEngine()) as listener, connected(listener) as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.send(*(query("big", number) for number in range(100)))
            await until(lambda: listener.clients.stuck)
            client.writer.transport.resume_reading()  # type: ignore[attr-defined]
            for number in range(100):
                assert await client.receive() == reply_to(query("big", number))

    run(test)


def test_idle_connection_is_closed_and_one_with_a_query_in_flight_is_not(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with tcp(engine) as listener, connected(listener) as idle, connected(listener) as busy:
            await idle.ask(query("now"))
            busy.send(query("later", 1))
            await engine.until_pending(1)
            listener.sweep(monotonic() + 9)
            assert listener.connections == 2
            listener.sweep(monotonic() + 10)
            assert listener.ended[Ending.IDLE] == 1
            assert await idle.ended()
            assert listener.connections == 1
            engine.respond(1)
            assert (await busy.receive())[:2] == b"\0\x01"

    run(test)


def test_message_that_trickles_gets_no_extension(run: Run) -> None:
    async def test() -> None:
        async with tcp(FakeEngine()) as listener, connected(listener) as client:
            client.writer.write(frame(query("now"))[:1])
            await until(lambda: listener.connections)
            await settled()
            begun = monotonic()
            client.writer.write(frame(query("now"))[1:20])
            await settled()
            listener.sweep(begun + 10)
            assert listener.ended[Ending.SLOW_MESSAGE] == 1
            assert await client.ended()

    run(test)


def test_oldest_idle_connection_makes_room_for_a_new_one(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with tcp(engine, connections=2) as listener, connected(listener) as first, connected(listener) as second:
            await first.ask(query("now"))
            await second.ask(query("now"))
            await first.ask(query("now"))
            async with connected(listener) as third:
                assert await third.ask(query("now")) == reply_to(query("now"))
                assert await second.ended()
                assert await first.ask(query("now")) == reply_to(query("now"))
            assert listener.ended[Ending.ROOM] == 1

    run(test)


def test_new_connection_is_refused_when_all_others_are_busy(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with tcp(engine, connections=1) as listener, connected(listener) as busy:
            busy.send(query("later", 1))
            await engine.until_pending(1)
            async with connected(listener) as refused:
                assert await refused.ended()
            assert (listener.refused[Refusal.FULL], listener.accepted_total) == (1, 1)
            engine.respond(1)
            assert (await busy.receive())[:2] == b"\0\x01"

    run(test)


def test_one_client_cannot_take_the_connections_of_others(run: Run) -> None:
    async def test() -> None:
        async with tcp(FakeEngine(), "0.0.0.0", connections_per_client=1) as listener:
            async with connected(listener, "127.0.0.1") as first, connected(listener, "127.0.0.1") as refused:
                assert await refused.ended()
                assert await first.ask(query("now")) == reply_to(query("now"))
                sock = socket.create_connection(listener.sock.getsockname(), source_address=("127.0.0.9", 0))
                with sock:
                    sock.setblocking(False)
                    sock.send(frame(query("now")))
                    assert await asyncio.get_running_loop().sock_recv(sock, 500) == frame(reply_to(query("now")))
            assert listener.refused[Refusal.CLIENT_FULL] == 1
            await gone(listener)
            assert not listener.clients._per_client  # clients that are gone are forgotten
            async with connected(listener, "127.0.0.1") as again:
                assert await again.ask(query("now")) == reply_to(query("now"))

    run(test)


def test_limits_hold_for_all_listeners_together(run: Run) -> None:
    async def test() -> None:
        clients, engine = TcpClients(TcpLimits(connections=2, connections_per_client=2)), FakeEngine()
        async with tcp(engine, clients=clients) as one, tcp(engine, clients=clients) as other:
            async with connected(one) as first, connected(other) as second, connected(one) as refused:
                assert await first.ask(query("now")) == await second.ask(query("now"))
                assert await refused.ended()
                assert one.refused[Refusal.CLIENT_FULL] == 1
            await gone(one)
            await gone(other)
            assert not clients._per_client

    run(test)


def test_a_connection_that_came_in_elsewhere_makes_room_if_it_has_been_idle_longest(run: Run) -> None:
    async def test() -> None:
        clients, engine = TcpClients(TcpLimits(connections=2)), FakeEngine()
        async with (
            tcp(engine, clients=clients) as one, tcp(engine, clients=clients) as other,
            connected(one) as oldest, connected(other) as kept,
        ):  # fmt: skip
            await oldest.ask(query("now"))
            await kept.ask(query("now"))
            async with connected(other) as newest:
                assert await newest.ask(query("now")) == reply_to(query("now"))
                assert await oldest.ended()
                assert (one.ended[Ending.ROOM], one.connections, other.connections) == (1, 0, 2)

    run(test)


def test_stuck_connections_of_all_listeners_share_what_may_be_unsent(run: Run) -> None:
    async def test() -> None:
        clients = TcpClients(TcpLimits(gather_bytes=1000))
        async with tcp(FakeEngine(), clients=clients) as one, tcp(FakeEngine(), clients=clients) as other:
            async with connected(one) as first, connected(other) as second:
                for client in (first, second):
                    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
                    client.send(*(query("big", number) for number in range(100)))
                await until(lambda: clients.stuck == 2)
            await gone(one)
            await gone(other)
            assert clients.stuck == 0

    run(test)


def test_client_that_ends_but_never_reads_is_given_up_in_time(run: Run) -> None:
    async def test() -> None:
        async with tcp(FakeEngine()) as listener, connected(listener) as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.send(*(query("big", number) for number in range(50)))
            client.writer.write_eof()
            await until(lambda: listener.clients.stuck)
            await settled()
            listener.sweep(monotonic() + 10)
            assert listener.ended[Ending.SLOW_READER] == 1
            await gone(listener)

    run(test)


def test_without_file_descriptors_idle_connections_make_room_and_accepting_pauses(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolver.listen.tcp._ACCEPT_PAUSE_SECONDS", 0.001)

    async def test() -> None:
        async with tcp(FakeEngine()) as listener, connected(listener) as idle:
            await idle.ask(query("now"))
            failing = FailingAccept(listener.sock, errno.EMFILE, 1)
            listener.sock = cast("socket.socket", failing)
            async with connected(listener) as late:
                assert await late.ask(query("now")) == reply_to(query("now"))
            assert await idle.ended()
            assert listener.accept_errors == {"EMFILE": 1}

    run(test)


def test_clients_get_half_of_few_descriptors() -> None:
    assert TcpLimits.within(65536) == TcpLimits()
    few = TcpLimits.within(64)
    assert (few.connections, few.connections_per_client) == (32, 3)
    assert TcpLimits.within(1) == TcpLimits(1, 1)
