"""What is asked: five kinds of work, each with questions that warm the cache and those that are measured."""

import itertools
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks import names
from benchmarks.ask import packet
from benchmarks.names import Asked
from benchmarks.peers import Peer
from resolver.message.framing import frame

CACHED_NAMES = 10_000
APPLICATIONS = 2_000
UNIQUE_PER_SECOND = 100_000
MIX_PER_SECOND = 250_000
STEADY_PER_SECOND = 20_000


@dataclass(frozen=True)
class Workload:
    """One kind of work: `warm` is asked twice, then `questions` in their order, from the start again when they end."""

    name: str
    title: str
    warm: list[Asked]
    questions: list[Asked]
    tcp: bool = False
    per_second: int | None = None
    """A steady rate; None: as many as are answered."""
    again: bool = True
    """The questions may be asked from the start again; False: each only once."""
    floor: bool = False
    """Whether an echo can stand in for answers."""
    names: int = CACHED_NAMES
    """How many names the cache must hold."""
    zones: int = 1
    """How many zones the server is told of, the cluster's counted as one."""

    def suits(self, peer: Peer) -> bool:
        """Whether a server can be measured with this."""
        return (self.floor or peer.answers) and self.name not in peer.unsuited

    @cached_property
    def _refusals(self) -> list[int]:
        """How many of the first n questions have NXDOMAIN as their answer."""
        return [0, *itertools.accumulate(not asked.exists for asked in self.questions)]

    def expected_rcodes(self, count: int) -> dict[str, int]:
        """How often each response code is right among the answers to the first `count` questions."""
        rounds, rest = divmod(count, len(self.questions))
        refused = rounds * self._refusals[-1] + self._refusals[rest]
        return {name: n for name, n in (("NOERROR", count - refused), ("NXDOMAIN", refused)) if n}

    def packets(self) -> bytes:
        """The questions as native/pace.c reads them."""
        return b"".join(frame(packet(each)) for each in self.questions)

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Files for dnsperf with the warming and the measured questions."""
        return _written(folder / f"{self.name}-warm", self.warm), _written(folder / self.name, self.questions)

    def sample(self, count: int) -> list[Asked]:
        """Some of the questions that are warm, to look at their answers."""
        return random.Random(count).choices(self.warm or self.questions, k=count)


def cached(count: int = CACHED_NAMES, name: str = "cached") -> Workload:
    """`count` names that are all remembered, in turn."""
    services = names.services(count)
    return Workload(name, f"cached, UDP, {count:,} names", services, services, floor=True, names=count)


def realistic(seconds: float) -> Workload:
    """Applications by Zipf's law, pairs, search lists, 95 % of it asked before."""
    known = [asked for walk in names.popular(APPLICATIONS) for asked in walk]
    questions = list(names.mix(int(MIX_PER_SECOND * seconds), APPLICATIONS))
    return Workload("realistic", "realistic mix, UDP, 95 % hits", known, questions, again=False)


def misses(seconds: float) -> Workload:
    """Only names that nobody asked for before."""
    questions = names.unique(int(UNIQUE_PER_SECOND * seconds))
    return Workload("misses", "only misses, TCP upstream", names.services(200), questions, again=False)


def tcp_clients() -> Workload:
    """The cached names, over TCP connections that stay open."""
    services = names.services(CACHED_NAMES)
    return Workload("tcp", "cached, TCP clients", services, services, tcp=True)


def steady() -> Workload:
    """The cached names at a rate that leaves every server time."""
    services = names.services(CACHED_NAMES)
    title = f"{STEADY_PER_SECOND:,} q/s steady, UDP"
    return Workload("steady", title, services, services, per_second=STEADY_PER_SECOND, floor=True)


def _written(path: Path, questions: Iterable[Asked]) -> Path:
    path.write_text("".join(f"{asked.name} {asked.type}\n" for asked in questions))
    return path
