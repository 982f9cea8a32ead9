"""Replies to clients: their own ID and spelling, TTLs that only count down, and never more than there is room for."""

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from resolver.message import codes
from resolver.message.answer import Answer, Kind
from resolver.message.query import Query, read_query
from resolver.message.reply import Ede, room, rotations, write_failure, write_opt, write_reply
from tests.unit.builders import (
    FIRST_DATA,
    KEEPALIVE_OPTION,
    SOA,
    addresses,
    answer,
    answer_packet,
    ede_of,
    parsed,
    pointer,
    query,
    query_packet,
    question_wire,
    raw_answer,
    raw_record,
    read_or_none,
    shown,
)
from tests.unit.walker import walk

WHOLE = 65535


def reply_to(asked: Query, said: Answer, **settings: int) -> bytes:
    return write_reply(asked, said, **{"room_bytes": WHOLE, "cap": 30, **settings})  # type: ignore[arg-type]


def test_id_spelling_rd_and_cd_come_back_as_sent() -> None:
    reply = reply_to(query("WeB.shop.", ident=0xABCD, flags=0x0110), answer(answers=addresses(1)))
    assert reply[:2] == b"\xab\xcd"
    assert reply[12 : 12 + len(question_wire("web.shop."))] == question_wire("WeB.shop.")
    assert int.from_bytes(reply[2:4], "big") == codes.QR | codes.RD | codes.RA | codes.CD


def test_the_answers_owner_names_follow_the_clients_spelling() -> None:
    assert shown(reply_to(query("WeB.shop."), answer(answers=addresses(1)))) == ["WeB.shop. 30 IN A 10.0.0.0"]


def test_rd_is_clear_where_it_was_clear() -> None:
    assert not int.from_bytes(reply_to(query(flags=0), answer())[2:4], "big") & codes.RD


def test_a_ttl_with_the_top_bit_set_leaves_as_zero() -> None:
    said = read_or_none(raw_answer(raw_record(b"\xc0\x0c", codes.A, b"abcd", 0x80000000)))
    assert said is not None
    (record,) = parsed(reply_to(query(), said)).rr
    assert record.ttl == 0


@pytest.mark.parametrize(
    ("ttl", "cap", "age", "shown_ttl"),
    [
        (300, 30, 0, 30),
        (300, 30, 29, 1),
        (300, 30, 30, 0),
        (300, 30, 99, 0),
        (5, 30, 0, 5),
        (5, 30, 3, 2),
        (0, 9, 0, 0),
    ],
)
def test_a_ttl_is_capped_first_and_counts_down_from_there(ttl: int, cap: int, age: int, shown_ttl: int) -> None:
    reply = reply_to(query(), answer(answers=addresses(1, ttl=ttl)), cap=cap, age=age)
    assert [rr.ttl for rr in parsed(reply).rr] == [shown_ttl]


@pytest.mark.parametrize(
    ("asked", "tcp", "expected"),
    [
        (query(), False, 512),
        (query(edns=100), False, 512),
        (query(edns=1000), False, 1000),
        (query(edns=1232), False, 1232),
        (query(edns=4096), False, 1232),
        (query(), True, 65535),
        (query(edns=512), True, 65535),
    ],
)
def test_room_is_what_the_client_can_take_and_1232_at_most(asked: Query, tcp: bool, expected: int) -> None:
    assert room(asked, tcp=tcp) == expected


def test_a_set_that_does_not_fit_is_left_out_as_a_whole_and_tc_is_set() -> None:
    reply = reply_to(query(), answer(answers=addresses(40)), room_bytes=512)
    assert parsed(reply).header.tc == 1
    assert parsed(reply).rr == []
    assert parsed(reply).q.qname == "web.shop."


def test_records_that_nobody_asked_for_are_left_out_without_tc() -> None:
    said = answer(
        qtype="SRV",
        answers=["web.shop. 30 IN SRV 1 1 80 a.shop."],
        additional=[f"a.shop. 30 IN A 10.0.0.{n}" for n in range(40)],
    )
    reply = parsed(reply_to(query(qtype="SRV"), said, room_bytes=512))
    assert (reply.header.tc, len(reply.rr), len(reply.auth), len(reply.ar)) == (0, 1, 0, 0)


def test_a_reason_gives_way_to_records() -> None:
    said = answer(answers=addresses(28))
    without = len(reply_to(query(edns=512), said))
    reply = write_reply(query(edns=512), said, room_bytes=without + 6, cap=30, ede=Ede(3, "a long story"))
    assert ede_of(reply) == (3, "")
    assert len(shown(reply)) == 28


@pytest.mark.parametrize(("flags", "edns", "do", "passed_on"), [
    (0x0100, None, False, False), (0x0120, None, False, True), (0x0100, 1232, True, True), (0x0100, 1232, False, False),
])  # fmt: skip
def test_ad_is_for_those_who_understand_it(flags: int, edns: int | None, do: bool, passed_on: bool) -> None:
    reply = reply_to(query(flags=flags, edns=edns, do=do), answer(answers=addresses(1), ad=True))
    assert bool(parsed(reply).header.ad) is passed_on


def test_only_who_speaks_edns_gets_an_opt_record() -> None:
    assert parsed(write_failure(query(), codes.SERVFAIL, Ede(22))).ar == []
    reply = write_failure(query(edns=4096, do=True), codes.SERVFAIL, Ede(22, "no answer"))
    (opt,) = parsed(reply).ar
    assert (opt.rtype, opt.rclass, opt.ttl) == (codes.OPT, 1232, 0x8000)
    assert ede_of(reply) == (22, "no answer")


def test_an_answers_own_opt_record_is_not_passed_on() -> None:
    said = answer(rcode="NXDOMAIN", authority=[SOA], ede=(15, b"blocked"))
    assert parsed(reply_to(query(), said)).ar == []


@pytest.mark.parametrize(("seconds", "tenths"), [(10.0, 100), (0.0, 0), (1e6, 0xFFFF)])
def test_the_idle_time_is_told_to_who_asks_for_it(seconds: float, tenths: int) -> None:
    asks = query(edns=1232, options=[(KEEPALIVE_OPTION, b"")])
    (option,) = parsed(write_failure(asks, 0, keepalive_seconds=seconds)).ar[0].rdata
    assert (option.code, bytes(option.data)) == (KEEPALIVE_OPTION, tenths.to_bytes(2, "big"))
    assert parsed(write_failure(query(edns=1232), 0, keepalive_seconds=seconds)).ar[0].rdata == []


@given(st.text())
def test_any_reason_is_utf_8_and_short(text: str) -> None:
    opt = write_opt(query(edns=512), 0, Ede(0, text), None)
    assert len(opt) <= 11 + 6 + 200
    assert opt[17:].decode() == text[: len(opt[17:].decode())] or "\ud800" <= max(text) <= "\udfff"


def orders(reply: bytes) -> list[str]:
    return [record.split()[-1] for record in shown(reply)]


def test_each_turn_begins_with_another_address() -> None:
    said = answer(answers=addresses(3))
    first = [orders(reply_to(query(), said, turn=turn))[0] for turn in range(4)]
    assert first == ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.0"]


def test_rotations_hold_the_same_records_in_other_orders() -> None:
    said = answer(answers=["web.shop. 20 IN CNAME front.shop.", *addresses(3, "front.shop.")])
    assert said.facts.rotation is not None
    made = [shown(reply) for reply in rotations(reply_to(query(), said), query(), said.facts.rotation)]
    assert [records[0].split()[3] for records in made] == ["CNAME"] * 3
    assert len({tuple(records) for records in made}) == 3
    assert len({frozenset(records) for records in made}) == 1


@pytest.mark.parametrize("count", [2, 7, 8, 9, 20, 50])
def test_every_address_of_a_large_set_comes_first_at_some_turn(count: int) -> None:
    said = answer(answers=addresses(count))
    assert said.facts.rotation is not None
    base = reply_to(query(), said)
    first = {orders(reply)[0] for turn in range(count) for reply in rotations(base, query(), said.facts.rotation, turn)}
    assert len(first) == count


def test_a_truncated_reply_has_nothing_to_rotate() -> None:
    said = answer(answers=addresses(40))
    assert said.facts.rotation is not None
    reply = reply_to(query(), said, room_bytes=512)
    assert rotations(reply, query(), said.facts.rotation) == (reply,)


SHAPES = st.sampled_from(
    [
        answer_packet(answers=addresses(1)),
        answer_packet(answers=addresses(30)),
        answer_packet(answers=addresses(80)),
        answer_packet(answers=["web.shop. 20 IN CNAME front.shop.", *addresses(3, "front.shop.", ttl=900)]),
        answer_packet(answers=[f"web.shop. 30 IN TXT {'x' * 200}" for _ in range(3)]),
        answer_packet(rcode="NXDOMAIN", authority=[SOA]),
        answer_packet(authority=[SOA], additional=addresses(30, "ns.shop.")),
        answer_packet(answers=addresses(3), authority=["shop. 9999 IN NS ns.shop."], ad=True),
    ]
)
QUERIES = st.builds(
    query_packet, st.sampled_from(["web.shop.", "WEB.SHOP.", "Web.shop."]), ident=st.integers(0, 0xFFFF),
    flags=st.sampled_from([0, 0x0100, 0x0110, 0x0120]), edns=st.none() | st.integers(0, 5000), do=st.booleans(),
    options=st.sampled_from([(), ((KEEPALIVE_OPTION, b""),), ((10, b"12345678"),)]),
)  # fmt: skip
SECONDS = st.integers(0, 100)
REASONS = st.none() | st.builds(Ede, st.integers(0, 30), st.text(max_size=300))


@given(QUERIES, SHAPES, st.booleans(), st.booleans(), SECONDS, SECONDS, st.integers(0, 9), REASONS)
def test_every_reply_is_whole_fits_and_tells_no_higher_ttl_with_age(
    asking: bytes, said: bytes, dnssec_ok: bool, tcp: bool, cap: int, age: int, turn: int, reason: Ede | None
) -> None:
    asked, read = read_query(asking), read_or_none(said, dnssec_ok=dnssec_ok)
    assert read is not None
    room_bytes = room(asked, tcp=tcp)
    reply, later = (
        write_reply(asked, read, room_bytes=room_bytes, cap=cap, age=a, turn=turn, ede=reason, keepalive_seconds=10.0)
        for a in (age, age + 1)
    )
    assert len(reply) <= room_bytes
    assert reply[:2] == asking[:2]
    assert reply[12 : 12 + len(asked.question)] == asked.question
    shown_now, shown_later = parsed(reply), parsed(later)
    if shown_now.header.tc:
        assert not shown_now.rr
        assert not shown_now.auth
    else:
        assert len(shown_now.rr) == read.facts.counts[0]
        if read.facts.kind is not Kind.POSITIVE:
            assert len(shown_now.auth) == read.facts.counts[1]
    for now, then in zip(shown_now.rr + shown_now.auth, shown_later.rr + shown_later.auth, strict=True):
        assert max(cap - age, 0) >= now.ttl >= then.ttl
    assert len([rr for rr in shown_now.ar if rr.rtype == codes.OPT]) == (asked.edns is not None)


HOSTILE_RECORDS = st.lists(
    st.builds(
        raw_record,
        st.sampled_from([b"\xc0\x0c", b"\0", b"\1a\0", pointer(FIRST_DATA), pointer(FIRST_DATA + 4)]),
        st.sampled_from([codes.A, codes.AAAA, codes.CNAME, codes.SOA, codes.SRV, codes.OPT, codes.TSIG, 16, 65280]),
        st.sampled_from([b"abcd", b"", b"\xc0\x0c", b"\1a\0", pointer(FIRST_DATA), b"\xc0\x0c\xc0\x0c" + b"\0" * 20])
        | st.binary(max_size=20),
        st.integers(0, 0xFFFFFFFF),
    ),
    max_size=6,
)


@settings(suppress_health_check=[HealthCheck.filter_too_much])  # with some seeds, most of these packets are none
@given(HOSTILE_RECORDS, st.data(), st.booleans(), st.integers(0, 9))
def test_whatever_a_server_sends_the_reply_is_well_formed(
    parts: list[bytes], data: st.DataObject, dnssec_ok: bool, turn: int
) -> None:
    answers = data.draw(st.integers(0, len(parts)))
    authority = data.draw(st.integers(0, len(parts) - answers))
    counts = (answers, authority, len(parts) - answers - authority)
    rcode = data.draw(st.sampled_from([0, 3]))
    said = read_or_none(raw_answer(*parts, counts=counts, flags=0x8180 | rcode), dnssec_ok=dnssec_ok)
    assume(said is not None)
    assert said is not None
    asked = query("WEB.shop.", edns=1232, do=dnssec_ok)
    plain = walk(reply_to(asked, said))
    assert all(record.ttl <= 30 for record in plain.records if record.rtype != codes.OPT)
    turned = walk(reply_to(asked, said, turn=turn))
    assert sorted(turned.records) == sorted(plain.records)
    assert len(turned.records) == sum(said.facts.counts) + 1


@given(st.data())
def test_the_reply_to_a_mutated_answer_is_well_formed(data: st.DataObject) -> None:
    packet = bytearray(data.draw(SHAPES))
    for _ in range(data.draw(st.integers(1, 5))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    said = read_or_none(bytes(packet[: data.draw(st.integers(len(packet) // 2, len(packet)))]))
    if said is not None and said.facts.kind is not Kind.FAILURE:
        walk(reply_to(query(), said, turn=data.draw(st.integers(0, 3))))
