"""What the transport tests steer: the loop's clock, servers that do as told, attempts that note what they hear."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import uvloop

from resolver.config.values import Upstream
from resolver.message.ask import write_query
from resolver.upstream.transport import Channel, Problem, Ticket
from tests.cases.recorded import question_of
from tests.unit.builders import framed

QUESTION = b"\x03www\x07example\x03com\x00\x00\x01\x00\x01"
OTHER_QUESTION = b"\x04mail\x07example\x03com\x00\x00\x01\x00\x01"

RUNNERS = [pytest.param(asyncio.run, id="asyncio"), pytest.param(uvloop.run, id="uvloop")]
both_loops = pytest.mark.parametrize("run", RUNNERS)
Run = Callable[[Awaitable[None]], None]


def query_for(question: bytes) -> bytes:
    return write_query(question, dnssec_ok=False, checking_disabled=False)


def response_to(query_id: bytes, question: bytes, *, flags: int = 0x8180) -> bytes:
    return query_id + flags.to_bytes(2, "big") + b"\0\1\0\0\0\0\0\0" + question


def answer_of(message: bytes) -> bytes:
    return response_to(message[:2], question_of(message))


class Asked:
    """An attempt and its ticket: what it heard, in order (one thing at most, if the transport keeps its promise)."""

    def __init__(self, channel: Channel, question: bytes = QUESTION, avoid: Ticket | None = None) -> None:
        self.heard: list[bytes | Problem] = []
        self._told = asyncio.Event()
        self.on_failure: Callable[[], None] | None = None
        self.ticket = channel.send(query_for(question), question, self, avoid)
        assert not self.heard, "told from inside send"

    def answered(self, packet: bytes) -> None:
        self.heard.append(packet)
        self._told.set()

    def failed(self, problem: Problem) -> None:
        self.heard.append(problem)
        self._told.set()
        if self.on_failure is not None:
            self.on_failure()

    async def outcome(self) -> bytes | Problem:
        await asyncio.wait_for(self._told.wait(), 60)
        assert len(self.heard) == 1
        return self.heard[0]


class SteeredLoop:
    """The running loop with a clock that tests move on; its timers ring only when that clock has passed them."""

    def __init__(self) -> None:
        self._real = asyncio.get_running_loop()
        self._now = self._real.time()
        self._timers: list[tuple[float, Callable[[], None]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def time(self) -> float:
        return self._now

    def call_later(self, delay: float, callback: Callable[[], None]) -> object:
        self._timers.append((self._now + delay, callback))
        return object()

    def pass_time(self, seconds: float) -> None:
        """Move the clock on, ringing what falls due on the way, each at its time."""
        end = self._now + seconds
        while due := [timer for timer in self._timers if timer[0] <= end]:
            first = min(due, key=lambda timer: timer[0])
            self._timers.remove(first)
            self._now = first[0]
            first[1]()
        self._now = end

    @property
    def timers(self) -> int:
        return len(self._timers)

    def as_loop(self) -> asyncio.AbstractEventLoop:
        return cast("asyncio.AbstractEventLoop", self)


class ServerSide:
    """One connection as the server sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def query(self) -> bytes:
        size = int.from_bytes(await asyncio.wait_for(self._reader.readexactly(2), 60), "big")
        return await asyncio.wait_for(self._reader.readexactly(size), 60)

    def answer(self, *queries: bytes) -> None:
        self.send(framed(*(answer_of(query) for query in queries)))

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def reset(self) -> None:
        """End with RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def closed(self) -> bytes:
        """Wait for the client's end; what it still sent before."""
        return await asyncio.wait_for(self._reader.read(), 60)


class Server:
    """A TCP server on loopback whose connections are handed to the test."""

    def __init__(self) -> None:
        self.connections: list[ServerSide] = []
        self._accepted: asyncio.Queue[ServerSide] = asyncio.Queue()
        self.upstream = Upstream("127.0.0.1")

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        side = ServerSide(reader, writer)
        self.connections.append(side)
        self._accepted.put_nowait(side)

    async def connection(self) -> ServerSide:
        """The next connection that nobody took yet."""
        return await asyncio.wait_for(self._accepted.get(), 60)


@asynccontextmanager
async def tcp_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server()
    listening = await asyncio.start_server(server.accept, "127.0.0.1", 0, ssl=tls)
    server.upstream = Upstream("127.0.0.1", listening.sockets[0].getsockname()[1])
    try:
        yield server
    finally:
        listening.close()
        for side in server.connections:
            side.writer.transport.abort()
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something that is under way has happened."""

    async def turn() -> None:
        while not condition():  # noqa: ASYNC110 - there is no event to wait for, the loop itself is what is awaited
            await asyncio.sleep(0)

    await asyncio.wait_for(turn(), 60)


def closed_port() -> int:
    """A port on loopback where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port
