"""TCP as RFC 7766 wants it: framing, pipelining, order, ends, and the limits that hold on hostile clients."""

import asyncio
import errno
import os
import socket
from time import monotonic
from typing import Any, cast

import pytest

from resolver.cache.packets import Ready
from resolver.listen.clients import Refusal, TcpClients
from resolver.listen.connection import Ending, TcpLimits
from resolver.listen.tcp import TcpListener
from resolver.message.framing import frame
from tests.unit.listen.fakes import FakeEngine, Run, connected, need_ipv6, query, reply_to, settled, tcp, until, way_in


async def gone(listener: TcpListener) -> None:
    await until(lambda: not listener.connections)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_many_queries_on_one_connection_are_answered(run: Run, address: str) -> None:
    if ":" in address:
        need_ipv6()

    async def test() -> None:
        engine = FakeEngine()
        async with tcp(engine, address) as listener, connected(listener) as client:
            for number in range(5):
                assert await client.ask(query("now", number)) == reply_to(query("now", number))
        assert engine.clients == [address] * 5

    run(test)


def test_query_that_comes_byte_by_byte_is_understood(run: Run) -> None:
    async def test() -> None:
        async with tcp(FakeEngine()) as listener, connected(listener) as client:
            for byte in frame(query("now", 1)) + frame(query("now", 2)):
                client.writer.write(bytes([byte]))
                await settled(2)
            assert [(await client.receive())[:2] for _ in range(2)] == [b"\0\x01", b"\0\x02"]

    run(test)


def test_pipelined_answers_come_as_they_are_ready_in_any_order(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with tcp(engine) as listener, connected(listener) as client:
            client.send(query("later", 1), query("later", 2), query("now", 3), query("drop", 4))
            assert (await client.receive())[:2] == b"\0\x03"
            engine.respond(2)
            assert (await client.receive())[:2] == b"\0\x02"
            engine.respond(1)
            assert (await client.receive())[:2] == b"\0\x01"

    run(test)


def test_ready_reply_is_sent_without_asking_the_engine_and_counted(run: Run) -> None:
    async def test() -> None:
        engine, via, tally = FakeEngine(), way_in(tcp=True), [0]
        via.ready.put(
            query("hot")[2:],
            Ready(
                (
                    b"first",
                    b"second",
                ),
                monotonic() + 60,
                tally,
                b"",
            ),
        )
        via.ready.put(query("old")[2:], Ready((b"stale",), monotonic() - 1, [0], b""))
        async with tcp(engine, via=via) as listener, connected(listener) as client:
            client.send(query("hot", 0x4142), query("hot", 0x4344), query("old"))
            assert [await client.receive() for _ in range(3)] == [b"ABfirst", b"CDsecond", reply_to(query("old"))]
        assert (tally, engine.hits, len(engine.clients)) == ([2], 2, 1)

    run(test)


def test_clients_outside_the_allowed_ones_are_refused_even_where_a_reply_is_ready(run: Run) -> None:
    async def test() -> None:
        engine, via = FakeEngine(), way_in(tcp=True)
        engine.restricted = True
        via.ready.put(query("hot")[2:], Ready((b"ready",), monotonic() + 60, [0], b""))
        async with tcp(engine, via=via) as listener, connected(listener) as client:
            assert (await client.ask(query("hot")))[3] & 0xF == 5

    run(test)


def test_exception_in_the_engine_is_contained_and_answered_servfail(run: Run) -> None:
    async def test() -> None:
        async with tcp(FakeEngine()) as listener, connected(listener) as client:
            for name in ("boom", "askboom"):
                assert (await client.ask(query(name, 7)))[3] & 0xF == 2
            assert await client.ask(query("now")) == reply_to(query("now"))
            assert listener.guard.failures == 2

    run(test)


@pytest.mark.parametrize("junk", [b"\0\0", b"\0\x0bhello world"])
def test_frame_that_is_no_message_ends_the_connection_after_the_answers_before_it(run: Run, junk: bytes) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with tcp(engine) as listener, connected(listener) as client:
            client.writer.write(frame(query("later", 1)) + junk + frame(query("now", 2)))
            await engine.until_pending(1)
            engine.respond(1)
            assert (await client.receive())[:2] == b"\0\x01"
            assert await client.ended()
            assert listener.ended[Ending.NO_MESSAGE] == 1

    run(test)


def test_client_that_has_sent_its_last_query_still_gets_all_answers(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with tcp(engine) as listener, connected(listener) as client:
            client.send(query("later", 1), query("later", 2))
            client.writer.write_eof()
            await engine.until_pending(2)
            await settled()
            engine.respond(2)
            engine.respond(1)
            assert [(await client.receive())[:2] for _ in range(2)] == [b"\0\x02", b"\0\x01"]
            assert await client.ended()
            await gone(listener)

    run(test)


def test_client_that_leaves_cancels_nothing_and_its_late_answer_is_dropped(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with tcp(engine) as listener:
            async with connected(listener) as client:
                client.send(query("later", 1))
                await engine.until_pending(1)
            await settled()
            engine.respond(1)
            await gone(listener)
            async with connected(listener) as client:
                assert await client.ask(query("now")) == reply_to(query("now"))

    run(test)


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


def test_query_longer_than_its_bound_is_cut_and_the_connection_goes_on(run: Run) -> None:
    async def test() -> None:
        async with tcp(FakeEngine(), query_bytes=100) as listener, connected(listener) as client:
            assert await client.ask(query("now", 1) + bytes(60_000)) == reply_to((query("now", 1) + bytes(100))[:100])
            assert await client.ask(query("now", 2)) == reply_to(query("now", 2))

    run(test)


def test_close_answers_what_was_sent_and_then_ends_the_connections(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with tcp(engine) as listener, connected(listener) as known:
            await known.ask(query("now"))
            known.send(query("later", 1))
            place = listener.sock.getsockname()
            # This one waits in the kernel's queue, its query sent, when the end begins.
            fresh = socket.create_connection(place)
            fresh.setblocking(False)
            fresh.send(frame(query("now", 2)))
            closing = asyncio.create_task(listener.close(20))
            await engine.until_pending(1)
            loop = asyncio.get_running_loop()
            with fresh:
                assert await loop.sock_recv(fresh, 500) == frame(reply_to(query("now", 2)))
                assert await loop.sock_recv(fresh, 500) == b""
            assert not closing.done()
            engine.respond(1)
            assert (await known.receive())[:2] == b"\0\x01"
            assert await known.ended()
            await closing
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(place)

    run(test)


def test_close_gives_up_what_outlasts_it(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with tcp(engine) as listener, connected(listener) as client:
            client.send(query("later", 1))
            await engine.until_pending(1)
            await listener.close(0)
            assert await client.ended()
            await gone(listener)
            assert listener.ended[Ending.SHUTDOWN] == 1

    run(test)


def test_replies_of_one_turn_leave_in_one_write(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with tcp(engine) as listener:
            with socket.create_connection(listener.sock.getsockname()) as client:
                client.setblocking(False)
                client.send(b"".join(frame(query("later", number)) for number in range(20)))
                await engine.until_pending(20)
                for number in range(20):
                    engine.respond(number)
                data = await asyncio.get_running_loop().sock_recv(client, 65535)
        assert data == b"".join(frame(reply_to(query("later", number))) for number in range(20))

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


class FailingAccept:
    """A listening socket whose accept() fails as often as it is told to."""

    def __init__(self, sock: socket.socket, error: int, times: int) -> None:
        self.sock = sock
        self.error = error
        self.times = times

    def accept(self) -> tuple[socket.socket, object]:
        if self.times:
            self.times -= 1
            raise OSError(self.error, os.strerror(self.error))
        return self.sock.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)


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


def test_connection_that_fails_while_it_is_accepted_stops_nothing(run: Run) -> None:
    async def test() -> None:
        async with tcp(FakeEngine()) as listener:
            listener.sock = cast("socket.socket", FailingAccept(listener.sock, errno.EPROTO, 2))
            async with connected(listener) as client:
                assert await client.ask(query("now")) == reply_to(query("now"))
            assert listener.accept_errors == {"EPROTO": 2}

    run(test)
