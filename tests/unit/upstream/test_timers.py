"""Many deadlines behind one timer of the loop."""

from asyncio import AbstractEventLoop
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.upstream.timers import Timers
from tests.unit.world import START, Loop


def made() -> tuple[Loop, Timers]:
    loop = Loop()
    return loop, Timers(cast("AbstractEventLoop", loop), loop.time)


@given(st.lists(st.integers(0, 5000), max_size=40), st.lists(st.integers(1, 900), max_size=30))
def test_every_deadline_is_called_once_in_order_and_never_early(deadlines: list[int], pauses: list[int]) -> None:
    loop, timers = made()
    called: list[tuple[int, float]] = []
    for ms in deadlines:
        timers.at(START + ms / 1000, lambda _, ms=ms: called.append((ms, loop.now)))  # type: ignore[misc]
    for pause in pauses:
        loop.run_until(loop.now + pause / 1000)
    elapsed = round((loop.now - START) * 1000)
    assert [ms for ms, _ in called] == sorted(ms for ms, _ in called)
    assert sorted(ms for ms in deadlines if ms <= elapsed - 1) == [ms for ms, _ in called if ms <= elapsed - 1]
    assert all(at >= START + ms / 1000 - 0.0011 for ms, at in called)


def test_an_earlier_deadline_moves_the_timer_forward() -> None:
    loop, timers = made()
    called: list[str] = []
    timers.at(START + 5, lambda _: called.append("late"))
    timers.at(START + 1, lambda _: called.append("early"))
    loop.run_until(START + 1)
    assert called == ["early"]
    loop.run_until(START + 5)
    assert called == ["early", "late"]


def test_a_callback_may_set_the_next_deadline_and_one_that_has_passed() -> None:
    loop, timers = made()
    called: list[float] = []

    def again(now: float) -> None:
        called.append(loop.now - START)
        if len(called) < 3:
            timers.at(now + 1, again)
        elif len(called) == 3:
            timers.at(now - 1, again)

    timers.at(START + 1, again)
    loop.run_until(START + 10)
    assert [round(at) for at in called] == [1, 2, 3, 3]


def test_after_close_nothing_is_called() -> None:
    loop, timers = made()
    called: list[float] = []
    timers.at(START + 1, called.append)
    timers.close()
    loop.run_until(START + 2)
    assert called == []


def test_a_callback_that_raises_is_reported_and_keeps_no_other_deadline_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, timers = made()
    called: list[float] = []
    heard: list[dict[str, object]] = []
    monkeypatch.setattr(loop, "call_exception_handler", heard.append)

    def broken(_: float) -> None:
        raise RuntimeError("a defect")

    for callback in (called.append, broken, broken, called.append):
        timers.at(START + 1, callback)
    timers.at(START + 2, called.append)
    loop.run_until(START + 1)
    assert len(called) == 2
    assert [str(context["exception"]) for context in heard] == ["a defect"] * 2
    loop.run_until(START + 2)
    assert len(called) == 3
