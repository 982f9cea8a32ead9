"""A second reader of DNS messages, strict and slow: what the resolver sends must be whole, whatever it was made from.

dnslib refuses names that are legal on the wire (octets above 127), so replies to hostile input are read with this.
"""

from typing import NamedTuple


class Record(NamedTuple):
    """One record, names with pointers resolved, in lower case."""

    section: str
    owner: bytes
    rtype: int
    rclass: int
    ttl: int
    data: bytes


class Message(NamedTuple):
    """A whole message without a byte too many."""

    id: int
    flags: int
    questions: list[bytes]
    records: list[Record]

    def section(self, name: str) -> list[Record]:
        return [record for record in self.records if record.section == name]


def walk(packet: bytes) -> Message:
    """The message in `packet`; AssertionError or IndexError if it is not one."""
    counts = [int.from_bytes(packet[at : at + 2], "big") for at in range(4, 12, 2)]
    questions, records, offset = [], [], 12
    for _ in range(counts[0]):
        _, end = _name(packet, offset)
        questions.append(packet[offset : end + 4])
        offset = end + 4
    for section, count in zip(("answer", "authority", "additional"), counts[1:], strict=True):
        for _ in range(count):
            owner, at = _name(packet, offset)
            offset = at + 10 + int.from_bytes(packet[at + 8 : at + 10], "big")
            rtype, rclass, ttl = (int.from_bytes(packet[at + a : at + b], "big") for a, b in ((0, 2), (2, 4), (4, 8)))
            records.append(Record(section, owner, rtype, rclass, ttl, packet[at + 10 : offset]))
            assert offset <= len(packet)
    assert offset == len(packet)
    return Message(int.from_bytes(packet[:2], "big"), int.from_bytes(packet[2:4], "big"), questions, records)


def _name(packet: bytes, offset: int) -> tuple[bytes, int]:
    """The whole name at an offset, and where its own bytes end."""
    name, end, jumps = b"", 0, 0
    while length := packet[offset]:
        if length >= 0xC0:
            end = end or offset + 2
            offset = (length & 0x3F) << 8 | packet[offset + 1]
            jumps += 1
            assert jumps < 128
            continue
        assert length < 64
        assert offset + 1 + length < len(packet)
        name += packet[offset : offset + 1 + length]
        offset += 1 + length
    assert len(name) < 255
    return name.lower() + b"\0", end or offset + 1
