"""`python -m benchmarks.restarts`: what upgrades, reloads and deaths cost the pods of a busy node.

The story of tests/e2e/test_restarts.py with many repetitions, and the same things done to NodeLocal DNSCache's data
path: same lab, same clients, same load. That one knows no hand-over: a new version is SIGTERM and a start, as a
DaemonSet without surge does it. Here the start follows at once, where a kubelet takes seconds to make a container.
"""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks import machine, table
from benchmarks.command import begin
from benchmarks.compiled import as_in_the_image
from benchmarks.peers.go import NODELOCAL_MODULE
from benchmarks.publish import Place
from tests import needs
from tests.lab import story
from tests.lab.netns import Namespace, run
from tests.lab.nodeside import FOLLOW
from tests.lab.process import first_in_line
from tests.lab.reports import Row, report
from tests.lab.scene import Scene, scene
from tests.lab.servers import CoreDNS, Server
from tests.lab.steady import PER_SECOND, Steady, steady, usual_questions
from tests.lab.story import Chapter
from tests.lab.succession import Event, succession
from tests.lab.topology import CLUSTER_DNS, LOCAL, WORLD_DNS, Lab
from tests.lab.waiting import wait_until
from tests.servers import coredns
from tests.servers.build import build

TIMES = 20
ALLOWED_MS = {
    "hand-over to a new version": 100,
    "hand-over that fails its self-check": 100,
    "configuration reload": 50,
    "worker SIGKILLed": 1000,
}
TABLE = Place(Path("docs/node.md"), "restarts", "python -m benchmarks.restarts --publish")
NEEDED = (needs.NETNS, "nft", "conntrack", "unbound", "nsd", "gcc", "go")


class NodeLocal(Server):
    """NodeLocal DNSCache's CoreDNS with its Corefile, at the local address. It has no log of queries."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self._corefile = folder / "Corefile.nodelocal"
        self._turn = 0
        self._write()
        command = [str(build(NODELOCAL_MODULE)), "-conf", str(self._corefile)]
        super().__init__(namespace, LOCAL, command, folder / "nodelocal.log")

    def restart(self) -> Event:
        """SIGTERM, and a start when it has ended."""
        began = time.monotonic()
        self.stop()
        self.start()
        return Event(began, time.monotonic())

    def die(self) -> Event:
        """SIGKILL, and a start."""
        began = time.monotonic()
        self.kill()
        self.start()
        return Event(began, time.monotonic())

    def reload(self) -> Event:
        """A changed Corefile, taken over on SIGUSR1 and not half a minute later."""
        times, began = self._reloads(), time.monotonic()
        self._turn += 1
        self._write()
        os.kill(self.process.pid, signal.SIGUSR1)
        wait_until(lambda: self._reloads() > times, "Reloading complete")
        return Event(began, time.monotonic())

    def stand_still(self, load: Steady) -> Event:
        """SIGSTOP, many questions, SIGCONT."""
        began = time.monotonic()
        os.kill(self.process.pid, signal.SIGSTOP)
        load.more_asked(story.STANDSTILL_QUESTIONS)
        os.kill(self.process.pid, signal.SIGCONT)
        return Event(began, time.monotonic())

    def _reloads(self) -> int:
        return self.process.output().count("Reloading complete")

    def _write(self) -> None:
        seconds = 30 - self._turn % 2
        common = f"reload\n    loop\n    bind {LOCAL}\n    prometheus 127.0.0.1:9253"
        cluster = f"forward . {CLUSTER_DNS} {{\n        force_tcp\n    }}"
        reverse = "".join(
            f"{zone}:53 {{\n    errors\n    cache {seconds}\n    {common}\n    {cluster}\n}}\n"
            for zone in ("in-addr.arpa", "ip6.arpa")
        )
        self._corefile.write_text(f"""\
cluster.local:53 {{
    errors
    cache {{
        success 9984 {seconds}
        denial 9984 5
    }}
    {common}
    {cluster}
    health {LOCAL}:8080
}}
{reverse}.:53 {{
    errors
    cache {seconds}
    {common}
    forward . {WORLD_DNS}
}}
""")


def ours(times: int) -> tuple[list[Chapter], Steady]:
    """The whole story with the resolver as its image runs it: compiled, as nobody, with interface and rules."""
    slow = max(times // 4, 1)
    with _busy(assigned=False) as (servers, folder):
        lab = servers.lab
        with (
            succession(lab.node, folder, program=as_in_the_image(), measured=False) as line,
            _load(lab, folder) as load,
        ):
            chapters = [
                story.nothing(load, times),
                story.upgrades(line, load, times),
                story.failing_upgrades(line, load, slow),
                story.reloads(line, load, times),
                story.standstills(line, load, times),
                story.deaths(line, load, times),
                story.losses(line, load, min(times, 3)),
                story.restarts(line, load, slow),
                story.accidents(line, load, slow),
            ]
    return chapters, load


def nodelocal(times: int) -> tuple[list[Chapter], Steady]:
    """What can happen to NodeLocal DNSCache; its address is assigned and stays, and no rules come and go."""
    slow = max(times // 4, 1)
    with _busy(assigned=True) as (servers, folder), contextlib.ExitStack() as ending:
        server = NodeLocal(servers.lab.node, folder)
        ending.callback(server.kill)
        server.start()
        with _load(servers.lab, folder) as load:
            chapters = [
                story.nothing(load, times),
                story.repeat("configuration reload", load, times, lambda _: server.reload()),
                story.repeat("without a turn", load, times, lambda _: server.stand_still(load)),
                story.repeat("restart (an upgrade)", load, slow, lambda _: server.restart()),
                story.repeat("SIGKILLed, started again", load, slow, lambda _: server.die()),
            ]
    return chapters, load


@contextlib.contextmanager
def _busy(*, assigned: bool) -> Iterator[tuple[Scene[CoreDNS], Path]]:
    """The lab, before other programs of this machine, with conntrack at work."""
    with tempfile.TemporaryDirectory(prefix="nldns-") as name, first_in_line():
        folder = Path(name)
        make = partial(_cluster_dns, folder)
        with scene(folder, make, assigned=assigned) as servers:
            run("ip", "netns", "exec", servers.lab.node.name, "nft", "-f", "-", standard_input=FOLLOW)
            yield servers, folder


def _cluster_dns(folder: Path, lab: Lab) -> CoreDNS:
    return CoreDNS(lab.cluster, CLUSTER_DNS, folder, coredns(), WORLD_DNS)


@contextlib.contextmanager
def _load(lab: Lab, folder: Path) -> Iterator[Steady]:
    with steady(folder, [lab.pod, lab.other_pod], LOCAL, usual_questions()) as load:
        load.go_on(2 * story.PAUSE_QUESTIONS)
        yield load


def row(server: str, chapter: Chapter, load: Steady) -> Row:
    """A line of the table."""
    costs = chapter.costs(load)
    changes = [abs(after - before) for before, after in chapter.hit_shares]
    return {
        "server": server,
        "event": chapter.name,
        "times": len(chapter.events),
        "questions": costs.asked,
        "no answer": costs.unanswered,
        "failed": costs.wrong,
        "slowest answer, ms": round(costs.slowest / 1000, 1),
        "allowed, ms": ALLOWED_MS.get(chapter.name) if server == "nodelocaldns" else None,
        "longest event, s": round(chapter.longest_seconds, 2),
        "hit ratio changed by at most, %": round(100 * max(changes), 2) if changes else None,
    }


def markdown(rows: Sequence[Row], minutes: float) -> str:
    """The table for the page, and how it came about."""
    head = f"""\
Two pods, {2 * PER_SECOND:,} questions per second all the time: one in fifty over TCP, one in a hundred of a new name;
{machine.model()}, {os.cpu_count()} cores for everything, clients and upstreams included; {minutes:.0f} minutes."""
    shown = table.named(rows, without=("longest event, s", "hit ratio changed by at most, %"))
    by_event = {str(each["event"]): each for each in rows}
    changed = by_event["hand-over to a new version"]["hit ratio changed by at most, %"]
    back = by_event["address deleted by hand"]["longest event, s"]
    tail = f"""\
Between the second before a hand-over and the second after it, the hit ratio differed by {changed} percentage points.
A deleted address was back after at most {back} s; "no answer" in that row is what was asked meanwhile."""
    return "\n\n".join((head, table.markdown(shown, words=2), tail))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, report, and publish where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.restarts", description=__doc__)
    parser.add_argument(
        "--times", type=int, default=TIMES, metavar="N", help="of each event; of the slow ones, a quarter"
    )
    arguments = begin(parser, argv, TABLE, NEEDED)
    began = time.monotonic()
    rows: list[Row] = []
    for name, measure in (("nodelocaldns", ours), ("NodeLocal DNSCache", nodelocal)):
        chapters, load = measure(arguments.times)
        for before, after in (shares for chapter in chapters for shares in chapter.hit_shares):
            print(f"hit ratio before and after a hand-over: {before:.4f} {after:.4f}", file=sys.stderr)
        rows += [row(name, chapter, load) for chapter in chapters]
        print(f"{name}: {load.all()}; load held up for at most {load.held_up_seconds * 1000:.0f} ms", file=sys.stderr)
    report("restarts", rows)
    if arguments.publish:
        TABLE.put(Path(), markdown(rows, (time.monotonic() - began) / 60))
    return 0


if __name__ == "__main__":
    sys.exit(main())
