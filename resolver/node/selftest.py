"""Does a query leave an entry in conntrack's table? For the helper process only: it imports pyroute2.

A real query goes from this node to each listen address, over UDP and TCP, from a port that is known; then conntrack is
asked for exactly that flow, one lookup instead of a walk through a table of a quarter of a million. That conntrack is
at work at all is seen on a packet that loopback carries to ourselves and that no rule of ours excepts.
"""

import errno
import os
import socket
from collections.abc import Sequence
from contextlib import closing
from typing import Final, NamedTuple

from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nfnetlink.nfctsocket import NFCTAttrTuple, NFCTSocket

from resolver.message.ask import write_identity_query
from resolver.message.framing import frame
from resolver.nodestate import Bypass, BypassResult

ANSWER_SECONDS: Final = 1.0
_REPLY_BYTES = 4096
_LOOPBACK = "127.0.0.1"


class _Flow(NamedTuple):
    """One flow as conntrack names it."""

    family: int
    protocol: int
    source: tuple[str, int]
    target: tuple[str, int]


def test_bypass(addresses: Sequence[str], port: int) -> Bypass:
    """Ask each address over UDP and TCP and look for the flows; never raises."""
    tracked, silent = [], []
    try:
        active = _conntrack_follows_loopback()
        for address in addresses:
            for kind, transport in ((socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")):
                answered, entry = _ask(address, port, kind)
                if entry:
                    tracked.append(f"{transport} to {address}")
                elif not answered:
                    silent.append(f"{transport} to {address}")
    except (NetlinkError, OSError) as error:
        code = error.code if isinstance(error, NetlinkError) else error.errno
        said = os.strerror(code) if code else str(error)
        return Bypass(BypassResult.UNKNOWN, f"conntrack cannot be asked on this node: {said}")
    if tracked:
        return Bypass(BypassResult.FAILED, f"conntrack has an entry for a query over {', '.join(tracked)}")
    if silent:
        return Bypass(BypassResult.UNKNOWN, f"no reply to a query over {', '.join(silent)}")
    return Bypass(BypassResult.PASSED, "" if active else "conntrack follows nothing on this node at the moment")


def _ask(address: str, port: int, kind: socket.SocketKind) -> tuple[bool, bool]:
    """Whether there was a reply, and whether conntrack knows the flow."""
    family, _, protocol, _, place = socket.getaddrinfo(address, port, type=kind, flags=socket.AI_NUMERICHOST)[0]
    with socket.socket(family, kind) as sock:
        sock.settimeout(ANSWER_SECONDS)
        answered = _exchange(sock, place)
        source = sock.getsockname()
        flow = _Flow(family, protocol, (source[0], source[1]), (str(place[0]).partition("%")[0], port))
        return answered, _is_tracked(flow)


def _exchange(sock: socket.socket, place: tuple[object, ...]) -> bool:
    """Send the query there, as its transport wants it; whether a reply came."""
    query_id = os.urandom(2)
    query = write_identity_query(query_id)
    try:
        sock.connect(place)
        if sock.type == socket.SOCK_STREAM:
            sock.sendall(frame(query))
            return sock.recv(_REPLY_BYTES) != b""
        sock.sendall(query)
        return sock.recv(_REPLY_BYTES)[:2] == query_id
    except OSError:
        return False


def _conntrack_follows_loopback() -> bool:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.bind((_LOOPBACK, 0))
        place = sock.getsockname()
        sock.connect(place)
        sock.send(b"\0")
        return _is_tracked(_Flow(socket.AF_INET, socket.IPPROTO_UDP, place, place))


def _is_tracked(flow: _Flow) -> bool:
    """Whether conntrack has an entry for this flow; raises NetlinkError or OSError where it cannot be asked."""
    with NFCTSocket(nfgen_family=flow.family) as conntrack:
        wanted = NFCTAttrTuple(
            family=flow.family,
            saddr=flow.source[0],
            daddr=flow.target[0],
            proto=flow.protocol,
            sport=flow.source[1],
            dport=flow.target[1],
        )
        try:
            return any(True for _ in conntrack.entry("get", tuple_orig=wanted))
        except NetlinkError as error:
            if error.code == errno.ENOENT:
                return False
            raise
