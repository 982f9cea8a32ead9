"""Which silent worker is stuck, and which one only waits for its turn."""

import os

import pytest

from resolver.supervisor import member as module
from resolver.supervisor.channel import pair
from resolver.supervisor.member import (
    SILENT_SECONDS,
    START_SECONDS,
    STARVED_SECONDS,
    STARVED_START_SECONDS,
    TAKING_SECONDS,
    Member,
)


class Watched:
    """A member whose process is what the test says."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        state: str,
        busy_share: float,
        *,
        ready: bool = True,
        takes: bool = False,
    ) -> None:
        mine, its = pair()
        its.close()
        mine.close()
        self.member = Member(0, os.getpid(), mine, 0.0, takes=takes)
        self.member.ready = ready
        self.now = 0.0
        monkeypatch.setattr(module, "_process", lambda _: (state, self.now * busy_share))

    def lost_after(self) -> float:
        """How long it may be silent; looked at as often as the fleet does."""
        while not self.member.is_lost(self.now):
            self.now += 0.25
        return self.now


@pytest.mark.parametrize(("state", "busy_share"), [("S", 0.0), ("T", 0.0), ("D", 0.1), ("R", 1.0)])
def test_one_that_sleeps_or_burns_cpu_without_a_beat_is_lost_soon(
    monkeypatch: pytest.MonkeyPatch, state: str, busy_share: float
) -> None:
    assert Watched(monkeypatch, state, busy_share).lost_after() == SILENT_SECONDS


def test_one_that_gets_no_cpu_is_given_more_time_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Watched(monkeypatch, "R", 0.1).lost_after() == STARVED_SECONDS


@pytest.mark.parametrize(("takes", "seconds"), [(False, START_SECONDS), (True, TAKING_SECONDS)])
def test_one_that_never_begins_is_lost_as_well_and_later_if_it_has_more_to_do_before(
    monkeypatch: pytest.MonkeyPatch, takes: bool, seconds: float
) -> None:
    assert Watched(monkeypatch, "S", 0.0, ready=False, takes=takes).lost_after() == seconds


def test_one_that_never_begins_for_want_of_cpu_is_given_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Watched(monkeypatch, "R", 0.1, ready=False).lost_after() == STARVED_START_SECONDS


def test_a_beat_ends_the_suspicion(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, "S", 0.0)
    watched.lost_after()
    watched.member.beat(watched.now)
    assert not watched.member.is_lost(watched.now + 0.5)


def test_a_process_that_is_gone_is_lost_like_any_silent_one() -> None:
    mine, its = pair()
    its.close()
    mine.close()
    gone = Member(0, 2**22 - 1, mine, 0.0)
    gone.ready = True
    assert gone.is_lost(SILENT_SECONDS)


def test_the_first_reason_for_an_end_counts() -> None:
    mine, its = pair()
    its.close()
    mine.close()
    gone = Member(0, 2**22 - 1, mine, 0.0)
    gone.kill("silent")
    gone.kill("something else")
    assert gone.reason == "silent"
