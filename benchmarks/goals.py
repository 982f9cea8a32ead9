"""What the resolver has to reach against others in the same run, and CI's narrower question: has it become slower?"""

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.results import Figure, Results

RECORDED = Path(__file__).with_name("recorded.json")
TOLERANCE = 1.25


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio of our figure to another server's, in one kind of work, that must not be above `limit`."""

    workload: str
    metric: str
    against: str
    limit: float

    def ratio(self, results: Results) -> Figure | None:
        return results.ratio(self.workload, self.metric, "ours", self.against)


GOALS = (
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
