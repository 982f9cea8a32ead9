"""Notice that a small file changed: one stat per interval, a read only when the stat says so.

Polling, because inotify watches an inode: a ConfigMap is swapped by a symlink two directories up and editors rename a
new file over the old one, and both end such a watch without an event. One stat per second costs less than the code
that would repair that. A change counts once two polls in a row have seen the same stat: a file that is being rewritten
in place is empty for a moment, and an empty configuration is a valid one; and a second write within the clock tick of
the first leaves the stat as it was, so that a read at first sight could miss it. Paths are text here: pathlib takes
0.3 MiB, and nothing else in a running resolver needs it.
"""

import errno
import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

MOST_BYTES = 1 << 20
SECOND_LOOK_SECONDS = 0.25
"""After a change was seen for the first time: servers named in a resolv.conf may have been replaced."""

_Stat = tuple[int, int, int, int, int]


def read_text(path: str) -> str:
    """Return the text of a small regular file; bytes that are not UTF-8 become U+FFFD, as they may in a comment.

    Raises OSError, also for what is not a regular file (opening a pipe would block) and for more than MOST_BYTES.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - see above
        raise OSError(errno.EINVAL, "not a regular file")
    with open(path, "rb") as stream:  # noqa: PTH123 - see above
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return content.decode("utf-8", errors="replace")


class FileWatch:
    """Calls `on_change(text)` when the file has a new text, and `on_error(reason)` once when it cannot be read.

    It goes on watching after an error, and then delivers the text that it finds even if it is the old one. `seen` is
    the text that the owner has acted on already; None means none. Nothing happens before `start`, `poll` or `read_now`.
    """

    def __init__(
        self,
        path: str,
        on_change: Callable[[str], None],
        on_error: Callable[[str], None],
        *,
        interval_seconds: float = 1.0,
        seen: str | None = None,
    ) -> None:
        self.path = path
        self._on_change = on_change
        self._on_error = on_error
        self._interval_seconds = interval_seconds
        self._text = seen
        self._error: str | None = None
        self._last: _Stat | str | None = None  # what the poll before saw, a stat or the reason why there was none
        self._settled = False  # whether _last has been acted on
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Poll every `interval_seconds` on the running loop, until `close`."""
        import asyncio  # noqa: PLC0415 - the supervisor polls by itself and has no such loop

        if self._timer is None:
            self._tick(asyncio.get_running_loop())

    def close(self) -> None:
        """Stop polling."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self, loop: "asyncio.AbstractEventLoop") -> None:
        # First the next timer: a callback that raises is the loop's to report and does not end the watch.
        self._timer = loop.call_later(self._interval_seconds, self._tick, loop)
        if self.poll() and self._interval_seconds > SECOND_LOOK_SECONDS:
            self._timer.cancel()
            self._timer = loop.call_later(SECOND_LOOK_SECONDS, self._tick, loop)

    def poll(self) -> bool:
        """Look once. What is new is acted on when the next poll sees the same. True: something was new."""
        now = self._look()
        if now != self._last:
            self._last, self._settled = now, False
            return True
        if not self._settled:
            self._read(even_if_known=False)
        return False

    def read_now(self) -> None:
        """Read at once and call back in any case, with the text or with the reason why there is none (for SIGHUP)."""
        self._last, self._error = self._look(), None
        self._read(even_if_known=True)

    def _look(self) -> _Stat | str:
        try:
            found = os.stat(self.path)  # noqa: PTH116 - see above; it follows symlinks
        except OSError as error:
            return _reason(error)
        # ctime, because mtime can be set back, and because a chmod may make the file readable.
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def _read(self, *, even_if_known: bool) -> None:
        try:
            text = read_text(self.path)
        except OSError as error:
            self._text = None
            reason = _reason(error)
            if reason != self._error:
                self._error = reason
                self._on_error(reason)
            return  # not settled: the next poll tries again
        self._settled, self._error = True, None
        if even_if_known or text != self._text:
            self._text = text
            self._on_change(text)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
