"""Network namespaces with virtual cables between them, gone again when the block ends.

Names are `nldns-PID-N-ROLE`: unique per process, and telling whose they are, so that a run which was killed can be
cleaned up after by the next one. A process inside a namespace is an ordinary child of the test (`ip netns exec`
becomes the program) that the kernel kills when the test dies. The test's own thread can step inside for a moment to
open a socket there; the socket stays there.
"""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import network

PREFIX = "nldns-"
NAMED_NAMESPACES = Path("/run/netns")
PER_NAMESPACE_FILES = Path("/etc/netns")

ENVIRONMENT = {**os.environ, "PATH": os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])}
"""For every program of the lab: servers and tools of the network are not in every user's PATH."""

_serial = itertools.count(1)


def run(*command: str, standard_input: str | None = None) -> str:
    """Run a set-up command and return its output; RuntimeError with what it said when it fails."""
    done = subprocess.run(command, input=standard_input, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Namespace:
    """One network namespace; `name` is what `ip netns` calls it."""

    name: str

    def command(self, *command: str) -> list[str]:
        """The command line that runs `command` inside, with this namespace's /etc/resolv.conf, killed when its parent
        dies.
        """
        return ["ip", "netns", "exec", self.name, "setpriv", "--pdeathsig", "KILL", "--", *command]

    def run(self, *command: str, timeout_seconds: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run a program inside to its end; the caller judges the exit status."""
        return subprocess.run(
            self.command(*command),
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
            env=ENVIRONMENT,
        )

    def ip(self, *arguments: str) -> None:
        """`ip -n NAME ...`; RuntimeError when refused."""
        run("ip", "-n", self.name, *arguments)

    def write_resolv_conf(self, text: str) -> None:
        """What programs started from now on see as /etc/resolv.conf."""
        folder = PER_NAMESPACE_FILES / self.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "resolv.conf").write_text(text)

    def resolv_conf(self) -> str:
        """The text written last."""
        return (PER_NAMESPACE_FILES / self.name / "resolv.conf").read_text()

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """This thread is inside for the block: sockets opened there belong to the namespace for good."""
        descriptor = os.open(NAMED_NAMESPACES / self.name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with network.inside(descriptor):
                yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def dark(self) -> Iterator[None]:
        """Packets from and to this namespace vanish for the block: no RST and no ICMP error, like a machine without
        power.
        """
        rules = "".join(
            f"add chain inet dark {hook} {{ type filter hook {hook} priority 0; policy drop; }}\n"
            for hook in ("input", "output", "forward")
        )
        run("ip", "netns", "exec", self.name, "nft", "-f", "-", standard_input=f"add table inet dark\n{rules}")
        try:
            yield
        finally:
            run("ip", "netns", "exec", self.name, "nft", "delete", "table", "inet", "dark")


@contextlib.contextmanager
def namespaces(*roles: str) -> Iterator[tuple[Namespace, ...]]:
    """One namespace per role, each with its loopback up, removed at the end together with the processes left inside."""
    remove_leftovers()
    serial = next(_serial)
    made = tuple(Namespace(f"{PREFIX}{os.getpid()}-{serial}-{role}") for role in roles)
    with contextlib.ExitStack() as removal:
        for namespace in made:
            removal.callback(_remove, namespace.name)
            run("ip", "netns", "add", namespace.name)
            namespace.ip("link", "set", "lo", "up")
        yield made


def cable(left: tuple[Namespace, str, Sequence[str]], right: tuple[Namespace, str, Sequence[str]]) -> None:
    """A veth pair between two namespaces; each end is (namespace, interface name, addresses with prefix length)."""
    (left_namespace, left_device, _), (right_namespace, right_device, _) = left, right
    run("ip", "link", "add", left_device, "netns", left_namespace.name,
        "type", "veth", "peer", "name", right_device, "netns", right_namespace.name)  # fmt: skip
    for namespace, device, addresses in (left, right):
        for address in addresses:
            # Duplicate address detection would make an IPv6 address unusable for the first second or two.
            namespace.ip("address", "add", address, "dev", device, *(["nodad"] if ":" in address else []))
        namespace.ip("link", "set", device, "up")


def remove_leftovers() -> None:
    """Remove the namespaces and files of test processes that no longer exist."""
    for folder in (NAMED_NAMESPACES, PER_NAMESPACE_FILES):
        for path in folder.glob(f"{PREFIX}*"):
            owner = path.name.removeprefix(PREFIX).partition("-")[0]
            if owner.isdigit() and not Path("/proc", owner).exists():
                _remove(path.name)


def _remove(name: str) -> None:
    inside = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False, env=ENVIRONMENT)
    for process in inside.stdout.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(process), signal.SIGKILL)
    subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False, env=ENVIRONMENT)
    shutil.rmtree(PER_NAMESPACE_FILES / name, ignore_errors=True)
