"""Which endpoints a node asks, and how evenly that spreads over many nodes."""

from collections import Counter

import pytest

from resolver.kubernetes.choice import MOST, choose
from resolver.kubernetes.slices import Endpoint, Ports

PORTS = Ports(53, 53)
NODES = [f"node-{number}.example" for number in range(500)]


def endpoints(count: int, *zones: str, ready: bool = True) -> list[Endpoint]:
    """Of count, each in one of the zones in turn."""
    return [
        Endpoint(f"10.244.{n // 250}.{n % 250 + 1}", PORTS, ready, not ready, (zones[n % len(zones)],) if zones else ())
        for n in range(count)
    ]


def addresses(chosen: list[Endpoint]) -> list[str]:
    return [each.address for each in chosen]


@pytest.mark.parametrize("count", [0, 1, 3, MOST, 125, 3000])
def test_a_node_asks_a_handful_and_always_the_same(count: int) -> None:
    known = endpoints(count)
    chosen = choose(known, "node-1", "", "")
    assert len(chosen) == min(count, MOST)
    assert chosen == choose(reversed(known), "node-1", "", "")


@pytest.mark.parametrize(("count", "most_above_the_mean"), [(2, 1.0), (6, 1.0), (20, 1.3), (60, 1.5)])
def test_the_nodes_of_a_large_cluster_spread_evenly(count: int, most_above_the_mean: float) -> None:
    asked = Counter(address for node in NODES for address in addresses(choose(endpoints(count), node, "", "")))
    mean = len(NODES) * min(count, MOST) / count
    assert len(asked) == count
    assert max(asked.values()) <= most_above_the_mean * mean


def test_one_that_goes_is_replaced_by_one_and_changes_nothing_for_the_others() -> None:
    known = endpoints(50)
    gone = known[7]
    for node in NODES[:200]:
        before, after = (
            set(addresses(choose(some, node, "", ""))) for some in (known, [e for e in known if e != gone])
        )
        assert before - after <= {gone.address}
        assert len(after - before) == (gone.address in before)


def test_those_that_leave_are_asked_only_while_nobody_is_ready() -> None:
    ready, leaving = (
        endpoints(2),
        [e._replace(address=f"10.9.0.{n}") for n, e in enumerate(endpoints(2, ready=False), 1)],
    )
    assert addresses(choose([*leaving, *ready], "node", "", "")) == ["10.244.0.1", "10.244.0.2"]
    assert addresses(choose(leaving, "node", "", "")) == ["10.9.0.1", "10.9.0.2"]


def test_one_that_two_slices_name_is_ready_if_one_of_them_says_so() -> None:
    (ready,), (leaving,) = endpoints(1), endpoints(1, ready=False)
    for known in ([ready, leaving], [leaving, ready]):
        assert choose(known, "node", "", "") == [ready]


def test_hints_keep_questions_in_the_zone() -> None:
    chosen = choose(endpoints(30, "a", "b", "c"), "node", "b", "")
    assert {each.zones for each in chosen} == {("b",)}


@pytest.mark.parametrize("zone", ["", "d"])
def test_a_node_whose_zone_is_in_no_hint_asks_all(zone: str) -> None:
    chosen = [choose(endpoints(30, "a", "b", "c"), node, zone, "") for node in NODES[:50]]
    assert {each.zones for some in chosen for each in some} == {("a",), ("b",), ("c",)}


def test_hints_hold_only_where_all_have_them() -> None:
    known = [*endpoints(2, "a"), Endpoint("10.9.0.1", PORTS, ready=True, leaving=False, zones=())]
    assert len(choose(known, "node", "a", "")) == 3


@pytest.mark.parametrize(
    ("like", "found"),
    [("10.96.0.10", {"10.244.0.1"}), ("fd00::a", {"fd00::1"}), ("", {"10.244.0.1", "fd00::1"})],
)
def test_of_two_families_the_service_says_which(like: str, found: set[str]) -> None:
    both = [*endpoints(1), Endpoint("fd00::1", PORTS, ready=True, leaving=False, zones=())]
    assert set(addresses(choose(both, "node", "", like))) == found


def test_a_family_that_nobody_has_is_no_reason_to_ask_nobody() -> None:
    assert addresses(choose(endpoints(1), "node", "", "fd00::a")) == ["10.244.0.1"]
