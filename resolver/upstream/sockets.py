"""Sockets towards a server, made here and not by asyncio: no name lookup, no thread, options set before the connect."""

import socket
from asyncio import AbstractEventLoop

from resolver.config.values import Upstream

# The kernel gives a connection up when what it sent is not acknowledged for this long. Silence is noticed earlier, by
# the tickets; this frees what nobody asks about any more.
USER_TIMEOUT_MS = 4000
# A server that vanished while nothing was asked is found out before the next question is. Idle connections live for
# a few seconds only, so this is at most one probe each.
KEEPALIVE_IDLE_SECONDS = 4
KEEPALIVE_INTERVAL_SECONDS = 1
KEEPALIVE_PROBES = 3

_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS),
)

SocketAddress = tuple[str, int] | tuple[str, int, int, int]


def socket_address(upstream: Upstream) -> tuple[int, SocketAddress]:
    """(address family, what `connect` takes). OSError when the interface of a scoped IPv6 address does not exist."""
    if ":" not in upstream.address:
        return socket.AF_INET, (upstream.address, upstream.port)
    host, _, scope = upstream.address.partition("%")
    index = 0
    if scope:
        index = int(scope) if scope.isdecimal() else socket.if_nametoindex(scope)
    return socket.AF_INET6, (host, upstream.port, 0, index)


async def connect_stream(upstream: Upstream, loop: AbstractEventLoop) -> socket.socket:
    """A connected, non-blocking TCP socket; OSError when there is none to be had. Cancelling it leaves nothing open."""
    family, address = socket_address(upstream)
    stream = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        for level, option, value in _OPTIONS:
            stream.setsockopt(level, option, value)
        # As bytes: text would go through the IDNA codec, whose tables take 0.7 MiB from a busy resolver.
        await loop.sock_connect(stream, (address[0].encode(), *address[1:]))
    except BaseException:
        stream.close()
        raise
    return stream


def connect_datagrams(upstream: Upstream) -> socket.socket:
    """A non-blocking UDP socket that only hears this server, at a local port of the kernel's choice; or OSError.

    Linux picks a port at random (from net.ipv4.ip_local_port_range) for a socket that is not bound when it connects,
    as RFC 5452 section 9.2 asks; a connected socket drops what other addresses or ports send.
    """
    family, address = socket_address(upstream)
    datagrams = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        datagrams.connect(address)
    except BaseException:
        datagrams.close()
        raise
    return datagrams
