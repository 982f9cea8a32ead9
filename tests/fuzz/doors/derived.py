"""Answers made from answers: an alias before what a server says, the addresses of one family left out.

Input: an octet of switches, the seconds that have passed, then the server's packet.
"""

from collections.abc import Iterator

from resolver.message import codes
from resolver.message.answer import is_answer_to, read_answer
from resolver.message.derive import alias, without_addresses
from resolver.message.query import BadPacket, read_query
from resolver.message.reply import write_reply
from tests.cases.recorded import ANSWERS, asked_of
from tests.fuzz.replies import MAX_TTL, check_reply

OTHER = b"\3www\7example\3com\4shop\3svc\7cluster\5local\0"
ZONE = b"\5local\0"


def seeds() -> Iterator[bytes]:
    for number, packet in enumerate(ANSWERS.values()):
        yield bytes((number % 2, number)) + packet


def check(data: bytes) -> None:
    if len(data) < 14:
        return
    packet = data[2:]
    try:
        question = asked_of(packet)
        read_query(b"ID\1\0\0\1\0\0\0\0\0\0" + question)
        if not is_answer_to(packet, question):
            return
        answer = read_answer(packet, question)
    except (IndexError, BadPacket):
        return
    asked = OTHER + (b"\0\x1c\0\1" if data[0] & 1 else question[-4:])
    try:
        if data[0] & 1:
            made = without_addresses(asked, ZONE, 10, answer, data[1])
        else:
            made = alias(asked, 10, question[:-4], answer, data[1])
    except BadPacket:
        return
    query = read_query(b"ID\1\0\0\1\0\0\0\0\0\0" + asked)
    reply = write_reply(query, made, room_bytes=codes.TCP_BYTES, cap=MAX_TTL)
    message = check_reply(reply, b"ID")
    assert message.questions == [asked]
    if data[0] & 1:
        assert not [record for record in message.section("answer") if record.rtype == codes.AAAA]
