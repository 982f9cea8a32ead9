"""Measuring again what something else on the machine disturbed, a bounded number of times."""

from collections.abc import Callable, Sequence

from benchmarks.measure import Run

EACH = 2
"""How often one measurement is repeated at most."""


class Repeats:
    """`budget`: how many repeats a whole run of the benchmarks may take; half of them are kept for invalid runs."""

    def __init__(self, budget: int) -> None:
        self._left = budget
        self._kept = budget // 2

    def measured(self, measure: Callable[[], Sequence[Run]]) -> Sequence[Run]:
        """What `measure` finds, or the best of several tries where something got in its way."""
        best = measure()
        for _ in range(EACH):
            invalid = any(run.excuse and not run.valid for run in best)
            busy = any(run.excuse for run in best)
            if not (invalid and self._left > 0) and not (busy and self._left > self._kept):
                break
            self._left -= 1
            best = min(best, measure(), key=_trouble)
        return best


def _trouble(runs: Sequence[Run]) -> tuple[int, int, float]:
    """The least of several tries is the one to keep: without problems, then without excuses, then the quietest."""
    return (
        sum(not run.valid for run in runs),
        sum(bool(run.excuse) for run in runs),
        sum(run.foreign_share for run in runs),
    )
