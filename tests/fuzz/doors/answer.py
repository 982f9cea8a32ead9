"""Answers of servers: read, remembered, written for clients now and later, shown to people, carried to a successor.

Whatever a reply holds must have been in the server's packet: owner, type, class and data of each record, names written
out by an independent reader. TTLs never grow; what is remembered survives a hand-over unchanged.

Input: an octet of switches, then the packet; the question is the one that the packet repeats, or web.shop.
"""

from collections.abc import Iterator

from resolver.cache import snapshot
from resolver.cache.store import Store
from resolver.message import codes
from resolver.message.answer import Answer, is_answer_to, read_answer
from resolver.message.query import BadPacket, read_query
from resolver.message.reply import Ede, write_reply
from resolver.message.text import records_text
from tests.cases.recorded import ANSWERS, asked_of
from tests.fuzz.replies import MAX_TTL, check_reply, expanded
from tests.unit.builders import WEB
from tests.unit.walker import Record
from tests.unit.world import zone

ZONE = zone(".")
NOW = 1000.0
DNSSEC_OK, EDNS, TCP, STALE, SPELLED = 1, 2, 4, 8, 16


def seeds() -> Iterator[bytes]:
    for number, packet in enumerate(ANSWERS.values()):
        yield bytes((number % 32,)) + packet[:5000]


def check(data: bytes) -> None:
    if len(data) < 13:
        return
    switches, packet = data[0], data[1:]
    question = _question(packet)
    if not is_answer_to(packet, question):
        return
    try:
        answer = read_answer(packet, question, dnssec_ok=bool(switches & DNSSEC_OK))
    except BadPacket:
        return
    _check_replies(packet, question, answer, switches)
    if answer.facts.counts != (0, 0, 0):
        records_text(question, answer, cap=MAX_TTL)
    _check_memory(question, answer, switches)


def _question(packet: bytes) -> bytes:
    try:
        question = asked_of(packet)
        read_query(b"ID\1\0\0\1\0\0\0\0\0\0" + question)
    except (IndexError, BadPacket):
        return WEB
    return question or WEB


def _check_replies(packet: bytes, question: bytes, answer: Answer, switches: int) -> None:
    spelled = question[:-4].upper() + question[-4:] if switches & SPELLED else question
    edns = (b"\0\1", b"\0\0\x29\4\xd0\0\0\x80\0\0\0") if switches & EDNS else (b"\0\0", b"")
    asked = read_query(b"ID\1\x10\0\1\0\0\0\0" + edns[0] + spelled + edns[1])
    ede = Ede(*((answer.facts.ede[0], answer.facts.ede[1].decode("utf-8", "replace")) if answer.facts.ede else (3,)))
    known: set[tuple[object, ...]] | None = None
    ttls: list[int] | None = None
    for age in (0, 1, MAX_TTL + 1):
        reply = write_reply(
            asked, answer, room_bytes=codes.TCP_BYTES if switches & TCP else 512, cap=MAX_TTL, age=age,
            turn=switches >> 5, ede=ede if switches & STALE else None, keepalive_seconds=10.0,
        )  # fmt: skip
        assert len(reply) <= (codes.TCP_BYTES if switches & TCP else 512)
        message = check_reply(reply, b"ID")
        assert message.questions == [spelled]
        records = [record for record in expanded(reply) if record.rtype != codes.OPT]
        if known is None and records:
            known = {_said(record) for record in expanded(packet[: _end(packet)])}
        assert {_said(record) for record in records} <= (known or set()), "records that nobody has sent"
        now = [record.ttl for record in records]
        assert ttls is None or len(ttls) != len(now) or all(then >= ttl for then, ttl in zip(ttls, now, strict=True))
        ttls = now


def _said(record: Record) -> tuple[object, ...]:
    return record.section, record.owner, record.rtype, record.rclass, record.data


def _end(packet: bytes) -> int:
    """Where the last record ends."""
    at = 12
    counts = [int.from_bytes(packet[place : place + 2], "big") for place in range(4, 12, 2)]
    for number in range(sum(counts)):
        while packet[at] and packet[at] < 0xC0:
            at += packet[at] + 1
        at += 2 if packet[at] else 1
        at += 4 if number < counts[0] else 10 + int.from_bytes(packet[at + 8 : at + 10], "big")
    return at


def _check_memory(question: bytes, answer: Answer, switches: int) -> None:
    store = Store(1 << 20)
    key = question + bytes((switches & 1,))
    entry = store.put(key, answer, ZONE, ".", "server", NOW)
    assert store.bytes >= 0
    if entry is None:
        return
    assert 0 < entry.ttl <= MAX_TTL
    assert entry.answer == answer
    assert len(entry.answer.sections) <= store.bytes <= store.max_bytes
    if question[-2:] != b"\0\1" or question[:-4] != question[:-4].lower():
        return
    reader = snapshot.Reader()
    (taken,) = reader.feed(snapshot.MARK + snapshot.write(entry), NOW)
    assert (taken.key, taken.answer.sections, taken.stored_at) == (key, answer.sections, NOW)
    assert taken.answer.facts == answer.facts._replace(has_opt=False, ede=None, truncated=False)
