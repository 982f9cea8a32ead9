"""What a server must not be blamed for: cores in other hands meanwhile, and packets that others left unread."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import machine
from benchmarks.load import Load
from benchmarks.machine import LOAD_CORE, SERVER_CORE

BUSY_SHARE = 0.05
"""From this share of both cores in other programs' hands on, a run was made on a busy machine."""
STALL_SECONDS = 0.005
"""A server that waited so long for its core may have lost packets by that: its queue holds those of some 10 ms."""
FULL_SHARE = 0.9
"""From this share of its core on, a server was at its own limit."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What happened besides the measured work. Shares are between 0 and 1."""

    foreign_share: float = 0.0
    """Of both cores."""
    server_seconds: float = 0.0
    """CPU time of the server."""
    stalled_seconds: float = 0.0
    """How long the server was ready to run without running: other programs had its core, or the host had it."""
    unread_by_server: int = 0
    unread_elsewhere: int = 0

    def full(self, load: Load) -> bool:
        """Whether the server used all of its core, so that it lost what it lost for no other reason."""
        return self.server_seconds > FULL_SHARE * load.seconds

    def where_lost(self, load: Load) -> str:
        """Whose queue lost packets overflowed."""
        loads = load.overflowed or self.unread_elsewhere
        rest = max(0, load.lost - self.unread_by_server - loads)
        parts = [
            (self.unread_by_server, "not read by the server before its socket was full"),
            (loads, "answers not read by the load"),
            (rest, "not answered"),
        ]
        return ", ".join(f"{count} {words}" for count, words in parts if count)

    def excuse(self, load: Load) -> str:
        """Why a run says little about the server; empty: nothing was in its way."""
        if load.held_up:
            return "the load generator was held up"
        if load.lost and (load.overflowed or self.unread_elsewhere):
            return "the load did not read everything"
        if load.lost and not self.full(load) and self.stalled_seconds > STALL_SECONDS:
            return f"the server had to wait {self.stalled_seconds * 1000:.0f} ms for its core"
        if self.foreign_share > BUSY_SHARE:
            return f"others used {self.foreign_share:.0%} of the cores"
        return ""


class Watch:
    """Looks at the machine from its making to `seen`. Sessions are a server's and those of programs that help."""

    def __init__(self, server: int, port: int, helpers: Sequence[int]) -> None:
        self._server = server
        self._port = port
        self._helpers = helpers
        self._began = time.monotonic()
        self._before = self._counts()

    def seen(self) -> Seen:
        elapsed = max(time.monotonic() - self._began, 1e-9)
        foreign, spent, stalled, by_server, everywhere = (
            max(0.0, now - before) for now, before in zip(self._counts(), self._before, strict=True)
        )
        return Seen(
            foreign_share=foreign / (2 * elapsed),
            server_seconds=spent,
            stalled_seconds=stalled,
            unread_by_server=int(by_server),
            unread_elsewhere=int(max(0.0, everywhere - by_server)),
        )

    def _counts(self) -> tuple[float, float, float, float, float]:
        """Work of others, the server's work, what it waited, packets it left unread, packets anybody left unread."""
        spent = machine.cpu_time(self._server).total
        own = sum(os.times()[:4]) + spent + sum(machine.cpu_time(session).total for session in self._helpers)
        foreign = machine.busy_seconds(SERVER_CORE) + machine.busy_seconds(LOAD_CORE) - own
        stalled = machine.waited_seconds(self._server) + machine.stolen_seconds(SERVER_CORE)
        return foreign, spent, stalled, machine.unread_packets(self._port), machine.all_unread_packets()
