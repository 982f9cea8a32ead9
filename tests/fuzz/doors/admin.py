"""Requests to the admin endpoints: whatever comes gets whole responses and an end, and no handler fails.

The handlers are those of /cache with a little remembered, which read names and types. Input: what the client sends.
"""

import asyncio
import functools
import logging
from collections.abc import Iterator
from typing import Any, NoReturn, cast

import h11

from resolver.ops import http
from resolver.ops.cachepage import CachePage
from resolver.ops.http import AdminServer
from tests.cases.recorded import ANSWERS, asked_of
from tests.fuzz.wire import Wire
from tests.unit.world import World

_PATIENCE_SECONDS = 0.02


def seeds() -> Iterator[bytes]:
    head = b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    yield b"GET /cache" + head + b"\r\n"
    yield b"GET /cache?name=www.example.com&type=A" + head + b"\r\n"
    yield b"GET /cache?name=%5C046a.b&type=TYPE65" + head + b"Accept: */*\r\n\r\n"
    yield b"DELETE /cache?suffix=example.com" + head + b"\r\nDELETE /cache?all=true" + head + b"\r\n"
    yield b"HEAD /cache?name=web.shop.svc.cluster.local HTTP/1.0\r\n\r\n"
    yield b"POST /cache" + head + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    yield b"GET /cache" + head + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n12345"


@functools.cache
def world() -> World:
    made = World()
    for packet in ANSWERS.values():
        question = asked_of(packet)
        if question and not packet[2] & 2:
            made.ask(b"ID\1\0\0\1\0\0\0\0\0\0" + question)
            for sent in made.waiting_sends:
                sent.answer(packet)
            made.go(1)

    def fail(message: str, *arguments: object, **_: object) -> NoReturn:
        raise  # noqa: PLE0704 - inside the except block that called

    http._log.exception = fail  # type: ignore[method-assign,assignment]
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    return made


@functools.cache
def runner() -> asyncio.Runner:
    return asyncio.Runner()


def check(data: bytes) -> None:
    page = CachePage(world().engine, lambda: world().now)
    written = runner().run(said_back(AdminServer(page.routes), data))
    _check_responses(bytes(written))


async def said_back(server: AdminServer, data: bytes) -> bytearray:
    """The client sends all of it and hangs up."""
    loop = asyncio.get_running_loop()
    wire = Wire("127.0.0.1")
    reader = asyncio.StreamReader(limit=4096, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    protocol.connection_made(cast("Any", wire))
    reader.feed_data(data)
    reader.feed_eof()
    await http._Connection(server, reader, asyncio.StreamWriter(wire, protocol, reader, loop)).run()
    assert wire.closed, "a connection that is served ends"
    return wire.written


def _check_responses(written: bytes) -> None:
    """Each response is one that a client can read, the bodies of those to HEAD left out of the question."""
    while written:
        head, separator, rest = written.partition(b"\r\n\r\n")
        assert separator, "half a response"
        client = h11.Connection(h11.CLIENT)
        client.receive_data(head + separator)
        client.send(h11.Request(method="HEAD", target="/", headers=[("Host", "a")]))
        response = client.next_event()
        assert isinstance(response, h11.Response)
        assert 200 <= response.status_code < 600
        assert response.status_code != 500, "a handler has failed"
        length = int(next(value for name, value in response.headers if name == b"content-length"))
        written = rest if rest.startswith(b"HTTP/1.1 ") else rest[length:]
