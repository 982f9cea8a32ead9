"""A stand-in for the engine that does as the first label of a name says, and the ends of the wire that a test holds.

now: reply at once; huge: the same with a reply that no UDP packet can hold;
later: the reply waits in `pending` until the test gives it; drop: no reply; boom: raise;
askboom: raise in `ask`; big: a reply of 60,000 bytes at once; biglater: such a reply, later.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Any, Protocol, Self, cast

import pytest
import uvloop

from resolver.cache.packets import Budget, Ready, ready_reply
from resolver.engine import Engine
from resolver.listen.clients import TcpClients
from resolver.listen.connection import TcpLimits
from resolver.listen.sockets import open_tcp, open_udp
from resolver.listen.tcp import TcpListener, listen_tcp
from resolver.listen.udp import UdpListener, listen_udp
from resolver.message import codes
from resolver.message.framing import frame
from resolver.message.query import read_query
from resolver.message.reply import write_failure
from resolver.outcome import Drop, Outcome, Pending, Reply, Via
from resolver.survey.survey import Survey

BIG = 60_000
HUGE = 70_000  # more than a UDP packet can hold


def query(name: str, number: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return number.to_bytes(2, "big") + b"\x01\x00\0\x01\0\0\0\0\0\0" + labels + b"\0\0\x01\0\x01"


def reply_to(packet: bytes) -> bytes:
    label = packet[13 : 13 + packet[12]]
    padding = BIG if label.startswith(b"big") else HUGE if label == b"huge" else 0
    return packet[:2] + b"\x81\x80" + packet[4:] + bytes(padding)


class FakeEngine:
    def __init__(self) -> None:
        self.restricted = False
        self.allowed: set[str] = set()
        self.clients: list[str] = []
        self.pending: dict[int, Callable[[], None]] = {}
        self.arrived = asyncio.Event()
        self.hits = 0

    def allows(self, client: str) -> bool:
        return client in self.allowed

    def answer(self, packet: bytes, client: str, via: Via, now: float) -> Outcome:
        self.clients.append(client)
        label = packet[13 : 13 + packet[12]] if len(packet) > 12 else b"drop"
        if label == b"boom":
            raise ZeroDivisionError("as asked")
        if label == b"drop":
            return Drop.NOT_A_QUERY
        if label in {b"later", b"biglater", b"askboom"}:
            return Pending(read_query(packet), client, via, cast("Any", packet), None, now)
        return Reply(reply_to(packet))

    def refuse(self, packet: bytes, client: str, via: Via) -> Outcome:
        return Reply(packet[:2] + b"\x81\x85" + packet[4:])

    def ask(self, pending: Pending) -> None:
        packet = cast("bytes", pending.route)
        if pending.query.name.startswith(b"\x07askboom"):
            raise ZeroDivisionError("as asked")
        self.pending[int.from_bytes(packet[:2], "big")] = lambda: pending.answer(reply_to(packet))
        self.arrived.set()

    def turn_away(self, pending: Pending) -> bytes:
        return write_failure(pending.query, codes.SERVFAIL)

    def renew(self, ready: Ready, now: float) -> bool:
        return False

    def spent(self, hits: int, seconds: float) -> None:
        self.hits += hits

    def respond(self, number: int) -> None:
        self.pending.pop(number)()

    async def until_pending(self, count: int) -> None:
        while len(self.pending) < count:
            self.arrived.clear()
            await self.arrived.wait()


class Run(Protocol):
    def __call__(self, test: Callable[[], Awaitable[None]]) -> None: ...


@pytest.fixture(name="run", params=["asyncio", "uvloop"])
def _run(request: pytest.FixtureRequest) -> Run:
    """Run a test's coroutine on each of the event loops that the resolver runs on, for at most 30 s."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def run(test: Callable[[], Awaitable[None]]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(30):
                await test()

        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(bounded())

    return run


def need_ipv6() -> None:
    """Skip the running test (in CI: fail it) on a machine without ::1."""
    interfaces = Path("/proc/net/if_inet6")
    if not interfaces.exists() or f"{1:032x}" not in interfaces.read_text():
        pytest.skip("needs IPv6 on loopback: sysctl -w net.ipv6.conf.lo.disable_ipv6=0")


def way_in(*, tcp: bool, family: int = 4) -> Via:
    return Via(tcp=tcp, family=family, ready=Budget(1 << 20).table())


def leave_ready(via: Via, name: str, *replies: bytes, seconds: float = 60, tally: list[int] | None = None) -> None:
    """Have ready what takes turns after the ID of a reply to `query(name)`."""
    via.ready.put(query(name)[2:], ready_reply(replies, monotonic() + seconds, [0] if tally is None else tally, b""))


@contextlib.asynccontextmanager
async def udp(
    engine: FakeEngine, address: str = "127.0.0.1", via: Via | None = None, *, shared: bool = False
) -> AsyncIterator[UdpListener]:
    sock = open_udp(address, 0, reuse_port=shared)
    listener = listen_udp(asyncio.get_running_loop(), sock, cast("Engine", engine), via or way_in(tcp=False))
    await listener.start()
    try:
        yield listener
    finally:
        await listener.close(0)


@contextlib.asynccontextmanager
async def tcp(
    engine: FakeEngine,
    address: str = "127.0.0.1",
    via: Via | None = None,
    clients: TcpClients | None = None,
    survey: Survey | None = None,
    **limits: Any,
) -> AsyncIterator[TcpListener]:
    listener = listen_tcp(
        asyncio.get_running_loop(), open_tcp(address, 0), cast("Engine", engine), via or way_in(tcp=True),
        clients or TcpClients(TcpLimits(**limits)), survey,
    )  # fmt: skip
    await listener.start()
    try:
        yield listener
    finally:
        await listener.close(0)


class UdpClient:
    def __init__(self, listener: UdpListener, address: str | None = None, source: str | None = None) -> None:
        place = listener.sock.getsockname()
        self.sock = socket.socket(listener.sock.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect((address, *place[1:]) if address else place)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, packet: bytes) -> None:
        self.sock.send(packet)

    async def receive(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.sock, 65535)

    async def ask(self, packet: bytes) -> bytes:
        self.send(packet)
        return await self.receive()


class TcpClient:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, *messages: bytes) -> None:
        self.writer.write(b"".join(map(frame, messages)))

    async def receive(self) -> bytes:
        length = int.from_bytes(await self.reader.readexactly(2), "big")
        return await self.reader.readexactly(length)

    async def ask(self, packet: bytes) -> bytes:
        self.send(packet)
        return await self.receive()

    async def ended(self) -> bool:
        """Wait for the end of the connection; whether it came without further data (a reset counts)."""
        try:
            return await self.reader.read(1) == b""
        except ConnectionResetError:
            return True


@contextlib.asynccontextmanager
async def connected(listener: TcpListener, address: str | None = None) -> AsyncIterator[TcpClient]:
    place = listener.sock.getsockname()
    reader, writer = await asyncio.open_connection(address or place[0], place[1])
    try:
        yield TcpClient(reader, writer)
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


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


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until something holds; the limit of `run` ends a wait in vain."""
    while not condition():  # noqa: ASYNC110 - there is no event to wait for: the condition is a look inside
        await asyncio.sleep(0)


async def gone(listener: TcpListener) -> None:
    await until(lambda: not listener.connections)


async def settled(loops: int = 10) -> None:
    """Let everything happen that is ready to happen."""
    for _ in range(loops):
        await asyncio.sleep(0)
