"""What a supervisor gives a worker on its way: everything it needs, and nothing that it could not lose."""

import os
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

from resolver.config import Config
from resolver.listen.holdings import Place
from resolver.supervisor.channel import Channel
from resolver.supervisor.identity import Identity


class Assignment(NamedTuple):
    """One worker's work. It owns the sockets and the channel."""

    number: int
    workers: int
    config: Config
    sockets: dict[Place, list[socket.socket]]
    admin: socket.socket | None
    """The listening socket of the admin endpoints, for the one worker that serves them."""
    channel: Channel
    supervisor: int
    """The process to die with."""
    who: Identity | None
    reload: dict[str, Any]
    """`ReloadState.told` until now."""
    node: dict[str, Any]
    """`NodeState.to_json`, for the worker that shows it."""
    replaced: dict[str, int]
    """Workers that had to be replaced until now, by reason, for the same one."""
    cluster: tuple[dict[str, Any], ...] = ()
    """What the informer has told until now."""
    sums: str = ""
    """What the one before it had added up (`resolver.ops.sums`), for the same one."""
    memory: int | None = None
    """A descriptor from which the answers that a predecessor or a sibling remembers can be read."""
    check: bool = False
    """Whether somebody else still reads its sockets: it has to know what that one remembers, and to prove that it
    answers, before it reads from them; and the admin endpoints are opened when the supervisor says so.
    """

    def close(self) -> None:
        """In the supervisor, once the worker has its own: close what was made for it, but the channel."""
        for sockets in self.sockets.values():
            for sock in sockets:
                sock.close()
        if self.admin is not None:
            self.admin.close()
        if self.memory is not None:
            os.close(self.memory)


RunWorker = Callable[[Assignment], int]
"""Runs in the worker's process; the exit status."""
