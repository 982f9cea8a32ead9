"""What a survey is told by the listeners: each reply once, whatever batch it was in and however it was made."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from time import monotonic
from typing import cast

import pytest

from resolver.cache.packets import ready_reply
from resolver.engine import Engine
from resolver.listen import mmsg, sampledtcp
from resolver.listen.batched import BatchedUdpListener
from resolver.listen.sampled import SampledBatchedListener, SampledUdpListener
from resolver.listen.sockets import open_udp
from resolver.listen.tcp import TcpListener
from resolver.listen.udp import UdpListener, listen_udp
from resolver.outcome import Via
from resolver.survey.survey import Owner, Survey
from tests.unit.builders import addresses, answer_packet, query_packet
from tests.unit.listen.fakes import FakeEngine, Run, UdpClient, connected, query, tcp, until, way_in


@contextlib.asynccontextmanager
async def sampled(engine: FakeEngine, survey: Survey | None, via: Via | None = None) -> AsyncIterator[UdpListener]:
    loop = asyncio.get_running_loop()
    sock = open_udp("127.0.0.1", 0)
    listener = listen_udp(loop, sock, cast("Engine", engine), via or way_in(tcp=False), survey)
    await listener.start()
    try:
        yield listener
    finally:
        await listener.close(0)


@pytest.mark.parametrize("batched", [True, False])
def test_without_a_survey_listeners_are_what_they_are(run: Run, monkeypatch: pytest.MonkeyPatch, batched: bool) -> None:
    monkeypatch.setattr(mmsg, "available", batched)

    async def test() -> None:
        async with sampled(FakeEngine(), None) as listener:
            assert type(listener) is (BatchedUdpListener if batched else UdpListener)
        async with sampled(FakeEngine(), Survey(0.0)) as listener:
            assert type(listener) is (SampledBatchedListener if batched else SampledUdpListener)

    run(test)


@pytest.mark.parametrize("batched", [True, False])
def test_replies_from_every_source_are_told(run: Run, monkeypatch: pytest.MonkeyPatch, batched: bool) -> None:
    monkeypatch.setattr(mmsg, "available", batched)

    async def test() -> None:
        survey, engine, via = Survey(0.0), FakeEngine(), way_in(tcp=False)
        hot = query_packet("hot.shop.")
        reply = answer_packet("hot.shop.", answers=addresses(1, "hot.shop."))
        via.ready.put(hot[2:], ready_reply((reply[2:],), monotonic() + 60, [0], b""))
        async with sampled(engine, survey, via) as listener:
            with UdpClient(listener) as client:
                await client.ask(hot)
                await client.ask(query("now", 2))
                client.send(query("later", 3))
                await engine.until_pending(1)
                assert survey.total == 2, "a query without a reply does not count"
                engine.respond(3)
                await client.receive()
                client.send(query("drop", 4))
                await until(lambda: len(engine.clients) == 3)  # it was a batch of its own
                await client.ask(hot)
        assert survey.total == 4
        assert {key: row.count for key, row in survey.pods} == {Owner("127.0.0.1"): 4}

    run(test)


def test_replies_over_tcp_are_told_from_every_source(run: Run) -> None:
    async def test() -> None:
        survey, engine, via = Survey(0.0), FakeEngine(), way_in(tcp=True)
        hot = query_packet("hot.shop.")
        reply = answer_packet("hot.shop.", answers=addresses(1, "hot.shop."))
        via.ready.put(hot[2:], ready_reply((reply[2:],), monotonic() + 60, [0], b""))
        async with tcp(engine, via=via, survey=survey) as listener, connected(listener) as client:
            assert type(listener) is sampledtcp.SampledTcpListener
            await client.ask(hot)
            await client.ask(query("now", 2))
            client.send(query("drop", 3), query("later", 4))
            await engine.until_pending(1)
            assert survey.total == 2, "a query without a reply does not count"
            engine.respond(4)
            await client.receive()
        assert {key: row.count for key, row in survey.names} == {b"\3hot\4shop\0": 1, b"\3now\0": 1, b"\5later\0": 1}
        assert {key: row.count for key, row in survey.pods} == {Owner("127.0.0.1"): 3}

    run(test)


def test_without_a_survey_the_listener_for_tcp_is_what_it_is(run: Run) -> None:
    async def test() -> None:
        async with tcp(FakeEngine()) as listener:
            assert type(listener) is TcpListener

    run(test)


def test_a_batch_counts_as_many_as_it_has(run: Run) -> None:
    async def test() -> None:
        survey, via = Survey(0.0), way_in(tcp=False)
        packets = [query_packet(f"n{number}.shop.", ident=number) for number in range(40)]
        for packet in packets:
            via.ready.put(packet[2:], ready_reply((answer_packet()[2:],), monotonic() + 60, [0], b""))
        async with sampled(FakeEngine(), survey, via) as listener:
            with UdpClient(listener) as client:
                for packet in packets:
                    client.send(packet)
                await until(lambda: survey.total == len(packets))
        assert survey.samples < len(packets), "they were read together"

    run(test)
