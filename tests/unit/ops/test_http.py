import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from random import Random

import pytest
import uvloop

from resolver.ops.http import BODY_BYTES, HEAD_BYTES, HEAD_LINES, AdminServer
from resolver.ops.requests import HttpProblem, Request, Response


async def echo(request: Request) -> Response:
    return Response(200, f"{request.method} {dict(request.query)} from {request.peer}")


async def refuse(request: Request) -> Response:
    raise HttpProblem(403, "not you")


async def fail(request: Request) -> Response:
    raise RuntimeError("a defect")


async def large(request: Request) -> Response:
    return Response(200, b"x" * (64 << 20))


ROUTES = {
    ("GET", "/echo"): echo,
    ("POST", "/echo"): echo,
    ("DELETE", "/echo"): echo,
    ("GET", "/refuse"): refuse,
    ("GET", "/fail"): fail,
    ("GET", "/large"): large,
}


@pytest.fixture(autouse=True, params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def each_loop(request: pytest.FixtureRequest) -> None:
    """Every claim holds on the loop of the standard library and on the one that the resolver uses."""
    Loop.factory = request.param


class Loop:
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop

    @classmethod
    def run(cls, claim: Coroutine[None, None, None]) -> None:
        with asyncio.Runner(loop_factory=cls.factory) as runner:
            runner.run(claim)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until this holds; `serving` bounds it."""
    while True:
        if condition():
            return
        await asyncio.sleep(0)


def serving(
    claim: Callable[[AdminServer, int], Awaitable[None]],
    *,
    connections: int = 32,
    idle_seconds: float = 60.0,
    request_seconds: float = 60.0,
    write_seconds: float = 60.0,
) -> None:
    async def run() -> None:
        server = AdminServer(
            ROUTES,
            connections=connections,
            idle_seconds=idle_seconds,
            request_seconds=request_seconds,
            write_seconds=write_seconds,
        )
        await server.start("127.0.0.1", 0)
        try:
            async with asyncio.timeout(30):
                await claim(server, server.sockets[0].getsockname()[1])
        finally:
            await server.close()

    Loop.run(run())


async def say(port: int, data: bytes) -> bytes:
    """All that comes back for these bytes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = await reader.read()
    writer.close()
    return answer


async def one_response(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return head, await reader.readexactly(length)


def request(method: str, target: str, *headers: str, close: bool = True) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1:9253", *headers]
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_request_reaches_its_handler_with_query_and_peer(method: str) -> None:
    async def claim(server: AdminServer, port: int) -> None:
        answer = await say(port, request(method, "/echo?name=a%2Eb&all=true&empty="))
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        _, _, body = answer.partition(b"\r\n\r\n")
        assert body.decode() == f"{method} {{'name': 'a.b', 'all': 'true', 'empty': ''}} from 127.0.0.1\n"

    serving(claim)


def test_head_gets_the_fields_of_get_without_its_body() -> None:
    async def claim(server: AdminServer, port: int) -> None:
        answer = await say(port, request("HEAD", "/echo"))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert body == b""
        assert b"\r\nContent-Length: 22\r\n" in head

    serving(claim)


@pytest.mark.parametrize(
    ("target", "method", "status", "words"),
    [
        ("/nothing", "GET", b"404 Not Found", b"try /echo, /fail, /large, /refuse\n"),
        ("/echo", "PUT", b"405 Method Not Allowed", b"/echo can be asked with DELETE, GET, POST, HEAD\n"),
        ("/echo", "OPTIONS", b"405 Method Not Allowed", b"/echo can be asked with DELETE, GET, POST, HEAD\n"),
        ("/refuse", "DELETE", b"405 Method Not Allowed", b"/refuse can be asked with GET, HEAD\n"),
        ("/refuse", "GET", b"403 Forbidden", b"\r\n\r\nnot you\n"),
        ("/fail", "GET", b"500 Internal Server Error", b"\r\n\r\nthis failed; the log has the reason\n"),
        ("/echo?a=1&a=2", "GET", b"400 Bad Request", b"\r\n\r\na parameter is given twice\n"),
        ("/echo?" + "&".join(map(str, range(99))), "GET", b"400 Bad Request", b"Max number of fields exceeded\n"),
        ("/echo?a=%ff", "GET", b"400 Bad Request", b"the request target cannot be read"),
        ("http://[/", "GET", b"400 Bad Request", b"the request target cannot be read"),
    ],
)
def test_what_cannot_be_served_is_told_why(target: str, method: str, status: bytes, words: bytes) -> None:
    async def claim(server: AdminServer, port: int) -> None:
        answer = await say(port, request(method, target))
        assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n")
        assert words in answer
        assert answer.endswith(b"\n")

    serving(claim)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x00\x01garbage\r\n\r\n", b"400"),
        (b"GET /echo\r\n\r\n", b"400"),
        (b"GET /echo HTTP/1.1\r\n\r\n", b"400"),  # HTTP/1.1 without Host
        (b"GET /echo HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n", b"400"),
        (b"GET /echo HTTP/1.1\r\nHost: a\r\nX: " + b"a" * (2 * HEAD_BYTES) + b"\r\n\r\n", b"431"),
        (b"GET /" + b"a" * (64 * HEAD_BYTES), b"431"),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n" + b"b" * (BODY_BYTES + 1), b"413"),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", b"417"),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", b"411"),
        (b"GET /echo HTTP/1.1\r\nHost: a\r\n" + b"a:\r\n" * HEAD_LINES + b"\r\n", b"431"),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
    ],
)
def test_garbage_and_excess_get_an_error_and_the_connection_ends(data: bytes, status: bytes) -> None:
    async def claim(server: AdminServer, port: int) -> None:
        answer = await say(port, data)
        assert answer.startswith(b"HTTP/1.1 " + status + b" ")
        assert b"connection: close\r\n" in answer.lower()

    serving(claim)


def test_pipelined_requests_are_answered_in_order_on_one_connection() -> None:
    async def claim(server: AdminServer, port: int) -> None:
        answer = await say(
            port,
            request("GET", "/echo?n=1", close=False)
            + request("POST", "/echo?n=2", "Content-Length: 4", close=False)
            + b"body"
            + request("GET", "/fail", close=False)
            + request("GET", "/echo?n=3"),
        )
        places = [answer.index(words) for words in (b"'n': '1'", b"'n': '2'", b"500 Internal", b"'n': '3'")]
        assert places == sorted(places)
        assert answer.count(b"HTTP/1.1 ") == 4

    serving(claim)


def test_a_request_in_single_bytes_is_understood_and_the_connection_kept() -> None:
    async def claim(server: AdminServer, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for turn in range(2):
            for byte in request("GET", f"/echo?n={turn}", close=False):
                writer.write(bytes((byte,)))
                await writer.drain()
                await asyncio.sleep(0)
            head, body = await one_response(reader)
            assert head.startswith(b"HTTP/1.1 200")
            assert f"'n': '{turn}'".encode() in body
        writer.close()

    serving(claim)


def test_http_1_0_is_answered_and_closed() -> None:
    async def claim(server: AdminServer, port: int) -> None:
        answer = await say(port, b"GET /echo HTTP/1.0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")

    serving(claim)


def test_a_request_that_does_not_end_in_time_is_told_so() -> None:
    async def claim(server: AdminServer, port: int) -> None:
        answer = await say(port, b"GET /echo HTTP/1.1\r\nHo")
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")

    serving(claim, request_seconds=0.05)


def test_a_silent_connection_is_closed_without_a_word() -> None:
    async def claim(server: AdminServer, port: int) -> None:
        assert await say(port, b"") == b""

    serving(claim, idle_seconds=0.05)


def test_the_connection_that_is_idle_longest_makes_room_for_a_new_one() -> None:
    async def claim(server: AdminServer, port: int) -> None:
        opened = []
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request("GET", "/echo", close=False))
            await one_response(reader)
            opened.append((reader, writer))
        assert (await say(port, request("GET", "/echo"))).startswith(b"HTTP/1.1 200")
        assert await opened[0][0].read() == b""
        opened[1][1].write(request("GET", "/echo"))
        assert (await opened[1][0].read()).startswith(b"HTTP/1.1 200")
        for _, writer in opened:
            writer.close()

    serving(claim, connections=2)


def test_where_all_connections_are_busy_a_new_one_is_refused() -> None:
    async def claim(server: AdminServer, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("GET", "/large"))
        await reader.readexactly(1)  # the rest fills the kernel's buffers and waits
        with suppress(ConnectionResetError):  # or a plain end, if it was closed before the request was written
            assert await say(port, request("GET", "/echo")) == b""
        writer.close()

    serving(claim, connections=1)


def test_a_response_that_nobody_reads_is_given_up() -> None:
    async def claim(server: AdminServer, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("GET", "/large"))
        await reader.readexactly(1)
        (connection,) = server._connections.values()
        await connection  # the server ends it
        writer.close()

    serving(claim, write_seconds=0.05)


def test_no_bytes_bring_the_server_down(caplog: pytest.LogCaptureFixture) -> None:
    random = Random(1)
    seeds = [
        request("GET", "/echo?name=web.shop&type=A"),
        request("POST", "/echo", "Content-Length: 4") + b"body",
        request("POST", "/echo", "Transfer-Encoding: chunked") + b"4\r\nbody\r\n0\r\n\r\n",
    ]

    async def claim(server: AdminServer, port: int) -> None:
        for _ in range(300):
            data = bytearray(random.choice(seeds))
            for _ in range(random.randint(1, 8)):
                at = random.randrange(len(data))
                data[at : at + random.randint(0, 3)] = random.randbytes(random.randint(0, 3))
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            writer.write_eof()
            answer = await reader.read()
            writer.close()
            assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
        assert (await say(port, request("GET", "/echo"))).startswith(b"HTTP/1.1 200")

    serving(claim)
    assert not caplog.records


def test_a_client_that_leaves_in_the_middle_harms_nobody() -> None:
    async def claim(server: AdminServer, port: int) -> None:
        for data in (
            b"GET /ec",
            request("GET", "/large"),
            b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
        ):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            await writer.drain()
            writer.transport.abort()
        assert (await say(port, request("GET", "/echo"))).startswith(b"HTTP/1.1 200")

    serving(claim)


def test_close_ends_connections_and_may_be_repeated() -> None:
    async def claim(server: AdminServer, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("GET", "/echo", close=False))
        await one_response(reader)
        await server.close()
        await server.close()
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)

    serving(claim)


def test_whoever_leaves_serves_what_was_accepted_and_accepts_no_more() -> None:
    async def claim(server: AdminServer, port: int) -> None:
        idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", port)
        idle_writer.write(b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")
        await idle_reader.readuntil(b"127.0.0.1\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /echo HTTP/1.1\r\nHost: x\r\n")
        await until(lambda: len(server._connections) == 2)
        leaving = asyncio.create_task(server.leave(20.0))
        await until(lambda: server.leaving)
        await asyncio.sleep(0)  # the loop closes a listening socket a moment later
        await asyncio.sleep(0)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\r\n")
        assert (await reader.read()).endswith(b"127.0.0.1\n")
        await leaving
        assert await idle_reader.read() == b""
        for each in (writer, idle_writer):
            each.close()
        await server.leave(20.0)

    serving(claim)


def test_a_client_that_never_asks_does_not_keep_the_one_that_leaves() -> None:
    async def claim(server: AdminServer, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: server._connections)
        await server.leave(0.01)
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()

    serving(claim)


def test_a_socket_that_is_open_already_is_served() -> None:
    async def run() -> None:
        sock = socket.socket(socket.AF_INET6)
        sock.bind(("::1", 0))
        server = AdminServer(ROUTES)
        await server.start_on(sock)
        reader, writer = await asyncio.open_connection("::1", server.sockets[0].getsockname()[1])
        writer.write(request("GET", "/echo"))
        assert (await reader.read()).endswith(b"GET {} from ::1\n")
        writer.close()
        await server.close()
        assert server.sockets == ()

    Loop.run(run())
