"""The admin server at the address that the configuration names, moved when that changes.

A move opens the new place before it closes the old one. Where both want the same port (0.0.0.0 instead of 127.0.0.1)
the old one has to go first, and comes back if the new one cannot be had. Moves happen one after the other, each to
where the latest configuration points.
"""

import asyncio
import errno
import logging
import os

from resolver.config.values import Admin
from resolver.ops.http import AdminServer
from resolver.ops.logs import event
from resolver.ops.requests import Routes

_log = logging.getLogger(__name__)


class AdminPlace:
    """`start`, then `move` as often as the configuration changes, then `close`."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._wanted = self._settings = Admin()
        self._server: AdminServer | None = None
        self._moves: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    async def start(self, settings: Admin) -> None:
        """Serve; raises OSError with a sentence that names address and port."""
        self._wanted = self._settings = settings
        try:
            self._server = await self._open(settings)
        except OSError as error:
            raise OSError(error.errno, f"admin endpoints at {_place(settings)}: {_reason(error)}") from None

    def move(self, settings: Admin) -> None:
        """Serve there from now on, or stay and say why in the log."""
        self._wanted = settings
        task = asyncio.get_running_loop().create_task(self._follow(), name="move the admin endpoints")
        self._moves.add(task)
        task.add_done_callback(self._moves.discard)

    async def close(self) -> None:
        """Stop serving, once moves are over."""
        await asyncio.gather(*self._moves)
        if self._server is not None:
            await self._server.close()

    async def _follow(self) -> None:
        async with self._turn:
            wanted = self._wanted
            if wanted == self._settings:
                return
            try:
                await self._move_to(wanted)
            except OSError as error:
                event(
                    _log, logging.ERROR, "admin endpoints stay where they were", wanted=_place(wanted),
                    reason=_reason(error),
                )  # fmt: skip
                return
            self._settings = wanted
            event(_log, logging.INFO, "admin endpoints moved", address=_place(wanted))

    async def _move_to(self, wanted: Admin) -> None:
        old = self._server
        try:
            self._server = await self._open(wanted)
        except OSError as error:
            if old is None or error.errno != errno.EADDRINUSE or wanted.port != self._settings.port:
                raise
            await old.close()
            try:
                self._server = await self._open(wanted)
            except OSError:
                self._server = None
                self._server = await self._open(self._settings)
                raise
        else:
            if old is not None:
                await old.close()

    async def _open(self, settings: Admin) -> AdminServer:
        server = AdminServer(self._routes)
        await server.start(settings.address, settings.port)
        return server


def _place(settings: Admin) -> str:
    host = f"[{settings.address}]" if ":" in settings.address else settings.address
    return f"{host}:{settings.port}"


def _reason(error: OSError) -> str:
    """What the system says, without the loop's sentence around it."""
    if error.errno is not None and error.errno in errno.errorcode:
        return f"{os.strerror(error.errno)} ({errno.errorcode[error.errno]})"
    return error.strerror or str(error)
