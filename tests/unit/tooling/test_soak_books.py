"""The books of a soak: what does not add up is found, and what somebody has counted is no mistake."""

from collections import Counter
from typing import Any

import pytest

from tests.soak.books import Books

CLIENTS = {"asked": 100, "right": 100, "left": 2, "no query": 3}
RESOLVER = {"requests": 102, "responses": 102, "no query": 3}


def books(clients: dict[str, int], resolver: dict[str, int], **more: Any) -> Books:
    return Books(Counter(CLIENTS | clients), Counter(RESOLVER | resolver), whole=True, **more)


def test_books_that_agree_have_no_mistake() -> None:
    assert books({}, {}).mistakes(may_lose=False) == []


@pytest.mark.parametrize(
    ("clients", "resolver"),
    [
        ({"right": 99}, {}),
        ({"right": 99, "unanswered": 1}, {}),
        ({}, {"requests": 101, "responses": 101}),
        ({}, {"requests": 103, "responses": 103}),
        ({}, {"responses": 101}),
        ({}, {"no query": 2}),
    ],
)
def test_what_does_not_add_up_is_found(clients: dict[str, int], resolver: dict[str, int]) -> None:
    assert books(clients, resolver).mistakes(may_lose=False)


def test_what_the_resolver_dropped_and_counted_is_no_mistake() -> None:
    dropped = {"requests": 99, "responses": 99, "dropped": 3}
    assert books({"right": 98, "unanswered": 2}, dropped).mistakes(may_lose=False) == []
    assert books({"right": 98, "unanswered": 2}, dropped).accounted == 3


def test_what_the_machine_lost_is_no_mistake() -> None:
    lost = {"requests": 101, "responses": 101}
    found = books({"right": 98, "unanswered": 2}, lost, on_the_way=2)
    assert (found.mistakes(may_lose=False), found.accounted) == ([], 2)
