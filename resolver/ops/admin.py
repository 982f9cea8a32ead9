"""The admin server, on the socket that it is given, moved when another one takes its place."""

import asyncio
import logging
import socket

from resolver.events import event
from resolver.ops.access import Access
from resolver.ops.http import AdminServer
from resolver.ops.requests import Routes

_log = logging.getLogger(__name__)

_LEAVE_SECONDS = 1.0


class AdminPlace:
    """`start`, then `move` as often as the configuration changes, then `close`."""

    def __init__(self, routes: Routes, access: Access | None = None) -> None:
        self._routes = routes
        self._access = access
        self._server: AdminServer | None = None
        self._moves: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    async def start(self, sock: socket.socket) -> None:
        """Serve on a listening socket, which it owns from now on."""
        await self._serve_on(sock)

    def move(self, sock: socket.socket) -> "asyncio.Task[None]":
        """Serve on this socket from now on, and no longer on the one before; the task is done then."""
        task = asyncio.get_running_loop().create_task(self._moved(sock), name="move the admin endpoints")
        self._moves.add(task)
        task.add_done_callback(self._moves.discard)
        return task

    async def leave(self) -> None:
        """Serve what has come, and leave the rest to another process; once moves are over."""
        await asyncio.gather(*self._moves)
        if self._server is not None:
            await self._server.leave(_LEAVE_SECONDS)

    async def close(self) -> None:
        """Stop serving, once moves are over."""
        await asyncio.gather(*self._moves)
        if self._server is not None:
            await self._server.close()

    async def _moved(self, sock: socket.socket) -> None:
        async with self._turn:
            address, port = sock.getsockname()[:2]
            await self._serve_on(sock)
        event(_log, logging.INFO, "admin endpoints moved", address=address, port=port)

    async def _serve_on(self, sock: socket.socket) -> None:
        server = AdminServer(self._routes, access=self._access)
        await server.start_on(sock)
        old, self._server = self._server, server
        if old is not None:
            await old.close()
