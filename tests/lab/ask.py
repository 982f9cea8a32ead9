"""Asking a server from inside a namespace with plain sockets: one question, or very many at the same instant.

For what the real clients cannot do: to know the moment a server is ready, and to send a hundred queries before the
first is answered.
"""

import contextlib
import itertools
import socket
import struct
from collections.abc import Iterator

from dnslib import DNSRecord

from tests.lab.netns import Namespace

_identifiers = itertools.count(1)


def question(name: str, record_type: str = "A") -> bytes:
    """A query with an ID that no other query of this process had lately."""
    query = DNSRecord.question(name, record_type)
    query.header.id = next(_identifiers) % 65536
    return bytes(query.pack())


def ask(
    namespace: Namespace,
    server: str,
    name: str,
    record_type: str = "A",
    *,
    port: int = 53,
    tcp: bool = False,
    patience_seconds: float = 1.0,
) -> DNSRecord | None:
    """The server's answer; None when it did not give one in time, refused the connection or broke it."""
    with contextlib.suppress(OSError), connected(namespace, server, port, tcp) as channel:
        channel.settimeout(patience_seconds)
        send(channel, question(name, record_type))
        return receive(channel)
    return None


@contextlib.contextmanager
def connected(namespace: Namespace, server: str, port: int = 53, tcp: bool = False) -> Iterator[socket.socket]:
    """A socket that belongs to the namespace, connected to the server."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with namespace.entered():
        channel = socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
    with channel:
        channel.settimeout(5.0)
        channel.connect((server, port))
        yield channel


def send(channel: socket.socket, query: bytes) -> None:
    """Send a query as the socket's transport wants it."""
    channel.sendall(struct.pack("!H", len(query)) + query if channel.type == socket.SOCK_STREAM else query)


def receive(channel: socket.socket) -> DNSRecord:
    """The next answer; raises OSError when none comes or the connection ends."""
    if channel.type == socket.SOCK_DGRAM:
        return DNSRecord.parse(channel.recv(65535))
    size = struct.unpack("!H", _exactly(channel, 2))[0]
    return DNSRecord.parse(_exactly(channel, size))


def _exactly(channel: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = channel.recv(size - len(data))
        if not more:
            raise ConnectionResetError("the connection ended before the answer")
        data += more
    return data
