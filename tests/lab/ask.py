"""Asking a server from inside a namespace with plain sockets: one question, or very many at the same instant.

For what the real clients cannot do: to know the moment a server is ready, and to send a hundred queries before the
first is answered.
"""

import contextlib
import itertools
import socket
from collections.abc import Iterator

from dnslib import DNSRecord

from resolver.message.framing import frame
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
    channel.sendall(frame(query) if channel.type == socket.SOCK_STREAM else query)


def receive(channel: socket.socket) -> DNSRecord:
    """The next answer; raises OSError when none comes or the connection ends."""
    if channel.type == socket.SOCK_DGRAM:
        return DNSRecord.parse(channel.recv(65535))
    message = read_message(channel)
    if not message:
        raise ConnectionResetError("the connection ended before the answer")
    return DNSRecord.parse(message)


def read_message(stream: socket.socket) -> bytes:
    """The next message of a stream; empty at its end."""
    length = int.from_bytes(_exactly(stream, 2), "big")
    return _exactly(stream, length)


def _exactly(stream: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = stream.recv(size - len(data))
        if not more:
            return b""
        data += more
    return data
