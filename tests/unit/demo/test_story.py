"""The whole demo with a resolver of a few lines in the place of the real one."""

import asyncio
import contextlib
import functools
import io
import os
import re
import signal
import socket
from dataclasses import dataclass, field, replace

import pytest

from resolver.config import Config, Transport, Upstream
from resolver.demo.compare import Comparison, Measured
from resolver.demo.pod import LookUp, Settings, opted_in_pod
from resolver.demo.report import rows
from resolver.demo.server import Arrival
from resolver.demo.story import PREFERRED_PORT, run
from resolver.demo.wire import Address, ask


@dataclass
class _TinyResolver(asyncio.DatagramProtocol):
    """Forwards over UDP whatever the zone's transport is, and remembers every answer for ever."""

    config: Config
    closed: bool = False
    remembered: dict[bytes, bytes] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def open(self) -> None:
        listen = self.config.listen
        self.transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=(listen.addresses[0], listen.port)
        )

    async def close(self) -> None:
        self.transport.close()
        self.closed = True

    def datagram_received(self, data: bytes, addr: Address) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(data, addr))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _answer(self, query: bytes, client: Address) -> None:
        inside = b"\x07cluster\x05local\x00" in query
        zone = next(zone for zone in self.config.zones if ("cluster.local" in zone.names) == inside)
        [upstream] = zone.upstreams
        assert isinstance(upstream, Upstream)
        if query[2:] not in self.remembered:
            [reply] = (await ask((upstream.address, upstream.port), [query], 5)).packets
            assert reply is not None
            self.remembered[query[2:]] = reply[2:]
        self.transport.sendto(query[:2] + self.remembered[query[2:]], client)


class _Interrupting(io.StringIO):
    """A screen whose reader presses Ctrl-C (or sends another signal) as soon as the demo says how it ends."""

    encoding = "utf-8"

    def __init__(self, number: signal.Signals) -> None:
        super().__init__()
        self._number = number

    def flush(self) -> None:
        if "Ctrl-C ends the demo" in self.getvalue():
            os.kill(os.getpid(), self._number)


def _patient_pod(resolver: Address, cluster_dns: Address) -> Settings:
    """A pod that asks nobody twice, however busy the machine is."""
    return replace(opted_in_pod(resolver, cluster_dns), timeout_seconds=20)


def _played(number: signal.Signals = signal.SIGINT, columns: int = 100) -> tuple[str, _TinyResolver]:
    """What the demo printed. No wait took any time: a wide number would make the table leave something out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        patch.setattr("resolver.demo.compare.opted_in_pod", _patient_pod)
        patch.setattr("resolver.demo.server._FORWARD_SECONDS", 20.0)
        patch.setattr("resolver.demo.wire.perf_counter", lambda: 0.0)
        return _play(number)


def _play(number: signal.Signals) -> tuple[str, _TinyResolver]:
    started: list[_TinyResolver] = []

    async def start(config: Config) -> _TinyResolver:
        started.append(_TinyResolver(config))
        await started[0].open()
        return started[0]

    async def bounded(out: _Interrupting) -> None:
        async with asyncio.timeout(30):
            await run(start, out)

    out = _Interrupting(number)
    asyncio.run(bounded(out))
    return out.getvalue(), started[0]


@functools.cache
def _once() -> tuple[str, _TinyResolver]:
    """Return one run for all tests that only read what it printed."""
    return _played()


def test_the_table_shows_who_answered_what_was_remembered_and_both_numbers_of_queries() -> None:
    text, _ = _once()
    cells = [re.sub(r"(?<= )\d+\.\d(?= )", "T", re.sub(r"[│ ]+", " ", line)).strip() for line in text.splitlines()]
    start = next(i for i, cell in enumerate(cells) if cell.startswith("web.shop "))
    assert cells[start : start + 14] == [
        "web.shop 10.96.12.10 CoreDNS, UDP miss T 2 T 4",
        "this node hit T 2 T 4",
        "db.shop 10.244.1.21 +2 CoreDNS, UDP miss T 2 T 4",
        "this node hit T 2 T 4",
        "pay.shop.svc.cluster.local 10.96.12.20 CoreDNS, UDP miss T 2 T 8",
        "this node hit T 2 T 8",
        "www.example.com 203.0.113.7 +2 outside, UDP miss T 2 T 8",
        "this node hit T 2 T 8",
        "api.partner.example 192.0.2.80 +1 outside, UDP miss T 2 T 8",
        "this node hit T 2 T 8",
        "example.com 198.51.100.10 +1 outside, UDP miss T 4 T 8",
        "this node hit T 4 T 8",
        "gone.shop no such name outside, UDP miss T 4 T 8",
        "this node hit T 4 T 8",
    ]


def test_the_summary_adds_up_what_was_measured() -> None:
    text, _ = _once()
    words = re.sub(r"\d+ ms", "T ms", " ".join(text.split()))
    assert (
        "The same 14 look-ups (A and AAAA each) cost the default pod 96 queries and T ms of waiting, and 96 queries"
        " left its node; they cost the opted-in pod 36 queries and T ms, and 18 left its node."
    ) in words


def test_the_lines_to_try_name_the_ports_that_are_open() -> None:
    text, resolver = _once()
    config = resolver.config
    assert f"dig @127.0.0.1 -p {config.listen.port} web.shop.svc.cluster.local" in text
    assert f"http://127.0.0.1:{config.admin.port}/metrics" in text
    assert f"http://127.0.0.1:{config.admin.port}/cache?name=www.example.com&type=A" in text


def test_the_printed_yaml_is_the_configuration_the_resolver_got() -> None:
    text, resolver = _once()
    cluster, outside = resolver.config.zones
    assert (cluster.transport, outside.transport) == (Transport.TCP, Transport.UDP)
    for zone in (cluster, outside):
        assert f'upstreams: ["{zone.upstreams[0]}"]' in text


def test_ctrl_c_and_sigterm_close_the_resolver_and_give_the_signals_back() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        before = signal.getsignal(number)
        _, resolver = _played(number)
        assert resolver.closed
        assert signal.getsignal(number) == before


@pytest.mark.parametrize("width", [80, 100])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    text, _ = _played(columns=width)
    assert max(len(line) for line in text.splitlines()) <= width


def test_a_taken_port_is_left_alone() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
        with contextlib.suppress(OSError):  # somebody else has it: as good
            mine.bind(("127.0.0.1", PREFERRED_PORT))
        _, resolver = _played()
        assert resolver.config.listen.port != PREFERRED_PORT


def test_a_look_up_that_nobody_answered_says_so() -> None:
    failed = LookUp("web.shop", (), ("web.shop.svc.cluster.local", "web.shop"), 4, 0.001, failed=True)
    for arrivals in ((), (("CoreDNS", Arrival("web.shop.svc.cluster.local.", "A", "TCP")),)):
        lost = Measured(failed, arrivals)
        [row] = rows([Comparison(lost, lost)])
        assert [cell.text for cell in row[1:4]] == ["no answer", "nobody", "miss"]
