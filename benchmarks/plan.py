"""Which measurements one start of the benchmarks makes, and in which order: A B C A B C within each kind of work."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks import workloads
from benchmarks.peers import ALL, PRINCIPAL, Peer
from benchmarks.workloads import Workload

WORKLOADS = ("cached", "realistic", "misses", "tcp", "steady")
MEMORY_NAMES = 100_000


@dataclass(frozen=True, slots=True)
class Step:
    """What is measured at one start of a server: each kind of work, in each of the rounds."""

    peer: Peer
    works: Sequence[Workload]
    rounds: Sequence[int]
    seconds: float | None

    @property
    def title(self) -> str:
        """For the line of progress."""
        works = ", then ".join(work.title for work in self.works)
        return f"{works}, round {self.rounds[0] + 1}: {self.peer.title}"


@dataclass(frozen=True, slots=True)
class Form:
    """How thorough a run is. `rounds` are for the principal peers, `other_rounds` for the rest."""

    peers: Sequence[Peer]
    only: Sequence[str] = WORKLOADS
    seconds: float = 3.0
    rounds: int = 5
    other_rounds: int = 3
    work_rounds: int = 5
    """Rounds of every kind of work but the first, at most."""
    memory: bool = True
    """Whether memory with MEMORY_NAMES names is measured as well."""
    curves: bool = True


FULL = Form(ALL)
SHORT = Form(PRINCIPAL, seconds=2.0, rounds=3, other_rounds=1, work_rounds=1, memory=False, curves=False)
GATE = Form(
    [peer for peer in PRINCIPAL if peer.name in ("ours", "nodelocal")],
    only=("cached",), rounds=7, other_rounds=7, memory=False, curves=False,
)  # fmt: skip


def made(form: Form) -> list[Workload]:
    """The kinds of work of a form."""
    makers = {
        "cached": workloads.cached,
        "realistic": lambda: workloads.realistic(form.seconds),
        "misses": lambda: workloads.misses(form.seconds),
        "tcp": workloads.tcp_clients,
        "steady": workloads.steady,
    }
    return [makers[name]() for name in form.only]


def steps(form: Form, works: Sequence[Workload]) -> Iterator[Step]:
    """All comparisons between peers, in their order."""
    for workload in works:
        rounds = form.rounds if workload.name == "cached" else min(form.rounds, form.work_rounds)
        for number in range(rounds):
            for peer in form.peers:
                wanted = rounds if peer in PRINCIPAL else min(rounds, form.other_rounds)
                if number < wanted and workload.suits(peer):
                    yield Step(peer, [workload], [number], form.seconds)
    if form.memory:
        many = workloads.cached(MEMORY_NAMES, "memory")
        many = replace(many, title=f"{MEMORY_NAMES:,} names, each asked for once", warm=many.warm[:100])
        for peer in form.peers:
            if peer.answers:
                yield Step(peer, [many], [0], None)
