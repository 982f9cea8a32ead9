from struct import Struct

import pytest
from dnslib import QTYPE, RD, RR, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from resolver.message.answer import Answer, Facts, Kind, read_answer
from resolver.message.query import BadPacket
from resolver.message.text import class_text, records_text, type_number, type_text

QUESTION = b"\3web\4shop\0\0\xff\0\1"
_RECORD = Struct("!HHIH")


def answer_of(*records: RR) -> Answer:
    reply = DNSRecord.question("web.shop.", "ANY").reply()
    for record in records:
        reply.add_answer(record)
    return read_answer(bytes(reply.pack()), QUESTION)


def one(record: RR) -> str:
    (text,) = records_text(QUESTION, answer_of(record), cap=3600)["answer"]
    return text


@pytest.mark.parametrize(
    "text",
    [
        "web.shop. 30 IN A 10.0.0.1",
        "web.shop. 30 IN AAAA fd00::1",
        "web.shop. 30 IN CNAME x.web.shop.",
        "web.shop. 30 IN MX 10 mail.shop.",
        "web.shop. 30 IN SRV 1 2 53 a.web.shop.",
        'web.shop. 30 IN CAA 0 issue "ca.test"',
        "web.shop. 30 IN SOA ns.shop. hostmaster.shop. 1 2 3 4 5",
        'web.shop. 30 IN TXT "hi there" "you"',
        "web.shop. 30 IN HTTPS 1 . alpn=h2",
        r"web.shop. 30 IN TYPE999 \# 3 01ff03",
    ],
)  # fmt: skip
def test_a_record_is_shown_as_people_write_it(text: str) -> None:
    (record,) = RR.fromZone(text)
    assert one(record) == text


@pytest.mark.parametrize(
    ("rtype", "data", "shown"),
    [
        (QTYPE.HINFO, b"\3abc\0", r"HINFO \# 5 0361626300"),  # of no interest to dnslib
        (QTYPE.TXT, b"\xffabc", r"TXT \# 4 ff616263"),  # a string longer than its record
        (QTYPE.TXT, b'\4a"\\\n', r'TXT "a\"\\\010"'),
        (QTYPE.TLSA, b"\1", r"TLSA \# 1 01"),
        (QTYPE.RRSIG, b"\0\1", r"RRSIG \# 2 0001"),
        (QTYPE.NAPTR, b"\0\1\0\1\1u\1\n\0\0", r"NAPTR \# 10 00010001017501" + "0a0000"),
        (QTYPE.CNAME, b"\3a b\1.\0", r"CNAME a\032b.\.."),
    ],
)
def test_what_cannot_be_read_or_written_is_shown_as_bytes(rtype: int, data: bytes, shown: str) -> None:
    assert one(RR("web.shop.", rtype, ttl=7, rdata=RD(data))) == f"web.shop. 7 IN {shown}"


def test_ttls_are_those_of_a_reply() -> None:
    answer = answer_of(*(RR("web.shop.", QTYPE.A, ttl=ttl, rdata=RD(b"\n\0\0\1")) for ttl in (5, 20, 300)))
    texts = records_text(QUESTION, answer, cap=30, age=10)["answer"]
    assert [text.split()[1] for text in texts] == ["0", "10", "20"]


def test_sections_are_told_apart_and_names_may_point_into_the_question() -> None:
    def record(data: bytes, rtype: int) -> bytes:
        return b"\xc0\x0c" + _RECORD.pack(rtype, 1, 60, len(data)) + data

    question = b"\3web\4shop\0\0\2\0\1"
    packet = b"\0\0\x80\0\0\1\0\1\0\1\0\1" + question
    packet += record(b"\2ns\xc0\x10", QTYPE.NS) + record(b"\xc0\x10", QTYPE.NS) + record(b"\n\0\0\1", QTYPE.A)
    assert records_text(question, read_answer(packet, question), cap=60) == {
        "answer": ["web.shop. 60 IN NS ns.shop."],
        "authority": ["web.shop. 60 IN NS shop."],
        "additional": ["web.shop. 60 IN A 10.0.0.1"],
    }


@given(st.lists(st.tuples(st.sampled_from([*QTYPE.forward, 0, 777]), st.binary(max_size=60)), max_size=4))
def test_no_data_of_any_type_raises(records: list[tuple[int, bytes]]) -> None:
    packet = b"\0\0\x80\0\0\1\0" + bytes((len(records),)) + b"\0\0\0\0" + QUESTION
    packet += b"".join(b"\xc0\x0c" + _RECORD.pack(rtype, 1, 60, len(data)) + data for rtype, data in records)
    try:
        answer = read_answer(packet, QUESTION)
    except BadPacket:
        return
    assert len(records_text(QUESTION, answer, cap=60)["answer"]) == len(records)


@given(st.binary(max_size=80), st.lists(st.integers(0, 70), max_size=5))
def test_an_answer_that_no_server_could_have_sent_does_not_raise_either(sections: bytes, offsets: list[int]) -> None:
    ttls = tuple((offset, 1) for offset in offsets)
    facts = Facts(
        0, Kind.POSITIVE, truncated=False, authentic=False, counts=(len(ttls), 0, 0), answer_bytes=len(sections),
        ttls=ttls, positive_ttl=1, negative_ttl=None, rotation=None, ede=None, has_opt=False,
    )  # fmt: skip
    assert len(records_text(QUESTION, Answer(facts, sections), cap=60)["answer"]) == len(ttls)


def test_types_have_names_or_numbers() -> None:
    assert [type_number(text) for text in ("aaaa", "TYPE28", "28", "HTTPS", "type65535")] == [28, 28, 28, 65, 65535]
    assert [type_text(number) for number in (1, 65, 61234)] == ["A", "HTTPS", "TYPE61234"]
    assert [class_text(number) for number in (1, 3, 77)] == ["IN", "CH", "CLASS77"]


@pytest.mark.parametrize("text", ["", "AAAAA", "TYPE", "TYPE65536", "-1", "TYPE²", "1.0"])
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no record type"):
        type_number(text)
