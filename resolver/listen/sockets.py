"""Opens the sockets that pods ask: one per address and transport, so that a reply leaves from where it was asked.

The kernel's buffers are chosen here: a deep queue for UDP, where a burst that does not fit is lost, and shallow ones
for TCP, where what a slow client does not read would otherwise pile up in memory that counts as ours.
"""

import errno
import os
import socket

UDP_RECEIVE_BYTES = 4 * 1024 * 1024  # asked for; without CAP_NET_ADMIN the kernel grants at most net.core.rmem_max
TCP_RECEIVE_BYTES = 32 * 1024
TCP_SEND_BYTES = 32 * 1024  # the kernel doubles both: one reply of the largest size fits
TCP_BACKLOG = 1024
# Not in Python's socket module: <asm-generic/socket.h>, <linux/in.h>.
_SO_RCVBUFFORCE = 33
_IP_FREEBIND = 15

_REASONS = {
    errno.EADDRNOTAVAIL: "address not assigned on this machine",
    errno.EADDRINUSE: "another program listens there",
    errno.EACCES: "no permission to listen on this port",
    errno.EPERM: "no permission to listen there",
    errno.EAFNOSUPPORT: "this machine has no such address family",
}


class ListenError(OSError):
    """A socket cannot be opened; the message names address, port, transport and reason."""


def open_udp(address: str, port: int, *, reuse_port: bool = False, freebind: bool = False) -> socket.socket:
    """A non-blocking UDP socket bound to `address`; raises ListenError.

    `reuse_port`: further sockets may be bound to the same place, and the kernel spreads packets over them.
    `freebind`: bind even while the address is not assigned yet (Linux: IP_FREEBIND).
    """
    sock = _bound(address, port, socket.SOCK_DGRAM, reuse_port=reuse_port, freebind=freebind)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, UDP_RECEIVE_BYTES)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_RECEIVE_BYTES)
    return sock


def open_tcp(address: str, port: int, *, reuse_port: bool = False, freebind: bool = False) -> socket.socket:
    """A non-blocking TCP socket that listens on `address`; options as for `open_udp`; raises ListenError."""
    sock = _bound(address, port, socket.SOCK_STREAM, reuse_port=reuse_port, freebind=freebind)
    # Accepted connections inherit the sizes.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TCP_RECEIVE_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, TCP_SEND_BYTES)
    try:
        sock.listen(TCP_BACKLOG)
    except OSError as error:
        sock.close()
        raise _listen_error(address, port, socket.SOCK_STREAM, error) from None
    return sock


def _bound(address: str, port: int, kind: socket.SocketKind, *, reuse_port: bool, freebind: bool) -> socket.socket:
    sock = None
    try:
        # Numeric only, so nothing is looked up; it reads IPv6 scope ids (fe80::1%eth0). As bytes: text would go through
        # the IDNA codec, whose tables stay in memory.
        host = address.encode()
        family, _, _, _, place = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST)[0]
        sock = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if freebind:
            sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)  # an IPv6 socket takes the IPv4 option, too
        sock.bind(place)
    except OSError as error:
        if sock is not None:
            sock.close()
        raise _listen_error(address, port, kind, error) from None
    return sock


def _listen_error(address: str, port: int, kind: socket.SocketKind, error: OSError) -> ListenError:
    host = f"[{address}]" if ":" in address else address
    place = f"{host}:{port}/{'udp' if kind == socket.SOCK_DGRAM else 'tcp'}"
    if isinstance(error, socket.gaierror) or error.errno is None:
        return ListenError(f"{place}: not an address of this machine: {error.strerror}")
    name = errno.errorcode.get(error.errno, str(error.errno))
    reason = _REASONS.get(error.errno, "cannot listen there")
    return ListenError(f"{place}: {reason} ({name}): {os.strerror(error.errno)}")
