"""Two pods ask while something happens to the server behind their resolver: one for names that the resolver knows, and
one for names that nobody asked for before. What each of them got, and how soon all was well again.

A test (tests/e2e/test_faults.py) lets each fault happen for a moment, a measurement (benchmarks/faults.py) for longer.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.lab.faults import Happened
from tests.lab.steady import DIGITS, ROWS_PER_SECOND, Asked, Count, Steady, steady
from tests.lab.topology import LOCAL, Lab
from tests.lab.waiting import wait_until

NAMES: Final = 500
KNOWN_PER_SECOND: Final = 1000
UNKNOWN_PER_SECOND: Final = 100
PODS_WAIT_SECONDS: Final = 1.0
"""So long does a pod wait for its first server; what comes later is lost on most."""
_EXISTS = bytes((10, 96, 99, 99))


@dataclass(frozen=True, slots=True)
class Asking:
    """Both loads."""

    known: Steady
    unknown: Steady

    def settle(self) -> float:
        """Return when new names have right answers again, and all that was asked before has any; with the moment
        (monotonic seconds) until which all is answered.
        """
        enough = self.unknown.all().right + UNKNOWN_PER_SECOND // 4
        wait_until(lambda: self.unknown.all().right > enough, "right answers for new names")
        now = time.monotonic()
        wait_until(lambda: self._complete(now), "an answer to everything")
        return now

    def _complete(self, until: float) -> bool:
        """Whether nothing more is asked in the row of that moment, since both write a later one, and all up to its end
        is answered.
        """
        loads = (self.known, self.unknown)
        if not all(load.between(until + 2 / ROWS_PER_SECOND, time.monotonic()).asked for load in loads):
            return False
        counts = [load.between(0, until) for load in loads]
        return all(count.right + count.wrong == count.asked for count in counts)

    def well_again(self, since: float, until: float) -> float | None:
        """Seconds from `since` to the moment from which on all new names were answered right and before pods look
        elsewhere; None: not before `until`.
        """
        rows = int((until - since) * ROWS_PER_SECOND)
        for number in reversed(range(rows)):
            begins = since + number / ROWS_PER_SECOND
            count = self.unknown.between(begins, begins)
            if count.failed or count.slowest > PODS_WAIT_SECONDS * 1e6:
                return (number + 1) / ROWS_PER_SECOND if number + 1 < rows else None
        return 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What became of the questions asked from the beginning of a fault to a while after its end."""

    known: Count
    unknown: Count
    well_after_seconds: float | None


def cost(asking: Asking, happened: Happened, until: float) -> Cost:
    """Of one fault; final when the loads have ended, or all is answered."""
    return Cost(
        asking.known.between(happened.began, until),
        asking.unknown.between(happened.began, until),
        asking.well_again(happened.ended, until),
    )


@contextlib.contextmanager
def asking(folder: Path, lab: Lab) -> Iterator[Asking]:
    """Ask, all known names at least twice before the block begins."""
    known = [Asked(f"known-{number}.fresh.svc.cluster.local", "A", _EXISTS) for number in range(NAMES)]
    unknown = [Asked(f"{DIGITS.decode()}.fresh.svc.cluster.local", "A", _EXISTS)]
    with (
        steady(folder, [lab.pod], LOCAL, known, per_second=KNOWN_PER_SECOND) as one,
        steady(folder, [lab.other_pod], LOCAL, unknown, per_second=UNKNOWN_PER_SECOND) as other,
    ):
        one.go_on(2 * NAMES)
        yield Asking(one, other)


def lasting(seconds: float) -> Callable[[], None]:
    """Let so much time pass: for measurements."""
    return lambda: time.sleep(seconds)
