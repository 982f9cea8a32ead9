"""How long answers live: tables of (what the server said, the zone's limits) -> seconds."""

import pytest

from resolver.cache.lifetime import failure_seconds, lifetime, refresh_window
from resolver.config import Zone
from resolver.message.answer import Answer
from tests.unit.builders import SOA, addresses, answer

ZONE = Zone(("shop",), (), max_ttl=30, max_nttl=10, serve_stale_seconds=3600.0)


def soa(ttl: int, minimum: int) -> str:
    return f"shop. {ttl} IN SOA ns.shop. admin.shop. 1 3600 600 86400 {minimum}"


@pytest.mark.parametrize(("ttl", "seconds"), [(0, 0), (1, 1), (29, 29), (30, 30), (31, 30), (604800, 30)])
def test_a_positive_answer_lives_as_long_as_its_ttl_and_max_ttl_at_most(ttl: int, seconds: int) -> None:
    assert lifetime(answer(answers=addresses(1, ttl=ttl)).facts, ZONE) == seconds


def test_the_shortest_ttl_of_an_answer_counts() -> None:
    said = answer(answers=["web.shop. 7 IN CNAME front.shop.", *addresses(2, "front.shop.", ttl=20)])
    assert lifetime(said.facts, ZONE) == 7


@pytest.mark.parametrize("rcode", ["NXDOMAIN", "NOERROR"])
@pytest.mark.parametrize(
    ("soa_ttl", "minimum", "seconds"), [(300, 60, 10), (300, 5, 5), (5, 300, 5), (0, 300, 0), (300, 0, 0), (3, 2, 2)]
)
def test_a_negative_answer_lives_for_the_smaller_of_soa_ttl_and_minimum_and_max_nttl_at_most(
    rcode: str, soa_ttl: int, minimum: int, seconds: int
) -> None:
    assert lifetime(answer(rcode=rcode, authority=[soa(soa_ttl, minimum)]).facts, ZONE) == seconds


def test_a_negative_answer_behind_an_alias_lives_no_longer_than_the_alias() -> None:
    said = answer(answers=["web.shop. 4 IN CNAME gone.shop."], rcode="NXDOMAIN", authority=[soa(300, 60)])
    assert lifetime(said.facts, ZONE) == 4


NOT_REMEMBERED = {
    "NXDOMAIN without SOA": answer(rcode="NXDOMAIN"),
    "NODATA without SOA": answer(authority=["shop. 30 IN NS ns.shop."]),
    "a server's failure": answer(rcode="SERVFAIL", authority=[SOA]),
    "a refusal": answer(rcode="REFUSED", authority=[SOA]),
    "a truncated answer": answer(answers=addresses(2), tc=True),
}


@pytest.mark.parametrize("said", NOT_REMEMBERED.values(), ids=NOT_REMEMBERED)
def test_what_says_too_little_is_not_remembered(said: Answer) -> None:
    assert lifetime(said.facts, ZONE) == 0


def test_failures_in_a_row_are_remembered_longer_and_five_seconds_at_most() -> None:
    assert [failure_seconds(count) for count in range(1, 7)] == [1, 2, 4, 5, 5, 5]


@pytest.mark.parametrize(("ttl", "seconds"), [(1, 1.0), (5, 1.0), (30, 3.0), (300, 30.0)])
def test_the_time_to_refresh_is_the_last_tenth_and_a_second_at_least(ttl: int, seconds: float) -> None:
    assert refresh_window(ttl) == seconds
