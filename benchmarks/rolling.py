"""`python -m benchmarks.rolling`: what the replacement of all of CoreDNS costs, under 5,000 questions per second.

Every question is for a name that nobody asked for before, so that no cache helps. CoreDNS's pods are processes with
addresses of their own, EndpointSlices are kept by a real API server, the virtual address is made of rules of nftables
with conntrack as kube-proxy makes it, and follows each change at once (tests/lab/dnspods.py). Three ways to ask: the
resolver straight at the pods, the resolver at the virtual address, NodeLocal DNSCache at the virtual address.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import machine, table
from benchmarks.command import begin
from benchmarks.compiled import as_in_the_image
from benchmarks.peers.go import NODELOCAL_MODULE
from benchmarks.publish import Place
from tests import needs
from tests.lab.dnspods import VIRTUAL, DnsPod, DnsPods, dns_pods, replace_all
from tests.lab.nodelocal import COREFILE
from tests.lab.process import first_in_line
from tests.lab.reports import Row, report
from tests.lab.resolver import Resolver, configuration
from tests.lab.servers import Server
from tests.lab.steady import DIGITS, Asked, steady
from tests.lab.topology import LOCAL, WORLD_DNS, lab
from tests.lab.waiting import wait_until
from tests.servers.build import build

PER_SECOND = (5000, 1000)
PODS = 3
LAME_SECONDS = 5
KNOWN_AFTER_SECONDS = 1.0
"""What it takes a cluster to notice, at best."""
QUESTION = Asked(f"{DIGITS.decode()}.fresh.svc.cluster.local", "A", bytes((10, 96, 99, 99)))
TABLE = Place(Path("docs/kubernetes.md"), "rolling", "python -m benchmarks.rolling --publish")
NEEDED = (needs.NETNS, "nft", "conntrack", "gcc", "go")

Replace = Callable[[DnsPods, list[DnsPod], list[DnsPod]], None]


class _NodeLocal(Server):
    """NodeLocal DNSCache's CoreDNS with its Corefile."""

    def __init__(self, pods: DnsPods, folder: Path) -> None:
        corefile = folder / "Corefile.nodelocal"
        corefile.write_text(COREFILE.format(bind=LOCAL, first=LOCAL, cluster=VIRTUAL, world=WORLD_DNS))
        command = [str(build(NODELOCAL_MODULE)), "-conf", str(corefile)]
        super().__init__(pods.lab.node, LOCAL, command, folder / "nodelocal.log")


@contextlib.contextmanager
def _ours(pods: DnsPods, folder: Path, upstreams: list[object]) -> Iterator[None]:
    """The resolver as its image runs it: compiled, workers as nobody."""
    config = configuration(cluster={"upstreams": upstreams}, kubernetes=pods.settings(), node={"user": "nobody"})
    server = Resolver(pods.lab.node, folder, config, measured=False, program=as_in_the_image())
    try:
        server.start()
        if upstreams == pods.upstreams():
            wait_until(lambda: server.events("endpoints changed"), "the endpoints")
        yield
    finally:
        server.process.kill()


@contextlib.contextmanager
def _straight(pods: DnsPods, folder: Path) -> Iterator[None]:
    with _ours(pods, folder, list(pods.upstreams())):
        yield


@contextlib.contextmanager
def _virtual(pods: DnsPods, folder: Path) -> Iterator[None]:
    with _ours(pods, folder, [VIRTUAL]):
        yield


@contextlib.contextmanager
def _nodelocal(pods: DnsPods, folder: Path) -> Iterator[None]:
    server = _NodeLocal(pods, folder)
    try:
        server.start()
        yield
    finally:
        server.kill()


SERVERS = {
    "nodelocaldns, straight to the pods": _straight,
    "nodelocaldns, virtual address": _virtual,
    "NodeLocal DNSCache, virtual address": _nodelocal,
}


def rolling(pods: DnsPods, old: list[DnsPod], new: list[DnsPod]) -> None:
    """As a Deployment does it."""
    replace_all(pods, old, new, LAME_SECONDS)


def deaths(pods: DnsPods, old: list[DnsPod], new: list[DnsPod]) -> None:
    """One after the other goes dark with its machine, and the cluster notices a moment later."""
    running = list(old)
    for coming, dying in zip(new, old, strict=True):
        coming.start()
        running.append(coming)
        pods.publish(running)
        dying.goes_dark()
        time.sleep(KNOWN_AFTER_SECONDS)
        running.remove(dying)
        pods.publish(running)


EVENTS: dict[str, Replace] = {
    f"rolling update, lameduck {LAME_SECONDS} s": rolling,
    f"each goes dark, noticed {KNOWN_AFTER_SECONDS:g} s later": deaths,
}


def measure(pods: DnsPods, folder: Path, server: str, event: str, per_second: int) -> Row:
    """One line of the table."""
    lame = LAME_SECONDS if EVENTS[event] is rolling else 0
    old, new = ([pods.pod(lame) for _ in range(PODS)] for _ in range(2))
    with contextlib.ExitStack() as ending:
        for pod in (*old, *new):
            ending.callback(pod.gone)
        for pod in old:
            pod.start()
        pods.publish(old)
        ending.enter_context(SERVERS[server](pods, folder))
        with steady(folder, [pods.lab.pod], LOCAL, [QUESTION], per_second=per_second) as load:
            load.go_on(2 * per_second)
            began = time.monotonic()
            EVENTS[event](pods, old, new)
            ended = time.monotonic()
            load.go_on(2 * per_second)
        before, during = load.between(0, began - 0.1), load.between(began, ended + 0.5)
    print(f"{server}, {event}: before {before}, during {during}", file=sys.stderr)
    return {
        "event": event,
        "server": server,
        "per second": per_second,
        "questions": during.asked,
        "failed": during.failed,
        "slowest answer, ms": round(during.slowest / 1000),
        "failed before": before.failed,
        "slowest before, ms": round(before.slowest / 1000),
    }


def markdown(rows: Sequence[Row]) -> str:
    """The table for the page, and how it came about."""
    head = f"""\
{PODS} pods of CoreDNS are replaced, one by one, while a pod asks so many questions per second, each for a new name;
{machine.model()}, {os.cpu_count()} cores for all of it. "Before" is the two seconds before it begins: what this
machine can do at all."""
    return f"{head}\n\n{table.markdown(table.named(rows), words=2)}"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, report, and publish where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rolling", description=__doc__)
    parser.add_argument("--per-second", type=int, nargs="+", default=PER_SECOND, metavar="N", help="questions")
    arguments = begin(parser, argv, TABLE, NEEDED)
    with contextlib.ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="nldns-")))
        ending.enter_context(first_in_line())
        pods = ending.enter_context(dns_pods(ending.enter_context(lab()), folder))
        rows = [
            measure(pods, folder, server, event, rate)
            for event in EVENTS for rate in arguments.per_second for server in SERVERS
        ]  # fmt: skip
    report("rolling", rows)
    text = markdown(rows)
    print(text)
    if arguments.publish:
        TABLE.put(Path(), text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
