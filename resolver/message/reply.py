"""Replies to clients: a client's own header and question, the sections of a remembered answer, and our OPT record."""

from struct import Struct
from typing import NamedTuple

from resolver.message import codes
from resolver.message.answer import Answer, Facts, Kind, Rotation
from resolver.message.query import HEADER, HEADER_BYTES, BadPacket, Query, salvage

_TTL = Struct("!I")
_OPT = Struct("!BHHBBHH")  # root, type, UDP size, extended rcode, version, flags, RDLENGTH
_BARE_OPT = _OPT.pack(0, codes.OPT, codes.EDNS_UDP_BYTES, 0, 0, 0, 0)
_BARE_OPT_DO = _OPT.pack(0, codes.OPT, codes.EDNS_UDP_BYTES, 0, 0, 0x8000, 0)
_OPTION = Struct("!HH")
_AFTER_ID = Struct("!HHHHH")  # flags, QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT
STALE_TTL = 30  # RFC 8767 section 4
MAX_ROTATIONS = 8
_EDE_TEXT_BYTES = 200  # leaves room for everything else in 512 bytes


class Ede(NamedTuple):
    """An extended DNS error (RFC 8914): a code and a sentence for people."""

    code: int
    text: str = ""


def room(query: Query, *, tcp: bool) -> int:
    """The bytes a reply to this query may have: contract, RFC 6891 section 6.2.3 and RFC 1035 section 4.2."""
    if tcp:
        return codes.TCP_BYTES
    if query.edns is None:
        return codes.PLAIN_UDP_BYTES
    return min(query.edns.udp_bytes, codes.EDNS_UDP_BYTES)


def write_reply(
    query: Query,
    answer: Answer,
    *,
    room_bytes: int,
    cap: int,
    age: int = 0,
    turn: int = 0,
    ede: Ede | None = None,
    keepalive_seconds: float | None = None,
) -> bytes:
    """The reply that gives `answer` to `query`, at most `room_bytes` long.

    Every TTL is the server's, at most `cap` seconds, less `age` seconds. `turn` rotates an address set.
    Where the room is too small, additional and authority records of a positive answer go first (RFC 2181 section 9);
    then the reply carries TC and no records at all, so that no partial set is ever used.
    """
    facts, records = answer
    rcode, counts = facts.rcode, facts.counts
    opt = write_opt(query, rcode, ede, keepalive_seconds)
    fixed_bytes = HEADER_BYTES + len(query.question) + len(opt)
    if fixed_bytes + len(records) > room_bytes and ede is not None and ede.text:
        opt = write_opt(query, rcode, Ede(ede.code), keepalive_seconds)
        fixed_bytes = HEADER_BYTES + len(query.question) + len(opt)
    flags = codes.QR | codes.RA | query.flags & (codes.RD | codes.CD) | rcode & codes.RCODE
    if fixed_bytes + len(records) <= room_bytes:
        records = _dated(records, facts.ttls, cap, age)
        if turn and facts.rotation is not None:
            records = _rotated(records, facts.rotation, turn)
    elif facts.kind is Kind.POSITIVE and fixed_bytes + facts.answer_bytes <= room_bytes:
        records = _dated(records[: facts.answer_bytes], facts.ttls[: counts[0]], cap, age)
        counts = (counts[0], 0, 0)
    else:
        flags |= codes.TC
        records, counts = b"", (0, 0, 0)
    if facts.authentic and (query.flags & codes.AD or (query.edns is not None and query.edns.dnssec_ok)):
        flags |= codes.AD  # RFC 6840 section 5.8
    answers, authorities, additionals = counts
    header = _AFTER_ID.pack(flags, 1, answers, authorities, additionals + 1 if opt else additionals)
    return query.id + header + query.question + records + opt


def write_failure(query: Query, rcode: int, ede: Ede | None = None, *, keepalive_seconds: float | None = None) -> bytes:
    """A reply without records: rcode and, for clients that speak EDNS, the reason."""
    opt = write_opt(query, rcode, ede, keepalive_seconds)
    header = HEADER.pack(0, _flags(query.flags, rcode), 1, 0, 0, 1 if opt else 0)
    return b"".join((query.id, header[2:], query.question, opt))


def write_rejection(packet: bytes, rejection: BadPacket) -> bytes | None:
    """The reply to a packet that `read_query` refused; None when nothing may be sent (responses, fragments).

    It repeats the question where there is a readable one, and carries an OPT record for BADVERS, which needs it.
    """
    rcode = rejection.rcode
    if rcode is None:
        return None
    flags = (packet[2] << 8 | packet[3]) & codes.OPCODE | _flags(packet[2] << 8 | packet[3], rcode)
    question = salvage(packet).question
    opt = _OPT.pack(0, codes.OPT, codes.EDNS_UDP_BYTES, rcode >> 4, 0, 0, 0) if rcode > codes.RCODE else b""
    header = HEADER.pack(0, flags, 1 if question else 0, 0, 0, 1 if opt else 0)
    return b"".join((packet[:2], header[2:], question, opt))


def write_opt(query: Query, rcode: int, ede: Ede | None, keepalive_seconds: float | None) -> bytes:
    """Our OPT record, or nothing for a client that sent none (RFC 6891 section 6.1.1)."""
    edns = query.edns
    if edns is None:
        return b""
    if ede is None and rcode <= codes.RCODE and not (edns.keepalive and keepalive_seconds is not None):
        return _BARE_OPT_DO if edns.dnssec_ok else _BARE_OPT
    options = b""
    if ede is not None:
        text = ede.text.encode("utf-8", "replace")[:_EDE_TEXT_BYTES]
        text = text.decode("utf-8", "ignore").encode()  # no half letter at the end
        options = _OPTION.pack(codes.OPTION_EDE, 2 + len(text)) + ede.code.to_bytes(2, "big") + text
    if keepalive_seconds is not None and edns.keepalive:
        tenths = min(int(keepalive_seconds * 10), 0xFFFF)  # RFC 7828 section 3.1: units of 100 ms
        options += _OPTION.pack(codes.OPTION_KEEPALIVE, 2) + tenths.to_bytes(2, "big")
    dnssec_ok = 0x8000 if edns.dnssec_ok else 0
    return _OPT.pack(0, codes.OPT, codes.EDNS_UDP_BYTES, rcode >> 4, 0, dnssec_ok, len(options)) + options


def _flags(query_flags: int, rcode: int) -> int:
    """QR and RA set, RD and CD as asked (RFC 1035 section 4.1.1, RFC 4035 section 3.2.2), low bits of the rcode."""
    return codes.QR | codes.RA | query_flags & (codes.RD | codes.CD) | rcode & codes.RCODE


def _dated(records: bytes, ttls: tuple[tuple[int, int], ...], cap: int, age: int) -> bytes:
    if len(ttls) == 1:  # nearly always: one record, and no copy for patching it
        ((offset, ttl),) = ttls
        if 0 < ttl <= cap and not age:  # 0 may stand for a number with the top bit set (RFC 2181 section 8)
            return records
        return records[:offset] + _TTL.pack(max(min(ttl, cap) - age, 0)) + records[offset + 4 :]
    dated = bytearray(records)
    for offset, ttl in ttls:
        _TTL.pack_into(dated, offset, max(min(ttl, cap) - age, 0))
    return bytes(dated)


def _rotated(records: bytes, rotation: Rotation, turn: int) -> bytes:
    start, record_bytes, records_count = rotation
    end = start + records_count * record_bytes
    middle = start + turn % records_count * record_bytes
    return records[:start] + records[middle:end] + records[start:middle] + records[end:]


def rotations(reply: bytes, query: Query, rotation: Rotation, first: int = 0) -> tuple[bytes, ...]:
    """A reply in the orders of its address set that follow turn `first`; just itself where TC left no records.

    Of a large set at most MAX_ROTATIONS, spread evenly: with another `first` each second every address has its turn.
    """
    if reply[2] & 2:
        return (reply,)
    start, record_bytes, count = rotation
    moved = Rotation(HEADER_BYTES + len(query.question) + start, record_bytes, count)
    orders = min(count, MAX_ROTATIONS)
    return tuple(_rotated(reply, moved, first + order * count // orders) for order in range(orders))


def counts_down(reply: bytes, query: Query, facts: Facts) -> bool:
    """Whether this reply stays right for as long as the TTLs of all the answer's records are counted down in place.

    Not one that lacks records, nor one of an address set whose orders have to change, or whose TTLs differ.
    """
    rotation = facts.rotation
    if rotation is not None:
        first = facts.counts[0] - rotation.records
        if rotation.records > MAX_ROTATIONS or len({ttl for _, ttl in facts.ttls[first : facts.counts[0]]}) > 1:
            return False
    _, _, _, answers, authorities, additionals = HEADER.unpack_from(reply)
    return bool(answers + authorities + additionals - (query.edns is not None) == len(facts.ttls))
