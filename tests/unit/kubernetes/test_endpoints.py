"""What workers are told of a Service as its slices change."""

from typing import Any

import pytest

from resolver.kubernetes.endpoints import Endpoints
from tests.unit.kubernetes.objects import endpoint, slice_of

ONE, TWO = ["10.244.0.1", 8053, 8053], ["10.244.0.2", 8053, 8053]


class Told:
    """Endpoints of kube-dns, and all that they tell."""

    def __init__(self, address: str = "10.96.0.10", found: str = "10.96.0.99") -> None:
        self.messages: list[dict[str, Any]] = []
        self.troubles: list[tuple[str, str]] = []
        self.consumer = Endpoints(
            "kube-system/kube-dns", address, "node", lambda: "", self.messages.append,
            lambda *trouble: self.troubles.append(trouble), lambda: found,
        )  # fmt: skip

    @property
    def endpoints(self) -> list[list[Any]]:
        found: list[list[Any]] = self.messages[-1]["endpoints"]
        return found


def test_a_list_is_told_as_a_whole_and_a_later_one_replaces_it() -> None:
    told = Told()
    told.consumer.listed(iter([slice_of("10.244.0.1"), slice_of("10.244.0.2", name="kube-dns-2")]))
    assert told.messages == [
        {"service": "kube-system/kube-dns", "address": "10.96.0.10", "ready": 2, "endpoints": [ONE, TWO]}
    ]
    told.consumer.listed(iter([slice_of("10.244.0.2", name="kube-dns-2")]))
    assert told.endpoints == [TWO]


def test_a_list_that_breaks_off_changes_nothing() -> None:
    told = Told()
    told.consumer.listed(iter([slice_of("10.244.0.1")]))

    def broken() -> Any:
        yield slice_of("10.244.0.2")
        raise OSError("half way")

    with pytest.raises(OSError, match="half way"):
        told.consumer.listed(broken())
    told.consumer.changed(slice_of("10.244.0.2", name="kube-dns-2"), gone=False)
    assert told.endpoints == [ONE, TWO]


def test_one_that_begins_to_leave_is_left_at_once_and_what_changes_nothing_is_not_told() -> None:
    told = Told()
    told.consumer.listed(iter([slice_of("10.244.0.1", "10.244.0.2")]))
    leaving = endpoint("10.244.0.1", ready=False, serving=True, terminating=True)
    told.consumer.changed(slice_of(leaving, "10.244.0.2"), gone=False)
    assert told.endpoints == [TWO]
    told.consumer.changed(slice_of("10.244.0.2"), gone=False)
    assert len(told.messages) == 2
    told.consumer.changed(slice_of(), gone=True)
    assert (told.endpoints, told.messages[-1]["ready"]) == ([], 0)


def test_the_address_is_asked_for_only_where_it_is_not_given() -> None:
    given, asked = Told(), Told(address="")
    for told in (given, asked):
        told.consumer.listed(iter(()))
    assert (given.messages[0]["address"], asked.messages[0]["address"]) == ("10.96.0.10", "10.96.0.99")


def test_trouble_is_passed_on_with_the_name() -> None:
    told = Told()
    told.consumer.watching("403 forbidden")
    assert told.troubles == [("kube-system/kube-dns", "403 forbidden")]
