"""`python -m tests.lab.relay PORT ADDRESS MODE`: between a resolver and its server over TCP, and not to be relied on.

slow: whatever the server says comes two seconds later. cut: of the first thing that the server says on a connection
half comes through, and then RST. A kernel without netem cannot do the first, and none the second.
"""

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import Callable, Coroutine

DELAY_SECONDS = 2.0
_RST_ON_CLOSE = struct.pack("ii", 1, 0)

Pass = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


async def _as_it_is(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)


async def _slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    while data := await reader.read(65536):
        loop.call_later(DELAY_SECONDS, writer.write, data)


async def _cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    data = await reader.read(65536)
    writer.write(data[: len(data) // 2])
    await writer.drain()
    stream = writer.get_extra_info("socket")
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)


MODES: dict[str, Pass] = {"slow": _slow, "cut": _cut}


async def relay(port: int, address: str, answers: Pass) -> None:
    """Take connections on `port` for ever and pass them on to port 53 of `address`."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            upstream, to_server = await asyncio.open_connection(address, 53)
            ways = [asyncio.create_task(_as_it_is(reader, to_server)), asyncio.create_task(answers(upstream, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            to_server.close()
        writer.close()

    server = await asyncio.start_server(pass_on, port=port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(relay(int(sys.argv[1]), sys.argv[2], MODES[sys.argv[3]]))
