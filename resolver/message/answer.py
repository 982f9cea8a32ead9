"""The door for bytes that come from upstream servers: `read_answer` gives an Answer or raises BadPacket, on any input.

An answer is walked once, record by record, and never taken apart: its sections stay the bytes that the server sent,
and the walk only notes where the TTLs stand. Because a reply to a client repeats the same question (same length, maybe
other letters), compression pointers inside these bytes stay right, and a reply is a copy with the TTLs patched.
Only a tail can be cut off (the OPT record, sections nobody asked for), since names only ever point backwards.
"""

from enum import StrEnum
from functools import lru_cache
from struct import Struct
from struct import error as StructError  # noqa: N812 - the class has a lower-case name
from typing import NamedTuple

from resolver.message import codes
from resolver.message.query import HEADER, HEADER_BYTES, BadPacket
from resolver.message.walk import MAX_TTL, POINTER, RECORD_BYTES, Walk

# The types whose additional records help the asker; for the others the reply ends after the answer section.
_RESPONSE_BITS = (codes.QR | codes.OPCODE) >> 8
_RESPONSE = codes.QR >> 8
# By type: owner (the name asked for), type and class IN; RDLENGTH; the bytes of the whole record.
_ADDRESSES = {
    b"\0\x01": (b"\xc0\x0c\0\x01\0\x01", b"\0\x04", 16),
    b"\0\x1c": (b"\xc0\x0c\0\x1c\0\x01", b"\0\x10", 28),
}
_ADDRESS_FACTS = 1024
_OTHER_FACTS = 256
_FEW = 16
"""Facts with more TTLs than this are not shared: each would be an object of its own all the same."""
_TTL = Struct("!I")
_OPT_BYTES = 11
_USEFUL_ADDITIONALS = frozenset((codes.SRV, codes.MX, codes.NS, 35, 64, 65))


class Kind(StrEnum):
    """What an answer says, as far as remembering it goes (RFC 2308 section 2)."""

    POSITIVE = "success"
    NODATA = "nodata"
    NXDOMAIN = "denial"
    FAILURE = "failure"
    """Any other rcode: the server did not answer the question."""


class Rotation(NamedTuple):
    """A run of equally long A or AAAA records that may change places (offsets in Answer.sections)."""

    start: int
    record_bytes: int
    records: int


class Facts(NamedTuple):
    """Everything about an answer but its records: one object for all answers that have it in common, as most do."""

    rcode: int
    kind: Kind
    truncated: bool
    authentic: bool
    """AD: the server validated the data (RFC 4035 section 3.2.3)."""
    counts: tuple[int, int, int]
    """Records in the answer, authority and additional section of `Answer.sections`."""
    answer_bytes: int
    """Where the answer section ends in `Answer.sections`."""
    ttls: tuple[tuple[int, int], ...]
    """(offset in `Answer.sections`, TTL in seconds) of every record."""
    positive_ttl: int
    """Smallest TTL of the answer section; 0 when it is empty."""
    negative_ttl: int | None
    """min(SOA TTL, SOA MINIMUM) (RFC 2308 section 5); None: no SOA, not to be remembered as negative."""
    rotation: Rotation | None
    ede: tuple[int, bytes] | None
    """The first extended error of the server's OPT record (code, UTF-8 text)."""
    has_opt: bool


class Answer(NamedTuple):
    """What one upstream server said to one question."""

    facts: Facts
    sections: bytes
    """All records after the question, without OPT; pointers are relative to a message with this question."""


def is_answer_to(packet: bytes, question: bytes) -> bool:
    """Whether `packet` is a response to `question` (wire form, lower case). The ID is the caller's to match.

    A server that cannot read a query may leave the question out of its error (RFC 9619 allows QDCOUNT 0 there);
    NXDOMAIN is no such error: it says something about a name, so it has to say about which.
    """
    if len(packet) < HEADER_BYTES:
        return False
    if packet[2] & _RESPONSE_BITS != _RESPONSE:
        return False
    if packet.startswith(question, HEADER_BYTES):
        return packet[4] == 0 and packet[5] == 1
    echoed = packet[HEADER_BYTES : HEADER_BYTES + len(question)]
    if echoed[-4:] == question[-4:] and echoed[:-4].lower() == question[:-4]:
        return packet[4] == 0 and packet[5] == 1
    return packet[4:6] == b"\0\0" and packet[3] & codes.RCODE not in (codes.NOERROR, codes.NXDOMAIN)


def read_answer(packet: bytes, question: bytes, *, dnssec_ok: bool = False) -> Answer:
    """Read a packet for which `is_answer_to(packet, question)` holds; raises BadPacket and nothing else.

    An answer with TC may be cut off anywhere (RFC 2181 section 9): if it ends inside a record it has none.
    """
    try:
        return _read_addresses(packet, question) or _read_any(packet, question, dnssec_ok=dnssec_ok)
    except (IndexError, StructError):
        if packet[2] & codes.TC >> 8:
            return _cut_off(packet)
        raise BadPacket("ends inside a record") from None


def _read_addresses(packet: bytes, question: bytes) -> Answer | None:
    """The shape of most answers, read in one step: addresses of the name asked for, and at most a bare OPT record.

    None: it is another one, and `_read_any` has to look. Both read the same out of a packet that has this shape.
    `make bench`, work "misses", pays for it: a sixth of the CPU of a miss.
    """
    _, flags, questions, count, authorities, additionals = HEADER.unpack_from(packet)
    shape = _ADDRESSES.get(question[-4:-2])
    if flags & (codes.TC | codes.RCODE) or authorities or additionals > 1 or shape is None or questions != 1:
        return None
    head, length, record_bytes = shape
    base = HEADER_BYTES + len(question)
    end = base + count * record_bytes
    if not 0 < count <= _FEW or len(packet) < end or (additionals and not _is_bare_opt(packet, end)):
        return None
    ttls = b""
    for at in range(base, end, record_bytes):
        if not packet.startswith(head, at) or not packet.startswith(length, at + 10):
            return None
        ttls += packet[at + 6 : at + 10]
    facts = _address_facts(ttls, record_bytes, flags & codes.AD, additionals)
    return None if facts is None else Answer(facts, packet[base:end])


@lru_cache(_ADDRESS_FACTS)
def _address_facts(ttls: bytes, record_bytes: int, authentic: int, opts: int) -> Facts | None:
    """What there is to know of one or more such records beside their addresses. None: a TTL with the top bit set."""
    seconds = [ttl for (ttl,) in _TTL.iter_unpack(ttls)]
    if max(seconds) > MAX_TTL:
        return None
    count = len(seconds)
    return Facts(
        rcode=codes.NOERROR,
        kind=Kind.POSITIVE,
        truncated=False,
        authentic=bool(authentic),
        counts=(count, 0, 0),
        answer_bytes=count * record_bytes,
        ttls=tuple((number * record_bytes + 6, ttl) for number, ttl in enumerate(seconds)),
        positive_ttl=min(seconds),
        negative_ttl=None,
        rotation=Rotation(0, record_bytes, count) if count > 1 else None,
        ede=None,
        has_opt=bool(opts),
    )


@lru_cache(_OTHER_FACTS)
def _shared(facts: Facts) -> Facts:
    """Facts equal to these that were met before, or these."""
    return facts


def _is_bare_opt(packet: bytes, at: int) -> bool:
    """Whether the packet ends with an OPT record without options and without the upper bits of an rcode."""
    return (
        len(packet) == at + _OPT_BYTES
        and packet.startswith(b"\0\0\x29", at)
        and packet[at + 5] == 0
        and packet.endswith(b"\0\0")
    )


def _read_any(packet: bytes, question: bytes, *, dnssec_ok: bool) -> Answer:
    _, flags, questions, answer_count, authority_count, additional_count = HEADER.unpack_from(packet)
    base = HEADER_BYTES + (len(question) if questions else 0)
    walk = Walk(packet, base)
    qtype = question[-4] << 8 | question[-3]
    ttls, positive_ttl, answered = _read_answers(walk, answer_count, qtype)
    answer_end = walk.offset
    for _ in range(authority_count):
        rtype, ttl, ttl_at = walk.data_record()
        ttls.append((ttl_at - base, ttl))
        if rtype == codes.SOA:
            walk.read_soa(ttl)
    authority_end, kept_ttls = walk.offset, len(ttls)
    end, additionals = _read_additionals(walk, additional_count, base, ttls)
    rcode = flags & codes.RCODE | walk.extended_rcode
    kind = _kind(rcode, answered=answered)
    if kind is Kind.POSITIVE and not dnssec_ok and qtype not in _USEFUL_ADDITIONALS:
        end, authority_count, additionals, kept_ttls = answer_end, 0, 0, answer_count
    elif additionals == 0:
        end = authority_end
    else:
        kept_ttls = len(ttls)
    sections = packet[base:end]
    facts = Facts(
        rcode=rcode,
        kind=kind,
        truncated=bool(flags & codes.TC),
        authentic=bool(flags & codes.AD),
        counts=(answer_count, authority_count, additionals),
        answer_bytes=answer_end - base,
        ttls=tuple(ttls[:kept_ttls]),
        positive_ttl=positive_ttl,
        negative_ttl=None if walk.soa_ttl is None else min(walk.soa_ttl, walk.minimum),
        rotation=_rotation(sections, qtype, ttls[:kept_ttls])
        if answer_count > 1 and kept_ttls == answer_count
        else None,
        ede=walk.ede,
        has_opt=walk.has_opt,
    )
    return Answer(facts if kept_ttls > _FEW else _shared(facts), sections)


def _read_answers(walk: Walk, count: int, qtype: int) -> tuple[list[tuple[int, int]], int, bool]:
    """The answer section: (places and values of the TTLs, the smallest or 0, whether a record is of this type)."""
    base, answered, smallest = walk.offset, False, MAX_TTL
    ttls = []
    for _ in range(count):
        rtype, ttl, ttl_at = walk.data_record()
        ttls.append((ttl_at - base, ttl))
        answered = answered or qtype in (rtype, codes.ANY)
        smallest = min(smallest, ttl)
    return ttls, smallest if count else 0, answered


def _cut_off(packet: bytes) -> Answer:
    """What is left of an answer that was cut in the middle of a record: the news that it was."""
    rcode = packet[3] & codes.RCODE
    facts = Facts(
        rcode=rcode, kind=_kind(rcode, answered=False), truncated=True, authentic=False, counts=(0, 0, 0),
        answer_bytes=0, ttls=(), positive_ttl=0, negative_ttl=None, rotation=None, ede=None, has_opt=False,
    )  # fmt: skip
    return Answer(facts, b"")


def _read_additionals(walk: Walk, count: int, base: int, ttls: list[tuple[int, int]]) -> tuple[int, int]:
    """Where the additional records worth keeping end, and how many they are: those before an OPT or TSIG record.

    Cutting there keeps every compression pointer right; servers put OPT last, so nothing is lost in practice.
    """
    end, kept, keeping = walk.offset, 0, True
    for _ in range(count):
        rtype, ttl, ttl_at, data = walk.record()
        if rtype == codes.OPT:
            walk.read_opt(ttl_at, data)
        keeping = keeping and rtype not in (codes.OPT, codes.TSIG)
        if keeping:
            ttls.append((ttl_at - base, ttl))
            end, kept = walk.offset, kept + 1
    return end, kept


def _kind(rcode: int, *, answered: bool) -> Kind:
    if rcode == codes.NXDOMAIN:
        return Kind.NXDOMAIN
    if rcode != codes.NOERROR:
        return Kind.FAILURE
    return Kind.POSITIVE if answered else Kind.NODATA


def _rotation(sections: bytes, qtype: int, ttls: list[tuple[int, int]]) -> Rotation | None:
    """The address records at the end of `sections`, if they can change places byte by byte.

    That is so when each has a two-byte compressed owner, the same one, and nothing follows that could point into them.
    """
    if qtype not in (codes.A, codes.AAAA):
        return None
    record_bytes = 2 + RECORD_BYTES + (4 if qtype == codes.A else 16)
    last = ttls[-1][0] - 6
    head = sections[last : last + 6]
    if len(head) < 6 or head[0] < POINTER or head[2] << 8 | head[3] != qtype:
        return None
    count = 1
    while count < len(ttls) and ttls[-count - 1][0] - 6 == last - count * record_bytes:
        at = last - count * record_bytes
        if at < 0 or sections[at : at + 6] != head:
            break
        count += 1
    if count < 2:
        return None
    return Rotation(last - (count - 1) * record_bytes, record_bytes, count)
