"""What all processes of a resolver take at one moment: memory and descriptors."""

from dataclasses import dataclass
from pathlib import Path

from tests.lab.resolver import Resolver
from tests.lab.waiting import wait_until

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Footprint:
    """`pss_bytes`: their private memory, and their shares of what several use; sums over the processes."""

    pss_bytes: int
    descriptors: int
    processes: int

    @property
    def mib(self) -> float:
        """The memory."""
        return self.pss_bytes / MIB


def footprint(resolver: Resolver) -> Footprint:
    """Of the supervisor and its workers now."""
    processes = [Path("/proc", str(pid)) for pid in (resolver.supervisor, only_worker(resolver))]
    return Footprint(
        sum(map(_pss, processes)), sum(len(list((process / "fd").iterdir())) for process in processes), len(processes)
    )


def only_worker(resolver: Resolver) -> int:
    """Its process; the supervisor may have another child for half a second, which puts the node in order."""
    wait_until(lambda: len(resolver.workers()) == 1, "the worker alone")
    return resolver.workers()[0]


def _pss(process: Path) -> int:
    lines = (process / "smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
