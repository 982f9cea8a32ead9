"""The canonical form of a query: the same for all spellings that get the same reply, and for no other query."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.message.canonical import canonical, respelled
from resolver.message.query import BadPacket, Query, read_query
from resolver.message.reply import room
from tests.unit.builders import KEEPALIVE_OPTION, opt, query_packet
from tests.unit.spellings import packets

COOKIE = (10, b"8 random")
PADDING = (12, b"\0" * 40)
NSID = (3, b"")
SUBNET = (8, b"\0\1\x18\0\x0a\1\2")

PLAIN = query_packet()
EDNS = query_packet(edns=1232)


@pytest.mark.parametrize(
    ("spelling", "form"),
    [
        (query_packet("WeB.sHoP.", ident=7), PLAIN),
        (query_packet(flags=0x07CF & ~0x0030), PLAIN),
        (query_packet("WEB.shop.", edns=1232), EDNS),
        (query_packet(edns=4096), EDNS),
        (query_packet(edns=100), query_packet(edns=512)),
        (query_packet(edns=1232, options=[COOKIE]), EDNS),
        (query_packet(edns=65535, options=[NSID, SUBNET, COOKIE, PADDING, (65001, b"x")]), EDNS),
        (query_packet(edns=1232, do=True, options=[PADDING]), query_packet(edns=1232, do=True)),
        (query_packet("WEB.shop.", "HTTPS"), query_packet(qtype="HTTPS")),
        (
            query_packet(edns=1232, options=[COOKIE, (KEEPALIVE_OPTION, b"\0\1"), PADDING]),
            query_packet(edns=1232, options=[(KEEPALIVE_OPTION, b"")]),
        ),
    ],
)
def test_what_never_shows_in_a_reply_is_left_out(spelling: bytes, form: bytes) -> None:
    assert canonical(spelling[2:]) == form[2:]
    assert canonical(form[2:]) == form[2:]


def test_what_a_reply_depends_on_tells_forms_apart() -> None:
    different = [
        PLAIN, EDNS, query_packet("web.shop2."), query_packet(qtype="AAAA"), query_packet(qclass="CH"),
        query_packet(flags=0), query_packet(flags=0x0110), query_packet(flags=0x0120), query_packet(edns=1200),
        query_packet(edns=1232, do=True), query_packet(edns=1232, options=[(KEEPALIVE_OPTION, b"")]),
        query_packet(qtype="HTTPS"), query_packet(qtype="TYPE97"),
    ]  # fmt: skip
    assert len({canonical(packet[2:]) for packet in different}) == len(different)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        query_packet(flags=0x8180),
        query_packet(flags=0x2100),
        query_packet(edns=1232, version=1),
        EDNS + b"\0",
        EDNS[:-1],
        PLAIN[:11] + b"\1" + PLAIN[12:],
        PLAIN[:7] + b"\1" + PLAIN[8:],
        EDNS[:11] + b"\2" + EDNS[12:] + opt(),
        EDNS[:12] + b"\3web\4sh",
        EDNS[:-1] + b"\3\0\x0a\0",
        EDNS[:-1] + b"\4\0\x0a\0\1",
    ],
)
def test_what_is_unusual_or_no_query_has_no_form(packet: bytes) -> None:
    assert canonical(packet[2:]) is None


def test_a_reply_is_respelled_as_asked_and_otherwise_the_same() -> None:
    asked = query_packet("wEb.ShOp.", ident=0x4142)
    assert respelled(b"1234567890\3web\4shop\0\0\1\0\1 the rest", asked, 14) == (
        b"AB1234567890\3wEb\4ShOp\0\0\1\0\1 the rest"
    )


LABELS = st.lists(st.binary(min_size=1, max_size=5), max_size=4)
NAMES = LABELS.map(lambda labels: b"".join(bytes((len(label),)) + label for label in labels) + b"\0")


def read(packet: bytes) -> Query | None:
    try:
        return read_query(packet)
    except BadPacket:
        return None


@given(packets(NAMES) | st.binary(max_size=60))
def test_a_form_is_that_of_a_query_exactly_when_the_bytes_are_one(packet: bytes) -> None:
    form = canonical(packet[2:])
    if form is None:
        return
    query, formed = read(packet), read(b"ID" + form)
    assert (query is None) is (formed is None)
    if query is not None and formed is not None:
        assert canonical(form) == form
        assert formed.key == query.key
        assert formed.flags == query.flags & 0x0130
        assert room(formed, tcp=False) == room(query, tcp=False)
        assert (formed.edns and formed.edns[1:]) == (query.edns and query.edns[1:])
