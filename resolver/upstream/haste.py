"""When a question is asked again before `attemptTimeout` is over: any server will do, and its own has gone quiet. Pure.

A pod that dies without a word answers nobody any more, so what waits for it need not wait for long: an answer that is
late comes on a connection on which others arrive. Quiet means that nothing at all arrived, for as long as four usual
answers take and a tenth of a second at least. Where that is a mistake, a server that is slow gets more to do just then;
so only one lookup in twenty may be hasty, after a first hundred for the moment in which a server dies.
"""

from typing import Final

LOOK_SECONDS: Final = 0.1
"""From the question to the first look whether its way has gone quiet."""
AGAIN_SECONDS: Final = 0.05
"""Between two further looks."""
SHARE: Final = 0.05
"""Hasty tries for each lookup, over time."""
MOST: Final = 100
"""Hasty tries at a stretch."""
_USUAL_TIMES = 4


class Haste:
    """How many of the lookups of one route may still be hasty."""

    __slots__ = ("_spare", "total")

    def __init__(self) -> None:
        self._spare = float(MOST)
        self.total = 0
        """Hasty tries until now."""

    def began(self) -> None:
        """One more lookup."""
        self._spare = min(self._spare + SHARE, float(MOST))

    def take(self, waited_seconds: float, usual_seconds: float | None) -> bool:
        """Whether a question that met silence for so long is asked elsewhere now; counted, if so.

        `usual_seconds`: what answers of this server take; None: it has not answered yet.
        """
        patience = LOOK_SECONDS if usual_seconds is None else max(LOOK_SECONDS, _USUAL_TIMES * usual_seconds)
        if waited_seconds < patience or self._spare < 1:
            return False
        self._spare -= 1
        self.total += 1
        return True
