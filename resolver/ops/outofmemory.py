"""An allocation that has failed ends a worker at once, so that its supervisor starts another.

It may have failed anywhere: a timer is not set again, an answer that has come is told to nobody, and the process beats
as if nothing had been. What it still knows is no use to anybody then. So whoever hears of such an error, wherever it
was caught, does no more than leave: that alone takes no memory. The next worker begins with an empty cache.
"""

import errno
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from resolver.lean.deferred import when_loaded

if TYPE_CHECKING:  # a supervisor has none
    import asyncio

STATUS: Final = errno.ENOMEM
"""The exit status of a process that has left for this reason."""


def leave_if_out_of_memory(error: BaseException | None) -> None:
    """End this process if this is what it has met."""
    if isinstance(error, MemoryError):
        os._exit(STATUS)


def watch(loop: "asyncio.AbstractEventLoop") -> None:
    """Hear of what this loop's callbacks raise, of what other threads do, and of what nobody could be told."""

    def raised(loop: "asyncio.AbstractEventLoop", context: dict[str, Any]) -> None:
        leave_if_out_of_memory(context.get("exception"))
        loop.default_exception_handler(context)

    def hear_of_threads() -> None:
        import threading  # noqa: PLC0415 - 0.1 MiB that a worker does without until it has a thread beside its log's

        def ended(arguments: threading.ExceptHookArgs) -> None:
            leave_if_out_of_memory(arguments.exc_value)
            threading.__excepthook__(arguments)

        threading.excepthook = ended

    def ignored(arguments: "sys.UnraisableHookArgs") -> None:
        leave_if_out_of_memory(arguments.exc_value)
        sys.__unraisablehook__(arguments)

    loop.set_exception_handler(raised)
    when_loaded("threading", hear_of_threads)
    sys.unraisablehook = ignored  # of the log's thread, too
