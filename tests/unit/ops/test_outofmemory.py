"""Wherever an allocation fails, the process leaves; anything else that is raised is reported as ever."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable

import pytest

from resolver.ops import outofmemory


class Fragile:
    """Something whose end fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __del__(self) -> None:
        raise self._error


async def in_a_callback(error: Exception) -> None:
    def fail() -> None:
        raise error

    asyncio.get_running_loop().call_soon(fail)
    await asyncio.sleep(0)


async def in_a_task_that_nobody_asks(error: Exception) -> None:
    async def fail() -> None:
        raise error

    task = asyncio.create_task(fail())
    await asyncio.wait([task])


async def in_a_thread(error: Exception) -> None:
    def fail() -> None:
        raise error

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


async def where_nobody_could_be_told(error: Exception) -> None:
    Fragile(error)


WAYS = (in_a_callback, in_a_task_that_nobody_asks, in_a_thread, where_nobody_could_be_told)


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The statuses with which the process would have left."""
    statuses: list[int] = []
    monkeypatch.setattr(os, "_exit", statuses.append)
    monkeypatch.setattr(threading, "__excepthook__", lambda _arguments: None)
    monkeypatch.setattr(sys, "__unraisablehook__", lambda _arguments: None)
    monkeypatch.setattr(threading, "excepthook", None)  # both are put back at the end
    monkeypatch.setattr(sys, "unraisablehook", None)
    return statuses


def meet(way: Callable[[Exception], object], error: Exception) -> list[dict[str, object]]:
    """What a loop's usual handler was told."""
    told: list[dict[str, object]] = []

    class Loop(asyncio.SelectorEventLoop):
        def default_exception_handler(self, context: dict[str, object]) -> None:
            told.append(context)

    async def work() -> None:
        outofmemory.watch(asyncio.get_running_loop())
        await way(error)  # type: ignore[misc]

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(work())
    return told


@pytest.mark.parametrize("way", WAYS)
def test_a_process_leaves_wherever_an_allocation_has_failed(
    left: list[int], way: Callable[[Exception], object]
) -> None:
    meet(way, MemoryError())
    assert left == [outofmemory.STATUS]


@pytest.mark.parametrize("way", WAYS)
def test_a_process_stays_whatever_else_is_raised(left: list[int], way: Callable[[Exception], object]) -> None:
    told = meet(way, ValueError("no number"))
    assert left == []
    assert len(told) == (way in {in_a_callback, in_a_task_that_nobody_asks}), "the loop reports its own"
