"""What a run of many minutes is doing: one line that changes on a terminal, one line for each measurement elsewhere."""

import sys
import time
from collections.abc import Sequence

from benchmarks.measure import Run


class Progress:
    """Counts measurements; writes to standard error."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._began = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._title = ""

    def begin(self, title: str) -> None:
        """A measurement starts."""
        self._title = title
        if self._terminal:
            self._write(f"\r\033[K[{self._done + 1}/{self._total}] {title} {self._left()}")

    def found(self, runs: Sequence[Run]) -> None:
        """It ended."""
        self._done += 1
        for run in runs:
            if not self._terminal:
                figure = f"{run.cpu:.1f} us/answer" if run.valid else f"INVALID: {run.problems[0]}"
                excuse = f" ({run.excuse})" if run.excuse else ""
                self._write(f"[{self._done}/{self._total}] {self._title}: {figure}{excuse}\n")
            elif not run.valid:
                self._write(f"\r\033[K{self._title}: INVALID: {run.problems[0]}\n")

    def end(self) -> None:
        """All are done."""
        if self._terminal:
            self._write("\r\033[K")

    def _left(self) -> str:
        if self._done < 3:
            return ""
        seconds = (time.monotonic() - self._began) / self._done * (self._total - self._done)
        return f"({seconds / 60:.0f} min left)" if seconds >= 60 else f"({seconds:.0f} s left)"

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
