"""A small HTTP server for the admin endpoints: h11 reads and writes the protocol, asyncio's streams carry the bytes.

A web framework would cost the resolver 16 MiB (aiohttp.web, measured) for four endpoints; this costs 0.5 MiB. Whoever
can reach it may use it, so nothing a client does or omits holds memory for long: heads and bodies have a size and a
time, connections a number (the one that has been idle longest makes room), and replies not read in time are given up.
"""

import asyncio
import logging
import socket
import time
from contextlib import suppress
from typing import Final

import h11

from resolver.ops.access import Access
from resolver.ops.requests import HttpProblem, Response, Routes, find_handler, read_request

HEAD_BYTES: Final = 4 * 1024
"""The longest request line with its header fields."""
HEAD_LINES: Final = 128
"""The most header fields, which take a millisecond to read; without this bound there is room for ten times as many."""
BODY_BYTES: Final = 16 * 1024
"""The longest request body; none of the endpoints reads it."""
CONNECTIONS: Final = 32
IDLE_SECONDS: Final = 90.0
"""How long a connection may wait for its next request: longer than the usual pause between two scrapes."""
REQUEST_SECONDS: Final = 5.0
"""From the first byte of a request to its last."""
HANDLER_SECONDS: Final = 10.0
WRITE_SECONDS: Final = 10.0
"""How long a client may take to read a response."""
_LINGER_SECONDS = 1.0
_READ_BYTES = 1024  # what comes in one piece with the last of a head is read with it
_SAFE_TO_SEND = (h11.IDLE, h11.SEND_RESPONSE)

_log = logging.getLogger(__name__)


class AdminServer:
    """Serves `routes`. It needs a running loop from `start` on."""

    def __init__(
        self,
        routes: Routes,
        *,
        access: Access | None = None,
        connections: int = CONNECTIONS,
        idle_seconds: float = IDLE_SECONDS,
        request_seconds: float = REQUEST_SECONDS,
        write_seconds: float = WRITE_SECONDS,
    ) -> None:
        self.routes = routes
        self.access = access if access is not None else Access()
        self.idle_seconds = idle_seconds
        self.request_seconds = request_seconds
        self.write_seconds = write_seconds
        self._most_connections = connections
        self._connections: dict[_Connection, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None
        self.leaving = False
        """Whether connections end with the request that they serve."""

    async def start(self, address: str, port: int) -> None:
        """Listen on an IP address; raises OSError."""
        self._server = await asyncio.start_server(self._accept, address, port, limit=_READ_BYTES)

    async def start_on(self, sock: socket.socket) -> None:
        """Listen on a socket that is bound already; it is closed with the server."""
        self._server = await asyncio.start_server(self._accept, sock=sock, limit=_READ_BYTES)

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The listening sockets; none before `start` and after `close`."""
        return () if self._server is None else tuple(self._server.sockets)

    async def leave(self, seconds: float) -> None:
        """Accept no more: another process does. What was accepted is served, within so many seconds; then `close`."""
        if self._server is None:
            return
        self.leaving = True
        self._server.close()
        deadline = time.monotonic() + seconds
        await asyncio.sleep(0)  # what was accepted just now is about to be told to us
        while owed := [task for connection, task in self._connections.items() if connection.owes]:
            if (left := deadline - time.monotonic()) <= 0:
                break
            await asyncio.wait(owed, timeout=left)
        await self.close()

    async def close(self) -> None:
        """Stop listening and end all connections. Idempotent."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        tasks = list(self._connections.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None or (len(self._connections) >= self._most_connections and not self._make_room()):
            writer.transport.abort()
            return
        connection = _Connection(self, reader, writer)
        task = asyncio.get_running_loop().create_task(connection.run(), name=f"admin request from {connection.peer}")
        self._connections[connection] = task
        task.add_done_callback(lambda _: self._connections.pop(connection, None))

    def _make_room(self) -> bool:
        """End the connection that has been idle longest; False: all are busy."""
        idle = [connection for connection in self._connections if connection.idle]
        if not idle:
            return False
        oldest = min(idle, key=lambda connection: connection.idle_since)
        self._connections.pop(oldest).cancel()
        return True


class _Connection:
    """One client's connection, request after request."""

    def __init__(self, server: AdminServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        self.peer: str = peer[0] if peer else ""
        self.idle = True
        self.idle_since = time.monotonic()
        self._served = False
        self._server = server
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        self._head_only = False
        self._head_lines = 0

    @property
    def owes(self) -> bool:
        """Whether a request is being served, or the first one is on its way."""
        return not (self.idle and self._served)

    async def run(self) -> None:
        """Serve until either side ends it. Raises nothing but CancelledError."""
        # No buffer above zero: `drain` then means that the client (or its kernel) has taken the whole response.
        self._writer.transport.set_write_buffer_limits(0)
        try:
            while await self._exchange() and not self._server.leaving:
                self._served = True
                self._http.start_next_cycle()
            self._writer.close()
        except OSError:
            pass  # the client is gone, or (TimeoutError) too slow to be waited for
        except Exception:  # noqa: BLE001 - a defect here must not reach the resolver
            _log.exception("a connection of the admin endpoints failed")
        finally:
            if not self._writer.is_closing():
                self._writer.transport.abort()

    async def _exchange(self) -> bool:
        """One request and its response; whether another request may follow."""
        try:
            request = await self._read_request()
            if request is None:
                return False
            response = await self._handle(request)
        except h11.RemoteProtocolError as error:
            response = Response(error.error_status_hint, f"this is not a request that can be served: {error}")
        except HttpProblem as problem:
            response = problem.response
        if self._http.our_state not in _SAFE_TO_SEND:
            return False
        last = self._http.their_state is not h11.DONE
        await self._send(response, last=last)
        if last:
            await self._linger()
        return all(state is h11.DONE for state in self._http.states.values())

    async def _read_request(self) -> h11.Request | None:
        """The next request, its body read and dropped; None: the client wants no more, or has been idle for too long.

        Raises h11.RemoteProtocolError or HttpProblem for what is none, or does not come in time.
        """
        self.idle = not self._http.trailing_data[0]
        self.idle_since = time.monotonic()
        self._head_only = False
        self._head_lines = 0
        request: h11.Request | None = None
        body_bytes = 0
        try:
            async with asyncio.timeout(
                self._server.idle_seconds if self.idle else self._server.request_seconds
            ) as deadline:
                while True:
                    event = await self._next_event(deadline, in_head=request is None)
                    if isinstance(event, h11.Request):
                        request = event
                        self._head_only = event.method == b"HEAD"
                        if self._http.they_are_waiting_for_100_continue:
                            raise HttpProblem(417, "send the request without Expect")
                        if any(name == b"transfer-encoding" for name, _ in event.headers):
                            # Nobody here reads a body, and one in chunks of an octet each takes 0.1 s to step over.
                            raise HttpProblem(411, "send a body with Content-Length, or none")
                    elif isinstance(event, h11.Data):
                        body_bytes += len(event.data)
                        if body_bytes > BODY_BYTES:
                            raise HttpProblem(413, f"a body has at most {BODY_BYTES} bytes here")
                    else:
                        return request if isinstance(event, h11.EndOfMessage) else None
        except TimeoutError:
            if self.idle:
                return None
            raise HttpProblem(408, f"the request was not complete in {self._server.request_seconds:g} s") from None

    async def _next_event(
        self, deadline: asyncio.Timeout, *, in_head: bool
    ) -> h11.Event | type[h11.PAUSED] | type[h11.NEED_DATA]:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            data = await self._reader.read(_READ_BYTES)
            if self.idle and data:
                self.idle = False
                deadline.reschedule(asyncio.get_running_loop().time() + self._server.request_seconds)
            self._head_lines += data.count(b"\n") if in_head else 0
            if self._head_lines > HEAD_LINES:
                raise HttpProblem(431, f"a request has at most {HEAD_LINES} header fields here")
            self._http.receive_data(data)

    async def _handle(self, request: h11.Request) -> Response:
        asked = read_request(request.method.decode("ascii"), request.target.decode("ascii"), self.peer)
        handler = find_handler(self._server.routes, asked)
        self._server.access.check(asked, _fields(request))
        try:
            async with asyncio.timeout(HANDLER_SECONDS):
                return await handler(asked)
        except HttpProblem:
            raise
        except TimeoutError:
            raise HttpProblem(503, f"no result within {HANDLER_SECONDS:g} s") from None
        except Exception:  # noqa: BLE001 - whatever is wrong, the client gets an answer
            _log.exception("%s %s failed", asked.method, asked.path)
            raise HttpProblem(500, "this failed; the log has the reason") from None

    async def _send(self, response: Response, *, last: bool) -> None:
        body = response.body
        if isinstance(body, str):
            body = (body if body.endswith("\n") else body + "\n").encode("utf-8", "backslashreplace")
        headers = [
            ("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())),
            ("Content-Type", response.content_type),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            *response.headers,
        ]
        if last:
            headers.append(("Connection", "close"))
        reason = _phrase(response.status)
        head = h11.Response(status_code=response.status, headers=headers, reason=reason)
        parts = [self._http.send(head)]
        if not self._head_only:
            parts.append(self._http.send(h11.Data(data=body)))
        parts.append(self._http.send(h11.EndOfMessage()))
        self._writer.write(b"".join(part for part in parts if part))
        async with asyncio.timeout(self._server.write_seconds):
            await self._writer.drain()

    async def _linger(self) -> None:
        """Read on for a moment before closing: unread bytes would make the kernel reset the response away."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                if self._writer.can_write_eof():
                    self._writer.write_eof()
                while await self._reader.read(_READ_BYTES):
                    pass


def _fields(request: h11.Request) -> dict[str, str]:
    """Header fields by name in lower case; of one that is there twice, all values: then it is nobody's token."""
    fields: dict[str, str] = {}
    for raw, value in request.headers:
        name, text = raw.decode("ascii"), value.decode("latin-1")
        fields[name] = f"{fields[name]}, {text}" if name in fields else text
    return fields


def _phrase(status: int) -> bytes:
    """The words beside a status, which nobody reads but people."""
    if status == 200:
        return b"OK"
    from http import HTTPStatus  # noqa: PLC0415 - an enumeration of 0.1 MiB that a healthy resolver does without

    return HTTPStatus(status).phrase.encode()
