"""`--started PATH`: whether a supervisor of this container listens at the hand-over socket, the end of its start.

While two pods of a node hand over, both have the same addresses and the same admin port: a probe over HTTP is answered
by the old one until the new one has taken over, and a pod that is called ready for that costs the old one its life too
early. So this looks at what belongs to whom, in /proc, where other containers cannot be seen. Nothing connects: that
would stand in the way of a successor.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROCESSES: Final = Path("/proc")
_LISTENS: Final = 0x10000
"""__SO_ACCEPTCON among the flags of /proc/net/unix, proc(5)."""


def is_started(path: str) -> bool:
    """Whether a process that can be seen here listens at `path`, or at what was renamed to it."""
    with (_PROCESSES / "net" / "unix").open(encoding="utf-8", errors="replace") as table:
        sockets = {f"socket:[{inode}]" for inode in _listening(table, path)}
    return bool(sockets) and any(file in sockets for file in _open_files())


def _listening(table: Iterator[str], path: str) -> Iterator[str]:
    next(table)
    for line in table:
        words = line.rstrip("\n").split(maxsplit=7)
        if len(words) == 8 and words[7].startswith(path) and int(words[3], 16) & _LISTENS:
            yield words[6]


def _open_files() -> Iterator[str]:
    """Of all processes that can be seen and looked into."""
    for process in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError):
            for file in (process / "fd").iterdir():
                with suppress(OSError):
                    yield str(file.readlink())
