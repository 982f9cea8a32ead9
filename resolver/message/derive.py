"""Answers made from answers to other questions: an alias to another name, and the addresses of one family left out.

What is written here is read by `read_answer` like what a server has written, so nothing that is remembered has another
shape. dnslib takes the records apart, whose names have to be compressed anew; few resolvers need it.
"""

from dnslib import CNAME, QTYPE, RR, DNSHeader, DNSLabel, DNSQuestion, DNSRecord

from resolver.message import codes
from resolver.message.answer import Answer, Kind, read_answer
from resolver.message.query import HEADER, BadPacket, Query
from resolver.message.reply import write_reply

MOST_BYTES = 4096
"""Of an answer whose records are taken apart: dnslib takes 2 ms for a KiB, in which nobody else is answered."""
_SOA_NUMBERS = b"".join(number.to_bytes(4, "big") for number in (1, 3600, 600, 86400))


def alias(question: bytes, ttl: int, target: bytes, answer: Answer, age: int) -> Answer:
    """The answer to `question` (wire form) that says: an alias, for `ttl` seconds, of `target`, and what that has.

    `answer` is the answer to the same type at `target`, `age` seconds old. Raises BadPacket where its records cannot
    be taken apart, or are more than MOST_BYTES.
    """
    if len(answer.sections) > MOST_BYTES:
        raise BadPacket("too long to be taken apart")
    try:
        told = DNSRecord.parse(_packet(target + question[-4:], answer, age))
        owner = _label(question[:-4])
        record = DNSRecord(
            DNSHeader(id=0, qr=1, rd=1, ra=1, rcode=answer.facts.rcode & codes.RCODE),
            q=DNSQuestion(owner, told.q.qtype, told.q.qclass),
            rr=[RR(owner, QTYPE.CNAME, ttl=ttl, rdata=CNAME(_label(target))), *told.rr],
            auth=told.auth,
        )
        return read_answer(bytes(record.pack()), question)
    except Exception as error:  # noqa: BLE001 - dnslib's parsers raise whatever their code runs into
        raise BadPacket(f"records that cannot be taken apart: {error}") from None


def without_addresses(question: bytes, zone: bytes, ttl: int, answer: Answer, age: int) -> Answer:
    """The answer to an AAAA `question` in a zone where there are none: no such name, or a name without such data.

    `answer` is the one for its A records, `age` seconds old: whether the name exists is the same for all types. One
    that says yes has no SOA record to remember a no by, so that is made up, for the `zone` and with `ttl` seconds.
    """
    if answer.facts.kind is not Kind.POSITIVE:
        return read_answer(_packet(question, answer, age), question)
    seconds = ttl.to_bytes(4, "big")
    data = zone + b"\6nobody\7invalid\0" + _SOA_NUMBERS + seconds
    soa = zone + codes.SOA.to_bytes(2, "big") + b"\0\1" + seconds + len(data).to_bytes(2, "big") + data
    header = HEADER.pack(0, codes.QR | codes.RD | codes.RA, 1, 0, 1, 0)
    return read_answer(header + question + soa, question)


def _packet(question: bytes, answer: Answer, age: int) -> bytes:
    query = Query(b"\0\0", codes.RD, question, question + b"\0", 0, codes.CLASS_IN, None)
    return write_reply(query, answer, room_bytes=codes.TCP_BYTES, cap=0x7FFFFFFF, age=age)


def _label(name: bytes) -> DNSLabel:
    labels, offset = [], 0
    while length := name[offset]:
        labels.append(name[offset + 1 : offset + 1 + length])
        offset += length + 1
    return DNSLabel(labels)
