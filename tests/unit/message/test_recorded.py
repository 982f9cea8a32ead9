"""Packets of real programs (tests/cases/recorded.py), damaged in every place: cut off anywhere, each bit turned."""

import pytest

from resolver.message import codes
from resolver.message.answer import Kind, is_answer_to, read_answer
from resolver.message.canonical import canonical
from resolver.message.query import BadPacket, Query, read_query
from resolver.message.reply import room, write_rejection, write_reply
from tests.cases.recorded import ANSWERS, QUERIES, asked_of, flips, truncations
from tests.unit.walker import walk

EACH_QUERY = pytest.mark.parametrize("packet", QUERIES.values(), ids=QUERIES)
EACH_ANSWER = pytest.mark.parametrize("packet", ANSWERS.values(), ids=ANSWERS)
ALL_BITS_BYTES = 700
"""Of longer answers only some bits are turned, in different octets."""


def test_queries_and_answers_are_what_they_are_said_to_be() -> None:
    assert len(QUERIES) > 20
    assert len(ANSWERS) > 30
    for packet in QUERIES.values():
        assert read_query(packet).question
    for packet in ANSWERS.values():
        question = asked_of(packet)
        assert not question or is_answer_to(packet, question)
        if question:
            read_answer(packet, question)


@EACH_QUERY
def test_a_query_that_was_cut_off_anywhere_is_told_so_or_gets_nothing(packet: bytes) -> None:
    for cut in truncations(packet):
        with pytest.raises(BadPacket) as refused:
            read_query(cut)
        reply = write_rejection(cut, refused.value)
        assert (reply is None) == (len(cut) < 12)
        if reply is not None:
            message = walk(reply)
            assert message.flags & codes.RCODE == codes.FORMERR
            assert len(reply) <= len(cut) + 11


@EACH_QUERY
def test_a_query_with_any_bit_turned_is_another_query_or_refused(packet: bytes) -> None:
    for changed in flips(packet):
        query = read_or_refused(changed)
        form = canonical(changed[2:])
        if form is None or not isinstance(query, Query):
            assert isinstance(query, Query) or form is None or read_or_none(b"ID" + form) is None
            continue
        same = read_or_none(b"ID" + form)
        assert same is not None, "who has the form of a query is one"
        assert (same.key, room(same, tcp=False)) == (query.key, room(query, tcp=False))
        assert shown(same) == shown(query), "whatever shows in a reply"


def shown(query: Query) -> tuple[object, ...]:
    edns = query.edns
    flags = query.flags & (codes.RD | codes.CD | codes.AD)
    return flags, edns is None, edns is not None and edns.dnssec_ok, edns is not None and edns.keepalive


def read_or_none(packet: bytes) -> Query | None:
    try:
        return read_query(packet)
    except BadPacket:
        return None


def read_or_refused(packet: bytes) -> Query | bytes | None:
    """The query, or what its sender is told."""
    try:
        return read_query(packet)
    except BadPacket as rejection:
        refused = rejection
    reply = write_rejection(packet, refused)
    assert (reply is None) == (refused.rcode is None)
    if reply is not None:
        message = walk(reply)
        assert message.id == int.from_bytes(packet[:2], "big")
        assert message.flags & codes.QR
    return reply


@EACH_ANSWER
def test_an_answer_that_was_cut_off_anywhere_is_no_answer_or_says_that_it_is_truncated(packet: bytes) -> None:
    question = asked_of(packet)
    if not question:
        return
    for cut in truncations(packet):
        if not is_answer_to(cut, question):
            assert len(cut) < 12 + len(question)
            continue
        if packet[2] & codes.TC >> 8:
            assert read_answer(cut, question).facts.truncated
        else:
            with pytest.raises(BadPacket):
                read_answer(cut, question)


@EACH_ANSWER
def test_an_answer_with_any_bit_turned_gives_a_whole_reply_or_none(packet: bytes) -> None:
    question = asked_of(packet)
    if not question:
        return
    query = read_query(b"ID\1\0\0\1\0\0\0\0\0\1" + question + b"\0\0\x29\4\xd0\0\0\x80\0\0\0")
    step = 1 if len(packet) <= ALL_BITS_BYTES else 2 * (len(packet) // ALL_BITS_BYTES) + 1
    for changed in flips(packet, first=2, step=step):
        if not is_answer_to(changed, question):
            continue
        try:
            answer = read_answer(changed, question, dnssec_ok=True)
        except BadPacket:
            continue
        if answer.facts.kind is not Kind.FAILURE:
            message = walk(write_reply(query, answer, room_bytes=codes.TCP_BYTES, cap=30))
            assert message.questions == [question]
            assert all(record.ttl <= 30 for record in message.records if record.rtype != codes.OPT)
            assert len(message.records) == sum(answer.facts.counts) + 1
