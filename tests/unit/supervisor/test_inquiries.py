"""One worker's question to all others, whatever becomes of them meanwhile."""

from typing import Any

import pytest

from resolver.supervisor import inquiries
from resolver.supervisor.inquiries import Inquiries


class Member:
    def __init__(self, index: int, *, ready: bool = True) -> None:
        self.index = index
        self.pid = 100 + index
        self.ready = ready


class World:
    """A fleet that notes what it is told, and a loop whose timers the test calls."""

    def __init__(self, *members: Member | None) -> None:
        self.members = list(members)
        self.told: list[tuple[int, dict[str, Any]]] = []
        self.timers: list[Any] = []
        self.inquiries = Inquiries(self, self)  # type: ignore[arg-type]  # it is both

    def tell(self, member: Member, message: dict[str, Any]) -> None:
        self.told.append((member.index, message))

    def after(self, _: float, callback: Any) -> None:
        self.timers.append(callback)

    def begin(self) -> None:
        asker = self.members[0]
        assert asker is not None
        self.inquiries.begin(asker, {"id": 7, "request": ["GET", "/health", {}, ""]})  # type: ignore[arg-type]

    def answer(self, index: int, **message: Any) -> None:
        member = self.members[index]
        assert member is not None
        self.inquiries.answered(member, message)  # type: ignore[arg-type]

    def answers(self) -> list[tuple[int, int, str, int]]:
        """What the one who asked was told."""
        (message,) = [message for index, message in self.told if index == 0]
        assert message["id"] == 7
        return sorted(message["answers"])


def test_all_others_are_asked_and_all_answers_come_back() -> None:
    world = World(Member(0), Member(1), Member(2))
    world.begin()
    assert [index for index, _ in world.told] == [1, 2]
    world.answer(2, id=1, status=200, body="two")
    world.answer(1, id=1, status=503, body="one")
    assert world.answers() == [(1, 503, "one", 101), (2, 200, "two", 102)]
    world.timers[0]()
    world.answers()


def test_those_who_are_being_started_die_or_are_silent_are_told_of() -> None:
    world = World(Member(0), Member(1), Member(2), Member(3, ready=False), None)
    world.begin()
    assert world.members[1] is not None
    world.inquiries.gone(world.members[1])  # type: ignore[arg-type]
    world.timers[0]()
    assert world.answers() == [
        (1, 0, "has died", 0), (2, 0, "no answer within 2 s", 0), (3, 0, "is being started", 0),
        (4, 0, "is being started", 0),
    ]  # fmt: skip


def test_what_nobody_asked_or_nobody_can_read_is_ignored() -> None:
    world = World(Member(0), Member(1))
    world.begin()
    world.answer(1, id="1", status=200, body="")
    world.answer(1, id=2, status=200, body="")
    world.answer(1, id=1, status="200", body="")
    world.answer(1, id=1, status=200, body=["no text"])
    world.answer(0, id=1, status=200, body="")
    world.answer(1, id=1, status=200, body="yes")
    world.answer(1, id=1, status=200, body="again")
    assert world.answers() == [(1, 200, "yes", 101)]


def test_an_answer_for_one_who_has_died_goes_nowhere() -> None:
    world = World(Member(0), Member(1))
    world.begin()
    assert world.members[0] is not None
    world.inquiries.gone(world.members[0])  # type: ignore[arg-type]
    world.answer(1, id=1, status=200, body="")
    assert [index for index, _ in world.told] == [1]


def test_beyond_a_bound_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquiries, "UNDER_WAY", 0)
    world = World(Member(0), Member(1))
    world.begin()
    assert world.answers() == []
