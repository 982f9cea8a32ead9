"""Which zone a name belongs to, and in which order its servers are asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.config import Policy, Zone
from resolver.message import names
from resolver.upstream.health import FAILURES_TO_DOWN, Health
from resolver.upstream.routes import Route, Routes


class Rated:
    """A server that is nothing but its name and its health."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.health = Health(lambda: 0.5)
        self.load = float(name) if name.isdigit() else 0.0


def route(*zone_names: str, servers: str = "", policy: Policy = Policy.SEQUENTIAL) -> Route[Rated]:
    zone = Zone(names=zone_names, upstreams=())._replace(policy=policy)
    return Route(zone, [Rated(name) for name in servers])


def order(asked: Route[Rated]) -> str:
    return "".join(server.name for server in asked.order(lambda servers: servers.reverse()))


def take_down(asked: Route[Rated], name: str) -> None:
    (server,) = (server for server in asked.servers if server.name == name)
    for _ in range(FAILURES_TO_DOWN):
        server.health.failed(0.0)


ROUTES = Routes([route("cluster.local", "in-addr.arpa"), route("svc.cluster.local"), route(".")])


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("web.shop.svc.cluster.local.", "svc.cluster.local."),
        ("svc.cluster.local.", "svc.cluster.local."),
        ("cluster.local.", "cluster.local."),
        ("pod.cluster.local.", "cluster.local."),
        ("xcluster.local.", "."),
        ("local.", "."),
        ("example.com.", "."),
        (".", "."),
        ("1.0.0.10.in-addr.arpa.", "cluster.local."),
        (r"a\.cluster.local.", "."),  # one label that reads like two
    ],
)
def test_the_longest_suffix_wins(name: str, zone: str) -> None:
    found = ROUTES.find(names.to_wire(name))
    assert found is not None
    assert found.label == zone


def test_without_a_default_route_other_names_have_no_zone() -> None:
    routes = Routes([route("cluster.local")])
    assert routes.find(names.to_wire("example.com.")) is None
    assert routes.find(b"\0") is None


@given(st.lists(st.sampled_from(["a", "b", "cluster", "local", "svc"]), max_size=6))
def test_the_zone_found_is_the_longest_that_matches(labels: list[str]) -> None:
    found = ROUTES.find(names.to_wire(".".join([*labels, ""]) or "."))
    candidates = [zone for zone in (["svc", "cluster", "local"], ["cluster", "local"]) if labels[-len(zone) :] == zone]
    assert found is not None
    assert found.label == ".".join([*(candidates[0] if candidates else []), ""]) or found.label == "."


def test_sequential_asks_in_the_order_of_the_configuration() -> None:
    asked = route(".", servers="abc")
    assert [order(asked), order(asked)] == ["abc", "abc"]


def test_round_robin_begins_with_the_next_each_time() -> None:
    asked = route(".", servers="abc", policy=Policy.ROUND_ROBIN)
    assert sorted(order(asked) for _ in range(3)) == ["abc", "bca", "cab"]


def test_random_asks_in_shuffled_order() -> None:
    assert order(route(".", servers="abc", policy=Policy.RANDOM)) == "cba"


@pytest.mark.parametrize("policy", Policy)
def test_servers_that_are_down_come_last(policy: Policy) -> None:
    asked = route(".", servers="abc", policy=policy)
    take_down(asked, "b")
    assert order(asked)[-1] == "b"
    take_down(asked, "a")
    assert order(asked)[0] == "c"


def test_a_zone_may_have_one_server_or_none() -> None:
    assert order(route(".", servers="a")) == "a"
    assert order(route(".", policy=Policy.ROUND_ROBIN)) == ""


def balanced(loads: str, chances: list[float], last: str = "") -> Route[Rated]:
    """A route to endpoints with these loads (digits, by which they are called), and a server behind them."""
    servers = [Rated(load) for load in loads + last]
    zone = Zone(names=(".",), upstreams=())
    return Route(zone, servers, alike=len(loads), chance=iter(chances).__next__)


@pytest.mark.parametrize(
    ("chances", "first"),
    [
        ([0.0, 0.0, 0.5], "1"),
        ([0.3, 0.99, 0.5], "1"),
        ([0.6, 0.0, 0.5], "2"),
        ([0.0, 0.9, 0.5], "3"),
    ],
)
def test_of_two_endpoints_that_chance_picks_the_one_with_less_to_do_is_asked(chances: list[float], first: str) -> None:
    assert order(balanced("4123", chances))[0] == first


def test_now_and_then_chance_alone_decides() -> None:
    assert order(balanced("41", [0.0, 0.0, 0.05]))[0] == "4"


def test_all_endpoints_come_before_the_address_of_their_service() -> None:
    asked = balanced("41", [0.0, 0.0, 0.5, 0.0, 0.0, 0.5], last="0")
    assert order(asked) == "140"
    take_down(asked, "1")
    take_down(asked, "4")
    assert order(asked)[0] == "0"


def test_the_only_endpoint_is_asked() -> None:
    assert order(balanced("7", [0.0], last="0")) == "70"
