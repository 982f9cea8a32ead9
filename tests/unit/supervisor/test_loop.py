"""The supervisor's loop: what happens calls back, in the order in which it is due."""

import os
import signal
import socket
from collections.abc import Iterator

import pytest

from resolver.supervisor.loop import Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def test_timers_call_in_order_and_cancelled_ones_do_not(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("resolver.supervisor.loop.monotonic", lambda: now[0])
    seen: list[str] = []
    loop.after(0.002, lambda: seen.append("second"))
    loop.after(0.0, lambda: seen.append("first"))
    loop.after(0.001, lambda: seen.append("never")).cancel()
    loop.after(0.003, loop.stop)
    loop.turn(0.0)
    assert seen == ["first"], "never early"
    now[0] += 0.01
    loop.run()
    assert seen == ["first", "second"]


def test_a_signal_calls_back_from_the_loop_and_is_given_back_at_the_end() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    loop = Loop()
    seen: list[str] = []
    loop.on_signal(signal.SIGUSR1, lambda: seen.append("too early"))

    def heard() -> None:
        seen.append("signal")
        loop.stop()

    loop.on_signal(signal.SIGUSR1, heard)
    os.kill(os.getpid(), signal.SIGUSR1)
    loop.run()
    loop.close()
    loop.close()
    assert seen == ["signal"]
    assert signal.getsignal(signal.SIGUSR1) == before


def test_what_can_be_read_and_what_has_room_calls_back_until_it_is_forgotten(loop: Loop) -> None:
    one, other = socket.socketpair()
    seen: list[str] = []
    loop.watch(one.fileno(), lambda: seen.append(one.recv(10).decode()))
    loop.turn(0.0)
    loop.watch_room(one.fileno(), lambda: seen.append("room"))
    other.send(b"data")
    loop.turn(0.0)
    loop.watch_room(one.fileno(), None)
    loop.watch_room(one.fileno(), None)
    loop.turn(0.0)
    loop.forget(one.fileno())
    loop.forget(one.fileno())
    other.send(b"unheard")
    loop.turn(0.0)
    assert seen == ["room", "data"]
    one.close()
    other.close()
