"""The resolver's log through a pipe that somebody may stop reading, as a container's is.

`python -m resolver` writes to a FIFO beside its configuration; a thread copies from there into the log that the lab
reads, the lines of single queries left out.
"""

import array
import fcntl
import os
import termios
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from tests.lab.resolver import PROGRAM, Resolver
from tests.lab.succession import Succession
from tests.lab.waiting import wait_until

_TO_FIFO: Final = 'for last; do :; done; exec "$@" >"${last%/*}/fifo" 2>&1'
_LOOKS: Final = 100
"""So often in a row is there room in the pipes before they count as read."""
_ROOM_BYTES: Final = 32 * 1024
"""Half of a pipe."""


class Piped(Succession):
    """A succession of resolvers whose logs go through pipes."""

    def __init__(self, *arguments: object, **more: object) -> None:
        super().__init__(*arguments, program=("sh", "-c", _TO_FIFO, "sh", *PROGRAM), **more)  # type: ignore[arg-type]
        self._reading = threading.Event()
        self._reading.set()
        self._fifos: list[BinaryIO] = []
        self.query_lines = 0

    @contextmanager
    def nobody_reads(self) -> Iterator[None]:
        """The logs for the block."""
        self._reading.clear()
        try:
            yield
        finally:
            self._reading.set()
        # While a pipe is full, the supervisor's lines are dropped, and somebody may wait for the next one. One look
        # says little: the worker has lines left with which it fills the pipe again.
        looks: deque[bool] = deque(maxlen=_LOOKS)
        wait_until(lambda: self._read_up(looks), "the logs to be read")

    def _read_up(self, looks: deque[bool]) -> bool:
        looks.append(all(_waiting(fifo) < _ROOM_BYTES for fifo in self._fifos))
        return looks.count(True) == _LOOKS

    def logs(self) -> list[Path]:
        """Of all versions."""
        return [made.process.log for made in self._made]

    def _next(self, **arguments: object) -> Resolver:
        made = super()._next(**arguments)  # type: ignore[arg-type]
        fifo = made.file.with_name("fifo")
        os.mkfifo(fifo)
        threading.Thread(target=self._copy, args=(fifo, made.process.log), daemon=True).start()
        return made

    def _copy(self, fifo: Path, log: Path) -> None:
        with fifo.open("rb") as source, log.open("ab") as copy:
            self._fifos.append(source)
            for line in source:
                self._reading.wait()
                if b'"event":"query"' in line:
                    self.query_lines += 1
                else:
                    copy.write(line)
                    copy.flush()


def _waiting(pipe: BinaryIO) -> int:
    """Bytes in a pipe that nobody has read; none in one that is closed."""
    if pipe.closed:
        return 0
    found = array.array("i", [0])
    fcntl.ioctl(pipe.fileno(), termios.FIONREAD, found)
    return found[0]
