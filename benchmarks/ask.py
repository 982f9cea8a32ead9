"""Single questions to a server, and whether what came back is the right answer."""

import socket
from collections.abc import Iterable

from dnslib import QTYPE, RCODE, DNSRecord

from benchmarks.names import Asked


def packet(asked: Asked, number: int = 0) -> bytes:
    """The question as a libc sends it: RD, no EDNS; `number` is its ID.

    Packed by hand: a load has tens of thousands of them, and dnslib takes ten times as long.
    """
    name = b"".join(bytes((len(label),)) + label for label in asked.name.encode().split(b"."))
    kind = int(getattr(QTYPE, asked.type)).to_bytes(2, "big")
    return number.to_bytes(2, "big") + b"\1\0\0\1\0\0\0\0\0\0" + name + b"\0" + kind + b"\0\1"


def wrong(asked: Asked, query: bytes, reply: bytes, longest_ttl: int) -> str | None:
    """What is wrong with a reply, or None."""
    if reply[:2] != query[:2] or not reply[2] & 0x80:
        return f"{asked.name}: not a reply to this query"
    record = DNSRecord.parse(reply)
    if str(record.q.qname).rstrip(".") != asked.name or QTYPE[record.q.qtype] != asked.type:
        return f"{asked.name}: a reply to {record.q.qname} {QTYPE[record.q.qtype]}"
    rcode = RCODE[record.header.rcode]
    if rcode != ("NOERROR" if asked.exists else "NXDOMAIN"):
        return f"{asked.name}: {rcode}"
    if not asked.exists:
        return None if not record.rr else f"{asked.name}: NXDOMAIN with an answer"
    found = [(QTYPE[rr.rtype], str(rr.rdata)) for rr in record.rr]
    if found != [(asked.type, asked.address)]:
        return f"{asked.name}: {found} in the place of {asked.address}"
    if not 0 <= record.rr[0].ttl <= longest_ttl:
        return f"{asked.name}: a TTL of {record.rr[0].ttl}"
    return None


class Asker:
    """A client of one server on loopback; not for several threads."""

    def __init__(self, port: int, seconds: float = 1.0, longest_ttl: int = 30) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.settimeout(seconds)
        self._sock.connect(("127.0.0.1", port))
        self._longest_ttl = longest_ttl
        self._number = 0

    def close(self) -> None:
        self._sock.close()

    def reply(self, asked: Asked) -> tuple[bytes, bytes]:
        """The query sent and what came back; raises OSError (TimeoutError too) when nothing does."""
        self._number = self._number % 65535 + 1
        query = packet(asked, self._number)
        self._sock.send(query)
        while True:
            reply = self._sock.recv(4096)
            if reply[:2] == query[:2]:
                return query, reply

    def problems(self, questions: Iterable[Asked]) -> list[str]:
        """Ask each; what is wrong with the answers."""
        found = []
        for asked in questions:
            try:
                problem = wrong(asked, *self.reply(asked), self._longest_ttl)
            except OSError as error:
                problem = f"{asked.name}: no answer ({error})"
            if problem:
                found.append(problem)
        return found
