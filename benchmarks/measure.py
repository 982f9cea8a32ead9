"""One measurement: a server started anew, its cache warmed, a load for some seconds, and what that cost.

Questions of a client of our own run beside every load, and their answers are compared with what the upstream says: a
server that mixes answers up under load is found out. What is not as it must be stands in `problems`, and a run with
problems has no figures.
"""

import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import load, machine
from benchmarks.ask import Asker
from benchmarks.load import Load
from benchmarks.machine import LOAD_CORE, CpuTime
from benchmarks.names import Asked
from benchmarks.native import program
from benchmarks.others import Seen, Watch
from benchmarks.peers import Peer, Site
from benchmarks.serving import CannotServeError, Running, awake, background, free_ports, served
from benchmarks.workloads import Workload

SAMPLED = 40
WARM_PASSES = 2
"""Once to fill the cache; once more because servers do things at the first hit that they never do again."""
SAMPLE_GAP_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Run:
    """What one measurement found; times per answer are microseconds of CPU time, of all processes of the server."""

    peer: str
    workload: str
    round: int
    problems: list[str] = field(default_factory=list)
    answers: int = 0
    per_second: float = 0.0
    user: float = 0.0
    system: float = 0.0
    core_share: float = 0.0
    """How much of its core the server used: well below 1, the load was the limit."""
    foreign_share: float = 0.0
    """How much of both cores others used, who do not belong to the measurement."""
    excuse: str = ""
    """What was in the server's way, if anything was: a reason to measure again."""
    empty_mebibytes: float = 0.0
    """Memory after the first answer; all memory is PSS, summed over the server's processes."""
    memory_mebibytes: float = 0.0
    """After the load, so with what a busy server needs."""
    first_answer_seconds: float = 0.0
    latencies: dict[str, float] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        return not self.problems

    @property
    def cpu(self) -> float:
        """Microseconds of CPU time per answer."""
        return self.user + self.system


class Bench:
    """The upstream that all servers share, and a folder for files; `open_bench` makes one."""

    def __init__(self, folder: Path, upstream_port: int, upstream_session: int, ttl: int) -> None:
        self._folder = folder
        self._upstream_port = upstream_port
        self._upstream_session = upstream_session
        self._ttl = ttl
        self._files: dict[str, tuple[Path, Path]] = {}

    def runs(self, peer: Peer, works: Sequence[Workload], rounds: Sequence[int], seconds: float | None) -> list[Run]:
        """Start a peer for the first of the works, and measure them one after the other, each warmed in the first of
        the rounds; `seconds` None: each question once. Whatever goes wrong is in a run's problems.
        """
        wanted = [(number, workload) for number in rounds for workload in works]
        found: list[Run] = []
        try:
            with self.started(peer, works[0]) as running:
                for number, workload in wanted:
                    warm = number == rounds[0]
                    found.append(self._measured(peer, running, workload, number, seconds, warm=warm))
        except CannotServeError as problem:
            found += [Run(peer.name, work.name, number, [str(problem)]) for number, work in wanted[len(found) :]]
        return found

    @contextmanager
    def started(self, peer: Peer, workload: Workload, *, first: bool = False) -> Iterator[Running]:
        """A server with a cache for the names of a kind of work, started anew; `first`: before others on its core."""
        port, admin_port = free_ports(2)
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            site = Site(Path(folder), port, admin_port, self._upstream_port, workload.names, workload.zones, self._ttl)
            with served(peer, site, first=first or workload.per_second is not None) as running:
                yield running

    def warm(self, running: Running, workload: Workload) -> None:
        """Ask everything that is to be warm; raises CannotServeError where that goes wrong."""
        problems, _excuse = self._warmed(running, workload)
        if problems:
            raise CannotServeError(problems[0])

    def _measured(
        self, peer: Peer, running: Running, workload: Workload, number: int, seconds: float | None, *, warm: bool
    ) -> Run:
        empty = machine.memory_mebibytes(running.session)
        problems, excuse = self._warmed(running, workload) if warm and workload.warm else ([], "")
        found, spent, seen, wrong = self._loaded(peer, running, workload, seconds)
        problems += _checked("load", found, workload if peer.answers else None, seen) + wrong
        if not workload.again and found.completed > len(workload.questions):
            problems.append("the questions did not last")
        run = Run(
            peer.name,
            workload.name,
            number,
            problems,
            foreign_share=seen.foreign_share,
            excuse=excuse or seen.excuse(found),
            empty_mebibytes=empty,
            memory_mebibytes=machine.memory_mebibytes(running.session),
            first_answer_seconds=running.first_answer_seconds,
        )
        return _with_figures(run, found, spent)

    def _warmed(self, running: Running, workload: Workload) -> tuple[list[str], str]:
        """Ask everything that is to be warm: what went wrong, and the excuse for it."""
        watch = Watch(running.session, running.port, [self._upstream_session])
        found = load.saturate(running.port, self._written(workload)[0], seconds=None, passes=WARM_PASSES)
        problems = _checked("warming", found, None, seen := watch.seen())
        return problems, seen.excuse(found) if problems else ""

    def _loaded(
        self, peer: Peer, running: Running, workload: Workload, seconds: float | None
    ) -> tuple[Load, CpuTime, Seen, list[str]]:
        """Load a warm server: what the load counted, the CPU time it took, what else happened, wrong samples."""
        packets = workload.packets() if workload.per_second else b""
        file = self._written(workload)[1]
        sampler = _Sampler(running.port, workload.sample(SAMPLED), self._ttl) if peer.answers else None
        with awake(self._folder, wanted=workload.per_second is not None) as helpers:
            watch = Watch(running.session, running.port, [self._upstream_session, *helpers])
            before = machine.cpu_time(running.session)
            if sampler:
                sampler.start()
            if workload.per_second:
                found = load.steady(running.port, packets, per_second=workload.per_second, seconds=seconds or 1)
            else:
                found = load.saturate(running.port, file, seconds=seconds, tcp=workload.tcp)
            spent = machine.cpu_time(running.session) - before
            seen = watch.seen()
        return found, spent, seen, sampler.stop() if sampler else []

    def _written(self, workload: Workload) -> tuple[Path, Path]:
        if workload.name not in self._files:
            self._files[workload.name] = workload.write(self._folder)
        return self._files[workload.name]


@contextmanager
def open_bench(ttl: int = 30, *, first: bool = False) -> Iterator[Bench]:
    """A bench with its upstream running on the load's core; `first`: before all other programs there."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        (port,) = free_ports(1)
        command = [*([str(program("first"))] if first else []), str(program("upstream")), str(port), str(ttl)]
        with background(LOAD_CORE, command, folder / "upstream.output") as upstream:
            asker = Asker(port, longest_ttl=ttl)
            deadline = time.monotonic() + 5
            while problems := asker.problems([Asked("up.example.com")]):
                if time.monotonic() > deadline:
                    raise CannotServeError(f"the upstream: {problems[0]}")
            asker.close()
            yield Bench(folder, port, upstream.pid, ttl)


def _checked(what: str, found: Load, workload: Workload | None, seen: Seen | None = None) -> list[str]:
    """What is wrong with a load's counts: anything lost, or response codes that are not the right ones."""
    problems = [f"{what}: {problem}" for problem in found.problems]
    if found.lost:
        where = f" ({seen.where_lost(found)})" if seen else ""
        problems.append(f"{what}: {found.lost} of {found.sent} queries lost{where}")
        if seen and seen.full(found) and workload and workload.per_second:
            problems.insert(0, f"cannot answer {workload.per_second:,} a second: that takes more than its core")
    if workload and not problems and found.rcodes != (right := workload.expected_rcodes(found.completed)):
        problems.append(f"{what}: response codes {found.rcodes} in the place of {right}")
    return problems


def _with_figures(run: Run, found: Load, spent: CpuTime) -> Run:
    answers = max(found.completed, 1)
    seconds = found.seconds or 1.0
    return replace(
        run,
        answers=found.completed,
        per_second=found.completed / seconds,
        user=spent.user / answers * 1e6,
        system=spent.system / answers * 1e6,
        core_share=spent.total / seconds,
        latencies=found.latencies,
    )


class _Sampler(threading.Thread):
    """Asks beside the load, a question at a time, and looks at each answer."""

    def __init__(self, port: int, questions: list[Asked], ttl: int) -> None:
        super().__init__(name="sampler")
        self._asker = Asker(port, load.PATIENCE_SECONDS, ttl)
        self._questions = questions
        self._ended = threading.Event()
        self._problems: list[str] = []

    def run(self) -> None:
        while not self._problems:
            for asked in self._questions:
                self._problems += self._asker.problems([asked])
                if self._problems or self._ended.wait(SAMPLE_GAP_SECONDS):
                    return

    def stop(self) -> list[str]:
        """What was wrong; the samples that no load left time for are asked now."""
        self._ended.set()
        self.join()
        problems = self._problems or self._asker.problems(self._questions)
        self._asker.close()
        return [f"sample: {problem}" for problem in problems[:1]]
