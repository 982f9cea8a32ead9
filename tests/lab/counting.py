"""How many questions one lookup of a real C library sends, as the kernel of the pod's namespace counts datagrams."""

import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.lab.clients import NONE, SOURCES
from tests.lab.netns import Namespace

COMPILERS = {"glibc": ("gcc",), "musl": ("musl-gcc", "-static")}


class Lookup(NamedTuple):
    """What came of one."""

    sent: int
    found: frozenset[str]
    """Addresses; none: there is no such name."""


def build(folder: Path) -> dict[str, str]:
    """The program for each C library. Needs gcc and musl-gcc."""
    programs = {}
    for name, compiler in COMPILERS.items():
        programs[name] = str(folder / f"lookup-{name}")
        subprocess.run([*compiler, "-O1", "-o", programs[name], str(SOURCES / "lookup.c")], check=True)
    return programs


def look_up(pod: Namespace, program: str, name: str) -> Lookup:
    """Look a name up in the pod; AssertionError where the program fails."""
    before = _sent(pod)
    done = pod.run(program, name)
    assert done.returncode == 0, f"{program} {name}: {done.stderr}"
    return Lookup(_sent(pod) - before, frozenset(done.stdout.split()) - {NONE})


def _sent(pod: Namespace) -> int:
    """Datagrams that left the namespace so far."""
    names, values = (
        line.split() for line in pod.run("cat", "/proc/net/snmp").stdout.splitlines() if line.startswith("Udp:")
    )
    return int(values[names.index("OutDatagrams")])
