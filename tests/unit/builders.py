"""Packets for tests, made with dnslib: a second opinion about the wire format, independent of the code under test.

Records are written as in a zone file: `web.shop. 30 IN A 10.0.0.1`.
"""

import functools
from collections.abc import Sequence

from dnslib import CLASS, EDNS0, QTYPE, RCODE, RR, DNSHeader, DNSQuestion, DNSRecord, EDNSOption

from resolver.message import names
from resolver.message.answer import Answer, is_answer_to, read_answer
from resolver.message.query import BadPacket, Query, read_query

SOA = "shop. 300 IN SOA ns.shop. admin.shop. 1 3600 600 86400 60"
EDE_OPTION = 15
KEEPALIVE_OPTION = 11


def records(*lines: str) -> list[RR]:
    """Records from lines of a zone file."""
    return [rr for line in lines for rr in RR.fromZone(line)]


def question_wire(name: str, qtype: str = "A", qclass: str = "IN") -> bytes:
    """The question in wire form, spelled as given."""
    labels = [label.encode() for label in name.rstrip(".").split(".") if label]
    wire = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    return wire + number(QTYPE, qtype).to_bytes(2, "big") + number(CLASS, qclass).to_bytes(2, "big")


def number(table: object, word: str) -> int:
    """The number of a type or class, also as TYPE65280 (RFC 3597)."""
    digits = word.lstrip("TYPECLAS")
    return int(digits) if digits.isdigit() else int(getattr(table, word))


def query_packet(
    name: str = "web.shop.", qtype: str = "A", *, qclass: str = "IN", ident: int = 0x1234, flags: int = 0x0100,
    edns: int | None = None, do: bool = False, version: int = 0, options: Sequence[tuple[int, bytes]] = (),
) -> bytes:  # fmt: skip
    """A client's query; `edns` is its UDP size."""
    header = b"".join(part.to_bytes(2, "big") for part in (ident, flags, 1, 0, 0, 0 if edns is None else 1))
    return header + question_wire(name, qtype, qclass) + (b"" if edns is None else opt(edns, do, version, options))


def opt(size: int = 1232, do: bool = False, version: int = 0, options: Sequence[tuple[int, bytes]] = ()) -> bytes:
    """An OPT record."""
    made = [EDNSOption(code, data) for code, data in options]
    return bytes(_packed(EDNS0(udp_len=size, version=version, flags="do" if do else "", opts=made)))


def _packed(rr: RR) -> bytes:
    record = DNSRecord(DNSHeader(id=0), ar=[rr])
    return bytes(record.pack())[12:]


def query(name: str = "web.shop.", qtype: str = "A", **settings: object) -> Query:
    """A query as the resolver reads it."""
    return read_query(query_packet(name, qtype, **settings))  # type: ignore[arg-type]


def answer_packet(
    name: str = "web.shop.", qtype: str = "A", answers: Sequence[str] = (), *, authority: Sequence[str] = (),
    additional: Sequence[str] = (), rcode: str = "NOERROR", tc: bool = False, ad: bool = False, aa: bool = False,
    ident: int = 0x1234, edns: bool = True, ede: tuple[int, bytes] | None = None,
) -> bytes:  # fmt: skip
    """A server's answer, names compressed."""
    sections = tuple(answers), tuple(authority), tuple(additional)
    return _answer_packet(name, qtype, sections, rcode, tc, ad, aa, ident, edns, ede)


@functools.lru_cache(4096)  # properties ask for the same ones again and again
def _answer_packet(
    name: str, qtype: str, sections: tuple[tuple[str, ...], ...], rcode: str, tc: bool, ad: bool, aa: bool,
    ident: int, edns: bool, ede: tuple[int, bytes] | None,
) -> bytes:  # fmt: skip
    header = DNSHeader(id=ident, qr=1, aa=int(aa), tc=int(tc), ad=int(ad), rd=1, ra=1, rcode=getattr(RCODE, rcode))
    record = DNSRecord(header, q=DNSQuestion(name, number(QTYPE, qtype)))
    answers, authority, additional = sections
    record.add_answer(*records(*answers))
    record.add_auth(*records(*authority))
    record.add_ar(*records(*additional))
    if edns or ede is not None:
        options = [] if ede is None else [EDNSOption(EDE_OPTION, ede[0].to_bytes(2, "big") + ede[1])]
        record.add_ar(EDNS0(udp_len=1232, opts=options))
    return bytes(record.pack())


def answer(name: str = "web.shop.", qtype: str = "A", answers: Sequence[str] = (), **settings: object) -> Answer:
    """An answer as the resolver reads it."""
    packet = answer_packet(name, qtype, answers, **settings)  # type: ignore[arg-type]
    return read_answer(packet, question_wire(name.lower(), qtype))


WEB = question_wire("web.shop.")
FIRST_DATA = 12 + len(WEB) + 12
"""Where the data of a first record with a two-byte owner stands in an answer to WEB."""


def raw_record(owner: bytes, rtype: int, data: bytes, ttl: int = 30) -> bytes:
    """A record of class IN, byte by byte."""
    return owner + rtype.to_bytes(2, "big") + b"\0\1" + ttl.to_bytes(4, "big") + len(data).to_bytes(2, "big") + data


def raw_answer(*parts: bytes, counts: tuple[int, int, int] | None = None, flags: int = 0x8180) -> bytes:
    """An answer to WEB, byte by byte; `counts` may lie."""
    header = (0, flags, 1, *(counts or (len(parts), 0, 0)))
    return b"".join(part.to_bytes(2, "big") for part in header) + WEB + b"".join(parts)


def pointer(target: int) -> bytes:
    """A compression pointer."""
    return (0xC000 | target).to_bytes(2, "big")


def addresses(count: int, name: str = "web.shop.", ttl: int = 30) -> list[str]:
    """So many A records."""
    return [f"{name} {ttl} IN A 10.0.{n // 256}.{n % 256}" for n in range(count)]


def parsed(packet: bytes) -> DNSRecord:
    """A packet as dnslib reads it."""
    return DNSRecord.parse(packet)


def shown(packet: bytes) -> list[str]:
    """The answer section of a packet, one line per record."""
    return [line(rr) for rr in parsed(packet).rr]


def line(rr: RR) -> str:
    """One record as in a zone file, single spaces."""
    return " ".join(rr.toZone().split())


def ede_of(packet: bytes) -> tuple[int, str] | None:
    """The extended error of a reply, or None."""
    for rr in parsed(packet).ar:
        for option in rr.rdata if rr.rtype == QTYPE.OPT else ():
            if option.code == EDE_OPTION:
                return int.from_bytes(option.data[:2], "big"), option.data[2:].decode()
    return None


def key(name: str = "web.shop.", qtype: str = "A", bits: int = 0) -> bytes:
    """A cache key."""
    return names.to_wire(name) + number(QTYPE, qtype).to_bytes(2, "big") + b"\0\1" + bytes((bits,))


def read_or_none(packet: bytes, *, dnssec_ok: bool = False) -> Answer | None:
    """What the resolver makes of an answer to WEB; None for a bad packet and for answers to something else."""
    try:
        return read_answer(packet, WEB, dnssec_ok=dnssec_ok) if is_answer_to(packet, WEB) else None
    except BadPacket:
        return None


def framed(*messages: bytes) -> bytes:
    """Messages as they stand on a stream."""
    return b"".join(len(message).to_bytes(2, "big") + message for message in messages)
