"""What one measured server is: a name, what it needs, and how it is configured and started."""

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests import needs


@dataclass(frozen=True, slots=True)
class Site:
    """Where one start of a server happens: an empty folder for its files, and ports on 127.0.0.1."""

    folder: Path
    port: int
    admin_port: int
    upstream_port: int
    names: int
    """How many names its cache has to hold; a server whose custom is a smaller cache keeps that."""
    zones: int = 1
    """How many zones are routed to the upstream, the cluster's counted as one; only our resolver is told of more."""
    longest_ttl: int = 30

    def write(self, name: str, text: str) -> str:
        """Write a file into the folder; its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)


@dataclass(frozen=True, slots=True)
class Peer:
    """One server; `command` writes its configuration at a site and says how to start it in the foreground."""

    name: str
    title: str
    command: Callable[[Site], list[str]]
    program: str | None = None
    """What must be installed; None: nothing."""
    package: str = ""
    """Where it comes from, in Debian; empty: what tests/needs.py says."""
    version: Callable[[], str] = str
    upstream_transport: str = "tcp"
    """How it asks on its own behalf; udp where it cannot be told to use TCP."""
    answers: bool = True
    """False: no DNS server at all, it sends questions back."""
    unsuited: Mapping[str, str] = field(default_factory=dict)
    """Kinds of work it is not measured with, and why."""
    note: str = ""

    def missing(self) -> str | None:
        """What has to be installed to measure it; None: nothing."""
        if self.program is None or needs.find(self.program):
            return None
        return f"needs {self.program}: " + (f"apt-get install {self.package}" if self.package else needs.GO_HINT)


def first_version(*command: str) -> Callable[[], str]:
    """A function that asks a program for its version: the first thing like 1.2.3 that it prints."""

    def ask() -> str:
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        found = re.search(r"\d+\.\d+(\.\d+)*", told.stdout + told.stderr)
        return found[0] if found else ""

    return ask
