"""`python -m benchmarks`: DNS caches side by side, one core each, in one run. docs/performance.md explains."""

import argparse
import datetime as dt
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import curves, goals, interpreter, machine, plan, publish
from benchmarks.measure import Run, open_bench
from benchmarks.peers import ALL, Peer
from benchmarks.plan import Form, Step
from benchmarks.progress import Progress
from benchmarks.repeats import Repeats
from benchmarks.results import Described, Results
from tests import needs

REPORT = Path("build/reports/bench.json")
REPEATED = 8
"""One measurement in so many may be made again because something was in its way; at most twice each."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, report, and judge where --gate asks for it: 1 when the gate is shut, 2 when something is missing."""
    arguments = _arguments(argv)
    os.chdir(Path(__file__).parent.parent)
    if arguments.again:
        results = Results.from_json(json.loads(arguments.again.read_text()))
    else:
        form = _form(arguments)
        if lacking := _lacking(form.peers):
            print("\n".join(lacking), file=sys.stderr)
            return 2
        results = measure(form)
    publish.report(results, REPORT)
    if arguments.publish:
        publish.publish(results)
    if arguments.record:
        goals.record(results)
    if arguments.gate and (reasons := goals.gate(results)):
        print("\n".join(f"GATE: {reason}" for reason in reasons), file=sys.stderr)
        print("GATE: measuring it again, with more rounds: other programs may have been in the way", file=sys.stderr)
        if reasons := goals.gate(measure(plan.GATE)):
            print("\n".join(f"GATE: {reason}" for reason in reasons), file=sys.stderr)
            return 1
    return 0


def measure(form: Form) -> Results:
    """Make all runs of a form."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # ends the servers as well
    os.sched_setaffinity(0, {machine.LOAD_CORE})
    began = time.monotonic()
    works = plan.made(form)
    compared = list(plan.steps(form, works))
    grown = list(curves.steps()) if form.curves else []
    progress = Progress(len(compared) + len(grown))
    runs = _made(compared, progress, ttl=30) + _made(grown, progress, ttl=curves.TTL_SECONDS)
    progress.end()
    facts = {
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": machine.model(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": interpreter.chosen().title,
        "minutes": (time.monotonic() - began) / 60,
        "seconds": form.seconds,
    }
    described = [
        Described(peer.name, peer.title, peer.version(), peer.note, peer.upstream_transport) for peer in form.peers
    ]
    notes = {"memory": "memory"} | {work.name: "curve" for step in grown for work in step.works}
    worked = {work.name: work for step in [*compared, *grown] for work in step.works}.values()
    return Results(facts, described, [Described(w.name, w.title, note=notes.get(w.name, "")) for w in worked], runs)


def _made(steps: Sequence[Step], progress: Progress, ttl: int) -> list[Run]:
    if not steps:
        return []
    runs: list[Run] = []
    repeats = Repeats(max(4, len(steps) // REPEATED))
    with open_bench(ttl) as bench:
        for step in steps:
            progress.begin(step.title)
            measure = partial(bench.runs, step.peer, step.works, step.rounds, step.seconds)
            made = repeats.measured(measure) if len(step.rounds) == 1 else measure()
            runs += made
            progress.found(made)
    return runs


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    names = [peer.name for peer in ALL]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--short", action="store_true", help="the form for CI: few peers and rounds, no curves")
    parser.add_argument("--only", metavar="WORK", type=_among(plan.WORKLOADS), help=f"of {', '.join(plan.WORKLOADS)}")
    parser.add_argument("--curves", action="store_true", help="only how cost depends on numbers of names and of zones")
    parser.add_argument("--peers", metavar="A,B", type=_among(names), help=f"of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, metavar="N", help="of every kind of work and server")
    parser.add_argument("--seconds", type=float, metavar="S", help="of load in each measurement")
    parser.add_argument("--gate", action="store_true", help="fail when a cached answer has become too expensive")
    parser.add_argument("--record", action="store_true", help="write the ratio that --gate compares with")
    parser.add_argument("--publish", action="store_true", help="write tables and chart into docs/")
    parser.add_argument("--again", metavar="JSON", type=Path, help="no measurement: report the results in this file")
    return parser.parse_args(argv)


def _among(known: Sequence[str]) -> "type[list[str]]":
    def chosen(text: str) -> list[str]:
        wanted = text.split(",")
        if unknown := [name for name in wanted if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]} is not among {', '.join(known)}")
        return wanted

    return chosen  # type: ignore[return-value]


def _form(arguments: argparse.Namespace) -> Form:
    form = plan.SHORT if arguments.short else plan.FULL
    if arguments.curves:
        form = replace(form, only=(), memory=False, curves=True)
    elif arguments.only or arguments.peers:
        form = replace(form, memory=False, curves=False)
    if arguments.only:
        form = replace(form, only=arguments.only)
    if arguments.peers:
        form = replace(form, peers=[peer for peer in ALL if peer.name in arguments.peers])
    if arguments.rounds:
        form = replace(form, rounds=arguments.rounds, other_rounds=arguments.rounds, work_rounds=arguments.rounds)
    if arguments.seconds:
        form = replace(form, seconds=arguments.seconds)
    return form


def _lacking(peers: Sequence[Peer]) -> list[str]:
    """What has to be installed first."""
    tools = {"dnsperf": "dnsperf", "gcc": "gcc libc6-dev", "taskset": "util-linux"}
    lacking = [f"needs {tool}: apt-get install {package}" for tool, package in tools.items() if not needs.find(tool)]
    if len(os.sched_getaffinity(0)) < 2:
        lacking.append("needs two cores: one for the server that is measured, one for the load")
    return lacking + [reason for peer in peers if (reason := peer.missing())]


if __name__ == "__main__":
    sys.exit(main())
