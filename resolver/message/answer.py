"""The door for bytes that come from upstream servers: `read_answer` gives an Answer or raises BadPacket, on any input.

An answer is walked once, record by record, and never taken apart: its sections stay the bytes that the server sent,
and the walk only notes where the TTLs stand. Because a reply to a client repeats the same question (same length, maybe
other letters), compression pointers inside these bytes stay right, and a reply is a copy with the TTLs patched.
Only a tail can be cut off (the OPT record, sections nobody asked for), since names only ever point backwards.
"""

from enum import Enum
from struct import Struct
from struct import error as StructError  # noqa: N812 - the class has a lower-case name
from typing import NamedTuple

from resolver.message import codes
from resolver.message.query import HEADER, HEADER_BYTES, MAX_NAME_BYTES, BadPacket

_RECORD = Struct("!HHIH")  # type, class, TTL, RDLENGTH
_RECORD_BYTES = 10
_OPTION = Struct("!HH")
_MAX_TTL = 0x7FFFFFFF
_POINTER = 0xC0
_MAX_JUMPS = 32
"""Compressors write one pointer per name and chains of a few; this bounds what a hostile packet can cost."""
_MAX_EDE_TEXT_BYTES = 200  # what is kept of a server's sentence, so that memory does not depend on its length

# Where names stand in the data of the types that may carry compressed ones (RFC 1035 section 3.3, RFC 3597 section 4):
# (bytes before the first name, how many names).
_NAMES_IN_DATA = {
    codes.NS: (0, 1), codes.CNAME: (0, 1), codes.PTR: (0, 1), codes.DNAME: (0, 1), codes.SOA: (0, 2),
    codes.MX: (2, 1), codes.SRV: (6, 1),
}  # fmt: skip
_ADDRESS_BYTES = {codes.A: 4, codes.AAAA: 16}
# The types whose additional records help the asker; for the others the reply ends after the answer section.
_USEFUL_ADDITIONALS = frozenset((codes.SRV, codes.MX, codes.NS, 35, 64, 65))


class Kind(Enum):
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


class Answer(NamedTuple):
    """What one upstream server said to one question."""

    rcode: int
    kind: Kind
    truncated: bool
    authentic: bool
    """AD: the server validated the data (RFC 4035 section 3.2.3)."""
    sections: bytes
    """All records after the question, without OPT; pointers are relative to a message with this question."""
    counts: tuple[int, int, int]
    """Records in the answer, authority and additional section of `sections`."""
    answer_bytes: int
    """Where the answer section ends in `sections`."""
    ttls: tuple[tuple[int, int], ...]
    """(offset in `sections`, TTL in seconds) of every record."""
    positive_ttl: int
    """Smallest TTL of the answer section; 0 when it is empty."""
    negative_ttl: int | None
    """min(SOA TTL, SOA MINIMUM) (RFC 2308 section 5); None: no SOA, not to be remembered as negative."""
    rotation: Rotation | None
    ede: tuple[int, bytes] | None
    """The first extended error of the server's OPT record (code, UTF-8 text)."""
    has_opt: bool

    @property
    def memory_bytes(self) -> int:
        """About what it takes to remember this answer, counted with the objects around the bytes."""
        return len(self.sections) + 250 + 100 * len(self.ttls)


def is_answer_to(packet: bytes, question: bytes) -> bool:
    """Whether `packet` is a response to `question` (wire form, lower case). The ID is the caller's to match.

    A server that cannot read a query may leave the question out of its error (RFC 9619 allows QDCOUNT 0 there);
    NXDOMAIN is no such error: it says something about a name, so it has to say about which.
    """
    if len(packet) < HEADER_BYTES:
        return False
    flags = packet[2] << 8 | packet[3]
    if not flags & codes.QR or flags & codes.OPCODE:
        return False
    end = HEADER_BYTES + len(question)
    echoed = packet[HEADER_BYTES:end]
    if echoed == question or (echoed[-4:] == question[-4:] and echoed[:-4].lower() == question[:-4]):
        return packet[4] == 0 and packet[5] == 1
    return packet[4:6] == b"\0\0" and flags & codes.RCODE not in (codes.NOERROR, codes.NXDOMAIN)


class _Walk:
    """One pass over the records of a packet."""

    __slots__ = ("ede", "extended_rcode", "has_opt", "minimum", "offset", "packet", "question_name_bytes", "soa_ttl")

    def __init__(self, packet: bytes, offset: int) -> None:
        self.packet = packet
        self.offset = offset
        self.question_name_bytes = offset - HEADER_BYTES - 4  # negative where there is no question
        self.soa_ttl: int | None = None
        self.minimum = 0
        self.has_opt = False
        self.extended_rcode = 0
        self.ede: tuple[int, bytes] | None = None

    def skip_name(self, offset: int) -> int:
        """The offset after a name, which has at most 255 octets and whose pointers lead backwards, so that they end."""
        packet = self.packet
        start = offset
        while length := packet[offset]:
            if length >= _POINTER:
                target = (length & 0x3F) << 8 | packet[offset + 1]
                if target == HEADER_BYTES and self.question_name_bytes > 0:  # nearly always: the name asked for
                    if offset - start + self.question_name_bytes > MAX_NAME_BYTES:
                        raise BadPacket("a name of more than 255 octets")
                else:
                    self._follow(target, start, offset - start)
                return offset + 2
            if length > 63:
                raise BadPacket("a reserved label type")
            offset += length + 1
        if offset + 1 - start > MAX_NAME_BYTES:
            raise BadPacket("a name of more than 255 octets")
        return offset + 1

    def _follow(self, target: int, before: int, name_bytes: int) -> None:
        """Check the rest of a name of which `name_bytes` are known; it may lie in data that nobody has looked at."""
        packet = self.packet
        for _ in range(_MAX_JUMPS):
            if not HEADER_BYTES <= target < before:
                raise BadPacket("a compression pointer that does not lead backwards")
            at = before = target
            while 0 < (length := packet[at]) < 64:
                at += length + 1
            name_bytes += at - target
            if name_bytes >= MAX_NAME_BYTES:
                raise BadPacket("a name of more than 255 octets")
            if length == 0:
                return
            if length < _POINTER:
                raise BadPacket("a reserved label type")
            target = (length & 0x3F) << 8 | packet[at + 1]
        raise BadPacket("a name in too many pieces")

    def record(self) -> tuple[int, int, int, int]:
        """Step over one record: (type, TTL, offset of the TTL, offset of the data). RFC 1035 section 4.1.3."""
        fixed = self.skip_name(self.offset)
        rtype, _, ttl, length = _RECORD.unpack_from(self.packet, fixed)
        data = fixed + _RECORD_BYTES
        self.offset = end = data + length
        if end > len(self.packet):
            raise BadPacket("a record longer than its packet")
        if rtype in _NAMES_IN_DATA:
            skip, names = _NAMES_IN_DATA[rtype]
            at = data + skip
            for _ in range(names):
                at = self.skip_name(at)
            if at + (20 if rtype == codes.SOA else 0) != end:
                raise BadPacket("record data of the wrong length")
        elif length != _ADDRESS_BYTES.get(rtype, length):
            raise BadPacket("an address of the wrong length")
        # A TTL with the top bit set means zero (RFC 2181 section 8).
        return rtype, ttl if ttl <= _MAX_TTL else 0, fixed + 4, data

    def data_record(self) -> tuple[int, int, int]:
        """Step over a record of the answer or authority section: (type, TTL, offset of the TTL)."""
        rtype, ttl, ttl_at, _ = self.record()
        if rtype == codes.OPT:
            raise BadPacket("an OPT record outside the additional section")
        return rtype, ttl, ttl_at

    def read_opt(self, ttl_at: int, data: int) -> None:
        """The rcode's upper bits and the first extended error of an OPT record."""
        if self.has_opt:
            raise BadPacket("more than one OPT record")
        self.has_opt = True
        self.extended_rcode = self.packet[ttl_at] << 4
        while data + 4 <= self.offset:
            option, length = _OPTION.unpack_from(self.packet, data)
            data += 4
            if option == codes.OPTION_EDE and 2 <= length <= self.offset - data and self.ede is None:
                text = self.packet[data + 2 : data + min(length, 2 + _MAX_EDE_TEXT_BYTES)]
                self.ede = (self.packet[data] << 8 | self.packet[data + 1], text)
            data += length

    def read_soa(self, ttl: int) -> None:
        """The negative TTL that a SOA record in the authority section stands for."""
        if self.soa_ttl is None:
            self.soa_ttl = ttl
            self.minimum = int.from_bytes(self.packet[self.offset - 4 : self.offset], "big")


def read_answer(packet: bytes, question: bytes, *, dnssec_ok: bool = False) -> Answer:
    """Read a packet for which `is_answer_to(packet, question)` holds; raises BadPacket and nothing else."""
    try:
        return _read_answer(packet, question, dnssec_ok=dnssec_ok)
    except (IndexError, StructError):
        raise BadPacket("ends inside a record") from None


def _read_answer(packet: bytes, question: bytes, *, dnssec_ok: bool) -> Answer:
    _, flags, questions, answer_count, authority_count, additional_count = HEADER.unpack_from(packet)
    base = HEADER_BYTES + (len(question) if questions else 0)
    walk = _Walk(packet, base)
    qtype = question[-4] << 8 | question[-3]
    ttls: list[tuple[int, int]] = []
    answered = False
    positive_ttl = _MAX_TTL
    for _ in range(answer_count):
        rtype, ttl, ttl_at = walk.data_record()
        ttls.append((ttl_at - base, ttl))
        answered = answered or qtype in (rtype, codes.ANY)
        positive_ttl = min(positive_ttl, ttl)
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
    return Answer(
        rcode=rcode,
        kind=kind,
        truncated=bool(flags & codes.TC),
        authentic=bool(flags & codes.AD),
        sections=sections,
        counts=(answer_count, authority_count, additionals),
        answer_bytes=answer_end - base,
        ttls=tuple(ttls[:kept_ttls]),
        positive_ttl=positive_ttl if answer_count else 0,
        negative_ttl=None if walk.soa_ttl is None else min(walk.soa_ttl, walk.minimum),
        rotation=_rotation(sections, qtype, ttls) if answer_count > 1 and kept_ttls == answer_count else None,
        ede=walk.ede,
        has_opt=walk.has_opt,
    )


def _read_additionals(walk: _Walk, count: int, base: int, ttls: list[tuple[int, int]]) -> tuple[int, int]:
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
    record_bytes = 2 + _RECORD_BYTES + (4 if qtype == codes.A else 16)
    last = ttls[-1][0] - 6
    head = sections[last : last + 6]
    if len(head) < 6 or head[0] < _POINTER or head[2] << 8 | head[3] != qtype:
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
