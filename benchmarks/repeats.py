"""Measuring again what something else on the machine disturbed, a bounded number of times."""

from collections.abc import Callable, Sequence

from benchmarks.measure import Run

EACH = 2
"""How often one measurement is repeated at most."""


class Repeats:
    """`budget`: how many repeats a whole run of the benchmarks may take."""

    def __init__(self, budget: int) -> None:
        self._left = budget

    def measured(self, measure: Callable[[], Sequence[Run]]) -> Sequence[Run]:
        """What `measure` finds, or the best of several tries where something got in its way."""
        best = measure()
        for _ in range(EACH):
            if self._left <= 0 or not any(run.excuse for run in best):
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
