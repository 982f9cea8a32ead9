"""Tests side by side: each worker in a network of its own, and those marked serial alone."""

import fcntl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import network
from tests.lab.waiting import wait_until
from tests.network import free_port
from tests.turns import Turns

PATIENCE_SECONDS = 60


class Entering:
    """Somebody who waits for the room, is in it, and leaves when told to."""

    def __init__(self, folder: Path, *, alone: bool) -> None:
        self._turns = Turns(folder)
        self._inside, self._told = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._go, args=(alone,))
        self._thread.start()

    def _go(self, alone: bool) -> None:
        with self._turns.taken(alone=alone):
            self._inside.set()
            self._told.wait(PATIENCE_SECONDS)

    def is_inside(self, seconds: float = PATIENCE_SECONDS) -> bool:
        return self._inside.wait(seconds)

    def leave(self) -> None:
        self._told.set()
        self._thread.join()
        self._turns.close()


@pytest.fixture
def enter(tmp_path: Path) -> Iterator[Callable[[bool], Entering]]:
    """Makes somebody who comes to the room, to be alone or not; all come to the same one."""
    with ExitStack() as ending:

        def make(alone: bool) -> Entering:
            someone = Entering(tmp_path, alone=alone)
            ending.callback(someone.leave)
            return someone

        yield make


def door_is_shut(folder: Path) -> bool:
    with (folder / "door").open() as door:
        try:
            fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_usual_tests_share_the_room(enter: Callable[[bool], Entering]) -> None:
    one, other = enter(False), enter(False)
    assert one.is_inside()
    assert other.is_inside()


def test_a_serial_test_waits_for_those_that_run_and_nobody_enters_before_it_is_over(
    enter: Callable[[bool], Entering], tmp_path: Path
) -> None:
    usual = enter(False)
    assert usual.is_inside()
    serial = enter(True)
    wait_until(lambda: door_is_shut(tmp_path), "the serial test at the door")
    late = enter(False)
    assert not serial.is_inside(0.1)
    assert not late.is_inside(0)
    usual.leave()
    assert serial.is_inside()
    assert not late.is_inside(0.1)
    serial.leave()
    assert late.is_inside()


def test_a_port_is_given_once_and_is_none_that_the_kernel_gives() -> None:
    ports = [free_port() for _ in range(100)]
    assert len(set(ports)) == 100
    first_of_the_kernel = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(ports) < first_of_the_kernel


@pytest.mark.needs("netns")
def test_tests_run_in_a_network_of_their_own_and_step_out_of_it_for_a_block() -> None:
    own = network.MINE.readlink()
    with network.of_the_machine():
        assert network.MINE.readlink() != own
    assert network.MINE.readlink() == own
