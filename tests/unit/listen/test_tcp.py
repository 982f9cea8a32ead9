"""TCP as RFC 7766 wants it: framing, pipelining, order and ends."""

import asyncio
import errno
import socket
from typing import cast

import pytest

from resolver.listen.connection import Ending
from resolver.message.framing import frame
from tests.unit.listen.fakes import (
    FailingAccept,
    FakeEngine,
    Run,
    connected,
    gone,
    leave_ready,
    need_ipv6,
    query,
    reply_to,
    settled,
    tcp,
    way_in,
)


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
        leave_ready(via, "hot", b"first", b"second", tally=tally)
        leave_ready(via, "old", b"stale", seconds=-1)
        async with tcp(engine, via=via) as listener, connected(listener) as client:
            client.send(query("hot", 0x4142), query("hot", 0x4344), query("old"))
            assert [await client.receive() for _ in range(3)] == [b"ABfirst", b"CDsecond", reply_to(query("old"))]
        assert (tally, engine.hits, len(engine.clients)) == ([2], 2, 1)

    run(test)


def test_clients_outside_the_allowed_ones_are_refused_even_where_a_reply_is_ready(run: Run) -> None:
    async def test() -> None:
        engine, via = FakeEngine(), way_in(tcp=True)
        engine.restricted = True
        leave_ready(via, "hot", b"ready")
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


def test_connection_that_fails_while_it_is_accepted_stops_nothing(run: Run) -> None:
    async def test() -> None:
        async with tcp(FakeEngine()) as listener:
            listener.sock = cast("socket.socket", FailingAccept(listener.sock, errno.EPROTO, 2))
            async with connected(listener) as client:
                assert await client.ask(query("now")) == reply_to(query("now"))
            assert listener.accept_errors == {"EPROTO": 2}

    run(test)
