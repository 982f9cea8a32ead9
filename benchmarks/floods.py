"""`python -m benchmarks.floods`: what a quiet client gets while another one floods the same server.

Both ask from addresses of their own on loopback, as two pods would. The quiet one asks 500 times a second, nine times
of ten for a name that is remembered, at random moments and before all other programs on its core (native/pace.c); the
flood takes what is left of that core (native/flood.c). A server is started anew for each kind of flood.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load, machine, names
from benchmarks.ask import packet
from benchmarks.command import begin
from benchmarks.load import Load
from benchmarks.machine import LOAD_CORE
from benchmarks.measure import Bench, open_bench
from benchmarks.names import Asked
from benchmarks.native import program
from benchmarks.peers import NODELOCAL, OURS, UNBOUND, Peer
from benchmarks.publish import Place
from benchmarks.serving import CannotServeError, pinned
from benchmarks.table import markdown
from benchmarks.workloads import cached
from resolver.message.framing import frame

SOURCE = "127.0.0.66"
PER_SECOND = 500
NEW_SHARE = 10
"""One in so many questions of the quiet client is new."""
SECONDS = 8.0
SETTLING_SECONDS = 1.0
KNOWN = 10_000
TABLE = Place(Path("docs/performance.md"), "floods", "python -m benchmarks.floods --publish")
PEERS = (OURS, UNBOUND, NODELOCAL)


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to flood; `mode` as native/flood.c calls it, None: nobody floods."""

    title: str
    mode: str | None
    questions: list[Asked]


def kinds() -> list[Kind]:
    """The ways in which a pod may take too much."""
    known = names.services(KNOWN)
    missing = [Asked(f"missing-{number}.com.svc.{names.CLUSTER}") for number in range(KNOWN)]
    fresh = [Asked(f"n{'0' * 9}{number}.jobs.svc.{names.CLUSTER}") for number in range(64)]
    return [
        Kind("nobody floods", None, []),
        Kind("known names, UDP", "packets", known),
        Kind("names that do not exist, UDP", "packets", missing),
        Kind("names that nobody asked before, UDP", "unique", fresh),
        Kind("known names, on all the connections it gets", "questions", known),
        Kind("connections that say nothing", "silent", known),
        Kind("questions byte by byte", "drip", known),
        Kind("a new connection for each question", "churn", known),
        Kind("connections that are never completed", "halfopen", known),
    ]


@dataclass(frozen=True, slots=True)
class Result:
    """What the quiet client met, and what the flood got rid of meanwhile."""

    peer: str
    kind: str
    load: Load
    flood_per_second: float
    connections: int
    mebibytes: float = 0.0
    """The server's memory while it is flooded, as PSS."""
    problem: str = ""

    def cells(self) -> list[str]:
        """A row of the table."""
        if self.problem:
            return [self.kind, self.peer, f"INVALID: {self.problem}", "", "", "", "", "", ""]
        lost = f"{self.load.lost / self.load.sent:.1%}" if self.load.lost else "0"
        times = [f"{self.load.latencies[name] / 1000:.2f}" for name in ("p50", "p99", "max")]
        flood = f"{self.flood_per_second:,.0f}" if self.flood_per_second else ""
        connections = f"{self.connections:,}" if self.connections else ""
        return [self.kind, self.peer, lost, *times, flood, connections, f"{self.mebibytes:.0f}"]


HEAD = [
    "flood",
    "server",
    "quiet client: lost",
    "p50, ms",
    "p99, ms",
    "longest, ms",
    "flood, questions/s",
    "connections",
    "MiB",
]


def _wire(questions: Sequence[Asked]) -> bytes:
    return b"".join(frame(packet(each)) for each in questions)


def _quiet() -> bytes:
    known, fresh = names.services(KNOWN), iter(names.unique(KNOWN))
    return _wire([next(fresh) if number % NEW_SHARE == 0 else asked for number, asked in enumerate(known)])


def _flood(kind: Kind, port: int, seconds: float) -> "subprocess.Popen[bytes]":
    """The flood, on its way."""
    command = [str(program("flood")), str(kind.mode), SOURCE, str(port), str(seconds + SETTLING_SECONDS)]
    flood = subprocess.Popen(
        pinned(LOAD_CORE, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert flood.stdin is not None  # noqa: S101 - a pipe was asked for
    flood.stdin.write(_wire(kind.questions))
    flood.stdin.close()
    return flood


def measure(bench: Bench, peer: Peer, kind: Kind, seconds: float) -> Result:
    """One server, one flood, one quiet client."""
    try:
        with bench.started(peer, cached(KNOWN), first=True) as running:
            bench.warm(running, cached(KNOWN))
            with ExitStack() as stack:
                flood = stack.enter_context(_flood(kind, running.port, seconds)) if kind.mode is not None else None
                time.sleep(SETTLING_SECONDS)
                found = load.steady(running.port, _quiet(), per_second=PER_SECOND, seconds=seconds)
                mebibytes = machine.memory_mebibytes(running.session)
                told = {"sent": 0, "connections": 0}
                if flood is not None and flood.stdout is not None:
                    told = json.loads(flood.stdout.read() or "{}") or told
            sent, connections = told["sent"], told["connections"]
    except CannotServeError as error:
        return Result(peer.title, kind.title, Load(0, 0, 1, {}), 0, 0, problem=str(error))
    problem = "; ".join(found.problems) if found.held_up else ""
    return Result(peer.title, kind.title, found, sent / (seconds + SETTLING_SECONDS), connections, mebibytes, problem)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floods", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement (default: %(default)s)")
    parser.add_argument("--peer", action="append", choices=[peer.name for peer in PEERS], help="only this server")
    parser.add_argument("--kind", action="append", help="only kinds whose title contains this")
    wanted = begin(parser, arguments, TABLE)
    rows = []
    with open_bench(first=True) as bench:
        for kind in kinds():
            if wanted.kind and not any(word in kind.title for word in wanted.kind):
                continue
            for peer in PEERS:
                if wanted.peer and peer.name not in wanted.peer:
                    continue
                if reason := peer.missing():
                    print(f"{peer.title}: {reason}", file=sys.stderr)
                    continue
                result = measure(bench, peer, kind, wanted.seconds)
                rows.append(result.cells())
                print(" | ".join(rows[-1]), flush=True)
    if wanted.publish:
        TABLE.put(Path(), markdown([HEAD, *rows]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
