"""Metrics of several workers in one exposition, in which no counter falls when a worker is replaced.

What a worker had counted when it was last asked is kept when another process is found in its place, or none for a
moment; what it counted between then and its death is lost with it. `kept` and `known` carry that over the end of the
worker that adds up.
"""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

# Of these there is one truth for all workers, or the worst counts; everything else is added up.
_GREATEST = (
    "nodelocaldns_build_info", "coredns_build_info", "nodelocaldns_config_", "nodelocaldns_event_loop_lag_seconds",
    "process_max_fds", "python_info", "coredns_nodecache_", "nodelocaldns_node_", "nodelocaldns_conntrack_bypass",
    "nodelocaldns_workers_replaced_total", "nodelocaldns_budget_peak_ratio",
)  # fmt: skip
_LEAST = ("nodelocaldns_upstream_healthy", "process_start_time_seconds")
_COUNTED: Final = ("counter", "histogram")

Counts = dict[str, dict[str, float]]
"""Samples (name and labels as they are written, with their value) by family."""


class Answered(NamedTuple):
    """What one sibling said."""

    worker: int
    status: int
    """0: it did not answer, and the body says why."""
    body: str
    process: int = 0
    """The ID of its process."""


class Sums:
    """`told` for each request, one at a time; `known` is what `kept` gave to the one before."""

    def __init__(self, known: str = "") -> None:
        self._gone: Counts = {}
        """What processes had counted that are no more."""
        self._last: dict[int, tuple[int, Counts]] = {}
        """By worker: its process, and what that had counted when it last answered."""
        with suppress(ValueError, TypeError, AttributeError):  # what cannot be read is forgotten
            gone, last = json.loads(known)
            last = {int(worker): (int(process), _read(counts)) for worker, (process, counts) in last.items()}
            self._gone, self._last = _read(gone), last

    def kept(self) -> str:
        """All this, for the next worker that adds up."""
        return json.dumps((self._gone, self._last), separators=(",", ":"))

    def told(self, answers: Sequence[Answered]) -> str:
        """One exposition in Prometheus's text format out of what workers said now, and before."""
        for answer in answers:
            if answer.status:
                process, counts = self._last.get(answer.worker, (answer.process, {}))
                if process != answer.process:
                    _add(self._gone, counts)
                self._last[answer.worker] = answer.process, _counts(answer.body)
        silent = [self._last[each.worker][1] for each in answers if not each.status and each.worker in self._last]
        return add_up([answer.body for answer in answers if answer.status], [self._gone, *silent])


def add_up(texts: Iterable[str], more: Iterable[Counts] = ()) -> str:
    """One exposition in Prometheus's text format out of several that the same code made; `more` is added."""
    head: dict[str, list[str]] = {}  # by family, in the order in which they were met
    samples: Counts = {}
    for text in texts:
        family = ""
        for line in text.splitlines():
            if line.startswith("#"):
                family = line.split(" ", 3)[2]
                lines = head.setdefault(family, [])
                if line not in lines:
                    lines.append(line)
            elif line:
                key, _, value = line.rpartition(" ")
                values = samples.setdefault(family, {})
                values[key] = _both(family, values[key], float(value)) if key in values else float(value)
    for counts in more:
        _add(samples, counts)
    out: list[str] = []
    for family, lines in head.items():
        out += lines
        out += (f"{key} {value!r}" for key, value in samples.get(family, {}).items())
    return "\n".join(out) + "\n"


def _counts(text: str) -> Counts:
    """What only rises in a process's life, and is its own."""
    found: Counts = {}
    values: dict[str, float] | None = None
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ", 3)
            own = kind in _COUNTED and not family.startswith(_GREATEST)
            values = found.setdefault(family, {}) if own else None
        elif values is not None and not line.startswith("#"):
            key, _, value = line.rpartition(" ")
            values[key] = float(value)
    return found


def _read(counts: dict[str, dict[str, float]]) -> Counts:
    """What somebody says are counts; raises ValueError, TypeError or AttributeError."""
    return {str(family): {str(key): float(value) for key, value in values.items()} for family, values in counts.items()}


def _add(sums: Counts, counts: Counts) -> None:
    for family, values in counts.items():
        known = sums.setdefault(family, {})
        for key, value in values.items():
            known[key] = known.get(key, 0.0) + value


def _both(family: str, one: float, other: float) -> float:
    if family.startswith(_GREATEST):
        return max(one, other)
    return min(one, other) if family.startswith(_LEAST) else one + other
