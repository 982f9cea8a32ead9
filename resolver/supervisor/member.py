"""One worker as its supervisor sees it: its process, its channel, and whether it still does anything.

A worker beats from its event loop. One that is silent is stuck (an endless loop, a call that blocks) or was stopped,
and has to be replaced; but on a node that is short of CPU it may only be waiting for its turn, and killing it would
cost its cache and more CPU still. The kernel tells them apart: who waits for a turn is runnable and has used no time.
"""

import os
import signal
from contextlib import suppress
from typing import Final

from resolver.supervisor.channel import Channel

BEAT_SECONDS: Final = 0.25
"""How often a worker says that its event loop turns."""
SILENT_SECONDS: Final = 1.0
"""After so long without a beat a worker is replaced."""
STARVED_SECONDS: Final = 10.0
"""The same for one that is runnable and gets no CPU time."""
START_SECONDS: Final = 3.0
"""After so long without having begun to answer a worker is replaced, too; it needs a few hundredths of that."""
TAKING_SECONDS: Final = 10.0
"""The same for one that first takes over what a predecessor remembers, and tries itself."""
STARVED_START_SECONDS: Final = 30.0
"""The same for any that is runnable and gets no CPU time."""
DIED: Final = "died"
SILENT: Final = "silent"
NOT_READY: Final = "not ready"
OUT_OF_MEMORY: Final = "out of memory"
_SUSPICIOUS_SECONDS = 0.5
_STARVED_SHARE = 0.5
_TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")


class Member:
    """See the module; `now` is monotonic seconds."""

    def __init__(self, index: int, pid: int, channel: Channel, now: float, *, takes: bool = False) -> None:
        """`takes`: it begins with what a predecessor remembers."""
        self.index = index
        self.pid = pid
        self.channel = channel
        self.ready = False
        """Whether it has begun to answer."""
        self.leaving = False
        """Whether it was told to end."""
        self.reason = DIED
        """Why it will have ended."""
        self._start_seconds = TAKING_SECONDS if takes else START_SECONDS
        self._beat_at = now
        self._sample: tuple[float, float] | None = None  # when suspicion began, and the CPU time used by then

    def beat(self, now: float) -> None:
        """It has said something."""
        self._beat_at = now
        self._sample = None

    def is_lost(self, now: float) -> bool:
        """Whether it has been silent for too long, and not for want of CPU time. It says nothing until it is ready."""
        silent = now - self._beat_at
        if silent < _SUSPICIOUS_SECONDS:
            return False
        state, used = _process(self.pid)
        if self._sample is None:
            self._sample = (now, used)
        if silent < (SILENT_SECONDS if self.ready else self._start_seconds):
            return False
        since, used_then = self._sample
        starved = state == "R" and used - used_then < (now - since) * _STARVED_SHARE
        return not starved or silent >= (STARVED_SECONDS if self.ready else STARVED_START_SECONDS)

    def kill(self, reason: str) -> None:
        """End it at once. The first reason counts."""
        if self.reason == DIED:
            self.reason = reason
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def _process(pid: int) -> tuple[str, float]:
    """State (one letter, proc(5)) and CPU seconds of a process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - pathlib: 0.3 MiB
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return "", 0.0
    return fields[0], (int(fields[11]) + int(fields[12])) * _TICK_SECONDS
