"""Waiting for a condition by asking for it, with a bound.

Nothing in the tests sleeps to give something time to happen: the condition itself is asked until it holds, and the
pause between two questions only spares the processor. The bound is generous, it exists to end a hopeless wait with a
message, not to measure.
"""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

PATIENCE_SECONDS = 20.0
PAUSE_SECONDS = 0.01


def wait_until(condition: Callable[[], Value | None], what: str, patience_seconds: float = PATIENCE_SECONDS) -> Value:
    """Ask `condition` until it returns something true and return that; AssertionError naming `what` when patience
    ends.
    """
    give_up = time.monotonic() + patience_seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > give_up:
            raise AssertionError(f"waited {patience_seconds:.0f} s in vain for: {what}")
        time.sleep(PAUSE_SECONDS)
