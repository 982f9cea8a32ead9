"""One pass over the records of a server's packet: where they and their TTLs stand, and whether they are well-formed.

Nothing is taken apart or copied. Names are followed to their end, since whoever gets these bytes from us will follow
them, and a hostile packet costs no more than its length times a small constant. What is read along the way is what the
whole of an answer depends on: the OPT record (RFC 6891) and the SOA record's negative TTL (RFC 2308).
"""

from bisect import bisect_left
from struct import Struct

from resolver.message import codes
from resolver.message.query import HEADER_BYTES, MAX_NAME_BYTES, BadPacket

_RECORD = Struct("!HHIH")  # type, class, TTL, RDLENGTH
RECORD_BYTES = 10
_OPTION = Struct("!HH")
MAX_TTL = 0x7FFFFFFF
POINTER = 0xC0
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


class Walk:
    """One pass over the records of a packet.

    Its methods raise BadPacket, and IndexError or struct.error where the packet ends inside a record.
    """

    __slots__ = ("ede", "extended_rcode", "has_opt", "minimum", "offset", "packet", "question_name_bytes", "soa_ttl",
                 "ttl_places", "_known", "_steps")  # fmt: skip

    def __init__(self, packet: bytes, offset: int) -> None:
        self.packet = packet
        self.offset = offset
        self.question_name_bytes = offset - HEADER_BYTES - 4  # negative where there is no question
        self.soa_ttl: int | None = None
        self.minimum = 0
        self.has_opt = False
        self.extended_rcode = 0
        self.ede: tuple[int, bytes] | None = None
        self._known: dict[int, tuple[int, int, int]] = {}
        self._steps = 0
        self.ttl_places: list[int] = []
        """Where the TTLs stand that were met so far, in order."""

    def skip_name(self, offset: int) -> int:
        """The offset after a name, which has at most 255 octets and whose pointers lead backwards, so that they end."""
        packet = self.packet
        start = offset
        while length := packet[offset]:
            if length >= POINTER:
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
        if not HEADER_BYTES <= target < before:
            raise BadPacket("a compression pointer that does not lead backwards")
        end, rest_bytes, _ = self._known.get(target) or self._explore(target)
        if end > before:
            # What comes after may be left out of our reply, or be changed.
            raise BadPacket("a compression pointer to a name that does not end before it")
        if name_bytes + rest_bytes > MAX_NAME_BYTES:
            raise BadPacket("a name of more than 255 octets")

    def _explore(self, place: int) -> tuple[int, int, int]:
        """Look at the name at `place`, which nobody has pointed to yet, and at those that it goes on with.

        (Where its own octets end, the octets of all of it, its pointers.) Each place is looked at once, however many
        point there, and there are no more steps than octets in the packet.
        """
        known, trail = self._known, []
        rest_bytes, jumps, before = 1, 0, len(self.packet)
        while True:
            met = known.get(place)
            end, label_bytes, target = (met[0], 0, -1) if met is not None else self._piece(place)
            if end > before:
                raise BadPacket("a compression pointer to a name that does not end before it")
            if met is not None:
                rest_bytes, jumps = met[1], met[2] + 1
                break
            trail.append((place, end, label_bytes))
            if target < 0:
                break
            if not HEADER_BYTES <= target < place:
                raise BadPacket("a compression pointer that does not lead backwards")
            place, before = target, place
        found = (0, rest_bytes, jumps - 1)
        for start, end, label_bytes in reversed(trail):
            found = known[start] = (end, found[1] + label_bytes, found[2] + 1)
            if found[1] > MAX_NAME_BYTES:
                raise BadPacket("a name of more than 255 octets")
            if found[2] >= _MAX_JUMPS:
                raise BadPacket("a name in too many pieces")
        return found

    def _piece(self, place: int) -> tuple[int, int, int]:
        """The labels at `place`: (where they end with what follows them, their octets, where they go on or -1)."""
        packet, at = self.packet, place
        while 0 < (length := packet[at]) < 64:
            at += length + 1
            self._steps += 1
        self._steps += 1
        if self._steps > len(packet):
            raise BadPacket("names that take more steps than there are octets")
        end = at + (2 if length else 1)
        ttl = bisect_left(self.ttl_places, place - 3)
        if ttl < len(self.ttl_places) and self.ttl_places[ttl] < end:
            raise BadPacket("a compression pointer to a TTL")  # which our reply changes, and the name with it
        if length and length < POINTER:
            raise BadPacket("a reserved label type")
        return end, at - place, ((length & 0x3F) << 8 | packet[at + 1]) if length else -1

    def record(self) -> tuple[int, int, int, int]:
        """Step over one record: (type, TTL, offset of the TTL, offset of the data). RFC 1035 section 4.1.3."""
        fixed = self.skip_name(self.offset)
        rtype, _, ttl, length = _RECORD.unpack_from(self.packet, fixed)
        self.ttl_places.append(fixed + 4)
        data = fixed + RECORD_BYTES
        self.offset = end = data + length
        if end > len(self.packet):
            raise IndexError
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
        return rtype, ttl if ttl <= MAX_TTL else 0, fixed + 4, data

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
