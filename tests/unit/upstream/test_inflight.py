"""One lookup per question, any number of waiters, and a bound on both."""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import cast

import pytest

from resolver.message.answer import Answer
from resolver.message.reply import Ede
from resolver.upstream import inflight
from resolver.upstream.exchange import Failed, Finished
from resolver.upstream.inflight import Flights
from resolver.upstream.lookup import Done, Lookups, Result
from resolver.upstream.routes import Route
from resolver.upstream.server import Server
from tests.unit.builders import addresses, answer, key
from tests.unit.world import zone

ROUTE: Route[Server] = Route(zone("."), [])
FAILED = Failed(Ede(22, "no answer"))


class Complaints:
    """As much of a loop as hears of exceptions."""

    def __init__(self) -> None:
        self.heard: list[dict[str, object]] = []

    def call_exception_handler(self, context: dict[str, object]) -> None:
        self.heard.append(context)


class Held(Lookups):
    """Lookups that end when the test says so."""

    def __init__(self) -> None:
        self.started: list[bytes] = []
        self.done: dict[bytes, Done] = {}
        self.complaints = Complaints()
        self.loop = cast("AbstractEventLoop", self.complaints)

    def start(self, key: bytes, route: Route[Server], done: Done, client: str = "") -> None:
        self.started.append(key)
        self.done[key] = done

    def finish(self, key: bytes, result: Result) -> None:
        self.done[key](key, ROUTE, result)


Waiter = Callable[[str], None]


def deliver(waiter: Waiter, landed: str) -> None:
    waiter(landed)


def client_of(waiter: Waiter) -> str:
    """Each waits on behalf of a client of its own, unless it is a `Waits`."""
    return waiter.client if isinstance(waiter, Waits) else str(id(waiter))


class Waits:
    """One of a client's questions."""

    def __init__(self, client: str) -> None:
        self.client = client

    def __call__(self, _: str) -> None:
        """It has been told."""


def made() -> tuple[Held, Flights[Waiter, str], list[bytes]]:
    held, landed = Held(), list[bytes]()

    def land(key: bytes, route: Route[Server], result: Result) -> str:
        landed.append(key)
        return "answer" if isinstance(result, Finished) else "failure"

    return held, Flights(held, land, deliver, "defect", client_of), landed


def test_all_who_ask_the_same_share_one_lookup_and_one_landing() -> None:
    held, flights, landed = made()
    got: list[str] = []
    for _ in range(100):
        assert flights.join(key(), ROUTE, got.append)
    assert held.started == [key()]
    assert (flights.waiting, flights.joined_total) == (100, 99)
    said: Answer = answer(answers=addresses(1))
    held.finish(key(), Finished(said, "ns1"))
    assert got == ["answer"] * 100
    assert landed == [key()]
    assert (len(flights), flights.waiting) == (0, 0)


def test_different_questions_are_looked_up_apart() -> None:
    held, flights, _ = made()
    for bits in range(4):
        flights.join(key(bits=bits), ROUTE, None)
    assert len(held.started) == 4


def test_a_lookup_that_nobody_waits_for_lands_all_the_same() -> None:
    held, flights, landed = made()
    assert flights.join(key(), ROUTE, None)
    assert flights.waiting == 0
    held.finish(key(), FAILED)
    assert landed == [key()]


def test_who_joins_a_lookup_that_nobody_waited_for_gets_its_result() -> None:
    held, flights, _ = made()
    got: list[str] = []
    flights.join(key(), ROUTE, None)
    flights.join(key(), ROUTE, got.append)
    held.finish(key(), FAILED)
    assert got == ["failure"]
    assert len(held.started) == 1


def test_a_waiter_may_ask_again_from_its_result() -> None:
    held, flights, _ = made()

    def ask_again(_: str) -> None:
        assert flights.join(key(), ROUTE, None)

    flights.join(key(), ROUTE, ask_again)
    held.finish(key(), FAILED)
    assert len(held.started) == 2
    assert len(flights) == 1


def test_more_questions_than_the_bound_are_refused_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflight, "MAX_FLIGHTS", 3)
    held, flights, _ = made()
    got: list[str] = []
    assert [flights.join(key(f"n{n}."), ROUTE, got.append) for n in range(4)] == [True, True, True, False]
    assert flights.join(key("n0."), ROUTE, got.append), "joining costs no new lookup"
    assert (len(held.started), flights.rejected_total, flights.waiting) == (3, 1, 4)
    held.finish(key("n0."), FAILED)
    assert flights.join(key("n3."), ROUTE, got.append)


def test_more_waiters_than_the_bound_are_refused_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflight, "MAX_WAITERS", 2)
    held, flights, _ = made()
    got: list[str] = []
    assert [flights.join(key(), ROUTE, got.append) for _ in range(3)] == [True, True, False]
    assert flights.rejected_total == 1
    held.finish(key(), FAILED)
    assert got == ["failure"] * 2
    assert flights.join(key(), ROUTE, got.append)


def test_a_client_that_asks_without_end_leaves_half_of_the_lookups_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflight, "MAX_FLIGHTS", 100)
    _, flights, _ = made()
    names = (key(f"n{number}.") for number in range(1000))
    greedy = [flights.join(next(names), ROUTE, Waits("greedy")) for _ in range(200)]
    assert sum(greedy) == 50
    assert (flights.rejected_total, flights.unfair_total) == (150, 150)
    second = [flights.join(next(names), ROUTE, Waits("second")) for _ in range(200)]
    assert sum(second) == 25
    assert all(flights.join(next(names), ROUTE, Waits(f"quiet{number}")) for number in range(20))


def test_a_client_that_waits_for_one_answer_without_end_leaves_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflight, "MAX_WAITERS", 100)
    held, flights, _ = made()
    assert sum(flights.join(key(), ROUTE, Waits("greedy")) for _ in range(200)) == 50
    assert all(flights.join(key(), ROUTE, Waits("quiet")) for _ in range(20))
    held.finish(key(), FAILED)
    again = sum(flights.join(key(), ROUTE, Waits("greedy")) for _ in range(200))
    assert again == 50, "what landed is not held any more"


def test_a_waiter_that_raises_keeps_nobody_else_from_the_result() -> None:
    held, flights, _ = made()
    got: list[str] = []

    def broken(_: str) -> None:
        raise RuntimeError("its connection is gone")

    for waiter in (got.append, broken, got.append):
        flights.join(key(), ROUTE, waiter)
    held.finish(key(), FAILED)
    assert got == ["failure"] * 2
    assert len(held.complaints.heard) == 1
    assert flights.waiting == 0


def test_an_answer_that_cannot_be_kept_is_a_failure_and_not_the_end_of_its_question() -> None:
    held = Held()

    def land(key: bytes, route: Route[Server], result: Result) -> str:
        raise RuntimeError("a defect")

    flights, got = Flights[Waiter, str](held, land, deliver, "failure", client_of), list[str]()
    flights.join(key(), ROUTE, got.append)
    flights.join(key(), ROUTE, got.append)
    held.finish(key(), FAILED)
    assert got == ["failure"] * 2
    assert len(held.complaints.heard) == 1
    assert (len(flights), flights.waiting) == (0, 0)


def test_a_lookup_that_cannot_begin_is_not_joined_by_the_next() -> None:
    class Broken(Held):
        def start(self, key: bytes, route: Route[Server], done: Done, client: str = "") -> None:
            super().start(key, route, done)
            if len(self.started) == 1:
                raise RuntimeError("a defect")

    held, got = Broken(), list[str]()
    flights = Flights[Waiter, str](held, lambda _key, _route, _result: "failure", deliver, "defect", client_of)
    with pytest.raises(RuntimeError, match="a defect"):
        flights.join(key(), ROUTE, got.append)
    assert (len(flights), flights.waiting) == (0, 0)
    flights.join(key(), ROUTE, got.append)
    held.finish(key(), FAILED)
    assert got == ["failure"]
