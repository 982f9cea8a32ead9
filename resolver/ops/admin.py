"""The admin server at the address that the configuration names, moved when that changes.

A move has two halves. `bind` opens the new place or raises, so that a configuration whose place cannot be had is
refused as a whole; `move` then serves there and lets go of the old place. The two may overlap (0.0.0.0 instead of
127.0.0.1 on the same port): for the moment of binding our own sockets allow the port to be shared.
"""

import asyncio
import errno
import logging
import os
import socket
from ipaddress import ip_address

from resolver.config.values import Admin
from resolver.ops.http import AdminServer
from resolver.ops.logs import event
from resolver.ops.requests import Routes

_log = logging.getLogger(__name__)


class AdminPlace:
    """`start`, then `bind` and `move` as often as the configuration changes, then `close`."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._settings: Admin | None = None
        self._bound: list[socket.socket] = []
        self._server: AdminServer | None = None
        self._moves: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    async def start(self, settings: Admin) -> None:
        """Serve; raises OSError with a sentence that names address and port."""
        sock = self.bind(settings)
        if sock is not None:
            self._keep(settings, sock)
            await self._serve_on(sock)

    def bind(self, settings: Admin) -> socket.socket | None:
        """A listening socket for `move` (or to be closed); None: that is where we are. Raises OSError as `start` does.

        Nothing changes yet.
        """
        if settings == self._settings:
            return None
        self._bound = [sock for sock in self._bound if sock.fileno() != -1]
        own = [sock for sock in self._bound if sock.getsockname()[1] == settings.port]
        family = socket.AF_INET6 if ip_address(settings.address).version == 6 else socket.AF_INET
        _share(own, allowed=True)
        try:
            sock = socket.create_server((settings.address, settings.port), family=family, reuse_port=bool(own))
        except OSError as error:
            raise OSError(error.errno, f"admin endpoints at {_place(settings)}: {_reason(error)}") from None
        finally:
            _share(own, allowed=False)
        _share([sock], allowed=False)
        sock.setblocking(False)
        return sock

    def move(self, settings: Admin, sock: socket.socket) -> None:
        """Serve on what `bind` gave for these settings from now on, and no longer at the place before."""
        self._keep(settings, sock)
        task = asyncio.get_running_loop().create_task(self._moved(settings, sock), name="move the admin endpoints")
        self._moves.add(task)
        task.add_done_callback(self._moves.discard)

    async def close(self) -> None:
        """Stop serving, once moves are over."""
        await asyncio.gather(*self._moves)
        if self._server is not None:
            await self._server.close()

    def _keep(self, settings: Admin, sock: socket.socket) -> None:
        self._settings = settings
        self._bound.append(sock)

    async def _moved(self, settings: Admin, sock: socket.socket) -> None:
        async with self._turn:
            await self._serve_on(sock)
        event(_log, logging.INFO, "admin endpoints moved", address=_place(settings))

    async def _serve_on(self, sock: socket.socket) -> None:
        server = AdminServer(self._routes)
        await server.start_on(sock)
        old, self._server = self._server, server
        if old is not None:
            await old.close()


def _share(socks: list[socket.socket], *, allowed: bool) -> None:
    """Whether others of this user may be bound to what these sockets are bound to; the kernel asks while it binds."""
    for sock in socks:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, allowed)


def _place(settings: Admin) -> str:
    host = f"[{settings.address}]" if ":" in settings.address else settings.address
    return f"{host}:{settings.port}"


def _reason(error: OSError) -> str:
    """What the system says, without the library's sentence around it."""
    if error.errno is not None and error.errno in errno.errorcode:
        return f"{os.strerror(error.errno)} ({errno.errorcode[error.errno]})"
    return error.strerror or str(error)
