"""One soak: stretches of load with a fault in each, and after each the books and the footprint.

Processes are replaced at the beginning, and in a long run once more in the middle: what is measured at minute 5 and at
the end are processes that have served for as long as can be, since a new one would hide a leak.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from resolver.cache.lifetime import FAILURE_SECONDS
from tests.lab.reports import Row
from tests.lab.resolver import configuration
from tests.lab.topology import CLUSTER_DNS, LOCAL, LOCAL_V6, WORLD_DNS, lab
from tests.lab.waiting import wait_until
from tests.servers import coredns
from tests.soak.books import Books, lost_by_the_machine, told
from tests.soak.clients import Pod
from tests.soak.faults import OTHERS, REPLACING, Fault, Stage
from tests.soak.footprint import Footprint, footprint, only_worker
from tests.soak.logpipe import Piped
from tests.soak.truth import Truth

FIRST_MINUTE: Final = 5
MOST_GROWTH: Final = 0.05
LONG_MINUTES: Final = 30
FAULT_SECONDS: Final = 12.0
SHORT_FAULT_SECONDS: Final = 2.0
LOOKUP_SECONDS: Final = 3
"""A server that gets no turn for a while on a busy machine is waited for."""
STILL_FAILING_SECONDS: Final = LOOKUP_SECONDS + 1 + FAILURE_SECONDS[-1]
"""A lookup that began while a server was away ends by then, and its failure is remembered for a while, in which it is
the truth. With a second to spare.
"""
MOST_LOST_WITH_A_WORKER: Final = 64 * 4
"""What it has read of each of its UDP sockets, and lookups."""
TOPICS: Final = {"cache": {"size": "4Mi"}, "log": {"queries": False}}


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one fault cost. `footprint` is taken when nothing is under way."""

    fault: Fault
    minute: float
    books: Books
    footprint: Footprint
    mistakes: list[str]

    def row(self) -> Row:
        """For people."""
        clients = self.books.clients
        kinds = (
            "asked",
            "right",
            "truncated",
            "failed",
            "failed, of known names",
            "unanswered",
            "asked again",
            "wrong",
            "stray",
        )
        numbers = {kind: clients[kind] for kind in kinds}
        return {
            "minute": self.minute, "fault": self.fault.name, **numbers, "PSS, MiB": self.footprint.mib,
            "descriptors": self.footprint.descriptors, "dropped": self.books.resolver["dropped"],
            "lost by the machine": self.books.on_the_way, "books": "; ".join(self.mistakes) or "agree",
        }  # fmt: skip


@dataclass(slots=True)
class Result:
    """Of a whole run. `settled`: footprints while no connection was open, by when they were taken."""

    stretches: list[Stretch] = field(default_factory=list)
    settled: dict[str, tuple[float, Footprint]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    log_lines_dropped: int = 0

    def total(self) -> Counter[str]:
        """The clients' counts of all stretches."""
        return sum((stretch.books.clients for stretch in self.stretches), Counter())

    def growth(self, since: str = "minute 5", until: str = "end") -> float | None:
        """Of memory, as a share; None if it was not measured."""
        if since not in self.settled or until not in self.settled:
            return None
        return self.settled[until][1].pss_bytes / self.settled[since][1].pss_bytes - 1


class Soak:
    """`run` does it all."""

    def __init__(self, stage: Stage, pods: list[Pod], minutes: float, per_second: float) -> None:
        self.result = Result()
        self._stage, self._pods, self._minutes = stage, pods, minutes
        self._per_second = per_second
        self._began = time.monotonic()
        self._fault_seconds = FAULT_SECONDS if minutes >= FIRST_MINUTE else SHORT_FAULT_SECONDS

    def run(self) -> Result:
        """The stretches, one after another; prints a line about each."""
        for fault in self._plan():
            self._stretch(fault)
            # Each fault leaves its mark once: a log that nobody reads, all the lines that may wait.
            had_all = len(self.result.stretches) >= len(REPLACING) + len(OTHERS)
            if had_all and self._elapsed() >= FIRST_MINUTE and "minute 5" not in self.result.settled:
                self._settle("minute 5")
        self._settle("end")
        self._judge()
        return self.result

    def _elapsed(self) -> float:
        return (time.monotonic() - self._began) / 60

    def _plan(self) -> Iterator[Fault]:
        """All faults once, whatever time there is; then those that replace nothing, but for once in the middle."""
        yield from (*REPLACING, *OTHERS)
        replaced = self._minutes < LONG_MINUTES
        while True:
            for fault in OTHERS:
                if self._elapsed() + 2.5 * self._fault_seconds / 60 > self._minutes:
                    return
                yield fault
            if not replaced and self._elapsed() > self._minutes / 2:
                replaced = True
                self._settle("middle, before processes are replaced")
                yield from REPLACING

    def _lasts(self, seconds: float) -> None:
        """Let so much load pass, however long the machine takes for it."""
        wanted = self._asked() + seconds * self._per_second * 0.9
        wait_until(lambda: self._asked() >= wanted, "load", patience_seconds=seconds * 10 + 60)

    def _asked(self) -> int:
        return sum(pod.counts["asked"] for pod in self._pods)

    def _clients(self) -> Counter[str]:
        return sum((pod.counts for pod in self._pods), Counter())

    def _stretch(self, fault: Fault) -> None:
        line = self._stage.line
        before, known, processes = self._clients(), told(line.current), only_worker(line.current)
        lost = lost_by_the_machine()
        for pod in self._pods:
            pod.go_on()
        self._lasts(self._fault_seconds / 2)
        fault.happens(self._stage, self._lasts, self._fault_seconds)
        over = time.monotonic() + (STILL_FAILING_SECONDS if fault.away else 0)
        self._lasts(self._fault_seconds / 2)
        wait_until(lambda: time.monotonic() >= over, "the end of what a fault leaves behind")
        for pod in self._pods:
            pod.pause()
        wait_until(self._at_rest, "the last reply to be counted")
        whole = only_worker(line.current) == processes
        now = told(line.current)
        lost = lost_by_the_machine() - lost
        books = Books(_minus(self._clients(), before), _minus(now, known) if whole else now, whole, lost)
        self.result.log_lines_dropped += books.resolver["log lines dropped"]
        stretch = Stretch(fault, self._elapsed(), books, footprint(line.current), self._mistakes(fault, books))
        self.result.stretches.append(stretch)
        print("  ".join(f"{key} {_shown(value)}" for key, value in stretch.row().items()), flush=True)

    def _at_rest(self) -> bool:
        resolver = self._stage.line.current
        first = told(resolver)
        return resolver.metric("nodelocaldns_waiting_clients") == 0 and told(resolver) == first

    def _mistakes(self, fault: Fault, books: Books) -> list[str]:
        clients = books.clients
        found = books.mistakes(may_lose=fault.loses)
        found += [f"{clients[kind]} {kind}" for kind in ("wrong", "stray") if clients[kind]]
        if books.resolver["panics"]:
            found.append(f"{books.resolver['panics']} panics")
        if fault.replaces is books.whole:
            found.append("a process was replaced" if not books.whole else "no process was replaced")
        if clients["failed"] and not fault.away:
            found.append(f"{clients['failed']} failed though every server could be asked")
        may_be = clients["unanswered"] if fault.loses else books.accounted
        if fault.replaces:
            may_be = MOST_LOST_WITH_A_WORKER if fault.loses else may_be
        if clients["unanswered"] > may_be:
            found.append(f"{clients['unanswered']} unanswered, {may_be} accounted for")
        return found

    def _settle(self, name: str) -> None:
        """Note what is taken while nobody is connected and no server is."""
        resolver = self._stage.line.current
        for pod in self._pods:
            pod.hang_up()
        open_now = ("nodelocaldns_tcp_connections", "nodelocaldns_upstream_connections")
        wait_until(lambda: not any(map(resolver.metric, open_now)), "no connection")
        self.result.settled[name] = self._elapsed(), footprint(resolver)

    def _judge(self) -> None:
        result = self.result
        result.problems += [f"{each.fault.name}: {mistake}" for each in result.stretches for mistake in each.mistakes]
        for pod in self._pods:
            result.problems += pod.wrong
        for log in self._stage.line.logs():
            text = log.read_text(errors="replace")
            result.problems += ["a traceback in the log"] * text.count("Traceback")
        growth = result.growth()
        if growth is not None:
            if abs(growth) > MOST_GROWTH:
                result.problems.append(f"memory: {growth:+.1%} since minute 5")
            first, last = (result.settled[name][1].descriptors for name in ("minute 5", "end"))
            if first != last:
                result.problems.append(f"descriptors: {first} at minute 5, {last} at the end")


def _shown(value: str | float | None) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _minus(one: Counter[str], other: Counter[str]) -> Counter[str]:
    return Counter({key: one[key] - other[key] for key in one})


def soak(folder: Path, minutes: float, per_second: float) -> Result:
    """Run one with all that it needs; root."""
    binary = coredns()
    with lab(assigned=False) as places, contextlib.ExitStack() as ending:
        cluster = Truth(places.cluster, CLUSTER_DNS, folder, binary)
        world = Truth(places.world, WORLD_DNS, folder, binary)
        for server in (cluster, world):
            ending.callback(server.kill)
            server.start()
        patient = {"timeout": f"{LOOKUP_SECONDS}s"}
        zones = configuration(cluster=patient, world=patient)["zones"]
        line = Piped(places.node, folder, measured=False, zones=zones, **TOPICS)
        ending.callback(line.end)
        line.start()
        pods = [
            Pod(place, (LOCAL, LOCAL, LOCAL_V6), per_second / 2, seed)
            for seed, place in enumerate((places.pod, places.other_pod))
        ]
        for pod in pods:
            ending.callback(pod.end)
            pod.start()
            pod.pause()
        result = Soak(Stage(places, cluster, line), pods, minutes, per_second).run()
        if line.current.stop() != 0:
            result.problems.append("it did not end with status 0")
        return result
