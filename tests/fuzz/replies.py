"""What must hold of whatever the resolver sends, for a reader that shares no code with it (tests/unit/walker.py)."""

from resolver.message import codes
from tests.unit.walker import Message, Record, _name, walk

MAX_TTL = 30
"""The default bound of a zone; stale answers tell no more either."""
_NAMES_IN_DATA = {2: (0, 1), 5: (0, 1), 12: (0, 1), 39: (0, 1), 6: (0, 2), 15: (2, 1), 33: (6, 1)}


def check_reply(reply: bytes, query: bytes) -> Message:
    """The reply to this packet, read; AssertionError if something about it is wrong whatever the query was."""
    message = walk(reply)
    assert reply[:2] == query[:2], "the ID of the query"
    assert message.flags & codes.QR
    assert len(message.questions) <= 1
    opts = [record for record in message.records if record.rtype == codes.OPT]
    assert len(opts) <= 1
    assert all(record.ttl <= MAX_TTL for record in message.records if record.rtype != codes.OPT)
    if message.flags & codes.TC:
        assert len(message.records) == len(opts), "no partial set"
    return message


def expanded(packet: bytes) -> list[Record]:
    """All records of a packet with the names in their data written out: equal exactly if they mean the same."""
    records = []
    message = walk(packet)
    offset = 12 + sum(len(question) for question in message.questions)
    for record in message.records:
        _, at = _name(packet, offset)
        offset = at + 10 + len(record.data)
        records.append(record._replace(data=_data(packet, record, at + 10)))
    return records


def _data(packet: bytes, record: Record, at: int) -> bytes:
    if record.rtype not in _NAMES_IN_DATA:
        return record.data
    fixed, names = _NAMES_IN_DATA[record.rtype]
    data, end = record.data[:fixed], at + len(record.data)
    at += fixed
    for _ in range(names):
        name, at = _name(packet, at)
        data += name
    return data + packet[at:end]
