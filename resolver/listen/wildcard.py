"""UDP on 0.0.0.0 or ::, with replies that leave from the address they were asked at.

A socket bound to the wildcard address has no address of its own, so for a plain sendto() the kernel takes the source
address of the route back to the client. On a machine with several addresses (every node that has a link-local one)
that is another address than the one asked, and clients throw such replies away. So each packet's destination address
is read from its control data (RFC 3542 section 6.1 for IPv6, ip(7) IP_PKTINFO for IPv4) and set as the reply's source.
"""

import socket
from struct import Struct
from typing import Any, Protocol

# Its first item is the client's IP address as text; the rest matters only to the socket that made it.
Peer = tuple[Any, ...]

_IP_PKTINFO = 8  # <linux/in.h>, not in Python's socket module before 3.14
_PKTINFO_4 = Struct("=I4s4s")  # interface, the local address, the destination in the packet's header
_PKTINFO_6 = Struct("=16sI")  # the local address, interface
_CONTROL_BYTES = socket.CMSG_SPACE(_PKTINFO_6.size)
_UNSPECIFIED = b"\0\0\0\0"
_LINK_LOCAL = b"\xfe\x80"


class Datagrams(Protocol):
    """What a UDP listener asks of its socket; socket.socket bound to one address is one already."""

    def recvfrom(self, bufsize: int, /) -> tuple[bytes, Peer]:
        """The next packet and who sent it; raises OSError, BlockingIOError when there is none."""

    def sendto(self, data: bytes, address: Peer, /) -> int:
        """Send `data` to somebody that `recvfrom` named; raises OSError."""


def datagrams(sock: socket.socket) -> Datagrams:
    """The way to receive and send on `sock` that keeps the source address of replies right."""
    local = sock.getsockname()[0]
    if local == "0.0.0.0":
        return _Wildcard4(sock)
    if local == "::":
        return _Wildcard6(sock)
    return sock


class _Wildcard4:
    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        self._sock = sock

    def recvfrom(self, bufsize: int, /) -> tuple[bytes, Peer]:
        packet, control, _, address = self._sock.recvmsg(bufsize, _CONTROL_BYTES)
        answer_control = []
        for level, kind, data in control:
            if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
                _, local, _ = _PKTINFO_4.unpack(data)
                # Interface 0: the route back is the kernel's choice, only the source address is ours.
                answer_control = [(level, kind, _PKTINFO_4.pack(0, local, _UNSPECIFIED))]
        return packet, (address[0], address, answer_control)

    def sendto(self, data: bytes, address: Peer, /) -> int:
        return self._sock.sendmsg([data], address[2], 0, address[1])


class _Wildcard6:
    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        self._sock = sock

    def recvfrom(self, bufsize: int, /) -> tuple[bytes, Peer]:
        packet, control, _, address = self._sock.recvmsg(bufsize, _CONTROL_BYTES)
        answer_control = []
        for level, kind, data in control:
            if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
                local, interface = _PKTINFO_6.unpack(data)
                # A link-local source address means something only together with its interface.
                scope = interface if local.startswith(_LINK_LOCAL) else 0
                answer_control = [(level, kind, _PKTINFO_6.pack(local, scope))]
        return packet, (address[0], address, answer_control)

    def sendto(self, data: bytes, address: Peer, /) -> int:
        return self._sock.sendmsg([data], address[2], 0, address[1])
