"""The load: dnsperf for as much as a server can take, native/pace.c for a steady rate and each answer's latency."""

import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.machine import LOAD_CORE
from benchmarks.native import program
from benchmarks.serving import pinned

CLIENTS = 10
OUTSTANDING = 150
"""Questions under way: fewer than a socket of Linux's default size holds (some 190), so that none is lost unread."""
PATIENCE_SECONDS = 5
HELD_UP_SHARE = 0.02
"""Of the time of a steady load: how much may pass while the load generator does not run before the figures are none."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a load generator counted. Latencies are microseconds, only measured at a steady rate."""

    sent: int
    completed: int
    seconds: float
    rcodes: dict[str, int]
    latencies: dict[str, float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    """What is wrong besides losses."""
    overflowed: int = 0
    """Of the lost: how many the load's own sockets had no room for, where it knows that."""
    held_up: bool = False
    """Whether the load was no steady one because its program did not get its core."""

    @property
    def lost(self) -> int:
        """Queries without an answer."""
        return self.sent - self.completed


def saturate(port: int, questions: Path, *, seconds: float | None, tcp: bool = False, passes: int = 1) -> Load:
    """As many questions as are answered: for some seconds, or (None) `passes` times through the file."""
    command = ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(questions), "-c", str(CLIENTS)]
    command += ["-q", str(OUTSTANDING), "-t", str(PATIENCE_SECONDS), "-m", "tcp" if tcp else "udp"]
    command += ["-l", str(seconds)] if seconds else ["-n", str(passes)]
    told = subprocess.run(pinned(LOAD_CORE, command), capture_output=True, text=True, check=False)
    return read_dnsperf(told.stdout, told.stderr)


def read_dnsperf(output: str, errors: str) -> Load:
    """Dnsperf's report as numbers."""

    def number(label: str) -> float:
        found = re.search(rf"{re.escape(label)}:\s+([\d.]+)", output)
        return float(found[1]) if found else 0.0

    sent, completed = int(number("Queries sent")), int(number("Queries completed"))
    rcodes = {name: int(count) for name, count in re.findall(r"([A-Z][A-Z0-9]+) (\d+) \(", output)}
    problems = []
    if not completed:
        problems.append(f"dnsperf reports nothing: {errors.strip()[-200:]}")
    if warnings := [line for line in errors.splitlines() if "unexpected" in line or "Error" in line]:
        problems.append(warnings[0])
    return Load(sent, completed, number("Run time (s)"), rcodes, problems=tuple(problems))


def steady(port: int, packets: bytes, *, per_second: int, seconds: float) -> Load:
    """A steady rate of questions, `packets` (each with its length before it) again and again."""
    command = [str(program("pace")), str(port), str(per_second), str(seconds)]
    told = subprocess.run(pinned(LOAD_CORE, command), input=packets, capture_output=True, check=True)
    counted = json.loads(told.stdout)
    received, wrong = counted["received"], counted["wrong"]
    problems = []
    if held_up := counted["heldUp"] > HELD_UP_SHARE * seconds:
        problems.append(f"the load generator was held up for {counted['heldUp'] * 1000:.0f} ms of {seconds:.0f} s")
    if wrong:
        problems.append(f"{wrong} replies that were none or no success")
    latencies = {name: float(counted[name]) for name in ("p50", "p99", "p999", "max")}
    rcodes = {"NOERROR": received - wrong}
    return Load(counted["sent"], received, seconds, rcodes, latencies, tuple(problems), counted["overflowed"], held_up)
