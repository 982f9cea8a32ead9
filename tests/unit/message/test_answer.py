"""What becomes of bytes from servers: an Answer, or BadPacket; and which of them answer a question at all."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from resolver.message import codes
from resolver.message.answer import Kind, _read_addresses, _read_any, is_answer_to, read_answer
from resolver.message.query import BadPacket
from tests.unit.builders import (
    FIRST_DATA,
    SOA,
    WEB,
    addresses,
    answer,
    answer_packet,
    pointer,
    question_wire,
    raw_answer,
    raw_record,
    read_or_none,
)

CNAME = "web.shop. 20 IN CNAME front.shop."


def with_bytes(packet: bytes, at: int, new: bytes) -> bytes:
    return packet[:at] + new + packet[at + len(new) :]


def test_an_answer_to_the_question_is_one_in_any_spelling() -> None:
    assert is_answer_to(answer_packet("WEB.Shop."), WEB)


NO_ANSWERS = {
    "nothing": b"",
    "less than a header": answer_packet()[:11],
    "a query": with_bytes(answer_packet(), 2, b"\x01\x00"),
    "another operation": with_bytes(answer_packet(), 2, b"\xa8\x00"),
    "another name": answer_packet("www.shop."),
    "another type": answer_packet("web.shop.", "AAAA"),
    "another class": with_bytes(answer_packet(), 12 + len(WEB) - 1, b"\3"),
    "a longer name": answer_packet("web.shop.example."),
    "a question that is cut off": answer_packet()[: 12 + len(WEB) - 1],
    "two questions": with_bytes(answer_packet(), 4, b"\0\2"),
    "a question that is counted as none": with_bytes(answer_packet(), 4, b"\0\0"),
    "success without a question": b"\0\0\x81\x80" + b"\0" * 8,
    "NXDOMAIN without a question": b"\0\0\x81\x83" + b"\0" * 8,
}


@pytest.mark.parametrize("packet", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_answers_another_question_is_no_answer(packet: bytes) -> None:
    assert not is_answer_to(packet, WEB)


@pytest.mark.parametrize("rcode", [codes.FORMERR, codes.SERVFAIL, codes.NOTIMP, codes.REFUSED])
def test_an_error_may_leave_out_a_question_that_could_not_be_read(rcode: int) -> None:
    packet = b"\0\0\x81" + bytes((0x80 | rcode,)) + b"\0" * 8
    assert is_answer_to(packet, WEB)
    assert read_answer(packet, WEB).facts.kind is Kind.FAILURE


KINDS = [
    (answer_packet(answers=addresses(1)), Kind.POSITIVE),
    (answer_packet(answers=[CNAME, "front.shop. 30 IN A 10.0.0.1"]), Kind.POSITIVE),
    (answer_packet(answers=[CNAME]), Kind.NODATA),
    (answer_packet(authority=[SOA]), Kind.NODATA),
    (answer_packet(), Kind.NODATA),
    (answer_packet(rcode="NXDOMAIN", authority=[SOA]), Kind.NXDOMAIN),
    (answer_packet(rcode="NXDOMAIN", answers=[CNAME], authority=[SOA]), Kind.NXDOMAIN),
    (answer_packet(rcode="SERVFAIL"), Kind.FAILURE),
    (answer_packet(rcode="REFUSED"), Kind.FAILURE),
    (answer_packet(rcode="YXDOMAIN"), Kind.FAILURE),
]


@pytest.mark.parametrize(("packet", "kind"), KINDS)
def test_the_kind_of_an_answer_follows_from_rcode_and_records(packet: bytes, kind: Kind) -> None:
    assert read_answer(packet, WEB).facts.kind is kind


def test_the_upper_bits_of_an_rcode_come_from_the_opt_record() -> None:
    packet = answer_packet()
    opt_at = len(packet) - 11
    assert read_answer(with_bytes(packet, opt_at + 5, b"\1"), WEB).facts.rcode == codes.BADVERS


def test_an_answer_to_any_is_positive() -> None:
    packet = answer_packet(qtype="ANY", answers=["web.shop. 30 IN TXT x"])
    assert read_answer(packet, question_wire("web.shop.", "ANY")).facts.kind is Kind.POSITIVE


def test_the_ttl_of_an_answer_is_its_smallest() -> None:
    assert answer(answers=[CNAME, "front.shop. 30 IN A 10.0.0.1"]).facts.positive_ttl == 20


@pytest.mark.parametrize(
    ("soa_ttl", "minimum", "ttl"), [(300, 60, 60), (60, 300, 60), (0, 60, 0), (60, 0, 0), (0xFFFFFFFF, 60, 0)]
)
def test_the_negative_ttl_is_the_smaller_of_soa_ttl_and_minimum(soa_ttl: int, minimum: int, ttl: int) -> None:
    soa = f"shop. {soa_ttl} IN SOA ns.shop. admin.shop. 1 3600 600 86400 {minimum}"
    assert answer(rcode="NXDOMAIN", authority=[soa]).facts.negative_ttl == ttl


def test_without_soa_there_is_no_negative_ttl() -> None:
    assert answer(rcode="NXDOMAIN").facts.negative_ttl is None
    assert answer(rcode="NXDOMAIN", authority=["shop. 30 IN NS ns.shop."]).facts.negative_ttl is None


def test_a_ttl_with_the_top_bit_set_means_zero() -> None:
    assert read_answer(raw_answer(raw_record(b"\xc0\x0c", codes.A, b"abcd", 0x80000000)), WEB).facts.positive_ttl == 0
    assert (
        read_answer(raw_answer(raw_record(b"\xc0\x0c", codes.A, b"abcd", 0x7FFFFFFF)), WEB).facts.positive_ttl
        == 0x7FFFFFFF
    )


def test_a_positive_address_answer_keeps_its_answer_section_only() -> None:
    read = answer(answers=addresses(2), authority=["shop. 30 IN NS ns.shop."], additional=["ns.shop. 9 IN A 10.9.9.9"])
    assert read.facts.counts == (2, 0, 0)
    assert len(read.sections) == read.facts.answer_bytes


def test_the_addresses_of_services_come_along() -> None:
    srv = answer(qtype="SRV", answers=["web.shop. 30 IN SRV 1 1 80 a.shop."], additional=["a.shop. 30 IN A 10.0.0.1"])
    assert srv.facts.counts == (1, 0, 1)
    assert len(srv.facts.ttls) == 2


def test_what_follows_the_opt_record_is_left_out() -> None:
    opt_first = b"\0" + codes.OPT.to_bytes(2, "big") + b"\4\xd0" + b"\0" * 6
    extra = raw_record(b"\xc0\x0c", codes.A, b"abcd")
    service = raw_record(b"\xc0\x0c", codes.SRV, b"\0\1\0\1\0\x50\xc0\x0c")
    question = question_wire("web.shop.", "SRV")
    packet = raw_answer(service, opt_first, extra, counts=(1, 0, 2)).replace(WEB, question)
    assert read_answer(packet, question).facts.counts == (1, 0, 0)


def test_the_first_extended_error_is_kept_up_to_a_length() -> None:
    assert answer(rcode="SERVFAIL", ede=(22, b"no route")).facts.ede == (22, b"no route")
    assert answer(rcode="SERVFAIL", ede=(22, b"x" * 60000)).facts.ede == (22, b"x" * 200)


def test_ad_and_tc_are_seen() -> None:
    read = answer(ad=True, tc=True)
    assert (read.facts.authentic, read.facts.truncated) == (True, True)


def test_addresses_with_one_owner_can_change_places() -> None:
    assert answer(answers=addresses(3)).facts.rotation == (0, 16, 3)
    behind_alias = answer(answers=[CNAME, *addresses(3, "front.shop.")]).facts.rotation
    assert behind_alias is not None
    assert behind_alias.records == 3
    six = answer(qtype="AAAA", answers=[f"web.shop. 30 IN AAAA fd00::{n}" for n in range(2)]).facts.rotation
    assert six == (0, 28, 2)


def test_what_is_no_set_of_addresses_stays_as_it_is() -> None:
    assert answer(answers=addresses(1)).facts.rotation is None
    assert answer(qtype="TXT", answers=["web.shop. 30 IN TXT a", "web.shop. 30 IN TXT b"]).facts.rotation is None
    assert answer(answers=[*addresses(1), *addresses(1, "else.shop.")]).facts.rotation is None
    assert answer(answers=[*addresses(2), "web.shop. 30 IN TXT x"]).facts.rotation is None


def test_only_the_addresses_at_the_end_change_places() -> None:
    rotation = answer(answers=["web.shop. 30 IN TXT x", *addresses(2)]).facts.rotation
    assert rotation is not None
    assert rotation.records == 2


BAD_ANSWERS = {
    "a pointer to itself": raw_answer(raw_record(pointer(12 + len(WEB)), codes.A, b"abcd")),
    "a pointer forwards": raw_answer(raw_record(pointer(200), codes.A, b"abcd"), b"\0" * 200),
    "a pointer into the header": raw_answer(raw_record(pointer(3), codes.A, b"abcd")),
    "a pointer cut off": raw_answer(b"\xc0", counts=(1, 0, 0)),
    "a pointer to a loop in another record's data": raw_answer(
        raw_record(b"\xc0\x0c", 16, pointer(FIRST_DATA)), raw_record(pointer(FIRST_DATA), codes.A, b"abcd")
    ),
    "a pointer to data that points forwards": raw_answer(
        raw_record(b"\xc0\x0c", 16, pointer(FIRST_DATA + 8)), raw_record(pointer(FIRST_DATA), codes.A, b"abcd")
    ),
    "a pointer to a name that runs over the one that points": raw_answer(
        raw_record(b"\xc0\x0c", 16, b"\x02"), raw_record(pointer(FIRST_DATA), 16, b"\0")
    ),
    "a pointer to half a pointer": raw_answer(
        raw_record(b"\xc0\x0c", 16, b"\xc0"), raw_record(pointer(FIRST_DATA), 16, b"\0")
    ),
    "a pointer to a reserved label": raw_answer(
        raw_record(b"\xc0\x0c", 16, b"\x80"), raw_record(pointer(FIRST_DATA), codes.A, b"abcd")
    ),
    "a name of 256 octets": raw_answer(
        raw_record(b"\x3ea" + b"a" * 61 + (b"\x3f" + b"a" * 63) * 3 + b"\0", codes.A, b"abcd")
    ),
    "a name of 256 octets with a pointer": raw_answer(
        raw_record((b"\x3f" + b"a" * 63) * 3 + b"\x35" + b"a" * 53 + b"\xc0\x0c", codes.A, b"abcd")
    ),
    "a name of 256 octets in two pieces": raw_answer(
        raw_record(b"\xc0\x0c", codes.CNAME, (b"\x3f" + b"a" * 63) * 3 + b"\0"),
        raw_record(b"\x3e" + b"a" * 62 + pointer(FIRST_DATA), codes.A, b"abcd"),
    ),
    "a pointer to a TTL": raw_answer(
        raw_record(b"\xc0\x0c", codes.A, b"abcd", 0x0161_6200), raw_record(pointer(FIRST_DATA - 6), 16, b"")
    ),
    "a pointer to a name that runs into a TTL": raw_answer(
        raw_record(b"\1a\1\0", codes.A, b"abcd", 0), raw_record(pointer(12 + len(WEB) + 2), 16, b"")
    ),
    "label type 01": raw_answer(raw_record(b"\x41a\0", codes.A, b"abcd")),
    "label type 10": raw_answer(raw_record(b"\x81a\0", codes.A, b"abcd")),
    "a label beyond the end": raw_answer(b"\x3fabc", counts=(1, 0, 0)),
    "an address of 5 octets": raw_answer(raw_record(b"\xc0\x0c", codes.A, b"abcde")),
    "an address of no octets": raw_answer(
        raw_record(b"\xc0\x0c", codes.A, b"abcd"), raw_record(b"\xc0\x0c", codes.A, b"")
    ),
    "an IPv6 address of 4 octets": raw_answer(raw_record(b"\xc0\x0c", codes.AAAA, b"abcd")),
    "data beyond the end": raw_answer(raw_record(b"\xc0\x0c", 16, b"abcd")[:-1]),
    "an alias with a byte too many": raw_answer(raw_record(b"\xc0\x0c", codes.CNAME, b"\xc0\x0cx")),
    "an alias that ends early": raw_answer(raw_record(b"\xc0\x0c", codes.CNAME, b"\3a"), b"bc\0"),
    "an SOA record without numbers": raw_answer(
        raw_record(b"\xc0\x0c", codes.SOA, b"\xc0\x0c\xc0\x0c"), counts=(0, 1, 0)
    ),
    "an SRV record without target": raw_answer(raw_record(b"\xc0\x0c", codes.SRV, b"\0\1\0\1\0\x50")),
    "more answers than there are": raw_answer(raw_record(b"\xc0\x0c", codes.A, b"abcd"), counts=(2, 0, 0)),
    "65535 records of each": raw_answer(raw_record(b"\xc0\x0c", codes.A, b"abcd"), counts=(0xFFFF, 0xFFFF, 0xFFFF)),
    "an OPT record as answer": raw_answer(raw_record(b"\0", codes.OPT, b"")),
    "an OPT record as authority": raw_answer(raw_record(b"\0", codes.OPT, b""), counts=(0, 1, 0)),
    "two OPT records": raw_answer(
        raw_record(b"\0", codes.OPT, b""), raw_record(b"\0", codes.OPT, b""), counts=(0, 0, 2)
    ),
}


@pytest.mark.parametrize("packet", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_what_is_no_dns_message_is_a_bad_packet(packet: bytes) -> None:
    assert is_answer_to(packet, WEB)
    with pytest.raises(BadPacket):
        read_answer(packet, WEB)


def test_a_name_in_data_that_is_not_compressed_may_be_pointed_at() -> None:
    target = b"\1x\4shop\0"
    service = raw_record(b"\xc0\x0c", 64, b"\0\1" + target)  # SVCB: servers compress owners against its target
    extra = raw_record(pointer(FIRST_DATA + 2), codes.A, b"abcd")
    question = question_wire("web.shop.", "TYPE64")
    packet = raw_answer(service, extra, counts=(1, 0, 1)).replace(WEB, question)
    assert read_answer(packet, question).facts.counts == (1, 0, 1)


def test_a_chain_of_pointers_that_costs_much_is_refused() -> None:
    chain = b"".join(pointer(FIRST_DATA + 2 * max(link - 1, 0)) for link in range(1000))
    with pytest.raises(BadPacket):
        read_answer(
            raw_answer(raw_record(b"\xc0\x0c", 16, chain), raw_record(pointer(FIRST_DATA + 1998), codes.A, b"abcd")),
            WEB,
        )


@pytest.mark.parametrize("length", range(12, len(answer_packet(answers=addresses(3), authority=[SOA]))))
def test_an_answer_that_was_cut_off_anywhere_is_a_bad_packet(length: int) -> None:
    packet = answer_packet(answers=addresses(3), authority=[SOA])[:length]
    if is_answer_to(packet, WEB):
        with pytest.raises(BadPacket):
            read_answer(packet, WEB)


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_a_bad_packet(packet: bytes) -> None:
    read_or_none(packet)


@given(st.binary(max_size=120), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.booleans())
def test_any_records_are_an_answer_or_a_bad_packet(
    rest: bytes, answers: int, authority: int, additional: int, dnssec_ok: bool
) -> None:
    read_or_none(raw_answer(rest, counts=(answers, authority, additional)), dnssec_ok=dnssec_ok)


@given(
    st.integers(1, 3), st.sampled_from([0, 30, 70000, 1 << 31]), st.booleans(), st.booleans(),
    st.lists(st.tuples(st.integers(2, 90), st.integers(0, 255)), max_size=3), st.integers(0, 20), st.booleans(),
)  # fmt: skip
@example(2, 30, False, False, [(47, 3)], 0, False)  # another class in the second record
def test_the_quick_way_to_read_addresses_reads_what_the_long_way_reads(
    count: int, ttl: int, edns: bool, tc: bool, changes: list[tuple[int, int]], cut: int, dnssec_ok: bool
) -> None:
    packet = bytearray(answer_packet(answers=addresses(count, ttl=ttl), edns=edns, tc=tc))
    for at, value in changes:
        packet[at % len(packet)] = value
    changed = bytes(packet[: len(packet) - cut])
    if len(changed) < 12 or not is_answer_to(changed, WEB):
        return
    quick = _read_addresses(changed, WEB)
    if quick is not None:
        assert quick == _read_any(changed, WEB, dnssec_ok=dnssec_ok)
    elif not (changes or cut or tc or ttl >> 31):
        raise AssertionError("the shape it is made for")


def test_answers_of_one_shape_share_their_facts() -> None:
    first, second = (answer(answers=[f"web.shop. 30 IN A 10.0.0.{last}"]) for last in (1, 2))
    assert first.sections != second.sections
    assert first.facts is second.facts
    gone = [answer(f"{name}.shop.", rcode="NXDOMAIN", authority=[SOA]) for name in ("web", "www")]
    assert gone[0].facts is gone[1].facts


def test_a_truncated_answer_may_end_anywhere_and_is_still_a_truncated_answer() -> None:
    packet = answer_packet(answers=addresses(3), edns=False, tc=True)
    for end in range(12 + len(WEB), len(packet)):
        cut = read_answer(packet[:end], WEB)
        assert (cut.facts.truncated, cut.sections, cut.facts.counts, cut.facts.rcode) == (True, b"", (0, 0, 0), 0)
        with pytest.raises(BadPacket):
            read_answer(with_bytes(packet, 2, b"\x81\x80")[:end], WEB)


def test_a_truncated_answer_that_is_wrong_in_another_way_is_a_bad_packet() -> None:
    loop = raw_record(pointer(12 + len(WEB)), codes.A, b"\x0a\0\0\1")
    with pytest.raises(BadPacket):
        read_answer(raw_answer(loop, flags=0x8380), WEB)
