"""What becomes of bytes from clients: a Query, or BadPacket with the rcode they should be told."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from resolver.message import codes, names
from resolver.message.query import MOST_ADDITIONALS, MOST_OPTIONS, BadPacket, Query, read_query
from resolver.message.reply import write_rejection
from tests.unit.builders import KEEPALIVE_OPTION, opt, parsed, query, query_packet, question_wire
from tests.unit.walker import walk

HEADER = query_packet()[:12]


def with_counts(packet: bytes, *counts: int) -> bytes:
    return packet[:4] + b"".join(count.to_bytes(2, "big") for count in counts) + packet[12:]


def rejection_of(packet: bytes) -> BadPacket:
    with pytest.raises(BadPacket) as caught:
        read_query(packet)
    return caught.value


def test_a_query_is_read_with_the_spelling_of_its_client() -> None:
    read = query("Web.SHOP.", "AAAA", ident=0xBEEF)
    assert read.id == b"\xbe\xef"
    assert read.question == question_wire("Web.SHOP.", "AAAA")
    assert names.to_text(read.name) == "web.shop."
    assert (read.qtype, read.qclass, read.edns) == (codes.AAAA, codes.CLASS_IN, None)


def test_spelling_does_not_matter_to_the_key() -> None:
    assert query("WEB.shop.").key == query("web.SHOP.").key


def test_a_type_whose_number_looks_like_a_letter_is_not_folded() -> None:
    assert query(qtype="HTTPS").key != query(qtype="TYPE97").key  # 0x41 and 0x61


def test_do_and_cd_are_part_of_the_key() -> None:
    variants = {
        query(edns=1232).key,
        query(edns=1232, do=True).key,
        query(flags=0x0110).key,
        query(flags=0x0110, edns=1232, do=True).key,
    }
    assert len(variants) == 4
    assert query().key == query(edns=4096).key


def test_flags_that_say_nothing_about_the_answer_are_not_part_of_the_key() -> None:
    assert query(flags=0x0000).key == query(flags=0x0120).key  # RD, AD


@pytest.mark.parametrize("length", range(12))
def test_less_than_a_header_gets_no_answer(length: int) -> None:
    packet = query_packet()[:length]
    rejection = rejection_of(packet)
    assert rejection.rcode is None
    assert write_rejection(packet, rejection) is None


def test_a_response_gets_no_answer() -> None:
    packet = query_packet(flags=0x8100)
    rejection = rejection_of(packet)
    assert rejection.rcode is None
    assert write_rejection(packet, rejection) is None


@pytest.mark.parametrize("opcode", range(1, 16))
def test_other_operations_are_not_implemented(opcode: int) -> None:
    packet = query_packet(flags=opcode << 11)
    rejection = rejection_of(packet)
    reply = write_rejection(packet, rejection)
    assert reply is not None
    header = parsed(reply).header
    assert (header.rcode, header.opcode, header.qr, header.id) == (codes.NOTIMP, opcode, 1, 0x1234)


FORMAT_ERRORS = {
    "no question": with_counts(HEADER, 0, 0, 0, 0),
    "two questions": with_counts(query_packet() + question_wire("b."), 2, 0, 0, 0),
    "65535 questions": with_counts(query_packet(), 0xFFFF, 0, 0, 0),
    "a question that is not there": HEADER,
    "a name without end": HEADER + b"\x03web",
    "a name that ends in a length": HEADER + b"\x03web\x3f",
    "no type": HEADER + b"\x03web\0",
    "half a class": query_packet()[:-1],
    "a byte too many": query_packet() + b"\0",
    "a pointer to itself": HEADER + b"\xc0\x0c\0\1\0\1",
    "a pointer in the name": HEADER + b"\1a\xc0\x0c\0\1\0\1",
    "label type 01": HEADER + b"\x41a\0\0\1\0\1",
    "label type 10": HEADER + b"\x81a\0\0\1\0\1",
    "a label of 64 octets": HEADER + b"\x40" + b"a" * 64 + b"\0\0\1\0\1",
    "a name of 256 octets": HEADER + (b"\x3f" + b"a" * 63) * 3 + b"\x3e" + b"a" * 62 + b"\0\0\1\0\1",
    "an answer section": with_counts(query_packet() + b"", 1, 1, 0, 0),
    "an authority section": with_counts(query_packet(), 1, 0, 1, 0),
    "an OPT record that is not there": with_counts(query_packet(), 1, 0, 0, 1),
    "two OPT records": with_counts(query_packet(edns=1232) + opt(), 1, 0, 0, 2),
    "half an OPT record": query_packet(edns=1232)[:-1],
    "an OPT record with an owner": with_counts(query_packet() + b"\1a" + opt(), 1, 0, 0, 1),
    "an OPT record with a compressed owner": with_counts(query_packet() + b"\xc0\x0c" + opt()[1:], 1, 0, 0, 1),
    "an option that is cut off": query_packet(edns=1232)[:-2] + b"\0\3\0\x0a\0",
    "an option longer than its record": query_packet(edns=1232)[:-2] + b"\0\5\0\x0a\0\2a",
    "33 options": query_packet(edns=1232, options=[(10, b"")] * 33),
    "9 records beside the question": with_counts(query_packet(edns=1232) + (b"\0\0\x10" + b"\0" * 8) * 8, 1, 0, 0, 9),
    "a name of 4,000 octets": HEADER + b"\1a" * 2000 + b"\0\0\1\0\1",
    "more records than bytes": with_counts(query_packet(edns=1232), 1, 0, 0, 0xFFFF),
}


@pytest.mark.parametrize("packet", FORMAT_ERRORS.values(), ids=FORMAT_ERRORS)
def test_what_cannot_be_read_is_a_format_error(packet: bytes) -> None:
    rejection = rejection_of(packet)
    assert rejection.rcode == codes.FORMERR
    reply = write_rejection(packet, rejection)
    assert reply is not None
    assert parsed(reply).header.rcode == codes.FORMERR
    assert reply[:2] == packet[:2]


def test_an_unknown_edns_version_is_named_with_the_one_we_speak() -> None:
    packet = query_packet(edns=1232, version=1)
    rejection = rejection_of(packet)
    assert rejection.rcode == codes.BADVERS
    reply = write_rejection(packet, rejection)
    assert reply is not None
    (record,) = parsed(reply).ar
    assert (record.rtype, record.ttl >> 24, record.ttl >> 16 & 0xFF) == (codes.OPT, 1, 0)
    assert parsed(reply).header.rcode == 0  # the lower half of 16
    assert parsed(reply).q.qname == "web.shop."


def test_a_transfer_request_with_its_soa_record_is_refused_not_misunderstood() -> None:
    packet = with_counts(query_packet(qtype="IXFR"), 1, 0, 1, 0)
    assert rejection_of(packet).rcode == codes.REFUSED


def test_a_rejection_repeats_the_question_where_there_is_one() -> None:
    packet = query_packet("Web.shop.", "TXT") + b"trailing"
    reply = write_rejection(packet, rejection_of(packet))
    assert reply is not None
    assert reply[12:] == question_wire("Web.shop.", "TXT")


def test_a_rejection_takes_nothing_else_for_the_question() -> None:
    packet = with_counts(HEADER + opt(), 0, 0, 0, 1)  # a header and an OPT record, as cookies may come (RFC 7873)
    reply = write_rejection(packet, rejection_of(packet))
    assert reply is not None
    assert len(reply) == 12
    assert reply[4:6] == b"\0\0"


def test_a_rejection_is_no_longer_than_what_was_sent() -> None:
    for packet in (*FORMAT_ERRORS.values(), query_packet(edns=512, version=9)):
        reply = write_rejection(packet, rejection_of(packet))
        assert reply is not None
        assert len(reply) <= len(packet)


@pytest.mark.parametrize(("said", "understood"), [(0, 512), (511, 512), (512, 512), (1232, 1232), (65535, 65535)])
def test_an_edns_size_below_512_means_512(said: int, understood: int) -> None:
    edns = query(edns=said).edns
    assert edns is not None
    assert edns.udp_bytes == understood


def test_unknown_options_are_ignored_and_keepalive_is_seen() -> None:
    edns = query(edns=1232, options=[(65001, b"x" * 40), (KEEPALIVE_OPTION, b""), (10, b"12345678")]).edns
    assert edns is not None
    assert edns.keepalive
    other = query(edns=1232, options=[(65001, b"")]).edns
    assert other is not None
    assert not other.keepalive


def test_as_many_options_and_records_as_anybody_sends_are_read() -> None:
    assert read_query(query_packet(edns=1232, options=[(10, b"")] * MOST_OPTIONS)).edns is not None
    more = query_packet(edns=1232) + (b"\0\0\x10" + b"\0" * 8) * (MOST_ADDITIONALS - 1)
    assert read_query(with_counts(more, 1, 0, 0, MOST_ADDITIONALS)).edns is not None


def test_records_beside_the_opt_record_are_stepped_over() -> None:
    stranger = b"\1a\0" + b"\0\x10\0\1\0\0\0\0\0\3abc"
    read = read_query(with_counts(query_packet() + stranger + opt(1400), 1, 0, 0, 2))
    assert read.edns is not None
    assert read.edns.udp_bytes == 1400


def test_a_name_of_255_octets_is_read() -> None:
    name = (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"a" * 61 + b"\0"
    assert read_query(HEADER + name + b"\0\1\0\1").name == name


def read_or_reject(packet: bytes) -> Query | BadPacket:
    """What read_query made of it; the rejection has been written too."""
    try:
        return read_query(packet)
    except BadPacket as rejection:
        reply = write_rejection(packet, rejection)
        if rejection.rcode is not None:
            assert reply is not None
            message = walk(reply)
            assert message.id == int.from_bytes(packet[:2], "big")
            assert message.flags & codes.QR
        return rejection


@given(st.binary(max_size=600))
@example(b"")
def test_any_bytes_are_a_query_or_a_bad_packet(packet: bytes) -> None:
    read_or_reject(packet)


@given(st.binary(max_size=200))
def test_any_bytes_behind_a_header_are_a_query_or_a_bad_packet(rest: bytes) -> None:
    outcome = read_or_reject(with_counts(HEADER, 1, 0, 0, 0) + rest)
    if isinstance(outcome, Query):
        assert outcome.question == rest


@given(st.data())
def test_a_mutated_query_is_a_query_or_a_bad_packet(data: st.DataObject) -> None:
    packet = bytearray(query_packet(edns=1232, options=[(10, b"12345678"), (KEEPALIVE_OPTION, b"")]))
    for _ in range(data.draw(st.integers(1, 4))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    read_or_reject(bytes(packet[: data.draw(st.integers(0, len(packet)))]))
