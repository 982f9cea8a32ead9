"""`cache`: how long answers are remembered, of which names; and each option's verdict."""

from typing import Any

import pytest

from resolver.migration import Grade
from tests.unit.migration.conversions import BLOCK, converted, document_of, grades, told, zone_of


def block(cache: str) -> str:
    return BLOCK.format(cache)


@pytest.mark.parametrize(
    ("cache", "ttls"),
    [
        ("", (0, 0)),
        ("cache", (3600, 1800)),
        ("cache 30", (30, 30)),
        ("cache {\n success 9984 30\n denial 9984 5\n}", (30, 5)),
        ("cache 60 {\n denial 100 7\n}", (60, 7)),
        ("cache 60 {\n success 100\n}", (60, 60)),
        ("cache 60 .", (60, 60)),
        ("cache 60 {\n disable denial\n}", (60, 0)),
        ("cache 60 {\n disable success\n}", (0, 60)),
        ("cache 9999999", (604_800, 604_800)),
    ],
)
def test_answers_are_remembered_as_long_as_there(cache: str, ttls: tuple[int, int]) -> None:
    zone = zone_of(block(cache))
    assert (zone["maxTTL"], zone["maxNTTL"]) == ttls


def test_without_the_plugin_it_is_said_that_nothing_is_remembered() -> None:
    ((lines, grade, message),) = told(block(""), "cache")
    assert (lines, grade) == ((1,), Grade.NOTE)
    assert "maxTTL: 0" in message


def test_names_that_are_not_remembered_get_a_zone_of_their_own() -> None:
    text = block("cache 60 {\n disable denial new.example also.new.example\n}")
    assert (zone_of(text)["maxNTTL"], zone_of(text, "new.example")["maxNTTL"]) == (60, 0)
    assert zone_of(text, "new.example")["names"] == ["new.example"], "the other one is below it and alike"


def test_names_that_alone_are_remembered_get_a_zone_of_their_own() -> None:
    text = block("cache 60 big.example")
    assert (zone_of(text)["maxTTL"], zone_of(text, "big.example")["maxTTL"]) == (0, 60)


@pytest.mark.parametrize(
    ("option", "keys"),
    [
        ("prefetch 10 1m 25%", {"cache": None}),
        ("serve_stale", {"serveStale": "1h", "cache": {"staleAfter": "0s"}}),
        ("serve_stale 12h immediate", {"serveStale": "12h", "cache": {"staleAfter": "0s"}}),
        ("serve_stale 0s", {"serveStale": "0s", "cache": {"staleAfter": "0s"}}),
        ("serve_stale 90m verify", {"serveStale": "90m", "cache": None}),
        ("serve_stale 1h30m verify 300ms 30s 5s", {"serveStale": "90m", "cache": {"staleAfter": "300ms"}}),
        ("success 100000 60", {"cache": {"size": "77Mi"}}),
    ],
)
def test_options_become_keys(option: str, keys: dict[str, Any]) -> None:
    text = block(f"cache 60 {{\n {option}\n}}")
    document = document_of(text)
    assert {**document["zones"][0], "cache": document.get("cache")}.items() >= keys.items()


@pytest.mark.parametrize(
    ("option", "subject", "grade"),
    [
        ("prefetch 10", "cache: prefetch", Grade.NOTE),
        ("serve_stale 1h", "cache: serve_stale", Grade.NOTE),
        ("serve_stale soon", "cache: serve_stale", Grade.LEFT_OUT),
        ("serve_stale_policy prefer_positive", "cache: serve_stale_policy", Grade.NOTE),
        ("servfail 5s", "cache: servfail", Grade.NOTE),
        ("servfail 30s", "cache: servfail", Grade.CHANGED),
        ("keepttl", "cache: keepttl", Grade.CHANGED),
        ("success many", "cache: success", Grade.LEFT_OUT),
        ("success 100 60 10", "cache: success", Grade.CHANGED),
        ("denial", "cache: denial", Grade.LEFT_OUT),
        ("disable everything", "cache: disable", Grade.LEFT_OUT),
        ("disable success a:b", "cache: disable a:b", Grade.LEFT_OUT),
        ("bogus", "cache: bogus", Grade.LEFT_OUT),
    ],
)
def test_each_option_has_a_verdict(option: str, subject: str, grade: Grade) -> None:
    assert grades(block(f"cache 60 {{\n {option}\n}}"), subject) == [grade]


def test_stale_answers_are_bounded_by_what_the_configuration_allows() -> None:
    text = block("cache {\n serve_stale 9999h\n}")
    assert zone_of(text)["serveStale"] == "719h"
    assert Grade.CHANGED in grades(text, "cache: serve_stale")


def test_what_a_zone_cannot_be_is_named() -> None:
    assert grades(block("cache 60 a:b"), "cache a:b") == [Grade.LEFT_OUT]


def test_one_wait_for_stale_answers_holds_for_all_zones() -> None:
    one = "{0} {{\n bind 169.254.20.10\n forward . 192.0.2.53\n cache {{\n serve_stale 1h {1}\n}}\n}}\n"
    text = one.format("a.example", "immediate") + one.format("b.example", "verify 500ms")
    assert document_of(text)["cache"]["staleAfter"] == "500ms"
    assert Grade.CHANGED in grades(text, "cache: serve_stale")


def test_what_the_resolver_does_by_itself_is_told_unless_the_corefile_speaks_of_it() -> None:
    silent = [message for _, _, message in told(block("cache 60"), "cache")]
    spoken = [message for _, _, message in told(block("cache 60 {\n prefetch 1\n serve_stale\n}"), "cache")]
    assert len(silent) == 3
    assert len(spoken) == 1
    assert converted(block("cache 60")).complete
