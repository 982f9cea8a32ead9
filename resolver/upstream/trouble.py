"""Trouble on the way to a server, told in the words of the seam (transport.py)."""

import errno
from asyncio import AbstractEventLoop

from resolver.upstream.transport import Attempt, Problem

_PROBLEMS = {
    errno.ECONNREFUSED: Problem.REFUSED,
    errno.ECONNRESET: Problem.RESET,
    errno.ECONNABORTED: Problem.RESET,
    errno.EPIPE: Problem.RESET,
    errno.ETIMEDOUT: Problem.SILENT,
}


def problem_of(error: OSError) -> Problem:
    """What an operating system error means for an attempt; whatever is not known is a server out of reach."""
    if error.errno is None:
        return Problem.UNREACHABLE
    return _PROBLEMS.get(error.errno, Problem.UNREACHABLE)


class Unsent:
    """The ticket of a query that could not be sent: its attempt is told in the next turn of the loop."""

    __slots__ = ("_attempt", "_problem")

    def __init__(self, loop: AbstractEventLoop, attempt: Attempt, problem: Problem) -> None:
        self._attempt: Attempt | None = attempt
        self._problem = problem
        loop.call_soon(self._report)

    def cancel(self) -> None:
        self._attempt = None

    def silent(self) -> bool:
        """There is no connection to draw conclusions about."""
        return False

    def quiet(self) -> bool:
        """Its attempt is told at once."""
        return False

    def _report(self) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.failed(self._problem)
