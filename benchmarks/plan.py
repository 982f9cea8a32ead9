"""Which measurements one start of the benchmarks makes, and in which order: A B C A B C within each kind of work."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks import workloads
from benchmarks.peers import ALL, NODELOCAL, OURS, PRINCIPAL, UNBOUND, Peer
from benchmarks.workloads import Workload

WORKLOADS = ("cached", "realistic", "misses", "tcp", "steady")
MEMORY_NAMES = 100_000
MOST_NAMES = 1_000_000
CURVE_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One measurement."""

    peer: Peer
    workload: Workload
    round: int
    seconds: float | None
    then: Workload | None = None
    """What the same start of the server is measured with afterwards."""

    @property
    def works(self) -> list[Workload]:
        return [self.workload, *([self.then] if self.then else [])]


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
                    yield Step(peer, workload, number, form.seconds)
    if form.memory:
        many = workloads.cached(MEMORY_NAMES, "memory")
        many = replace(many, title=f"{MEMORY_NAMES:,} names, each asked for once", warm=many.warm[:100])
        for peer in form.peers:
            if peer.answers:
                yield Step(peer, many, 0, None)


def curves(form: Form) -> Iterator[Step]:
    """How cost depends on the number of names and of zones; the upstream's TTL is an hour here, for one fill.

    A server that is asked for each of a million names in turn is asked for none twice a minute, which is other work
    than 10,000 names in turn. So 10,000 of the names that are remembered are asked for, then all of them. Unbound
    beside us shows what the processor's own caches do to anybody.
    """
    for count in (100, 10_000):
        for number in range(CURVE_ROUNDS):
            yield Step(OURS, workloads.cached(count, f"names-{count}"), number, form.seconds)
    for peer in (OURS, UNBOUND):
        yield _million(peer, form.seconds)
    yield Step(NODELOCAL, workloads.cached(1_000, "names-1000"), 0, form.seconds)
    for zones in (1, 10, 1000):
        hits = replace(workloads.cached(name=f"zones-{zones}"), zones=zones)
        hits = replace(hits, title=f"{hits.title}, zones: {zones:,}")
        fresh = workloads.misses(form.seconds)
        fresh = replace(fresh, name=f"zones-misses-{zones}", title=f"{fresh.title}, zones: {zones:,}", zones=zones)
        for number in range(CURVE_ROUNDS):
            yield Step(OURS, hits, number, form.seconds / 2, then=fresh)


def _million(peer: Peer, seconds: float) -> Step:
    every = workloads.cached(MOST_NAMES, f"names-{MOST_NAMES}")
    some = every.questions[:: MOST_NAMES // workloads.CACHED_NAMES]
    spread = replace(every, questions=some, title=f"{every.title}, {len(some):,} of them asked for")
    turn = replace(every, name=f"turn-{MOST_NAMES}", warm=[], title=f"{every.title}, all asked for in turn")
    return Step(peer, spread, 0, seconds, then=turn)
