"""A network of its own for every process that runs tests, where the user may make one.

Whatever a test does to ports, addresses, routes and rules of "this machine" then meets nobody: no other worker of the
same run (`pytest -n`), no other run, no service of the machine. Where the user may not, tests share the machine's
network and take their ports from different places. What needs the machine's own network steps back into it for a block.
"""

import contextlib
import ctypes
import itertools
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests import needs

CLONE_NEWNET = 0x40000000
MINE = Path("/proc/thread-self/ns/net")
FIRST_PORT, PORTS = 10_000, 20_000
"""Ports that the kernel gives to nobody by itself (net.ipv4.ip_local_port_range begins at 32768)."""

_libc = ctypes.CDLL(None, use_errno=True)
_machine: int | None = None
_ports = itertools.count(os.getpid() * 101)


def leave_the_machine() -> None:
    """Give this thread, and all that it starts, a network of its own, with nothing but loopback; once per process."""
    global _machine  # noqa: PLW0603  # a thread is in one network, and this is where it came from
    if _machine is not None or needs.missing(needs.NETNS):
        return
    _machine = os.open(MINE, os.O_RDONLY | os.O_CLOEXEC)
    _checked(_libc.unshare(CLONE_NEWNET))
    subprocess.run([needs.program("ip"), "link", "set", "lo", "up"], check=True)


@contextlib.contextmanager
def of_the_machine() -> Iterator[None]:
    """This thread is in the machine's network for the block, and so is what it starts there."""
    if _machine is None:
        yield
        return
    with inside(_machine):
        yield


@contextlib.contextmanager
def inside(network: int) -> Iterator[None]:
    """This thread is in that network namespace (an open descriptor) for the block."""
    home = os.open(MINE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _checked(_libc.setns(network, CLONE_NEWNET))
        try:
            yield
        finally:
            _checked(_libc.setns(home, CLONE_NEWNET))
    finally:
        os.close(home)


def free_port() -> int:
    """A port of 127.0.0.1 that is free for TCP and UDP, and that this process was not given before."""
    for number in itertools.islice(_ports, PORTS):
        port = FIRST_PORT + number % PORTS
        with (
            contextlib.suppress(OSError),
            socket.socket() as tcp,
            socket.socket(type=socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("every port is taken")


def _checked(result: int) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
