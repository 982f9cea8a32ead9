"""EndpointSlices as they are read: what of them can be asked, and that whatever is in them can be read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.kubernetes.slices import Endpoint, Ports, name_of, read_slice, service_of
from tests.unit.kubernetes.objects import PORTS, endpoint, slice_of

KEYS = (
    *("metadata", "labels", "name", "endpoints", "addresses", "conditions", "ready"),
    *("hints", "forZones", "ports", "port", "protocol"),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("10.0.0.1"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=15,
)


@pytest.mark.parametrize(
    ("conditions", "ready", "leaving"),
    [
        ({}, True, False),
        ({"ready": None}, True, False),
        ({"ready": True, "serving": True, "terminating": False}, True, False),
        ({"ready": False, "serving": True, "terminating": True}, False, True),
    ],
)
def test_endpoints_are_ready_or_leaving(conditions: dict[str, bool | None], ready: bool, leaving: bool) -> None:
    (found,) = read_slice(slice_of(endpoint("10.244.0.7", "a", **conditions)))
    assert found == Endpoint("10.244.0.7", Ports(8053, 8053), ready, leaving, ("a",))


@pytest.mark.parametrize(
    "conditions",
    [{"ready": False}, {"ready": False, "serving": False, "terminating": True}, {"ready": False, "serving": True}],
)
def test_an_endpoint_that_is_neither_is_left_out(conditions: dict[str, bool | None]) -> None:
    assert read_slice(slice_of(endpoint("10.244.0.7", **conditions))) == ()


@pytest.mark.parametrize(
    ("ports", "found"),
    [
        (PORTS, Ports(8053, 8053)),
        ([{"port": 9153}, {"port": 53}], Ports(53, 0)),
        ([{"port": 53, "protocol": "UDP"}], Ports(0, 53)),
        ([{"port": 5353, "protocol": "TCP"}], Ports(5353, 0)),
    ],
)
def test_the_port_is_the_one_for_dns(ports: list[dict[str, Any]], found: Ports) -> None:
    assert [each.ports for each in read_slice(slice_of("10.244.0.7", ports=ports))] == [found]


@pytest.mark.parametrize("ports", [None, [], [{"port": 53, "protocol": "SCTP"}], [{"port": 0}], [{"port": "53"}]])
def test_without_a_port_there_is_nobody_to_ask(ports: object) -> None:
    assert read_slice(slice_of("10.244.0.7", ports=ports)) == ()


@pytest.mark.parametrize("address", ["web.example.com", "", "0.0.0.0", "::", "224.0.0.1"])
def test_what_is_no_address_of_a_pod_is_left_out(address: str) -> None:
    assert read_slice(slice_of(address)) == ()


def test_a_slice_says_whose_it_is() -> None:
    assert service_of(slice_of()) == ("kube-system", "kube-dns")
    assert name_of(slice_of(name="kube-dns-x")) == "kube-system/kube-dns-x"
    assert service_of({"metadata": {"namespace": "shop"}}) == ("shop", "")


@given(st.dictionaries(st.sampled_from(["metadata", "endpoints", "ports"]), ANYTHING))
def test_nothing_in_a_slice_makes_reading_it_fail(document: dict[str, Any]) -> None:
    assert all(isinstance(each, Endpoint) for each in read_slice(document))
    service_of(document)
    name_of(document)
