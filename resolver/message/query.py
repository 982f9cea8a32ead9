"""The door for bytes that come from clients: `read_query` gives a Query or raises BadPacket, on any input.

A query is small and regular (header, one question, at most an OPT record), so it is read by hand in one pass that
follows no compression pointer: its cost is bounded by its length, and nothing but BadPacket can come out.
"""

from functools import lru_cache
from struct import Struct
from struct import error as StructError  # noqa: N812 - the class has a lower-case name
from typing import NamedTuple

from resolver.message import codes

HEADER = Struct("!HHHHHH")  # ID, flags, QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT
HEADER_BYTES = 12
MAX_NAME_BYTES = 255  # RFC 1035 section 2.3.4, length octets included
MOST_OPTIONS = 32
"""In an OPT record of a client. Those in use send one to four; each beyond costs more than the octets it takes."""
MOST_ADDITIONALS = 8
"""Records beside the question. Clients send an OPT record, and perhaps a signature."""
_MAX_LABEL_BYTES = 63
_KNOWN_OPTS = 64
_TYPE_CLASS = Struct("!HH")
_OPT_FIXED = Struct("!HHBBHH")  # type, UDP size, extended rcode, version, flags, RDLENGTH
_OPTION = Struct("!HH")
_RR_FIXED_BYTES = 10
_DO = 0x8000
_NO_QUERY = codes.QR | codes.OPCODE
_BARE_HEADER = HEADER.pack(0, codes.RD, 1, 0, 0, 0)


class BadPacket(Exception):
    """Bytes that are no usable DNS message.

    `rcode` is what the sender should be told (FORMERR, NOTIMP, REFUSED, BADVERS), or None when nothing must be sent.
    """

    def __init__(self, reason: str, rcode: int | None = codes.FORMERR) -> None:
        super().__init__(reason)
        self.rcode = rcode


class Edns(NamedTuple):
    """What a client's OPT record says (RFC 6891 section 6)."""

    udp_bytes: int
    """The largest UDP payload it can take, at least 512 (section 6.2.3)."""
    dnssec_ok: bool
    keepalive: bool
    """Whether it asks for edns-tcp-keepalive (RFC 7828); says nothing over UDP."""


class Query(NamedTuple):
    """One question of one client."""

    id: bytes
    """Two bytes, returned as they came."""
    flags: int
    """The header's flag word as sent."""
    question: bytes
    """Name, type and class in wire form, letters as the client spelled them."""
    key: bytes
    """What the cache knows this question by: lower-case name, type, class, and a byte for DO and CD."""
    qtype: int
    qclass: int
    edns: Edns | None

    @property
    def name(self) -> bytes:
        """The name in lower-case wire form, without compression."""
        return self.key[:-5]


def read_query(packet: bytes) -> Query:
    """Read one client's packet; raises BadPacket (and nothing else) for whatever is not a query with one question.

    Sources: RFC 1035 section 4.1, RFC 6891 section 6.1, RFC 9619 (QDCOUNT is 1), RFC 8906 section 3.1.
    """
    if len(packet) < HEADER_BYTES:
        raise BadPacket("shorter than a header", None)
    _, flags, questions, answers, authorities, additionals = HEADER.unpack_from(packet)
    if questions != 1 or flags & _NO_QUERY:
        raise _no_query(flags, questions)
    try:
        name_end = _name_end(packet, HEADER_BYTES)
        qtype, qclass = _TYPE_CLASS.unpack_from(packet, name_end)
        end = name_end + 4
        if answers or authorities:  # an IXFR rightly carries a SOA record (RFC 1995 section 3); no other query does
            rcode = codes.REFUSED if qtype == codes.IXFR else codes.FORMERR
            raise BadPacket("a query with records in its answer or authority section", rcode)
        edns = _read_additional(packet[end:], additionals) if additionals else None
        if not additionals and end != len(packet):
            raise BadPacket("bytes after the last record")
    except (IndexError, StructError):
        raise BadPacket("ends inside a record") from None
    bits = 0 if edns is None or not edns.dnssec_ok else 1
    if flags & codes.CD:
        bits |= 2
    # Only the name is folded: a type such as HTTPS (0x0041) holds the byte of a letter.
    # Length octets are below 64, so lower() cannot touch them.
    key = packet[HEADER_BYTES:name_end].lower() + packet[name_end:end] + _BITS[bits]
    return Query(packet[:2], flags, packet[HEADER_BYTES:end], key, qtype, qclass, edns)


def _no_query(flags: int, questions: int) -> BadPacket:
    if flags & codes.QR:
        return BadPacket("a response, not a query", None)
    if flags & codes.OPCODE:
        return BadPacket("operation not implemented", codes.NOTIMP)
    return BadPacket(f"{questions} questions in one query")


def salvage(packet: bytes) -> Query:
    """What can be read of a packet that `read_query` refuses: ID, flags, and the question, or an empty one.

    The packet has a header at least. Raises nothing.
    """
    question = b""
    if packet[4:6] != b"\0\0":
        offset = HEADER_BYTES
        while offset < min(len(packet), HEADER_BYTES + MAX_NAME_BYTES) and 0 < packet[offset] <= _MAX_LABEL_BYTES:
            offset += packet[offset] + 1
        try:
            question = read_query(_BARE_HEADER + packet[HEADER_BYTES : offset + 5]).question
        except BadPacket:
            question = b""
    qtype, qclass = _TYPE_CLASS.unpack(question[-4:]) if question else (0, 0)
    key = question[:-4].lower() + question[-4:] + b"\0"
    return Query(packet[:2], packet[2] << 8 | packet[3], question, key, qtype, qclass, None)


_BITS = (b"\0", b"\1", b"\2", b"\3")


def _name_end(packet: bytes, offset: int) -> int:
    """The offset after an uncompressed name; BadPacket for pointers, IndexError where the packet ends too early."""
    start = offset
    while length := packet[offset]:
        if length > _MAX_LABEL_BYTES:
            raise BadPacket("a compressed or reserved label in a query")
        offset += length + 1
        if offset - start >= MAX_NAME_BYTES:
            raise BadPacket("a name of more than 255 octets")
    return offset + 1


@lru_cache(_KNOWN_OPTS)  # clients of one kind send the same one with every query; exceptions are not kept
def _read_additional(records: bytes, count: int) -> Edns | None:
    """The OPT record among `count` additional records, if there is one; other records are stepped over."""
    if count > MOST_ADDITIONALS:
        raise BadPacket("too many additional records")
    edns = None
    offset = 0
    for _ in range(count):
        owner_end = _name_end(records, offset)
        rtype, udp_bytes, _, version, flags, length = _OPT_FIXED.unpack_from(records, owner_end)
        data = owner_end + _RR_FIXED_BYTES
        if data + length > len(records):
            raise IndexError
        if rtype == codes.OPT:
            if edns is not None:
                raise BadPacket("more than one OPT record")
            if owner_end != offset + 1:
                raise BadPacket("an OPT record whose owner is not the root")
            if version != 0:
                raise BadPacket(f"EDNS version {version}", codes.BADVERS)
            keepalive = _has_keepalive(records, data, data + length) if length else False
            edns = Edns(max(udp_bytes, codes.PLAIN_UDP_BYTES), bool(flags & _DO), keepalive)
        offset = data + length
    if offset != len(records):
        raise BadPacket("bytes after the last record")
    return edns


def _has_keepalive(packet: bytes, offset: int, end: int) -> bool:
    """Step over the options, which must fill the OPT record exactly; all but keepalive are ignored (RFC 6891)."""
    found = False
    options = 0
    while offset < end:
        options += 1
        if options > MOST_OPTIONS:
            raise BadPacket("too many EDNS options")
        if offset + 4 > end:
            raise BadPacket("an EDNS option that ends early")
        option, length = _OPTION.unpack_from(packet, offset)
        offset += 4 + length
        found = found or option == codes.OPTION_KEEPALIVE
    if offset != end:
        raise BadPacket("an EDNS option longer than its OPT record")
    return found
