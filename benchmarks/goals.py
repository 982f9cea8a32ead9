"""What the resolver has to reach against others in the same run, and CI's narrower question: has it become slower?"""

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks import curves
from benchmarks.results import Figure, Results, quotients

RECORDED = Path(__file__).with_name("recorded.json")
TOLERANCE = 1.25


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio of our figure to another server's, in one kind of work, that must not be above `limit`."""

    workload: str
    metric: str
    against: str
    limit: float

    @property
    def parts(self) -> list[tuple[str, str]]:
        """The kinds of work and servers that it needs."""
        return [(self.workload, "ours"), (self.workload, self.against)]

    def ratio(self, results: Results) -> Figure | None:
        """None where too little is valid."""
        return results.ratio(self.workload, self.metric, "ours", self.against)

    def title(self, results: Results) -> str:
        """What it compares."""
        words = {"cpu": "CPU per answer", "p99": "p99", "memory": "memory (PSS)"}
        return f"{results.work_title(self.workload)}: {words[self.metric]} / {results.peer_title(self.against)}'s"


@dataclass(frozen=True, slots=True)
class Growth:
    """How CPU time per answer grows from one kind of work to another; `beside`: divided by that server's growth."""

    workload: str
    base: str
    limit: float = 1.25
    beside: str | None = None

    @property
    def parts(self) -> list[tuple[str, str]]:
        """The kinds of work and servers that it needs."""
        return [(work, peer) for peer in ("ours", self.beside) if peer for work in (self.workload, self.base)]

    def ratio(self, results: Results) -> Figure | None:
        """None where too little is valid."""
        ours = _growth(results, self, "ours")
        return Figure.of((quotients(ours, _growth(results, self, self.beside)) if self.beside else ours).values())

    def title(self, results: Results) -> str:
        """What it compares."""
        words = f"{results.work_title(self.workload)}: CPU per answer / with {results.work_title(self.base)}"
        return f"{words}; that growth / {results.peer_title(self.beside)}'s" if self.beside else words


def _growth(results: Results, goal: Growth, peer: str) -> dict[int, float]:
    return quotients(results.by_round(goal.workload, peer, "cpu"), results.by_round(goal.base, peer, "cpu"))


COMPARED = (
    Goal("cached", "cpu", "unbound", 0.95),
    Goal("cached", "cpu", "nodelocal", 0.22),
    Goal("cached", "cpu", "floor", 1.35),
    Goal("realistic", "cpu", "unbound", 1.0),
    Goal("misses", "cpu", "nodelocal", 0.55),
    Goal("misses", "cpu", "unbound", 1.1),
    Goal("tcp", "cpu", "unbound", 1.0),
    Goal("steady", "p99", "unbound", 1.2),
    Goal("cached", "memory", "nodelocal", 0.6),
)

FEW, SOME, MANY = (curves.names_work(count) for count in curves.NAMES)
GROWN = (
    Growth(SOME, FEW),
    Growth(MANY, SOME),
    Growth(MANY, FEW, beside="unbound"),
    Growth(curves.TURN, FEW, beside="unbound"),
    *(
        Growth(curves.zones_work(count, misses=misses), curves.zones_work(1, misses=misses))
        for misses in (False, True)
        for count in curves.ZONES[1:]
    ),
)

GOALS: tuple[Goal | Growth, ...] = (*COMPARED, *GROWN)

GATE = Goal("cached", "cpu", "nodelocal", 1.0)


def gate(results: Results) -> list[str]:
    """Why CI must fail: what is wrong with the cost of a cached answer. Empty: nothing."""
    ratio = GATE.ratio(results)
    if ratio is None:
        reasons = results.problems("cached", "ours") + results.problems("cached", "nodelocal")
        return [f"no valid comparison of cached answers with NodeLocal DNSCache's data path: {reasons}"]
    recorded = recorded_ratio()
    found = []
    if ratio.median > GATE.limit:
        found.append(f"a cached answer costs {ratio.median:.2f} of what NodeLocal DNSCache's data path spends")
    if ratio.median > recorded * TOLERANCE:
        found.append(
            f"a cached answer costs {ratio.median:.3f} of NodeLocal DNSCache's data path; {recorded:.3f} is recorded, "
            f"and {recorded * TOLERANCE:.3f} allowed"
        )
    return found


def recorded_ratio() -> float:
    """What benchmarks/recorded.json says of GATE's ratio."""
    return float(json.loads(RECORDED.read_text())["cachedCpuAgainstNodeLocal"])


def record(results: Results) -> None:
    """Write this run's ratio into benchmarks/recorded.json; ValueError where there is none."""
    if (ratio := GATE.ratio(results)) is None:
        raise ValueError("this run has no valid ratio to record")
    document = {
        "cachedCpuAgainstNodeLocal": round(ratio.median, 3),
        "least": round(ratio.least, 3),
        "most": round(ratio.most, 3),
        "machine": results.machine["processor"],
    }
    RECORDED.write_text(json.dumps(document, indent=2) + "\n")
