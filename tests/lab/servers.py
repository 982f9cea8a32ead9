"""Real DNS servers as upstreams, each in a namespace of the lab: CoreDNS as the cluster's, Unbound and nsd as the
world's.

Every server starts when it answers, can be ended, killed, frozen and started again on the same address, and tells
which queries it got. Its log is read behind a marker query: once the marker stands in the log, everything asked
before it stands there as well.
"""

import itertools
import re
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.lab.ask import ask
from tests.lab.authority import Authority
from tests.lab.netns import Namespace
from tests.lab.process import Process
from tests.lab.waiting import wait_until

ZONES = Path(__file__).with_name("zones")
MARKER_SUFFIX = "marker.invalid."

_markers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Query:
    """One query a server received; `transport` is None where its log does not tell, `client` is an address."""

    client: str
    transport: str | None
    type: str
    name: str


class Server:
    """A server process listening on `address`, port 53, UDP and TCP."""

    logged: ClassVar[re.Pattern[str]]
    port: ClassVar[int] = 53

    def __init__(self, namespace: Namespace, address: str, command: list[str], log: Path) -> None:
        self.namespace = namespace
        self.address = address
        self.process = Process(namespace, command, log)

    def start(self) -> None:
        """Start, or start again; returns when the server answers (anything)."""
        self.process.start(self._answers)

    def stop(self) -> None:
        """End it politely."""
        self.process.terminate()
        self.process.wait()

    def kill(self) -> None:
        """SIGKILL: its port answers with RST and ICMP errors from now on."""
        self.process.kill()

    def freeze(self) -> None:
        """SIGSTOP: the kernel still takes connections and data for it, answers do not come."""
        self.process.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.process.signal(signal.SIGCONT)

    def queries(self) -> list[Query]:
        """All queries it received so far, in order, over all its starts. The server must be running."""
        marker = f"{next(_markers)}.{MARKER_SUFFIX}"
        if ask(self.namespace, self.address, marker, patience_seconds=5.0) is None:
            raise AssertionError(f"{self.address} does not answer its marker query\n{self.process.last_words()}")
        wait_until(lambda: marker in self.process.output(), f"{marker} in {self.process.log}")
        found = (match.groupdict() for match in self.logged.finditer(self.process.output()))
        return [
            Query(words["client"], words.get("transport"), words["type"], words["name"].lower())
            for words in found
            if not words["name"].endswith(MARKER_SUFFIX)
        ]

    def asked_for(self, name: str) -> list[Query]:
        """Those of `queries()` that asked for `name` (absolute, lower case, with its last dot)."""
        return [query for query in self.queries() if query.name == name]

    def _answers(self) -> bool:
        return ask(self.namespace, self.address, f"start.{MARKER_SUFFIX}", patience_seconds=0.2) is not None


class CoreDNS(Server):
    """The cluster DNS: the kubernetes-like zones by its `file` plugin, everything else forwarded to `forward_to`."""

    logged = re.compile(r"asked (?P<client>\S+) (?P<transport>udp|tcp) (?P<type>\S+) (?P<name>\S+)$", re.MULTILINE)

    def __init__(
        self, namespace: Namespace, address: str, folder: Path, binary: Path, forward_to: str, also: str = ""
    ) -> None:
        """`also`: a second address."""
        corefile = folder / "Corefile"
        corefile.write_text(f"""\
            .:53 {{
                bind {address} {also}
                errors
                log . "asked {{remote}} {{proto}} {{type}} {{name}}"
                file {ZONES}/cluster.local.zone cluster.local
                file {ZONES}/10.in-addr.arpa.zone 10.in-addr.arpa
                template ANY ANY {MARKER_SUFFIX} {{
                    rcode NXDOMAIN
                }}
                forward . {forward_to}
            }}
            """)
        super().__init__(namespace, address, [str(binary), "-conf", str(corefile)], folder / "coredns.log")


class Unbound(Server):
    """Unbound with a query log; what it serves is the text of `zones`, clauses of unbound.conf."""

    logged = re.compile(r"info: (?P<client>\S+) (?P<name>\S+) (?P<type>\S+) IN$", re.MULTILINE)

    def __init__(self, namespace: Namespace, address: str, folder: Path, zones: str) -> None:
        self._configuration = folder / f"unbound-{address}.conf"
        self._configuration.write_text(f"""\
server:
    interface: {address}
    access-control: 0.0.0.0/0 allow
    username: ""
    chroot: ""
    pidfile: ""
    directory: "{folder}"
    use-syslog: no
    logfile: ""
    log-queries: yes
    do-daemonize: no
    num-threads: 1
    extended-statistics: yes
    module-config: "iterator"
    local-zone: "10.in-addr.arpa." nodefault
    edns-buffer-size: 1232
    max-udp-size: 1232
    incoming-num-tcp: 200
remote-control:
    control-enable: yes
    control-interface: {folder}/unbound-{address}.control
    control-use-cert: no
{zones}
""")
        command = ["unbound", "-d", "-c", str(self._configuration)]
        super().__init__(namespace, address, command, folder / f"unbound-{address}.log")

    def counter(self, name: str) -> int:
        """One of unbound-control's statistics since its start, such as num.query.tcp."""
        told = self.namespace.run("unbound-control", "-c", str(self._configuration), "stats_noreset").stdout
        return int(dict(line.split("=", 1) for line in told.splitlines())[name])


def recursive_unbound(namespace: Namespace, address: str, folder: Path, authority: str) -> Unbound:
    """A resolver for the world's names, with a cache of its own like a provider's; `authority` serves the root."""
    return Unbound(namespace, address, folder, f'stub-zone:\n    name: "."\n    stub-addr: {authority}\n')


def tls_unbound(namespace: Namespace, address: str, folder: Path, authority: str, trust: Authority) -> Unbound:
    """The same with DNS over TLS on port 853 beside plain DNS, and the certificate of `trust`."""
    return Unbound(
        namespace,
        address,
        folder,
        f"""\
server:
    interface: {address}@853
    tls-service-pem: "{trust.server_certificate}"
    tls-service-key: "{trust.server_key}"
stub-zone:
    name: "."
    stub-addr: {authority}
""",
    )


def cluster_unbound(namespace: Namespace, address: str, folder: Path) -> Unbound:
    """The cluster's zones without CoreDNS, for tests that need no Go."""
    clause = (
        'auth-zone:\n    name: "{0}"\n    zonefile: "{1}/{0}.zone"\n    for-upstream: no\n    for-downstream: yes\n'
    )
    zones = "".join(clause.format(zone, ZONES) for zone in ("cluster.local", "10.in-addr.arpa"))
    # Whatever else is asked here ends at once, there is no world behind it.
    return Unbound(namespace, address, folder, zones.replace("auth-zone", 'stub-zone:\n    name: "."\nauth-zone', 1))


class Nsd(Server):
    """The world's authority: the root and example.com. It has no query log."""

    def __init__(self, namespace: Namespace, address: str, folder: Path) -> None:
        configuration = folder / "nsd.conf"
        configuration.write_text(f"""\
server:
    ip-address: {address}
    username: ""
    chroot: ""
    server-count: 1
    rrl-ratelimit: 0
    database: ""
    pidfile: "{folder}/nsd.pid"
    xfrdfile: "{folder}/xfrd.state"
    zonelistfile: "{folder}/zone.list"
    xfrdir: "{folder}"
    zonesdir: "{ZONES}"
    logfile: "{folder}/nsd.log"
remote-control:
    control-enable: no
zone:
    name: "."
    zonefile: root.zone
zone:
    name: example.com
    zonefile: example.com.zone
""")
        super().__init__(namespace, address, ["nsd", "-d", "-c", str(configuration)], folder / "nsd.output")

    def queries(self) -> list[Query]:
        """Not available: raises NotImplementedError."""
        raise NotImplementedError("nsd keeps no query log; ask the Unbound in front of it")
