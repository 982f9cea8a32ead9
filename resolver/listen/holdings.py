"""The sockets that one configuration asks for, held by whoever outlives the workers that read them.

A change of configuration has two halves. `prepare` opens what is new, or raises and nothing has changed; then the
change is made (`commit`) or not (`Change.cancel`). A socket that is let go here lives on in the worker that still
answers what it has read.
"""

import errno
import os
import socket
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from resolver.config.values import Admin, Config, overlap
from resolver.listen.sockets import ListenError, open_tcp, open_udp

Place = tuple[str, int]
"""An address and a port that the resolver listens on."""
Pair = tuple[socket.socket, socket.socket]
"""UDP and TCP, at the same place."""
Opened = dict[Place, list[Pair]]
"""By place, one pair for each worker (or more)."""


class Change(NamedTuple):
    """What a configuration changes, opened and not yet made."""

    added: Opened
    dropped: list[Place]
    admin: socket.socket | None
    """A new socket for the admin endpoints, None: they stay where they are."""
    settings: Admin

    def cancel(self) -> None:
        """Close what was opened for it."""
        _close(self.added.values())
        if self.admin is not None:
            self.admin.close()


class Holdings:
    """Sockets by place for a number of workers, and one for the admin endpoints.

    `shared`: other processes of this user may bind to the same places (SO_REUSEPORT), as a successor may have to.
    `freebind`: places may be bound before their address exists.
    """

    def __init__(self, workers: int = 1, *, shared: bool = False, freebind: bool = False) -> None:
        self.places: Opened = {}
        self.admin: socket.socket | None = None
        self._admin_settings: Admin | None = None
        self._bound: list[socket.socket] = []  # for the admin endpoints, until their worker has left the old place
        self._workers = workers
        self._shared = shared or workers > 1
        self._freebind = freebind

    def take_over(self, places: Opened, admin: socket.socket | None, settings: Admin | None) -> None:
        """Begin with a predecessor's sockets; the next `prepare` drops what is not asked for."""
        self.places = places
        self.admin, self._admin_settings = admin, settings
        self._bound = [admin] if admin is not None else []

    def prepare(self, config: Config) -> Change:
        """Open what this configuration needs and is not there yet; raises ListenError, and then nothing is open."""
        wanted = [(address, config.listen.port) for address in config.listen.addresses]
        added = [place for place in wanted if place not in self.places]
        _refuse_overlap(added, list(self.places))
        opened: Opened = {}
        try:
            for place in added:
                opened[place] = self._open(place)
            admin = self._open_admin(config.admin)
        except ListenError:
            _close(opened.values())
            raise
        return Change(opened, [place for place in self.places if place not in wanted], admin, config.admin)

    def commit(self, change: Change) -> None:
        """Hold what was opened, and let go of what is dropped."""
        _close(self.places.pop(place) for place in change.dropped)
        self.places.update(change.added)
        if change.admin is not None:
            self.admin = change.admin
            self._bound.append(change.admin)
        self._admin_settings = change.settings

    def settle(self) -> None:
        """Let go of where the admin endpoints were: their worker has left."""
        for sock in self._bound:
            if sock is not self.admin:
                sock.close()
        self._bound = [] if self.admin is None else [self.admin]

    def of_worker(self, index: int, places: Opened | None = None) -> dict[Place, list[socket.socket]]:
        """The sockets that one of the workers reads, of all places or of these."""
        return {
            place: [sock for pair in _share_of(pairs, index, self._workers) for sock in pair]
            for place, pairs in (self.places if places is None else places).items()
        }

    def close(self) -> None:
        """Close everything. Idempotent."""
        _close(self.places.values())
        self.places = {}
        self.admin = None
        self.settle()

    def _open(self, place: Place) -> list[Pair]:
        pairs: list[Pair] = []
        address, port = place
        try:
            for _ in range(self._workers):
                udp = open_udp(address, port, reuse_port=self._shared, freebind=self._freebind)
                try:
                    port = int(udp.getsockname()[1])
                    pairs.append((udp, open_tcp(address, port, reuse_port=self._shared, freebind=self._freebind)))
                except ListenError:
                    udp.close()
                    raise
        except ListenError:
            _close([pairs])
            raise
        return pairs

    def _open_admin(self, settings: Admin) -> socket.socket | None:
        """Bind where the admin endpoints are to be; None: they are there already.

        The new place and the one before may overlap (0.0.0.0 instead of 127.0.0.1 on the same port): for the moment of
        binding our own sockets allow the port to be shared.
        """
        before = self._admin_settings
        if before is not None and (settings.address, settings.port) == (before.address, before.port):
            return None
        family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
        own = [sock for sock in self._bound if sock.getsockname()[1] == settings.port]
        _allow_sharing(own, allowed=True)
        try:
            sock = socket.create_server(
                (settings.address, settings.port), family=family, reuse_port=bool(own) or self._shared
            )
        except OSError as error:
            host = f"[{settings.address}]" if family == socket.AF_INET6 else settings.address
            raise ListenError(f"admin endpoints at {host}:{settings.port}: {_reason(error)}") from None
        finally:
            _allow_sharing(own, allowed=self._shared)
        _allow_sharing([sock], allowed=self._shared)
        sock.setblocking(False)
        return sock


def _refuse_overlap(added: list[Place], own: list[Place]) -> None:
    """Raise ListenError where the kernel would say that the port is in use, because it is in use by us.

    The one address would go on getting what is sent to it until its last reply is out, and by then it looks nothing up.
    """
    for address, port in added:
        for other, other_port in own:
            if port == other_port and overlap(address, other):
                raise ListenError(f"cannot change between {other} and {address} on port {port} while running: restart")


def _share_of(pairs: Sequence[Pair], index: int, workers: int) -> Sequence[Pair]:
    """Which pairs one worker reads: every pair has a reader, and every worker a pair, if possible of its own."""
    return pairs[index::workers] if index < len(pairs) else (pairs[index % len(pairs)],)


def _allow_sharing(socks: list[socket.socket], *, allowed: bool) -> None:
    """Whether others of this user may be bound to what these sockets are bound to; the kernel asks while it binds."""
    for sock in socks:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, allowed)


def _close(places: Iterable[Sequence[Pair]]) -> None:
    for pairs in places:
        for pair in pairs:
            for sock in pair:
                sock.close()


def _reason(error: OSError) -> str:
    """What the system says, without the library's sentence around it."""
    if error.errno is not None and error.errno in errno.errorcode:
        return f"{os.strerror(error.errno)} ({errno.errorcode[error.errno]})"
    return error.strerror or str(error)
