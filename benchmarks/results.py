"""From runs to figures: medians with their spread, and ratios between two servers within the same rounds.

Runs with problems count for nothing: a figure of which fewer than half of the runs are valid is none.
"""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.measure import Run
from benchmarks.others import BUSY_SHARE

Metric = Callable[[Run], float]

METRICS: dict[str, Metric] = {
    "cpu": lambda run: run.cpu,
    "user": lambda run: run.user,
    "system": lambda run: run.system,
    "perSecond": lambda run: run.per_second,
    "coreShare": lambda run: run.core_share,
    "empty": lambda run: run.empty_mebibytes,
    "memory": lambda run: run.memory_mebibytes,
    "firstAnswer": lambda run: run.first_answer_seconds,
    "p50": lambda run: run.latencies.get("p50", 0.0),
    "p99": lambda run: run.latencies.get("p99", 0.0),
    "p999": lambda run: run.latencies.get("p999", 0.0),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A median with the least and the most that single runs found."""

    median: float
    least: float
    most: float
    runs: int

    @classmethod
    def of(cls, values: Iterable[float]) -> "Figure | None":
        """None where there are no values."""
        found = sorted(values)
        return cls(statistics.median(found), found[0], found[-1], len(found)) if found else None


@dataclass(frozen=True, slots=True)
class Described:
    """A measured server or kind of work: how reports call it, and what to know about it."""

    name: str
    title: str
    version: str = ""
    note: str = ""
    upstream: str = "tcp"
    """How a server asks when it does not know."""

    @property
    def full_title(self) -> str:
        return f"{self.title} ({self.version})" if " " in self.version else f"{self.title} {self.version}".rstrip()


@dataclass(frozen=True, slots=True)
class Results:
    """All runs of one start of the benchmarks. `machine` says on what and how they were made."""

    machine: dict[str, Any]
    peers: list[Described]
    workloads: list[Described]
    runs: list[Run] = field(default_factory=list)

    def of(self, workload: str, peer: str) -> list[Run]:
        return [run for run in self.runs if run.workload == workload and run.peer == peer]

    def work_title(self, name: str) -> str:
        """A kind of work as reports call it; its name where it was not measured."""
        return next((work.title for work in self.workloads if work.name == name), name)

    def peer_title(self, name: str) -> str:
        """A server as reports call it; its name where it was not measured."""
        return next((peer.title for peer in self.peers if peer.name == name), name)

    def figure(self, workload: str, peer: str, metric: str) -> Figure | None:
        """None: not measured, or too few runs are valid."""
        runs = self.of(workload, peer)
        valid = [run for run in runs if run.valid]
        if 2 * len(valid) < len(runs):
            return None
        return Figure.of(METRICS[metric](run) for run in valid)

    def by_round(self, workload: str, peer: str, metric: str) -> dict[int, float]:
        """The figure of each valid round; none where there is no figure at all."""
        if self.figure(workload, peer, metric) is None:
            return {}
        return {run.round: METRICS[metric](run) for run in self.of(workload, peer) if run.valid}

    def ratio(self, workload: str, metric: str, peer: str, other: str) -> Figure | None:
        """Of the two servers' figures in the same round; None where no round has both."""
        return Figure.of(
            quotients(self.by_round(workload, peer, metric), self.by_round(workload, other, metric)).values()
        )

    def problems(self, workload: str, peer: str) -> list[str]:
        """The first problem of each invalid run."""
        return [run.problems[0] for run in self.of(workload, peer) if not run.valid]

    @property
    def busy_share(self) -> float:
        """How many of the runs were made on a busy machine."""
        return sum(run.foreign_share > BUSY_SHARE for run in self.runs) / max(len(self.runs), 1)

    def to_json(self) -> dict[str, Any]:
        """For build/reports/bench.json; figures of invalid runs are left out."""
        return {
            "machine": self.machine,
            "peers": [asdict(peer) for peer in self.peers],
            "workloads": [asdict(workload) for workload in self.workloads],
            "runs": [_run_to_json(run) for run in self.runs],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Results":
        """What to_json wrote."""
        return cls(
            document["machine"],
            [Described(**peer) for peer in document["peers"]],
            [Described(**workload) for workload in document["workloads"]],
            [Run(**run) for run in document["runs"]],
        )


def quotients(over: dict[int, float], under: dict[int, float]) -> dict[int, float]:
    """What one figure is of another in each round that has both."""
    return {number: value / under[number] for number, value in over.items() if under.get(number, 0.0) > 0}


def _run_to_json(run: Run) -> dict[str, Any]:
    if run.valid:
        return asdict(run)
    return {"peer": run.peer, "workload": run.workload, "round": run.round, "problems": run.problems}
