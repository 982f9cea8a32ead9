import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, ClassVar

import pytest
import uvloop

from resolver.config import Upstream, Zone
from resolver.message.query import read_query
from resolver.nodestate import Bypass, BypassResult, NodeState
from resolver.ops.health import Health, Place, Readiness
from resolver.ops.pulse import Pulse
from resolver.ops.requests import Request, Response
from resolver.outcome import Reply
from resolver.upstream.health import FAILURES_TO_DOWN, SILENT_SECONDS
from tests.lab.waiting import PATIENCE_SECONDS
from tests.unit.ops.stage import CLUSTER, WORLD, Stage

Run = Callable[[Awaitable[None]], None]
ASKED = Request("GET", "/health", {}, "127.0.0.1")


class Listener(asyncio.DatagramProtocol):
    """A UDP socket in front of a stage, that may be deaf or send rubbish first."""

    opened: ClassVar[list[asyncio.BaseTransport]] = []

    def __init__(self, stage: Stage, *, deaf: bool = False, rubbish: bool = False) -> None:
        self.stage = stage
        self.deaf = deaf
        self.rubbish = rubbish
        self.asked = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.asked += 1
        if self.deaf:
            return
        if self.rubbish:
            for packet in (b"", b"\0", data, bytes((data[0] ^ 1, *data[1:2])) + b"\x80\5" + bytes(8)):
                self.transport.sendto(packet, addr)
        assert read_query(data).qclass == 3
        outcome = self.stage.engine.answer(data, addr[0], self.stage.engine.via(tcp=False, family=4), self.stage.now)
        assert isinstance(outcome, Reply)
        self.transport.sendto(outcome.packet, addr)

    async def open(self, address: str) -> Place:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, (address, 0))
        self.opened.append(transport)
        place = transport.get_extra_info("sockname")
        return place[0], place[1]


def checked(response: Response) -> tuple[int, Any]:
    return response.status, json.loads(response.body)


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    factory = uvloop.new_event_loop if request.param == "uvloop" else None

    async def closing(claim: Awaitable[None]) -> None:
        try:
            await claim
        finally:
            while Listener.opened:
                Listener.opened.pop().close()
            await asyncio.sleep(0)

    def runner(claim: Awaitable[None]) -> None:
        with asyncio.Runner(loop_factory=factory) as loop:
            loop.run(closing(claim))

    return runner


def test_a_resolver_that_answers_itself_on_every_address_is_healthy(run: Run) -> None:
    async def claim() -> None:
        stage = Stage()
        places = [await Listener(stage, rubbish=True).open(address) for address in ("127.0.0.1", "::1")]
        health = Health(lambda: places, Pulse(stage.engine), answer_seconds=PATIENCE_SECONDS)
        status, shown = checked(await health.show(ASKED))
        assert (status, shown["status"], shown["reasons"]) == (200, "ok", [])
        assert [listener["answered"] for listener in shown["listeners"]] == [True, True]
        assert shown["listeners"][1]["address"] == f"[::1]:{places[1][1]}"

    run(claim())


def test_what_is_missing_on_the_node_is_told_and_no_lack_of_health(run: Run) -> None:
    async def claim() -> None:
        stage = Stage()
        place = await Listener(stage).open("127.0.0.1")
        bypass = Bypass(BypassResult.FAILED, "conntrack has an entry", monotonic() - 1000)
        node = NodeState("lo", ("169.254.20.10",), rules=False, bypass=bypass, trouble="no room")
        health = Health(
            lambda: [place], Pulse(stage.engine), node=lambda: node, answer_seconds=PATIENCE_SECONDS
        )  # fmt: skip
        status, shown = checked(await health.show(ASKED))
        assert (status, shown["reasons"]) == (200, [])
        assert 1000 <= shown["node"]["conntrackBypass"].pop("secondsAgo") < 1060
        assert shown["node"] == {
            "ok": False,
            "device": "lo",
            "missingAddresses": ["169.254.20.10"],
            "rules": False,
            "conntrackBypass": {"result": "failed", "reason": "conntrack has an entry"},
            "trouble": "no room",
        }

    run(claim())


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_a_resolver_on_all_addresses_is_asked_on_loopback(run: Run, address: str) -> None:
    async def claim() -> None:
        stage = Stage()
        place = await Listener(stage).open(address)
        health = Health(lambda: [place], Pulse(stage.engine), answer_seconds=PATIENCE_SECONDS)
        assert (await health.show(ASKED)).status == 200

    run(claim())


def test_where_siblings_listen_as_well_none_of_them_is_blamed_for_sure(run: Run) -> None:
    async def claim() -> None:
        stage = Stage()
        deaf = await Listener(stage, deaf=True).open("127.0.0.1")
        health = Health(lambda: [deaf], Pulse(stage.engine), shared=True, answer_seconds=0.05)
        status, shown = checked(await health.show(ASKED))
        assert status == 503
        assert shown["reasons"] == [f"127.0.0.1:{deaf[1]}: no answer within 0.05 s, of this worker or a sibling"]

    run(claim())


def test_a_socket_without_an_answer_is_no_health(run: Run) -> None:
    async def claim() -> None:
        stage = Stage()
        good = await Listener(stage).open("127.0.0.1")
        deaf = await Listener(stage, deaf=True).open("127.0.0.1")

        async def asked() -> tuple[int, dict[str, Any]]:
            health = Health(lambda: [good, deaf], Pulse(stage.engine), answer_seconds=0.05)
            return checked(await health.show(ASKED))

        async with asyncio.timeout(PATIENCE_SECONDS):
            status, shown = await asked()
            while not shown["listeners"][0]["answered"]:  # this process may stand still for longer than that
                status, shown = await asked()
        assert (status, shown["status"]) == (503, "failing")
        assert shown["reasons"] == [f"127.0.0.1:{deaf[1]}: no answer within 0.05 s"]

    run(claim())


def test_a_socket_that_is_closed_is_no_health(run: Run) -> None:
    async def claim() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            place = sock.getsockname()
        health = Health(lambda: [place], Pulse(Stage().engine), answer_seconds=PATIENCE_SECONDS)
        status, shown = checked(await health.show(ASKED))
        assert (status, shown["reasons"]) == (503, [f"127.0.0.1:{place[1]}: Connection refused"])

    run(claim())


def test_before_anything_listens_there_is_no_health(run: Run) -> None:
    async def claim() -> None:
        status, shown = checked(await Health(list, Pulse(Stage().engine)).show(ASKED))
        assert (status, shown["reasons"]) == (503, ["not listening yet"])

    run(claim())


def test_a_pulse_that_has_stopped_is_no_health(run: Run) -> None:
    async def claim() -> None:
        stage = Stage()
        place = await Listener(stage).open("127.0.0.1")
        pulse = Pulse(stage.engine)
        pulse.beat(-1e9, -1e9)
        status, shown = checked(await Health(lambda: [place], pulse, answer_seconds=PATIENCE_SECONDS).show(ASKED))
        assert status == 503
        assert shown["reasons"][0].startswith("no pulse for ")

    run(claim())


def test_a_flood_of_requests_asks_the_resolver_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resolver.ops.health._REMEMBERED_SECONDS", 3600.0)

    async def claim() -> None:
        listener = Listener(Stage())
        place = await listener.open("127.0.0.1")
        health = Health(lambda: [place], Pulse(listener.stage.engine), answer_seconds=PATIENCE_SECONDS)
        responses = await asyncio.gather(*(health.show(ASKED) for _ in range(100)))
        assert {response.status for response in responses} == {200}
        assert listener.asked == 1

    run(claim())


def readiness(stage: Stage) -> Readiness:
    ready = Readiness(stage.engine, stage.clock)
    ready.starting = False
    return ready


def shown(ready: Readiness) -> tuple[int, Any]:
    return checked(asyncio.run(ready.show(ASKED)))


def take_down(stage: Stage, *addresses: str) -> None:
    for server in stage.servers:
        if server.upstream.address in addresses:
            for _ in range(FAILURES_TO_DOWN):
                server.health.failed(stage.now + SILENT_SECONDS)


def test_ready_lists_each_zone_with_its_servers() -> None:
    stage = Stage()
    stage.known["web.cluster.local."] = ["web.cluster.local. 60 A 10.0.0.1"]
    stage.ask("web.cluster.local")
    take_down(stage, "192.0.2.2")
    status, page = shown(readiness(stage))
    assert (status, page["status"], page["reasons"]) == (200, "ready", [])
    assert page["zones"][0] == {
        "zone": "cluster.local.", "names": ["cluster.local.", "in-addr.arpa."], "usable": True, "fromMemoryOnly": False,
        "servers": [
            {"address": "10.96.0.10:53", "transport": "tcp", "up": True, "latencyMilliseconds": 2.0, "connections": 2,
             "inFlight": 3},
        ],
    }  # fmt: skip
    assert [server["up"] for server in page["zones"][1]["servers"]] == [True, False]


def test_a_zone_without_any_upstream_is_not_ready() -> None:
    stage = Stage()
    take_down(stage, "192.0.2.1", "192.0.2.2")
    status, page = shown(readiness(stage))
    assert (status, page["status"]) == (503, "not ready")
    assert page["reasons"] == ["zone . has no upstream that answers, and no answers to stand in"]


def test_a_zone_without_servers_is_not_ready() -> None:
    stage = Stage([Zone(names=(".",), upstreams=())])
    assert shown(readiness(stage))[0] == 503


@pytest.mark.parametrize(
    ("serve_stale_seconds", "after", "status"), [(3600, 100, 200), (3600, 3700, 503), (0, 10, 503)]
)
def test_stale_answers_stand_in_for_as_long_as_they_may_be_served(
    serve_stale_seconds: float, after: float, status: int
) -> None:
    zone = Zone(names=(".",), upstreams=(Upstream("192.0.2.1"),), serve_stale_seconds=serve_stale_seconds)
    stage = Stage([CLUSTER, zone])
    stage.known["web.test."] = ["web.test. 60 A 10.0.0.1"]
    stage.ask("web.test")
    take_down(stage, "192.0.2.1")
    stage.now += after
    found, page = shown(readiness(stage))
    assert found == status
    assert page["zones"][1]["fromMemoryOnly"] == (status == 200)


def test_answers_of_another_zone_do_not_stand_in() -> None:
    stage = Stage([CLUSTER, WORLD])
    stage.known["web.cluster.local."] = ["web.cluster.local. 60 A 10.0.0.1"]
    stage.ask("web.cluster.local")
    take_down(stage, "192.0.2.1", "192.0.2.2")
    assert shown(readiness(stage))[0] == 503


def test_neither_starting_nor_draining_is_ready() -> None:
    ready = Readiness(Stage().engine)
    assert shown(ready)[1]["reasons"] == ["starting"]
    ready.starting = False
    assert shown(ready)[0] == 200
    ready.draining = True
    assert shown(ready)[1]["reasons"] == ["draining"]
