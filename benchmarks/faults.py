"""`python -m benchmarks.faults`: what faults of the cluster's DNS cost the pods of a node.

The faults of tests/e2e/test_faults.py for longer, and the same under NodeLocal DNSCache, as its manifest configures it
and with CoreDNS's own way to serve stale answers: same lab, same CoreDNS, same load. Every name's TTL is 5 s, the
default of CoreDNS for names of the cluster, so that a fault outlasts what is remembered.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks import machine, table
from benchmarks.command import begin
from benchmarks.publish import Place
from tests import needs
from tests.lab.endurance import KNOWN_PER_SECOND, UNKNOWN_PER_SECOND, Cost, asking, cost, lasting
from tests.lab.faults import FAULTS, NOTHING, Fault, Happened, Stage, happen, make_stage
from tests.lab.nodelocal import NodeLocalDNSCache
from tests.lab.process import first_in_line
from tests.lab.reports import Row, report
from tests.lab.resolver import Resolver, configuration
from tests.lab.steady import ROWS_PER_SECOND
from tests.lab.topology import CLUSTER_DNS, LOCAL, lab

SECONDS = 10.0
AFTERWARDS_SECONDS = 10.0
ROW_SECONDS = 2 / ROWS_PER_SECOND
"""What is asked until the next fault begins is counted in rows of its own."""
TABLE = Place(Path("docs/faults.md"), "faults", "python -m benchmarks.faults --publish")
NEEDED = (needs.NETNS, "nft", "gcc", "go")
Start = Callable[[Stage], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def ours(stage: Stage) -> Iterator[None]:
    """The resolver with the contract's defaults; compiled or not makes no difference at this load."""
    upstreams = [str(stage.resolv_conf)]
    config = configuration(cluster={"upstreams": upstreams}, world={"upstreams": upstreams})
    resolver = Resolver(stage.lab.node, stage.folder, config, measured=False)
    try:
        resolver.start()
        yield
    finally:
        resolver.process.kill()


@contextlib.contextmanager
def nodelocal(stage: Stage, *, stale: str = "") -> Iterator[None]:
    """NodeLocal DNSCache; `stale`: a line of its cache plugin's for the cluster's zone."""
    server = NodeLocalDNSCache(stage.lab.node, stage.folder, [LOCAL], str(stage.resolv_conf), CLUSTER_DNS)
    text = server.corefile.read_text()
    server.corefile.write_text(text.replace("denial 9984 5\n", f"denial 9984 5\n        {stale}\n", 1))
    try:
        server.start()
        yield
    finally:
        server.kill()


SERVERS: dict[str, Start] = {
    "nodelocaldns": ours,
    "NodeLocal DNSCache": nodelocal,
    "NodeLocal DNSCache, serve_stale": partial(nodelocal, stale="serve_stale 1h"),
}


def measure(start: Start, faults: Sequence[Fault], seconds: float) -> list[tuple[Happened, Cost]]:
    """Let all faults happen to one server, one after another."""
    with tempfile.TemporaryDirectory(prefix="nldns-") as name, first_in_line(), lab(assigned=start is ours) as places:
        stage = make_stage(places, Path(name))
        stage.server.start()
        events: list[tuple[Happened, float]] = []
        try:
            with start(stage), asking(stage.folder, places) as load:
                for fault in faults:
                    happened = happen(fault, stage, lasting(seconds))
                    events.append((happened, happened.ended + max(AFTERWARDS_SECONDS, seconds * fault.mended)))
                    lasting(max(events[-1][1] + ROW_SECONDS - time.monotonic(), 0))()
        finally:
            stage.server.kill()
        return [(happened, cost(load, happened, until)) for happened, until in events]


def row(server: str, happened: Happened, costs: Cost) -> Row:
    """A line of the table."""
    known, unknown, well = costs.known, costs.unknown, costs.well_after_seconds
    return {
        "fault": happened.fault.name,
        "server": server,
        "known names: asked": known.asked,
        "failed": known.failed,
        "slowest, ms": round(known.slowest / 1000),
        "new names: asked": unknown.asked,
        "wrong or SERVFAIL": unknown.wrong,
        "no answer": unknown.unanswered,
        "slowest, ms ": round(unknown.slowest / 1000),
        "well again after, s": f"> {AFTERWARDS_SECONDS:.0f}" if well is None else f"{well:.2f}",
    }


def markdown(rows: Sequence[Row], seconds: float, minutes: float) -> str:
    """The table for the page, and how it came about."""
    head = f"""\
Each fault lasted {seconds:.0f} s; {KNOWN_PER_SECOND:,} questions per second for 500 names that were asked before, and
{UNKNOWN_PER_SECOND} for new ones; counted from the beginning of a fault until {AFTERWARDS_SECONDS:.0f} s after its end.
{machine.model()}, {os.cpu_count()} cores for everything; {minutes:.0f} minutes."""
    return f"{head}\n\n{table.markdown(table.named(rows), words=2)}"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, report, and publish where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="that each fault lasts")
    parser.add_argument("--only", default="", metavar="WORD", help="the faults with this in their names")
    parser.add_argument("--ours", action="store_true", help="this resolver alone")
    arguments = begin(parser, argv, TABLE, NEEDED)
    began = time.monotonic()
    faults = [fault for fault in (NOTHING, *FAULTS) if arguments.only in fault.name]
    results = {}
    for name, start in SERVERS.items():
        if start is ours or not arguments.ours:
            results[name] = measure(start, faults, arguments.seconds)
    rows = [row(name, *results[name][number]) for number in range(len(faults)) for name in results]
    report("faults", rows)
    if arguments.publish:
        TABLE.put(Path(), markdown(rows, arguments.seconds, (time.monotonic() - began) / 60))
    return 0


if __name__ == "__main__":
    sys.exit(main())
