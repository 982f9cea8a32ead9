"""UDP against a server on loopback that answers when told to, and against others who answer in its place."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from resolver.config.values import Upstream
from resolver.upstream import udp
from resolver.upstream.transport import Problem
from resolver.upstream.udp import UdpChannel
from tests.cases.recorded import question_of
from tests.unit.upstream.steered import (
    OTHER_QUESTION,
    QUESTION,
    Asked,
    Run,
    answer_of,
    both_loops,
    closed_port,
    response_to,
    until,
)

Address = tuple[str, int]


class DatagramServer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.queries: asyncio.Queue[tuple[bytes, Address]] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport | None = None

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.queries.put_nowait((data, addr))

    def send(self, message: bytes, address: Address) -> None:
        assert self.transport is not None
        self.transport.sendto(message, address)

    async def query(self) -> tuple[bytes, Address]:
        return await asyncio.wait_for(self.queries.get(), 60)


@asynccontextmanager
async def scene() -> AsyncIterator[tuple[DatagramServer, UdpChannel]]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(DatagramServer, ("127.0.0.1", 0))
    server.transport = transport
    port = transport.get_extra_info("sockname")[1]
    channel = UdpChannel(Upstream("127.0.0.1", port), loop)
    try:
        yield server, channel
        assert channel.snapshot().connections == 0, "a socket is left open"
    finally:
        transport.close()
        await asyncio.sleep(0)


@both_loops
def test_answers_out_of_order_reach_those_who_asked(run: Run) -> None:
    async def main() -> None:
        async with scene() as (server, channel):
            asked = [Asked(channel, question) for question in (QUESTION, OTHER_QUESTION)]
            queries = [await server.query() for _ in asked]
            for query, address in reversed(queries):
                server.send(answer_of(query), address)
            assert [await each.outcome() for each in asked] == [answer_of(query) for query, _ in queries]

    run(main())


@both_loops
def test_every_question_has_a_port_and_an_id_of_its_own(run: Run) -> None:
    async def main() -> None:
        async with scene() as (server, channel):
            asked = [Asked(channel) for _ in range(50)]
            queries = [await server.query() for _ in asked]
            ports = [address[1] for _, address in queries]
            assert len(set(ports)) == 50
            assert ports not in (sorted(ports), sorted(ports, reverse=True))
            ids = [int.from_bytes(query[:2], "big") for query, _ in queries]
            assert ids not in (sorted(ids), sorted(ids, reverse=True))
            for each in asked:
                each.ticket.cancel()

    run(main())


@both_loops
def test_wrong_id_or_question_is_ignored_and_the_wait_goes_on(run: Run) -> None:
    async def main() -> None:
        async with scene() as (server, channel):
            asked = Asked(channel)
            query, address = await server.query()
            wrong_id = bytes((query[0], query[1] ^ 1)) + query[2:]
            for message in (
                answer_of(wrong_id),
                response_to(query[:2], OTHER_QUESTION),
                query,
                b"\0",
                answer_of(query),
            ):
                server.send(message, address)
            assert await asked.outcome() == answer_of(query)
            assert channel.snapshot().ignored_total == 4

    run(main())


@both_loops
def test_answer_from_another_port_is_never_heard(run: Run) -> None:
    async def main() -> None:
        async with scene() as (server, channel):
            asked = Asked(channel)
            query, address = await server.query()
            forged = response_to(query[:2], question_of(query), flags=0x8183)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forger:
                forger.bind(("127.0.0.1", 0))
                forger.sendto(forged, address)  # is in the queue of the receiver, if anywhere, when this returns
            server.send(answer_of(query), address)
            assert await asked.outcome() == answer_of(query)
            assert channel.snapshot().ignored_total == 0

    run(main())


@both_loops
def test_truncated_answer_is_handed_out_like_any_other(run: Run) -> None:
    async def main() -> None:
        async with scene() as (server, channel):
            asked = Asked(channel)
            query, address = await server.query()
            truncated = response_to(query[:2], QUESTION, flags=0x8380)
            server.send(truncated, address)
            assert await asked.outcome() == truncated

    run(main())


@both_loops
def test_closed_port_is_refused(run: Run) -> None:
    async def main() -> None:
        channel = UdpChannel(Upstream("127.0.0.1", closed_port()), asyncio.get_running_loop())
        assert await Asked(channel).outcome() is Problem.REFUSED
        assert channel.snapshot().connections == 0

    run(main())


@both_loops
def test_address_that_cannot_be_reached_is_unreachable(run: Run) -> None:
    async def main() -> None:
        channel = UdpChannel(Upstream("fe80::1%nosuchlink"), asyncio.get_running_loop())
        assert await Asked(channel).outcome() is Problem.UNREACHABLE

    run(main())


@both_loops
def test_the_way_to_a_server_is_quiet_until_it_says_anything_at_all(run: Run) -> None:
    async def main() -> None:
        async with scene() as (server, channel):
            silent = Asked(channel)
            await server.query()
            assert silent.ticket.quiet()
            other = Asked(channel)
            query, address = await server.query()
            server.send(answer_of(query), address)
            await other.outcome()
            assert [silent.ticket.quiet(), silent.ticket.quiet()] == [False, True]
            silent.ticket.cancel()

    run(main())


@both_loops
def test_cancelled_question_hears_nothing_and_holds_no_socket(run: Run) -> None:
    async def main() -> None:
        async with scene() as (server, channel):
            cancelled = Asked(channel)
            query, address = await server.query()
            server.send(answer_of(query), address)
            cancelled.ticket.silent()
            cancelled.ticket.cancel()
            cancelled.ticket.cancel()
            assert channel.snapshot().connections == 0
            other = Asked(channel)
            query, address = await server.query()
            server.send(answer_of(query), address)
            await other.outcome()
            assert cancelled.heard == []

    run(main())


@both_loops
def test_sockets_are_bounded(run: Run) -> None:
    async def main() -> None:
        async with scene() as (_, channel):
            asked = [Asked(channel) for _ in range(udp.MAX_IN_FLIGHT)]
            assert await Asked(channel).outcome() is Problem.FULL
            for each in asked:
                each.ticket.cancel()

    run(main())


@both_loops
def test_closed_channel_waits_for_its_answers_and_takes_no_questions(run: Run) -> None:
    async def main() -> None:
        async with scene() as (server, channel):
            asked = Asked(channel)
            channel.close()
            assert await Asked(channel).outcome() is Problem.RESET
            query, address = await server.query()
            server.send(answer_of(query), address)
            assert await asked.outcome() == answer_of(query)
            await until(lambda: channel.snapshot().in_flight == 0)

    run(main())
