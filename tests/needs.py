"""What a test needs of the machine besides Python packages, and the line that brings it there.

A test says `@pytest.mark.needs("unbound", "netns")`, a fixture calls `require`. Where something is missing the test is
skipped and its reason tells what to install. tests/conftest.py turns every skip into a failure where
NODELOCALDNS_NO_SKIP=1 is set, as in CI: a run that skips proves less than it seems to.
"""

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

GO_HINT = "install Go 1.26 or newer from the Go project's download page (Debian's golang is too old)"

HOW_TO_GET = {
    "chromium-headless-shell": "apt-get install chromium-headless-shell",
    "dig": "apt-get install bind9-dnsutils",
    "dnsperf": "apt-get install dnsperf",
    "conntrack": "apt-get install conntrack",
    "crun": "apt-get install crun",
    "debootstrap": "apt-get install debootstrap",
    "faketime": "apt-get install faketime",
    "gcc": "apt-get install gcc libc6-dev",
    "go": GO_HINT,
    "ip": "apt-get install iproute2",
    "musl-gcc": "apt-get install musl-tools",
    "nft": "apt-get install nftables",
    "node": "apt-get install nodejs",
    "nsd": "apt-get install nsd",
    "openssl": "apt-get install openssl",
    "prometheus": "apt-get install prometheus",
    "promtool": "apt-get install prometheus",
    "tcpdump": "apt-get install tcpdump",
    "unbound": "apt-get install unbound",
}
NETNS = "netns"
NO_SKIP = "NODELOCALDNS_NO_SKIP"


def find(name: str) -> Path | None:
    """Where a program is, in PATH or where servers are installed, which not every user has in PATH; None if nowhere."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
    return Path(found) if found else None


def missing(thing: str) -> str | None:
    """Why a test cannot have this thing and what to do about it, in one line; None if it can have it.

    Raises KeyError for a thing this file knows no way to get: a misspelt need must not look like a missing one.
    """
    if thing == NETNS:
        return _missing_netns()
    how = HOW_TO_GET[thing]
    return None if find(thing) else f"needs {thing}: {how}"


def require(*things: str) -> None:
    """Skip the running test if one of the things is missing."""
    for thing in things:
        if reason := missing(thing):
            pytest.skip(reason)


def program(name: str) -> Path:
    """Where a program is; skips the running test if it is nowhere."""
    require(name)
    path = find(name)
    assert path is not None
    return path


@functools.cache
def _missing_netns() -> str | None:
    if not find("ip"):
        return f"needs ip: {HOW_TO_GET['ip']}"
    if os.geteuid() != 0:
        return "needs network namespaces: run the tests as root"
    made = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, text=True, check=False)
    return None if made.returncode == 0 else f"needs network namespaces (CAP_SYS_ADMIN): {made.stderr.strip()}"
