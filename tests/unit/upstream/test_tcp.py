"""Questions and answers on connections to a server, over real sockets on loopback, on both event loops, with a clock
that the tests move.
"""

import asyncio

from resolver.config.values import Upstream
from resolver.upstream import tcp
from resolver.upstream.connection import DRAIN_SECONDS
from resolver.upstream.transport import Problem
from tests.cases.recorded import question_of
from tests.unit.builders import framed
from tests.unit.upstream.pool import channel_to, scene
from tests.unit.upstream.steered import (
    OTHER_QUESTION,
    QUESTION,
    Asked,
    Run,
    answer_of,
    both_loops,
    closed_port,
    until,
)


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
