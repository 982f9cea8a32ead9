"""One question to one server, by plain blocking sockets: what it said and how long that took, or why it did not."""

import os
import socket
import time
from typing import NamedTuple

from resolver.config.values import Transport, Upstream
from resolver.message import codes, names
from resolver.message.answer import is_answer_to, read_answer
from resolver.message.ask import write_identity_query, write_query
from resolver.message.framing import frame
from resolver.message.query import BadPacket

PATIENCE_SECONDS = 1.0
"""As long as a pod waits."""
_BYTES = 65535


class Heard(NamedTuple):
    """What came of a question."""

    seconds: float
    rcode: str = ""
    """Of the answer, as NOERROR; empty: there was none."""
    why: str = ""
    """Of a failure: the server's own words (RFC 8914), or why there was no answer."""


def ask(upstream: Upstream, transport: Transport, name: str, qtype: int = codes.SOA) -> Heard:
    """Ask a server; never raises."""
    question = names.to_wire(name) + qtype.to_bytes(2, "big") + codes.CLASS_IN.to_bytes(2, "big")
    query = os.urandom(2) + write_query(question, dnssec_ok=False, checking_disabled=False)
    return _converse(upstream, transport, query, question)


def ask_identity(address: str, port: int, transport: Transport) -> Heard:
    """Ask whoever listens there what a resolver of this kind answers without asking anybody else; never raises."""
    query = write_identity_query(os.urandom(2))
    return _converse(Upstream(address, port), transport, query, query[12:])


def _converse(upstream: Upstream, transport: Transport, query: bytes, question: bytes) -> Heard:
    began = time.monotonic()
    try:
        packet = _over_udp(upstream, query, question) if transport is Transport.UDP else _stream(
            upstream, query, tls=transport is Transport.TLS
        )  # fmt: skip
        took = time.monotonic() - began
        if not is_answer_to(packet, question) or packet[:2] != query[:2]:
            return Heard(took, why="what came back answers something else: perhaps no DNS server listens there")
        facts = read_answer(packet, question).facts
    except TimeoutError:
        return Heard(time.monotonic() - began, why=f"no answer within {PATIENCE_SECONDS:g} s")
    except (OSError, ValueError, BadPacket) as error:
        return Heard(time.monotonic() - began, why=(error.strerror if isinstance(error, OSError) else "") or str(error))
    said = facts.ede[1].decode(errors="replace") if facts.ede is not None else ""
    return Heard(took, codes.RCODE_NAMES.get(facts.rcode, str(facts.rcode)), said)


def _over_udp(upstream: Upstream, query: bytes, question: bytes) -> bytes:
    family, kind, protocol, _, place = _place(upstream, socket.SOCK_DGRAM)
    give_up = time.monotonic() + PATIENCE_SECONDS
    with socket.socket(family, kind, protocol) as sock:
        sock.connect(place)
        sock.send(query)
        while True:
            sock.settimeout(max(0.001, give_up - time.monotonic()))
            packet = sock.recv(_BYTES)
            if packet[:2] == query[:2] and is_answer_to(packet, question):
                return packet


def _stream(upstream: Upstream, query: bytes, *, tls: bool) -> bytes:
    family, kind, protocol, _, place = _place(upstream, socket.SOCK_STREAM)
    with socket.socket(family, kind, protocol) as plain:
        plain.settimeout(PATIENCE_SECONDS)
        plain.connect(place)
        if not tls:
            return _framed(plain, query)
        from resolver.upstream.tls import server_name, tls_context  # noqa: PLC0415 - OpenSSL, where a zone wants it

        with tls_context().wrap_socket(plain, server_hostname=server_name(upstream)) as stream:
            return _framed(stream, query)


def _framed(stream: socket.socket, query: bytes) -> bytes:
    stream.sendall(frame(query))
    return _exactly(stream, int.from_bytes(_exactly(stream, 2), "big"))


def _exactly(stream: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = stream.recv(count - len(found))
        if not part:
            raise OSError("the connection was closed without an answer")
        found += part
    return found


def _place(upstream: Upstream, kind: socket.SocketKind) -> tuple[int, int, int, str, tuple[object, ...]]:
    found = socket.getaddrinfo(upstream.address, upstream.port, type=kind, flags=socket.AI_NUMERICHOST)[0]
    return found[0], found[1], found[2], found[3], tuple(found[4])
