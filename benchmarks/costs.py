"""What a packet costs, and the table of such costs (benchmarks/worst.py)."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

MOST: Final = 10.0
"""Times what is normal at the same door."""
_ROUNDS = 5
_ROUND_SECONDS = 0.02


class Cost(NamedTuple):
    """Of one kind of packet."""

    door: str
    what: str
    size_bytes: int
    microseconds: float
    times: float
    """As dear as a normal one of the same door, by the packet or (`per_kibibyte`) by the KiB."""
    per_kibibyte: bool


def spent(work: Callable[[], object]) -> float:
    """CPU microseconds of one call: the least of several rounds."""
    began = time.process_time_ns()
    work()
    calls = max(int(_ROUND_SECONDS * 1e9 / max(time.process_time_ns() - began, 1)), 1)
    least = float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time_ns()
        for _ in range(calls):
            work()
        least = min(least, (time.process_time_ns() - began) / calls)
    return least / 1000


def by_kibibyte(
    door: str, normal: tuple[str, bytes], hostile: Mapping[str, bytes], work: Callable[[bytes], object]
) -> list[Cost]:
    """Inputs of one door beside a normal one, which has a name, too."""
    name, usual = normal
    least = min(spent(lambda: work(usual)) for _ in range(2))  # all are compared with it
    costs = [(name, len(usual), least)]
    costs += [(what, len(data), spent(lambda data=data: work(data))) for what, data in hostile.items()]  # type: ignore[misc]
    each = least / len(usual)
    return [Cost(door, what, size, cost, cost / size / each, True) for what, size, cost in costs]


def table(costs: Sequence[Cost]) -> str:
    """As Markdown."""
    lines = ["| door | packet | bytes | CPU | times a normal one |", "|---|---|---|---|---|"]
    for cost in costs:
        spent_on = f"{cost.microseconds:.0f} µs" if cost.microseconds < 10_000 else f"{cost.microseconds / 1000:.0f} ms"
        by = " (by the KiB)" if cost.per_kibibyte else ""
        lines.append(f"| {cost.door} | {cost.what} | {cost.size_bytes:,} | {spent_on} | {cost.times:.1f}{by} |")
    return "\n".join(lines) + "\n"
