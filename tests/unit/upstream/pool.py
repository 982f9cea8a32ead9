"""One channel over TCP to a server that a test steers, and a port that leaves connects without a reply."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from resolver.config.values import Upstream
from resolver.upstream import tcp
from resolver.upstream.connection import DRAIN_SECONDS
from resolver.upstream.tcp import TcpChannel
from tests.unit.upstream.steered import (
    Server,
    SteeredLoop,
    tcp_server,
    until,
)


class Scene:
    def __init__(self, server: Server, channel: TcpChannel, loop: SteeredLoop) -> None:
        self.server = server
        self.channel = channel
        self.loop = loop


@asynccontextmanager
async def channel_to(upstream: Upstream, *, alone: bool = False) -> AsyncIterator[tuple[TcpChannel, SteeredLoop]]:
    loop = SteeredLoop()
    channel = TcpChannel(upstream, loop.as_loop(), alone=alone)
    try:
        yield channel, loop
    finally:
        channel.close()
        loop.pass_time(DRAIN_SECONDS + tcp.TICK_SECONDS)
        await until(lambda: not channel.snapshot().connections)
        loop.pass_time(tcp.TICK_SECONDS)
        assert loop.timers == 0, "housekeeping goes on without connections"


@asynccontextmanager
async def scene(*, alone: bool = False) -> AsyncIterator[Scene]:
    async with tcp_server() as server, channel_to(server.upstream, alone=alone) as (channel, loop):
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
