"""Whether an answer costs more the more names are remembered, or the more zones are configured.

The upstream's TTL is an hour here, so that one fill lasts. A server that is asked for each of a million names in turn
is asked for none twice within seconds, which is other work than 10,000 names in turn; so first 10,000 of the remembered
names are asked for, then all. Unbound beside us shows what the processor's own caches do to anybody. What remembers
fewer than a million answers is measured with fewer.
"""

from collections.abc import Iterator
from dataclasses import replace

from benchmarks import workloads
from benchmarks.peers import NODELOCAL, OURS, UNBOUND
from benchmarks.plan import Step
from benchmarks.workloads import Workload

NAMES = (100, 10_000, 1_000_000)
ZONES = (1, 10, 1_000)
TTL_SECONDS = 3600
ROUNDS = 3
SECONDS = 2.0
MISSES_SECONDS = 1.5


def names_work(count: int) -> str:
    """The name of the work with so many remembered names, at most 10,000 of them asked for."""
    return f"names-{count}"


def zones_work(count: int, *, misses: bool = False) -> str:
    """The name of the work with so many zones."""
    return f"zones-misses-{count}" if misses else f"zones-{count}"


TURN = f"turn-{NAMES[-1]}"


def steps() -> Iterator[Step]:
    """All measurements of both curves."""
    for number in range(ROUNDS):
        for count in NAMES[:-1]:
            for peer in (OURS, NODELOCAL, UNBOUND):
                yield Step(peer, [workloads.cached(count, names_work(count))], [number], SECONDS)
    for peer in (OURS, UNBOUND):  # filling takes most of the time: filled once, measured several times
        yield Step(peer, _million(), range(ROUNDS), SECONDS)
    for number in range(ROUNDS):
        for zones in ZONES:
            yield Step(OURS, _zones(zones), [number], MISSES_SECONDS)


def _million() -> list[Workload]:
    every = workloads.cached(NAMES[-1], names_work(NAMES[-1]))
    some = every.questions[:: NAMES[-1] // workloads.CACHED_NAMES]
    spread = replace(every, questions=some, title=f"{every.title}, {len(some):,} of them asked for")
    return [spread, replace(every, name=TURN, warm=[], title=f"{every.title}, all asked for in turn")]


def _zones(count: int) -> list[Workload]:
    hits = replace(workloads.cached(name=zones_work(count)), zones=count)
    fresh = replace(workloads.misses(MISSES_SECONDS), name=zones_work(count, misses=True), zones=count)
    return [replace(work, title=f"{work.title}, zones: {count:,}") for work in (hits, fresh)]
