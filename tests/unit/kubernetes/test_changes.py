"""Changes of many objects: compared, gathered, told."""

from typing import Any

import pytest

from resolver.kubernetes import changes
from resolver.kubernetes.changes import Batches, Kept


def thing(name: str, value: str = "1") -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": name}, "value": value}


class Told:
    def __init__(self, *, unknown: bool = False) -> None:
        self.messages: list[dict[str, Any]] = []
        self.pauses: list[float] = []
        self.batches = Batches(self.messages.append, self.pauses.append)
        self.troubles: list[tuple[str, str]] = []
        self.kept = Kept(
            "things", lambda each: [f"{each['metadata']['name']} {each['value']}"], self.batches,
            lambda *trouble: self.troubles.append(trouble), unknown=unknown,
        )  # fmt: skip

    def names(self) -> list[str]:
        """Of the next batch."""
        self.messages.clear()
        self.batches.turn()
        assert not any(each["all"] for each in self.messages)
        return [name for each in self.messages for name in each["names"]]


def test_changes_are_gathered_and_a_first_list_changes_nothing() -> None:
    told = Told()
    told.kept.listed(iter([thing("a"), thing("b")]))
    told.kept.changed(thing("a", "2"), gone=False)
    told.kept.changed(thing("b"), gone=False)
    told.kept.changed(thing("c"), gone=False)
    assert told.names() == ["a", "c"]
    assert told.pauses == [changes.GATHER_SECONDS]
    told.kept.changed(thing("a", "2"), gone=True)
    assert told.names() == ["a"]


def test_a_later_list_is_compared_with_what_was_known() -> None:
    told = Told()
    told.kept.listed(iter([thing("a"), thing("b"), thing("c")]))
    told.kept.listed(iter([thing("a"), thing("b", "2"), thing("d")]))
    assert told.names() == ["b", "c", "d"]


def test_a_change_before_the_first_list_is_part_of_it() -> None:
    told = Told()
    told.kept.changed(thing("a"), gone=False)
    told.kept.listed(iter([thing("a")]))
    told.kept.changed(thing("b"), gone=False)
    assert told.names() == ["b"]


def test_what_changed_unseen_may_be_everything() -> None:
    told = Told(unknown=True)
    told.kept.listed(iter([]))
    told.batches.turn()
    assert told.messages == [{"is": "changed", "all": True, "names": []}]


@pytest.mark.parametrize(("count", "messages"), [(1000, 1), (1001, 2), (10_000, 10)])
def test_many_names_are_several_messages(count: int, messages: int) -> None:
    told = Told()
    told.batches.add(str(n) for n in range(count))
    assert len(told.names()) == count
    assert len(told.messages) == messages


def test_too_many_names_are_all() -> None:
    told = Told()
    told.batches.add(str(n) for n in range(changes.MOST_NAMES + 1))
    told.batches.turn()
    assert [each["all"] for each in told.messages] == [True]


def test_trouble_is_passed_on() -> None:
    told = Told()
    told.kept.watching("forbidden")
    assert told.troubles == [("things", "forbidden")]
