"""Who holds a port: the kernel's lists of sockets (proc_pid_net(5)), and whose descriptors they are.

Without root other users' processes cannot be looked into: then it is known that somebody holds the port, and not who.
"""

import contextlib
import os
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple

_LISTENING = "0A"  # of TCP
_OURS = ("nodelocaldns-resolver", "-m\0resolver", "resolver\0--config")


class Holder(NamedTuple):
    """Who has a socket at a port."""

    address: str
    """Where it listens; 0.0.0.0 and :: are everywhere."""
    transport: str
    """udp | tcp"""
    pid: int
    """0: not known."""
    program: str
    """Its name; empty: not known."""
    ours: bool
    """Whether it is a resolver of this kind."""

    def __str__(self) -> str:
        return f"{self.program} (process {self.pid})" if self.pid else "a process that only root may look at"


def holders(port: int, transports: tuple[str, ...] = ("udp", "tcp"), proc: Path = Path("/proc")) -> list[Holder]:
    """All that listen at a port in this network, each process and address once."""
    inodes = {
        inode: (address, transport)
        for transport in transports
        for address, inode in _sockets(proc / "self" / "net", transport, port)
    }
    known = dict(_owners(proc, set(inodes)))
    found: dict[Holder, None] = {}
    for inode, (address, transport) in inodes.items():
        pid, program, ours = known.get(inode, (0, "", False))
        found[Holder(address, transport, pid, program, ours)] = None
    return list(found)


def covers(holder: str, address: str) -> bool:
    """Whether who listens at `holder` keeps another one from listening at `address`."""
    one, other = ip_address(holder), ip_address(address.partition("%")[0])
    if one == other:
        return True
    return one.is_unspecified and one.version in (other.version, 6)


def _sockets(net: Path, transport: str, port: int) -> Iterator[tuple[str, str]]:
    for name in (transport, transport + "6"):
        with contextlib.suppress(OSError):
            for line in (net / name).read_text().splitlines()[1:]:
                words = line.split()
                place, _, number = words[1].partition(":")
                listens = transport == "udp" or words[3] == _LISTENING
                if int(number, 16) == port and listens and words[9] != "0":
                    yield str(_address(place)), words[9]


def _address(text: str) -> IPv4Address | IPv6Address:
    """Words of 32 bits in the byte order of the machine, as hexadecimal."""
    raw = b"".join(socket.ntohl(int(text[at : at + 8], 16)).to_bytes(4, "big") for at in range(0, len(text), 8))
    return ip_address(raw)


def _owners(proc: Path, inodes: set[str]) -> Iterator[tuple[str, tuple[int, str, bool]]]:
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    for folder in proc.iterdir() if wanted else ():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            for descriptor in (folder / "fd").iterdir():
                inode = wanted.get(os.readlink(descriptor))  # noqa: PTH115 - `readlink` of pathlib resolves to a path
                if inode is not None:
                    line = (folder / "cmdline").read_text(errors="replace")
                    program = (folder / "comm").read_text(errors="replace").strip()
                    yield inode, (int(folder.name), program, any(sign in line for sign in _OURS))
