"""The pool of connections against real sockets on loopback, on both event loops, with a clock that the tests move."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from resolver.config.values import Upstream
from resolver.upstream import tcp
from resolver.upstream.connection import DRAIN_SECONDS
from resolver.upstream.tcp import TcpChannel
from resolver.upstream.transport import Problem
from tests.unit.upstream.steered import (
    OTHER_QUESTION,
    QUESTION,
    Asked,
    Run,
    Server,
    ServerSide,
    SteeredLoop,
    answer_of,
    both_loops,
    closed_port,
    framed,
    question_of,
    tcp_server,
    until,
)


class Scene:
    def __init__(self, server: Server, channel: TcpChannel, loop: SteeredLoop) -> None:
        self.server = server
        self.channel = channel
        self.loop = loop


@asynccontextmanager
async def channel_to(upstream: Upstream) -> AsyncIterator[tuple[TcpChannel, SteeredLoop]]:
    loop = SteeredLoop()
    channel = TcpChannel(upstream, loop.as_loop())
    try:
        yield channel, loop
    finally:
        channel.close()
        loop.pass_time(DRAIN_SECONDS + tcp.TICK_SECONDS)
        await until(lambda: not channel.snapshot().connections)
        loop.pass_time(tcp.TICK_SECONDS)
        assert loop.timers == 0, "housekeeping goes on without connections"


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    async with tcp_server() as server, channel_to(server.upstream) as (channel, loop):
        yield Scene(server, channel, loop)


@contextmanager
def port_that_lets_wait() -> Iterator[Upstream]:
    """A port whose queue of connections is full: a connect gets no reply at all, as from a host that vanished."""
    with socket.socket() as listening, socket.socket() as first, socket.socket() as second:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for filling in (first, second):
            filling.setblocking(False)
            filling.connect_ex(listening.getsockname())
        yield Upstream("127.0.0.1", listening.getsockname()[1])


@both_loops
def test_answers_out_of_order_reach_those_who_asked(run: Run) -> None:
    async def main() -> None:
        async with scene() as on:
            asked = [Asked(on.channel, question) for question in (QUESTION, OTHER_QUESTION, QUESTION)]
            side = await on.server.connection()
            queries = [await side.query() for _ in asked]
            side.answer(*reversed(queries))
            assert [await each.outcome() for each in asked] == [answer_of(query) for query in queries]
            assert len(on.server.connections) == 1

    run(main())


@both_loops
def test_answer_in_single_bytes_is_put_together(run: Run) -> None:
    async def main() -> None:
        async with scene() as on:
            asked = Asked(on.channel)
            side = await on.server.connection()
            query = await side.query()
            for byte in framed(answer_of(query)):
                side.send(bytes((byte,)))
                await side.writer.drain()
                await asyncio.sleep(0)
            assert await asked.outcome() == answer_of(query)

    run(main())


@both_loops
def test_strays_are_ignored_and_the_answer_after_them_counts(run: Run) -> None:
    async def main() -> None:
        async with scene() as on:
            asked = Asked(on.channel)
            side = await on.server.connection()
            query = await side.query()
            wrong_id = bytes((query[0] ^ 1,)) + query[1:]
            side.send(framed(answer_of(wrong_id), b"", b"short", answer_of(query)))
            assert await asked.outcome() == answer_of(query)
            assert on.channel.snapshot().ignored_total == 3

    run(main())


@both_loops
def test_reset_in_the_middle_of_an_answer_fails_what_waits_and_the_next_question_reconnects(run: Run) -> None:
    async def main() -> None:
        async with scene() as on:
            asked = [Asked(on.channel), Asked(on.channel, OTHER_QUESTION)]
            side = await on.server.connection()
            query = await side.query()
            side.send(framed(answer_of(query))[:9])
            side.reset()
            assert [await each.outcome() for each in asked] == [Problem.RESET, Problem.RESET]
            again = Asked(on.channel)
            side = await on.server.connection()
            query = await side.query()
            side.answer(query)
            assert await again.outcome() == answer_of(query)

    run(main())


@both_loops
def test_failed_attempt_may_send_again_at_once(run: Run) -> None:
    async def main() -> None:
        async with scene() as on:
            again: list[Asked] = []
            asked = Asked(on.channel)
            asked.on_failure = lambda: again.append(Asked(on.channel))
            side = await on.server.connection()
            await side.query()
            side.reset()
            assert await asked.outcome() is Problem.RESET
            side = await on.server.connection()
            query = await side.query()
            side.answer(query)
            assert await again[0].outcome() == answer_of(query)

    run(main())


@both_loops
def test_server_that_closes_while_idle_has_not_failed(run: Run) -> None:
    async def main() -> None:
        async with scene() as on:
            first = Asked(on.channel)
            side = await on.server.connection()
            side.answer(await side.query())
            await first.outcome()
            side.writer.close()
            await until(lambda: on.channel.snapshot().connections == 0)
            second = Asked(on.channel)
            side = await on.server.connection()
            query = await side.query()
            side.answer(query)
            assert await second.outcome() == answer_of(query)
            assert on.channel.snapshot().opened_total == 2

    run(main())


@both_loops
def test_more_than_a_full_measure_in_flight_opens_a_second_connection(run: Run) -> None:
    async def main() -> None:
        async with scene() as on:
            warm = Asked(on.channel)
            side = await on.server.connection()
            side.answer(await side.query())
            await warm.outcome()
            asked = [Asked(on.channel) for _ in range(tcp.SPREAD_AT)]
            assert len(on.server.connections) == 1
            asked.append(Asked(on.channel))
            await until(lambda: on.channel.snapshot().connections == 2)
            asked.append(Asked(on.channel))
            other = await on.server.connection()
            query = await other.query()
            other.answer(query)
            assert await asked[-1].outcome() == answer_of(query)
            assert on.channel.snapshot().in_flight == tcp.SPREAD_AT + 1
            side.answer(*[await side.query() for _ in range(tcp.SPREAD_AT + 1)])
            for each in asked:
                assert isinstance(await each.outcome(), bytes)

    run(main())


@both_loops
def test_connections_and_questions_on_them_are_bounded(run: Run) -> None:
    async def main() -> None:
        async with scene() as on:
            bound = tcp.MAX_CONNECTIONS * tcp.MAX_IN_FLIGHT
            asked = [Asked(on.channel) for _ in range(bound)]
            surplus = Asked(on.channel)
            assert await surplus.outcome() is Problem.FULL
            await until(lambda: on.channel.snapshot().connections == tcp.MAX_CONNECTIONS)
            assert on.channel.snapshot().in_flight == bound
            for each in asked:
                each.ticket.cancel()
            assert on.channel.snapshot().in_flight == 0

    run(main())


@both_loops
def test_silent_connection_is_left_for_another_and_its_late_answer_counts(run: Run) -> None:
    async def main() -> None:
        async with scene() as on:
            first = Asked(on.channel)
            silent = await on.server.connection()
            query = await silent.query()
            first.ticket.silent()
            second = Asked(on.channel, avoid=first.ticket)
            other = await on.server.connection()
            assert question_of(await other.query()) == QUESTION
            silent.answer(query)
            assert await first.outcome() == answer_of(query)
            assert await silent.closed() == b""
            second.ticket.cancel()

    run(main())


@both_loops
def test_silent_connection_is_given_up_when_its_time_is_over(run: Run) -> None:
    async def main() -> None:
        async with scene() as on:
            asked = Asked(on.channel)
            side = await on.server.connection()
            await side.query()
            asked.ticket.silent()
            on.loop.pass_time(DRAIN_SECONDS + tcp.TICK_SECONDS)
            assert await asked.outcome() is Problem.RESET
            assert await side.closed() == b""

    run(main())


@both_loops
def test_second_try_avoids_the_connection_of_the_first(run: Run) -> None:
    async def main() -> None:
        async with scene() as on:
            first = Asked(on.channel)
            side = await on.server.connection()
            await side.query()
            second = Asked(on.channel, avoid=first.ticket)
            other = await on.server.connection()
            query = await other.query()
            other.answer(query)
            assert await second.outcome() == answer_of(query)
            assert first.heard == []
            first.ticket.cancel()

    run(main())


@both_loops
def test_refused_connect_fails_all_who_waited_for_it(run: Run) -> None:
    async def main() -> None:
        async with channel_to(Upstream("127.0.0.1", closed_port())) as (channel, _):
            asked = [Asked(channel) for _ in range(3)]
            assert [await each.outcome() for each in asked] == [Problem.REFUSED] * 3

    run(main())


@both_loops
def test_next_connect_waits_longer_after_every_failure_up_to_a_second(run: Run) -> None:
    async def main() -> None:
        async with channel_to(Upstream("127.0.0.1", closed_port())) as (channel, loop):
            longest = tcp.BACKOFF_SECONDS
            for _ in range(8):
                assert await Asked(channel).outcome() is Problem.REFUSED
                loop.pass_time(longest * 0.49)
                assert await Asked(channel).outcome() is Problem.BACKING_OFF
                loop.pass_time(longest * 0.52)
                longest = min(longest * 2, tcp.MAX_BACKOFF_SECONDS)

    run(main())


@both_loops
def test_connect_that_succeeds_ends_the_backoff(run: Run) -> None:
    async def main() -> None:
        port = closed_port()
        async with channel_to(Upstream("127.0.0.1", port)) as (channel, loop):
            for _ in range(5):
                assert await Asked(channel).outcome() is Problem.REFUSED
                loop.pass_time(tcp.MAX_BACKOFF_SECONDS)
            server = Server()
            listening = await asyncio.start_server(server.accept, "127.0.0.1", port)
            asked = Asked(channel)
            side = await server.connection()
            side.answer(await side.query())
            assert isinstance(await asked.outcome(), bytes)
            listening.close()
            side.reset()
            await until(lambda: channel.snapshot().connections == 0)
            assert await Asked(channel).outcome() is Problem.REFUSED
            loop.pass_time(tcp.BACKOFF_SECONDS)
            assert await Asked(channel).outcome() is Problem.REFUSED

    run(main())


@both_loops
def test_cancelled_failure_is_not_told(run: Run) -> None:
    async def main() -> None:
        async with channel_to(Upstream("127.0.0.1", closed_port())) as (channel, _):
            assert await Asked(channel).outcome() is Problem.REFUSED
            cancelled, told = Asked(channel), Asked(channel)
            cancelled.ticket.silent()
            cancelled.ticket.cancel()
            assert await told.outcome() is Problem.BACKING_OFF
            assert cancelled.heard == []

    run(main())


@both_loops
def test_address_that_cannot_be_reached_is_unreachable(run: Run) -> None:
    async def main() -> None:
        async with channel_to(Upstream("fe80::1%nosuchlink")) as (channel, _):
            assert await Asked(channel).outcome() is Problem.UNREACHABLE

    run(main())


@both_loops
def test_connect_without_reply_is_given_up(run: Run) -> None:
    async def main() -> None:
        with port_that_lets_wait() as upstream:
            async with channel_to(upstream) as (channel, loop):
                asked = Asked(channel)
                await asyncio.sleep(0)
                loop.pass_time(tcp.CONNECT_SECONDS)
                assert await asked.outcome() is Problem.SILENT
                assert await Asked(channel).outcome() is Problem.BACKING_OFF

    run(main())


@both_loops
def test_silence_while_connecting_starts_another_connect(run: Run) -> None:
    async def main() -> None:
        with port_that_lets_wait() as upstream:
            async with channel_to(upstream) as (channel, loop):
                asked = []
                for _ in range(tcp.MAX_CONNECTIONS + 2):
                    asked.append(Asked(channel))
                    await asyncio.sleep(0)
                    asked[-1].ticket.silent()
                assert await asked[0].outcome() is Problem.SILENT, "the oldest suspect makes room"
                assert channel.snapshot().in_flight == tcp.MAX_CONNECTIONS
                loop.pass_time(tcp.CONNECT_SECONDS + tcp.TICK_SECONDS)
                assert [await each.outcome() for each in asked] == [Problem.SILENT] * len(asked)

    run(main())


@both_loops
def test_idle_connection_is_closed_and_a_used_one_is_not(run: Run) -> None:
    async def main() -> None:
        async with scene() as on:
            asked = Asked(on.channel)
            side = await on.server.connection()
            side.answer(await side.query())
            await asked.outcome()
            on.loop.pass_time(tcp.IDLE_SECONDS - 2)
            asked = Asked(on.channel)
            side.answer(await side.query())
            await asked.outcome()
            on.loop.pass_time(tcp.IDLE_SECONDS - 2)
            assert on.channel.snapshot().connections == 1
            on.loop.pass_time(4)
            assert await side.closed() == b""
            await until(lambda: on.channel.snapshot().connections == 0)

    run(main())


@both_loops
def test_old_connection_is_replaced_without_a_question_waiting_for_it(run: Run) -> None:
    async def main() -> None:
        async with scene() as on:
            old = await _ask_until_replaced(on)
            fresh = await on.server.connection()
            asked = Asked(on.channel)
            fresh.answer(await fresh.query())
            await asked.outcome()
            assert await old.closed() == b""

    run(main())


async def _ask_until_replaced(on: Scene) -> ServerSide:
    """Ask once a second until a second connection opens; every question must have been answered by the first."""
    asked = Asked(on.channel)
    old = await on.server.connection()
    old.answer(await old.query())
    await asked.outcome()
    for _ in range(int(tcp.MAX_AGE_SECONDS * (1 + tcp.AGE_SPREAD)) + 1):
        on.loop.pass_time(1)
        asked = Asked(on.channel)  # in the very turn in which the old connection is found to be too old
        old.answer(await old.query())
        await asked.outcome()
        if on.channel.snapshot().connections + len(on.channel._connects) == 2 or len(on.server.connections) == 2:
            break
    await until(lambda: on.channel.snapshot().opened_total == 2)
    return old


@both_loops
def test_connections_live_for_different_times_around_a_minute(run: Run) -> None:
    async def main() -> None:
        async with scene() as on:
            ages = []
            for _ in range(10):
                asked = Asked(on.channel)
                side = await on.server.connection()
                (connection,) = on.channel._connections
                ages.append(connection.retire_at - connection.started_at)
                await side.query()
                side.reset()
                await asked.outcome()
            assert len(set(ages)) == len(ages)
            shortest, longest = (tcp.MAX_AGE_SECONDS * (1 + sign * tcp.AGE_SPREAD) for sign in (-1, 1))
            assert all(shortest <= age <= longest for age in ages)

    run(main())


@both_loops
def test_closed_channel_waits_for_its_answers_and_takes_no_questions(run: Run) -> None:
    async def main() -> None:
        async with scene() as on:
            asked = Asked(on.channel)
            side = await on.server.connection()
            query = await side.query()
            on.channel.close()
            assert await Asked(on.channel).outcome() is Problem.RESET
            side.answer(query)
            assert await asked.outcome() == answer_of(query)
            assert await side.closed() == b""

    run(main())


@both_loops
def test_question_that_waits_for_the_connect_is_answered_though_the_channel_closes(run: Run) -> None:
    async def main() -> None:
        async with scene() as on:
            asked = Asked(on.channel)
            on.channel.close()
            side = await on.server.connection()
            query = await side.query()
            side.answer(query)
            assert await asked.outcome() == answer_of(query)

    run(main())


@both_loops
def test_connection_has_the_options_that_find_dead_peers(run: Run) -> None:
    async def main() -> None:
        async with scene() as on:
            asked = Asked(on.channel)
            await (await on.server.connection()).query()
            (connection,) = on.channel._connections
            assert connection._transport is not None
            sock = connection._transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) > 0
            asked.ticket.cancel()

    run(main())
