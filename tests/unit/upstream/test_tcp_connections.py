"""When connections to a server are made, used again, replaced and given up: over real sockets on loopback, on both
event loops, with a clock that the tests move.
"""

import asyncio
import socket

from resolver.config.values import Upstream
from resolver.upstream import tcp
from resolver.upstream.tcp import TcpChannel
from resolver.upstream.transport import Problem
from tests.unit.upstream.pool import Scene, channel_to, port_that_lets_wait, scene
from tests.unit.upstream.steered import (
    Asked,
    Run,
    Server,
    ServerSide,
    SteeredLoop,
    answer_of,
    both_loops,
    closed_port,
    until,
)


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
def test_questions_that_are_to_be_alone_share_no_connection_until_there_are_many(run: Run) -> None:
    async def main() -> None:
        async with scene(alone=True) as on:
            asked = [Asked(on.channel) for _ in range(tcp.MAX_ALONE)]
            for _ in asked:
                side = await on.server.connection()
                await side.query()
            more = Asked(on.channel)
            assert len({each.ticket.connection for each in asked}) == tcp.MAX_ALONE  # type: ignore[attr-defined]
            assert on.channel.snapshot().connections == len(on.server.connections) == tcp.MAX_ALONE
            assert any(_shares(each, more) for each in asked)
            for each in asked:
                each.ticket.cancel()

    run(main())


def _shares(one: Asked, other: Asked) -> bool:
    """Whether both were asked on the same connection."""
    return one.ticket.connection is other.ticket.connection  # type: ignore[attr-defined]


@both_loops
def test_an_idle_connection_is_used_again_and_a_silent_one_makes_room(run: Run) -> None:
    async def main() -> None:
        async with scene(alone=True) as on:
            asked = Asked(on.channel)
            side = await on.server.connection()
            side.answer(await side.query())
            await asked.outcome()
            silent = [Asked(on.channel) for _ in range(tcp.MAX_ALONE)]
            assert _shares(asked, silent[0])
            await until(lambda: on.channel.snapshot().connections == tcp.MAX_ALONE)
            for each in silent:
                each.ticket.silent()
            new = Asked(on.channel)
            assert await silent[0].outcome() is Problem.RESET, "the oldest suspect makes room"
            assert not any(_shares(each, new) for each in silent)
            await until(lambda: len(on.server.connections) == tcp.MAX_ALONE + 1)

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


def test_resolvers_that_lost_their_server_together_do_not_all_come_back_together() -> None:
    channels, step_seconds, seconds = 40, 0.05, 4

    async def main() -> None:
        loop, upstream = SteeredLoop(), Upstream("127.0.0.1", closed_port())
        nodes = [TcpChannel(upstream, loop.as_loop()) for _ in range(channels)]
        connects = [0] * int(seconds / step_seconds)
        for step in range(len(connects)):
            asked = [Asked(node) for node in nodes]
            connects[step] = [await each.outcome() for each in asked].count(Problem.REFUSED)
            loop.pass_time(step_seconds)
        a_tenth = int(0.1 / step_seconds)
        busiest = max(sum(connects[step : step + a_tenth]) for step in range(len(connects) // 2, len(connects)))
        assert connects[0] == channels, "the first connect after the loss waits for nothing"
        assert busiest <= channels / 2, "of all, in a tenth of a second, when all have waited a while"
        assert sum(connects) >= channels * seconds, "each tries once a second or more often"
        assert sum(connects) <= channels * seconds * 4

    asyncio.run(main())
