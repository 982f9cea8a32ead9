"""Starts the helper process and collects its reply, waiting for it or not.

Started with posix_spawn, which copies nothing of a large parent and needs no module that is not loaded anyway. Only the
reply counts, not the exit status: a supervisor that reaps all its children may have taken that already.
"""

import os
import select
import signal
import sys
from contextlib import suppress
from time import monotonic
from typing import Any, Final

import resolver
from resolver.lean import jsontext
from resolver.node.errors import ErrorType, NodeError
from resolver.node.helper import Request

PATIENCE_SECONDS: Final = 10.0
"""After this a helper is killed; it needs a third of a second."""
_REPLY_BYTES = 65536
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE)


class Job:
    """One request under way; `kind` is what a helper that ends without a word counts as."""

    def __init__(self, request: Request, kind: ErrorType) -> None:
        self.request = request
        self._kind = kind
        self._deadline = monotonic() + PATIENCE_SECONDS
        self._said = b""
        self._pipe, theirs = os.pipe()
        try:
            self._pid = os.posix_spawn(
                sys.executable,
                # -P: what lies in the working directory is none of a privileged process's business.
                [sys.executable, "-P", "-m", "resolver.node.helper", jsontext.dumps(request._asdict())],
                {**os.environ, "PYTHONPATH": resolver.__file__.rsplit("/", 2)[0]},
                file_actions=[(os.POSIX_SPAWN_DUP2, theirs, 1)],
                setpgroup=0,  # Ctrl-C is for us: a tear-down is finished
                setsigmask=(),
                setsigdef=_SIGNALS,
            )
        except OSError as error:
            os.close(self._pipe)
            raise NodeError(kind, f"the helper process cannot be started: {error.strerror}") from None
        finally:
            os.close(theirs)
        self._poller = select.poll()
        self._poller.register(self._pipe, select.POLLIN)

    def wait(self) -> dict[str, Any]:
        """The reply; raises NodeError, also when none came in time."""
        while (reply := self.poll(self._deadline - monotonic())) is None:
            pass
        return reply

    def poll(self, seconds: float = 0.0) -> dict[str, Any] | None:
        """The reply if it comes within `seconds`, None if it is not here yet; raises NodeError as `wait` does."""
        while monotonic() < self._deadline:
            if not self._poller.poll(max(0.0, seconds) * 1000):
                return None
            part = os.read(self._pipe, _REPLY_BYTES)
            self._said += part
            if not part:
                self._end()
                return self._reply()
        self.cancel()
        raise NodeError(self._kind, f"the helper process did not {self.request.what} within {PATIENCE_SECONDS:g} s")

    def cancel(self) -> None:
        """Stop the helper where it is."""
        with suppress(ProcessLookupError):  # it has ended, and was reaped
            os.kill(self._pid, signal.SIGKILL)
        self._end()

    def _end(self) -> None:
        os.close(self._pipe)
        with suppress(ChildProcessError):  # the supervisor's loop was faster
            os.waitpid(self._pid, 0)

    def _reply(self) -> dict[str, Any]:
        try:
            reply: dict[str, Any] = jsontext.loads(self._said)
        except ValueError:
            raise NodeError(
                self._kind, f"the helper process ended before it could {self.request.what}; its standard error says why"
            ) from None
        if "error" in reply:
            raise NodeError(ErrorType(reply["error"]), reply["message"])
        return reply
