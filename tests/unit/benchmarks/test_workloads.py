import itertools

import pytest
from dnslib import QTYPE, RCODE, RR, DNSHeader, DNSQuestion, DNSRecord

from benchmarks import names, workloads
from benchmarks.ask import packet, wrong
from benchmarks.names import AAAA, Asked
from benchmarks.peers import ALL, FLOOR

KNOWN = Asked("web.shop.svc.cluster.local")
ABSENT = Asked("www.example.com.shop.svc.cluster.local")


def reply(asked: Asked, address: str | None = None, ttl: int = 30, rcode: str = "NOERROR") -> bytes:
    record = DNSRecord.parse(packet(asked, 7)).reply()
    record.header.rcode = getattr(RCODE, rcode)
    if address:
        record.add_answer(*RR.fromZone(f"{asked.name} {ttl} {asked.type} {address}"))
    return bytes(record.pack())


@pytest.mark.parametrize("asked", [KNOWN, ABSENT, Asked("a.b", AAAA)], ids=lambda asked: asked.name)
def test_a_question_is_packed_as_dnslib_packs_it(asked: Asked) -> None:
    query = DNSRecord(DNSHeader(id=4321, rd=1), q=DNSQuestion(asked.name, getattr(QTYPE, asked.type)))
    assert packet(asked, 4321) == bytes(query.pack())


def test_the_address_of_a_name_does_not_depend_on_its_letters_case() -> None:
    assert Asked("WEB.Shop.svc.cluster.local").address == KNOWN.address


def test_the_right_answer_is_right() -> None:
    assert wrong(KNOWN, packet(KNOWN, 7), reply(KNOWN, KNOWN.address), 30) is None
    six = Asked(KNOWN.name, AAAA)
    assert wrong(six, packet(six, 7), reply(six, six.address), 30) is None
    assert wrong(ABSENT, packet(ABSENT, 7), reply(ABSENT, rcode="NXDOMAIN"), 30) is None


@pytest.mark.parametrize(
    "bad",
    [
        reply(KNOWN, "10.0.0.1"),
        reply(KNOWN),
        reply(KNOWN, rcode="SERVFAIL"),
        reply(KNOWN, KNOWN.address, ttl=31),
        reply(ABSENT, ABSENT.address),
        packet(KNOWN, 7),
        b"\0\x08" + reply(KNOWN, KNOWN.address)[2:],
    ],
    ids=["another address", "no address", "a failure", "a grown TTL", "another question", "an echo", "another ID"],
)
def test_a_wrong_answer_is_found(bad: bytes) -> None:
    assert wrong(KNOWN, packet(KNOWN, 7), bad, 30)


def test_a_name_that_does_not_exist_must_not_resolve() -> None:
    assert wrong(ABSENT, packet(ABSENT, 7), reply(ABSENT, ABSENT.address), 30)


def test_the_realistic_mix_is_95_percent_hits_and_has_search_lists() -> None:
    mix = list(names.mix(50_000, 500))
    known = {asked for walk in names.popular(500) for asked in walk}
    fresh = [asked for asked in mix if asked not in known]
    assert 0.04 < len(fresh) / len(mix) < 0.06
    assert len(set(fresh)) == len(fresh)
    assert any(not asked.exists for asked in mix)


def test_the_mix_asks_for_a_and_aaaa_in_equal_parts() -> None:
    types = [asked.type for asked in names.mix(10_000, 500)]
    assert types.count("A") == types.count("AAAA")


def test_expected_response_codes_follow_the_order_of_the_questions() -> None:
    work = workloads.Workload("work", "work", [], [KNOWN, ABSENT, KNOWN])
    assert work.expected_rcodes(2) == {"NOERROR": 1, "NXDOMAIN": 1}
    assert work.expected_rcodes(7) == {"NOERROR": 5, "NXDOMAIN": 2}


def test_misses_never_ask_the_same_twice() -> None:
    work = workloads.misses(0.1)
    asked = list(itertools.chain(work.warm, work.questions))
    assert len(set(asked)) == len(asked)


def test_the_floor_is_measured_only_where_an_echo_can_stand_in_for_an_answer() -> None:
    assert workloads.cached().suits(FLOOR)
    assert not workloads.misses(0.01).suits(FLOOR)
    assert all(workloads.misses(0.01).suits(peer) for peer in ALL if peer is not FLOOR)
