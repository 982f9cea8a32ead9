"""What can happen to the servers of a resolver, one thing at a time, each undone at its end.

All of it happens to a real CoreDNS in the lab's cluster, whose address the resolver reads from a resolv.conf. What a
name server can do wrong by itself, it does by its Corefile; what networks do, nftables does in the cluster's namespace.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.lab.netns import Namespace, run
from tests.lab.process import Process
from tests.lab.resolver import REPOSITORY
from tests.lab.servers import CoreDNS
from tests.lab.steady import DIGITS, Asked, steady
from tests.lab.topology import CLUSTER_DNS, CLUSTER_DNS_UPSTREAM, LOCAL, Lab
from tests.lab.waiting import wait_until
from tests.servers import coredns

SERVFAIL: Final = 2
RELAY_PORT: Final = 5300
CONNECTIONS: Final = 2
LOST_PERCENT: Final = 5
FORWARDED_PER_SECOND: Final = 20
_NOWHERE = "192.0.2.99"
"""Where CoreDNS forwards what is not the cluster's; packets to there vanish."""


class ClusterDNS(CoreDNS):
    """CoreDNS at two addresses, which can be told to refuse what it is asked."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        super().__init__(lab.cluster, CLUSTER_DNS, folder, coredns(), _NOWHERE, CLUSTER_DNS_UPSTREAM)
        self._corefile = folder / "Corefile"
        self._usual = self._corefile.read_text()

    @contextlib.contextmanager
    def saying(self, rcode: str) -> Iterator[None]:
        """This is all that it says for the block."""
        addresses = f"{CLUSTER_DNS} {CLUSTER_DNS_UPSTREAM}"
        self._reload(f".:53 {{\n bind {addresses}\n template ANY ANY . {{\n  rcode {rcode}\n }}\n}}\n")
        try:
            yield
        finally:
            self._reload(self._usual)

    def _reload(self, text: str) -> None:
        times = self.process.output().count("Reloading complete")
        self._corefile.write_text(text)
        os.kill(self.process.pid, signal.SIGUSR1)
        wait_until(lambda: self.process.output().count("Reloading complete") > times, "CoreDNS to reload")


@dataclass(frozen=True, slots=True)
class Stage:
    """Where it happens. `resolv_conf` names the cluster DNS."""

    lab: Lab
    server: ClusterDNS
    resolv_conf: Path
    folder: Path

    def name(self, address: str) -> None:
        """Put another resolv.conf in its place, in one step."""
        fresh = self.resolv_conf.with_suffix(".new")
        fresh.write_text(f"nameserver {address}\n")
        fresh.replace(self.resolv_conf)


@dataclass(frozen=True, slots=True)
class Fault:
    """`happens` for as long as its block lasts. `away`: nothing can be asked meanwhile, so SERVFAIL is the truth about
    what is not known. `mended`: the block is the time after it, in which everything should be well again.
    """

    name: str
    happens: Callable[[Stage], AbstractContextManager[None]]
    away: bool = True
    mended: bool = False


@contextlib.contextmanager
def _nothing(_stage: Stage) -> Iterator[None]:
    yield


@contextlib.contextmanager
def _killed(stage: Stage) -> Iterator[None]:
    stage.server.kill()
    yield
    stage.server.start()


@contextlib.contextmanager
def _restarted(stage: Stage) -> Iterator[None]:
    stage.server.kill()
    stage.server.start()
    yield


@contextlib.contextmanager
def _dark(stage: Stage) -> Iterator[None]:
    with stage.lab.cluster.dark():
        yield


@contextlib.contextmanager
def _rules(place: Namespace, chains: str) -> Iterator[None]:
    def nft(text: str) -> None:
        run("ip", "netns", "exec", place.name, "nft", "-f", "-", standard_input=text)

    nft(f"table ip fault {{\n{chains}\n}}\n")
    try:
        yield
    finally:
        nft("delete table ip fault\n")


@contextlib.contextmanager
def _relayed(stage: Stage, mode: str) -> Iterator[None]:
    """New connections lead through the relay, and those that are there are reset."""
    command = [sys.executable, "-m", "tests.lab.relay", str(RELAY_PORT), CLUSTER_DNS_UPSTREAM, mode]
    relay = Process(stage.lab.cluster, command, stage.folder / "relay.log", folder=REPOSITORY)
    relay.start(lambda: _listens(stage.lab.cluster, RELAY_PORT))
    asked = f"ip daddr {CLUSTER_DNS} tcp dport 53"
    chains = f"""\
        chain before {{ type nat hook prerouting priority dstnat; {asked} redirect to :{RELAY_PORT}; }}
        chain into {{ type filter hook input priority filter; {asked} reject with tcp reset; }}"""
    try:
        with _rules(stage.lab.cluster, chains):
            yield
            relay.kill()
    finally:
        relay.kill()


def _listens(place: Namespace, port: int) -> bool:
    return f":{port} " in place.run("ss", "-Hltn").stdout


@contextlib.contextmanager
def _slow(stage: Stage) -> Iterator[None]:
    with _relayed(stage, "slow"):
        yield


@contextlib.contextmanager
def _cut(stage: Stage) -> Iterator[None]:
    with _relayed(stage, "cut"):
        yield


@contextlib.contextmanager
def _lossy(stage: Stage) -> Iterator[None]:
    chains = "".join(
        f"chain {hook} {{ type filter hook {hook} priority 0; numgen random mod 100 < {LOST_PERCENT} drop; }}\n"
        for hook in ("input", "output")
    )
    with _rules(stage.lab.cluster, chains):
        yield


@contextlib.contextmanager
def _limited(stage: Stage) -> Iterator[None]:
    limit = f"tcp dport 53 ct state new ct count over {CONNECTIONS} reject with tcp reset"
    with _rules(stage.lab.cluster, f"chain input {{ type filter hook input priority 0; {limit}; }}"):
        yield


@contextlib.contextmanager
def _replaced(stage: Stage) -> Iterator[None]:
    """The old address is dark from now on, and resolv.conf names the new one."""
    gone = f"ip daddr {CLUSTER_DNS} drop"
    with _rules(stage.lab.cluster, f"chain before {{ type filter hook prerouting priority 0; {gone}; }}"):
        stage.name(CLUSTER_DNS_UPSTREAM)
        try:
            yield
        finally:
            stage.name(CLUSTER_DNS)


@contextlib.contextmanager
def _forwarding(stage: Stage) -> Iterator[None]:
    """A pod asks for outside names, which CoreDNS forwards to a server that is dark."""
    asked = [Asked(f"{DIGITS.decode()}.dark.test", "A", rcode=SERVFAIL)]
    dark = f"chain between {{ type filter hook forward priority 0; ip daddr {_NOWHERE} drop; }}"
    with (
        _rules(stage.lab.node, dark),
        steady(stage.folder, [stage.lab.other_pod], LOCAL, asked, per_second=FORWARDED_PER_SECOND) as load,
    ):
        load.more_asked(1)
        yield
    assert load.all().asked == load.all().right + load.all().unanswered, "nobody can answer these"


NOTHING: Final = Fault("none", _nothing, away=False)
FAULTS: Final = (
    Fault("process killed", _killed),
    Fault("killed and started again at once", _restarted, away=False, mended=True),
    Fault("machine dark", _dark),
    Fault("RST in the middle of each answer", _cut),
    Fault("slow by 2 s", _slow),
    Fault("SERVFAIL to everything", lambda stage: stage.server.saying("SERVFAIL")),
    Fault("REFUSED to everything", lambda stage: stage.server.saying("REFUSED")),
    Fault(f"{LOST_PERCENT} % of packets lost, both ways", _lossy, away=False),
    Fault(f"at most {CONNECTIONS} connections, RST to others", _limited, away=False),
    Fault("outside names forwarded to a dark server", _forwarding, away=False),
    Fault("address replaced in resolv.conf", _replaced, mended=True),
)


@dataclass(frozen=True, slots=True)
class Happened:
    """When a fault began, and when its cause was gone; monotonic seconds."""

    fault: Fault
    began: float
    ended: float


def happen(fault: Fault, stage: Stage, lasts: Callable[[], None]) -> Happened:
    """Let it happen for as long as `lasts` takes."""
    began = time.monotonic()
    with fault.happens(stage):
        mended = time.monotonic()
        lasts()
    return Happened(fault, began, mended if fault.mended else time.monotonic())


def make_stage(lab: Lab, folder: Path) -> Stage:
    """CoreDNS, not started, and its address in a file."""
    made = Stage(lab, ClusterDNS(lab, folder), folder / "resolv.conf", folder)
    made.name(CLUSTER_DNS)
    return made
