"""Real resolvers of real programs, each run inside a pod's namespace with the pod's /etc/resolv.conf.

A client looks a name up twice, for IPv4 and for IPv6, and prints what the program around it would have got. glibc and
musl are the same C program built twice; Go's resolver is built once for all runs; Node.js brings c-ares; dig stands
for the rest.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab.netns import Namespace
from tests.lab.resolver import Resolver
from tests.lab.topology import LOCAL
from tests.servers.build import build

SOURCES = Path(__file__).with_name("clients")

NONE = "none"
"""What a client says where a name, or a name's type, does not exist."""


@dataclass(frozen=True, slots=True)
class Found:
    """Addresses by family; each is a set of addresses, or of one word: "none", "again" (temporary failure) or "failed
    ...".
    """

    v4: frozenset[str]
    v6: frozenset[str]


@dataclass(frozen=True, slots=True)
class Client:
    """One client program. `searches`: it applies the search list of resolv.conf."""

    name: str
    command: tuple[str, ...]
    searches: bool = True

    def lookup(self, pod: Namespace, name: str) -> Found:
        """Look up both address families; AssertionError when the program itself fails."""
        lines = [line.partition(" ") for line in self._output(pod, name).splitlines()]
        return Found(*(frozenset(value for label, _, value in lines if label == wanted) for wanted in ("A", "AAAA")))

    def services(self, pod: Namespace, name: str) -> set[str]:
        """The SRV records as "priority weight port target" with an absolute target, or {"none"}."""
        lines = [line.partition(" ") for line in self._output(pod, name, "SRV").splitlines()]
        return {value if value == NONE or value.endswith(".") else f"{value}." for _, _, value in lines}

    def _output(self, pod: Namespace, *arguments: str) -> str:
        done = pod.run(*self.command, *arguments)
        assert done.returncode == 0, f"{self.name} {arguments}: status {done.returncode}\n{done.stderr}"
        return done.stdout


def glibc(folder: Path) -> Client:
    """getaddrinfo of the C library of this system. Needs gcc."""
    return Client("glibc", (_compiled(folder, "glibc", "gcc"),))


def musl(folder: Path) -> Client:
    """getaddrinfo of musl, as in Alpine's images. Needs musl-gcc."""
    return Client("musl", (_compiled(folder, "musl", "musl-gcc", "-static"),))


def netgo() -> Client:
    """Go's own resolver. Needs go."""
    return Client("go", (str(build(SOURCES / "netgo")),))


def cares() -> Client:
    """c-ares as Node.js uses it. Needs node."""
    return Client("c-ares", ("node", str(SOURCES / "cares.js")), searches=False)


@dataclass(frozen=True, slots=True)
class DigClient(Client):
    """dig with the search list, in the shape of the other clients."""

    def _output(self, pod: Namespace, *arguments: str) -> str:
        name, types = arguments[0], arguments[1:] or ("A", "AAAA")
        return "".join(self._one(pod, name, record_type) for record_type in types)

    def _one(self, pod: Namespace, name: str, record_type: str) -> str:
        done = pod.run(*self.command, name, record_type)
        assert done.returncode == 0, f"dig {name} {record_type}: {done.stdout}{done.stderr}"
        fields = [line.split(None, 4) for line in done.stdout.splitlines() if line and not line.startswith(";")]
        values = [data for _, _, _, found, data in fields if found == record_type]
        failed = "" if "status: NOERROR" in done.stdout or "status: NXDOMAIN" in done.stdout else "again"
        return "".join(f"{record_type} {value}\n" for value in values or [failed or NONE])


def dig_client(*options: str) -> Client:
    """dig without an address of its own to ask: it takes the nameservers of resolv.conf."""
    command = ("dig", "+search", "+noall", "+answer", "+comments", *options)
    return DigClient(" ".join(("dig", *options)), command)


_TRIES = (
    12  # an answer may expire, or be refreshed ahead of time, just between two lookups; a busy client may ask twice
)


@dataclass(frozen=True, slots=True)
class Dnsperf:
    """dnsperf with `options`; it only counts, so it is good for looking up and not for finding."""

    options: tuple[str, ...]
    folder: Path

    def lookup(self, pod: Namespace, name: str) -> None:
        """Ask the node's resolver for both address families; AssertionError where a query gets no reply."""
        questions = self.folder / "questions"
        questions.write_text(f"{name} A\n{name} AAAA\n")
        done = pod.run("dnsperf", "-s", LOCAL, "-d", str(questions), "-n", "1", "-t", "5", *self.options)
        assert "Queries completed:    2" in done.stdout, done.stdout + done.stderr


def ready_share(resolver: Resolver, client: Client | Dnsperf, pod: Namespace, name: str) -> tuple[float, float]:
    """How many replies a lookup of a name that was just looked up gets, and how many of them were ready."""

    def counts() -> tuple[float, float]:
        replies = resolver.metric("coredns_dns_responses_total")
        return replies, resolver.metric("coredns_dns_request_duration_seconds_count", zone="cached")

    replies = ready = 0.0
    for _ in range(_TRIES):
        for _ in range(2):  # looked up, then found and made ready
            client.lookup(pod, name)
        before = counts()
        client.lookup(pod, name)
        replies, ready = (now - then for now, then in zip(counts(), before, strict=True))
        if replies == ready >= 2:
            break
    return replies, ready


def _compiled(folder: Path, name: str, *compiler: str) -> str:
    target = folder / f"getaddrinfo-{name}"
    subprocess.run([*compiler, "-O1", "-o", str(target), str(SOURCES / "getaddrinfo.c")], check=True)
    return str(target)
