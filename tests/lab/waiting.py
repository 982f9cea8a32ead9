"""Waiting for a condition by asking for it, with a bound.

Nothing in the tests sleeps to give something time to happen: the condition itself is asked until it holds, and the
pause between two questions only spares the processor. The bound is generous, it exists to end a hopeless wait with a
message, not to measure. The longer somebody has waited, the less it matters to know at once: asking costs the processor
that others wait for.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.01
LONGEST_PAUSE_SECONDS = 0.05
PAUSE_SHARE = 0.02
"""Of the time waited so far."""


def wait_until(condition: Callable[[], Value | None], what: str, patience_seconds: float = PATIENCE_SECONDS) -> Value:
    """Ask `condition` until it returns something true and return that; AssertionError naming `what` when patience
    ends.
    """
    began = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        waited = time.monotonic() - began
        if waited > patience_seconds:
            raise AssertionError(f"waited {patience_seconds:.0f} s in vain for: {what}")
        time.sleep(min(max(PAUSE_SECONDS, waited * PAUSE_SHARE), LONGEST_PAUSE_SECONDS))


async def until(condition: Callable[[], object], patience_seconds: float = PATIENCE_SECONDS) -> None:
    """The same on an event loop, for what happens there; TimeoutError when patience ends."""
    async with asyncio.timeout(patience_seconds):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for: the condition is a look inside
            await asyncio.sleep(PAUSE_SECONDS / 10)
