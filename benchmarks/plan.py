"""Which measurements one start of the benchmarks makes, and in which order: A B C A B C within each kind of work."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks import workloads
from benchmarks.peers import ALL, NODELOCAL, OURS, PRINCIPAL, UNBOUND, Peer
from benchmarks.workloads import Workload

WORKLOADS = ("cached", "realistic", "misses", "tcp", "steady")
MEMORY_NAMES = 100_000


@dataclass(frozen=True, slots=True)
class Step:
    """One measurement."""

    peer: Peer
    workload: Workload
    round: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Form:
    """How thorough a run is. `rounds` are for the principal peers, `other_rounds` for the rest."""

    peers: Sequence[Peer]
    only: Sequence[str] = WORKLOADS
    seconds: float = 4.0
    rounds: int = 5
    other_rounds: int = 3
    work_rounds: int = 5
    """Rounds of every kind of work but the first, at most."""
    memory: bool = True
    """Whether memory with MEMORY_NAMES names is measured as well."""
    curves: bool = True


FULL = Form(ALL)
SHORT = Form(PRINCIPAL, seconds=2.0, rounds=3, other_rounds=1, work_rounds=1, memory=False, curves=False)


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
                    yield Step(peer, workload, number, form.seconds)
    if form.memory:
        many = workloads.cached(MEMORY_NAMES, "memory")
        for peer in form.peers:
            if peer.answers:
                yield Step(peer, replace(many, warm=many.warm[:100]), 0, None)


def curves(form: Form) -> Iterator[Step]:
    """How our cost depends on the number of names and of zones; the upstream's TTL is an hour here, for one fill.

    Asking each of a million names in turn asks none twice a minute: `spread` asks 10,000 of those remembered, the same
    work as with 10,000, `turn` asks all. Unbound's turn beside ours shows what the processor's own caches do.
    """
    for count in (100, 10_000, 1_000_000):
        name = f"names-{count}"
        every = workloads.cached(count, name)
        asked = every.questions[:: max(1, count // workloads.CACHED_NAMES)]
        for number in range(3 if count <= 10_000 else 1):
            yield Step(OURS, replace(every, questions=asked), number, form.seconds)
    for peer in (OURS, UNBOUND):
        yield Step(peer, workloads.cached(1_000_000, "turn-1000000"), 0, form.seconds)
    yield Step(NODELOCAL, workloads.cached(1_000, "names-1000"), 0, form.seconds)
    for zones in (1, 10, 1000):
        for number in range(3):
            yield Step(OURS, replace(workloads.cached(name=f"zones-{zones}"), zones=zones), number, form.seconds / 2)
            fresh = replace(workloads.misses(form.seconds / 2), name=f"zones-misses-{zones}", zones=zones)
            yield Step(OURS, fresh, number, form.seconds / 2)
