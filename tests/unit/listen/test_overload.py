"""A flood that loses packets: the kernel keeps it out, every query is answered or counted, and it ends by itself."""

import asyncio
import logging
import socket

import pytest

from resolver.listen import filters, overload
from resolver.listen.backlog import Backlog
from resolver.listen.shares import Shares
from resolver.listen.udp import UdpListener
from tests.unit.listen.fakes import FakeEngine, Run, UdpClient, query, reply_to, udp, until

ROOM_BYTES = 128 * 1024  # of the socket, as the kernel counts: a hundred packets
BURST = 500


@pytest.fixture(autouse=True)
def all_may_be_answered_and_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine of these tests is so fast, and a flood from the same loop so slow, that nothing would ever wait."""
    serve = UdpListener.serve
    monkeypatch.setattr(UdpListener, "serve", lambda self, backlog, _until: serve(self, backlog, 0.0))
    monkeypatch.setattr(overload, "_LOG_SECONDS", 3600.0)


def flood_until_limited(listener: UdpListener, flood: UdpClient) -> "asyncio.Task[int]":
    """Sends, more than there is room for, until the kernel holds some of it back; how many it was."""

    async def sending() -> int:
        sent = 0
        while not listener.overload.shares.passing:
            for number in range(BURST):
                flood.sock.send(query("now", number))
            sent += BURST
            await asyncio.sleep(0)
        return sent

    listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM_BYTES // 2)
    return asyncio.get_running_loop().create_task(sending())


def test_every_query_of_a_flood_is_answered_or_counted_by_reason(run: Run) -> None:
    async def test() -> None:
        engine = FakeEngine()
        async with udp(engine) as listener:
            with UdpClient(listener) as flood:
                sent = await flood_until_limited(listener, flood)
                for number in range(BURST):
                    flood.sock.send(query("now", number))
                sent += BURST
                await until(lambda: len(engine.clients) + sum(listener.dropped.values()) == sent)
                dropped = listener.dropped
                assert dropped["socket"] > 0
                assert dropped["filter"] > 0
            await until(lambda: not listener.overload.active)
            assert listener.dropped == dropped
        assert listener.dropped == dropped, "what was counted stays when the socket is closed"

    run(test)


def test_while_one_client_floods_all_that_another_asks_is_answered(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_of_the_flood(shares: Shares, *_: object, **__: object) -> None:
        shares.passing, shares.sending = {"127.0.0.1": 0.0}, {"127.0.0.1": 1e6}

    monkeypatch.setattr(Shares, "review", nothing_of_the_flood)

    async def test() -> None:
        engine = FakeEngine()
        async with udp(engine) as listener:
            with UdpClient(listener) as flood, UdpClient(listener, source="127.0.0.2") as quiet:
                await flood_until_limited(listener, flood)
                await until(lambda: not len(listener.overload.backlog))
                reached = engine.clients.count("127.0.0.1")
                for number in range(50):
                    for _ in range(BURST):
                        flood.sock.send(query("now", 1))
                    assert await quiet.ask(query("now", number)) == reply_to(query("now", number))
                assert engine.clients.count("127.0.0.1") == reached
                assert listener.dropped["filter"] >= 50 * BURST

    run(test)


def test_a_flood_is_told_once_when_it_begins_and_once_when_it_is_over(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger=overload.__name__)

    async def test() -> None:
        async with udp(FakeEngine()) as listener:
            with UdpClient(listener) as flood:
                for _ in range(2):  # the second one is too soon to be told
                    await flood_until_limited(listener, flood)
                    await until(lambda: not listener.overload.active)
                    await until(lambda: not len(listener.overload.backlog))

    run(test)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "a client floods", "no client floods any more",
    ]  # fmt: skip
    assert caplog.records[0].fields["client"] == "127.0.0.1"  # type: ignore[attr-defined]


def test_when_the_flood_is_over_its_client_is_answered_as_before(run: Run) -> None:
    async def test() -> None:
        async with udp(FakeEngine()) as listener:
            with UdpClient(listener) as flood, UdpClient(listener) as later:
                await flood_until_limited(listener, flood)
                await until(lambda: not listener.overload.active)
                for number in range(50):
                    assert await later.ask(query("now", number)) == reply_to(query("now", number))

    run(test)


def test_a_listener_that_ends_in_a_flood_takes_its_filter_off(run: Run) -> None:
    async def test() -> None:
        listening = udp(FakeEngine())
        listener = await listening.__aenter__()
        with listener.sock.dup() as kept, UdpClient(listener) as flood:
            await flood_until_limited(listener, flood)
            await listener.close(5, queued=False)
            await listening.__aexit__(None, None, None)
            before = len(drained(kept))
            flood.sock.send(query("now", 1))
            assert (before >= 0, len(drained(kept))) == (True, 1)

    run(test)


def drained(sock: socket.socket) -> list[bytes]:
    found = []
    try:
        while True:
            found.append(sock.recv(512))
    except BlockingIOError:
        return found


@pytest.mark.parametrize("when", ["start", "later"])
def test_a_filter_that_a_killed_predecessor_has_left_is_taken_off(
    run: Run, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    monkeypatch.setattr(overload, "TEND_SECONDS", 0.01)

    async def test() -> None:
        engine = FakeEngine()
        async with udp(engine) as listener:
            with UdpClient(listener) as client:
                filters.attach(listener.sock, {"127.0.0.1": 0.0})
                if when == "start":
                    listener.overload.start()
                    client.send(query("now", 1))
                else:
                    sending = asyncio.get_running_loop().create_task(again_and_again(client))
                    await until(lambda: engine.clients)
                    sending.cancel()
                await until(lambda: engine.clients)

    run(test)


async def again_and_again(client: UdpClient) -> None:
    while True:
        client.send(query("now", 1))
        await asyncio.sleep(0.001)  # the pace of a client that goes on until something is read


@pytest.mark.parametrize(("others", "granted"), [(0.0001, 0.001), (0.004, 0.004), (3.0, 0.01)])
def test_while_much_waits_answering_gets_as_much_time_as_all_else_within_bounds(
    run: Run, monkeypatch: pytest.MonkeyPatch, others: float, granted: float
) -> None:
    clock, turns = [100.0], list[float]()
    monkeypatch.setattr(overload, "monotonic", lambda: clock[0])

    async def test() -> None:
        async with udp(FakeEngine()) as listener:

            def serve(waiting: Backlog, until: float) -> int:
                turns.append(until - clock[0])
                return waiting.pop() is not None

            def take(waiting: Backlog) -> bool:
                clock[0] += others
                return UdpListener.take(listener, waiting)

            monkeypatch.setattr(listener, "serve", serve)
            monkeypatch.setattr(listener, "take", take)
            with UdpClient(listener) as client:
                for number in range(BURST):
                    client.sock.send(query("now", number))
                await until(lambda: len(turns) > BURST // 2)
                listener.overload.backlog = Backlog()

    run(test)
    assert turns[-1] == pytest.approx(granted)
